"""The life of an election: draft → locked → open → closed → tallying → published, or void with a reason before publication.

Each move is a function here (the tally's steps are in `ballot.services.tally`); who may make it stands in
`ballot.services.rights`. It checks its precondition under a lock, changes the state, writes what the board needs, and leaves
one entry in the journal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import perm
from typing import Any, Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from ballot.errors import BallotError, BoardDamagedError, MalformedError, NotFoundError, PreconditionError
from ballot.language import N_, OR, Text, listing, phrase
from ballot.models import BoardHead, Election, ElectionState, Electorate, Meeting, Roll, Trustee
from ballot.protocol import messages
from ballot.protocol.declarations import MINIMUM_BALLOTS, Declarations, join_description
from ballot.protocol.group import GROUP_NAME, SystemRng
from ballot.protocol.messages import MAX_CHOICES_RANKED, QUESTION, Question, QuestionH, SetupData, Trustees, sha256_hex
from ballot.protocol.trustees import check_trustees, make_public_key
from ballot.recount import check_rule
from ballot.services import approvals, board, journal, registrar, trustees
from ballot.services.approvals import Need
from ballot.services.clock import LONDON, iso
from ballot.services.database import Database
from ballot.services.identifiers import new_election_uuid, new_meeting_id
from ballot.services.journal import CLOCK, Act, Actor, append
from ballot.services.keys import Keys
from ballot.services.rights import Move, require

MAX_QUESTIONS: Final = 50
MAX_ANSWERS: Final = 100
MAX_TEXT: Final = 20_000
KEPT_FOR: Final = timedelta(days=30)  # how long members stay linked to credentials after the end, unless an officer sets a date
KEPT_FOR_PRACTICE: Final = timedelta(days=7)
_AT_ONCE: Final = 1000  # credentials derived between two words about progress

Progress = Callable[[str, int, int], None]  # hears what is being done, how much of it is done, and of how much; never in a transaction


def no_progress(_words: str, _done: int, _total: int) -> None:
    """Nobody listens."""


# --- meetings and drafts ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ElectionDraft:
    """What an officer decides before the lock. Times are UTC; `electorate` is "" for all full members, or a section of the roll.
    `counts_at` is when the key-holders are to open the box; it is not part of what is hashed.

    `rules` has one object per question that names its counting rule, as `Declarations.rules`; or none at all.
    """

    name: str
    questions: Sequence[Question]
    opens_at: datetime
    closes_at: datetime
    description: str = ""
    rules: Sequence[Mapping[str, Any]] = field(default=())
    electorate: str = ""
    replace: bool = False
    practice: bool = False
    minimum_ballots: int = MINIMUM_BALLOTS
    advisory: bool = False
    counts_at: datetime | None = None


def make_meeting(
    session: Session, name: str, actor: Actor, now: datetime, *, split_trust: bool = False, two_people: bool = True
) -> Meeting:
    """A meeting to hang elections on. Raises: NotAllowedError, MalformedError."""
    require(actor, Move.MAKE)
    named = _line(name, phrase("The meeting's name"))
    meeting = Meeting(id=new_meeting_id(), name=named, split_trust=split_trust, two_people=two_people, created_at=now)
    session.add(meeting)
    session.flush()
    details = {"name": meeting.name, "split trust": split_trust, "two people": two_people}
    append(session, meeting.id, Act.MEETING_MADE, actor, now, details=details)
    return meeting


def set_notice(session: Session, meeting_id: str, days: int, actor: Actor) -> None:
    """The organisation's rules ask for so many clear days of notice of this meeting's ballots; 0 for none.

    Raises: NotAllowedError, NotFoundError, PreconditionError.
    """
    require(actor, Move.EDIT)
    meeting = session.get(Meeting, meeting_id, with_for_update=True)
    if meeting is None:
        raise NotFoundError(phrase("There is no such meeting."))
    if not 0 <= days <= 365:
        raise PreconditionError(phrase("A notice is from 0 to 365 days."))
    meeting.notice_days = days
    session.add(meeting)


def make_election(session: Session, meeting_id: str, draft: ElectionDraft, actor: Actor, now: datetime) -> Election:
    """A draft of an election in this meeting; a practice one gets its single key, held by the service, until people are named.

    Raises: NotAllowedError, NotFoundError, MalformedError (a question or text cannot be used, and why), PreconditionError (dates).
    """
    require(actor, Move.MAKE)
    if session.get(Meeting, meeting_id) is None:
        raise NotFoundError(phrase("There is no such meeting."))
    election = Election(
        uuid=new_election_uuid(), meeting_id=meeting_id, name="", created_at=now, opens_at=draft.opens_at, closes_at=draft.closes_at
    )
    _fill(election, draft, now)
    session.add(election)
    session.flush()
    append(session, meeting_id, Act.ELECTION_MADE, actor, now, election=election.uuid, details={"name": election.name})
    return election


def change_election(session: Session, election_uuid: str, draft: ElectionDraft, actor: Actor, now: datetime) -> Election:
    """The draft now says this; key-holders named before stay, unless practice or advisory was switched. Raises: as `make_election`."""
    require(actor, Move.EDIT)
    election = in_state(session, election_uuid, ElectionState.DRAFT)
    if election.practice != draft.practice or bool(election.config.get("advisory")) != draft.advisory:
        session.execute(delete(Trustee).where(col(Trustee.election_uuid) == election_uuid))
        election.config = {**election.config, "threshold": 0}
    if election.config.get("electorate") != draft.electorate:
        session.execute(delete(Electorate).where(col(Electorate.election_uuid) == election_uuid))
    _fill(election, draft, now)
    session.add(election)
    approvals.drop(session, Need.LOCK, election_uuid, now)
    append(session, election.meeting_id, Act.ELECTION_CHANGED, actor, now, election=election_uuid, details={"name": election.name})
    return election


def copy_election(
    session: Session,
    election_uuid: str,
    actor: Actor,
    now: datetime,
    *,
    opens_at: datetime,
    closes_at: datetime,
    practice: bool = False,
    into: str = "",
) -> Election:
    """A new draft that asks the same under the same rules, in the same meeting or another; its key-holders are still to be named.

    Raises: as `make_election`.
    """
    source = election_of(session, election_uuid)
    draft = replace(draft_of(source), opens_at=opens_at, closes_at=closes_at, practice=practice)
    draft = replace(draft, minimum_ballots=1 if practice else max(draft.minimum_ballots, MINIMUM_BALLOTS))
    made = make_election(session, into or source.meeting_id, draft, actor, now)
    made.copy_of = source.uuid
    session.add(made)
    return made


def draft_of(election: Election) -> ElectionDraft:
    """What `make_election` or `change_election` was given."""
    config = election.config
    return ElectionDraft(
        name=election.name,
        questions=tuple(QUESTION.decode(value) for value in config["questions"]),
        opens_at=election.opens_at,
        closes_at=election.closes_at,
        description=config["description"],
        rules=tuple(config["rules"]),
        electorate=config["electorate"],
        replace=election.replace,
        practice=election.practice,
        minimum_ballots=config["minimum_ballots"],
        advisory=bool(config.get("advisory")),
        counts_at=datetime.fromisoformat(config["counts_at"]) if config.get("counts_at") else None,
    )


def _fill(election: Election, draft: ElectionDraft, now: datetime) -> None:
    if draft.opens_at.tzinfo is None or draft.closes_at.tzinfo is None:
        raise RuntimeError("an election's times need their zone")
    if not draft.opens_at < draft.closes_at:
        raise PreconditionError(phrase("Voting must close after it opens."))
    if draft.closes_at <= now:
        raise PreconditionError(phrase("The close is in the past."))
    check_questions(draft.questions, draft.rules)
    if not 1 <= draft.minimum_ballots <= 1000 or (draft.minimum_ballots < MINIMUM_BALLOTS and not draft.practice):
        raise PreconditionError(
            phrase("Fewer than {least} ballots are never opened, because each voter could be found out.", least=MINIMUM_BALLOTS)
        )
    election.name = _line(draft.name, phrase("The election's name"))
    election.practice, election.replace = draft.practice, draft.replace
    election.opens_at, election.closes_at = draft.opens_at.astimezone(UTC), draft.closes_at.astimezone(UTC)
    description = _text(draft.description, phrase("The description"))
    rules = [dict(rule) for rule in draft.rules]
    _declared(description, draft, "")  # can it be said?
    election.config = {
        "description": description,
        "questions": [QUESTION.encode(question) for question in draft.questions],
        "rules": rules,
        "electorate": draft.electorate,
        "minimum_ballots": draft.minimum_ballots,
        "threshold": election.config.get("threshold", 0),
        "advisory": draft.advisory,
        "counts_at": iso(draft.counts_at) if draft.counts_at else "",
        "free": _still_free(election, draft),
    }


def _still_free(election: Election, draft: ElectionDraft) -> list[int] | None:
    """Which key-holders have said that they are free for the count, by number; None once it is at another time."""
    if draft.counts_at is None or election.config.get("counts_at") != iso(draft.counts_at):
        return None
    found: list[int] | None = election.config.get("free")
    return found


def check_questions(questions: Sequence[Question], rules: Sequence[Mapping[str, Any]] = ()) -> None:
    """Check that people and protocol can work with these questions.

    Raises: MalformedError with a sentence that names the question.
    """
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        raise MalformedError(phrase("An election has from 1 to {most} questions.", most=MAX_QUESTIONS))
    if rules and len(rules) != len(questions):
        raise MalformedError(phrase("Each question needs its counting rule."))
    for number, question in enumerate(questions, start=1):
        where = phrase("Question {number}", number=number)
        _text(question.question, where)
        if not question.question.strip():
            raise MalformedError(phrase("{where} has no text.", where=where))
        answers = [_line(answer, phrase("{where}: a choice", where=where)) for answer in question.answers]
        if list(question.answers) != answers:
            raise MalformedError(phrase("{where}: a choice begins or ends with a blank.", where=where))
        if len({unicodedata.normalize("NFKC", answer).casefold() for answer in answers}) != len(answers):
            raise MalformedError(phrase("{where} has the same choice twice.", where=where))
        if isinstance(question, QuestionH):
            if not 1 <= len(answers) <= MAX_ANSWERS or not 0 <= question.min <= question.max <= len(answers) or question.max < 1:
                raise MalformedError(phrase("{where}: its choices, and how many may be chosen, do not fit together.", where=where))
        elif not 1 <= len(answers) <= MAX_CHOICES_RANKED:
            ranked = N_("{where} is ranked, and can have at most {most} choices, because a ranking must fit into one sealed number.")
            raise MalformedError(phrase(ranked, where=where, most=MAX_CHOICES_RANKED))
        QUESTION.decode(QUESTION.encode(question))
        if rules:
            try:
                check_rule(question, rules[number - 1])
            except BallotError as error:
                raise MalformedError(phrase("{where}: {error}", where=where, error=str(error))) from error


def _line(text: str, what: str) -> str:
    plain = unicodedata.normalize("NFC", text.strip())
    if not plain or len(plain) > 500 or any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in plain):
        raise MalformedError(phrase("{what} must be one line of at most 500 characters.", what=what))
    return plain


def _text(text: str, what: str) -> str:
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    if len(plain) > MAX_TEXT or any(unicodedata.category(c) in {"Cc", "Cs"} and c != "\n" for c in plain):
        raise MalformedError(phrase("{what} is too long, or has characters that cannot be shown.", what=what))
    return plain


# --- reading ----------------------------------------------------------------------------------------------------


def election_of(session: Session, election_uuid: str) -> Election:
    """The election. Raises: NotFoundError."""
    election = session.get(Election, election_uuid)
    if election is None:
        raise NotFoundError(phrase("There is no such election."))
    return election


def elections_of(session: Session, meeting_id: str) -> list[Election]:
    """A meeting's elections, drafts included, by creation."""
    return list(
        session.exec(select(Election).where(Election.meeting_id == meeting_id).order_by(col(Election.created_at), col(Election.uuid))).all()
    )


