"""The roll: who may vote in a meeting, read from the membership system's CSV, looked at, then frozen.

Only full members of good standing are included. Everybody else is left out with the reason. The subscription rate never
plays a part: only the columns named in `Columns` are taken out of the file, and none of them is the rate.

Commitment (published when the roll is frozen, and hashed into each election). With `salt` 32 random bytes kept by the service:

    own salt  = HMAC-SHA-256(salt, handle), in hexadecimal
    leaf      = SHA-256("ballot.roll-leaf.v1|" meeting "|" own salt "|" name "|" folded e-mail "|" sections, sorted, ";" between)
    leaves    = the leaves in hexadecimal, sorted
    commitment = SHA-256("ballot.roll.v1|" meeting "|" number of leaves "|" leaves, "," between), in hexadecimal

The list of leaves may be published: without the salt, which is random and as long as the hash, a leaf tells nothing about a
person. A member who is told their own salt can see that their leaf is in the list, and that nobody's is there twice.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from sqlalchemy import delete, func, insert
from sqlmodel import Session, col, select

from ballot.errors import MalformedError, NotFoundError, PreconditionError, RollError
from ballot.language import N_, TextEnum, joined, listing, phrase
from ballot.models import Meeting, Roll, RollEntry, table
from ballot.services.clock import MONTHS
from ballot.services.identifiers import new_handle
from ballot.services.journal import Act, Actor, append
from ballot.services.rights import Move, require

MAX_BYTES: Final = 100 * 1024 * 1024
MAX_ROWS: Final = 1_000_000
MAX_FIELD: Final = 500
MAX_HEADING: Final = 100


class Reason(TextEnum):
    """Why a line of the file cannot vote."""

    SUPPORTER = N_("supporter, not a full member")
    LAPSED = N_("membership lapsed")
    SUSPENDED = N_("membership suspended")
    JOINED_LATE = N_("joined after the cut-off")
    NO_EMAIL = N_("no e-mail address")
    BAD_EMAIL = N_("e-mail address cannot be used")
    DUPLICATE = N_("the same as another line")
    LEFT_OUT = N_("left out by the officer")
    UNDECIDED = N_("needs a decision")


ATTENTION: Final = frozenset({Reason.UNDECIDED, Reason.NO_EMAIL, Reason.BAD_EMAIL})  # what better data may mend


class Decision(StrEnum):
    """What the officer decided about a line: it counts in spite of a doubt, or before one with the same address; or it does not."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True)
class Line:
    """One line of the file after examination. `row` counts from 1, the heading line; `reason` is None for who can vote.

    `detail` is a sentence for the officer: what was found in which column, and what to type where that helps. `other` is the row of
    the line that is used instead of this one, 0 where there is none.
    """

    row: int
    number: str
    name: str
    email: str
    email_key: str
    sections: tuple[str, ...]
    reason: Reason | None
    detail: str
    other: int = 0


@dataclass(frozen=True)
class Columns:
    """Which heading holds what; "" where the file has no such column. There is no place here for a subscription rate."""

    email: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    number: str = ""
    category: str = ""
    status: str = ""
    joined: str = ""
    region: str = ""
    constituency: str = ""
    groups: str = ""


@dataclass(frozen=True)
class Words:
    """What the organisation's own words mean, by folded word; a word that is not here has its usual meaning.

    `category`: "full" or "supporter". `status`: "current", "lapsed" or "suspended". With `everybody` the file lists full members only.
    """

    category: Mapping[str, str] = field(default_factory=dict)
    status: Mapping[str, str] = field(default_factory=dict)
    everybody: bool = False


USUAL: Final = Words()


