"""Long work: lock, begin the count, open a practice box, publish; check what key-holders send.

What was asked stands in a table, so that nothing is lost: whoever is killed at it, at any moment, the next one goes on. Each
piece of work is a function of `lifecycle` or `tally` that appends all it does in one transaction, or else finds what it did
before; so doing it again after a kill changes nothing twice. Small work is done by the request that asks for it, large work by
`ballot work`, a process of its own that `ballot serve` starts when something waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from sqlalchemy import delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from ballot.config import Config
from ballot.errors import BallotError, PreconditionError, RefusedError, UnavailableError
from ballot.language import phrase
from ballot.models import Cast, Election, ElectionState, Job, Submission
from ballot.services import invitations, lifecycle, registrar, tally, trustees
from ballot.services.clock import Clock
from ballot.services.database import Database
from ballot.services.identifiers import new_id
from ballot.services.journal import Actor
from ballot.services.keys import Keys
from ballot.services.mail import Mailer

AT_ONCE: Final = 200  # ballots, or for a lock ten times as many members: a second or so of work, which the request does itself
SILENT: Final = timedelta(minutes=1)  # after which a request that took on some work is held to be dead
PATIENCE: Final = 50.0  # seconds that a key-holder's request waits for the worker's word; proxies wait for a minute
_LOOK: Final = 0.5  # seconds between two looks at it
_BEAT: Final = 1.0  # seconds between two signs of life
MOST_RUNS: Final = 10  # times that one piece of work is taken on, before it is held to be what kills its worker
_WORKER: Final = "worker"
_TASK: Final = phrase("Voting has closed. Please choose your key file and help to open the ballot box; the page tells you each step.")

log = logging.getLogger(__name__)


class Kind(StrEnum):
    """What can be asked for."""

    LOCK = "lock"
    TALLY = "tally"
    PRACTICE = "practice"
    PUBLISH = "publish"
    SHUFFLE = "shuffle"  # a key-holder's, to be checked
    SHARE = "share"  # as well


class State(StrEnum):
    """How a piece of work stands."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


_FROM: Final = {
    Kind.LOCK: ElectionState.DRAFT,
    Kind.TALLY: ElectionState.CLOSED,
    Kind.PRACTICE: ElectionState.TALLYING,
    Kind.PUBLISH: ElectionState.TALLYING,
    Kind.SHUFFLE: ElectionState.TALLYING,
    Kind.SHARE: ElectionState.TALLYING,
}


@dataclass(frozen=True)
class Tools:
    """What the work needs."""

    config: Config
    database: Database
    keys: Keys
    mailer: Mailer
    clock: Clock


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(session: Session, election_uuid: str, kind: Kind, actor: Actor, approval: str | None, tools: Tools) -> Job:
    """The work waits to be done once the caller commits; what is not too much is marked as taken on by the caller.

    Raises: NotFoundError; PreconditionError: not now, or something else is being done with this election.
    """
    lifecycle.in_state(session, election_uuid, _FROM[kind])
    now = tools.clock.now()
    small = _size(session, election_uuid, kind) <= AT_ONCE
    job = Job(
        id=new_id(),
        election_uuid=election_uuid,
        kind=kind,
        active=election_uuid,
        actor=actor.id,
        role=actor.role,
        approval=approval,
        state=State.WORKING if small else State.WAITING,
        runner="request" if small else "",
        runs=1 if small else 0,
        asked_at=now,
        beat_at=now if small else None,
    )
    try:
        with session.begin_nested():
            session.add(job)
    except IntegrityError as error:
        raise PreconditionError(phrase("This site is at work on this ballot already. Look at its page in a moment.")) from error
    return job


def submit(election_uuid: str, kind: Kind, owner: int, data: bytes, companion: bytes, tools: Tools) -> bool:
    """A key-holder's shuffle or share was checked and is on the board (True), or is kept and still being checked.

    The very same bytes again are the same message, which is also how to ask again.

    Raises: as `tally.accept_shuffle` and `tally.accept_decryption`; RefusedError with their sentence where the worker checked.
    """
    with tools.database.read() as session:
        lifecycle.election_of(session, election_uuid)
        small = _size(session, election_uuid, kind) <= AT_ONCE
    if small:
        _check(election_uuid, kind, owner, data, companion, tools, None)
        return True
    job = _keep(election_uuid, kind, owner, data, companion, tools)
    deadline = time.monotonic() + PATIENCE
    while job.active is not None and time.monotonic() < deadline:
        time.sleep(_LOOK)
        with tools.database.read() as session:
            job = session.get_one(Job, job.id)
    if job.error:
        raise RefusedError(job.error)
    return job.active is None