def meetings(session: Session) -> list[Meeting]:
    """All meetings, newest first."""
    return list(session.exec(select(Meeting).order_by(col(Meeting.created_at).desc(), col(Meeting.id))).all())


def obstacles(session: Session, election_uuid: str, now: datetime) -> list[str]:
    """What stands between a draft and its lock, in sentences; empty when it can be locked."""
    election = election_of(session, election_uuid)
    found: list[str] = []
    roll_row = session.get(Roll, election.meeting_id)
    if roll_row is None or roll_row.frozen_at is None:
        found.append(phrase("The list of members has to be frozen first."))
    elif not registrar.electorate_size(session, election):
        found.append(phrase("Nobody on the roll can vote in this election."))
    elif session.get_one(Meeting, election.meeting_id).split_trust:
        entries = registrar.electorate(session, election)
        known = set(session.exec(select(Electorate.handle).where(Electorate.election_uuid == election_uuid)).all())
        if known != {entry.handle for entry in entries}:
            found.append(phrase("The file of public halves from the membership secretary is not here yet."))
    if waiting := trustees.unready(session, election):
        found.append(waiting)
    if election.closes_at <= now:
        found.append(phrase("The close is in the past."))
    return found


def warnings(session: Session, election_uuid: str) -> list[str]:
    """What an officer should think about before the lock, in sentences; nothing here stops it."""
    election = election_of(session, election_uuid)
    voters = registrar.electorate_size(session, election)
    found: list[str] = []
    for number, question in enumerate(draft_of(election).questions, start=1):
        if isinstance(question, QuestionH):
            continue
        ways = sum(perm(len(question.answers), k) for k in range(len(question.answers) + 1))
        if ways > voters:  # threats 2, "ranking as signature"
            words = phrase(
                "Question {number}: {choices} choices can be ranked in {ways:,} ways, and {voters:,} members can vote. "
                "Rankings are published, so whoever bullies or pays a member could ask for an unusual order and look for it.",
                number=number,
                choices=len(question.answers),
                ways=ways,
                voters=voters,
            )
            found.append(words)
    if 0 < voters < election.config["minimum_ballots"]:
        found.append(
            phrase(
                "Only {voters} members can vote, and fewer than {least} ballots will not be opened.",
                voters=voters,
                least=election.config["minimum_ballots"],
            )
        )
    return found


