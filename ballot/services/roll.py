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
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, func, insert
from sqlmodel import Session, col, select

from ballot.errors import MalformedError, NotFoundError, PreconditionError, RollError
from ballot.models import Meeting, Roll, RollEntry, table
from ballot.services.identifiers import new_handle
from ballot.services.journal import Act, Actor, append
from ballot.services.rights import Move, require

MAX_BYTES: Final = 100 * 1024 * 1024
MAX_ROWS: Final = 1_000_000
MAX_FIELD: Final = 500


class Reason(StrEnum):
    """Why a line of the file cannot vote."""

    SUPPORTER = "supporter, not a full member"
    LAPSED = "membership lapsed"
    SUSPENDED = "membership suspended"
    JOINED_LATE = "joined after the cut-off"
    NO_EMAIL = "no e-mail address"
    BAD_EMAIL = "e-mail address cannot be used"
    DUPLICATE = "the same as another line"
    UNDECIDED = "needs a decision"


@dataclass(frozen=True)
class Line:
    """One line of the file after examination. `row` counts from 1, the heading line; `reason` is None for who can vote.

    `detail` is a sentence for the officer: what was found in which column, and what to type where that helps.
    """

    row: int
    number: str
    name: str
    email: str
    email_key: str
    sections: tuple[str, ...]
    reason: Reason | None
    detail: str


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
class Table:
    """A CSV file as read: headings, and rows of text with the line each starts on. How it was understood is told too."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    encoding: str
    delimiter: str


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
    def counts(self) -> dict[str, int]:
        """How many lines were left out, for each reason that occurs."""
        return dict(sorted(Counter(str(line.reason) for line in self.left_out).items()))


@dataclass(frozen=True)
class Difference:
    """What changed since the roll loaded before, by folded e-mail address."""

    new: tuple[str, ...] = field(default=())
    gone: tuple[str, ...] = field(default=())


# --- reading the file -------------------------------------------------------------------------------------------


def read_table(data: bytes) -> Table:
    """A CSV file in UTF-8 (with or without BOM) or Windows-1252, with comma, semicolon or tab, and its headings in the first line.

    Raises:
        RollError: empty, binary, too large, quotes that do not end, a row of another width, no heading or the same one twice.
    """
    if len(data) > MAX_BYTES:
        raise RollError(row=1, column="", found=f"a file of {len(data) // 1_000_000} MB", remedy="Export the members only, as CSV.")
    text, encoding = _decode(data)
    first = text.partition("\n")[0]
    if not first.strip():
        raise RollError(row=1, column="", found="no headings", remedy="Put the column names, such as Name and Email, into the first line.")
    delimiter = max(",;\t", key=lambda candidate: _count_outside_quotes(first, candidate))
    try:
        rows = list(_rows(text, delimiter))
    except csv.Error as error:
        raise RollError(row=1, column="", found=f"a file that is not CSV ({error})", remedy="Export it again as CSV.") from error
    if not rows:
        raise RollError(row=1, column="", found="no headings", remedy="Put the column names, such as Name and Email, into the first line.")
    headings = tuple(heading.strip() for heading in rows[0][1])
    named = [heading.casefold() for heading in headings if heading]
    twice = next((heading for heading in headings if heading and named.count(heading.casefold()) > 1), None)
    if twice is not None:
        raise RollError(row=1, column=twice, found="the same heading twice", remedy="Rename or delete one of the two columns.")
    width = len(headings)
    body: list[tuple[str, ...]] = []
    for number, row in rows[1:]:
        if len(row) > width and any(cell.strip() for cell in row[width:]):
            found = f"{len(row)} values under {width} headings"
            raise RollError(row=number, column="", found=found, remedy="Put quotes round values that contain the separator.")
        if number > MAX_ROWS:
            raise RollError(row=number, column="", found="more than a million lines", remedy="Export the members only.")
        body.append((*row[:width], *[""] * (width - len(row))))
    return Table(headings, tuple(body), tuple(number for number, _ in rows[1:]), encoding, delimiter)


def _decode(data: bytes) -> tuple[str, str]:
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        raise RollError(row=1, column="", found="an empty file", remedy="Export the members as CSV and choose that file.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RollError(row=1, column="", found="a file in UTF-16", remedy="Save it as “CSV UTF-8”.")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise RollError(row=1, column="", found="a spreadsheet or PDF", remedy="Open it and save it as CSV.")
    if b"\0" in data:
        raise RollError(row=1, column="", found="a binary file", remedy="Export the members as CSV and choose that file.")
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise RollError(row=row, column="", found="bytes that are no text", remedy="Save the file as “CSV UTF-8”.") from error


def _count_outside_quotes(line: str, candidate: str) -> int:
    return re.sub(r'"[^"]*"', "", line).count(candidate)


def _rows(text: str, delimiter: str) -> Iterable[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of the line it starts on."""
    csv.field_size_limit(MAX_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    for row in reader:
        if any(cell.strip() for cell in row):
            yield start, row
        start = reader.line_num + 1


# --- which column is which --------------------------------------------------------------------------------------

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email", "e-mail", "email address", "e-mail address", "mail"),
    "name": ("name", "full name", "member", "member name"),
    "first_name": ("first name", "firstname", "forename", "given name", "first names"),
    "last_name": ("last name", "lastname", "surname", "family name"),
    "number": ("member number", "membership number", "membership no", "member no", "number", "id", "member id", "membership id", "no"),
    "category": ("category", "type", "membership type", "member type", "membership", "membership category"),
    "status": ("status", "membership status", "member status", "standing"),
    "joined": ("joined", "joined on", "join date", "date joined", "joining date", "member since"),
    "region": ("region", "sub-region", "subregion", "sub region", "area"),
    "constituency": ("constituency", "branch", "clp"),
    "groups": ("groups", "group", "sections", "section", "equality", "equality sections", "equalities", "self-described groups"),
}