def _keep(election_uuid: str, kind: Kind, owner: int, data: bytes, companion: bytes, tools: Tools) -> Job:
    """The job that checks this message: a new one, or the one that these very bytes began."""
    tally.check_size(data, companion)
    now, active, digest = tools.clock.now(), f"{election_uuid}/{kind}/{owner}", sha256(data + b"\n" + companion).hexdigest()
    with tools.database.write() as session:
        lifecycle.in_state(session, election_uuid, _FROM[kind])
        known = session.exec(select(Job).where(Job.active == active)).first()
        if known is not None and session.get_one(Submission, known.id).digest != digest:
            raise PreconditionError(phrase("Another message of this key-holder is being checked. Wait for it."))
        if known is not None:
            return known
        actor = Actor(f"trustee {owner}", "key-holder")
        job = Job(
            id=new_id(),
            election_uuid=election_uuid,
            kind=kind,
            active=active,
            actor=actor.id,
            role=actor.role,
            state=State.WAITING,
            asked_at=now,
        )
        session.add(job)
        session.flush()
        session.add(Submission(job_id=job.id, owner=owner, digest=digest, data=data, companion=companion))
        return job


def _check(election_uuid: str, kind: Kind, owner: int, data: bytes, companion: bytes, tools: Tools, executor: Executor | None) -> None:
    if kind is Kind.SHUFFLE:
        tally.accept_shuffle(tools.database, election_uuid, owner, data, tools.clock.now(), executor=executor)
    else:
        tally.accept_decryption(tools.database, election_uuid, owner, data, companion, tools.clock.now(), executor=executor)


def _size(session: Session, election_uuid: str, kind: Kind) -> int:
    if kind is Kind.LOCK:
        return registrar.electorate_size(session, lifecycle.election_of(session, election_uuid)) // 10
    return session.exec(select(func.count()).select_from(Cast).where(Cast.election_uuid == election_uuid)).one()


def do(election_uuid: str, kind: Kind, actor: Actor, approval: str | None, tools: Tools) -> bool:
    """The work is done (True), or was too much for a request and waits for the worker.

    Raises: as `ask`, and what the work itself raises where it was done here.
    """
    with tools.database.write() as session:
        job = ask(session, election_uuid, kind, actor, approval, tools)
    if job.state == State.WAITING:
        return False
    _run(job, tools, None)
    return True


def newest(session: Session, election_uuid: str) -> Job | None:
    """The work asked for last, which may still go on."""
    return session.exec(
        select(Job).where(Job.election_uuid == election_uuid).order_by(col(Job.asked_at).desc(), col(Job.id)).limit(1)
    ).first()


def is_news(job: Job, election: Election) -> bool:
    """Whether it goes on, or failed and the election still stands where it stood."""
    return job.active is not None or (job.state == State.FAILED and election.state is _FROM[Kind(job.kind)])


# --- working ----------------------------------------------------------------------------------------------------------


def waiting(database: Database, clock: Clock) -> bool:
    """Whether there is anything for the worker."""
    with database.read() as session:
        return session.exec(_open_to_worker(clock).limit(1)).first() is not None


def _open_to_worker(clock: Clock) -> SelectOfScalar[Job]:
    """What nobody is at: never begun, left by an earlier worker (there is one at a time), or by a request that fell silent."""
    left = or_(col(Job.runner) == _WORKER, col(Job.beat_at) < clock.now() - SILENT)
    return (
        select(Job).where(col(Job.active).is_not(None), or_(col(Job.state) == State.WAITING, left)).order_by(col(Job.asked_at), col(Job.id))
    )


def work(tools: Tools, executor: Executor | None = None) -> int:
    """Everything that waits is done, one piece after the other; how many. Only the holder of the duty may call this (`cli_work`).

    A piece that fails says why, and the others go on. Raises: UnavailableError: the database is down; what was begun stays.
    """
    number = 0
    while (job := _take(tools)) is not None:
        try:
            _run(job, tools, executor)
        except UnavailableError:
            raise
        except BallotError as error:
            log.warning("%s of %s: %s", job.kind, job.election_uuid, type(error).__name__)  # its sentence is on the officer's page
        number += 1
    return number


def _take(tools: Tools) -> Job | None:
    with tools.database.write() as session:
        while (job := session.exec(_open_to_worker(tools.clock).limit(1).with_for_update()).first()) is not None:
            if job.runs < MOST_RUNS:
                break
            _ended(
                session,
                job,
                tools,
                phrase("It was begun {runs} times, and broken off each time. Ask the host whether memory ran out.", runs=job.runs),
            )
            session.flush()
        if job is not None:
            job.state, job.runner, job.beat_at, job.runs = State.WORKING, _WORKER, tools.clock.now(), job.runs + 1
            session.add(job)
        return job