def in_state(session: Session, election_uuid: str, *states: ElectionState) -> Election:
    """The election, locked against other moves and in one of these states. Raises: NotFoundError, PreconditionError."""
    election = session.get(Election, election_uuid, with_for_update=True, populate_existing=True)
    if election is None:
        raise NotFoundError(phrase("There is no such election."))
    if election.state not in states:
        allowed = listing([Text(state) for state in states], OR)
        only = phrase("The election is {state}; this can only be done while it is {allowed}.", state=election.state, allowed=allowed)
        raise PreconditionError(only)
    return election


def kept_until(election: Election, now: datetime) -> datetime:
    """When the link between members and credentials of an election that ends now is deleted: at midnight in the UK, a month later."""
    day = (now + (KEPT_FOR_PRACTICE if election.practice else KEPT_FOR)).astimezone(LONDON).date() + timedelta(days=1)
    return datetime.combine(day, datetime.min.time(), LONDON).astimezone(UTC)


def _head_first(session: Session, election_uuid: str) -> BoardHead | None:
    """Every move takes the board's lock before the election's, as a cast does, so that no two wait for each other; None for a draft."""
    return session.get(BoardHead, election_uuid, with_for_update=True, populate_existing=True)


# --- lock, open, close, void ------------------------------------------------------------------------------------


