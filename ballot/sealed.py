"""Files sealed with a passphrase: key-holders' keys, and what a split-trust registrar keeps.

A sealed file is compact JSON on one line:

    {"ballot_sealed":1,"kind":…,"about":{…},"kdf":{"name":"scrypt","n":…,"r":8,"p":1,"salt":base64},
     "cipher":"AES-256-GCM","nonce":base64,"data":base64}

The key is scrypt of the passphrase (UTF-8, NFC, 32 bytes out). Everything but `data` is authenticated with it: the JSON of
the object without `data`, in the order above. `kind` and `about` can be read without the passphrase, so that a person sees
whose file it is; they hold no secret. scrypt and AES-GCM are what a browser can do too. Python cannot wipe memory: while
the program runs, and in a swap file perhaps for longer, passphrase and secrets are on the machine in clear.
"""

from __future__ import annotations

import base64
import os
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ballot.errors import MalformedError, RefusedError, UnusableInputError, WrongPassphraseError
from ballot.protocol.messages import dumps, loads

MIN_PASSPHRASE: Final = 12  # characters
MAX_FILE: Final = 64 << 20  # bytes; a mail merge of half a million members
SCRYPT_N = 1 << 17  # 128 MiB and about half a second a guess; tests make it cheaper
_MAX_SCRYPT_N: Final = 1 << 20
_R: Final = 8


@dataclass(frozen=True)
class Opened:
    """A sealed file's contents; `about` is what could be read without the passphrase."""

    kind: str
    about: dict[str, str]
    data: bytes


def check_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that is too short for a new file. Raises: RefusedError."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise RefusedError(f"a passphrase needs at least {MIN_PASSPHRASE} characters: four or five unrelated words are good")


def _derive(passphrase: str, salt: bytes, n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=n, r=_R, p=1).derive(unicodedata.normalize("NFC", passphrase).encode())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def seal(kind: str, about: dict[str, str], data: bytes, passphrase: str) -> bytes:
    """The bytes of a sealed file. Raises: RefusedError for a short passphrase."""
    check_passphrase(passphrase)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    head = {
        "ballot_sealed": 1,
        "kind": kind,
        "about": about,
        "kdf": {"name": "scrypt", "n": SCRYPT_N, "r": _R, "p": 1, "salt": _base64(salt)},
        "cipher": "AES-256-GCM",
        "nonce": _base64(nonce),
    }
    sealed = AESGCM(_derive(passphrase, salt, SCRYPT_N)).encrypt(nonce, data, dumps(head))
    return dumps({**head, "data": _base64(sealed)}) + b"\n"


def _bytes(value: Any, length: int | None = None) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError) as error:
        raise MalformedError("a field is not base64") from error
    if _base64(data) != value:  # the last character's spare bits
        raise MalformedError("a field is not base64 in its one form")
    if length is not None and len(data) != length:
        raise MalformedError("a field has another length")
    return data


def _read(data: bytes) -> dict[str, Any]:
    head = loads(data.removesuffix(b"\n"))
    match head:
        case {
            "ballot_sealed": 1,
            "kind": str(),
            "about": dict(about),
            "kdf": {"name": "scrypt", "n": int(n), "r": 8, "p": 1, "salt": str(), **more},
            "cipher": "AES-256-GCM",
            "nonce": str(),
            "data": str(),
        } if not more and len(head) == 7 and all(isinstance(v, str) for v in about.values()):
            if not 2 <= n <= _MAX_SCRYPT_N or n & (n - 1):
                raise MalformedError("its cost is out of range")
            return dict(head)
        case {"ballot_sealed": int(version)} if version != 1:
            raise MalformedError("it was made by a newer version of this program")
        case _:
            raise MalformedError("it is not a file that this program sealed")


def peek(data: bytes) -> tuple[str, dict[str, str]]:
    """Kind and subject of a sealed file, without its passphrase (and so unproven). Raises: MalformedError."""
    head = _read(data)
    return head["kind"], head["about"]


def unseal(data: bytes, passphrase: str) -> Opened:
    """Open a sealed file. Raises: MalformedError, WrongPassphraseError."""
    head = _read(data)
    salt, nonce, sealed = _bytes(head["kdf"]["salt"]), _bytes(head["nonce"], 12), _bytes(head.pop("data"))
    key = _derive(passphrase, salt, head["kdf"]["n"])
    try:
        return Opened(head["kind"], head["about"], AESGCM(key).decrypt(nonce, sealed, dumps(head)))
    except (InvalidTag, ValueError) as error:
        raise WrongPassphraseError("this passphrase does not open the file, or the file was changed") from error


# --- files ------------------------------------------------------------------------------------------------------------


def read_file(path: Path, limit: int = MAX_FILE) -> bytes:
    """The bytes of a file that a person named. Raises: UnusableInputError."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnusableInputError(f"{path}: {reason}.") from error
    if len(data) > limit:
        raise UnusableInputError(f"{path}: the file is larger than {limit >> 20} MB, which this cannot be.")
    if not data:
        raise UnusableInputError(f"{path}: the file is empty.")
    return data


def write_private(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a file that only its owner can read, on the disk before this returns; an old one stands unless `replace`.

    Raises: UnusableInputError.
    """
    if not replace and path.exists():
        raise UnusableInputError(f"{path}: this file exists already and is left as it is.")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # fails if somebody else was quicker
            temporary.unlink()
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UnusableInputError(f"{path}: {error.strerror or error}.") from error


def sync_folder(folder: Path) -> None:
    """A new name in this folder survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
