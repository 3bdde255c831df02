"""The public page of a meeting: its ballots, and for members “Am I on the list?” and “Send me my link again”."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Response, make_response, render_template, request
from sqlmodel import Session

from ballot.errors import BallotError
from ballot.language import phrase
from ballot.models import ElectionState, Meeting, Roll
from ballot.services import enquiries, invitations, lifecycle
from ballot.web import site
from ballot.web.access import Guard, Role, open_to
from ballot.web.board import bp
from ballot.web.board.views import _meeting
from ballot.web.booth import resend
from ballot.web.booth.pages import contact

log = logging.getLogger(__name__)

LONGEST = 254  # characters of an address


def _page(db: Session, meeting: Meeting, *, answered: str = "", error: str = "", email: str = "") -> str:
    shown = [e for e in lifecycle.elections_of(db, meeting.id) if e.state is not ElectionState.DRAFT]
    return render_template(
        "board/meeting.html",
        meeting=meeting,
        elections=shown,
        roll=db.get(Roll, meeting.id),
        may_ask=enquiries.may_be_asked(db, meeting),
        sending=bool(invitations.sendable(db, meeting.id)),
        answered=answered,
        error=error,
        email=email,
        contact=contact(),
    )


@bp.get("/m/<base58:meeting_id>")
@open_to(Role.PUBLIC)
def meeting_page(meeting_id: str) -> str:
    with site().database.read() as db:
        return _page(db, _meeting(db, meeting_id))


@bp.post("/m/<base58:meeting_id>/on-the-list")
@open_to(Role.PUBLIC, guard=Guard.SIGNED)
def ask(meeting_id: str) -> Response:
    """The page is the same for every address; whoever is asked about gets a mail."""
    services, now = site(), site().clock.now()
    return _answered(
        meeting_id, "list", lambda email: enquiries.answer(services.database, services.keys, services.mailer, meeting_id, email, now)
    )


@bp.post("/m/<base58:meeting_id>/send-link")
@open_to(Role.PUBLIC, guard=Guard.SIGNED)
def send_link(meeting_id: str) -> Response:
    """As the booth's “Send me my link again”, for who comes without JavaScript or looks at the meeting first."""
    services = site()
    return _answered(meeting_id, "link", lambda email: resend.send_again(services, email, meeting_id))


def _answered(meeting_id: str, what: str, work: Callable[[str], None]) -> Response:
    email = request.form.get("email", "").strip()
    problem = "" if 3 <= len(email) <= LONGEST and "@" in email[1:-1] else phrase("Enter your e-mail address, like name@example.org.")
    with site().database.read() as db:
        meeting = _meeting(db, meeting_id)
        page = _page(db, meeting, error=problem, email=email) if problem else _page(db, meeting, answered=what)
    response = make_response(page, 422 if problem else 200)
    response.headers["Cache-Control"] = "no-store"
    if problem:
        return response

    @response.call_on_close
    def _work() -> None:
        try:
            work(email)
        except BallotError as error:
            log.warning("a member's question was not answered: %s", type(error).__name__)

    return response
