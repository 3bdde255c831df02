"""The catcher's page: mails that would have gone out, on a site that runs for development. Elsewhere it does not exist."""

from __future__ import annotations

import re

from flask import Blueprint, abort, render_template, request
from markupsafe import Markup, escape

from ballot.services import mail
from ballot.web import site
from ballot.web.access import Role, open_to

bp = Blueprint("dev", __name__, url_prefix="/dev")


@bp.get("/mail")
@open_to(Role.DEVELOPMENT)
def mails() -> str:
    """Everything caught, newest first; `?to=` keeps one person's."""
    to = request.args.get("to", "").strip()
    with site().database.read() as db:
        caught = [letter for letter in mail.caught(db) if to.casefold() in letter.recipient.casefold()]
    return render_template("dev/mails.html", caught=caught, to=to)


@bp.get("/mail/<path:message_id>")
@open_to(Role.DEVELOPMENT)
def one_mail(message_id: str) -> str:
    with site().database.read() as db:
        letter = next((letter for letter in mail.caught(db) if letter.message_id.strip("<>") == message_id), None)
    if letter is None:
        abort(404)
    return render_template("dev/mail.html", letter=letter, text=with_links(letter.text, site().config.public_url))


def with_links(text: str, public_url: str) -> Markup:
    """The text, with addresses of this site as links; everything else stays text."""
    pieces = re.split(f"({re.escape(public_url)}[^\\s<>\"']*)", text)
    linked = [Markup('<a href="{0}">{0}</a>').format(piece) if i % 2 else escape(piece) for i, piece in enumerate(pieces)]
    return Markup("").join(linked)
