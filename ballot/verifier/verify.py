"""The verification of one archive, in numbered steps after Audit (Belenios v1, 3.5).

    1  the file                 every byte is what the reference tool writes
    2  the chain of events      order, parents, payloads (`chain.py`); events seen before are still there
    3  the set-up               questions, trustees, credentials, what the election declares
    4  every ballot             proofs, signature, known credential
    5  last ballots             one counted ballot per credential
    6  the encrypted tally      recomputed, to the byte
    7  shuffles                 owners, and each proof over the ciphertexts before it
    8  partial decryptions      owners, v1 proofs, companion proofs, agreement of more shares than needed
    9  the result               recomputed, to the byte; totals in range
   10  the count                by the rules that the election declares; the published file of results, to the byte

The file is read once, as a stream. Ballots go to the executor in chunks, a bounded number at a time; shuffles and
decryptions are checked while reading goes on. Shuffles are checked together when they are complete, and one by one if
that fails, which tells whose is wrong. Verdicts are taken in the order of the events, so the first broken rule is
reported, whatever the number of processors. An exception that nobody planned for is a refusal.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import SEEK_END
from typing import Any, BinaryIO, Final, ParamSpec, TypeVar

from ballot.errors import (
    ArchiveRefusedError,
    CountError,
    InvalidCompanionError,
    InvalidPartialDecryptionError,
    InvalidResultError,
    InvalidShuffleError,
    InvalidTrusteeError,
    MalformedError,
    UnusableInputError,
    VerificationError,
)
from ballot.protocol.archive import Entry, Header, read_archive
from ballot.protocol.companion import check_companion
from ballot.protocol.declarations import Declarations, split_description
from ballot.protocol.decryption import check_partial_decryption, combine_factors
from ballot.protocol.group import Point, Rng, SystemRng
from ballot.protocol.messages import (
    Ciphertext,
    Companion,
    CompanionFile,
    DeferredShuffle,
    Election,
    EncryptedTally,
    Owned,
    PartialDecryption,
    PublicCredentials,
    QuestionH,
    Result,
    SetupData,
    Shuffle,
    SizedEncryptedTally,
    Trustees,
    sha256_hex,
)
from ballot.protocol.parallel import map_chunks
from ballot.protocol.result import OpenedTally, check_result
from ballot.protocol.shuffle import check_shuffle, shuffles_hold
from ballot.protocol.tally import merge_nh_ciphertexts, ranked_questions, sort_key
from ballot.protocol.trustees import ElectionKeys, check_trustees
from ballot.recount import NO_ACTS, check_rule, count_election, published_acts, results_file
from ballot.verifier.ballots import CheckedBallot, CheckedChunk, check_chunk, empty_products
from ballot.verifier.chain import SERVER, Chain, Link, refuse
from ballot.verifier.report import Outcome, Rankings, Report, Totals
from ballot.verifier.rules import Rule, Step

P = ParamSpec("P")
T = TypeVar("T")
Progress = Callable[[Step, float | None], None]  # the step at work, and how far it is, from 0 to 1, where that is known

_CHUNK: Final = 32  # ballots sent to a worker at once
_CHUNK_BYTES: Final = 1 << 20
_CREDENTIALS: Final = 1000  # credentials sent to a worker at once
_IN_FLIGHT: Final = 16  # chunks
_TOGETHER: Final = 5000  # ballots whose shuffles and shares may be in memory at the same time
_COORDINATORS: Final = 8  # threads that wait for workers; they compute nothing themselves
_CREDENTIAL = re.compile(r"[0-9a-f]{64}(?:,1?(?:,[^,]*)?)?", re.ASCII)

NOTE_TIME: Final = "The file's own date stands outside the chain of events: it proves nothing."
NOTE_HEAD: Final = (
    "A file proves that it is consistent, not that everybody was shown the same one: compare its last event with a receipt, "
    "a checkpoint or another person's copy (--pin)."
)
NOTE_ACTS: Final = (
    "The file of results says that the returning officer drew lots, or that candidates withdrew: the journal must say so too."
)
NOTE_PRACTICE: Final = "This is a practice election: the site itself may hold its key."
NOTE_PLAIN: Final = (
    "This election declares nothing beyond Belenios v1. If a key-holder had spoilt a decryption after seeing the others' shares, "
    "v1's proofs would hold all the same and could not tell who did it."
)


class _Inline(Executor):
    """No workers: the work is done where it is asked for."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - kept, and raised where the result is asked for, as every executor does
            future.set_exception(error)
        return future


