"""From the closed box to the published result: encrypted tally, shuffles, partial decryptions, result.

The service computes the encrypted tally from its stored ballots, checking every one again, and then only receives: each shuffle and
each share is checked on arrival against what is on the board, and is refused with the reason if it is wrong, late or there
already. It never holds a key, but for a practice election's. Heavy work runs outside the lock; what is appended is what
still fits the head of the chain afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from ballot import recount
from ballot.errors import (
    BallotError,
    BoardDamagedError,
    InvalidCompanionError,
    MalformedError,
    NotFoundError,
    PreconditionError,
    VerificationError,
)
from ballot.language import phrase
from ballot.models import BoardEvent, Cast, Companion, Election, ElectionState
from ballot.protocol import messages
from ballot.protocol.ballots import check_ballot
from ballot.protocol.companion import check_companion, gen_companion
from ballot.protocol.decryption import check_partial_decryption, combine_factors, gen_partial_decryption
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import (
    Ballot,
    DeferredShuffle,
    DeferredTally,
    EncryptedTally,
    Owned,
    PartialDecryption,
    PublicCredentials,
    Question,
    QuestionNH,
    Result,
    Shuffle,
    SizedEncryptedTally,
)
from ballot.protocol.parallel import map_chunks
from ballot.protocol.result import open_tally
from ballot.protocol.shuffle import check_shuffle, shuffle_tally
from ballot.protocol.tally import TallyBuilder, merge_nh_ciphertexts, ranked_questions
from ballot.services import approvals, board
from ballot.services.approvals import Need
from ballot.services.board import Setup, load_setup
from ballot.services.clock import iso
from ballot.services.database import Database
from ballot.services.journal import Act, Actor, append
from ballot.services.keys import Keys
from ballot.services.lifecycle import Progress, draft_of, election_of, in_state, kept_until, no_progress, report_damage
from ballot.services.rights import Move, require
from ballot.verifier.report import Outcome, Report
from ballot.verifier.rules import Step
from ballot.verifier.verify import verify_archive

MAX_SUBMISSION_BYTES: Final = 256 * 1024 * 1024
_BATCH: Final = 512  # ballots held at once while the tally is computed


# --- the encrypted tally ----------------------------------------------------------------------------------------


def begin(
    database: Database,
    election_uuid: str,
    actor: Actor,
    now: datetime,
    *,
    executor: Executor | None = None,
    progress: Progress = no_progress,
) -> SizedEncryptedTally:
    """The encrypted tally is on the board, computed from ballots each of which was verified again.

    Raises:
        NotAllowedError, NotFoundError.
        PreconditionError: not closed, begun already, or fewer ballots than the election promised to open.
        BoardDamagedError: a stored ballot is not what the chain says, or does not hold; `.height` says which.
    """
    require(actor, Move.TALLY)
    setup = load_setup(database, election_uuid)
    with database.read() as session:
        state, head = election_of(session, election_uuid).state, board.head_of(session, election_uuid)
    if state is not ElectionState.CLOSED:
        raise PreconditionError(phrase("The election is {state}; the tally begins once it is closed.", state=state))
    try:
        tally, sized = _encrypted_tally(database, setup, executor, progress)
    except BoardDamagedError as error:
        report_damage(database, election_uuid, error, actor, now)
        raise
    with database.write() as session:
        election = _at_head(session, election_uuid, head.height, ElectionState.CLOSED)
        event = board.append(session, election_uuid, "EncryptedTally", [tally.to_bytes(), sized.to_bytes()])
        election.state = ElectionState.TALLYING
        session.add(election)
        details = {"ballots": sized.num_tallied, "encrypted tally": sized.encrypted_tally, "head": event.hash}
        append(session, election.meeting_id, Act.TALLY_BEGUN, actor, now, election=election_uuid, details=details)
    return sized


def _encrypted_tally(
    database: Database, setup: Setup, executor: Executor | None, progress: Progress
) -> tuple[EncryptedTally, SizedEncryptedTally]:
    election, least = setup.election, setup.declarations.minimum_ballots if setup.declarations else 1
    with database.read() as session:
        known = frozenset(PublicCredentials.parse(board.object_bytes(session, election.uuid, setup.data.credentials)).points)
        casts = select(Cast.height, Cast.credential).where(Cast.election_uuid == election.uuid).order_by(col(Cast.height))
        rows = [(height, credential) for height, credential in session.exec(casts)]
    cast_by = dict(rows)
    last = {credential: height for height, credential in rows}
    if len(last) < len(rows) and not setup.replace:
        twice = next(height for height, credential in rows if last[credential] != height)
        raise BoardDamagedError(phrase("The credential of the ballot at height {height} voted twice.", height=twice), height=twice)
    if len(last) < least:
        raise PreconditionError(
            phrase(
                "Only {ballots} ballots were cast, and this election promised that fewer than {least} are never opened. Declare it void.",
                ballots=len(last),
                least=least,
            )
        )
    builder = TallyBuilder(election)
    for batch in _batches(board.stored_ballots(database, election.uuid)):
        heights, texts = [height for height, _ in batch], [text for _, text in batch]
        checked = map_chunks(executor, _check_chunk, [election] * len(batch), texts)
        for height, (ballot, complaint) in zip(heights, (item for chunk in checked for item in chunk), strict=True):
            if ballot is None or ballot.credential not in known or cast_by.get(height) != str(ballot.credential):
                why = complaint or phrase("its credential is not the recorded one")
                raise BoardDamagedError(
                    phrase("The ballot at height {height} does not hold: {why}.", height=height, why=why), height=height
                )
            if last[str(ballot.credential)] == height:
                builder.add(ballot)
        progress(phrase("Verifying every vote once more"), builder.num_tallied, len(last))
    if builder.num_tallied != len(last):
        raise BoardDamagedError(phrase("The board and the record of casts differ in their number of ballots."), height=0)
    return builder.finish()


def _batches(ballots: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    batch: list[tuple[int, bytes]] = []
    for item in ballots:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _check_chunk(elections: Sequence[messages.Election], texts: Sequence[bytes]) -> list[tuple[Ballot | None, str]]:
    outcomes: list[tuple[Ballot | None, str]] = []
    for election, text in zip(elections, texts, strict=True):
        try:
            ballot = Ballot.parse(text)
            check_ballot(election, ballot, None)
            outcomes.append((ballot, ""))
        except BallotError as error:
            outcomes.append((None, str(error)))
    return outcomes


# --- where the tally stands -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Steps:
    """What has arrived, for the pages: owner numbers, and what is missing in words. `number` and `code` are read out aloud."""

    begun: bool
    ballots: int
    code: str
    ranked: bool
    shuffled: tuple[int, ...]
    shuffles_ended: bool
    opened: tuple[int, ...]
    result: bool
    waiting_for: tuple[str, ...]


def steps(database: Database, election_uuid: str) -> Steps:
    """Where the tally stands. `code` is the first 8 characters of the encrypted tally's hash. Raises: NotFoundError."""
    setup = load_setup(database, election_uuid)
    ranked = any(True for _ in ranked_questions(setup.election))
    with database.read() as session:
        found = _events(session, election_uuid)
        shuffled = tuple(_owner(session, election_uuid, payload) for kind, payload in found if kind == "Shuffle")
        opened = tuple(_owner(session, election_uuid, payload) for kind, payload in found if kind == "PartialDecryption")
        begun = next((payload for kind, payload in found if kind == "EncryptedTally"), None)
        sized = SizedEncryptedTally.parse(board.object_bytes(session, election_uuid, begun)) if begun else None
    kinds = {kind for kind, _ in found}
    ended = "EndShuffles" in kinds
    missing: list[str] = []
    if sized is not None and "Result" not in kinds:
        missing = setup.keys.missing(shuffled if ranked and not ended else opened)
    return Steps(
        begun=sized is not None,
        ballots=sized.num_tallied if sized else 0,
        code=sized.encrypted_tally[:8] if sized else "",
        ranked=ranked,
        shuffled=shuffled,
        shuffles_ended=ended,
        opened=opened,
        result="Result" in kinds,
        waiting_for=tuple(missing),
    )


