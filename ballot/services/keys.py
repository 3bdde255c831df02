"""The service's own secrets: one file each under `keys/`, mode 0600, made on the first start and never in the database.

| file | what it does |
|---|---|
| `token` | signs voting tokens, trustee tokens and typed-code nonces |
| `session` | signs the officers' cookies and forms |
| `receipt` | Ed25519, signs receipts and checkpoints; its public half is published |
| `registrar` | derives the voting codes, except those of split-trust meetings |
| `outbox` | seals what waits in the outbox, and the officers' second-factor secrets |
| `practice/` | decryption keys of practice elections only |

Each file is 64 hexadecimal digits (32 bytes) and a line end.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ballot.errors import ConfigurationError, MalformedError

NAMES = ("token", "session", "receipt", "registrar", "outbox")
_HEX = re.compile(r"[0-9a-f]{64}\n?", re.ASCII)


class PracticeKeys(Protocol):
    """Where the decryption keys of practice elections are kept."""

    def put(self, election_uuid: str, secret: str) -> None:
        """Keep this election's secret text; a second secret for the same election is refused."""
        ...

    def get(self, election_uuid: str) -> str:
        """The secret text kept for this election."""
        ...


class PracticeKeyFiles:
    """Practice keys as files of mode 0600 in one folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, election_uuid: str, secret: str) -> None:
        """Keep this election's secret text. Raises: ConfigurationError if there is one already or the disk refuses."""
        _make_folder(self._folder)
        try:
            _write_new(self._path(election_uuid), secret)
        except FileExistsError as error:
            raise ConfigurationError(f"There is a practice key for {election_uuid} already.") from error

    def get(self, election_uuid: str) -> str:
        """The secret text kept for this election. Raises: ConfigurationError if it is missing or readable by others."""
        return _read_private(self._path(election_uuid))

    def _path(self, election_uuid: str) -> Path:
        if not election_uuid.isalnum() or not election_uuid.isascii():
            raise MalformedError("not an election identifier")
        return self._folder / election_uuid


class PracticeKeysInMemory:
    """Practice keys of one process, for tests."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def put(self, election_uuid: str, secret: str) -> None:
        """Keep this election's secret text."""
        if election_uuid in self._secrets:
            raise ConfigurationError(f"There is a practice key for {election_uuid} already.")
        self._secrets[election_uuid] = secret

    def get(self, election_uuid: str) -> str:
        """The secret text kept for this election."""
        return self._secrets[election_uuid]