def guess_columns(headings: Iterable[str]) -> Columns:
    """Which headings hold what, by their usual names in any order; the officer may choose others.

    Raises: RollError: no heading looks like an e-mail address.
    """
    plain = {re.sub(r"[\s_.]+", " ", heading).strip().casefold(): heading for heading in headings}
    found = {
        attribute: next((plain[alias] for alias in aliases if alias in plain), "") for attribute, aliases in _ALIASES.items()
    }
    if not found["email"]:
        there = ", ".join(f"“{heading}”" for heading in headings)[:300]
        raise RollError(row=1, column="", found=f"the headings {there}", remedy="Name the column with the addresses Email.")
    return Columns(**found)


# --- one line ---------------------------------------------------------------------------------------------------

_FULL: Final = {"full", "full member", "member", "full membership"}
_SUPPORTER: Final = {"supporter", "supporters", "friend", "associate", "associate member", "affiliate", "registered supporter"}
_CURRENT: Final = {"active", "current", "paid", "good standing", "in good standing", "live", "ok"}
_LAPSED: Final = {"lapsed", "expired", "left", "resigned", "cancelled", "canceled", "overdue", "in arrears", "deceased", "former"}
_SUSPENDED: Final = {"suspended", "excluded", "expelled", "under suspension"}
_LOCAL: Final = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)


def clean_email(text: str) -> str:
    """An address that can be written to, in NFC, with its domain in lower case.

    Raises: MalformedError: not one address, or it has a line break or another character that has no place in a header.
    """
    address = unicodedata.normalize("NFC", text.strip(" \t"))
    if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in address):
        raise MalformedError("an address with a line break or control character in it")
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise MalformedError("not an e-mail address")
    labels = _ascii_domain(domain).split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or len(address.encode()) > 254:
        raise MalformedError("not an e-mail address")
    return f"{local}@{domain.lower()}"


def fold_email(address: str) -> str:
    """The same for two spellings of one mailbox: letter case, what follows a plus, NFC and international domains are folded."""
    local, _, domain = unicodedata.normalize("NFC", address).casefold().rpartition("@")
    return unicodedata.normalize("NFC", f"{local.partition('+')[0] or local}@{_ascii_domain(domain)}")


def _ascii_domain(domain: str) -> str:
    try:
        return unicodedata.normalize("NFC", domain).encode("idna").decode().lower()
    except UnicodeError as error:
        raise MalformedError("not an e-mail address") from error


def parse_date(text: str) -> date:
    """A day as 2024-03-31, 31/03/2024, 31.3.2024 or 31 March 2024 (days before months). Raises: MalformedError."""
    plain = text.strip().partition("T")[0].partition(" 00:")[0]
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %B %Y", "%d %b %Y", "%Y/%m/%d"):
        try:
            return datetime.strptime(plain, form).date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            continue
    raise MalformedError(f"{text!r} is not a date")


def examine(table_: Table, columns: Columns, cut_off: date, *, file_hash: str = "") -> Preview:
    """Each line with its reason, nothing saved. Members who joined on the cut-off day itself are included.

    Raises: RollError: a chosen column is not in the file, or none tells full members from supporters.
    """
    index = {heading: position for position, heading in enumerate(table_.headings)}
    for attribute in _ALIASES:
        chosen = getattr(columns, attribute)
        if chosen and chosen not in index:
            raise RollError(row=1, column=chosen, found="no such heading", remedy="Choose one of the file's own columns.")
    if not columns.category:
        remedy = "Add a column Membership type with Full member or Supporter: only full members vote."
        raise RollError(row=1, column="", found="no column that tells members from supporters", remedy=remedy)
    lines: list[Line] = []
    seen: dict[str, int] = {}
    for row, cells in zip(table_.numbers, table_.rows, strict=True):
        values = {a: cells[index[chosen]].strip() if (chosen := getattr(columns, a)) else "" for a in _ALIASES}
        line = _judge(row, values, columns, cut_off)
        if line.reason is None:
            marks = [f"e|{line.email_key}", *([f"n|{line.number.casefold()}"] if line.number else [])]
            first = next((seen[mark] for mark in marks if mark in seen), None)
            if first is not None:
                same = "e-mail address" if marks[0] in seen else "membership number"
                line = _out(line, Reason.DUPLICATE, f"Row {row}: the same {same} as row {first}; that line is used.")
            else:
                seen |= dict.fromkeys(marks, row)
        lines.append(line)
    return Preview(tuple(lines), file_hash, columns, cut_off)