def lock(
    database: Database,
    keys: Keys,
    election_uuid: str,
    actor: Actor,
    now: datetime,
    *,
    approval: str | None = None,
    progress: Progress = no_progress,
) -> Election:
    """The Setup event is on the board: from now on questions, rules, key-holders and public credentials stand.

    Raises:
        NotAllowedError, NotFoundError.
        PreconditionError: not a draft, or the first of `obstacles`.
        ApprovalNeededError: a second person has to agree (`Need.LOCK`, the election's uuid).
    """
    require(actor, Move.LOCK)
    with database.read() as session:
        election = election_of(session, election_uuid)
        if election.state is not ElectionState.DRAFT:
            raise PreconditionError(phrase("The election is {state} already.", state=election.state))
        if found := obstacles(session, election_uuid, now):
            raise PreconditionError(found[0])
        entries = registrar.electorate(session, election)
        split_trust = session.get_one(Meeting, election.meeting_id).split_trust
    # A frozen roll's handles do not change, so the many exponentiations are done before the lock is taken.
    credentials: dict[str, str] = {}
    for at in range(0, 0 if split_trust else len(entries), _AT_ONCE):
        credentials |= registrar.derived_credentials(keys, election_uuid, entries[at : at + _AT_ONCE])
        progress(phrase("Working out the members’ public codes"), len(credentials), len(entries))
    with database.write() as session:
        election = in_state(session, election_uuid, ElectionState.DRAFT)
        if found := obstacles(session, election_uuid, now):
            raise PreconditionError(found[0])
        second = approvals.use(session, election.meeting_id, Need.LOCK, election_uuid, actor, approval, now, practice=election.practice)
        if not split_trust:
            registrar.store_credentials(session, election_uuid, credentials)
        if election.practice and not trustees.trustees_of(session, election_uuid):
            key_holders = _practice_trustees(keys, election)
        else:
            key_holders = trustees.trustees_message(session, election_uuid)
        roll_row = registrar.frozen_roll(session, election.meeting_id)
        message = _election_message(election, key_holders, roll_row.commitment)
        public = registrar.public_credentials(session, election_uuid)
        objects = [message.to_bytes(), key_holders.to_bytes(), public.to_bytes()]
        objects.append(SetupData(*map(sha256_hex, objects)).to_bytes())
        event = board.begin_chain(session, election_uuid, objects, now)
        election.state, election.fingerprint = ElectionState.LOCKED, message.fingerprint
        session.add(election)
        details = {
            "fingerprint": message.fingerprint,
            "credentials": len(public.entries),
            "roll": roll_row.commitment,
            "head": event.hash,
            "opens": iso(election.opens_at),
            "closes": iso(election.closes_at),
        }
        append(session, election.meeting_id, Act.LOCKED, actor, now, second=second, election=election_uuid, details=details)
        return election