@dataclass(frozen=True)
class Table:
    """A CSV file as read: headings, and rows of text with the line each starts on. How it was understood is told too.

    `wide` has the rows with more values than there are headings, and how many; what is too much is cut off.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    encoding: str
    delimiter: str
    wide: Mapping[int, int] = field(default_factory=dict)
    has_headings: bool = True


@dataclass(frozen=True)
class Preview:
    """What a file would give, before anything is saved."""

    lines: tuple[Line, ...]
    file_hash: str
    columns: Columns
    cut_off: date

    @property
    def included(self) -> tuple[Line, ...]:
        """Who can vote."""
        return tuple(line for line in self.lines if line.reason is None)

    @property
    def left_out(self) -> tuple[Line, ...]:
        """Who cannot, each with the reason; those that need a decision too."""
        return tuple(line for line in self.lines if line.reason is not None)

    @property
    def undecided(self) -> tuple[Line, ...]:
        """Who needs a decision."""
        return tuple(line for line in self.lines if line.reason is Reason.UNDECIDED)

    @property
    def attention(self) -> tuple[Line, ...]:
        """Who cannot vote as the file stands, but may once a value is mended."""
        return tuple(line for line in self.lines if line.reason in ATTENTION)

    @property
    def sections(self) -> dict[str, int]:
        """Every section of who can vote, with its number of members."""
        return dict(sorted(Counter(section for line in self.included for section in line.sections).items()))

    @property
    def counts(self) -> dict[str, int]:
        """How many lines were left out, for each reason that occurs."""
        return dict(sorted(Counter(str(line.reason) for line in self.left_out).items()))


@dataclass(frozen=True)
class Difference:
    """What changed since the roll loaded before, by folded e-mail address."""

    new: tuple[str, ...] = field(default=())
    gone: tuple[str, ...] = field(default=())


# --- reading the file -------------------------------------------------------------------------------------------


def unreadable(*, row: int, column: str, found: str, remedy: str) -> RollError:
    """The error about one place of a file, whose text says where it is."""
    where = N_("Row {row}, column “{column}”: found {found}. {remedy}") if column else N_("Row {row}: found {found}. {remedy}")
    message = phrase(where, row=row, column=column, found=found, remedy=remedy)
    return RollError(message, row=row, column=column, found=found, remedy=remedy)


def read_table(data: bytes, *, headings: bool | None = None) -> Table:
    """A CSV file in UTF-8 (with or without BOM) or Windows-1252, with comma, semicolon or tab.

    `headings` says whether the first line has them; where it is None, a first line with an e-mail address in it has none. Columns
    without a heading, or with that of another, get one.

    Raises:
        RollError: empty, binary, too large, quotes that do not end, or no table at all.
    """
    if len(data) > MAX_BYTES:
        raise unreadable(
            row=1,
            column="",
            found=phrase("a file of {size} MB", size=len(data) // 1000000),
            remedy=phrase("Export the members only, as CSV."),
        )
    text, encoding = _decode(data)
    first = text.partition("\n")[0]
    if not first.strip():
        raise unreadable(
            row=1,
            column="",
            found=phrase("no headings"),
            remedy=phrase("Put the column names, such as Name and Email, into the first line."),
        )
    delimiter = max(",;\t", key=lambda candidate: _count_outside_quotes(first, candidate))
    rows = list(_rows(text, delimiter))
    if not rows:
        raise unreadable(
            row=1,
            column="",
            found=phrase("no headings"),
            remedy=phrase("Put the column names, such as Name and Email, into the first line."),
        )
    if headings is None:
        headings = not any(_LIKE_AN_ADDRESS.fullmatch(cell.strip()) for cell in rows[0][1])
    named = _named(rows[0][1] if headings else [""] * max(len(row) for _, row in rows))
    width = len(named)
    body: list[tuple[str, ...]] = []
    wide = {}
    for number, row in rows[1 if headings else 0 :]:
        if len(row) > width and any(cell.strip() for cell in row[width:]):
            wide[number] = len(row)
        if number > MAX_ROWS:
            raise unreadable(row=number, column="", found=phrase("more than a million lines"), remedy=phrase("Export the members only."))
        body.append((*row[:width], *[""] * (width - len(row))))
    numbers = tuple(number for number, _ in rows[1 if headings else 0 :])
    if width == 1 and not any("@" in row[0] for row in body):
        remedy = phrase("Export it again as CSV, with commas, semicolons or tabs between the columns.")
        raise unreadable(row=1, column="", found=phrase("one column only, without e-mail addresses"), remedy=remedy)
    return Table(named, tuple(body), numbers, encoding, delimiter, wide, headings)


_LIKE_AN_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


def _named(cells: Iterable[str]) -> tuple[str, ...]:
    """A heading for every column, no two alike."""
    found: list[str] = []
    for place, cell in enumerate(cells, start=1):
        heading = " ".join(cell.split())[:MAX_HEADING] or f"Column {place}"
        taken = {known.casefold() for known in found}
        if heading.casefold() in taken:
            heading = f"{heading} (column {place})"
        found.append(heading)
    return tuple(found)


def _decode(data: bytes) -> tuple[str, str]:
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        raise unreadable(row=1, column="", found=phrase("an empty file"), remedy=phrase("Export the members as CSV and choose that file."))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise unreadable(row=1, column="", found=phrase("a file in UTF-16"), remedy=phrase("Save it as “CSV UTF-8”."))
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        remedy = phrase("Open it, choose “Save as”, then “CSV UTF-8”, and choose the new file here.")
        raise unreadable(row=1, column="", found=phrase("a spreadsheet or PDF"), remedy=remedy)
    if b"\0" in data:
        raise unreadable(row=1, column="", found=phrase("a binary file"), remedy=phrase("Export the members as CSV and choose that file."))
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise unreadable(
            row=row, column="", found=phrase("bytes that are no text"), remedy=phrase("Save the file as “CSV UTF-8”.")
        ) from error


def _count_outside_quotes(line: str, candidate: str) -> int:
    return re.sub(r'"[^"]*"', "", line).count(candidate)


def _rows(text: str, delimiter: str) -> Iterable[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of the line it starts on."""
    csv.field_size_limit(MAX_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        remedy = phrase("Look for a quotation mark too many, or export it again as CSV.")
        raise unreadable(row=start, column="", found=phrase("a file that is not CSV ({error})", error=str(error)), remedy=remedy) from error


# --- which column is which --------------------------------------------------------------------------------------

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email", "e-mail", "email address", "e-mail address", "mail", "email 1", "primary email", "contact email"),
    "name": ("name", "full name", "member", "member name", "display name"),
    "first_name": ("first name", "firstname", "forename", "forenames", "given name", "given names", "first names"),
    "last_name": ("last name", "lastname", "surname", "surnames", "family name", "last names"),
    "number": (
        *("member number", "membership number", "membership no", "member no", "number", "id", "member id", "membership id", "no"),
        *("membership ref", "member ref", "reference", "ref"),
    ),
    "category": ("category", "type", "membership type", "member type", "membership", "membership category", "member category"),
    "status": ("status", "membership status", "member status", "standing"),
    "joined": ("joined", "joined on", "join date", "date joined", "joining date", "member since", "start date", "membership start date"),
    "region": ("region", "sub-region", "subregion", "sub region", "area"),
    "constituency": ("constituency", "branch", "clp", "local party", "ward"),
    "groups": ("groups", "group", "sections", "section", "equality", "equality sections", "equalities", "self-described groups"),
}


