"""The group Ed25519 of Belenios v1 (text 5.2.1, table 14), written multiplicatively: `g ** r`, `a * b`, `a / b`.

Point arithmetic is libsodium's, through PyNaCl. A value of type `Point` is always in the prime-order subgroup: the only
ways to make one are a checked parse, the generator, and arithmetic on other points. Python's integers and this module's
branches are not constant time; secret exponents are handled where an attacker has no clock (a trustee's own machine).

A parse may leave the membership of a point to its first use (`Point.from_hex_deferred`). Such a point can be written, hashed
and compared, and nothing else: whatever computes with it has it checked first, or by libsodium's power, which refuses what
is outside the group. So nothing is ever computed from a point that was not checked.

Text form: the 256-bit number z of 5.2.1 in 64 lower-case hexadecimal digits, most significant first. libsodium's 32 bytes
are the same number least significant first.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)
from nacl.exceptions import RuntimeError as NaClRuntimeError

from ballot.errors import MalformedError

GROUP_NAME: Final = "Ed25519"
P: Final = 2**255 - 19
Q: Final = 2**252 + 27742317777372353535851937790883648493
_BITS_PER_INT: Final = 8  # 5.2.1: kappa
_PADDING: Final = 14  # 5.2.1: p, bits left for epsilon

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCALAR = re.compile(r"0|[1-9][0-9]{0,76}", re.ASCII)
_NEUTRAL_BYTES: Final = (1).to_bytes(32, "little")


class Point:
    """An element of the prime-order group, held as libsodium's 32 bytes. Immutable and hashable."""

    __slots__ = ("_bytes", "_member")  # and not the text: an archive has millions of points
    _bytes: bytes
    _member: bool  # False: membership is still to be checked, before anything is computed

    def __init__(self) -> None:
        raise TypeError("use Point.from_hex, G, ONE or arithmetic")

    @classmethod
    def _make(cls, raw: bytes) -> Point:
        point = object.__new__(cls)
        point._bytes, point._member = raw, True
        return point

    @classmethod
    def from_hex(cls, text: str) -> Point:
        """Parse the v1 text form: 64 lower-case digits, canonical, in the prime-order group (the neutral element is).

        Raises: MalformedError.
        """
        point = cls.from_hex_deferred(text)
        point._require_member()
        return point

    @classmethod
    def from_hex_deferred(cls, text: str) -> Point:
        """As `from_hex`, but membership is checked when the point is first used.

        For callers who raise the point to a power anyway, and parse the whole message again with `from_hex` when
        anything fails, so that what is malformed is reported as such.

        Raises: MalformedError, now for the digits, later from `*`, `/` and `**` for a point outside the group.
        """
        if not isinstance(text, str) or not _HEX.fullmatch(text):
            raise MalformedError("a group element must be 64 lower-case hexadecimal digits")
        point = cls._make(bytes.fromhex(text)[::-1])
        point._member = False
        return point

    def _require_member(self) -> None:
        if not self._member:
            if not _is_member(self._bytes):
                raise MalformedError("not a canonical element of the prime-order group")
            self._member = True

    def __str__(self) -> str:
        return self._bytes[::-1].hex()

    def __repr__(self) -> str:
        return f"<Point {str(self)[:8]}…>"

    def __bytes__(self) -> bytes:
        """The 32 bytes of RFC 8032, least significant first."""
        return self._bytes

    def __reduce__(self) -> tuple[object, tuple[bytes, bool]]:
        return _unpickle, (self._bytes, self._member)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    @property
    def is_neutral(self) -> bool:
        return self._bytes == _NEUTRAL_BYTES

    def __mul__(self, other: Point) -> Point:
        if not (self._member and other._member):
            self._require_member()
            other._require_member()
        return Point._make(crypto_core_ed25519_add(self._bytes, other._bytes))

    def __truediv__(self, other: Point) -> Point:
        if not (self._member and other._member):
            self._require_member()
            other._require_member()
        return Point._make(crypto_core_ed25519_sub(self._bytes, other._bytes))

    def __pow__(self, exponent: int) -> Point:
        exponent %= Q
        # libsodium reports a neutral operand or outcome as a failure, so these are answered here.
        if exponent <= 1 or self._bytes == _NEUTRAL_BYTES:
            self._require_member()
            return self if exponent == 1 else ONE
        scalar = exponent.to_bytes(32, "little")
        if self._bytes == _G_BYTES:
            return Point._make(crypto_scalarmult_ed25519_base_noclamp(scalar))
        try:
            # libsodium makes `_is_member`'s check itself. Of a member, neither operand nor outcome is neutral here.
            power = crypto_scalarmult_ed25519_noclamp(scalar, self._bytes)
        except NaClRuntimeError as error:
            raise MalformedError("not a canonical element of the prime-order group") from error
        self._member = True
        return Point._make(power)


def _unpickle(raw: bytes, member: bool) -> Point:
    point = Point._make(raw)
    point._member = member
    return point


_G_BYTES: Final = crypto_scalarmult_ed25519_base_noclamp((1).to_bytes(32, "little"))
G: Final = Point._make(_G_BYTES)
ONE: Final = Point._make(_NEUTRAL_BYTES)


