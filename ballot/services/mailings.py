"""Mailings: one letter to many members, begun by an officer, queued a batch at a time, paused and gone on with.

A mailing remembers how far it has come in the same transaction that queues a batch, so whoever goes on with it after a kill
misses nobody and writes to nobody twice; each letter's key makes sure of that a second time. Batches are queued when the last
one has left, so a pause stops nearly everything at once, and a reminder is decided about shortly before it leaves.

Invitations go to the members of the electorates, reminders to those of them who have not voted and whose mail did not come
back, results to the members who could vote. Where half of a batch is refused, the mailing pauses by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from ballot.config import Config
from ballot.errors import MalformedError, NotFoundError, PreconditionError
from ballot.language import phrase
from ballot.models import (
    Cast,
    Election,
    ElectionState,
    Electorate,
    Mailing,
    MailText,
    Meeting,
    Officer,
    Outbox,
    RollEntry,
)
from ballot.services import invitations, lifecycle, mail, roll, tally
from ballot.services.clock import Clock, spoken
from ballot.services.database import Database
from ballot.services.deliveries import counts, is_lost, latest, problems
from ballot.services.identifiers import new_id
from ballot.services.journal import CLOCK, Act, Actor, append
from ballot.services.keys import Keys
from ballot.services.mail import Mailer, State
from ballot.services.rights import Move, require
from ballot.services.wording import MOVE, Kind, closed, pages, words_of

BATCH: Final = 250  # members looked at in one transaction, and letters queued at most
MOST_FIRST: Final = 10
MOST_REMINDERS: Final = 3
REMINDER_PAUSE: Final = timedelta(hours=20)
_BRAKE_FROM: Final = 10  # mails of one batch that have left, before their fate says anything


class Stage(StrEnum):
    """How far a mailing has come."""

    FIRST = "first"
    ALL = "all"
    DONE = "done"


_ACT: Final = {Kind.INVITATION: Act.LINKS_SENT, Kind.REMINDER: Act.REMINDER_SENT, Kind.RESULT: Act.RESULT_MAILED}


# --- beginning, pausing, going on ---------------------------------------------------------------------------------


def mailings_of(session: Session, meeting_id: str) -> list[Mailing]:
    """A meeting's mailings, newest first."""
    return list(session.exec(select(Mailing).where(Mailing.meeting_id == meeting_id).order_by(col(Mailing.begun_at).desc())).all())


