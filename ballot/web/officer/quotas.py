"""Quota places as an officer types them, one group a line, and as the election declares them.

    Women: at least 50% — Ann Lee, Bo Shah
    Young members: at least 1, at most 2 — Cy Reed

Group, colon, bounds, dash, members. What is declared is what `ballot.count.constraints.parse_constraints` reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from ballot.errors import MalformedError
from ballot.language import joined, phrase
from ballot.web.forms import lines_of

MOST_GROUPS: Final = 20
LONGEST_NAME: Final = 60

_LINE = re.compile(r"(?P<group>[^:]*?)\s*:\s*(?P<bounds>.*?)\s*(?:[—–:]|--+|\s-)\s*(?P<members>.*)")
_BOUND = re.compile(
    r"(?P<side>at least|no fewer than|minimum|at most|no more than|maximum|exactly)\s+(?P<amount>[\w./ ]+?\s?%?)"
    r"(?:\s+of the (?:places|seats)|\s+(?:place|seat)s?)?(?:\s*\(?rounded (?P<rounding>up|down|half[- ]up)\)?)?"
)
_SIDES: Final[dict[str, tuple[str, ...]]] = {
    "at least": ("at_least",),
    "no fewer than": ("at_least",),
    "minimum": ("at_least",),
    "at most": ("at_most",),
    "no more than": ("at_most",),
    "maximum": ("at_most",),
    "exactly": ("at_least", "at_most"),
}
_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SHARES: Final = {"half": "50%", "a third": "1/3", "one third": "1/3", "two thirds": "2/3", "a quarter": "25%", "one quarter": "25%"}
_LIKE_THIS: Final = phrase("Write it like this: Women: at least 50% — Ann Lee, Bo Shah")


def read_quotas(typed: str, candidates: Sequence[str]) -> tuple[dict[str, Any] | None, list[str]]:
    """The constraints that were typed (None: none), and a sentence for every line that cannot be read.

    `candidates` are those who can be members, without "re-open nominations". Names are matched whatever their capitals and
    blanks, and declared as the candidate stands.
    """
    groups: dict[str, list[str]] = {}
    rules: list[dict[str, Any]] = []
    problems: list[str] = []
    known = {_key(name): name for name in candidates}
    for number, written in enumerate(lines_of(typed), start=1):
        try:
            name, bounds, members = _read_line(written, known)
            if _key(name) in map(_key, groups):
                raise MalformedError(
                    phrase("“{name}” has a line already. Put both bounds on one line: {name}: at least 2, at most 4 — …", name=name)
                )
            if len(groups) >= MOST_GROUPS:
                raise MalformedError(phrase("There can be at most {most} groups.", most=MOST_GROUPS))
        except MalformedError as error:
            problems.append(phrase("Line {number} of the quota places: {error}", number=number, error=str(error)))
            continue
        groups[name] = members
        rules += [{"group": name, **bound} for bound in bounds]
    return ({"groups": groups, "rules": rules} if groups else None), problems


def _read_line(written: str, known: Mapping[str, str]) -> tuple[str, list[dict[str, Any]], list[str]]:
    found = _LINE.fullmatch(written)
    if found is None:
        wrong = phrase("“{written}” is not a group, a colon, how many, a dash, and names.", written=written[:80])
        raise MalformedError(joined([wrong, _LIKE_THIS]))
    name = unicodedata.normalize("NFC", " ".join(found["group"].split()))
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        wrong = phrase("Give the group a name of at most {longest} characters before the colon.", longest=LONGEST_NAME)
        raise MalformedError(joined([wrong, _LIKE_THIS]))
    bounds = [bound for part in re.split(r"\s*(?:,|;|\band\b)\s*", found["bounds"]) for bound in _read_bound(part)]
    if len({side for bound in bounds for side in ("at_least", "at_most") if side in bound}) != len(bounds):
        raise MalformedError(phrase("“{bounds}” says the same side twice.", bounds=found["bounds"][:80]))
    return name, bounds, _read_members(name, found["members"], known)


def _read_bound(part: str) -> list[dict[str, Any]]:
    found = _BOUND.fullmatch(" ".join(part.lower().split()))
    amount = None if found is None else _amount(found["amount"].strip())
    if found is None or amount is None:
        wrong = phrase("“{part}” is not “at least” or “at most” with a number such as 2, or a share such as 50%.", part=part[:80])
        raise MalformedError(joined([wrong, _LIKE_THIS]))
    rounding = {"rounding": found["rounding"].replace(" ", "-")} if found["rounding"] and isinstance(amount, str) else {}
    return [{side: amount, **rounding} for side in _SIDES[found["side"]]]


def _amount(text: str) -> int | str | None:
    """Seats as a number, a share as text; None for what is neither."""
    if text in _SHARES:
        return _SHARES[text]
    if text in _NUMBERS:
        return _NUMBERS.index(text)
    if re.fullmatch(r"[0-9]{1,3}", text, re.ASCII):
        return int(text)
    share = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) ?%", text, re.ASCII)
    if share is not None and float(share[1]) <= 100:
        return f"{share[1]}%"
    fraction = re.fullmatch(r"([0-9]{1,3}) ?/ ?([0-9]{1,3})", text, re.ASCII)
    if fraction is not None and int(fraction[2]) > 0 and int(fraction[1]) <= int(fraction[2]):
        return f"{int(fraction[1])}/{int(fraction[2])}"
    return None


def _read_members(group: str, written: str, known: Mapping[str, str]) -> list[str]:
    whole = known.get(_key(written))  # a name with a comma in it, alone
    names = [written] if whole else [part.strip().rstrip(".") if _key(part) not in known else part for part in re.split(r"[;,]", written)]
    names = [name for name in names if name.strip()]
    if not names:
        raise MalformedError(phrase("“{group}” has no members. After the dash, name the candidates who belong to it.", group=group))
    members = []
    for name in names:
        member = known.get(_key(name))
        if member is None:
            close = get_close_matches(_key(name), known, n=1)
            wrong = phrase("“{name}” is not one of the candidates.", name=name.strip()[:80])
            hint = (
                phrase("Did you mean “{name}”?", name=known[close[0]])
                if close
                else phrase("Write each name as it stands among the candidates.")
            )
            raise MalformedError(joined([wrong, hint]))
        if member not in members:
            members.append(member)
    return members


def write_quotas(constraints: Mapping[str, Any] | None) -> str:
    """The lines that `read_quotas` reads, for constraints declared before."""
    if not constraints:
        return ""
    lines = []
    for name, members in constraints["groups"].items():
        bounds = [_bound_words(rule) for rule in constraints["rules"] if rule["group"] == name]
        lines.append(f"{name}: {', '.join(bounds)} — {', '.join(map(str, members))}")
    return "\n".join(lines)


def _bound_words(rule: Mapping[str, Any]) -> str:
    rounding = f" rounded {rule['rounding']}" if "rounding" in rule else ""
    return ", ".join(f"{side.replace('_', ' ')} {rule[side]}{rounding}" for side in ("at_least", "at_most") if side in rule)


def _key(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()
