"""What a key-holder does, apart from arguments and printing: the key file, the record of acts, and the checks before an act.

Nothing is shuffled or opened before the whole archive has been verified here, and nothing at all if

- the archive breaks any rule of `ballot.verifier`, or is not at the point at which this act is due;
- fewer ballots are counted than the election's declared minimum (5 where it declares nothing);
- the key is not one that the archive's set-up names, or the key file was made for another election;
- this key was used for another tally of the same election before. The record stands beside the key file, survives restarts,
  and is on the disk before anything leaves this machine.
"""

from __future__ import annotations

import fcntl
import os
import re
import unicodedata
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from ballot.errors import MalformedError, RefusedError, UnusableInputError, VerificationError
from ballot.protocol.archive import Entry, read_archive
from ballot.protocol.companion import gen_companion
from ballot.protocol.declarations import MINIMUM_BALLOTS, Declarations, split_description
from ballot.protocol.decryption import gen_partial_decryption
from ballot.protocol.group import G, Rng, scalar_from_text
from ballot.protocol.messages import (
    UUID,
    Companion,
    Election,
    EncryptedTally,
    Event,
    Owned,
    PartialDecryption,
    SetupData,
    Shuffle,
    SizedEncryptedTally,
    Trustees,
    dumps,
    loads,
    sha256_hex,
)
from ballot.protocol.shuffle import shuffle_tally
from ballot.protocol.tally import merge_nh_ciphertexts, ranked_questions
from ballot.protocol.trustees import ElectionKeys, PkiKeys, VerificationKey, check_trustees
from ballot.sealed import peek, seal, sync_folder, unseal, write_private
from ballot.verifier.report import Outcome, Report
from ballot.verifier.verify import Progress, verify_archive

Act = Literal["shuffle", "decrypt"]
KIND: Final = "key-holder's key"
_MAX_RECORD: Final = 1 << 20


# --- the key file -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyFile:
    """A key-holder's secret for one election.

    `seed` is the ceremony's, for a threshold group only; `private_key` is the decryption key, None until step 5 is done.
    """

    election: str
    owner: int
    holder: str
    kind: Literal["single", "threshold"]
    seed: str | None = field(default=None, repr=False)
    private_key: int | None = field(default=None, repr=False)

    def to_bytes(self, passphrase: str) -> bytes:
        """The sealed file. Raises: RefusedError for a short passphrase."""
        secret: dict[str, Any] = {}
        if self.seed is not None:
            secret["seed"] = self.seed
        if self.private_key is not None:
            secret["private_key"] = str(self.private_key)
        about = {"election": self.election, "owner": str(self.owner), "holder": self.holder, "key": self.kind}
        return seal(KIND, about, dumps(secret), passphrase)

    @classmethod
    def from_bytes(cls, data: bytes, passphrase: str) -> KeyFile:
        """Open a sealed key file. Raises: MalformedError, WrongPassphraseError."""
        who(data)
        opened = unseal(data, passphrase)
        about, secret = opened.about, loads(opened.data)
        match about, secret:
            case (
                {"election": election, "owner": owner, "holder": holder, "key": "single" | "threshold" as kind},
                {**secrets},
            ) if len(about) == 4 and secrets.keys() <= {"seed", "private_key"}:
                UUID.decode(election)
                number = scalar_from_text(owner)
                seed, text = secrets.get("seed"), secrets.get("private_key")
                if isinstance(seed, str):
                    PkiKeys.from_seed(seed)
                if (seed is None) != (kind == "single") or not isinstance(seed, str | None) or not isinstance(text, str | None):
                    raise MalformedError("this key file does not hold what its kind needs")
                return cls(election, number, holder, kind, seed, None if text is None else scalar_from_text(text))
            case _:
                raise MalformedError("this key file does not hold a key-holder's key")

    @property
    def name(self) -> str:
        """A file name that says which ballot and whose key."""
        return f"ballot-{self.election}-{self.owner}-{slug(self.holder)}.key"

    @property
    def pki(self) -> PkiKeys:
        """The ceremony's keys. Raises: RefusedError for a single key."""
        if self.seed is None:
            raise RefusedError("this key is a single one and takes no part in a group's ceremony")
        return PkiKeys.from_seed(self.seed)

    def decryption_key(self) -> int:
        """The key that opens ballots. Raises: RefusedError if the ceremony has not come so far."""
        if self.private_key is None:
            raise RefusedError("this key file holds no decryption key yet: the ceremony's step 5 is still to do")
        return self.private_key

    def with_private_key(self, private_key: int) -> KeyFile:
        return replace(self, private_key=private_key)


