"""Credentials (Belenios v1, 4.8): a code of 22 Base58 characters signs one member's ballots in one election.

The reference tool's codes carry no check character: every code of this shape is a credential. So a mistyped code is
found only by looking its public credential up in the election's list.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from typing import Final

from ballot.errors import MalformedError
from ballot.protocol.group import G, Point, Q, Rng

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LENGTH: Final = 22  # 58^22 > 2^128
_CODE = re.compile(r"[1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6}-[1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6}", re.ASCII)
_INVISIBLE: Final = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_DERIVATION: Final = "ballot.credential-code.v1"
_MIN_KEY_BYTES: Final = 32


def _format(characters: str) -> str:
    return "-".join((characters[:5], characters[5:11], characters[11:16], characters[16:]))


def _from_number(number: int) -> str:
    digits = []
    for _ in range(LENGTH):
        number, digit = divmod(number, 58)
        digits.append(ALPHABET[digit])
    return _format("".join(reversed(digits)))


def new_code(rng: Rng) -> str:
    """A new secret credential, uniform among the 58^22 codes, in the form XXXXX-XXXXXX-XXXXX-XXXXXX."""
    return _from_number(rng.below(58**LENGTH))


def derive_code(key: bytes, meeting: str, handle: str) -> str:
    """The code of one entry of a meeting's roll: always the same from the same key, unpredictable without it.

    HMAC-SHA-512 of the meeting and the handle, mod 58^22: 512 bits in, so the bias is below 2^-383.
    """
    if len(key) < _MIN_KEY_BYTES:
        raise RuntimeError(f"a key that derives codes has at least {_MIN_KEY_BYTES} bytes")
    text = json.dumps([_DERIVATION, meeting, handle])  # JSON, so that no two pairs share a text
    return _from_number(int.from_bytes(hmac.digest(key, text.encode(), "sha512"), "big") % 58**LENGTH)


def _is_filler(character: str) -> bool:
    """What typing, word processors and mail programs put between or after the characters of a code."""
    return character.isspace() or character in _INVISIBLE or character == "." or unicodedata.category(character) == "Pd"


def parse_code(text: str) -> str:
    """The code that a person typed, in its one form; spaces, dashes and full stops may be missing or anywhere.

    Raises: MalformedError when there are not 22 characters, or one is not in the alphabet (which has no 0, O, I, l).
    """
    characters = "".join(character for character in text if not _is_filler(character))
    for character in characters:
        if character not in ALPHABET:
            raise MalformedError(f"{character!r} never occurs in a code (there is no 0, O, I or l)")
    if len(characters) != LENGTH:
        raise MalformedError(f"a code has {LENGTH} letters and digits; this one has {len(characters)}")
    return _format(characters)


def secret(uuid: str, code: str) -> int:
    """The secret exponent of a code in one election (4.8).

    Raises: MalformedError unless the code has the form XXXXX-XXXXXX-XXXXX-XXXXXX; `parse_code` makes it so.
    """
    if not _CODE.fullmatch(code):
        raise MalformedError("a code has the form XXXXX-XXXXXX-XXXXX-XXXXXX")
    halves = (hashlib.sha256(f"derive_credential|{uuid}|{i}|{code}".encode()).digest() for i in (0, 1))
    return int.from_bytes(b"".join(halves), "big") % Q


def public(uuid: str, code: str) -> Point:
    """The public credential of a code in one election. Raises: MalformedError as `secret` does."""
    return G ** secret(uuid, code)


def derive_credential(uuid: str, code: str) -> tuple[int, Point]:
    """Secret exponent and public credential of a code in one election. Raises: MalformedError as `secret` does."""
    exponent = secret(uuid, code)
    return exponent, G**exponent
