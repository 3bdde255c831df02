"""An honest election in memory, with everybody's secrets, that a test then bends in one place.

`Society` is the people and their keys; `society.hold()` runs an election and gives its `Board`: one `Act` an event, from
which `board.to_bytes()` makes the archive with all hashes and the chain re-made, as an attacker who runs the server would.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ballot.errors import VerificationError
from ballot.protocol import credentials, trustees
from ballot.protocol.archive import pack_event, pack_header, pack_object
from ballot.protocol.ballots import ballot_hash, create_ballot
from ballot.protocol.companion import gen_companion
from ballot.protocol.declarations import Declarations, join_description
from ballot.protocol.decryption import combine_factors, gen_partial_decryption
from ballot.protocol.group import GROUP_NAME, SeededRng
from ballot.protocol.messages import (
    Ballot,
    Companion,
    CompanionFile,
    Election,
    EncryptedTally,
    Event,
    Owned,
    PartialDecryption,
    PublicCredentials,
    Question,
    QuestionH,
    QuestionNH,
    Result,
    SetupData,
    Shuffle,
    Signature,
    SizedEncryptedTally,
    Trustees,
    sha256_hex,
)
from ballot.protocol.proofs import sign
from ballot.protocol.result import open_tally
from ballot.protocol.shuffle import shuffle_tally
from ballot.protocol.tally import compute_encrypted_tally, merge_nh_ciphertexts, ranked_questions

TIMESTAMP = 1_750_000_000
MOTION = QuestionH(("For", "Against"), 1, 1, "Shall we meet on Sundays?", True)
CHOOSE = QuestionH(("Ann", "Bo", "Cy"), 1, 2, "Who speaks for us?")
RANKED = QuestionNH(("Ann", "Bo", "Cy"), "Who chairs?")
DECLARED = Declarations(companion=True, minimum_ballots=5, practice=False, replace=False, roll="", rules=())


@dataclass
class Act:
    """One event: the objects its payload names (`parts`), and how the payload is made of their hashes."""

    type: Any
    parts: list[bytes] = field(default_factory=list)
    payload: bytes | Callable[..., bytes] | None = None

    def objects(self) -> list[bytes]:
        """All objects before the event, the payload last."""
        if self.payload is None:
            return list(self.parts)
        payload = self.payload(*map(sha256_hex, self.parts)) if callable(self.payload) else self.payload
        return [*self.parts, payload]


@dataclass
class Entry:
    """One entry of the archive, below the level of acts."""

    kind: str
    data: bytes

    def pack(self) -> bytes:
        return (pack_event if self.kind == "event" else pack_object)(self.data, TIMESTAMP)


def pack_entries(entries: Sequence[Entry]) -> bytes:
    """An archive of these entries, whatever they are."""
    return pack_header(TIMESTAMP) + b"".join(entry.pack() for entry in entries)


@dataclass
class Board:
    """A whole election as it is published."""

    acts: list[Act]
    companions: list[Companion] | None = None

    def index(self, kind: str, number: int = 0) -> int:
        """The height of the n-th event of a type."""
        return [height for height, act in enumerate(self.acts) if act.type == kind][number]

    def act(self, kind: str, number: int = 0) -> Act:
        return self.acts[self.index(kind, number)]

    def entries(self) -> list[Entry]:
        """The archive's entries, the chain re-made."""
        entries, parent = [], None
        for height, act in enumerate(self.acts):
            objects = act.objects()
            entries += [Entry("data", data) for data in objects]
            event = Event(height, act.type, parent, sha256_hex(objects[-1]) if act.payload is not None else None)
            entries.append(Entry("event", event.to_bytes()))
            parent = event.hash
        return entries

    def to_bytes(self) -> bytes:
        return pack_entries(self.entries())

    def file(self) -> io.BytesIO:
        return io.BytesIO(self.to_bytes())

    def companion_bytes(self) -> bytes | None:
        return None if self.companions is None else CompanionFile(tuple(self.companions)).to_bytes()

    def hash_at(self, height: int) -> str:
        """The hash of the event at a height."""
        return sha256_hex([entry.data for entry in self.entries() if entry.kind == "event"][height])


