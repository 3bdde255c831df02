"""A list of members between its upload and its saving: looked at, mended and decided about, and for nobody else to see.

The file and what the officer did with it are two sealed texts in the database, one pair for each officer and meeting, so that
every worker and host can go on with it. It is deleted when it is saved, when the officer discards it or signs out, and after a day.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import secrets
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from ballot.errors import MalformedError, NotFoundError, PreconditionError
from ballot.language import N_, Text, nN_, phrase, phrases
from ballot.models import Meeting, Roll, RollEntry, RollUpload
from ballot.services import roll
from ballot.services.database import Database
from ballot.services.journal import Actor
from ballot.services.keys import Keys
from ballot.services.rights import Move, require
from ballot.services.roll import ATTRIBUTES, MAX_FIELD, Columns, Decision, Line, Preview, Table, Words

LIFE: Final = timedelta(days=1)
ROW_HEADING: Final = "Row in the list"
MORE_HEADINGS: Final = ("Why", "What to do")  # beside the file's own columns in the download; not read when it comes back
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Work:
    """What the officer did with the file. `columns` is None until they have said which column is what."""

    file_name: str = ""
    headings: bool | None = None
    columns: Columns | None = None
    words: Words = roll.USUAL
    cut_off: date | None = None
    edits: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    decisions: Mapping[int, Decision] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is kept, sealed."""
        return {
            "file_name": self.file_name,
            "headings": self.headings,
            "columns": None if self.columns is None else columns_to_json(self.columns),
            "words": words_to_json(self.words),
            "cut_off": None if self.cut_off is None else self.cut_off.isoformat(),
            "edits": {str(row): dict(values) for row, values in self.edits.items()},
            "decisions": {str(row): str(decision) for row, decision in self.decisions.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Work:
        """What `to_json` wrote."""
        return cls(
            file_name=value["file_name"],
            headings=value["headings"],
            columns=None if value["columns"] is None else Columns(**value["columns"]),
            words=Words(**value["words"]),
            cut_off=None if value["cut_off"] is None else date.fromisoformat(value["cut_off"]),
            edits={int(row): values for row, values in value["edits"].items()},
            decisions={int(row): Decision(decision) for row, decision in value["decisions"].items()},
        )


@dataclass(frozen=True)
class Upload:
    """One officer's list that is not saved yet. `version` counts what was done with it."""

    id: str
    version: int
    uploaded_at: datetime
    table: Table
    file_hash: str
    work: Work

    def preview(self) -> Preview:
        """What the list would give now. Raises: RollError; PreconditionError: the columns are not chosen yet."""
        work = self.work
        if work.columns is None or work.cut_off is None:
            raise PreconditionError(phrase("Say first which column is what."))
        return roll.examine(
            self.table,
            work.columns,
            work.cut_off,
            file_hash=self.file_hash,
            words=work.words,
            edits=work.edits,
            decisions=work.decisions,
            ask=True,
        )

    def values(self, row: int) -> dict[str, str]:
        """What stands in this row for each chosen column, the officer's own values first. Raises: NotFoundError."""
        work = self.work
        if work.columns is None or row not in self.table.numbers:
            raise NotFoundError(phrase("There is no such row in the list."))
        cells = self.table.rows[self.table.numbers.index(row)]
        found = {a: cells[self.table.headings.index(h)].strip() for a in ATTRIBUTES if (h := getattr(work.columns, a))}
        return found | dict(work.edits.get(row, {}))


def columns_to_json(columns: Columns) -> dict[str, str]:
    """The chosen headings by attribute, without those that were not chosen."""
    return {attribute: heading for attribute in ATTRIBUTES if (heading := getattr(columns, attribute)) or attribute == "email"}


def words_to_json(words: Words) -> dict[str, Any]:
    """The organisation's words and their meanings."""
    return {"category": dict(words.category), "status": dict(words.status), "everybody": words.everybody}


# --- keeping it -------------------------------------------------------------------------------------------------


def _purpose(meeting_id: str, officer_id: str, part: str) -> str:
    return f"roll-upload.v1|{meeting_id}|{officer_id}|{part}"


def begin(
    database: Database, keys: Keys, meeting_id: str, data: bytes, actor: Actor, now: datetime, *, cut_off: date, file_name: str = ""
) -> Upload:
    """This file is the officer's list for this meeting, in place of one uploaded before. It is read before the database is written to,
    so that a large one does not keep ballots waiting.

    Raises:
        RollError: it is no table, or nobody stands in it.
        NotAllowedError, NotFoundError.
        PreconditionError: the meeting's roll is frozen.
    """
    require(actor, Move.ROLL)
    table = roll.read_table(data)
    if not table.rows:
        raise roll.unreadable(
            row=1, column="", found=phrase("headings, and no members under them"), remedy=phrase("Export it again with the members.")
        )
    if ROW_HEADING in table.headings and MORE_HEADINGS[0] in table.headings:
        found = phrase("the rows that need attention, not the whole list")
        remedy = phrase("Choose it under “Upload the mended rows” on the page that checks the list.")
        raise roll.unreadable(row=1, column=ROW_HEADING, found=found, remedy=remedy)
    work = Work(file_name=file_name, cut_off=cut_off)
    row = RollUpload(
        id=secrets.token_urlsafe(16),
        meeting_id=meeting_id,
        officer_id=actor.id,
        uploaded_at=now,
        sealed_file=keys.seal(_purpose(meeting_id, actor.id, "file"), zlib.compress(data, 1)),
        sealed_work=b"",
    )
    _put(keys, row, work)
    with database.write() as session:
        _unfrozen(session, meeting_id)
        forget_old(session, now)
        forget(session, meeting_id, actor.id)
        session.add(row)
        session.flush()
        return Upload(row.id, 0, now, table, hashlib.sha256(data).hexdigest(), work)


def _unfrozen(session: Session, meeting_id: str) -> None:
    if session.get(Meeting, meeting_id) is None:
        raise NotFoundError(phrase("There is no such meeting."))
    found = session.get(Roll, meeting_id)
    if found is not None and found.frozen_at is not None:
        raise PreconditionError(phrase("This meeting's list is frozen and cannot be replaced."))


def _put(keys: Keys, row: RollUpload, work: Work) -> None:
    text = json.dumps(work.to_json(), ensure_ascii=False, separators=(",", ":")).encode()
    row.sealed_work = keys.seal(_purpose(row.meeting_id, row.officer_id, "work"), zlib.compress(text, 1))


def _row(session: Session, meeting_id: str, actor: Actor, now: datetime, *, for_update: bool = False) -> RollUpload:
    query = select(RollUpload).where(RollUpload.meeting_id == meeting_id, RollUpload.officer_id == actor.id)
    row = session.exec(query.with_for_update() if for_update else query).first()
    if row is None or now - row.uploaded_at > LIFE:
        raise NotFoundError(
            phrase("There is no list here that waits to be saved. It may have been saved, discarded, or deleted after a day.")
        )
    return row


def _work(keys: Keys, row: RollUpload) -> Work:
    return Work.from_json(json.loads(zlib.decompress(keys.unseal(_purpose(row.meeting_id, row.officer_id, "work"), row.sealed_work))))


def find(session: Session, keys: Keys, meeting_id: str, actor: Actor, now: datetime) -> Upload:
    """The officer's list of this meeting. Raises: NotAllowedError, NotFoundError."""
    require(actor, Move.ROLL)
    row = _row(session, meeting_id, actor, now)
    data, work = zlib.decompress(keys.unseal(_purpose(meeting_id, actor.id, "file"), row.sealed_file)), _work(keys, row)
    table = roll.read_table(data, headings=work.headings)
    return Upload(row.id, row.version, row.uploaded_at, table, hashlib.sha256(data).hexdigest(), work)


def waiting(session: Session, meeting_id: str, actor: Actor, now: datetime) -> datetime | None:
    """When this officer uploaded a list for this meeting that still waits; None if none does."""
    query = select(RollUpload.uploaded_at).where(RollUpload.meeting_id == meeting_id, RollUpload.officer_id == actor.id)
    found = session.exec(query).first()
    return found if found is not None and now - found <= LIFE else None


def keep(session: Session, keys: Keys, meeting_id: str, actor: Actor, now: datetime, work: Work, *, upload_id: str) -> None:
    """This is what the officer has done with the list so far.

    Raises: NotAllowedError; NotFoundError, also where it is another list by now.
    """
    require(actor, Move.ROLL)
    row = _row(session, meeting_id, actor, now, for_update=True)
    if row.id != upload_id:
        raise NotFoundError(phrase("Another list was uploaded meanwhile, so nothing was changed."))
    _put(keys, row, work)
    row.version += 1
    session.add(row)


def decide(
    session: Session, keys: Keys, meeting_id: str, actor: Actor, now: datetime, *, upload_id: str, decisions: Mapping[int, Decision | None]
) -> None:
    """The officer decided about these rows; None takes a decision back. Raises: as `keep`."""
    row = _row(session, meeting_id, actor, now, for_update=True)
    work = _work(keys, row)
    kept = {number: decision for number, decision in {**work.decisions, **decisions}.items() if decision is not None}
    keep(session, keys, meeting_id, actor, now, replace(work, decisions=kept), upload_id=upload_id)


def edit(
    session: Session, keys: Keys, meeting_id: str, actor: Actor, now: datetime, *, upload_id: str, edits: Mapping[int, Mapping[str, str]]
) -> None:
    """These rows have other values than the file's, and an earlier decision about them is taken back.

    Raises: as `keep`; MalformedError: a value is too long.
    """
    if any(len(value) > MAX_FIELD for values in edits.values() for value in values.values()):
        raise MalformedError(phrase("Make each value {most} characters or fewer.", most=MAX_FIELD))
    row = _row(session, meeting_id, actor, now, for_update=True)
    work = _work(keys, row)
    merged = {**work.edits, **{number: {**work.edits.get(number, {}), **values} for number, values in edits.items()}}
    decisions = {number: decision for number, decision in work.decisions.items() if number not in edits}
    keep(session, keys, meeting_id, actor, now, replace(work, edits=merged, decisions=decisions), upload_id=upload_id)


def forget(session: Session, meeting_id: str, officer_id: str) -> None:
    """The officer's list of this meeting is gone."""
    session.execute(delete(RollUpload).where(col(RollUpload.meeting_id) == meeting_id, col(RollUpload.officer_id) == officer_id))


def forget_officer(session: Session, officer_id: str) -> None:
    """Every list of this officer that was not saved is gone: they have signed out."""
    session.execute(delete(RollUpload).where(col(RollUpload.officer_id) == officer_id))


def forget_old(session: Session, now: datetime) -> int:
    """Lists that nobody saved within a day are gone; their number."""
    done = session.execute(delete(RollUpload).where(col(RollUpload.uploaded_at) < now - LIFE))
    return int(getattr(done, "rowcount", 0))


def forget_due(database: Database, now: datetime) -> None:
    """As `forget_old`, without writing where nothing is old: for the clock, which asks every few seconds."""
    with database.read() as session:
        old = session.exec(select(RollUpload.id).where(col(RollUpload.uploaded_at) < now - LIFE).limit(1)).first()
    if old is not None:
        with database.write() as session:
            forget_old(session, now)
        database.overwrite_deleted()


def save(database: Database, keys: Keys, meeting_id: str, actor: Actor, now: datetime, *, upload_id: str, name: str) -> Roll:
    """The list is the meeting's roll, still to be frozen, and the upload is gone.

    Raises: NotAllowedError, NotFoundError; PreconditionError: a row needs a decision, nobody can vote, or the roll is frozen.
    """
    with database.read() as session:
        upload = find(session, keys, meeting_id, actor, now)
    if upload.id != upload_id:
        raise NotFoundError(phrase("Another list was uploaded meanwhile, so nothing was saved."))
    found = upload.preview()
    if undecided := len(found.undecided):
        one, many = nN_(
            "{count} row needs a decision before the list can be saved.", "{count} rows need a decision before the list can be saved."
        )
        raise PreconditionError(phrases(one, many, undecided))
    with database.write() as session:
        row = _row(session, meeting_id, actor, now, for_update=True)
        if (row.id, row.version) != (upload.id, upload.version):
            raise PreconditionError(phrase("The list was changed in another window meanwhile. Look at it again, then save it."))
        roll.load(session, meeting_id, found, actor, now)
        saved = session.get_one(Roll, meeting_id)
        saved.name = name
        saved.reading = {"columns": columns_to_json(found.columns), "words": words_to_json(upload.work.words)}
        session.add(saved)
        forget(session, meeting_id, actor.id)
        return saved


# --- which column is which --------------------------------------------------------------------------------------


def remembered(session: Session) -> tuple[dict[str, str], Words]:
    """How the organisation's last saved list was read: heading by attribute, and its words; nothing where none was."""
    newest = select(Roll).order_by(col(Roll.loaded_at).desc()).limit(20)
    reading = next((found.reading for found in session.exec(newest).all() if found.reading), None)
    if reading is None:
        return {}, roll.USUAL
    return dict(reading["columns"]), Words(**reading["words"])


def guess(session: Session, table: Table) -> dict[str, str]:
    """A heading for each attribute, "" where none: as the last list was read, else by the usual names."""
    last, _ = remembered(session)
    known = {heading.casefold(): heading for heading in table.headings}
    if last and all(heading.casefold() in known for heading in last.values() if heading):
        return {attribute: known.get(last.get(attribute, "").casefold(), "") for attribute in ATTRIBUTES}
    usual = roll.guesses(table.headings, table)
    own = {attribute: known[heading.casefold()] for attribute, heading in last.items() if heading.casefold() in known}
    taken = set(own.values())
    return {attribute: own.get(attribute) or ("" if usual[attribute] in taken else usual[attribute]) for attribute in ATTRIBUTES}


# --- the rows that need attention, to a spreadsheet and back ----------------------------------------------------


def defused(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _undefused(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def attention_file(upload: Upload, lines: Iterable[Line]) -> bytes:
    """These rows as CSV for a spreadsheet: their number, the columns in use under the file's own headings, why, and what to do."""
    columns = upload.work.columns
    if columns is None:
        raise PreconditionError(phrase("Say first which column is what."))
    used = columns_to_json(columns)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([ROW_HEADING, *map(defused, used.values()), *MORE_HEADINGS])
    place = {number: index for index, number in enumerate(upload.table.numbers)}
    where = {attribute: upload.table.headings.index(heading) for attribute, heading in used.items()}
    for line in lines:
        cells, own = upload.table.rows[place[line.row]], upload.work.edits.get(line.row, {})
        values = [own.get(attribute, cells[position].strip()) for attribute, position in where.items()]
        writer.writerow([line.row, *map(defused, values), line.reason or "can vote", defused(line.detail)])
    return ("\ufeff" + out.getvalue()).encode()


def mended_rows(upload: Upload, data: bytes) -> dict[int, dict[str, str]]:
    """What the officer changed in a spreadsheet, by row and attribute: only values that differ from the list's.

    Raises: RollError: it is not such a file, or a row of it is not in the list.
    """
    columns = upload.work.columns
    if columns is None:
        raise PreconditionError(phrase("Say first which column is what."))
    table = roll.read_table(data, headings=True)
    used = {defused(heading): attribute for attribute, heading in columns_to_json(columns).items()}
    if ROW_HEADING not in table.headings or not set(used) & set(table.headings):
        remedy = phrase("Choose the file with the rows that need attention, as you downloaded it and mended it.")
        raise roll.unreadable(row=1, column=ROW_HEADING, found=phrase("another file"), remedy=remedy)
    row_at = table.headings.index(ROW_HEADING)
    where = {used[heading]: position for position, heading in enumerate(table.headings) if heading in used}
    known = set(upload.table.numbers)
    found: dict[int, dict[str, str]] = {}
    for at, cells in zip(table.numbers, table.rows, strict=True):
        typed = cells[row_at].strip()
        if not (typed.isascii() and typed.isdigit() and len(typed) < 9) or int(typed) not in known:
            remedy = phrase("Leave this column as it was downloaded: it says which row of your list is meant.")
            raise roll.unreadable(row=at, column=ROW_HEADING, found=f"“{typed[:20]}”", remedy=remedy)
        before = upload.values(int(typed))
        now = {attribute: _undefused(cells[position].strip()) for attribute, position in where.items()}
        changed = {attribute: value for attribute, value in now.items() if value != before.get(attribute, "")}
        if changed:
            found[int(typed)] = changed
    return found


# --- compared with the last roll --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Changed:
    """One member who was on the last roll too, with what is different, in words."""

    line: Line
    what: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What the list changes against the last roll. `gone` are names and addresses as they stood there, and why they went."""

    against: str
    new: tuple[Line, ...]
    gone: tuple[tuple[str, str, str], ...]
    changed: tuple[Changed, ...]


def compare(session: Session, meeting_id: str, found: Preview) -> Comparison | None:
    """Against this meeting's roll, else the newest frozen one whose names are still kept; None where there is none.

    A member is the same one by membership number, else by folded address.
    """
    previous = _previous(session, meeting_id)
    if previous is None:
        return None
    query = select(RollEntry).where(RollEntry.meeting_id == previous.meeting_id, RollEntry.reason == "").order_by(col(RollEntry.row))
    before = session.exec(query).all()
    by_number = {entry.number.casefold(): entry for entry in before if entry.number}
    by_email = {entry.email_key: entry for entry in before}
    new, changed, still = [], [], set()
    for line in found.included:
        entry = by_number.get(line.number.casefold()) if line.number else None
        if entry is None:
            entry = by_email.get(line.email_key)
            if entry is not None and entry.number and line.number and entry.number.casefold() != line.number.casefold():
                entry = None  # another member has that address now
        if entry is None or entry.handle in still:
            new.append(line)
            continue
        still.add(entry.handle)
        if what := _differences(entry, line):
            changed.append(Changed(line, what))
    why = {line.email_key or line.email.casefold(): line for line in found.left_out}
    numbers = {line.number.casefold(): line for line in found.left_out if line.number}
    gone = []
    for entry in before:
        if entry.handle not in still:
            known = numbers.get(entry.number.casefold()) if entry.number else None
            known = known or why.get(entry.email_key) or why.get(entry.email.casefold())
            gone.append((entry.name, entry.email, Text(known.reason or "") if known is not None else phrase("not in this list")))
    meeting = session.get_one(Meeting, previous.meeting_id)
    name = phrase("“{name}”", name=previous.name) if previous.name else phrase("the list of {meeting}", meeting=meeting.name)
    name = phrase("the list saved before") if previous.meeting_id == meeting_id else name
    return Comparison(name, tuple(new), tuple(gone), tuple(changed))


def _previous(session: Session, meeting_id: str) -> Roll | None:
    own = session.get(Roll, meeting_id)
    if own is not None and own.frozen_at is None and own.included:
        return own
    real = select(Meeting.id).where(col(Meeting.practice_of).is_(None))
    frozen = select(Roll).where(col(Roll.frozen_at).is_not(None), Roll.meeting_id != meeting_id, col(Roll.meeting_id).in_(real))
    frozen = frozen.order_by(col(Roll.frozen_at).desc())
    return next((found for found in session.exec(frozen.limit(20)).all() if found.salt), None)  # tidied rolls have no names any more


def _differences(entry: RollEntry, line: Line) -> tuple[str, ...]:
    what = []
    if entry.name != line.name:
        what.append(phrase("name was {name}", name=entry.name))
    if entry.email != line.email:
        what.append(phrase("address was {address}", address=entry.email))
    if entry.number != line.number and entry.number:
        what.append(phrase("number was {number}", number=entry.number))
    before, now = set(entry.sections), set(line.sections)
    for sign, words in ((N_("no longer {kind} {name}"), sorted(before - now)), (N_("now {kind} {name}"), sorted(now - before))):
        what += [phrase(sign, kind=Text(kind), name=name) for kind, _, name in (word.partition(":") for word in words)]
    return tuple(what)