@dataclass
class _Setup:
    """What step 3 established."""

    election: Election
    data: bytes  # the election's bytes
    keys: ElectionKeys
    credentials: frozenset[bytes]
    declarations: Declarations | None

    @property
    def ranked(self) -> tuple[int, ...]:
        return tuple(ranked_questions(self.election))

    @property
    def may_replace(self) -> bool:
        return self.declarations is None or self.declarations.replace


@dataclass
class _Pending:
    """A check that is under way: of which step, at which event; `result` waits for it and raises what it found wrong."""

    step: Step
    height: int
    result: Callable[[], object]
    cancel: Callable[[], object] = lambda: None


def _entries(file: BinaryIO) -> Iterator[Entry]:
    """Step 1: the archive's entries after its header; what cannot be read as an archive at all is unusable, not refused."""
    items = read_archive(file)
    try:
        header = next(items)
    except MalformedError as error:
        raise UnusableInputError(str(error)) from error
    except OSError as error:
        raise UnusableInputError(f"the file cannot be read: {error.strerror or error}") from error
    if not isinstance(header, Header):
        raise UnusableInputError("the file does not start with a header")
    return _rest(items)


def _rest(items: Iterator[Header | Entry]) -> Iterator[Entry]:
    try:
        for item in items:
            if isinstance(item, Entry):
                yield item
    except OSError as error:
        raise UnusableInputError(f"the file cannot be read: {error.strerror or error}") from error


def _credential_points(entries: Sequence[str]) -> list[bytes]:
    """A chunk of the list of credentials, each a point and perhaps the name of its entry. Raises: MalformedError."""
    for entry in entries:
        if not _CREDENTIAL.fullmatch(entry):
            raise MalformedError(f"{entry[:70]!r} is not a public credential without weight")
    return [bytes(point) for point in PublicCredentials(tuple(entries)).points]


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _by_key_holders(numbers: Collection[int]) -> str:
    return f"{len(numbers)}, by key-holder{'' if len(numbers) == 1 else 's'} {', '.join(map(str, sorted(numbers)))}"


def is_ranking(values: tuple[int, ...]) -> bool:
    """Whether the ranks that are used are exactly 1 … k, each once (0: not ranked); a blank paper ranks nobody."""
    used = sorted(value for value in values if value)
    return used == list(range(1, len(used) + 1))


def check_totals(question: QuestionH, totals: tuple[int, ...], ballots: int) -> str | None:
    """What is wrong with a question's totals, given the number of counted ballots; None if nothing.

    The ballots' proofs imply all of this. It is checked once more because a reader of the result can check it by hand.
    """
    if len(totals) != question.length or any(not 0 <= n <= ballots for n in totals):
        return "a total is below 0 or above the number of ballots"
    voting = ballots - totals[0] if question.blank else ballots
    chosen = totals[1:] if question.blank else totals
    if any(n > voting for n in chosen):
        return "an answer has more votes than there are ballots that are not blank"
    if not question.min * voting <= sum(chosen) <= question.max * voting:
        return "the votes do not add up to a number that the ballots can have"
    return None


