"""The report of a published ballot, made for paper: everything that minutes or a challenge may need, from public data only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from flask import redirect, render_template
from markupsafe import Markup
from sqlmodel import Session, col, select
from werkzeug.wrappers import Response as AnyResponse

from ballot.count.draw.table import table
from ballot.count.record import Record
from ballot.language import Text, joined, phrase, phrases
from ballot.models import Election, ElectionState, Meeting, Roll
from ballot.protocol.messages import ThresholdParameters
from ballot.services import board, journal, tally
from ballot.services.journal import Act, Entry
from ballot.services.turnout import turnout_of
from ballot.web import site
from ballot.web.access import Role, open_to
from ballot.web.board import bp
from ballot.web.board.report import quotas_of, report_of
from ballot.web.board.result import published_result
from ballot.web.board.views import _election, _keys, _questions
from ballot.web.words import journal_value

_EXCEPTIONS = {
    Act.PRACTICE_SKIPPED: phrase("Opened without a finished practice"),
    Act.POSTPONED: phrase("The close was put off"),
    Act.KEY_LOST: phrase("A key was reported lost"),
    Act.LINK_REISSUED: phrase("A member’s link was sent anew"),
    Act.LINK_WITHDRAWN: phrase("A member’s link was cancelled"),
    Act.ADDRESS_CORRECTED: phrase("A member’s address was corrected"),
    Act.CARD_MADE: phrase("A paper card was made"),
    Act.DAMAGE_FOUND: phrase("Damage was found"),
    Act.SUBMISSION_REFUSED: phrase("A key-holder’s message was refused"),
    Act.CANDIDATE_WITHDREW: phrase("A candidate withdrew before the count"),
    Act.LOT_DRAWN: phrase("A lot was drawn in public"),
    Act.TIDY_POSTPONED: phrase("The deletion was put off"),
}
STAGES = 4  # side by side on A4, at most
_OF_MEMBERS = {Act.LINK_REISSUED, Act.LINK_WITHDRAWN, Act.ADDRESS_CORRECTED, Act.CARD_MADE}


@dataclass(frozen=True)
class Exceptional:
    """One thing out of the ordinary: what, how often, and the details of each."""

    words: str
    times: int
    details: tuple[str, ...]


@dataclass(frozen=True)
class Dates:
    """When what happened, from the journal; times as its ISO texts, "" for what did not happen."""

    roll_frozen: str
    locked: str
    links_sent: str
    tally_begun: str
    notice_days: int | None


def exceptions(entries: list[Entry], uuid: str) -> list[Exceptional]:
    """What was out of the ordinary in this ballot, or for members of its meeting, by kind."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        act = Act(entry.act) if entry.act in set(Act) else None
        if act in _EXCEPTIONS and (entry.election == uuid or (act in _OF_MEMBERS and entry.election is None)):
            details = {key: value for key, value in entry.details.items() if key != "number so far"}
            found.setdefault(_EXCEPTIONS[act], []).append(journal_value(details) if details else "")
        if act is Act.CLOSED and entry.election == uuid and entry.details.get("reason"):
            found.setdefault(phrase("Closed before the announced hour"), []).append(str(entry.details["reason"]))
    listed = []
    for words, each in found.items():
        counted = Counter(text for text in each if text)
        lines = tuple(_times(text, number) if number > 1 else text for text, number in counted.items())
        listed.append(Exceptional(words, len(each), lines))
    return listed


def _times(text: str, number: int) -> Text:
    return phrases("{text} ({count} time)", "{text} ({count} times)", number, text=text)


def _dates(entries: list[Entry], election: Election) -> Dates:
    def first(act: Act, uuid: str | None = None) -> str:
        return next((e.time for e in entries if e.act == act and (uuid is None or e.election == uuid)), "")

    sent = next((e.time for e in entries if e.act == Act.LINKS_SENT and election.uuid in e.details.get("elections", [])), "")
    notice = None
    if sent:
        notice = (election.closes_at - datetime.fromisoformat(sent)).days
    return Dates(first(Act.ROLL_FROZEN), first(Act.LOCKED, election.uuid), sent, first(Act.TALLY_BEGUN, election.uuid), notice)


def _opened_by(uuid: str, setup: board.Setup) -> str:
    """Which key-holders opened the box, by number: their names are not published."""
    steps = tally.steps(site().database, uuid)
    group = next((item for item in setup.trustees.items if isinstance(item, ThresholdParameters)), None)
    if group is None:
        return ""
    opened, shuffled = ", ".join(map(str, sorted(steps.opened))), ", ".join(map(str, steps.shuffled))
    found = [phrase("Opened by key-holders {numbers} of {size}.", numbers=opened, size=len(group.verification_keys))]
    return joined([*found, *([phrase("Shuffled by key-holders {numbers}.", numbers=shuffled)] if steps.ranked else [])])


def _stage_tables(record: Record, number: int) -> list[Markup]:
    """The stages in parts that fit A4, each a table of its own, which a printer keeps on one page."""
    stages, pieces = len(record.stages), -(-len(record.stages) // STAGES)
    ends = [stages * piece // pieces for piece in range(pieces + 1)]
    parts = [record.stages[start:end] for start, end in pairwise(ends)]
    return [Markup(table(record, f"report-{number}-{i}", part)) for i, part in enumerate(parts, start=1)]  # noqa: S704  escaped there


@bp.get("/e/<base58:uuid>/report")
@open_to(Role.PUBLIC)
def report_page(uuid: str) -> AnyResponse | str:
    """Notice, roll, dates, turnout, figures, verdict, stages, exceptions, key-holders and how to check, on paper."""
    with site().database.read() as db:
        election = _election(db, uuid)
        if election.state != ElectionState.PUBLISHED:
            return redirect(f"/e/{uuid}")
        return _report(db, election)


def _report(db: Session, election: Election) -> str:
    uuid = election.uuid
    setup = board.load_setup(site().database, uuid)
    entries = journal.entries(db, election.meeting_id)
    results = published_result(site().database, uuid)
    turnout = turnout_of(db, election)
    counted = max((result.counted for result in results), default=0)
    others = select(Election).where(Election.meeting_id == election.meeting_id, col(Election.state) != ElectionState.DRAFT)
    return render_template(
        "board/report.html",
        election=election,
        meeting=db.get(Meeting, election.meeting_id),
        roll=db.get(Roll, election.meeting_id),
        setup=setup,
        questions=_questions(setup),
        results=results,
        report_of=report_of,
        quotas_of=quotas_of,
        stage_tables=_stage_tables,
        turnout=turnout,
        dates=_dates(entries, election),
        exceptions=exceptions(entries, uuid),
        others=len(db.exec(others).all()) - 1,
        keys=_keys(setup),
        opened_by=_opened_by(uuid, setup),
        head=board.head_of(db, uuid),
        journal_head=entries[-1] if entries else None,
        verified=phrase(
            "VERIFIED: every check holds. {counted:,} ballots are counted, of {electorate:,} credentials that could vote, "
            "and the published result is what they say.",
            counted=counted,
            electorate=turnout.electorate,
        ),
    )