def _practice_trustees(keys: Keys, election: Election) -> Trustees:
    """A practice election's single key, kept by the service: it protects nothing, and the election says so."""
    rng = SystemRng()
    secret = rng.scalar()
    keys.practice.put(election.uuid, str(secret))
    return Trustees((make_public_key(secret, rng),))


def _election_message(election: Election, key_holders: Trustees, commitment: str) -> messages.Election:
    draft = draft_of(election)
    message = messages.Election(
        version=1,
        description=_declared(draft.description, draft, commitment),
        name=election.name,
        group=GROUP_NAME,
        public_key=check_trustees(key_holders).public_key,
        questions=tuple(draft.questions),
        uuid=election.uuid,
    )
    return messages.Election.parse(message.to_bytes())


def _declared(description: str, draft: ElectionDraft, commitment: str) -> str:
    """The description with what the election declares about itself, all of it hashed into its fingerprint."""
    declarations = Declarations(
        companion=True,
        minimum_ballots=draft.minimum_ballots,
        practice=draft.practice,
        replace=draft.replace,
        roll=commitment,
        rules=tuple(dict(rule) for rule in draft.rules),
        advisory=draft.advisory or None,
    )
    return join_description(description, declarations)


def open_voting(
    session: Session, election_uuid: str, actor: Actor, now: datetime, *, reason: str = "", approval: str | None = None
) -> Election:
    """Ballots are accepted from now on, or from the announced hour if that is still to come.

    It waits for a practice of the same questions to be finished, or for the public reason why there is none, and for a second
    person (`Need.OPEN`). A practice election waits for neither.

    Raises:
        NotAllowedError, NotFoundError, ApprovalNeededError.
        PreconditionError: not locked, the close has passed, or neither a practice nor a reason.
    """
    require(actor, Move.OPEN)
    head = _head_first(session, election_uuid)
    election = in_state(session, election_uuid, ElectionState.LOCKED)
    if election.closes_at <= now:
        raise PreconditionError(phrase("The close has passed already."))
    practised = election.practice or rehearsal(session, election) is Rehearsal.FINISHED
    if not practised and not reason.strip():
        raise PreconditionError(
            phrase("No practice of this ballot is finished. Finish one, or write why you open without; members will read it.")
        )
    agreement = (Need.OPEN, election_uuid, actor, approval, now)
    wording = "" if practised else reason.strip()
    second = approvals.use(session, election.meeting_id, *agreement, practice=election.practice, wording=wording)
    election.state = ElectionState.OPEN
    session.add(election)
    if not practised:
        details = {"reason": reason.strip()}
        append(session, election.meeting_id, Act.PRACTICE_SKIPPED, actor, now, second=second, election=election_uuid, details=details)
    details = {"head": head.hash if head else ""}
    append(session, election.meeting_id, Act.OPENED, actor, now, second=second, election=election_uuid, details=details)
    return election