def guess_columns(headings: Iterable[str]) -> Columns:
    """Which headings hold what, by their usual names in any order; the officer may choose others.

    Raises: RollError: no heading looks like an e-mail address.
    """
    there = tuple(headings)
    found = guesses(there)
    if not found["email"]:
        shown = ", ".join(f"“{heading}”" for heading in there)[:300]
        raise unreadable(
            row=1,
            column="",
            found=phrase("the headings {headings}", headings=shown),
            remedy=phrase("Name the column with the addresses Email."),
        )
    return Columns(**found)


ATTRIBUTES: Final = tuple(_ALIASES)


def guesses(headings: Iterable[str], table_: Table | None = None) -> dict[str, str]:
    """What each attribute's heading probably is, "" where none is like it; a column full of addresses is the one for e-mail."""
    plain = {re.sub(r"[\s_.]+|\(.*?\)", " ", heading).strip(" :*").casefold(): heading for heading in reversed(tuple(headings))}
    found = {attribute: next((plain[alias] for alias in aliases if alias in plain), "") for attribute, aliases in _ALIASES.items()}
    if not found["email"] and table_ is not None:
        sample = table_.rows[:200]
        with_at = [sum(bool(_LIKE_AN_ADDRESS.fullmatch(row[place].strip())) for row in sample) for place in range(len(table_.headings))]
        if sample and max(with_at) * 2 > len(sample):
            found["email"] = table_.headings[with_at.index(max(with_at))]
    return found