def _events(session: Session, election_uuid: str) -> list[tuple[str, str]]:
    rows = session.exec(
        select(BoardEvent.type, BoardEvent.payload)
        .where(BoardEvent.election_uuid == election_uuid, col(BoardEvent.type).not_in(["Setup", "Ballot"]))
        .order_by(col(BoardEvent.height))
    ).all()
    return [(kind, payload or "") for kind, payload in rows]


def _owner(session: Session, election_uuid: str, payload: str) -> int:
    return Owned.parse(board.object_bytes(session, election_uuid, payload)).owner


@dataclass(frozen=True)
class _Progress:
    """The tally as the board has it; `tally` has every accepted shuffle merged."""

    setup: Setup
    height: int
    sized: SizedEncryptedTally
    tally: EncryptedTally
    ranked: bool
    shuffles: dict[int, str]
    ended: bool
    partials: dict[int, bytes]
    partial_hashes: dict[int, str]
    result: Result | None


def _progress(database: Database, election_uuid: str) -> _Progress:
    """Read and compare with the chain everything from the EncryptedTally event on.

    Raises: PreconditionError: the tally has not begun; BoardDamagedError.
    """
    setup = load_setup(database, election_uuid)
    with database.read() as session:
        first = session.exec(
            select(BoardEvent.height).where(BoardEvent.election_uuid == election_uuid, BoardEvent.type == "EncryptedTally")
        ).first()
    if first is None:
        raise PreconditionError(phrase("The tally has not begun yet."))
    tally: EncryptedTally | None = None
    sized: SizedEncryptedTally | None = None
    shuffles: dict[int, str] = {}
    partials: dict[int, bytes] = {}
    hashes: dict[int, str] = {}
    ended, result, height, newest = False, None, first, b""
    for event, objects in board.checked_events(database, election_uuid, first):
        height = event.height
        if event.type == "EncryptedTally":
            # What is on the board was checked when it came, and compared with the chain just now.
            tally, sized = DeferredTally.parse(objects[0]), SizedEncryptedTally.parse(objects[-1])
        elif event.type == "Shuffle":
            owned = Owned.parse(objects[-1])
            shuffles[owned.owner], newest = owned.payload, objects[0]
        elif event.type == "EndShuffles":
            ended = True
        elif event.type == "PartialDecryption":
            owned = Owned.parse(objects[-1])
            partials[owned.owner], hashes[owned.owner] = objects[0], owned.payload
        elif event.type == "Result":
            result = Result.parse(objects[0])
    if tally is None or sized is None:
        raise BoardDamagedError(phrase("The encrypted tally is missing."), height=first)
    if newest:
        tally = merge_nh_ciphertexts(setup.election, tally, DeferredShuffle.parse(newest).ciphertexts)
    ranked = any(True for _ in ranked_questions(setup.election))
    return _Progress(setup, height, sized, tally, ranked, shuffles, ended, partials, hashes, result)