class Rehearsal(StrEnum):
    """How the practice of an election stands. "changed" means that its questions or rules are others than those practised."""

    NONE = "none"
    UNDER_WAY = "under way"
    CHANGED = "changed"
    FINISHED = "finished"


def rehearsal(session: Session, election: Election) -> Rehearsal:
    """How the practice of this election stands; finished means that the result of a copy with the same questions was published."""
    copies = session.exec(select(Election).where(Election.copy_of == election.uuid, col(Election.practice).is_(True))).all()
    published = [copy for copy in copies if copy.state is ElectionState.PUBLISHED]
    if any(_practised(copy, election) for copy in published):
        return Rehearsal.FINISHED
    if any(copy.state not in {ElectionState.PUBLISHED, ElectionState.VOID} for copy in copies):
        return Rehearsal.UNDER_WAY
    return Rehearsal.CHANGED if published else Rehearsal.NONE


def _practised(copy: Election, election: Election) -> bool:
    """Whether both ask the same, under the same rules."""
    return copy.replace == election.replace and all(copy.config[part] == election.config[part] for part in ("questions", "rules"))


def close(
    database: Database, election_uuid: str, actor: Actor, now: datetime, *, reason: str = "", approval: str | None = None
) -> Election:
    """No more ballots: every stored ballot was compared with the chain, and the EndBallots event is on the board.

    Before the announced hour it takes a reason, which is public, and a second person (`Need.CLOSE_EARLY`).

    Raises:
        NotAllowedError, NotFoundError, ApprovalNeededError.
        PreconditionError: not open (another officer may have been first), or too early without a reason.
        BoardDamagedError: a stored row is not what the chain says; nothing is closed, and the journal says which.
    """
    require(actor, Move.CLOSE)
    try:
        checked = board.check_storage(database, election_uuid)  # while ballots still come in: the long part needs no lock
        with database.write() as session:
            board.lock_head(session, election_uuid)
            election = in_state(session, election_uuid, ElectionState.OPEN)
            second = None
            if now < election.closes_at:
                if not reason.strip() or actor == CLOCK:
                    raise PreconditionError(phrase("To close before the announced hour, write down the reason; members will read it."))
                agreement = (Need.CLOSE_EARLY, election_uuid, actor, approval, now)
                second = approvals.use(session, election.meeting_id, *agreement, practice=election.practice, wording=reason.strip())
            board.check_tail(session, election_uuid, checked + 1)
            event = board.append(session, election_uuid, "EndBallots")
            election.state, election.closed_at = ElectionState.CLOSED, now
            session.add(election)
            details = {"head": event.hash, "ballots": event.height - 1, **({"reason": reason.strip()} if now < election.closes_at else {})}
            append(session, election.meeting_id, Act.CLOSED, actor, now, second=second, election=election_uuid, details=details)
            return election
    except BoardDamagedError as error:
        report_damage(database, election_uuid, error, actor, now)
        raise