def words_in(table_: Table, heading: str) -> dict[str, tuple[str, int]]:
    """The different words of a column: folded, as first written, and in how many rows; the most frequent first."""
    place = table_.headings.index(heading)
    found: dict[str, tuple[str, int]] = {}
    for row in table_.rows:
        word = row[place].strip()
        shown, number = found.get(word.casefold(), (word, 0))
        found[word.casefold()] = (shown, number + 1)
    return dict(sorted(found.items(), key=lambda item: -item[1][1]))


# --- one line ---------------------------------------------------------------------------------------------------

_FULL: Final = {"full", "full member", "member", "full membership"}
_SUPPORTER: Final = {"supporter", "supporters", "friend", "associate", "associate member", "affiliate", "registered supporter"}
_CURRENT: Final = {"active", "current", "paid", "good standing", "in good standing", "live", "ok"}
_LAPSED: Final = {"lapsed", "expired", "left", "resigned", "cancelled", "canceled", "overdue", "in arrears", "deceased", "former"}
_SUSPENDED: Final = {"suspended", "excluded", "expelled", "under suspension"}


def category_of(word: str, words: Words = USUAL) -> str:
    """What it means, "full" or "supporter"; "" for a word that nobody explained."""
    folded = word.casefold()
    if folded in words.category:
        return words.category[folded]
    return "full" if folded in _FULL else "supporter" if folded in _SUPPORTER else ""


def status_of(word: str, words: Words = USUAL) -> str:
    """What it means, "current", "lapsed" or "suspended"; "" for a word that nobody explained."""
    folded = word.casefold()
    if folded in words.status:
        return words.status[folded]
    return "current" if folded in _CURRENT else "lapsed" if folded in _LAPSED else "suspended" if folded in _SUSPENDED else ""


_UNFIT: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_LOCAL: Final = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)


def clean_email(text: str) -> str:
    """An address that can be written to, in NFC, with its domain in lower case.

    Raises: MalformedError: not one address, or it has a line break or another character that has no place in a header.
    """
    address = unicodedata.normalize("NFC", text.strip(" \t"))
    if not address.isprintable() and any(unicodedata.category(c) in _UNFIT for c in address):
        raise MalformedError(phrase("an address with a line break or control character in it"))
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise MalformedError(phrase("not an e-mail address"))
    labels = _ascii_domain(domain).split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or len(address.encode()) > 254:
        raise MalformedError(phrase("not an e-mail address"))
    return f"{local}@{domain.lower()}"


def fold_email(address: str) -> str:
    """The same for two spellings of one mailbox: letter case, what follows a plus, NFC and international domains are folded."""
    local, _, domain = unicodedata.normalize("NFC", address).casefold().rpartition("@")
    return unicodedata.normalize("NFC", f"{local.partition('+')[0] or local}@{_ascii_domain(domain)}")


@lru_cache(maxsize=4096)  # most members have one of a few mail services
def _ascii_domain(domain: str) -> str:
    try:
        return unicodedata.normalize("NFC", domain).encode("idna").decode().lower()
    except UnicodeError as error:
        raise MalformedError(phrase("not an e-mail address")) from error


@lru_cache(maxsize=32_768)
def parse_date(text: str) -> date:
    """A day as 2024-03-31, 31/03/2024, 31/03/24, 31.3.2024, 31 March 2024 or 31-Mar-24 (days before months); a time after it is ignored.

    Raises: MalformedError.
    """
    plain = _TIME_AFTER.sub("", text.strip())
    for form in _DAYS:
        try:
            return datetime.strptime(plain, form).date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            continue
    raise MalformedError(f"{text!r} is not a date")


_TIME_AFTER: Final = re.compile(r"(?<=\d)(?:T|\s+)\d{1,2}:\d\d.*")
_DAYS: Final = (
    *("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %B %Y", "%d %b %Y", "%Y/%m/%d"),
    *("%d-%b-%Y", "%d-%b-%y", "%d/%m/%y", "%d %b %y", "%d.%m.%y"),
)