def current_tally(database: Database, election_uuid: str) -> EncryptedTally:
    """The tally that the next shuffle starts from, or that shares open. Raises: PreconditionError: not begun."""
    return _progress(database, election_uuid).tally


# --- what trustees send -----------------------------------------------------------------------------------------


def accept_shuffle(
    database: Database, election_uuid: str, owner: int, data: bytes, now: datetime, *, executor: Executor | None = None
) -> None:
    """A key-holder's shuffle (v1 text) was checked and is on the board; after the last one needed the shuffles end.

    The very same bytes again are the same shuffle.

    Raises:
        PreconditionError: not now (not begun, no ranked question, ended, shuffled already, or another one was faster).
        MalformedError, InvalidTrusteeError, InvalidShuffleError: what was sent does not hold; the journal says so.
    """
    check_size(data)
    state = _progress(database, election_uuid)
    digest = messages.sha256_hex(data)
    if state.shuffles.get(owner) == digest:
        return
    _must_be_tallying(database, election_uuid)
    if not state.ranked:
        raise PreconditionError(phrase("This election has no ranked question, so there is nothing to shuffle."))
    if state.ended or state.result is not None:
        raise PreconditionError(phrase("The shuffles have ended: enough key-holders have shuffled."))
    if owner in state.shuffles:
        raise PreconditionError(phrase("This key-holder has shuffled already."))
    with _refusals(database, election_uuid, owner, "shuffle", now):
        state.setup.keys.of_owner(owner)
        shuffle = Shuffle.parse(data)
        check_shuffle(state.setup.election, state.tally, shuffle, owner=owner, executor=executor)
    with database.write() as session:
        if _is_there(session, election_uuid, Owned(owner, digest)):
            return
        election = _at_head(session, election_uuid, state.height, ElectionState.TALLYING)
        actor = Actor(f"trustee {owner}", "key-holder")
        event = board.append(session, election_uuid, "Shuffle", [data, Owned(owner, digest).to_bytes()])
        details = {"key-holder": owner, "shuffle": digest, "head": event.hash}
        append(session, election.meeting_id, Act.SHUFFLE_ACCEPTED, actor, now, election=election_uuid, details=details)
        if not state.setup.keys.missing({*state.shuffles, owner}):
            event = board.append(session, election_uuid, "EndShuffles")
            append(session, election.meeting_id, Act.SHUFFLES_ENDED, actor, now, election=election_uuid, details={"head": event.hash})