def product(points: Iterable[Point]) -> Point:
    """The product of all points; the neutral element when there is none."""
    factors = iter(points)
    total = next(factors, ONE)
    for point in factors:
        total = total * point
    return total


@lru_cache(maxsize=1024)
def small_power(m: int) -> Point:
    """g^m for the small integers that votes and their permitted sums are; computed once."""
    return G**m


# --- scalars ----------------------------------------------------------------------------------------------------


def scalar_from_text(text: str) -> int:
    """Parse an integer mod q in base 10, without sign, leading zero or foreign digits (threats 1.4).

    Raises: MalformedError.
    """
    if not isinstance(text, str) or not _SCALAR.fullmatch(text) or (value := int(text)) >= Q:
        raise MalformedError("a scalar must be a decimal number below the group order, in its shortest form")
    return value


def hash_to_scalar(text: str) -> int:
    """SHA-256 of the text, read as a big-endian number, mod q: every Fiat–Shamir challenge of v1."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") % Q


class Rng(Protocol):
    """Where randomness comes from; always passed in by the caller."""

    def scalar(self) -> int:
        """Uniform in [0, q)."""

    def below(self, bound: int) -> int:
        """Uniform in [0, bound)."""


class SystemRng:
    """The operating system's randomness."""

    def scalar(self) -> int:
        return secrets.randbelow(Q)

    def below(self, bound: int) -> int:
        return secrets.randbelow(bound)


class SeededRng:
    """Reproducible: SHA-512 of seed and counter (from 1), mod the bound. For tests, vectors and simulated elections only."""

    def __init__(self, seed: bytes) -> None:
        self._seed, self._counter = seed, 0

    def below(self, bound: int) -> int:
        # 512 bits taken mod bound: the bias is below 2^-256 for a scalar.
        self._counter += 1
        block = hashlib.sha512(self._seed + b"|" + str(self._counter).encode()).digest()
        return int.from_bytes(block, "big") % bound

    def scalar(self) -> int:
        return self.below(Q)


# --- encoding of small integers and independent generators (5.2.1, table 14) ----------------------------------------


def _times_eight(z: int) -> Point | None:
    """The point of compressed form z, raised to 8; None if z is off the curve. z is below 2^254, so it is canonical."""
    raw = z.to_bytes(32, "little")
    try:
        for _ in range(3):
            raw = crypto_core_ed25519_add(raw, raw)  # libsodium refuses what is off the curve
    except NaClRuntimeError:
        return None
    return Point._make(raw)


def _is_member(raw: bytes) -> bool:
    """Whether these bytes are the canonical form of an element of the prime-order group."""
    # libsodium refuses what is not canonical, not on the curve, of small order or outside the subgroup; the
    # neutral element is of small order and is the one such point that belongs to the group.
    return crypto_core_ed25519_is_valid_point(raw) or raw == _NEUTRAL_BYTES


# libsodium before December 2025 took points of order 2q for members (CVE-2025-69277), and may be older than PyNaCl is.
if _is_member(crypto_core_ed25519_add(_G_BYTES, (P - 1).to_bytes(32, "little"))):
    raise RuntimeError("this libsodium takes points for members of the group that are not: PyNaCl 1.6.2 or later brings a sound one")


@lru_cache(maxsize=200_000)
def get_generator(index: int) -> Point:
    """GetGenerator (table 14): the generator of this number, derived from nothing but the number."""
    x = int.from_bytes(hashlib.sha256(f"ggen|{index}".encode()).digest(), "big") >> 2
    while (point := _times_eight(x)) is None:
        x += 1
    if point in (ONE, G):
        raise RuntimeError("a derived generator is trivial")  # probability 2^-250; the text says: abort
    return point


MAX_INTS: Final = (255 - _PADDING - 1) // _BITS_PER_INT  # 30


def of_ints(values: Iterable[int]) -> Point:
    """Embed small integers (each 0 to 255, at most 30 of them) into a group element (5.2.1).

    Raises: MalformedError if there are too many, or one is out of range.
    """
    values = list(values)
    if len(values) > MAX_INTS or not all(0 <= v < 2**_BITS_PER_INT for v in values):
        raise MalformedError(f"at most {MAX_INTS} integers from 0 to 255 can be embedded")
    packed = int.from_bytes(bytes(values), "big") << _PADDING
    for epsilon in range(2**_PADDING):
        raw = (packed + epsilon).to_bytes(32, "little")
        if _is_member(raw):
            return Point._make(raw)
    raise RuntimeError("no group element has this prefix")  # probability (7/8 + 1/16)^16384


def to_ints(count: int, point: Point) -> list[int]:
    """The `count` integers that a group element embeds (5.2.1).

    Total, as v1 is: an element that encodes nothing gives integers too. `is_encoding_of` tells the difference.
    """
    packed = int.from_bytes(bytes(point), "little") >> _PADDING
    return list((packed % 2 ** (_BITS_PER_INT * count)).to_bytes(count, "big"))


def is_encoding_of(count: int, point: Point) -> bool:
    """Whether the element is exactly what `of_ints` makes of some `count` integers (threats 1.3c)."""
    return of_ints(to_ints(count, point)) == point