def _run(job: Job, tools: Tools, executor: Executor | None) -> None:
    try:
        _DO[Kind(job.kind)](job, tools, executor, _Beat(job, tools))
    except UnavailableError:
        if job.runner == _WORKER:
            raise  # left as it is: the next worker goes on with it
        _end(job, tools, phrase("The database did not answer. Please try again in a moment."))
        raise
    except BallotError as error:
        _end(job, tools, str(error))
        raise
    except Exception as error:
        _end(job, tools, phrase("A fault of the program stopped it ({name}). The site's log says more.", name=type(error).__name__))
        raise


class _Beat:
    """How far the work is, written down now and then, outside its own transactions."""

    def __init__(self, job: Job, tools: Tools) -> None:
        self._job, self._tools, self._last = job, tools, 0.0

    def __call__(self, words: str, done: int, total: int) -> None:
        if self._job.runner != _WORKER or time.monotonic() - self._last < _BEAT:
            return
        self._last = time.monotonic()
        told = {"words": words, "done": done, "total": total, "beat_at": self._tools.clock.now()}
        with self._tools.database.write_connection() as connection:
            connection.execute(update(Job).where(col(Job.id) == self._job.id).values(**told))


def _end(job: Job, tools: Tools, error: str = "") -> None:
    with tools.database.write() as session:
        _ended(session, job, tools, error)


def _ended(session: Session, job: Job, tools: Tools, error: str = "") -> None:
    row = session.get_one(Job, job.id)
    session.execute(delete(Submission).where(col(Submission.job_id) == job.id))
    row.active, row.state, row.error, row.ended_at = None, State.FAILED if error else State.DONE, error, tools.clock.now()
    session.add(row)


# --- each kind ----------------------------------------------------------------------------------------------------------


def _actor(job: Job) -> Actor:
    return Actor(job.actor, job.role)


def _state(job: Job, tools: Tools) -> ElectionState:
    with tools.database.read() as session:
        return lifecycle.election_of(session, job.election_uuid).state


def _lock(job: Job, tools: Tools, _executor: Executor | None, beat: _Beat) -> None:
    if job.runs == 1 or _state(job, tools) is not ElectionState.LOCKED:  # else it was done, and nobody was there to say so
        actor, now = _actor(job), tools.clock.now()
        lifecycle.lock(tools.database, tools.keys, job.election_uuid, actor, now, approval=job.approval, progress=beat)
    _end(job, tools)


def _tally(job: Job, tools: Tools, executor: Executor | None, beat: _Beat) -> None:
    """The key-holders are told in the transaction that ends the work, so each is told once."""
    if job.runs == 1 or _state(job, tools) is not ElectionState.TALLYING:
        tally.begin(tools.database, job.election_uuid, _actor(job), tools.clock.now(), executor=executor, progress=beat)
    with tools.database.write() as session:
        for trustee in trustees.trustees_of(session, job.election_uuid):
            invitations.send_trustee_link(session, tools.config, tools.keys, tools.mailer, trustee, _TASK, tools.clock.now())
        _ended(session, job, tools)


def _practice(job: Job, tools: Tools, executor: Executor | None, _beat: _Beat) -> None:
    tally.open_practice(tools.database, tools.keys, job.election_uuid, tools.clock.now(), executor=executor)
    _end(job, tools)


def _publish(job: Job, tools: Tools, executor: Executor | None, beat: _Beat) -> None:
    if job.runs == 1 or _state(job, tools) is not ElectionState.PUBLISHED:
        actor, now = _actor(job), tools.clock.now()
        tally.publish(tools.database, job.election_uuid, actor, now, approval=job.approval, executor=executor, progress=beat)
    _end(job, tools)


def _message(job: Job, tools: Tools, executor: Executor | None, _beat: _Beat) -> None:
    with tools.database.read() as session:
        sent = session.get_one(Submission, job.id)
    _check(job.election_uuid, Kind(job.kind), sent.owner, sent.data, sent.companion, tools, executor)
    _end(job, tools)


_DO: Final[dict[Kind, Callable[[Job, Tools, Executor | None, _Beat], None]]] = {
    Kind.LOCK: _lock,
    Kind.TALLY: _tally,
    Kind.PRACTICE: _practice,
    Kind.PUBLISH: _publish,
    Kind.SHUFFLE: _message,
    Kind.SHARE: _message,
}