def accept_decryption(
    database: Database,
    election_uuid: str,
    owner: int,
    data: bytes,
    companion: bytes,
    now: datetime,
    *,
    executor: Executor | None = None,
) -> None:
    """A key-holder's partial decryption (v1 text) and its companion proofs were checked; one is on the board, the other beside it.

    The very same bytes again are the same share.

    Raises:
        PreconditionError: not now (not begun, shuffles missing, shared already, result published, or another one was faster).
        MalformedError, InvalidTrusteeError, InvalidPartialDecryptionError, InvalidCompanionError: what was sent does not hold.
    """
    check_size(data, companion)
    state = _progress(database, election_uuid)
    digest = messages.sha256_hex(data)
    if state.partial_hashes.get(owner) == digest:
        return
    _must_be_tallying(database, election_uuid)
    if state.ranked and not state.ended:
        raise PreconditionError(phrase("Not enough key-holders have shuffled yet."))
    if state.result is not None:
        raise PreconditionError(phrase("The result is computed: no further share is needed."))
    if owner in state.partials:
        raise PreconditionError(phrase("This key-holder's share is here already."))
    with _refusals(database, election_uuid, owner, "share", now):
        key = state.setup.keys.of_owner(owner)
        partial = PartialDecryption.parse(data)
        election_message = state.setup.election
        if not companion:
            raise InvalidCompanionError("the companion proofs are missing", trustee=owner, question=0, answer=0)
        check_partial_decryption(election_message.fingerprint, state.tally, key.public_key, partial, owner=owner, executor=executor)
        proofs = messages.Companion.parse(companion)
        check_companion(election_message, state.tally, key.public_key, partial, proofs, owner=owner, executor=executor)
    with database.write() as session:
        if _is_there(session, election_uuid, Owned(owner, digest)):
            return
        election = _at_head(session, election_uuid, state.height, ElectionState.TALLYING)
        event = board.append(session, election_uuid, "PartialDecryption", [data, Owned(owner, digest).to_bytes()])
        session.add(Companion(election_uuid=election_uuid, owner=owner, content=companion))
        actor = Actor(f"trustee {owner}", "key-holder")
        details = {"key-holder": owner, "share": digest, "companion": messages.sha256_hex(companion), "head": event.hash}
        append(session, election.meeting_id, Act.SHARE_ACCEPTED, actor, now, election=election_uuid, details=details)


def check_size(*messages_sent: bytes) -> None:
    """Raises: MalformedError: what a key-holder sent is larger than any shuffle or share."""
    if max(map(len, messages_sent)) > MAX_SUBMISSION_BYTES:
        raise MalformedError(phrase("A shuffle or share is never this large."))


def _must_be_tallying(database: Database, election_uuid: str) -> None:
    with database.read() as session:
        state = election_of(session, election_uuid).state
    if state is not ElectionState.TALLYING:
        raise PreconditionError(phrase("The election is {state}; nothing more is accepted from key-holders.", state=state))


def _at_head(session: Session, election_uuid: str, height: int, state: ElectionState) -> Election:
    """The election under the board's lock, where the chain still ends at `height`. Raises: PreconditionError."""
    head = board.lock_head(session, election_uuid)
    election = in_state(session, election_uuid, state)
    if head.height != height:
        raise PreconditionError(phrase("Something else arrived a moment before: fetch the archive again and repeat this step."))
    return election