def mailing_of(session: Session, mailing_id: str) -> Mailing:
    """The mailing, locked. Raises: NotFoundError."""
    found = session.get(Mailing, mailing_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFoundError(phrase("There is no such mailing."))
    return found


def begin_invitations(session: Session, meeting_id: str, actor: Actor, now: datetime, *, first: Sequence[str] = ()) -> Mailing:
    """Every member of these electorates will get the link once; `first`, some handles, before the others are asked for.

    Asked for again, it goes on where it stopped, and reaches whoever was added by a ballot that was locked since.

    Raises: NotAllowedError; PreconditionError: nothing is locked, or the registrar sends the links.
    """
    require(actor, Move.OPEN)
    elections = _sendable(session, meeting_id)
    key = f"invitation/{meeting_id}"
    known = session.exec(select(Mailing).where(Mailing.key == key).with_for_update()).first()
    expected = _count_members(session, elections)
    if known is not None:
        known.expected = expected
        if known.stage == Stage.DONE and known.queued < expected:
            known.stage, known.cursor = Stage.ALL, ""
            _record(session, known, actor, now, expected - known.queued, elections)
        elif known.stage == Stage.FIRST and not first:
            return everybody(session, known.id, actor, now)
        session.add(known)
        return known
    if len(first) > MOST_FIRST:
        raise PreconditionError(phrase("Choose {most} people or fewer to get it first.", most=MOST_FIRST))
    mailing = _new(session, meeting_id, key, Kind.INVITATION, 0, actor, now, expected=expected, first=first)
    _record(session, mailing, actor, now, len(first) or expected, elections)
    return mailing


def under_way(mailing: Mailing) -> bool:
    """Neither finished nor paused."""
    return mailing.stage != Stage.DONE and mailing.paused_at is None


def everybody(session: Session, mailing_id: str, actor: Actor, now: datetime) -> Mailing:
    """After the first few, all others. Asked for again, nothing changes. Raises: NotAllowedError, NotFoundError."""
    mailing = mailing_of(session, mailing_id)
    require(actor, MOVE[Kind(mailing.kind)])
    if mailing.stage == Stage.FIRST:
        mailing.stage = Stage.ALL
        session.add(mailing)
        _record(session, mailing, actor, now, max(mailing.expected - len(mailing.first), 0), _sendable(session, mailing.meeting_id))
    return mailing


def begin_reminder(session: Session, meeting_id: str, actor: Actor, now: datetime) -> Mailing:
    """Whoever has not voted in every open ballot of theirs is reminded.

    Raises: NotAllowedError; PreconditionError: too soon after the last one, too often, or nothing is open.
    """
    require(actor, Move.OPEN)
    plan = reminder_plan(session, meeting_id, now)
    if plan.obstacle:
        raise PreconditionError(plan.obstacle)
    elections = _sendable(session, meeting_id)
    key = f"reminder/{meeting_id}/{plan.number}"
    mailing = _new(session, meeting_id, key, Kind.REMINDER, plan.number, actor, now, expected=plan.to)
    _record(session, mailing, actor, now, plan.to, elections)
    return mailing


def begin_result(database: Database, config: Config, meeting_id: str, uuids: Sequence[str], actor: Actor, now: datetime) -> Mailing:
    """Whoever could vote in one of these published ballots gets their results, once, in one mail.

    Raises: NotAllowedError; PreconditionError: one has no result, or its result was mailed before; BoardDamagedError.
    """
    require(actor, Move.PUBLISH)
    with database.read() as session:
        unsent = {e.uuid: e for e in unmailed_results(session, meeting_id)}
    if not uuids or not set(uuids) <= set(unsent):
        raise PreconditionError(phrase("Choose ballots whose result is published and was not mailed yet."))
    results = [_decided(database, config, unsent[uuid]) for uuid in unsent if uuid in uuids]
    with database.write() as session:
        session.get_one(Meeting, meeting_id, with_for_update=True)
        if not set(uuids) <= {e.uuid for e in unmailed_results(session, meeting_id)}:
            raise PreconditionError(phrase("Somebody else has just begun to mail these results."))
        number = 1 + sum(m.kind == Kind.RESULT for m in mailings_of(session, meeting_id))
        words = {"results": results}
        expected = sum(bool(_theirs(entry, results)) for entry in roll.members(session, meeting_id) if not entry.withdrawn)
        mailing = _new(
            session, meeting_id, f"result/{meeting_id}/{number}", Kind.RESULT, number, actor, now, expected=expected, words=words
        )
        _record(session, mailing, actor, now, expected, [unsent[result["uuid"]] for result in results])
        return mailing


def pause(session: Session, mailing_id: str, actor: Actor, now: datetime, why: str = "") -> Mailing:
    """Nothing more of it leaves; a mail that is just being handed over does. Raises: NotAllowedError, NotFoundError."""
    mailing = mailing_of(session, mailing_id)
    if actor != CLOCK:
        require(actor, MOVE[Kind(mailing.kind)])
    if mailing.paused_at is None:
        mailing.paused_at, mailing.paused_why = now, why
        session.add(mailing)
        append(
            session, mailing.meeting_id, Act.MAILING_PAUSED, actor, now, details={"mailing": mailing.kind, **({"why": why} if why else {})}
        )
    return mailing


def resume(session: Session, mailing_id: str, actor: Actor, now: datetime) -> Mailing:
    """It goes on where it stopped. Raises: NotAllowedError, NotFoundError."""
    mailing = mailing_of(session, mailing_id)
    require(actor, MOVE[Kind(mailing.kind)])
    if mailing.paused_at is not None:
        mailing.paused_at, mailing.paused_why = None, ""
        mailing.seen_settled, mailing.seen_failed = _settled(counts(session, mailing.id))
        session.add(mailing)
        append(session, mailing.meeting_id, Act.MAILING_RESUMED, actor, now, details={"mailing": mailing.kind})
    return mailing


def _new(
    session: Session,
    meeting_id: str,
    key: str,
    kind: Kind,
    number: int,
    actor: Actor,
    now: datetime,
    *,
    expected: int,
    first: Sequence[str] = (),
    words: dict[str, Any] | None = None,
) -> Mailing:
    mailing = Mailing(
        id=new_id(),
        meeting_id=meeting_id,
        key=key,
        kind=str(kind),
        number=number,
        words=words or {},
        begun_at=now,
        begun_by=actor.id,
        begun_role=actor.role,
        stage=str(Stage.FIRST if first else Stage.ALL),
        first=list(first),
        expected=expected,
    )
    session.add(mailing)
    session.flush()
    return mailing


def _record(session: Session, mailing: Mailing, actor: Actor, now: datetime, mails: int, elections: Sequence[Election]) -> None:
    details: dict[str, Any] = {"mails": mails, "elections": [e.uuid for e in elections]}
    if mailing.number:
        details["number"] = mailing.number
    append(session, mailing.meeting_id, _ACT[Kind(mailing.kind)], actor, now, details=details)


def _sendable(session: Session, meeting_id: str) -> list[Election]:
    elections = invitations.sendable(session, meeting_id)
    if not elections:
        raise PreconditionError(phrase("No ballot of this meeting is locked yet, so there is nothing to send."))
    if session.get_one(Meeting, meeting_id).split_trust:
        raise PreconditionError(phrase("In this meeting the membership secretary makes the codes and sends the e-mails."))
    return elections


def _count_members(session: Session, elections: Sequence[Election]) -> int:
    statement = (
        select(func.count(func.distinct(Electorate.handle)))
        .join(RollEntry, col(RollEntry.handle) == col(Electorate.handle))
        .where(col(Electorate.election_uuid).in_([e.uuid for e in elections]), ~col(RollEntry.withdrawn))
    )
    return session.exec(statement).one()


# --- reminders ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReminderPlan:
    """What a reminder sent now would be: its number, to how many, and who is left out; or the obstacle, in a sentence."""

    number: int
    to: int
    voted: int
    unreachable: int
    obstacle: str = ""


def reminder_plan(session: Session, meeting_id: str, now: datetime) -> ReminderPlan:
    """Whether a reminder may be sent now, and to how many."""
    elections = invitations.sendable(session, meeting_id)
    open_now = [e.uuid for e in elections if e.state is ElectionState.OPEN and e.closes_at > now and e.opens_at <= now]
    earlier = [m for m in mailings_of(session, meeting_id) if m.kind == Kind.REMINDER]
    number = 1 + max((m.number for m in earlier), default=0)
    members, to_vote = _still_to_vote(session, open_now)
    unreachable = sum(1 for problem in problems(session, meeting_id) if problem.lost and problem.entry.handle in to_vote)
    sent = session.exec(select(Outbox.id).where(Outbox.meeting_id == meeting_id, Outbox.kind == "invitation").limit(1)).first()
    obstacle = ""
    if session.get_one(Meeting, meeting_id).split_trust:
        obstacle = phrase("In this meeting the membership secretary sends the e-mails.")
    elif not open_now:
        obstacle = phrase("Voting is not open, so there is nobody to remind.")
    elif sent is None:
        obstacle = phrase("The voting e-mails have not been sent yet.")
    elif any(m.stage != Stage.DONE for m in earlier):
        obstacle = phrase("The last reminder is still being sent.")
    elif len(earlier) >= MOST_REMINDERS:
        obstacle = phrase("{most} reminders have been sent. More would make members stop reading.", most=MOST_REMINDERS)
    elif earlier and now < earlier[0].begun_at + REMINDER_PAUSE:
        obstacle = phrase(
            "The last reminder began {begun}. The next can go {next}.",
            begun=spoken(earlier[0].begun_at),
            next=spoken(earlier[0].begun_at + REMINDER_PAUSE),
        )
    elif len(to_vote) <= unreachable:
        obstacle = phrase("Everybody whom a reminder could reach has voted.")
    return ReminderPlan(number, max(len(to_vote) - unreachable, 0), members - len(to_vote), unreachable, obstacle)


def _still_to_vote(session: Session, open_now: Sequence[str], handles: Sequence[str] | None = None) -> tuple[int, set[str]]:
    """How many members can vote in these ballots, and the handles of those with one left; of these handles only, where given."""
    statement = (
        select(Electorate.handle, col(Cast.credential).is_(None))
        .join(RollEntry, col(RollEntry.handle) == col(Electorate.handle))
        .join(
            Cast,
            (col(Cast.election_uuid) == col(Electorate.election_uuid))
            & (col(Cast.credential) == col(Electorate.credential))
            & (col(Cast.ordinal) == 0),
            isouter=True,
        )
        .where(col(Electorate.election_uuid).in_(open_now), ~col(RollEntry.withdrawn))
    )
    if handles is not None:
        statement = statement.where(col(Electorate.handle).in_(handles))
    papers = session.exec(statement).all()
    return len({handle for handle, _ in papers}), {handle for handle, unspent in papers if unspent}


# --- results ------------------------------------------------------------------------------------------------------


def unmailed_results(session: Session, meeting_id: str) -> list[Election]:
    """Published ballots, and void ones that members knew of, whose outcome no mailing has told yet."""
    told = {result["uuid"] for m in mailings_of(session, meeting_id) if m.kind == Kind.RESULT for result in m.words["results"]}
    return [
        e
        for e in lifecycle.elections_of(session, meeting_id)
        if e.uuid not in told and (e.state is ElectionState.PUBLISHED or (e.state is ElectionState.VOID and e.fingerprint))
    ]


def _decided(database: Database, config: Config, election: Election) -> dict[str, Any]:
    """One election's outcome in words, as every copy of the mail tells it."""
    result_url, check_url = pages(config, election.uuid)
    if election.state is ElectionState.VOID:
        verdict: list[str] = [phrase("This ballot was declared void. {reason}", reason=election.void_reason)]
        result_url = f"{config.public_url}/e/{election.uuid}"
    else:
        outcome = tally.outcome(database, election.uuid)
        several = len(outcome.questions) > 1
        verdict = [
            (f"{question.question.question.splitlines()[0]}: " if several else "")
            + (question.verdict or phrase("The figures stand on the result page."))
            for question in outcome.questions
        ]
        if not any("Turnout" in sentence for sentence in verdict):  # a motion's verdict tells it
            share = f" ({100 * outcome.ballots // outcome.electorate} %)" if outcome.electorate else ""
            verdict.append(
                phrase("Turnout {ballots:,} of {electorate:,}{share}.", ballots=outcome.ballots, electorate=outcome.electorate, share=share)
            )
    return {
        "uuid": election.uuid,
        "electorate": str(election.config.get("electorate", "")),
        "name": election.name,
        "closed": closed(election),
        "verdict": verdict,
        "result_url": result_url,
        "check_url": check_url,
        "fingerprint": election.fingerprint,
        "practice": election.practice,
    }


def preview_result(database: Database, config: Config, meeting_id: str, name: str, uuids: Sequence[str]) -> mail.Letter:
    """The result mail about these ballots as a member of all their electorates gets it. Raises: as `begin_result`."""
    with database.read() as session:
        chosen = [e for e in unmailed_results(session, meeting_id) if e.uuid in uuids]
        meeting, text = session.get_one(Meeting, meeting_id), words_of(session, meeting_id, Kind.RESULT)
    return _result_letter(meeting, text, 0, "", name, "member@example.org", [_decided(database, config, e) for e in chosen])


def _theirs(entry: RollEntry, results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [result for result in results if not result["electorate"] or result["electorate"] in entry.sections]


def _result_letter(
    meeting: Meeting, text: MailText, number: int, handle: str, name: str, address: str, results: Sequence[dict[str, Any]]
) -> mail.Letter:
    decided = [
        mail.Decided(
            r["name"], r["closed"], tuple(r["verdict"]), r["result_url"], r["check_url"], r["fingerprint"], r["practice"]
        )
        for r in results
    ]  # fmt: skip
    return mail.result(
        meeting_id=meeting.id,
        meeting=meeting.name,
        number=number,
        handle=handle,
        name=name,
        address=address,
        results=decided,
        introduction=text.introduction,
        subject=text.subject,
    )


# --- queueing a batch ---------------------------------------------------------------------------------------------


def refill(database: Database, config: Config, keys: Keys, mailer: Mailer, clock: Clock) -> Callable[[], int]:
    """What a `Sender` calls when nothing waits: the next batch of the oldest mailing that is under way; how many letters."""

    def queue() -> int:
        with database.read() as session:
            waiting = session.exec(
                select(Mailing).where(Mailing.stage != Stage.DONE, col(Mailing.paused_at).is_(None)).order_by(col(Mailing.begun_at))
            ).all()
        return next((n for m in waiting if (n := fill(database, config, keys, mailer, m.id, clock.now()))), 0)

    return queue


def fill(database: Database, config: Config, keys: Keys, mailer: Mailer, mailing_id: str, now: datetime) -> int:
    """The next letters of this mailing wait to be sent, and this is how many; 0 when none is left, it is paused, or it waits for the
    officer's word after the first few. Each batch is one short transaction, so that members can vote in between.
    """
    while True:
        with database.read() as session:
            seen = session.get(Mailing, mailing_id)
            if seen is None or not under_way(seen):
                return 0
            if seen.stage == Stage.FIRST and seen.queued >= len(seen.first):
                return 0
        with database.write() as session:
            mailing = mailing_of(session, mailing_id)
            queued = _fill(session, config, keys, mailer, mailing, now)
            if queued or mailing.stage != Stage.ALL or not under_way(mailing):
                return queued


def send_at_once(
    session: Session, config: Config, keys: Keys, mailer: Mailer, meeting_id: str, actor: Actor, now: datetime, *, reminder: bool = False
) -> int:
    """All invitations (or a reminder) of a small meeting are queued in the caller's transaction; the number of new mails.

    Raises: as `begin_invitations`, `begin_reminder`.
    """
    mailing = begin_reminder(session, meeting_id, actor, now) if reminder else begin_invitations(session, meeting_id, actor, now)
    before = mailing.queued
    while under_way(mailing):
        _fill(session, config, keys, mailer, mailing, now)
    return mailing.queued - before


def _fill(session: Session, config: Config, keys: Keys, mailer: Mailer, mailing: Mailing, now: datetime) -> int:
    if not under_way(mailing) or _braked(session, mailing, now):
        return 0
    members = select(RollEntry).where(RollEntry.meeting_id == mailing.meeting_id, RollEntry.reason == "", ~col(RollEntry.withdrawn))
    if mailing.stage == Stage.FIRST:
        entries = list(session.exec(members.where(col(RollEntry.handle).in_(mailing.first))).all())
    else:
        entries = list(session.exec(members.where(RollEntry.handle > mailing.cursor).order_by(col(RollEntry.handle)).limit(BATCH)).all())
        mailing.cursor = entries[-1].handle if entries else mailing.cursor
        if len(entries) < BATCH:
            mailing.stage = Stage.DONE
    letters = _letters(session, config, keys, mailing, entries, now) if entries else []
    for letter in letters:
        try:
            mailer.put(session, replace(letter, mailing_id=mailing.id), now)
        except MalformedError as error:  # one member's name or address must not hold up everybody's mail
            mailer.set_aside(session, replace(letter, mailing_id=mailing.id), str(error), now)
    mailing.queued += len(letters)
    session.add(mailing)
    session.flush()
    return len(letters)


def _braked(session: Session, mailing: Mailing, now: datetime) -> bool:
    """Whether the batch before went so badly that the mailing pauses by itself."""
    if mailing.stage == Stage.FIRST:
        return False
    settled, failed = _settled(counts(session, mailing.id))
    left, in_vain = settled - mailing.seen_settled, failed - mailing.seen_failed
    mailing.seen_settled, mailing.seen_failed = settled, failed
    if left < _BRAKE_FROM or 2 * in_vain < left:
        return False
    pause(
        session,
        mailing.id,
        CLOCK,
        now,
        phrase("{in_vain} of the last {left} e-mails did not arrive. Look at the reasons before you go on.", in_vain=in_vain, left=left),
    )
    return True


def _settled(states: dict[State, int]) -> tuple[int, int]:
    failed = states[State.FAILED] + states[State.BOUNCED]
    return failed + states[State.ACCEPTED] + states[State.UNKNOWN], failed


def _letters(
    session: Session, config: Config, keys: Keys, mailing: Mailing, entries: Sequence[RollEntry], now: datetime
) -> list[mail.Letter]:
    """The letters of those among these members who should have one and have none yet."""
    meeting, kind = session.get_one(Meeting, mailing.meeting_id), Kind(mailing.kind)
    text = words_of(session, mailing.meeting_id, kind)
    handles = [entry.handle for entry in entries]
    earlier = session.exec(select(Outbox).where(col(Outbox.handle).in_(handles), Outbox.meeting_id == mailing.meeting_id)).all()
    keys_of: dict[str, set[str]] = {}
    for row in earlier:
        keys_of.setdefault(str(row.handle), set()).add(row.key)
    if kind is Kind.RESULT:
        results = mailing.words["results"]
        return [
            _result_letter(meeting, text, mailing.number, entry.handle, entry.name, entry.email, mine)
            for entry in entries
            if (mine := _theirs(entry, results))
            and f"result/{mailing.meeting_id}/{mailing.number}/{entry.handle}" not in keys_of.get(entry.handle, ())
        ]
    elections = invitations.sendable(session, mailing.meeting_id)
    papers_of = invitations.electorates(session, elections, handles)
    if kind is Kind.REMINDER:
        _, wanted = _still_to_vote(session, [e.uuid for e in elections if e.state is ElectionState.OPEN and e.closes_at > now], handles)
        wanted -= {str(row.handle) for row in latest(earlier) if is_lost(row)}
    else:
        wanted = set(papers_of)
    letters = []
    for entry in entries:
        known = keys_of.get(entry.handle, set())
        start = f"invitation/{mailing.meeting_id}/{entry.handle}/"
        done = (
            any(key.startswith(start) and key.split("/")[4] == str(mailing.number) for key in known)
            if kind is Kind.REMINDER
            else any(key.startswith(f"{start}{entry.generation}/0") for key in known)
        )
        if entry.handle in wanted and not done:
            papers = [e for e in elections if e.uuid in papers_of.get(entry.handle, ())]
            letters.append(
                invitations.letter(
                    session, config, keys, meeting, entry, papers, now,
                    introduction=text.introduction, subject=text.subject, reminder=mailing.number,
                )
            )  # fmt: skip
    return letters


# --- the first few ------------------------------------------------------------------------------------------------


def committee(session: Session, meeting_id: str) -> list[tuple[Officer, str]]:
    """The officers who are on this meeting's roll themselves, with their handles there."""
    found = []
    for officer in session.exec(select(Officer).where(col(Officer.active)).order_by(col(Officer.name))):
        entry = roll.find(session, meeting_id, officer.email)
        if entry is not None and not entry.withdrawn:
            found.append((officer, entry.handle))
    return found


def handles_of(session: Session, meeting_id: str, addresses: Iterable[str]) -> list[str]:
    """The members with these addresses. Raises: MalformedError names the first that is not on the roll."""
    found = []
    for address in addresses:
        entry = roll.find(session, meeting_id, address)
        if entry is None or entry.withdrawn:
            raise MalformedError(phrase("{address} is not on the list of this meeting.", address=address[:80]))
        found.append(entry.handle)
    return found
