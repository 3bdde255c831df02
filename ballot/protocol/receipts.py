"""What the service signs, as text: receipts for members, checkpoints for everybody. Not part of Belenios v1.

A receipt's signature (Ed25519, RFC 8032) is over these six lines, each with a line end:

    ballot-receipt:1
    <election uuid>
    <tracker: SHA-256 of the ballot's bytes, Base64 without padding>
    <height of its event>
    <hash of that event, hexadecimal>
    <time, such as 2026-03-20T17:00:00Z>

A checkpoint is a signed note (C2SP signed-note): origin, height and Base64 of the head's hash in three lines, an empty line, and
a signature line `— <origin> <Base64 of 4 bytes of key id and 64 bytes of signature>`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ballot.errors import InvalidProofError, MalformedError
from ballot.protocol.messages import HASH, INTEGER, TEXT, UUID, Codec, Message

_ALGORITHM: Final = b"\x01"  # C2SP signed-note: Ed25519
_TRACKER = re.compile(r"[A-Za-z0-9+/]{43}", re.ASCII)
_ORIGIN = re.compile(r"[!-*,-~]+", re.ASCII)  # printable, neither blank nor plus
_HEIGHT = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)

Sign = Callable[[bytes], bytes]


def hash_of_tracker(tracker: str) -> str:
    """The ballot's hash as the archive names it, from the form that members see. Raises: MalformedError."""
    if not _TRACKER.fullmatch(tracker):
        raise MalformedError("a receipt code has 43 letters, digits, + and /")
    digest = base64.b64decode(tracker + "=")
    if tracker_of_hash(digest.hex()) != tracker:
        raise MalformedError("the last character of this receipt code cannot be right")
    return digest.hex()


def tracker_of_hash(ballot_hash: str) -> str:
    """The form that members see of a hash in hexadecimal."""
    return base64.b64encode(bytes.fromhex(ballot_hash)).rstrip(b"=").decode()


@dataclass(frozen=True)
class Receipt(Message):
    """The service's promise that a ballot is in the box: `ballot` is its tracker, `head` the hash of the event at `height`."""

    election: str
    ballot: str
    height: int
    head: str
    time: str
    signature: str
    FIELDS: ClassVar[Mapping[str, Codec]] = {
        "election": UUID, "ballot": TEXT, "height": INTEGER, "head": HASH, "time": TEXT, "signature": TEXT,
    }  # fmt: skip

    @property
    def signed_text(self) -> bytes:
        """The six lines that the signature is over."""
        return "".join(
            f"{line}\n" for line in ("ballot-receipt:1", self.election, self.ballot, self.height, self.head, self.time)
        ).encode()


def make_receipt(sign: Sign, *, election: str, ballot: str, height: int, head: str, time: str) -> Receipt:
    """A signed receipt; the same facts give the same bytes, because Ed25519 needs no luck."""
    unsigned = Receipt(election, ballot, height, head, time, "")
    return Receipt(election, ballot, height, head, time, base64.b64encode(sign(unsigned.signed_text)).decode())


def check_receipt(key: Ed25519PublicKey, receipt: Receipt) -> None:
    """Check that the service signed this receipt. Raises: InvalidProofError."""
    _check(key, _base64(receipt.signature), receipt.signed_text, "the receipt's signature does not hold")


@dataclass(frozen=True)
class Checkpoint:
    """The head of one election's board at one moment; `origin` is host and path of the election's page."""

    origin: str
    height: int
    head: str

    @property
    def text(self) -> str:
        """The signed part of the note."""
        return f"{self.origin}\n{self.height}\n{base64.b64encode(bytes.fromhex(self.head)).decode()}\n"


def key_id(origin: str, public: bytes) -> bytes:
    """The four bytes that name a key in a note."""
    return hashlib.sha256(origin.encode() + b"\n" + _ALGORITHM + public).digest()[:4]


def verifier_key(origin: str, public: bytes) -> str:
    """The published form of the key: `origin+key id+Base64 of algorithm and key`."""
    return f"{origin}+{key_id(origin, public).hex()}+{base64.b64encode(_ALGORITHM + public).decode()}"


def sign_checkpoint(sign: Sign, public: bytes, checkpoint: Checkpoint) -> str:
    """The note of a checkpoint. Raises: MalformedError: the origin has a blank or a plus."""
    if not _ORIGIN.fullmatch(checkpoint.origin):
        raise MalformedError("a checkpoint's origin has no blank and no plus")
    signature = key_id(checkpoint.origin, public) + sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n\N{EM DASH} {checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def open_checkpoint(note: str, origin: str, public: bytes) -> Checkpoint:
    """The checkpoint in a note of this origin, signed by this key; signatures of others beside it are ignored.

    Raises:
        MalformedError: not a note of this form.
        InvalidProofError: another origin, or no signature of this key holds.
    """
    text, separator, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) != 3 or not signatures.endswith("\n") or not _HEIGHT.fullmatch(lines[1]):
        raise MalformedError("this is not a checkpoint")
    head = _base64(lines[2]).hex()
    checkpoint = Checkpoint(lines[0], int(lines[1]), head)
    if checkpoint.text != text + "\n" or len(head) != 64:
        raise MalformedError("this is not a checkpoint")
    if checkpoint.origin != origin:
        raise InvalidProofError(f"this checkpoint is of {checkpoint.origin[:100]!r}, not of {origin!r}")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        if dash != "\N{EM DASH}" or not value:
            raise MalformedError("this is not a checkpoint")
        raw = _base64(value)
        if name == origin and raw[:4] == key_id(origin, public):
            key = Ed25519PublicKey.from_public_bytes(public)
            _check(key, raw[4:], checkpoint.text.encode(), "the checkpoint's signature does not hold")
            return checkpoint
    raise InvalidProofError("this checkpoint is not signed by the expected key")


def _check(key: Ed25519PublicKey, signature: bytes, text: bytes, complaint: str) -> None:
    try:
        key.verify(signature, text)
    except InvalidSignature as error:
        raise InvalidProofError(complaint) from error


def _base64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("not in Base64") from error
    if base64.b64encode(raw).decode() != text:
        raise MalformedError("not in Base64")
    return raw