def _is_there(session: Session, election_uuid: str, owned: Owned) -> bool:
    """Whether the very same message came by another request, while this one was being checked; nothing more comes meanwhile."""
    board.lock_head(session, election_uuid)
    mine = BoardEvent.election_uuid == election_uuid, BoardEvent.payload == messages.sha256_hex(owned.to_bytes())
    return session.exec(select(BoardEvent.height).where(*mine)).first() is not None


@contextmanager
def _refusals(database: Database, election_uuid: str, owner: int, what: str, now: datetime) -> Iterator[None]:
    """A message of a trustee that does not hold is refused on the record, with the reason."""
    try:
        yield
    except (MalformedError, VerificationError) as error:
        with database.write() as session:
            meeting = election_of(session, election_uuid).meeting_id
            actor = Actor(f"trustee {owner}", "key-holder")
            details = {"key-holder": owner, "message": what, "reason": str(error)[:300]}
            append(session, meeting, Act.SUBMISSION_REFUSED, actor, now, election=election_uuid, details=details)
        raise


# --- result and publication -------------------------------------------------------------------------------------


def finish(database: Database, election_uuid: str, actor: Actor, now: datetime, *, executor: Executor | None = None) -> Result:
    """The result is on the board, combined from all shares that arrived. Doing it again gives the same result.

    Raises:
        NotAllowedError, NotFoundError.
        PreconditionError: not tallying, or shares are missing (the sentence says whose).
        VerificationError: shares contradict each other, or do not open to numbers of ballots.
    """
    require(actor, Move.PUBLISH)
    state = _progress(database, election_uuid)
    if state.result is not None:
        return state.result
    _must_be_tallying(database, election_uuid)
    if missing := state.setup.keys.missing(state.partials):
        raise PreconditionError(phrase("The ballots cannot be opened yet: still missing {names}.", names=", ".join(missing)))
    parsed = (executor.map if executor is not None else map)(PartialDecryption.parse, state.partials.values())
    factors = combine_factors(state.setup.keys, state.tally, dict(zip(state.partials, parsed, strict=True)), executor)
    opened = open_tally(state.setup.election, state.tally, factors, state.sized.num_tallied, executor)
    with database.write() as session:
        election = _at_head(session, election_uuid, state.height, ElectionState.TALLYING)
        event = board.append(session, election_uuid, "Result", [opened.result.to_bytes()])
        details = {"shares": sorted(state.partials), "not canonical": sum(opened.not_canonical), "head": event.hash}
        append(session, election.meeting_id, Act.RESULT_COMPUTED, actor, now, election=election_uuid, details=details)
    return opened.result


def publish(
    database: Database,
    election_uuid: str,
    actor: Actor,
    now: datetime,
    *,
    approval: str | None = None,
    executor: Executor | None = None,
    progress: Progress = no_progress,
) -> Election:
    """The result is public, after `finish` if that was not done yet, and after our verifier accepted the whole archive as stored.

    Raises: as `finish`; ApprovalNeededError: a second person has to agree (`Need.PUBLISH`, the election's uuid);
        BoardDamagedError: the verifier refuses the archive, and the journal says so.
    """
    require(actor, Move.PUBLISH)
    agreement = (Need.PUBLISH, election_uuid, actor, approval, now)
    with database.read() as session:
        election = election_of(session, election_uuid)
        approvals.find(session, election.meeting_id, *agreement, practice=election.practice)
    progress(phrase("Putting the key-holders’ shares together"), 0, 0)
    finish(database, election_uuid, actor, now, executor=executor)
    progress(phrase("Comparing every stored row with the chain"), 0, 0)
    last = board.check_storage(database, election_uuid)
    report = verify(database, election_uuid, executor=executor, progress=progress)
    if report.outcome is not Outcome.VERIFIED or report.height != last:
        damage = BoardDamagedError(
            phrase("The archive is refused by the verifier: {sentence}", sentence=report.sentence), height=report.height or 0
        )
        report_damage(database, election_uuid, damage, actor, now)
        raise damage
    with database.write() as session:
        election = _at_head(session, election_uuid, last, ElectionState.TALLYING)
        second = approvals.use(session, election.meeting_id, *agreement, practice=election.practice)
        election.state, election.published_at = ElectionState.PUBLISHED, now
        if election.tidy_at is None or election.tidy_at <= now:
            election.tidy_at = kept_until(election, now)
        session.add(election)
        details = {"height": last, "head": board.head_of(session, election_uuid).hash, "members unlinked from": iso(election.tidy_at)}
        append(session, election.meeting_id, Act.PUBLISHED, actor, now, second=second, election=election_uuid, details=details)
        return election


