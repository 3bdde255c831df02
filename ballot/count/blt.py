"""The `.blt` file of papers: read with every oddity named or refused, written in one canonical form.

A file is: `candidates seats`; optionally withdrawn candidates (`-2 -5`) and `[tie 3 2 1]`, an order for lots, most favoured
last as the programs that use it have it; one paper a line, `count choice choice ... 0`; a lone `0`; one quoted name a
candidate; a quoted title. `#` starts a comment outside quotes; empty lines, CRLF and a byte-order mark are passed over.

Oddities: `-` is a rank left blank, `2=5` an equal or double mark; both, and a candidate named twice, go to the mark rule that
the caller names (`papers.MARK_RULES`). `7 0` is seven papers without a choice: they are counted as invalid. Everything else
is refused with its line number and the reason.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from ballot.count.papers import MARK_RULES, MAX_CANDIDATES, MAX_SEATS, MarkRule, Profile, Ranking, apply_mark_rule
from ballot.errors import MalformedError

MAX_BYTES = 50_000_000
MAX_PAPERS = 10**9
_LONGEST_NUMBER = 10  # digits


def read_blt(data: bytes | str, mark_rule: str = "strict") -> Profile:
    """The profile in this file.

    Raises:
        MalformedError: not a .blt file, or marks that the mark rule refuses; the text has the line number and the reason.
    """
    if mark_rule not in MARK_RULES:
        raise MalformedError(f"There is no mark rule “{mark_rule}”; there are {', '.join(MARK_RULES)}.")
    return _Reader(_text(data), MARK_RULES[mark_rule]).profile()


def _text(data: bytes | str) -> str:
    if len(data) > MAX_BYTES:
        raise MalformedError(f"The file has {len(data)} bytes; at most {MAX_BYTES} are read.")
    if isinstance(data, bytes):
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise MalformedError(f"Line {line}: the file is not UTF-8 text.") from error
    else:
        text = data.removeprefix("\ufeff")
    if "\0" in text:
        raise MalformedError(f"Line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a zero byte; this is not a text file.")
    if not text.strip():
        raise MalformedError("The file is empty.")
    return text


class _Reader:
    """Walks the lines once; `number` is always the line being read, from 1."""

    def __init__(self, text: str, rule: MarkRule) -> None:
        self.lines = text.split("\n")
        self.rule = rule
        self.number = 0

    def refuse(self, reason: str) -> MalformedError:
        return MalformedError(f"Line {self.number}: {reason}")

    def __iter__(self) -> Iterator[str]:
        while self.number < len(self.lines):
            line = self.lines[self.number]
            self.number += 1
            if "#" in line and '"' not in line:
                line = line[: line.index("#")]
            line = line.strip()
            if line and not line.startswith("#"):
                yield line

    def profile(self) -> Profile:
        """The whole file."""
        lines = iter(self)
        count, seats = self._header(next(lines, ""))
        withdrawn: frozenset[int] = frozenset()
        tie_order: tuple[int, ...] | None = None
        heap: dict[Ranking, int] = {}
        table = {str(index + 1): index for index in range(count)}
        total = invalid = 0
        for line in lines:
            parts = line.split()
            head = parts[0]
            if len(head) <= _LONGEST_NUMBER and head.isascii() and head.isdigit() and head != "0":
                if parts[-1] != "0" or len(parts) < 2:
                    raise self.refuse("the paper does not end with 0.")
                ranking = self._ranking(parts, table)
                weight = int(head)
                total += weight
                if total > MAX_PAPERS:
                    raise self.refuse(f"more than {MAX_PAPERS} papers.")
                if ranking:
                    heap[ranking] = heap.get(ranking, 0) + weight
                else:
                    invalid += weight
            elif line == "0":
                break
            elif head.startswith("-") and not total and not withdrawn:
                withdrawn = self._withdrawn(parts, count)
            elif head.startswith("[") and not total and tie_order is None:
                tie_order = self._tie(line, count)
            else:
                raise self.refuse(self._why(head))
        else:
            raise MalformedError(f"Line {len(self.lines)}: the file ends before the lone 0 that closes the papers.")
        names, title = self._names(lines, count)
        papers = tuple((weight, ranking) for ranking, weight in heap.items())
        return Profile(names, papers, seats, title, withdrawn, invalid, self.rule.name, tie_order)

    def _header(self, line: str) -> tuple[int, int]:
        parts = line.split()
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= _LONGEST_NUMBER for part in parts):
            raise self.refuse("the first line must be the number of candidates and the number of seats.")
        count, seats = int(parts[0]), int(parts[1])
        if not 1 <= count <= MAX_CANDIDATES:
            raise self.refuse(f"{count} candidates; between 1 and {MAX_CANDIDATES} can be counted.")
        if not 1 <= seats <= MAX_SEATS:
            raise self.refuse(f"{seats} seats; between 1 and {MAX_SEATS} can be filled.")
        return count, seats

    def _ranking(self, parts: list[str], table: dict[str, int]) -> Ranking:
        """The ranking on a line whose first and last parts are the weight and the closing 0."""
        try:
            plain = tuple([table[part] for part in parts[1:-1]])
        except KeyError:
            pass
        else:
            if len(set(plain)) == len(plain):
                return plain
        marks = [self._rank(part, table) for part in parts[1:-1]]
        try:
            return apply_mark_rule(marks, self.rule)
        except MalformedError as error:
            raise self.refuse(f"{error}.") from error

    def _rank(self, part: str, table: dict[str, int]) -> tuple[int, ...]:
        if part == "-":
            return ()
        found = []
        for name in part.split("="):
            if name not in table:
                if name == "0":
                    raise self.refuse("a 0 in the middle of a paper: one paper a line.")
                raise self.refuse(f"“{part[:20]}” is not a candidate (1 to {len(table)}).")
            found.append(table[name])
        return tuple(found)

    def _withdrawn(self, parts: list[str], count: int) -> frozenset[int]:
        found = []
        for part in parts:
            digits = part[1:]
            if not (part[0] == "-" and digits.isascii() and digits.isdigit() and len(digits) < 9 and 1 <= int(digits) <= count):
                raise self.refuse(f"“{part[:20]}” is not a withdrawn candidate (-1 to -{count}).")
            found.append(int(digits) - 1)
        if len(set(found)) != len(found):
            raise self.refuse("a candidate is withdrawn twice.")
        return frozenset(found)

    def _tie(self, line: str, count: int) -> tuple[int, ...]:
        parts = line.removeprefix("[").removesuffix("]").split()
        if not parts or parts[0] != "tie" or not line.endswith("]"):
            raise self.refuse(f"the option “{line[:30]}” is not known.")
        digits = [int(part) - 1 for part in parts[1:] if part.isascii() and part.isdigit() and len(part) < 9]
        if sorted(digits) != list(range(count)) or len(digits) != len(parts) - 1:
            raise self.refuse("the order for lots must name every candidate once.")
        return tuple(digits)

    def _why(self, head: str) -> str:
        if head.startswith("-"):
            return "withdrawn candidates must stand in one line right after the first."
        if head.startswith('"'):
            return "a name before the lone 0 that closes the papers."
        if head.isascii() and head.isdigit():
            return f"“{head[:20]}” is not a possible number of papers."
        if head.replace(".", "", 1).isascii() and head.replace(".", "", 1).isdigit():
            return f"“{head[:20]}” papers: only whole numbers of papers are counted."
        return f"“{head[:20]}” is not a number of papers."

    def _names(self, lines: Iterator[str], count: int) -> tuple[tuple[str, ...], str]:
        found: list[str] = []
        for line in lines:
            if len(line) < 2 or not line.startswith('"'):
                raise self.refuse("names and the title must be in double quotes, one a line.")
            end = line.rindex('"')
            rest = line[end + 1 :].strip()
            if end == 0 or (rest and not rest.startswith("#")):
                raise self.refuse("the closing quote is missing, or something follows it.")
            name = line[1:end].strip()
            if any(unicodedata.category(character) == "Cc" for character in name):
                raise self.refuse("a control character in a name.")
            if len(found) > count:
                raise self.refuse(f"something follows the title (there are {count} candidates).")
            if not name and len(found) < count:
                raise self.refuse("a candidate without a name.")
            found.append(name)
        if len(found) < count:
            raise MalformedError(f"Line {len(self.lines)}: {count} candidates, but only {len(found)} names.")
        return tuple(found[:count]), found[count] if len(found) > count else ""


def write_blt(profile: Profile) -> str:
    """The profile as a .blt file: papers grouped and in ascending order, so the same papers always give the same text."""
    heap: dict[Ranking, int] = {}
    for weight, ranking in profile.papers:
        heap[ranking] = heap.get(ranking, 0) + weight
    lines = [f"{len(profile.candidates)} {profile.seats}"]
    if profile.withdrawn:
        lines.append(" ".join(f"-{index + 1}" for index in sorted(profile.withdrawn)))
    if profile.tie_order is not None:
        lines.append("[tie " + " ".join(str(index + 1) for index in profile.tie_order) + " ]")
    written = sorted((tuple((rank,) if isinstance(rank, int) else rank for rank in ranking), weight) for ranking, weight in heap.items())
    for ranks, weight in written:
        choices = ["=".join(str(index + 1) for index in rank) for rank in ranks]
        lines.append(" ".join([str(weight), *choices, "0"]))
    if profile.invalid:
        lines.append(f"{profile.invalid} 0")
    lines.append("0")
    lines += [f'"{_plain(name)}"' for name in (*profile.candidates, profile.title)]
    return "\n".join(lines) + "\n"


def _plain(name: str) -> str:
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in name).strip()