def examine(
    table_: Table,
    columns: Columns,
    cut_off: date,
    *,
    file_hash: str = "",
    words: Words = USUAL,
    edits: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
    decisions: Mapping[int, Decision] = MappingProxyType({}),
    ask: bool = False,
) -> Preview:
    """Each line with its reason, nothing saved. Members who joined on the cut-off day itself are included.

    `edits` are the officer's own values by row and attribute, in place of the file's. Of two lines with one address or number the first
    is used; with `ask`, the officer decides unless they agree in everything.

    Raises: RollError: a chosen column is not in the file, or none tells full members from supporters.
    """
    place = {heading: position for position, heading in enumerate(table_.headings)}
    for attribute in ATTRIBUTES:
        chosen = getattr(columns, attribute)
        if chosen and chosen not in place:
            raise unreadable(row=1, column=chosen, found=phrase("no such heading"), remedy=phrase("Choose one of the file's own columns."))
    if not columns.category and not words.everybody:
        remedy = phrase("Add a column Membership type with Full member or Supporter: only full members vote.")
        raise unreadable(row=1, column="", found=phrase("no column that tells members from supporters"), remedy=remedy)
    where = {attribute: place[chosen] for attribute in ATTRIBUTES if (chosen := getattr(columns, attribute))}
    lines: list[Line] = []
    for row, cells in zip(table_.numbers, table_.rows, strict=True):
        values = dict.fromkeys(ATTRIBUTES, "")
        for attribute, position in where.items():
            values[attribute] = cells[position].strip()
        own, decision = edits.get(row), decisions.get(row)
        values |= own or {}
        line = _judge(row, values, columns, cut_off, words, trust=decision is Decision.IN)
        if row in table_.wide and own is None and decision is None:
            found = phrase("{values} values under {headings} headings", values=table_.wide[row], headings=len(table_.headings))
            remedy = phrase("Put quotes round values that contain the separator, or look at the values and correct them here.")
            line = _out(line, Reason.UNDECIDED, str(unreadable(row=row, column="", found=found, remedy=remedy)))
        if decision is Decision.OUT:
            line = _out(line, Reason.LEFT_OUT, phrase("Row {row}: you left this line out.", row=row))
        lines.append(line)
    return Preview(_once_each(_spelt_alike(lines), decisions, ask=ask), file_hash, columns, cut_off)


def _spelt_alike(lines: list[Line]) -> list[Line]:
    """Sections that differ in capitals only are one, spelt as most rows spell it: they would be two electorates otherwise."""
    found = Counter(section for line in lines for section in line.sections)
    best: dict[str, str] = {}
    for section, number in found.items():
        folded = section.casefold()
        if folded not in best or number > found[best[folded]]:
            best[folded] = section
    if len(best) == len(found):
        return lines
    return [replace(line, sections=tuple(sorted({best[section.casefold()] for section in line.sections}))) for line in lines]


def _once_each(lines: list[Line], decisions: Mapping[int, Decision], *, ask: bool) -> tuple[Line, ...]:
    """Of the lines with one address or number one can vote: that which the officer chose, else the first."""
    seen: dict[str, Line] = {}
    twice: dict[int, Line] = {}
    preferred = [line for line in lines if decisions.get(line.row) is Decision.IN] if decisions else []
    for line in (*preferred, *lines) if preferred else lines:
        if line.reason is not None:
            continue
        marks = [f"e|{line.email_key}", *([f"n|{line.number.casefold()}"] if line.number else [])]
        first = next((seen[mark] for mark in marks if mark in seen), None)
        if first is None:
            seen |= dict.fromkeys(marks, line)
        elif first is not line:
            twice[line.row] = _second(line, first, ask=ask and decisions.get(first.row) is not Decision.IN)
    return tuple(twice.get(line.row, line) for line in lines) if twice else tuple(lines)