VERIFYING: Final = {
    step: phrase("Verifying the whole ballot box, step {number} of {steps}", number=step.number, steps=len(Step)) for step in Step
}


def verify(database: Database, election_uuid: str, *, executor: Executor | None = None, progress: Progress = no_progress) -> Report:
    """What our verifier says of the archive and companion file as they would be downloaded now."""

    def tell(step: Step, part: float | None) -> None:
        progress(VERIFYING[step], round(100 * (part or 0)), 100 * (part is not None))

    with tempfile.TemporaryFile() as file:
        for piece in board.stream_archive(database, election_uuid)[1]:
            file.write(piece)
        file.seek(0)
        with database.read() as session:
            companion = board.companion_bytes(session, election_uuid)
        return verify_archive(file, companion=companion, executor=executor, progress=tell)


def open_practice(database: Database, keys: Keys, election_uuid: str, now: datetime, *, executor: Executor | None = None) -> None:
    """The service shuffles and opens a practice election with the key that it holds itself; then `publish`.

    Raises: PreconditionError: not a practice election, or its key is a person's.
    """
    state = _progress(database, election_uuid)
    declared = state.setup.declarations
    if declared is None or not declared.practice or len(state.setup.keys.keys) != 1:
        raise PreconditionError(phrase("Only a practice election's key is held by the service."))
    election, rng = state.setup.election, SystemRng()
    secret = int(keys.practice.get(election_uuid))
    if state.ranked and not state.ended:
        accept_shuffle(database, election_uuid, 1, shuffle_tally(election, state.tally, rng, executor).to_bytes(), now, executor=executor)
        state = _progress(database, election_uuid)
    if not state.partials:
        partial = gen_partial_decryption(election.fingerprint, state.tally, secret, rng, executor)
        companion = gen_companion(election, state.tally, secret, partial, rng, owner=1, executor=executor)
        accept_decryption(database, election_uuid, 1, partial.to_bytes(), companion.to_bytes(), now, executor=executor)


@dataclass(frozen=True)
class Published:
    """A published result. `ballots` were counted, `electorate` could vote; `file` is the file of results, as downloaded."""

    election: messages.Election
    ballots: int
    electorate: int
    questions: tuple[recount.Outcome, ...]
    file: bytes


def outcome(database: Database, election_uuid: str) -> Published:
    """The published result, as the verified archive has it. Raises: NotFoundError: nothing is published; BoardDamagedError."""
    known = database.setups.get(f"outcome|{election_uuid}")
    if isinstance(known, Published):
        return known
    setup = load_setup(database, election_uuid)
    with database.read() as session:
        election = election_of(session, election_uuid)
        if election.state is not ElectionState.PUBLISHED:
            raise NotFoundError(phrase("There is no result yet."))
        acts = acts_before_the_count(election)
        payloads = dict(_events(session, election_uuid))
        data = board.checked_object(session, election_uuid, payloads["Result"])
        sized = SizedEncryptedTally.parse(board.checked_object(session, election_uuid, payloads["EncryptedTally"]))
        credentials = PublicCredentials.parse(board.checked_object(session, election_uuid, setup.data.credentials))
        seed = _seed(session, election_uuid)
    outcomes = recount.count_election(
        setup.election,
        setup.declarations,
        Result.parse(data),
        ballots=sized.num_tallied,
        electorate=len(credentials.entries),
        seed=seed,
        acts=acts,
    )
    file = recount.results_file(setup.election, outcomes, result_hash=messages.sha256_hex(data), seed=seed, acts=acts)
    published = Published(setup.election, sized.num_tallied, len(credentials.entries), outcomes, file)
    database.setups[f"outcome|{election_uuid}"] = published
    return published


