"""The pages that the server draws: the frame of the booth, the page after it, and "Check my vote"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flask import render_template, request
from sqlmodel import Session, col, select

from ballot.errors import MalformedError
from ballot.models import Cast, Election, ElectionState, Meeting
from ballot.protocol.receipts import hash_of_tracker
from ballot.services import board
from ballot.web import build, languages, site
from ballot.web.access import Role, open_to
from ballot.web.booth import bp
from ballot.web.booth.texts import catalogue, pages
from ballot.web.qr import qr_svg

SHOWN_AFTER: Final = timedelta(days=60)  # for so long after its close a meeting stays in the booth


def contact() -> str:
    """Where a member's question goes: the monitored address of the mails, or nothing on a machine without mail."""
    smtp = site().config.smtp
    return smtp.reply_to if smtp else ""


def current_meetings(db: Session) -> list[tuple[Meeting, list[Election]]]:
    """The meetings that members come for, each with its elections in order of closing; drafts are nobody's business yet."""
    found = db.exec(
        select(Meeting, Election)
        .join(Election, col(Election.meeting_id) == col(Meeting.id))
        .where(col(Election.state) != ElectionState.DRAFT, col(Election.closes_at) > site().clock.now() - SHOWN_AFTER)
        .order_by(col(Election.closes_at), col(Election.name))
    ).all()
    meetings: dict[str, tuple[Meeting, list[Election]]] = {}
    for meeting, election in found:
        meetings.setdefault(meeting.id, (meeting, []))[1].append(election)
    return list(meetings.values())


@bp.get("/vote")
@open_to(Role.PUBLIC)
def vote() -> str:
    """The frame of the booth. It is the same for everybody: what is secret in a link never comes here."""
    bundles, language = build.read_manifest(), languages.choose()
    with site().database.read() as db:
        meetings = [meeting for meeting, _ in current_meetings(db)]
    return render_template(
        "booth/vote.html",
        t=pages(language),
        language=language,
        catalogue=catalogue(),
        bundles=bundles,
        meetings=meetings,
        contact=contact(),
    )


@bp.get("/vote/finished")
@open_to(Role.PUBLIC)
def finished() -> str:
    """What a shared device shows after the member has finished."""
    language = languages.choose()
    words = pages(language)
    return render_template("booth/finished.html", t=words["finished"], check=words["check"], language=language)


@dataclass(frozen=True)
class Found:
    """Where a receipt code stands on a public board."""

    election: Election
    line: board.BoardLine


def find_code(db: Session, code: str) -> Found | None:
    """The ballot with this receipt code, in whichever election it is. Raises: MalformedError: not the form of a receipt code."""
    hash_of_tracker(code)
    election = db.exec(select(Election).join(Cast, col(Cast.election_uuid) == col(Election.uuid)).where(Cast.ballot_hash == code)).first()
    line = board.find_ballot(db, election.uuid, code) if election else None
    return Found(election, line) if election and line else None


@bp.get("/vote/check")
@open_to(Role.PUBLIC)
def check() -> str | tuple[str, int]:
    """Whether a receipt code is in a ballot box. A code after '#' is put into the field by the browser."""
    language = languages.choose()
    words = pages(language)
    code = "".join(request.args.get("code", "").split())
    found, error = None, ""
    if "code" in request.args:
        try:
            with site().database.read() as db:
                found = find_code(db, code)
        except MalformedError:
            error = str(words["check"]["malformed"])
    page = render_template(
        "booth/check.html",
        t=words["check"],
        all=words,
        language=language,
        bundles=build.read_manifest(),
        code=code,
        found=found,
        error=error,
        contact=contact(),
        qr=qr_svg(f"{site().config.public_url}/vote/check#{code}") if found else "",
    )
    return (page, 422) if error else page
