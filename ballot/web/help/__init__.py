"""Help for each role: the first ten minutes, what to do when something goes wrong, and for the host the whole runbook."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template
from werkzeug.exceptions import NotFound

from ballot.language import phrase
from ballot.web import site
from ballot.web.access import Role, open_to

bp = Blueprint("help", __name__)

# the page's address: its name, and for whom it is
PAGES: Final = {
    "member": (phrase("Members"), phrase("You have a link in an e-mail, and want to vote or to check that your vote is in the box.")),
    "returning-officer": (phrase("Returning officers"), phrase("You run a ballot, perhaps for the first time.")),
    "deputy": (phrase("Deputies"), phrase("You help to run a ballot, and are the second person who agrees.")),
    "membership-secretary": (
        phrase("Membership secretaries"),
        phrase("You keep the list of members and help those whose link did not arrive."),
    ),
    "observer": (phrase("Observers"), phrase("You watch over a ballot for a candidate, a side or the membership.")),
    "key-holder": (phrase("Key-holders"), phrase("You keep one of the keys that open the ballot box.")),
    "auditor": (phrase("Auditors"), phrase("You want to check a result yourself. Anyone may.")),
    "host": (phrase("Hosts"), phrase("You install this service, keep it running and upgrade it.")),
}


@bp.get("/help")
@open_to(Role.PUBLIC)
def overview() -> str:
    """Every page of help."""
    return render_template("help/overview.html", pages=PAGES)


@bp.get("/help/<role>")
@open_to(Role.PUBLIC)
def page(role: str) -> str:
    """The help of one role."""
    if role not in PAGES:
        raise NotFound
    return render_template(f"help/{role}.html", role=role, pages=PAGES, host=site().config.public_host.partition(":")[0])