class _Verification:
    """One run over one archive. Methods are named after the events, and follow the order of the steps."""

    def __init__(
        self,
        report: Report,
        executor: Executor | None,
        companion: bytes | None,
        results: bytes | None,
        pins: Mapping[int, str],
        rng: Rng,
    ) -> None:
        self.report, self.pins = report, pins
        self.results_data = results
        self.seed = ""  # the hash of the last event before the decryptions: where lots come from
        self.executor = executor
        self.pool: Executor = executor or _Inline()
        self.coordinators: Executor = _Inline()
        self.rng = rng
        self.companion_data = companion
        self.companions: dict[int, Companion] = {}
        self.progress: Callable[[Step, float | None], None] = lambda *_: None
        self.position: Callable[[], float | None] = lambda: None  # how far the file is read, where that is known
        self._setup: _Setup | None = None
        # Ballots: read but not sent; sent; checked.
        self.chunk: list[bytes] = []
        self.chunk_first = 0
        self.chunks: deque[Future[CheckedChunk]] = deque()
        self.last: dict[Point, CheckedBallot] = {}
        self.products: list[list[tuple[Point, Point]]] = []
        # Tally: each shuffle's future gives the ciphertexts after it.
        self.tally: EncryptedTally | None = None
        self.shuffled: list[Future[EncryptedTally]] = []
        self.shuffles: list[Future[DeferredShuffle]] = []
        self.all_shuffles_hold: Future[bool] | None = None  # checked in one go when they are complete
        self.shufflers: set[int] = set()
        self.partials: dict[int, Future[PartialDecryption]] = {}
        self.pending: deque[_Pending] = deque()

    @property
    def setup(self) -> _Setup:
        if self._setup is None:
            raise RuntimeError("events before Setup reached a check")  # the grammar refuses them first
        return self._setup

    # --- reading ------------------------------------------------------------------------------------------------------

    def run(self, chain: Chain) -> None:
        """Read the whole chain and make every check of it."""
        try:
            for link in chain:
                self.report.height, self.report.head = link.event.height, link.event.hash
                self._event(chain, link)
        except (ArchiveRefusedError, MalformedError):
            self._drain()  # an earlier event may be refused too, and comes first
            raise
        self._drain()
        self.report.steps[Step.ARCHIVE] = "header, names, hashes and padding are the reference tool's, to the byte"
        if chain.last is not None:
            words = f"{_counted(chain.last.height + 1, 'event')}, each after its parent, nothing missing and nothing too much"
            if self.pins:
                words += f"; {len(self.pins)} of them as seen before"
            self.report.steps[Step.CHAIN] = words

    def _event(self, chain: Chain, link: Link) -> None:
        match link.event.type:
            case "Setup":
                self._set_up(link)
                chain.ranked = bool(self.setup.ranked)
            case "Ballot":
                self._ballot(link)
            case "EndBallots":
                self._end_ballots()
            case "EncryptedTally":
                self._encrypted_tally(link)
            case "Shuffle":
                self._shuffle(link)
            case "EndShuffles":
                self._end_shuffles(link)
            case "PartialDecryption":
                self._partial_decryption(link)
            case "Result":
                self._result(link)

    def _drain(self) -> None:
        """Wait for every check that is under way, in the order of events."""
        self._flush()
        while self.chunks:
            self._collect()
        total = len(self.pending)
        while self.pending:
            check = self.pending.popleft()
            self.progress(check.step, 1 - len(self.pending) / total if total > 1 else None)
            with self._nothing_after_a_failure():
                check.result()

    @contextmanager
    def _nothing_after_a_failure(self) -> Iterator[None]:
        """The oldest check under way decides: when it fails, the others are of later events and are given up."""
        try:
            yield
        except BaseException:
            for chunk in self.chunks:
                chunk.cancel()
            for check in self.pending:
                check.cancel()
            self.chunk.clear()
            self.chunks.clear()
            self.pending.clear()
            raise

    def _later(self, step: Step, height: int, function: Callable[[], T]) -> Future[T]:
        future = self.coordinators.submit(function)
        self.pending.append(_Pending(step, height, future.result, future.cancel))
        return future

    # --- 3 set-up -------------------------------------------------------------------------------------------------------

    def _set_up(self, link: Link) -> None:
        if not isinstance(link.message, SetupData):
            raise TypeError("Setup without its payload")
        election_data, trustees_data, credentials_data = link.parts
        try:
            election = Election.parse(election_data)
            if not election.questions:
                raise MalformedError("the election has no question")
            trustees = Trustees.parse(trustees_data)
            listed = PublicCredentials.parse(credentials_data)
        except MalformedError as error:
            raise refuse(Rule.SETUP_FORM, str(error), height=0) from error
        self.report.uuid, self.report.name, self.report.fingerprint = election.uuid, election.name, election.fingerprint
        try:
            keys = check_trustees(trustees)
            if len({key.public_key for key in keys.keys}) != len(keys.keys):
                raise InvalidTrusteeError("two key-holders have the same key")
        except (InvalidTrusteeError, MalformedError) as error:
            raise refuse(Rule.TRUSTEES, str(error), height=0, blame=getattr(error, "blame", None) or SERVER) from error
        if election.public_key != keys.public_key:
            raise refuse(Rule.ELECTION_KEY, "the election's key is not the product of its trustees' keys", height=0)
        try:
            credentials = self._credentials(listed)
        except MalformedError as error:
            raise refuse(Rule.CREDENTIALS, str(error), height=0) from error
        try:
            _, declarations = split_description(election.description)
            if declarations is not None and declarations.rules and len(declarations.rules) != len(election.questions):
                raise MalformedError("the election declares rules, but not one for each question")
        except MalformedError as error:
            raise refuse(Rule.DECLARATIONS, str(error), height=0) from error
        self._setup = _Setup(election, election_data, keys, credentials, declarations)
        self.products = empty_products(election)
        self.report.credentials = len(credentials)
        numbers = {"question": len(election.questions), "key-holder": len(keys.keys), "credential": len(credentials)}
        self.report.steps[Step.SETUP] = ", ".join(_counted(number, thing) for thing, number in numbers.items())
        if declarations is None:
            self.report.notes.append(NOTE_PLAIN)
        elif declarations.practice:
            self.report.notes.append(NOTE_PRACTICE)

    def _credentials(self, listed: PublicCredentials) -> frozenset[bytes]:
        """The list's points, as bytes. Raises: MalformedError."""
        credentials: set[bytes] = set()
        for points in map_chunks(self.executor, _credential_points, listed.entries, size=_CREDENTIALS):
            credentials.update(points)
        if len(credentials) != len(listed.entries):
            raise MalformedError("a public credential appears twice")
        return frozenset(credentials)

    # --- 4, 5 ballots ---------------------------------------------------------------------------------------------------

    def _ballot(self, link: Link) -> None:
        if not self.chunk:
            self.chunk_first = link.event.height
        self.chunk.append(link.payload)
        if len(self.chunk) == _CHUNK or sum(map(len, self.chunk)) > _CHUNK_BYTES:
            self._flush()
        while len(self.chunks) > _IN_FLIGHT:
            self._collect()

    def _flush(self) -> None:
        if self.chunk:
            work = partial(check_chunk, self.setup.data, self.chunk_first, self.chunk, keep_sums=self.setup.may_replace)
            self.chunks.append(self.pool.submit(work))
            self.chunk = []

    def _collect(self) -> None:
        """Take the oldest chunk's outcome, then compare its credentials, in the order of the ballots."""
        oldest = self.chunks.popleft()
        with self._nothing_after_a_failure():
            chunk = oldest.result()
            for ballot in chunk.ballots:
                self._count(ballot)
            if chunk.refusal is not None:
                raise chunk.refusal
        self._multiply(chunk.products)
        self.progress(Step.BALLOTS, self.position())

    def _multiply(self, products: Iterable[list[tuple[Point, Point]]]) -> None:
        for row, more in zip(self.products, products, strict=True):
            row[:] = [(a * c, b * d) for (a, b), (c, d) in zip(row, more, strict=True)]

    def _count(self, ballot: CheckedBallot) -> None:
        if bytes(ballot.credential) not in self.setup.credentials:
            raise refuse(Rule.BALLOT_CREDENTIAL, "a ballot's credential is not in the election's list", height=ballot.height)
        self.report.ballots += 1
        replaced = self.last.pop(ballot.credential, None)
        if replaced is not None:
            if not self.setup.may_replace:
                reason = f"a credential that voted at event {replaced.height} votes again, and this election does not permit it"
                raise refuse(Rule.BALLOT_TWICE, reason, height=ballot.height)
            for row, choices in zip(self.products, replaced.sums, strict=True):
                row[:] = [(a / c.alpha, b / c.beta) for (a, b), c in zip(row, choices, strict=True)]
        self.last[ballot.credential] = ballot

    def _end_ballots(self) -> None:
        self._flush()
        while self.chunks:
            self._collect()
        self.report.counted = len(self.last)
        declarations = self.setup.declarations
        replaced = self.report.ballots - self.report.counted
        self.report.steps[Step.BALLOTS] = _counted(self.report.ballots, "ballot")
        self.report.steps[Step.LAST] = f"{self.report.counted:,} counted" + (f", {replaced:,} replaced by a later one" if replaced else "")
        if replaced and declarations is None:
            were = "1 ballot was" if replaced == 1 else f"{replaced:,} ballots were"
            self.report.notes.append(f"{were} replaced: the last one of each credential counts, as in every v1 election.")
        if declarations is not None and self.report.counted < declarations.minimum_ballots:
            few = f"Only {self.report.counted:,} ballots were cast, fewer than the {declarations.minimum_ballots} that protect secrecy"
            self.report.notes.append(f"{few}: key-holders should not have opened them.")

    # --- 6 encrypted tally ------------------------------------------------------------------------------------------------

    def _encrypted_tally(self, link: Link) -> None:
        if not isinstance(link.message, SizedEncryptedTally):
            raise TypeError("EncryptedTally without its payload")
        height, election = link.event.height, self.setup.election
        if not self.last:
            raise refuse(Rule.TALLY, "there is no ballot to tally", height=height)
        sums, ranked = iter(self.products), 0
        rows: list[tuple[Ciphertext, ...]] = []
        for question in election.questions:
            if isinstance(question, QuestionH):
                rows.append(tuple(Ciphertext(alpha, beta) for alpha, beta in next(sums)))
            else:
                rows.append(tuple(sorted((ballot.ranked[ranked] for ballot in self.last.values()), key=sort_key)))
                ranked += 1
        tally = EncryptedTally(tuple(rows))
        (published,) = link.parts
        if (link.message.num_tallied, link.message.total_weight) != (len(self.last), len(self.last)):
            reason = f"the tally is of {link.message.num_tallied} ballots, and {len(self.last)} are to be counted"
            raise refuse(Rule.TALLY, reason, height=height)
        if tally.to_bytes() != published:
            try:
                EncryptedTally.parse(published)
            except MalformedError as error:
                raise refuse(Rule.TALLY_FORM, str(error), height=height) from error
            raise refuse(Rule.TALLY, "the encrypted tally is not what the counted ballots come to", height=height)
        if any(c.alpha.is_neutral for row in rows for c in row):
            raise refuse(Rule.TALLY, "a sum of ballots hides nothing, because their random numbers cancel out", height=height)
        self.tally, self.seed = tally, link.event.hash
        self.last.clear()
        self.report.steps[Step.TALLY] = f"of {_counted(self.report.counted, 'ballot')}, recomputed and equal"

    # --- 7 shuffles -------------------------------------------------------------------------------------------------------

    def _owner(self, link: Link, rule: Rule, taken: Iterable[int]) -> int:
        """The owner of a shuffle or share; each may have one of each kind."""
        if not isinstance(link.message, Owned):
            raise TypeError(f"{link.event.type} without its owner")
        owner, count = link.message.owner, len(self.setup.keys.keys)
        if not 1 <= owner <= count:
            raise refuse(rule, f"there is no key-holder {owner}: this election has {count}", height=link.event.height)
        if owner in taken:
            raise refuse(rule, f"key-holder {owner} appears twice", height=link.event.height)
        return owner

    def _before(self) -> Future[EncryptedTally]:
        """The ciphertexts after the newest shuffle, if there is one."""
        if self.shuffled:
            return self.shuffled[-1]
        if self.tally is None:
            raise RuntimeError("shuffles or shares before the tally reached a check")  # the grammar refuses them first
        tally: Future[EncryptedTally] = Future()
        tally.set_result(self.tally)
        return tally

    def _shuffle(self, link: Link) -> None:
        owner, height = self._owner(link, Rule.SHUFFLE_OWNER, self.shufflers), link.event.height
        self.shufflers.add(owner)
        before, parsed = self._before(), self.pool.submit(DeferredShuffle.parse, link.parts[0])
        self.shuffles.append(parsed)
        self.shuffled.append(self.coordinators.submit(self._merge, before, parsed))
        self.pending.append(_Pending(Step.SHUFFLES, height, partial(self._check_shuffle, owner, height, before, link.parts[0])))

    def _merge(self, before: Future[EncryptedTally], parsed: Future[DeferredShuffle]) -> EncryptedTally:
        return merge_nh_ciphertexts(self.setup.election, before.result(), parsed.result().ciphertexts)

    def _check_shuffle(self, owner: int, height: int, before: Future[EncryptedTally], data: bytes) -> None:
        """All shuffles were checked in one go. If that failed, or some are still to come, this one is checked alone."""
        if self.all_shuffles_hold is not None and self.all_shuffles_hold.result():
            return
        election, blame = self.setup.election, f"trustee {owner}"
        try:
            shuffle = Shuffle.parse(data)
            merge_nh_ciphertexts(election, before.result(), shuffle.ciphertexts)
        except MalformedError as error:
            raise refuse(Rule.SHUFFLE_FORM, f"key-holder {owner}'s shuffle: {error}", height=height, blame=blame) from error
        try:
            check_shuffle(election, before.result(), shuffle, owner=owner, executor=self.executor)
        except (InvalidShuffleError, MalformedError) as error:
            raise refuse(Rule.SHUFFLE_PROOF, f"key-holder {owner}: {error}", height=height, blame=blame) from error

    def _end_shuffles(self, link: Link) -> None:
        if missing := self.setup.keys.missing(self.shufflers):
            raise refuse(Rule.SHUFFLE_MISSING, f"still to shuffle: {', '.join(missing)}", height=link.event.height)
        self.seed = link.event.hash
        self.all_shuffles_hold = self.coordinators.submit(self._check_all_shuffles)

    def _check_all_shuffles(self) -> bool:
        """False decides nothing: each shuffle is then checked alone, which says whose is wrong, and how."""
        try:
            shuffles = [parsed.result() for parsed in self.shuffles]
        except MalformedError:
            return False
        if self.tally is None:
            raise RuntimeError("shuffles before the tally reached a check")  # the grammar refuses them first
        return shuffles_hold(self.setup.election, self.tally, shuffles, self.rng, self.executor)

    # --- 8 partial decryptions --------------------------------------------------------------------------------------------

    def _read_companions(self, height: int) -> None:
        if self.companion_data is None or self.companions:
            return
        try:
            self.companions = {companion.owner: companion for companion in CompanionFile.parse(self.companion_data).companions}
        except MalformedError as error:
            raise refuse(Rule.COMPANION_FORM, f"the companion file: {error}", height=height) from error

    def _partial_decryption(self, link: Link) -> None:
        owner, height = self._owner(link, Rule.DECRYPTION_OWNER, self.partials), link.event.height
        if self.report.counted > _TOGETHER and self.shuffles:
            self._drain()  # shuffles and shares of very many ballots are not held at once
            self.shuffles.clear()
            del self.shuffled[:-1]
        self._read_companions(height)
        companion, declarations = self.companions.get(owner), self.setup.declarations
        if companion is None and declarations is not None and declarations.companion:
            reason = f"key-holder {owner}'s decryption comes without the companion proofs that this election requires"
            raise refuse(Rule.COMPANION_MISSING, reason, height=height, blame=f"trustee {owner}, or whoever removed them")
        parsed, before = self.pool.submit(PartialDecryption.parse, link.parts[0]), self._before()
        self.partials[owner] = self._later(
            Step.DECRYPTIONS, height, lambda: self._check_decryption(owner, height, before, parsed, companion)
        )

    def _check_decryption(
        self, owner: int, height: int, before: Future[EncryptedTally], parsed: Future[PartialDecryption], companion: Companion | None
    ) -> PartialDecryption:
        election, blame = self.setup.election, f"trustee {owner}"
        key = self.setup.keys.of_owner(owner).public_key
        tally = before.result()
        try:
            share = parsed.result()
            check_partial_decryption(election.fingerprint, tally, key, share, owner=owner, executor=self.executor)
        except MalformedError as error:
            raise refuse(Rule.DECRYPTION_FORM, f"key-holder {owner}: {error}", height=height, blame=blame) from error
        except InvalidPartialDecryptionError as error:
            raise refuse(Rule.DECRYPTION_PROOF, str(error), height=height, blame=blame) from error
        if companion is not None:
            try:
                check_companion(election, tally, key, share, companion, owner=owner, executor=self.executor)
            except MalformedError as error:
                raise refuse(Rule.COMPANION_FORM, f"key-holder {owner}: {error}", height=height, blame=blame) from error
            except InvalidCompanionError as error:
                raise refuse(Rule.COMPANION_PROOF, str(error), height=height, blame=blame) from error
        return share

    # --- 9 result -----------------------------------------------------------------------------------------------------------

    def _result(self, link: Link) -> None:
        height, election, keys = link.event.height, self.setup.election, self.setup.keys
        if missing := keys.missing(self.partials):
            raise refuse(Rule.DECRYPTION_MISSING, f"still to decrypt: {', '.join(missing)}", height=height)
        if strangers := self.companions.keys() - self.partials.keys():
            reason = f"the companion file has proofs of key-holder {min(strangers)}, whose decryption is not in the archive"
            raise refuse(Rule.COMPANION_FORM, reason, height=height)
        self._drain()
        self.tick_shuffles_and_decryptions()
        self.progress(Step.RESULT, None)
        tally = self._before().result()
        try:
            factors = combine_factors(keys, tally, {owner: share.result() for owner, share in self.partials.items()}, self.executor)
        except VerificationError as error:
            raise refuse(Rule.DECRYPTION_AGREEMENT, str(error), height=height, blame=error.blame) from error
        try:
            result = Result.parse(link.payload)
        except MalformedError as error:
            raise refuse(Rule.RESULT_FORM, str(error), height=height) from error
        try:
            opened = check_result(election, tally, factors, self.report.counted, result, self.executor)
        except InvalidResultError as error:
            raise refuse(Rule.RESULT_VALUE, str(error), height=height) from error
        self.report.result = self._read_result(opened, height)
        self.report.steps[Step.RESULT] = "recomputed from the decryptions, and equal"
        self._recount(opened.result, link)

    # --- 10 count -----------------------------------------------------------------------------------------------------------

    def _recount(self, result: Result, link: Link) -> None:
        height, election, declared = link.event.height, self.setup.election, self.setup.declarations
        rules = () if declared is None else declared.rules
        for number, (question, rule) in enumerate(zip(election.questions, rules, strict=False), 1):
            try:
                check_rule(question, rule)
            except (CountError, MalformedError) as error:
                raise refuse(Rule.COUNT_RULE, f"question {number}: {error}", height=height) from error
        try:
            acts = NO_ACTS if self.results_data is None else published_acts(self.results_data)
        except MalformedError as error:
            raise refuse(Rule.COUNT_FORM, str(error), height=height, blame=None) from error
        outcomes = count_election(
            election,
            declared,
            result,
            ballots=self.report.counted,
            electorate=self.report.credentials,
            seed=self.seed,
            acts=acts,
        )
        digest = sha256_hex(link.payload)
        if self.results_data is not None and self.results_data != results_file(
            election, outcomes, result_hash=digest, seed=self.seed, acts=acts
        ):
            raise refuse(Rule.COUNT_VALUE, "the published file of results is not what the recount gives", height=height, blame=None)
        self.report.verdicts = tuple(outcome.verdict for outcome in outcomes)
        if acts != NO_ACTS:
            self.report.notes.append(NOTE_ACTS)
        words = f"{_counted(len(rules), 'question')} by declared rules" if rules else "no rule is declared"
        self.report.steps[Step.COUNT] = words + ("" if self.results_data is None else "; equal to the published file of results")

    def tick_shuffles_and_decryptions(self) -> None:
        if self.shufflers:
            self.report.steps[Step.SHUFFLES] = _by_key_holders(self.shufflers)
        elif self._setup is not None and not self._setup.ranked:
            self.report.steps[Step.SHUFFLES] = "none is needed: no question is ranked"
        if self.partials:
            words = _by_key_holders(self.partials)
            with_companion = self.companions.keys() & self.partials.keys()
            self.report.steps[Step.DECRYPTIONS] = words + (f", {len(with_companion)} with companion proofs" if with_companion else "")

    def _read_result(self, opened: OpenedTally, height: int) -> tuple[Totals | Rankings, ...]:
        questions: list[Totals | Rankings] = []
        rows: Iterable[Any] = opened.result.result
        for number, (question, row, noise) in enumerate(zip(self.setup.election.questions, rows, opened.not_canonical, strict=True), 1):
            if isinstance(question, QuestionH):
                if wrong := check_totals(question, row, self.report.counted):
                    raise refuse(Rule.RESULT_RANGE, f"question {number}: {wrong}", height=height)
                blank = row[0] if question.blank else None
                questions.append(Totals(question.question, question.answers, row[1:] if question.blank else row, blank))
                continue
            valid = tuple(values for values in row if is_ranking(values))
            invalid = len(row) - len(valid)
            questions.append(Rankings(question.question, question.answers, valid, invalid))
            if invalid or noise:
                words = f"Question {number}: {invalid:,} of {len(row):,} papers are no ranking; they count as invalid and are never shown."
                if noise:
                    words += f" {noise:,} of the plaintexts are no encoding that voting software makes."
                self.report.notes.append(words)
        return tuple(questions)