@dataclass
class Group:
    """A threshold group's ceremony, with its secrets."""

    holders: list[trustees.PkiKeys]
    parameters: Any
    shares: list[int]


@cache
def _group(seed: bytes, threshold: int, size: int) -> Group:
    rng = SeededRng(seed + b"|group")
    holders = [trustees.PkiKeys.from_seed(trustees.gen_seed(rng)) for _ in range(size)]
    certificates = [trustees.make_certificate(keys, index=i, threshold=threshold, size=size, rng=rng) for i, keys in enumerate(holders, 1)]
    polynomials = [trustees.make_polynomial(keys, certificates, rng) for keys in holders]
    vinputs = trustees.make_vinputs(certificates, polynomials)
    voutputs = [trustees.make_voutput(keys, certificates, vinput, rng) for keys, vinput in zip(holders, vinputs, strict=True)]
    parameters = trustees.make_threshold_parameters(certificates, polynomials, voutputs)
    shares = [trustees.open_decryption_key(keys, out.private_key) for keys, out in zip(holders, voutputs, strict=True)]
    return Group(holders, parameters, shares)


class Society:
    """Members, key-holders and their secrets. By default one single key-holder, and a group of three of whom two are needed:
    owner 1, and owners 2 to 4."""

    def __init__(
        self,
        questions: Sequence[Question] = (MOTION, RANKED),
        *,
        seed: bytes = b"honest",
        voters: int = 7,
        singles: int = 1,
        group: tuple[int, int] | None = (2, 3),
        declarations: Declarations | None = DECLARED,
        name: str = "An honest election",
    ) -> None:
        self.seed = seed
        rng = self.rng("keys")
        self.private_keys = {owner: rng.scalar() for owner in range(1, singles + 1)}
        items: list[Any] = [trustees.make_public_key(x, rng) for x in self.private_keys.values()]
        self.group = None if group is None else _group(seed, *group)
        if self.group is not None:
            items.append(self.group.parameters)
            self.private_keys |= dict(enumerate(self.group.shares, singles + 1))
        self.trustees = Trustees(tuple(items))
        self.keys = trustees.check_trustees(self.trustees)
        uuid = "".join(credentials.ALPHABET[rng.below(58)] for _ in range(14))
        description = "Made by a test." if declarations is None else join_description("Made by a test.", declarations)
        self.election = Election(1, description, name, GROUP_NAME, self.keys.public_key, tuple(questions), uuid)
        self.codes = [credentials.new_code(rng) for _ in range(voters)]
        self.credentials = PublicCredentials.from_points([credentials.public(uuid, code) for code in self.codes])
        self.declarations = declarations
        needed = group[0] if group else 0
        self.working = tuple(range(1, singles + needed + 1))  # the owners that shuffle and decrypt

    def rng(self, purpose: str) -> SeededRng:
        return SeededRng(self.seed + b"|" + purpose.encode())

    def choices(self, voter: int) -> list[list[int]]:
        """What this member votes."""
        rows = []
        for question in self.election.questions:
            if question == MOTION:
                rows.append([[0, 1, 0], [0, 0, 1], [1, 0, 0]][voter % 3])
            elif isinstance(question, QuestionH):
                rows.append([int(i in (voter % 3, voter % 2)) for i in range(question.length)])
            else:
                size = len(question.answers)
                rows.append([(voter + i) % size + 1 for i in range(size)] if voter % 4 else [1] + [0] * (size - 1))
        return rows

    def secret(self, voter: int) -> int:
        return credentials.secret(self.election.uuid, self.codes[voter])

    def ballot(self, voter: int, choices: list[list[int]] | None = None, *, again: str = "", election: Election | None = None) -> Ballot:
        """This member's ballot; `again` makes another one of the same choices."""
        rng = self.rng(f"ballot {voter} {again}")
        return create_ballot(election or self.election, self.codes[voter], choices or self.choices(voter), rng)

    def sign(self, ballot: Ballot, voter: int) -> Ballot:
        """The ballot with a sound signature of this member over whatever it holds."""
        digest = ballot_hash(ballot)
        return replace(ballot, signature=Signature(digest, sign(digest, self.secret(voter), self.rng(f"sign {voter}"))))

    def ballots(self) -> list[Ballot]:
        """The honest ballots: everybody but the last member votes."""
        return [self.ballot(voter) for voter in range(len(self.codes) - 1)]

    def setup_act(self) -> Act:
        parts = [self.election.to_bytes(), self.trustees.to_bytes(), self.credentials.to_bytes()]
        return Act("Setup", parts, lambda *hashes: SetupData(*hashes).to_bytes())

    def hold(
        self,
        ballots: Sequence[Ballot] | None = None,
        *,
        tallied: Sequence[Ballot] | None = None,
        shuffling: Sequence[int] | None = None,
        decrypting: Sequence[int] | None = None,
        bend_tally: Callable[[EncryptedTally], EncryptedTally] = lambda tally: tally,
        bend_shuffle: Callable[[int, Shuffle], Shuffle] = lambda _, shuffle: shuffle,
        bend_share: Callable[[int, EncryptedTally, PartialDecryption], PartialDecryption] = lambda _, __, share: share,
    ) -> Board:
        """Run the election to its end. Whoever is bent, everybody after works on with what there is."""
        ballots = self.ballots() if ballots is None else ballots
        acts = [self.setup_act()]
        acts += [Act("Ballot", [], ballot.to_bytes()) for ballot in ballots]
        acts.append(Act("EndBallots"))
        election = self.election
        tally, size = compute_encrypted_tally(election, ballots if tallied is None else tallied)
        tally = bend_tally(tally)
        count = size.num_tallied
        acts.append(Act("EncryptedTally", [tally.to_bytes()], lambda digest: SizedEncryptedTally(count, count, digest).to_bytes()))
        if list(ranked_questions(election)):
            for owner in self.working if shuffling is None else shuffling:
                shuffle = bend_shuffle(owner, shuffle_tally(election, tally, self.rng(f"shuffle {owner}")))
                acts.append(owned("Shuffle", owner, shuffle.to_bytes()))
                tally = merge_nh_ciphertexts(election, tally, shuffle.ciphertexts)
            acts.append(Act("EndShuffles"))
        shares, companions = {}, []
        for owner in self.working if decrypting is None else decrypting:
            key = self.private_keys[owner]
            honest = gen_partial_decryption(election.fingerprint, tally, key, self.rng(f"share {owner}"))
            shares[owner] = bend_share(owner, tally, honest)
            companions.append(gen_companion(election, tally, key, shares[owner], self.rng(f"companion {owner}"), owner=owner))
            acts.append(owned("PartialDecryption", owner, shares[owner].to_bytes()))
        acts.append(Act("Result", [], self.result(tally, shares, count).to_bytes()))
        with_companions = self.declarations is not None and self.declarations.companion
        return Board(acts, sorted(companions, key=lambda c: c.owner) if with_companions else None)

    def result(self, tally: EncryptedTally, shares: dict[int, PartialDecryption], count: int) -> Result:
        """What the shares open to; where they open to nothing, some numbers."""
        try:
            return open_tally(self.election, tally, combine_factors(self.keys, tally, shares), count).result
        except VerificationError:  # a bent share, or too few of them: the attacker publishes what they like
            honest = [[0] * q.length if isinstance(q, QuestionH) else [[0] * len(q.answers)] * count for q in self.election.questions]
            return Result(tuple(tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in honest))


def owned(kind: str, owner: int, data: bytes) -> Act:
    """A shuffle or a share with its owner."""
    return Act(kind, [data], lambda digest: Owned(owner, digest).to_bytes())


@cache
def society() -> Society:
    """The society that most tests share."""
    return Society()


@cache
def _honest_acts() -> Board:
    return society().hold()


def honest() -> Board:
    """An honest election, to be bent: a copy of its own for each caller."""
    board = _honest_acts()
    return Board([replace(act, parts=list(act.parts)) for act in board.acts], list(board.companions or []))