def _second(line: Line, first: Line, *, ask: bool) -> Line:
    """A line whose address or number another has already."""
    same = first.email_key == line.email_key
    values = {"row": line.row, "first": first.row, "name": first.name}
    alike = (first.name.casefold(), first.email_key, first.sections) == (line.name.casefold(), line.email_key, line.sections)
    if alike or not ask:
        used = N_("Row {row}: the same e-mail address as row {first}; that line is used.")
        used = used if same else N_("Row {row}: the same membership number as row {first}; that line is used.")
        return replace(_out(line, Reason.DUPLICATE, phrase(used, **values)), other=first.row)
    differ = [
        word
        for word, one, other in (
            (phrase("another name"), first.name, line.name),
            (phrase("another e-mail address"), first.email_key, line.email_key),
        )
        if one.casefold() != other.casefold()
    ] or [phrase("another part of the organisation")]
    detail = N_("Row {row}: the same e-mail address as row {first} ({name}), but {differences}.")
    detail = detail if same else N_("Row {row}: the same membership number as row {first} ({name}), but {differences}.")
    remedy = phrase("One person? Choose which line to use. Two people? Type the right address and number for one of them.")
    both = joined([phrase(detail, **values, differences=listing(differ)), remedy])
    return replace(_out(line, Reason.UNDECIDED, both), other=first.row)


def _out(line: Line, reason: Reason, detail: str) -> Line:
    return Line(line.row, line.number, line.name, line.email, line.email_key, line.sections, reason, detail)


def _judge(row: int, values: Mapping[str, str], columns: Columns, cut_off: date, words: Words, *, trust: bool) -> Line:
    """Who can vote (reason None), or the first reason why not; duplicates are looked for afterwards.

    `trust`: the officer knows this member, so a doubt about category, standing or date of joining is none.
    """
    name = values["name"] or f"{values['first_name']} {values['last_name']}".strip()
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    name = " ".join(name.split(" "))
    blank = Line(row, values["number"], name, values["email"], "", (), None, "")

    def wrong(reason: Reason, column: str, found: str, remedy: str) -> Line:
        return _out(blank, reason, str(unreadable(row=row, column=column, found=found, remedy=remedy)))

    if any(len(value) > MAX_FIELD for value in values.values()):
        attribute = next(attribute for attribute in ATTRIBUTES if len(values[attribute]) > MAX_FIELD)
        return wrong(Reason.UNDECIDED, getattr(columns, attribute), phrase("a very long text"), phrase("Shorten it."))
    if not f"{name}{values['number']}".isprintable() and any(
        unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in name + values["number"]
    ):
        where = columns.name or columns.first_name
        return wrong(Reason.UNDECIDED, where, phrase("a line break or control character"), phrase("Type the name again on one line."))

    category = category_of(values["category"], words) if columns.category else "full"
    if category == "supporter":
        return wrong(Reason.SUPPORTER, columns.category, f"“{_shown(values['category'])}”", phrase("Only full members vote."))
    if category != "full" and not trust:
        found = f"“{_shown(values['category'])}”" if values["category"] else phrase("nothing")
        return wrong(Reason.UNDECIDED, columns.category, found, phrase("Type Full member or Supporter."))
    status = status_of(values["status"], words) if columns.status else "current"
    if status == "lapsed":
        return wrong(Reason.LAPSED, columns.status, f"“{_shown(values['status'])}”", phrase("Only members in good standing vote."))
    if status == "suspended":
        return wrong(Reason.SUSPENDED, columns.status, f"“{_shown(values['status'])}”", phrase("Only members in good standing vote."))
    if status != "current" and not trust:
        found = f"“{_shown(values['status'])}”" if values["status"] else phrase("nothing")
        return wrong(Reason.UNDECIDED, columns.status, found, phrase("Type Active, Lapsed or Suspended."))
    if columns.joined:
        try:
            joined = parse_date(values["joined"])
        except MalformedError:
            if not trust:
                found = f"“{_shown(values['joined'])}”" if values["joined"] else phrase("nothing")
                return wrong(Reason.UNDECIDED, columns.joined, found, phrase("Type the day as 2024-03-31 or 31/03/2024."))
        else:
            if joined > cut_off:
                remedy = phrase("The cut-off is {day} {month} {year}.", day=cut_off.day, month=MONTHS[cut_off.month - 1], year=cut_off.year)
                return wrong(Reason.JOINED_LATE, columns.joined, f"“{_shown(values['joined'])}”", remedy)
    if not values["email"]:
        return wrong(
            Reason.NO_EMAIL, columns.email, phrase("nothing"), phrase("Type the member’s e-mail address, or give them the paper route.")
        )
    try:
        email = clean_email(values["email"])
        key = fold_email(email)
    except MalformedError:
        return wrong(Reason.BAD_EMAIL, columns.email, f"“{_shown(values['email'])}”", phrase("Type one address such as name@example.org."))
    return Line(row, values["number"], name or email, email, key, _sections(values), None, "")


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)[:100]


