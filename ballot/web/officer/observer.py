"""What a scrutineer sees of a meeting: figures, reasons, reissues, chain heads and the journal. No names, and no times of votes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from flask import render_template
from sqlmodel import Session

from ballot.language import phrase
from ballot.models import Election, ElectionState, Roll
from ballot.services import board, deliveries, journal, lifecycle, sweep
from ballot.services.journal import Act, Entry
from ballot.web import site
from ballot.web.access import OFFICERS, open_to
from ballot.web.officer import bp
from ballot.web.officer.common import meeting_of, rights

REISSUES = {Act.LINK_REISSUED, Act.ADDRESS_CORRECTED, Act.LINK_WITHDRAWN, Act.CARD_MADE}


@dataclass(frozen=True)
class Watched:
    """One ballot: how many can vote and have voted, and the end of its chain."""

    election: Election
    voted: int
    electorate: int
    height: int
    head: str
    checkpoint: str


def _watched(db: Session, election: Election) -> Watched:
    head = board.head_of(db, election.uuid)
    voted, electorate = board.turnout(db, election.uuid)
    note = sweep.checkpoint(db, site().config, site().keys, election.uuid)
    return Watched(election, voted, electorate, head.height, head.hash, note or phrase("The first one is here in a moment."))


def _reissues(entries: list[Entry]) -> list[tuple[str, str, int]]:
    """Act, cause and how often, in the order in which they first happened."""
    found = Counter((entry.act, str(entry.details.get("cause", ""))) for entry in entries if entry.act in REISSUES)
    return [(act, cause, number) for (act, cause), number in found.items()]


@bp.get("/m/<base58:meeting_id>/observe")
@open_to(*OFFICERS)
def observe(meeting_id: str) -> str:
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        entries = journal.entries(db, meeting_id)
        elections = [e for e in lifecycle.elections_of(db, meeting_id) if e.fingerprint]
        return render_template(
            "officer/observe.html",
            meeting=meeting,
            roll=db.get(Roll, meeting_id),
            watched=[_watched(db, election) for election in elections],
            preparing=sum(e.state is ElectionState.DRAFT for e in lifecycle.elections_of(db, meeting_id)),
            mails=site().mailer.counts(db, meeting_id),
            reasons=deliveries.reasons(deliveries.problems(db, meeting_id)),
            reissues=_reissues(entries),
            entries=entries[::-1],
            **rights(),
        )
