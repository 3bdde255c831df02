"""A whole election in this process: members, trustees, ballots, tally, shuffles, decryptions and result.

The generator of archives for tests, benchmarks and rehearsals of an audit. All secrets are in one hand here, so nothing
that it makes is an election anybody should rely on. With a seed the files are the same to the byte each time, whatever
the executor; without one, randomness is the operating system's.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeVar

from ballot.errors import CountError, MalformedError
from ballot.protocol import credentials, trustees
from ballot.protocol.archive import ArchiveWriter
from ballot.protocol.ballots import create_ballot
from ballot.protocol.companion import gen_companion
from ballot.protocol.declarations import MINIMUM_BALLOTS, Declarations, join_description, split_description
from ballot.protocol.decryption import combine_factors, gen_partial_decryption
from ballot.protocol.group import GROUP_NAME, Point, Rng, SeededRng, SystemRng
from ballot.protocol.messages import (
    QUESTION,
    Ballot,
    CompanionFile,
    Election,
    Owned,
    PublicCredentials,
    Question,
    QuestionH,
    Result,
    SetupData,
    Trustees,
    loads,
    sha256_hex,
)
from ballot.protocol.result import compute_result
from ballot.protocol.shuffle import shuffle_tally
from ballot.protocol.tally import TallyBuilder, merge_nh_ciphertexts, ranked_questions
from ballot.recount import check_rule, count_election, results_file

T = TypeVar("T")
R = TypeVar("R")

_UUID_LENGTH: Final = 14
_CHUNK: Final = 25  # ballots; a tenth of a second of work
_AHEAD: Final = 16  # chunks that may wait for the archive's writer, so that memory does not grow with the electorate
_BLANK_IN: Final = 10  # one vote in ten is blank, and one ranking in ten is empty, where that is allowed


@dataclass(frozen=True)
class Plan:
    """What to simulate. `threshold` members of one group of `trustees` open it; None: so many single trustees, all needed.

    `turnout`: number of members who vote; None: all. `declared`: whether the election declares companion proofs; otherwise
    it is a plain v1 one. `rules`: one a question, as `ballot.recount` reads them; or none.
    `timestamp`: the archive's, in seconds since 1970 UTC.
    """

    questions: tuple[Question, ...]
    voters: int
    trustees: int = 3
    threshold: int | None = None
    turnout: int | None = None
    name: str = "A simulated election"
    description: str = ""
    declared: bool = True
    rules: tuple[dict[str, Any], ...] = ()
    seed: bytes | None = None
    timestamp: int = 1_750_000_000

    def __post_init__(self) -> None:
        if self.voters < 1 or not 1 <= self.ballots <= self.voters:
            raise MalformedError("at least one member votes, and no more than there are")
        if not 1 <= self.trustees <= trustees.MAX_GROUP or not (self.threshold is None or 1 <= self.threshold <= self.trustees):
            raise MalformedError(f"from 1 to {trustees.MAX_GROUP} trustees, and a threshold from 1 to their number")
        if self.rules and not self.declared:
            raise MalformedError("a plain Belenios election declares no rules")
        if self.rules and len(self.rules) != len(self.questions):
            raise MalformedError(f"{len(self.rules)} rules for {len(self.questions)} questions: each question needs one")
        for number, (question, rule) in enumerate(zip(self.questions, self.rules, strict=False), start=1):
            try:
                check_rule(question, rule)
            except (CountError, MalformedError) as error:
                raise MalformedError(f"question {number}: {error}") from error

    @property
    def ballots(self) -> int:
        return self.voters if self.turnout is None else self.turnout

    def rng(self, purpose: str) -> Rng:
        """Randomness of its own for each purpose, so that no part depends on how much another one drew."""
        return SystemRng() if self.seed is None else SeededRng(self.seed + b"|" + purpose.encode())


@dataclass(frozen=True)
class Simulated:
    """The outcome, public and secret. Shapes: choices[ballot][question][answer]; codes: one a member; private keys by owner.

    `results` is the published file of results, None where the election declares no rules.
    """

    election: Election
    trustees: Trustees
    credentials: PublicCredentials
    result: Result
    companions: CompanionFile | None
    codes: tuple[str, ...]
    choices: tuple[tuple[tuple[int, ...], ...], ...]
    private_keys: dict[int, int]
    results: bytes | None


def parse_rules(data: bytes) -> tuple[dict[str, Any], ...]:
    """The rules of a JSON list, one object a question. Raises: MalformedError."""
    value = loads(data)
    if not isinstance(value, list) or not value or not all(isinstance(rule, dict) for rule in value):
        raise MalformedError("rules are a JSON list with one object for each question")
    return tuple(value)


def parse_template(data: bytes) -> tuple[str, str, tuple[Question, ...]]:
    """Name, description and questions of a Belenios questions template. Raises: MalformedError."""
    value = loads(data)
    if not isinstance(value, dict) or not {"name", "description", "questions"} <= value.keys():
        raise MalformedError("a questions template is a JSON object with name, description and questions")
    name, description, questions = value["name"], value["description"], value["questions"]
    if not isinstance(name, str) or not isinstance(description, str) or not isinstance(questions, list):
        raise MalformedError("a questions template's name and description are strings, and its questions an array")
    return name, description, tuple(QUESTION.decode(question) for question in questions)


# --- what members choose ------------------------------------------------------------------------------------------------


def random_choices(question: Question, rng: Rng) -> tuple[int, ...]:
    """A permitted answer to a question: blank or empty now and then, else each number of choices alike."""
    order = list(range(len(question.answers)))
    for i in range(len(order) - 1, 0, -1):  # Fisher-Yates
        j = rng.below(i + 1)
        order[i], order[j] = order[j], order[i]
    nothing = rng.below(_BLANK_IN) == 0
    if not isinstance(question, QuestionH):
        ranks = [0] * len(order)
        ranked = 0 if nothing or not order else 1 + rng.below(len(order))
        for rank, answer in enumerate(order[:ranked], start=1):
            ranks[answer] = rank
        return tuple(ranks)
    if question.blank and nothing:
        return (1, *[0] * len(order))
    chosen = set(order[: question.min + rng.below(question.max - question.min + 1)])
    return (*[0] * bool(question.blank), *(int(answer in chosen) for answer in range(len(order))))


def _vote(plan: Plan, election: Election, first: int, codes: Sequence[str]) -> list[tuple[tuple[tuple[int, ...], ...], Ballot]]:
    """Choices and ballots of the members number `first` and following; run in a worker."""
    votes = []
    for number, code in enumerate(codes, start=first):
        rng = plan.rng(f"choices {number}")
        choices = tuple(random_choices(question, rng) for question in election.questions)
        votes.append((choices, create_ballot(election, code, choices, plan.rng(f"ballot {number}"))))
    return votes


def _ahead(executor: Executor | None, function: Callable[..., R], tasks: Iterable[tuple[object, ...]]) -> Iterator[R]:
    """`function(*task)` for each task, in order, with only a few tasks under way."""
    if executor is None:
        yield from itertools.starmap(function, tasks)
        return
    waiting: deque[Future[R]] = deque()
    for task in tasks:
        waiting.append(executor.submit(function, *task))
        if len(waiting) >= _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


# --- trustees -------------------------------------------------------------------------------------------------------------


def _make_trustees(plan: Plan) -> tuple[Trustees, dict[int, int]]:
    """The trustees' public structure, and each owner's private key."""
    rng = plan.rng("trustees")
    if plan.threshold is None:
        private_keys = {owner: rng.scalar() for owner in range(1, plan.trustees + 1)}
        return Trustees(tuple(trustees.make_public_key(x, rng) for x in private_keys.values())), private_keys
    holders = [trustees.PkiKeys.from_seed(trustees.gen_seed(rng)) for _ in range(plan.trustees)]
    certificates = [
        trustees.make_certificate(keys, index=index, threshold=plan.threshold, size=plan.trustees, rng=rng)
        for index, keys in enumerate(holders, start=1)
    ]
    polynomials = [trustees.make_polynomial(keys, certificates, rng) for keys in holders]
    vinputs = trustees.make_vinputs(certificates, polynomials)
    voutputs = [trustees.make_voutput(keys, certificates, vinput, rng) for keys, vinput in zip(holders, vinputs, strict=True)]
    parameters = trustees.make_threshold_parameters(certificates, polynomials, voutputs)
    shares = zip(holders, voutputs, strict=True)
    private_keys = {
        owner: trustees.open_decryption_key(keys, voutput.private_key) for owner, (keys, voutput) in enumerate(shares, start=1)
    }
    return Trustees((parameters,)), private_keys


# --- the election -----------------------------------------------------------------------------------------------------------


def _set_up(plan: Plan, public_key: Point) -> Election:
    rng = plan.rng("election")
    description = plan.description
    if plan.declared:
        declarations = Declarations(
            companion=True, minimum_ballots=min(MINIMUM_BALLOTS, plan.ballots), practice=False, replace=False, roll="", rules=plan.rules
        )
        description = join_description(description, declarations)
    uuid = "".join(credentials.ALPHABET[rng.below(58)] for _ in range(_UUID_LENGTH))
    return Election(1, description, plan.name, GROUP_NAME, public_key, plan.questions, uuid)


def simulate(
    plan: Plan,
    open_archive: Callable[[Election], BinaryIO],
    executor: Executor | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Simulated:
    """Run an election and write its archive; the caller opens the archive's file, named after the election, and closes it.

    `tell` hears a word when a part is done.
    """
    public_trustees, private_keys = _make_trustees(plan)
    keys = trustees.check_trustees(public_trustees)
    election = _set_up(plan, keys.public_key)
    code_rng = plan.rng("codes")
    codes = tuple(credentials.new_code(code_rng) for _ in range(plan.voters))
    public_credentials = PublicCredentials.from_points([credentials.public(election.uuid, code) for code in codes])

    archive = ArchiveWriter(open_archive(election), plan.timestamp)
    setup = SetupData(*(archive.add_object(part.to_bytes()) for part in (election, public_trustees, public_credentials)))
    archive.add_event("Setup", archive.add_object(setup.to_bytes()))
    tell("set up")

    builder = TallyBuilder(election)
    choices: list[tuple[tuple[int, ...], ...]] = []
    tasks = ((plan, election, at, codes[at : min(at + _CHUNK, plan.ballots)]) for at in range(0, plan.ballots, _CHUNK))
    for chosen, ballot in itertools.chain.from_iterable(_ahead(executor, _vote, tasks)):
        archive.add_event("Ballot", archive.add_object(ballot.to_bytes()))
        builder.add(ballot)
        choices.append(chosen)
    archive.add_event("EndBallots")
    tell("ballots")

    tally, size = builder.finish()
    archive.add_object(tally.to_bytes())
    archive.add_event("EncryptedTally", archive.add_object(size.to_bytes()))
    tell("tally")

    # Of a group, as many members as are needed work on the tally; all of them where every key is needed.
    owners = sorted(private_keys)[: plan.threshold or plan.trustees]
    if list(ranked_questions(election)):
        for owner in owners:
            shuffle = shuffle_tally(election, tally, plan.rng(f"shuffle {owner}"), executor)
            archive.add_event("Shuffle", archive.add_object(Owned(owner, archive.add_object(shuffle.to_bytes())).to_bytes()))
            tally = merge_nh_ciphertexts(election, tally, shuffle.ciphertexts)
            tell(f"shuffle {owner}")
        archive.add_event("EndShuffles")
    seed = archive.head.hash if archive.head is not None else ""  # of the last event before the first decryption: lots (recount)

    partials, companions = {}, []
    for owner in owners:
        private_key = private_keys[owner]
        partial = gen_partial_decryption(election.fingerprint, tally, private_key, plan.rng(f"decryption {owner}"), executor)
        archive.add_event("PartialDecryption", archive.add_object(Owned(owner, archive.add_object(partial.to_bytes())).to_bytes()))
        partials[owner] = partial
        if plan.declared:
            rng = plan.rng(f"companion {owner}")
            companions.append(gen_companion(election, tally, private_key, partial, rng, owner=owner, executor=executor))
        tell(f"decryption {owner}")

    factors = combine_factors(keys, tally, partials, executor)
    result = compute_result(election, tally, factors, builder.num_tallied, executor)
    archive.add_event("Result", archive.add_object(result.to_bytes()))
    tell("result")
    results = None
    if plan.rules:
        declared = split_description(election.description)[1]
        counted = count_election(election, declared, result, ballots=builder.num_tallied, electorate=plan.voters, seed=seed)
        results = results_file(election, counted, result_hash=sha256_hex(result.to_bytes()), seed=seed)
    return Simulated(
        election,
        public_trustees,
        public_credentials,
        result,
        CompanionFile(tuple(companions)) if plan.declared else None,
        codes,
        tuple(choices),
        private_keys,
        results,
    )