def _sections(values: Mapping[str, str]) -> tuple[str, ...]:
    """`region:…`, `constituency:…` and one `group:…` for each self-described group."""
    found = [f"{kind}:{_word(values[kind])}" for kind in ("region", "constituency") if values[kind]]
    found += [f"group:{_word(group)}" for group in re.split(r"[;,|/]", values["groups"]) if group.strip()]
    return tuple(sorted(set(found)))


def _word(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


# --- saving and freezing ----------------------------------------------------------------------------------------


def preview(data: bytes, cut_off: date, columns: Columns | None = None) -> Preview:
    """What this file would give: `read_table`, `guess_columns` where none are chosen, `examine`.

    Raises: RollError, as those do.
    """
    table_ = read_table(data)
    return examine(table_, columns or guess_columns(table_.headings), cut_off, file_hash=hashlib.sha256(data).hexdigest())


def load(session: Session, meeting_id: str, found: Preview, actor: Actor, now: datetime) -> Difference:
    """The previewed lines are the meeting's roll, in place of one loaded before; still to be frozen.

    Raises:
        NotAllowedError.
        NotFoundError: no such meeting.
        PreconditionError: the roll is frozen already, or nobody on it can vote.
    """
    require(actor, Move.ROLL)
    if session.get(Meeting, meeting_id, with_for_update=True) is None:
        raise NotFoundError(phrase("There is no such meeting."))
    roll = session.get(Roll, meeting_id)
    if roll is not None and roll.frozen_at is not None:
        raise PreconditionError(phrase("This meeting's roll is frozen and cannot be replaced."))
    if not found.included:
        raise PreconditionError(phrase("Nobody in this file can vote; look at the reasons and choose another file."))
    before = {entry.email_key: entry.handle for entry in members(session, meeting_id)}
    session.execute(delete(RollEntry).where(col(RollEntry.meeting_id) == meeting_id))
    rows = [
        {
            # who stays keeps the handle, so that codes a registrar derived from an earlier list still fit
            "handle": (before.get(line.email_key) if line.reason is None else None) or new_handle(),
            "meeting_id": meeting_id,
            "row": line.row,
            "number": line.number,
            "name": line.name,
            "email": line.email,
            "email_key": line.email_key,
            "sections": list(line.sections),
            "reason": str(line.reason or ""),
            "detail": line.detail,
            "generation": 0,
            "typed_code": True,
            "withdrawn": False,
        }
        for line in found.lines
    ]
    session.execute(insert(table(RollEntry)), rows)
    if roll is None:
        roll = Roll(meeting_id=meeting_id, file_hash="", cut_off="", salt=secrets.token_bytes(32), loaded_at=now)
    roll.file_hash, roll.cut_off, roll.loaded_at = found.file_hash, found.cut_off.isoformat(), now
    roll.included, roll.counts, roll.commitment = len(found.included), found.counts, ""
    session.add(roll)
    append(session, meeting_id, Act.ROLL_LOADED, actor, now, details={"included": roll.included, "left out": roll.counts})
    after = {line.email_key for line in found.included}
    return Difference(tuple(sorted(after - before.keys())), tuple(sorted(before.keys() - after)))


def freeze(session: Session, meeting_id: str, actor: Actor, now: datetime) -> Roll:
    """The roll stands: its commitment and the figure of each reason are in the journal, and who was left out is forgotten.

    Raises:
        NotAllowedError.
        NotFoundError: no roll is loaded.
        PreconditionError: it is frozen already, or a line still needs a decision.
    """
    require(actor, Move.ROLL)
    roll = session.get(Roll, meeting_id, with_for_update=True)
    if roll is None:
        raise NotFoundError(phrase("No roll is loaded for this meeting yet."))
    if roll.frozen_at is not None:
        raise PreconditionError(phrase("This meeting's roll is frozen already."))
    undecided = roll.counts.get(str(Reason.UNDECIDED), 0)
    if undecided:
        raise PreconditionError(
            phrase("{undecided} lines of the roll still need a decision: correct them in the file and load it again.", undecided=undecided)
        )
    session.execute(delete(RollEntry).where(col(RollEntry.meeting_id) == meeting_id, col(RollEntry.reason) != ""))
    roll.commitment, roll.frozen_at = commitment(meeting_id, leaves(session, roll)), now
    session.add(roll)
    details = {"included": roll.included, "left out": roll.counts, "commitment": roll.commitment, "cut-off": roll.cut_off}
    details |= {"name": roll.name} if roll.name else {}
    append(session, meeting_id, Act.ROLL_FROZEN, actor, now, details=details)
    return roll


def members(session: Session, meeting_id: str, section: str = "") -> list[RollEntry]:
    """Who can vote in this meeting, or those of one section (`region:…`, `constituency:…`, `group:…`); ordered by handle."""
    entries = session.exec(
        select(RollEntry).where(RollEntry.meeting_id == meeting_id, RollEntry.reason == "").order_by(col(RollEntry.handle))
    ).all()
    return [entry for entry in entries if not section or section in entry.sections]


def left_out(session: Session, meeting_id: str) -> list[RollEntry]:
    """Who cannot vote, with `reason` and `detail`; empty once the roll is frozen."""
    rows = select(RollEntry).where(RollEntry.meeting_id == meeting_id, RollEntry.reason != "").order_by(col(RollEntry.row))
    return list(session.exec(rows).all())


def sections(session: Session, meeting_id: str) -> dict[str, int]:
    """Every section that occurs, with its number of members."""
    return dict(sorted(Counter(section for entry in members(session, meeting_id) for section in entry.sections).items()))


def size(session: Session, meeting_id: str) -> int:
    """How many can vote."""
    return session.exec(select(func.count()).where(RollEntry.meeting_id == meeting_id, RollEntry.reason == "")).one()


def find(session: Session, meeting_id: str, email: str) -> RollEntry | None:
    """The member whose address this is, however it is spelt; None if nobody's."""
    try:
        key = fold_email(clean_email(email))
    except MalformedError:
        return None
    return session.exec(
        select(RollEntry).where(RollEntry.meeting_id == meeting_id, RollEntry.email_key == key, RollEntry.reason == "")
    ).first()


# --- commitment -------------------------------------------------------------------------------------------------


def own_salt(salt: bytes, handle: str) -> str:
    """The salt of one member's leaf, which may be told to that member."""
    return hmac.new(salt, handle.encode(), hashlib.sha256).hexdigest()


def leaf(meeting_id: str, member_salt: str, name: str, email_key: str, member_sections: Iterable[str]) -> str:
    """One member's leaf, as at the top of this module."""
    text = f"ballot.roll-leaf.v1|{meeting_id}|{member_salt}|{name}|{email_key}|{';'.join(sorted(member_sections))}"
    return hashlib.sha256(text.encode()).hexdigest()


def leaves(session: Session, roll: Roll) -> list[str]:
    """The sorted leaves of a roll."""
    return sorted(
        leaf(entry.meeting_id, own_salt(roll.salt, entry.handle), entry.name, entry.frozen_key or entry.email_key, entry.sections)
        for entry in members(session, roll.meeting_id)
    )


def commitment(meeting_id: str, sorted_leaves: list[str]) -> str:
    """The roll's commitment, as at the top of this module."""
    return hashlib.sha256(f"ballot.roll.v1|{meeting_id}|{len(sorted_leaves)}|{','.join(sorted_leaves)}".encode()).hexdigest()