UNFINISHED: Final = {
    None: "the board is still empty",
    "Setup": "voting has begun or is about to; no ballot has been cast yet",
    "Ballot": "voting is not closed yet",
    "EndBallots": "voting is closed; the tally has not begun",
    "EncryptedTally": "the tally has begun; the key-holders are at work",
    "Shuffle": "the ballots are being shuffled",
    "EndShuffles": "the ballots are shuffled; no key-holder has decrypted yet",
    "PartialDecryption": "key-holders are decrypting; the result is not there yet",
}


def _conclude(report: Report, chain: Chain, run: _Verification) -> None:
    report.notes.append(NOTE_TIME)
    if not run.pins:
        report.notes.append(NOTE_HEAD)
    if chain.last is not None and chain.last.type == "Result":
        if missing := [step for step in Step if step not in report.steps]:
            raise RuntimeError(f"step {missing[0].number} was not made")
        report.outcome = Outcome.VERIFIED
        report.sentence = (
            f"every check holds. {report.counted:,} ballots are counted, of {report.credentials:,} credentials that could vote, "
            f"and the published result is what they say."
        )
        return
    report.outcome = Outcome.UNFINISHED
    run.tick_shuffles_and_decryptions()
    state = UNFINISHED[None if chain.last is None else chain.last.type]
    report.sentence = f"what is there holds, and it is not a whole election: {state}."