@dataclass(frozen=True, repr=False)
class Keys:
    """The secrets of one installation, 32 bytes each. The class shows none of them when printed."""

    token: bytes
    session: bytes
    receipt: Ed25519PrivateKey
    registrar: bytes
    outbox: bytes
    practice: PracticeKeys

    @classmethod
    def open(cls, folder: Path) -> Keys:
        """Read the keys, making those that do not exist yet.

        Raises: ConfigurationError: a file is readable by others, or is not a key; the sentence says what to do.
        """
        _make_folder(folder)
        found = {name: bytes.fromhex(_open_one(folder / name)) for name in NAMES}
        if len(set(found.values())) < len(found):
            raise ConfigurationError(f"Two keys in {folder} are the same: restore them from your backup.")
        return cls(
            token=found["token"],
            session=found["session"],
            receipt=Ed25519PrivateKey.from_private_bytes(found["receipt"]),
            registrar=found["registrar"],
            outbox=found["outbox"],
            practice=PracticeKeyFiles(folder / "practice"),
        )

    @classmethod
    def from_seed(cls, seed: bytes) -> Keys:
        """Reproducible keys that live in memory only, for tests."""

        def derive(name: str) -> bytes:
            return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ballot.test-key.v1|" + name.encode()).derive(seed)

        return cls(
            token=derive("token"),
            session=derive("session"),
            receipt=Ed25519PrivateKey.from_private_bytes(derive("receipt")),
            registrar=derive("registrar"),
            outbox=derive("outbox"),
            practice=PracticeKeysInMemory(),
        )

    @property
    def receipt_public(self) -> Ed25519PublicKey:
        """The key that checks receipts and checkpoints."""
        return self.receipt.public_key()

    @property
    def receipt_public_bytes(self) -> bytes:
        """The same key, 32 bytes, as published."""
        return self.receipt_public.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt for storage; only `unseal` with the same purpose opens it. Nonce (12 bytes), then ciphertext and tag."""
        nonce = secrets.token_bytes(12)
        return nonce + ChaCha20Poly1305(self._sealing_key(purpose)).encrypt(nonce, plain, purpose.encode())

    def unseal(self, purpose: str, sealed: bytes) -> bytes:
        """What was sealed.

        Raises: ConfigurationError: it was sealed with another key (a database restored without its `keys/`), or changed.
        """
        try:
            return ChaCha20Poly1305(self._sealing_key(purpose)).decrypt(sealed[:12], sealed[12:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise ConfigurationError("A sealed record does not open with this installation's keys: restore keys/outbox too.") from error

    def seal_totp(self, officer_id: str, secret: str) -> bytes:
        """An officer's second-factor secret, as it is stored."""
        return self.seal(f"totp|{officer_id}", secret.encode())

    def open_totp(self, officer_id: str, sealed: bytes) -> str:
        """The secret that `seal_totp` sealed for this officer. Raises: ConfigurationError, as `unseal`."""
        return self.unseal(f"totp|{officer_id}", sealed).decode()

    def mac(self, purpose: str, data: bytes) -> bytes:
        """A checksum (32 bytes) that only this installation can make, for what leaves it and must come back unchanged."""
        return hmac.digest(self._sealing_key(f"mac|{purpose}"), data, "sha256")

    def _sealing_key(self, purpose: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ballot.seal.v1|" + purpose.encode()).derive(self.outbox)


def contents(folder: Path) -> dict[str, str]:
    """The text of every secret, by its name under `keys/`, for a backup. Raises: ConfigurationError."""
    names = [*NAMES, *(f"practice/{path.name}" for path in sorted((folder / "practice").glob("[!.]*")))]
    return {name: _read_private(folder / name) for name in names}


def put_back(folder: Path, found: dict[str, str]) -> None:
    """The secrets of a backup are files again. Raises: ConfigurationError: there are keys here already, or one of these is none."""
    if any((folder / name).exists() for name in NAMES):
        raise ConfigurationError(f"There are keys in {folder} already, and they are left as they are: set BALLOT_KEYS to a new folder.")
    if set(NAMES) - set(found) or not all(re.fullmatch(r"practice/[1-9A-Za-z]+", name) for name in set(found) - set(NAMES)):
        raise ConfigurationError("This backup does not hold the keys of an installation.")
    if not all(_HEX.fullmatch(found[name]) for name in NAMES):
        raise ConfigurationError("This backup holds a key that is none.")
    _make_folder(folder)
    _make_folder(folder / "practice")
    for name, words in found.items():
        _write_new(folder / name, words)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"The folder {folder} cannot hold keys ({error.strerror}): set BALLOT_KEYS to one that can.") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(f"Others can write to the folder {folder}: run `chmod 700 {folder}` and start again.")


def _open_one(path: Path) -> str:
    if not path.exists():
        with suppress(FileExistsError):  # another worker may be first; its key is read below
            _write_new(path, secrets.token_hex(32) + "\n")
    text = _read_private(path)
    if not _HEX.fullmatch(text):
        raise ConfigurationError(f"{path} is not a key (64 hexadecimal digits): restore it from your backup.")
    if len({text[i : i + 2] for i in range(0, 64, 2)}) < 16:  # 32 random bytes have about 30 different ones, and never so few
        raise ConfigurationError(f"{path} is no secret but a pattern: delete it before the first ballot, or restore it from your backup.")
    return text.strip()


def _write_new(path: Path, text: str) -> None:
    """The file appears whole and private, or not at all: written under another name, then linked."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}): check the folder's owner and the free space.") from error


def read_private_file(path: Path) -> str:
    """The text of a secret file of the host's. Raises: ConfigurationError: missing, or others can read it."""
    return _read_private(path)


def _read_private(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            status = os.fstat(file.fileno())
            text = file.read(4096)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}): restore it from your backup or correct its owner.") from error
    if status.st_mode & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise ConfigurationError(f"Others can read {path} (mode {mode}): run `chmod 600 {path}` and start again.")
    return text