def who(data: bytes) -> str:
    """Whose key for which ballot a file is, as it says itself, without the passphrase. Raises: MalformedError."""
    kind, about = peek(data)
    if kind != KIND:
        raise MalformedError(f"this file is not a key-holder's key, but: {kind[:60]}")
    return f"the key of {plain(about.get('holder', '?'))} for ballot {plain(about.get('election', '?'))}"


def slug(text: str) -> str:
    """Text as part of a file name: letters, digits and hyphens."""
    plain_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain_text).strip("-")[:40] or "holder"


def plain(text: str) -> str:
    """Text from outside as it may stand on a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200])


def write_key(path: Path, key: KeyFile, passphrase: str, *, replace_old: bool = False) -> None:
    """Put the sealed key on the disk, mode 0600. Raises: UnusableInputError, RefusedError."""
    write_private(path, key.to_bytes(passphrase), replace=replace_old)


# --- what the archive says ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Board:
    """A verified archive, as far as a key-holder needs it. `tally` has the shuffles so far merged in."""

    report: Report
    election: Election
    keys: ElectionKeys
    declarations: Declarations | None
    last: str
    size: SizedEncryptedTally | None
    tally: EncryptedTally | None
    shuffled_by: frozenset[int]
    decrypted_by: frozenset[int]

    @property
    def ranked(self) -> bool:
        return bool(list(ranked_questions(self.election)))

    @property
    def minimum(self) -> int:
        return MINIMUM_BALLOTS if self.declarations is None else self.declarations.minimum_ballots

    def key_of(self, private_key: int) -> VerificationKey:
        """Which owner this private key belongs to. Raises: RefusedError if to none."""
        public = G**private_key
        for key in self.keys.keys:
            if key.public_key == public:
                return key
        raise RefusedError(f"this key is none of the keys of the election “{plain(self.election.name)}” ({self.election.uuid})")


def read_board(
    file: BinaryIO,
    *,
    companion: bytes | None = None,
    executor: Executor | None = None,
    pins: Iterable[tuple[int, str]] = (),
    progress: Progress | None = None,
) -> Board:
    """Verify a whole archive, and gather what an act needs.

    Raises: UnusableInputError for what is no archive, VerificationError for one that breaks a rule.
    """
    report = verify_archive(file, companion=companion, executor=executor, pins=pins, progress=progress)
    if report.outcome is Outcome.UNUSABLE:
        raise UnusableInputError(report.sentence)
    if report.refusal is not None:
        raise VerificationError(report.verdict(), blame=report.refusal.blame)
    if report.outcome not in {Outcome.UNFINISHED, Outcome.VERIFIED}:
        raise VerificationError("the archive could not be verified")
    file.seek(0)
    return _gather(file, report)


def _gather(file: BinaryIO, report: Report) -> Board:
    election: Election | None = None
    keys: ElectionKeys | None = None
    size: SizedEncryptedTally | None = None
    tally: EncryptedTally | None = None
    shuffled_by, decrypted_by = set(), set()
    objects: dict[str, bytes] = {}  # since the last event
    last, head = "", None
    for item in read_archive(file):
        if not isinstance(item, Entry):
            continue
        if item.kind == "data":
            objects[item.hash] = item.data
            continue
        event = Event.parse(item.data)
        last, head = event.type, item.hash
        payload = objects.get(event.payload or "", b"")
        match event.type:
            case "Setup":
                setup = SetupData.parse(payload)
                election = Election.parse(objects[setup.election])
                keys = check_trustees(Trustees.parse(objects[setup.trustees]))
            case "EncryptedTally":
                size = SizedEncryptedTally.parse(payload)
                tally = EncryptedTally.parse(objects[size.encrypted_tally])
            case "Shuffle" if election is not None and tally is not None:
                owned = Owned.parse(payload)
                shuffled_by.add(owned.owner)
                tally = merge_nh_ciphertexts(election, tally, Shuffle.parse(objects[owned.payload]).ciphertexts)
            case "PartialDecryption":
                decrypted_by.add(Owned.parse(payload).owner)
        objects.clear()
    if head != report.head:
        raise VerificationError("the archive changed while it was being verified")
    if election is None or keys is None:
        raise UnusableInputError("the archive holds no election yet")
    declarations = split_description(election.description)[1]
    return Board(report, election, keys, declarations, last, size, tally, frozenset(shuffled_by), frozenset(decrypted_by))


# --- the record of acts -----------------------------------------------------------------------------------------------------


def record_path(key_path: Path) -> Path:
    """Where the record of what a key was used for stands."""
    return key_path.with_name(f"{key_path.name}.used")


def _record_use(key_path: Path, act: Act, board: Board, size: SizedEncryptedTally, tally: EncryptedTally) -> None:
    """Write down that the key is about to be used for this tally, unless it was used for another one before.

    Raises: RefusedError, UnusableInputError if the record cannot be read or written.
    """
    path = record_path(key_path)
    opened = sha256_hex(tally.to_bytes()) if act == "decrypt" else None
    entry = {
        "act": act,
        "election": board.election.uuid,
        "fingerprint": board.election.fingerprint,
        "tally": size.encrypted_tally,
        "opened": opened,
    }
    try:
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read(_MAX_RECORD)
            if len(text) == _MAX_RECORD:
                raise MalformedError("longer than any real record")
            lines = text.split(b"\n")[:-1]
            for line in lines:
                _compare(loads(line), entry, path)
            file.truncate(len(text) - len(text.rpartition(b"\n")[2]))  # a line without its end was never acted upon
            if dumps(entry) not in lines:
                file.write(dumps(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(path.parent)
    except OSError as error:
        raise UnusableInputError(f"{path}: {error.strerror or error}; without this record nothing is opened.") from error
    except MalformedError as error:
        raise UnusableInputError(f"{path}: this record of earlier use cannot be read; nothing is opened.") from error


def _compare(before: Any, entry: dict[str, str | None], path: Path) -> None:
    if not isinstance(before, dict) or before.keys() != entry.keys():
        raise MalformedError("a line is not as this program writes it")
    if before["election"] != entry["election"]:
        return
    same_tally = (before["fingerprint"], before["tally"]) == (entry["fingerprint"], entry["tally"])
    same_opened = before["opened"] is None or entry["opened"] is None or before["opened"] == entry["opened"]
    if not same_tally or not same_opened:
        raise RefusedError(
            f"this key was used for another tally of this election before (see {path}): opening a second one could show "
            "single ballots. Tell the returning officer and an auditor."
        )


# --- acts -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """An act that every check allows: whose key, and on what."""

    key: VerificationKey
    size: SizedEncryptedTally
    tally: EncryptedTally


def prepare(board: Board, key: KeyFile, act: Act) -> Ready:
    """Every check before an act, but the record of earlier use.

    Raises: RefusedError with the reason, VerificationError.
    """
    private_key = key.decryption_key()
    if key.election != board.election.uuid:
        raise RefusedError(f"this key is for ballot {key.election}, and the archive is of ballot {board.election.uuid}")
    verification_key = board.key_of(private_key)
    due = _due(board, verification_key.owner, act)
    if due is not None:
        raise RefusedError(due)
    if board.size is None or board.tally is None:
        raise RefusedError("the encrypted tally is not there yet")
    if board.report.counted != board.size.num_tallied:
        raise VerificationError("the tally's own number of ballots is not what was counted")
    if board.size.num_tallied < board.minimum:
        raise RefusedError(
            f"only {board.size.num_tallied} ballots are counted, and fewer than {board.minimum} are not opened: "
            "the result could show how single members voted"
        )
    return Ready(verification_key, board.size, board.tally)


def _due(board: Board, owner: int, act: Act) -> str | None:
    """Why an act is not due now; None if it is."""
    match board.last:
        case "Setup" | "Ballot" | "EndBallots":
            return "voting is not closed, or the tally has not begun: there is nothing to do for key-holders yet"
        case "Result":
            return "the result is published already: there is nothing left to do for key-holders"
        case _:
            pass
    if act == "shuffle":
        if not board.ranked:
            return "this election has no ranked question, so nothing needs shuffling"
        if board.last not in {"EncryptedTally", "Shuffle"}:
            return "shuffling is finished"
        if owner in board.shuffled_by:
            return "this key-holder's shuffle is in the archive already"
        return None
    if board.ranked and board.last not in {"EndShuffles", "PartialDecryption"}:
        return "the ballots are still being shuffled; opening comes after that"
    if owner in board.decrypted_by:
        return "this key-holder's share is in the archive already"
    return None


def shuffle(board: Board, key: KeyFile, key_path: Path, rng: Rng, executor: Executor | None = None) -> tuple[Ready, Shuffle]:
    """Shuffle the ranked ballots, after all checks. Raises: as `prepare`; RefusedError if the key was used for another tally."""
    ready = prepare(board, key, "shuffle")
    _record_use(key_path, "shuffle", board, ready.size, ready.tally)
    return ready, shuffle_tally(board.election, ready.tally, rng, executor)


def decrypt(
    board: Board, key: KeyFile, key_path: Path, rng: Rng, executor: Executor | None = None
) -> tuple[Ready, PartialDecryption, Companion]:
    """This key-holder's share of opening the tally, with companion proofs. Raises: as `shuffle`."""
    ready = prepare(board, key, "decrypt")
    _record_use(key_path, "decrypt", board, ready.size, ready.tally)
    secret = key.decryption_key()
    partial = gen_partial_decryption(board.election.fingerprint, ready.tally, secret, rng, executor)
    companion = gen_companion(board.election, ready.tally, secret, partial, rng, owner=ready.key.owner, executor=executor)
    return ready, partial, companion