def _out(line: Line, reason: Reason, detail: str) -> Line:
    return Line(line.row, line.number, line.name, line.email, line.email_key, line.sections, reason, detail)


def _judge(row: int, values: Mapping[str, str], columns: Columns, cut_off: date) -> Line:
    """Who can vote (reason None), or the first reason why not; duplicates are looked for afterwards."""
    name = values["name"] or f"{values['first_name']} {values['last_name']}".strip()
    name = unicodedata.normalize("NFC", " ".join(name.split(" ")))
    blank = Line(row, values["number"], name, values["email"], "", (), None, "")

    def wrong(reason: Reason, column: str, found: str, remedy: str) -> Line:
        return _out(blank, reason, str(RollError(row=row, column=column, found=found, remedy=remedy)))

    for attribute in _ALIASES:
        if len(values[attribute]) > MAX_FIELD:
            return wrong(Reason.UNDECIDED, getattr(columns, attribute), "a very long text", "Shorten it.")
    if any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in name + values["number"]):
        where = columns.name or columns.first_name
        return wrong(Reason.UNDECIDED, where, "a line break or control character", "Type the name again on one line.")

    category = values["category"].casefold()
    if category in _SUPPORTER:
        return wrong(Reason.SUPPORTER, columns.category, f"“{values['category']}”", "Only full members vote.")
    if category not in _FULL:
        found = f"“{values['category']}”" if category else "nothing"
        return wrong(Reason.UNDECIDED, columns.category, found, "Type Full member or Supporter.")
    status = values["status"].casefold()
    if status in _LAPSED:
        return wrong(Reason.LAPSED, columns.status, f"“{values['status']}”", "Only members in good standing vote.")
    if status in _SUSPENDED:
        return wrong(Reason.SUSPENDED, columns.status, f"“{values['status']}”", "Only members in good standing vote.")
    if columns.status and status not in _CURRENT:
        found = f"“{values['status']}”" if status else "nothing"
        return wrong(Reason.UNDECIDED, columns.status, found, "Type Active, Lapsed or Suspended.")
    if columns.joined:
        try:
            joined = parse_date(values["joined"])
        except MalformedError:
            found = f"“{values['joined']}”" if values["joined"] else "nothing"
            return wrong(Reason.UNDECIDED, columns.joined, found, "Type the day as 2024-03-31 or 31/03/2024.")
        if joined > cut_off:
            return wrong(Reason.JOINED_LATE, columns.joined, f"“{values['joined']}”", f"The cut-off is {cut_off.isoformat()}.")
    if not values["email"]:
        return wrong(Reason.NO_EMAIL, columns.email, "nothing", "Type the member's e-mail address, or give them the paper route.")
    try:
        email = clean_email(values["email"])
        key = fold_email(email)
    except MalformedError:
        return wrong(Reason.BAD_EMAIL, columns.email, f"“{_shown(values['email'])}”", "Type one address such as name@example.org.")
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
        raise NotFoundError("There is no such meeting.")
    roll = session.get(Roll, meeting_id)
    if roll is not None and roll.frozen_at is not None:
        raise PreconditionError("This meeting's roll is frozen and cannot be replaced.")
    if not found.included:
        raise PreconditionError("Nobody in this file can vote; look at the reasons and choose another file.")
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
        raise NotFoundError("No roll is loaded for this meeting yet.")
    if roll.frozen_at is not None:
        raise PreconditionError("This meeting's roll is frozen already.")
    undecided = roll.counts.get(str(Reason.UNDECIDED), 0)
    if undecided:
        raise PreconditionError(f"{undecided} lines of the roll still need a decision: correct them in the file and load it again.")
    session.execute(delete(RollEntry).where(col(RollEntry.meeting_id) == meeting_id, col(RollEntry.reason) != ""))
    roll.commitment, roll.frozen_at = commitment(meeting_id, leaves(session, roll)), now
    session.add(roll)
    details = {"included": roll.included, "left out": roll.counts, "commitment": roll.commitment, "cut-off": roll.cut_off}
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
        leaf(entry.meeting_id, own_salt(roll.salt, entry.handle), entry.name, entry.email_key, entry.sections)
        for entry in members(session, roll.meeting_id)
    )


def commitment(meeting_id: str, sorted_leaves: list[str]) -> str:
    """The roll's commitment, as at the top of this module."""
    return hashlib.sha256(f"ballot.roll.v1|{meeting_id}|{len(sorted_leaves)}|{','.join(sorted_leaves)}".encode()).hexdigest()