def close_due(database: Database, now: datetime) -> list[str]:
    """Close every open election whose hour has come; the uuids of those closed. One that is damaged stays open and is in the journal."""
    with database.read() as session:
        due = session.exec(select(Election.uuid).where(Election.state == ElectionState.OPEN, Election.closes_at <= now)).all()
    closed = []
    for election_uuid in due:
        try:
            close(database, election_uuid, CLOCK, now)
        except BallotError:  # another worker was first, or the board is damaged, which `close` has put into the journal
            continue
        closed.append(election_uuid)
    return closed


def report_damage(database: Database, election_uuid: str, error: BoardDamagedError, actor: Actor, now: datetime) -> None:
    """What was found is in the journal, once however often it is looked at."""
    with database.write() as session:
        election = election_of(session, election_uuid)
        details = {"height": error.height, "object": error.object_hash}
        known = journal.entries(session, election.meeting_id)
        if any((entry.act, entry.election, entry.details) == (str(Act.DAMAGE_FOUND), election_uuid, details) for entry in known):
            return
        append(session, election.meeting_id, Act.DAMAGE_FOUND, actor, now, election=election_uuid, details=details)


def later_wording(closes_at: datetime, reason: str) -> str:
    """What the two people agree to when voting closes later."""
    return f"{' '.join(reason.split())}\n{iso(closes_at)}"


def postpone_close(
    session: Session, election_uuid: str, closes_at: datetime, reason: str, actor: Actor, now: datetime, *, approval: str | None = None
) -> Election:
    """Voting closes later than announced, with a public reason and a second person (`Need.POSTPONE`).

    Raises: NotAllowedError, NotFoundError, ApprovalNeededError, PreconditionError: closed already, no reason, or not later.
    """
    require(actor, Move.CLOSE)
    _head_first(session, election_uuid)
    election = in_state(session, election_uuid, ElectionState.LOCKED, ElectionState.OPEN)
    if not reason.strip() or closes_at <= election.closes_at or election.closes_at <= now:
        raise PreconditionError(phrase("To close later, do it before the announced hour, choose a later one, and write down the reason."))
    agreement = (Need.POSTPONE, election_uuid, actor, approval, now)
    wording = later_wording(closes_at, reason)
    second = approvals.use(session, election.meeting_id, *agreement, practice=election.practice, wording=wording)
    details = {"from": iso(election.closes_at), "to": iso(closes_at), "reason": reason.strip()}
    election.closes_at = closes_at.astimezone(UTC)
    session.add(election)
    append(session, election.meeting_id, Act.POSTPONED, actor, now, second=second, election=election_uuid, details=details)
    return election


def void(session: Session, election_uuid: str, reason: str, actor: Actor, now: datetime, *, approval: str | None = None) -> Election:
    """The election counts for nothing, and says why. At any time before publication.

    Raises: NotAllowedError, NotFoundError, PreconditionError: published already, or no reason; ApprovalNeededError (`Need.VOID`).
    """
    require(actor, Move.VOID)
    before = (s for s in ElectionState if s not in {ElectionState.PUBLISHED, ElectionState.VOID})
    _head_first(session, election_uuid)
    election = in_state(session, election_uuid, *before)
    if not reason.strip():
        raise PreconditionError(phrase("Please write down why the election is void; members will read it."))
    second = None
    if election.state is not ElectionState.DRAFT:
        agreement = (Need.VOID, election_uuid, actor, approval, now)
        second = approvals.use(session, election.meeting_id, *agreement, practice=election.practice, wording=reason.strip())
    election.state, election.void_reason, election.tidy_at = ElectionState.VOID, reason.strip(), kept_until(election, now)
    session.add(election)
    append(session, election.meeting_id, Act.VOIDED, actor, now, second=second, election=election_uuid, details={"reason": reason.strip()})
    return election
