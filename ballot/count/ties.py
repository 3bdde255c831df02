"""Ties: the rule's own look-back first, then one public order of candidates drawn by lot.

The lot is an order of all candidates, drawn once. An earlier place is the favoured one: when one of several has to be
excluded it is the latest in the order; when one has to be taken first (elected, surplus moved) it is the earliest.

How the order is drawn from a seed (version 1): the seed is public data that nobody could know before the close; for each
candidate SHA-256 is taken over "ballot lot v1", a zero byte, the seed's length in bytes in decimal digits, a zero byte,
the seed, and the name in UTF-8 (Unicode form NFC); candidates stand in ascending order of these values. Only the seed and
the names enter, so the order in which candidates are listed decides nothing.

`public_seed` makes the seed of an election from its archive: the hash of the event that closed it and of everything that the
trustees published for opening it (shuffles, partial decryptions). None of it exists before the close. Whoever publishes last
could still try several versions in secret; where that matters, the officer draws lots in public and types the order in.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from ballot.errors import CountError

Votes = TypeVar("Votes")


@dataclass(frozen=True)
class LotOrder:
    """An order of candidates (numbers from 0), most favoured first, and a sentence on where it comes from."""

    order: tuple[int, ...]
    source: str

    @classmethod
    def from_seed(cls, seed: bytes | str, candidates: Sequence[str]) -> LotOrder:
        """The order that this seed gives (see the module's text).

        Raises:
            CountError: two candidates have the same name, so that only their listing could tell them apart.
        """
        data = seed.encode() if isinstance(seed, str) else seed
        names = [unicodedata.normalize("NFC", name) for name in candidates]
        if len(set(names)) != len(names):
            raise CountError("Two candidates have the same name; a lot drawn from a seed needs different names.")
        head = b"ballot lot v1\0" + str(len(data)).encode() + b"\0" + data
        keys = [hashlib.sha256(head + name.encode()).digest() for name in names]
        shown = data.decode() if data.isascii() and data.decode().isprintable() else data.hex()
        return cls(tuple(sorted(range(len(names)), key=keys.__getitem__)), f"drawn from the seed {shown} (SHA-256, version 1)")

    @classmethod
    def typed(cls, order: Iterable[int], number: int, source: str = "drawn in public and typed in") -> LotOrder:
        """An order that the returning officer drew and typed.

        Raises:
            CountError: a candidate is missing or named twice.
        """
        places = tuple(order)
        if sorted(places) != list(range(number)):
            raise CountError("The lot order must name every candidate exactly once.")
        return cls(places, source)


def public_seed(parts: Iterable[str]) -> str:
    """The seed that these public hashes give, in the order in which the archive has them: 64 hexadecimal digits.

    SHA-256 over "ballot lot seed v1" and, for each part, a zero byte, its length in bytes in decimal digits, a zero byte, and
    the part in UTF-8. Printed with the result, it lets anybody repeat the draw: `ballot count FILE.blt --lot SEED`.
    """
    digest = hashlib.sha256(b"ballot lot seed v1")
    for part in parts:
        data = part.encode()
        digest.update(b"\0" + str(len(data)).encode() + b"\0" + data)
    return digest.hexdigest()


@dataclass(frozen=True)
class TieBreak:
    """Who was chosen among the tied, and by what: the stage that told them apart (from 1), or the lot (None)."""

    chosen: int
    tied: tuple[int, ...]
    stage: int | None


def break_tie(
    tied: Sequence[int],
    want: Literal["fewest", "most"],
    history: Sequence[Sequence[Votes]],
    look: Literal["latest", "earliest", "never"],
    lot: LotOrder | None,
    names: Sequence[str],
) -> TieBreak:
    """One of the tied candidates, by the look-back and then by lot.

    `history` has each earlier point's votes by candidate. At each point, in the order asked for, those who are not at the
    wanted end fall away ("not all equal", narrowing; counting.md 3.8), until one is left.

    Raises:
        CountError: a lot is needed and none was given.
    """
    left = list(tied)
    end = min if want == "fewest" else max
    if len(left) == 1:
        return TieBreak(left[0], tuple(tied), 0)
    points = [] if look == "never" else list(enumerate(history, start=1))
    if look == "latest":
        points.reverse()
    for number, votes in points:
        edge = end(votes[candidate] for candidate in left)  # type: ignore[type-var]
        left = [candidate for candidate in left if votes[candidate] == edge]
        if len(left) == 1:
            return TieBreak(left[0], tuple(sorted(tied)), number)
    if lot is None:
        who = ", ".join(names[candidate] for candidate in sorted(left))
        raise CountError(f"A tie has to be broken by lot ({who}), and no lot order was given.")
    place = {candidate: position for position, candidate in enumerate(lot.order)}
    chosen = (max if want == "fewest" else min)(left, key=place.__getitem__)
    return TieBreak(chosen, tuple(sorted(tied)), None)