def _seed(session: Session, election_uuid: str) -> str:
    """The hash of the last event before the first decryption, from which lots are drawn (`ballot.recount`)."""
    before = ["EncryptedTally", "EndShuffles"]
    return session.exec(
        select(BoardEvent.hash)
        .where(BoardEvent.election_uuid == election_uuid, col(BoardEvent.type).in_(before))
        .order_by(col(BoardEvent.height).desc())
        .limit(1)
    ).one()


# --- the returning officer's acts before the count ------------------------------------------------------------------


def record_lot(session: Session, election_uuid: str, number: int, order: Sequence[int], actor: Actor, now: datetime) -> Election:
    """Ties of question `number` (from 1) go by an order of all choices (from 0) that was drawn in public, most favoured first.

    Raises: NotAllowedError, NotFoundError; PreconditionError: still voting, opened already, or not one order of all choices.
    """
    election, question, rule = _before_the_count(session, election_uuid, number, actor)
    if rule.get("rule", "motion") == "motion":
        raise PreconditionError(phrase("This question elects nobody, so no lot decides it."))
    if sorted(order) != list(range(len(question.answers))):
        raise PreconditionError(phrase("A lot must name every choice exactly once."))
    acts = acts_before_the_count(election)
    election.acts = replace(acts, lots={**acts.lots, number: tuple(order)}).to_json()
    details = {"question": number, "order": [choice + 1 for choice in order]}
    append(session, election.meeting_id, Act.LOT_DRAWN, actor, now, election=election_uuid, details=details)
    return election


def record_withdrawal(session: Session, election_uuid: str, number: int, choice: int, actor: Actor, now: datetime) -> Election:
    """Somebody withdrew before the count: the count of question `number` (from 1) passes over that choice (from 0).

    Raises: NotAllowedError, NotFoundError; PreconditionError: still voting, opened already, no such candidate, gone already, or
        the last one.
    """
    election, question, rule = _before_the_count(session, election_uuid, number, actor)
    people = len(question.answers) - bool(rule.get("ron"))  # "re-open nominations" stands last, and is nobody
    if not isinstance(question, QuestionNH) or not 0 <= choice < people:
        raise PreconditionError(phrase("Only a candidate of a ranked question can withdraw."))
    acts = acts_before_the_count(election)
    before = acts.withdrawn.get(number, ())
    if choice in before:
        raise PreconditionError(phrase("That {name} withdrew is on the record already.", name=question.answers[choice]))
    gone = tuple(sorted({*before, choice}))
    if len(gone) == people:
        raise PreconditionError(phrase("Nobody would be left to elect. Declare the ballot void instead."))
    election.acts = replace(acts, withdrawn={**acts.withdrawn, number: gone}).to_json()
    details = {"question": number, "choice": choice + 1}
    append(session, election.meeting_id, Act.CANDIDATE_WITHDREW, actor, now, election=election_uuid, details=details)
    return election


def _before_the_count(session: Session, election_uuid: str, number: int, actor: Actor) -> tuple[Election, Question, recount.Rule]:
    """The election, locked, while nobody can know its result: as long as no share of a key-holder is on the board."""
    require(actor, Move.PUBLISH)
    election = in_state(session, election_uuid, ElectionState.CLOSED, ElectionState.TALLYING)
    opened = BoardEvent.election_uuid == election_uuid, BoardEvent.type == "PartialDecryption"
    if session.exec(select(BoardEvent).where(*opened)).first():
        raise PreconditionError(phrase("The ballot box is being opened: lots and withdrawals come before the first share of a key-holder."))
    draft = draft_of(election)
    if not 1 <= number <= len(draft.questions):
        raise PreconditionError(phrase("There is no such question."))
    session.add(election)
    return election, draft.questions[number - 1], draft.rules[number - 1] if number <= len(draft.rules) else {}


def acts_before_the_count(election: Election) -> recount.Acts:
    """The lots and withdrawals on the record."""
    return recount.Acts.from_json(election.acts or recount.NO_ACTS.to_json())