def verify_archive(
    file: BinaryIO,
    *,
    companion: bytes | None = None,
    results: bytes | None = None,
    executor: Executor | None = None,
    pins: Iterable[tuple[int, str]] = (),
    progress: Progress | None = None,
    rng: Rng | None = None,
) -> Report:
    """Verify one archive; the report says what was found, and nothing is raised for what the file holds.

    Args:
        file: the archive, open for reading bytes from its start.
        companion: the companion file's bytes, where there is one.
        results: the published file of results, where there is one; without it the count is made and compared with nothing.
        executor: where checks run; None runs them here, one after another.
        pins: (height, hash) of events that the caller has seen before.
        progress: called now and then with the step at work.
        rng: where the weights come from with which shuffles are checked in one go; None is the system's randomness.
    """
    report = Report()
    try:
        _verify(report, file, companion, results, executor, pins, progress, rng)
    except UnusableInputError as error:
        report.outcome, report.sentence = Outcome.UNUSABLE, str(error)
    except ArchiveRefusedError as error:
        _refused(report, error)
    except MalformedError as error:
        # Every other parser's answer is turned into a refusal where it is called: this one is the archive's own.
        height = 0 if report.height is None else report.height + 1
        _refused(report, refuse(Rule.ARCHIVE_BYTES, str(error), height=height, blame=None))
    except Exception as error:  # noqa: BLE001 - threats 1.6: whatever happens inside a check, it is not a pass
        reason = f"a check could not be completed ({type(error).__name__}: {error})"
        _refused(report, refuse(Rule.INTERNAL, reason, blame=None))
    return report


def _refused(report: Report, error: ArchiveRefusedError) -> None:
    report.outcome, report.refusal, report.result = Outcome.REFUSED, error, None
    sentence = str(error)
    report.sentence = sentence if sentence.endswith(".") else f"{sentence}."


def _verify(
    report: Report,
    file: BinaryIO,
    companion: bytes | None,
    results: bytes | None,
    executor: Executor | None,
    pins: Iterable[tuple[int, str]],
    progress: Progress | None,
    rng: Rng | None,
) -> None:
    seen: dict[int, str] = {}
    for height, digest in pins:
        if seen.setdefault(height, digest) != digest:
            raise refuse(Rule.PIN, "two different events were seen at this height: one of the views was false", height=height)
    run = _Verification(report, executor, companion, results, seen, SystemRng() if rng is None else rng)
    if progress is not None:
        run.progress = progress
        if file.seekable():
            start = file.tell()
            size = file.seek(0, SEEK_END)
            file.seek(start)
            run.position = lambda: file.tell() / size
    chain = Chain(_entries(file), run.pins)
    with ExitStack() as stack:
        if executor is not None:
            run.coordinators = stack.enter_context(ThreadPoolExecutor(_COORDINATORS))
        run.run(chain)
    _conclude(report, chain, run)
