"""Who can vote: upload, say which column is what, look and mend, compare with the last list, save, freeze.

Nothing is the meeting's list before it is saved. Until then it waits, sealed, for the officer who uploaded it (`services.roll_import`).
No address and no log line holds anything of a member: rows go by their number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import Response, redirect, render_template, request
from flask_wtf.file import FileField, FileRequired
from sqlmodel import Session, col, select
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField, RadioField, SelectField
from wtforms.validators import InputRequired

from ballot.errors import BallotError, NotFoundError
from ballot.language import phrase
from ballot.models import Meeting, Roll, RollEntry
from ballot.services import roll, roll_import
from ballot.services.clock import LONDON
from ballot.services.roll import ATTRIBUTES, Columns, Decision, Line, Preview, Reason, Table, Words
from ballot.services.roll_import import Upload, Work, defused
from ballot.web import site
from ballot.web.access import KEEP_ROLL, open_to
from ballot.web.forms import Form, day, line, options
from ballot.web.officer import bp
from ballot.web.officer.common import CodeForm, actor, code_is_right, meeting_of, rights

ROLL_BODY = 64 * 1024 * 1024  # bytes; half a million members with all columns
SHOWN: Final = 300  # lines on the saved roll's page; the download has all that are left out
PAGE: Final = 50  # lines on one page of the list that is being checked
MOST_WORDS: Final = 30  # different words of one column that the officer is asked about

LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "email": (phrase("E-mail address"), ""),
    "category": (phrase("Kind of membership"), phrase("Who is a full member, and who only a supporter.")),
    "name": (phrase("Full name"), phrase("Or first and last name, in 2 columns, below.")),
    "first_name": (phrase("First name"), ""),
    "last_name": (phrase("Last name"), ""),
    "number": (phrase("Membership number"), phrase("It shows if somebody is listed twice, and who was on the last list.")),
    "status": (phrase("Standing"), phrase("Such as active, lapsed or suspended.")),
    "joined": (phrase("Date of joining"), phrase("Compared with the cut-off date.")),
    "region": (phrase("Sub-region"), phrase("For ballots of one sub-region.")),
    "constituency": (phrase("Constituency or branch"), phrase("For ballots of one constituency or branch.")),
    "groups": (phrase("Groups"), phrase("Equality sections that members put themselves in, several in one cell.")),
}
MEANINGS: Final = {
    "category": [
        ("full", phrase("A full member: can vote")),
        ("supporter", phrase("Not a full member: cannot vote")),
        ("", phrase("Ask me about each row")),
    ],
    "status": [
        ("current", phrase("In good standing: can vote")),
        ("lapsed", phrase("Lapsed or left: cannot vote")),
        ("suspended", phrase("Suspended: cannot vote")),
        ("", phrase("Ask me about each row")),
    ],
}


class UploadForm(Form):
    file = FileField(
        phrase("The list of members, as a CSV file"),
        description=phrase("Up to 64 MB. From a spreadsheet: “Save as”, then “CSV UTF-8”."),
        validators=[FileRequired(phrase("Choose the CSV file"))],
    )
    cut_off = day(
        phrase("Cut-off date"),
        hint=phrase("Who joined after this day cannot vote in this meeting."),
        missing=phrase("Give the cut-off date"),
    )


class FreezeForm(CodeForm):
    """Freezing asks for the digits and nothing else."""


class SaveForm(CodeForm):
    name = line(
        phrase("Name of this list"),
        hint=phrase("It is public, and stands in the report."),
        missing=phrase("Give the list a name"),
        longest=100,
    )
    then = RadioField(
        phrase("And then?"),
        choices=options([("freeze", phrase("Freeze it now: it cannot change any more")), ("keep", phrase("Keep it, and freeze it later"))]),
        validators=[InputRequired(phrase("Choose whether to freeze the list now"))],
    )


class MendedForm(Form):
    file = FileField(phrase("Upload the mended rows"), validators=[FileRequired(phrase("Choose the file with the mended rows"))])


class FindForm(Form):
    text = line(
        phrase("Find a row"),
        hint=phrase("Part of a name, an address or a membership number."),
        missing=phrase("Type what to look for"),
        longest=100,
    )


# --- the meeting's list -----------------------------------------------------------------------------------------


def _forms(*, upload: bool = False, freeze: bool = False) -> tuple[UploadForm, FreezeForm]:
    """Both forms of the page; the one that was sent holds what was typed."""
    empty: dict[str, None] = {"formdata": None}
    return UploadForm(prefix="upload-", **({} if upload else empty)), FreezeForm(prefix="freeze-", **({} if freeze else empty))


def _first(db: Session, meeting_id: str, *, can_vote: bool) -> Sequence[RollEntry]:
    """The first lines of the file that can vote, or cannot: a page does not hold half a million."""
    wanted = RollEntry.reason == "" if can_vote else RollEntry.reason != ""
    return db.exec(select(RollEntry).where(RollEntry.meeting_id == meeting_id, wanted).order_by(col(RollEntry.row)).limit(SHOWN)).all()


def _page(db: Session, meeting: Meeting, upload: UploadForm, freeze: FreezeForm) -> str:
    found = db.get(Roll, meeting.id)
    counts = found.counts if found is not None else {}
    undecided = counts.get(str(Reason.UNDECIDED), 0)
    return render_template(
        "officer/roll.html",
        meeting=meeting,
        roll=found,
        undecided=undecided,
        cannot=sum(counts.values()) - undecided,
        left_out=_first(db, meeting.id, can_vote=False),
        included=_first(db, meeting.id, can_vote=True),
        waiting=roll_import.waiting(db, meeting.id, actor(), site().clock.now()),
        shown=SHOWN,
        upload=upload,
        freeze=freeze,
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/roll")
@open_to(*KEEP_ROLL)
def show_roll(meeting_id: str) -> str:
    with site().database.read() as db:
        return _page(db, meeting_of(db, meeting_id), *_forms())


@bp.post("/m/<base58:meeting_id>/roll")
@open_to(*KEEP_ROLL, body=ROLL_BODY)
def upload_roll(meeting_id: str) -> AnyResponse | tuple[str, int]:
    """The file waits, sealed; it counts for nothing."""
    upload, freeze = _forms(upload=True)
    if upload.validate():
        now, sent = site().clock.now(), upload.file.data
        try:
            cut_off, name = upload.cut_off.data, _plain_name(sent.filename)
            roll_import.begin(site().database, site().keys, meeting_id, sent.read(), actor(), now, cut_off=cut_off, file_name=name)
            return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
        except BallotError as error:
            upload.put_error("file", str(error))
    with site().database.read() as db:
        return _page(db, meeting_of(db, meeting_id), upload, freeze), 422


def _plain_name(name: str | None) -> str:
    """The file's own name, to be shown again."""
    return "".join(c for c in (name or "").replace("\\", "/").rpartition("/")[2] if c.isprintable())[:100] or "the file"


@bp.post("/m/<base58:meeting_id>/roll/freeze")
@open_to(*KEEP_ROLL)
def freeze_roll(meeting_id: str) -> AnyResponse | tuple[str, int]:
    upload, freeze = _forms(freeze=True)
    if freeze.validate() and code_is_right(freeze):
        try:
            with site().database.write() as db:
                roll.freeze(db, meeting_id, actor(), site().clock.now())
            return redirect(f"/officer/m/{meeting_id}", code=303)
        except BallotError as error:
            freeze.put_error("code", str(error))
    with site().database.read() as db:
        return _page(db, meeting_of(db, meeting_id), upload, freeze), 422


@bp.get("/m/<base58:meeting_id>/roll/left-out.csv")
@open_to(*KEEP_ROLL)
def left_out(meeting_id: str) -> Response:
    """The lines that cannot vote, for mending them in the membership system. A spreadsheet takes no cell for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["row", "number", "name", "email", "reason", "what to do"])
    with site().database.read() as db:
        for entry in roll.left_out(db, meeting_of(db, meeting_id).id):
            cells = [entry.number, entry.name, entry.email, entry.reason, entry.detail]
            writer.writerow([entry.row, *map(defused, cells)])
    return _csv_file(("\ufeff" + out.getvalue()).encode(), "left-out.csv")


def _csv_file(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, content_type="text/csv; charset=utf-8", headers=headers)


# --- the list that waits ----------------------------------------------------------------------------------------


def _waiting(meeting_id: str) -> tuple[Meeting, Upload]:
    """Raises: NotFoundError."""
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        return meeting, roll_import.find(db, site().keys, meeting_id, actor(), site().clock.now())


def _to_roll(meeting_id: str) -> AnyResponse:
    """Nothing waits here any more: back to the meeting's list, which says so."""
    with site().database.read() as db:
        meeting_of(db, meeting_id)
    return redirect(f"/officer/m/{meeting_id}/roll", code=303)


def _keep(meeting_id: str, upload: Upload, work: Work) -> None:
    with site().database.write() as db:
        roll_import.keep(db, site().keys, meeting_id, actor(), site().clock.now(), work, upload_id=upload.id)


class ColumnsForm(Form):
    """Which column is what: one list of the file's columns for each thing that we use."""

    everybody = BooleanField(phrase("Everybody in this file is a full member"), description=phrase("Tick this if no column says so."))

    def offer(self, table: Table) -> None:
        """The file's columns, each with an example from it."""
        shown = [(heading, _with_example(table, place)) for place, heading in enumerate(table.headings)]
        for attribute in ATTRIBUTES:
            self[attribute].choices = [("", phrase("Not in this file")), *shown]

    def chosen(self) -> Columns | None:
        """The columns, or None with the errors in place."""
        picked = {attribute: self[attribute].data or "" for attribute in ATTRIBUTES}
        if not picked["email"]:
            self.put_error("email", phrase("Choose the column that has the e-mail addresses."))
        if not picked["category"] and not self.everybody.data:
            self.put_error("category", phrase("Choose the column that tells full members from supporters, or tick the box below it."))
        twice = [a for a in ATTRIBUTES if picked[a] and list(picked.values()).count(picked[a]) > 1]
        for attribute in twice[1:]:
            self.put_error(
                attribute,
                phrase(
                    "“{column}” is chosen for “{other}” too. Choose each column once.", column=picked[attribute], other=LABELS[twice[0]][0]
                ),
            )
        if picked["category"] and self.everybody.data:
            self.put_error("everybody", phrase("Untick this, or choose “Not in this file” for the kind of membership."))
        return None if self.errors else Columns(**picked)


for _attribute, (_label, _hint) in LABELS.items():
    setattr(ColumnsForm, _attribute, SelectField(_label, description=_hint, validate_choice=True))


def _with_example(table: Table, place: int) -> str:
    example = next((" ".join(row[place].split()) for row in table.rows[:200] if row[place].strip()), phrase("empty"))
    return phrase("{heading} ({example})", heading=table.headings[place], example=example if len(example) < 25 else f"{example[:24]}…")


def _columns_page(meeting: Meeting, upload: Upload, form: ColumnsForm, *, last: bool) -> str:
    samples = [
        (heading, [" ".join(row[place].split())[:60] or "–" for row in upload.table.rows[:3]])
        for place, heading in enumerate(upload.table.headings)
    ]
    return render_template("officer/roll-columns.html", meeting=meeting, upload=upload, form=form, samples=samples, last=last, **rights())


@bp.get("/m/<base58:meeting_id>/roll/columns")
@open_to(*KEEP_ROLL)
def choose_columns(meeting_id: str) -> str | AnyResponse:
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    with site().database.read() as db:
        guessed = roll_import.guess(db, upload.table)
        before, words = roll_import.remembered(db)
    if upload.work.columns is not None:
        guessed, words = roll_import.columns_to_json(upload.work.columns), upload.work.words
    form = ColumnsForm(formdata=None, data={**guessed, "everybody": words.everybody and not guessed.get("category")})
    form.offer(upload.table)
    last = upload.work.columns is None and any(before.get(a) and guessed.get(a) == before[a] for a in ATTRIBUTES)
    return _columns_page(meeting, upload, form, last=last)


@bp.post("/m/<base58:meeting_id>/roll/columns")
@open_to(*KEEP_ROLL)
def save_columns(meeting_id: str) -> AnyResponse | tuple[str, int]:
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    if request.form.get("headings") in {"yes", "no"}:  # what the first line is was guessed wrongly
        _keep(meeting_id, upload, Work(upload.work.file_name, request.form["headings"] == "yes", cut_off=upload.work.cut_off))
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    form = ColumnsForm()
    form.offer(upload.table)
    columns = form.chosen() if form.validate() else None
    if columns is None:
        return _columns_page(meeting, upload, form, last=False), 422
    with site().database.read() as db:
        _, words = roll_import.remembered(db)
    if upload.work.columns is not None:
        words = upload.work.words
    words = replace(words, everybody=form.everybody.data)
    work = replace(upload.work, columns=columns, words=words)
    _keep(meeting_id, upload, work)
    unknown = any(_unknown(upload.table, columns, words, kind) for kind in MEANINGS)
    return redirect(f"/officer/m/{meeting_id}/roll/{'words' if unknown else 'check'}", code=303)


# --- what the organisation's own words mean ---------------------------------------------------------------------


@dataclass(frozen=True)
class Word:
    """One word of a column: how it is written, in how many rows, the field that asks for its meaning, and what is chosen there."""

    folded: str
    shown: str
    rows: int
    field: str
    meaning: str


def _meaning(kind: str, word: str, words: Words) -> str:
    return roll.category_of(word, words) if kind == "category" else roll.status_of(word, words)


def _words(table: Table, columns: Columns, words: Words, kind: str) -> list[Word]:
    heading = getattr(columns, kind)
    if not heading:
        return []
    found = list(roll.words_in(table, heading).items())[:MOST_WORDS]
    return [
        Word(folded, shown, number, f"{kind}-{place}", _meaning(kind, folded, words))
        for place, (folded, (shown, number)) in enumerate(found)
    ]


def _unknown(table: Table, columns: Columns, words: Words, kind: str) -> bool:
    """Whether a word stands in several rows and nobody has said what it means."""
    own = words.category if kind == "category" else words.status
    return any(not word.meaning and word.folded and word.folded not in own for word in _words(table, columns, words, kind))


@bp.get("/m/<base58:meeting_id>/roll/words")
@open_to(*KEEP_ROLL)
def explain_words(meeting_id: str) -> str | AnyResponse:
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    columns, words = upload.work.columns, upload.work.words
    if columns is None:
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    asked = [(kind, getattr(columns, kind), found) for kind in MEANINGS if (found := _words(upload.table, columns, words, kind))]
    return render_template("officer/roll-words.html", meeting=meeting, asked=asked, meanings=MEANINGS, **rights())


@bp.post("/m/<base58:meeting_id>/roll/words")
@open_to(*KEEP_ROLL)
def save_words(meeting_id: str) -> AnyResponse:
    try:
        _, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    columns = upload.work.columns
    if columns is None:
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    chosen: dict[str, dict[str, str]] = {}
    for kind, meanings in MEANINGS.items():
        before = dict(upload.work.words.category if kind == "category" else upload.work.words.status)
        allowed = {meaning for meaning, _ in meanings}
        typed = {
            word.folded: request.form[word.field]
            for word in _words(upload.table, columns, upload.work.words, kind)
            if request.form.get(word.field) in allowed
        }
        chosen[kind] = before | typed
    words = replace(upload.work.words, category=chosen["category"], status=chosen["status"])
    _keep(meeting_id, upload, replace(upload.work, words=words))
    return redirect(f"/officer/m/{meeting_id}/roll/check", code=303)


# --- look and mend ----------------------------------------------------------------------------------------------

TABS: Final = ("decide", "cannot", "can", "changes")
KINDS: Final = {"new": phrase("New"), "gone": phrase("Gone"), "changed": phrase("Changed")}


def _number(text: str | None, largest: int) -> int:
    """A page's number from the address, from 1."""
    return min(max(int(text), 1), largest) if text and text.isascii() and text.isdigit() and len(text) < 8 else 1


def _check_page(
    meeting: Meeting,
    upload: Upload,
    *,
    mended: MendedForm | None = None,
    find: FindForm | None = None,
    matches: Sequence[Line] | None = None,
) -> str:
    found = upload.preview()
    with site().database.read() as db:
        comparison = roll_import.compare(db, meeting.id, found)
    show = request.args.get("show", "")
    if show not in TABS:
        show = "decide" if found.undecided else "cannot" if found.left_out else "can"
    reason = next((r for r in Reason if r.name.lower() == request.args.get("reason", "")), None)
    kind = request.args.get("kind", "")
    if comparison is not None and kind not in KINDS:
        kind = next((word for word in KINDS if getattr(comparison, word)), "new")
    cannot = [line for line in found.left_out if line.reason is not Reason.UNDECIDED and (reason is None or line.reason is reason)]
    listed: Sequence[Any] = {
        "decide": found.undecided,
        "cannot": cannot,
        "can": found.included,
        "changes": getattr(comparison, kind) if comparison is not None else (),
    }[show]
    pages = max(1, -(-len(listed) // PAGE))
    page = _number(request.args.get("page"), pages)
    done = _number(request.args.get("done"), 10**7) if request.args.get("done") else 0
    by_row = {line.row: line for line in found.lines} if done or show == "decide" or matches else {}
    reasons = [(r, number) for r in Reason if r is not Reason.UNDECIDED and (number := found.counts.get(str(r)))]
    here = f"?show={show}" + (f"&reason={reason.name.lower()}" if reason and show == "cannot" else "")
    return render_template(
        "officer/roll-check.html",
        meeting=meeting,
        upload=upload,
        found=found,
        can=len(found.included),
        cannot=len(found.left_out) - len(found.undecided),
        undecided=len(found.undecided),
        attention=len(found.attention),
        comparison=comparison,
        show=show,
        kind=kind,
        kinds=KINDS,
        reason=reason,
        reasons=reasons,
        listed=listed[(page - 1) * PAGE : page * PAGE],
        total=len(listed),
        page=page,
        pages=pages,
        here=here + (f"&kind={kind}" if show == "changes" else ""),
        done=by_row.get(done),
        others={line.row: by_row[line.other] for line in found.undecided if line.other in by_row},
        decisions=upload.work.decisions,
        edited=upload.work.edits,
        gone_at=upload.uploaded_at + roll_import.LIFE,
        mended=mended or MendedForm(prefix="mended-", formdata=None),
        find=find or FindForm(prefix="find-", formdata=None),
        matches=matches,
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/roll/check")
@open_to(*KEEP_ROLL)
def check_list(meeting_id: str) -> str | AnyResponse:
    """Who can vote, who cannot and why, and what needs a decision; nothing is saved."""
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    if upload.work.columns is None:
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    return _check_page(meeting, upload)


def _back(meeting_id: str, row: int) -> AnyResponse:
    """To the page of the list that was in use, as its form names it, where the row is spoken of."""
    show = request.form.get("show", "")
    page = _number(request.form.get("page"), 10**6)
    where = f"?show={show}&page={page}&done={row}" if show in TABS else f"?done={row}"
    return redirect(f"/officer/m/{meeting_id}/roll/check{where}", code=303)


@bp.post("/m/<base58:meeting_id>/roll/check")
@open_to(*KEEP_ROLL)
def decide_row(meeting_id: str) -> AnyResponse:
    """One row counts, or is left out, or is open again; or every row that is still open is left out."""
    what, row = request.form.get("what", ""), _number(request.form.get("row"), 10**7)
    try:
        _, upload = _waiting(meeting_id)
        if what == "all-out":
            decisions: dict[int, Decision | None] = {line.row: Decision.OUT for line in upload.preview().undecided}
        elif what in {"in", "out", "undo"} and row in upload.table.numbers:
            decisions = {row: None if what == "undo" else Decision(what)}
        else:
            raise NotFoundError(phrase("There is no such row in the list."))
        with site().database.write() as db:
            upload_id = request.form.get("upload", "")
            roll_import.decide(db, site().keys, meeting_id, actor(), site().clock.now(), upload_id=upload_id, decisions=decisions)
    except NotFoundError:
        return _to_roll(meeting_id)
    return redirect(f"/officer/m/{meeting_id}/roll/check", code=303) if what == "all-out" else _back(meeting_id, row)


@bp.post("/m/<base58:meeting_id>/roll/find")
@open_to(*KEEP_ROLL)
def find_row(meeting_id: str) -> str | tuple[str, int] | AnyResponse:
    """Rows by part of a name, address or number: in the body of the request, so that no address holds it."""
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    form = FindForm(prefix="find-")
    if upload.work.columns is None:
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    if not form.validate():
        return _check_page(meeting, upload, find=form), 422
    wanted = form.text.data.casefold()
    found = upload.preview()
    matches = [one for one in found.lines if wanted in f"{one.name}\n{one.email}".casefold() or wanted == one.number.casefold()]
    return _check_page(meeting, upload, find=form, matches=matches[:PAGE])


class RowForm(Form):
    """The values of one row. The fields are those of the chosen columns."""


def _row_form(upload: Upload, *, sent: bool, values: Mapping[str, str]) -> RowForm:
    columns = upload.work.columns
    form_class = type("OneRowForm", (RowForm,), {})
    for attribute in ATTRIBUTES:
        heading = getattr(columns, attribute)
        if heading:
            label, _ = LABELS[attribute]
            hint = phrase("Column “{heading}” of your file.", heading=heading) if heading.casefold() != label.casefold() else ""
            setattr(form_class, attribute, line(label, hint=hint, missing="", optional=True, longest=roll.MAX_FIELD))
    made: RowForm = form_class() if sent else form_class(formdata=None, data=dict(values))
    return made


@bp.get("/m/<base58:meeting_id>/roll/row/<int:row>")
@open_to(*KEEP_ROLL)
def edit_row(meeting_id: str, row: int) -> str | AnyResponse:
    try:
        meeting, upload = _waiting(meeting_id)
        values = upload.values(row)
    except NotFoundError:
        return _to_roll(meeting_id)
    return _row_page(meeting, upload, row, _row_form(upload, sent=False, values=values))


def _row_page(meeting: Meeting, upload: Upload, row: int, form: RowForm) -> str:
    found: Preview = upload.preview()
    lines = {one.row: one for one in found.lines}
    return render_template(
        "officer/roll-row.html",
        meeting=meeting,
        upload=upload,
        row=row,
        line=lines[row],
        other=lines.get(lines[row].other),
        form=form,
        show=request.values.get("show", ""),
        page=_number(request.values.get("page"), 10**6),
        **rights(),
    )


@bp.post("/m/<base58:meeting_id>/roll/row/<int:row>")
@open_to(*KEEP_ROLL)
def save_row(meeting_id: str, row: int) -> str | tuple[str, int] | AnyResponse:
    try:
        meeting, upload = _waiting(meeting_id)
        values = upload.values(row)
        form = _row_form(upload, sent=True, values=values)
        if not form.validate():
            return _row_page(meeting, upload, row, form), 422
        typed = {a: form[a].data for a in ATTRIBUTES if a in form and form[a].data != " ".join(values[a].splitlines())}
        with site().database.write() as db:
            upload_id = request.form.get("upload", "")
            roll_import.edit(db, site().keys, meeting_id, actor(), site().clock.now(), upload_id=upload_id, edits={row: typed})
        _, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    now = next(one for one in upload.preview().lines if one.row == row)
    if now.reason in roll.ATTENTION:  # still not good: say it here, by the field, with what was typed
        wrong = next((a for a in ATTRIBUTES if a in form and f"column “{getattr(upload.work.columns, a)}”" in now.detail), None)
        form.put_error(wrong or next(iter(form)).name, now.detail)
        return _row_page(meeting, upload, row, form), 422
    return _back(meeting_id, row)


@bp.get("/m/<base58:meeting_id>/roll/attention.csv")
@open_to(*KEEP_ROLL)
def attention_file(meeting_id: str) -> AnyResponse:
    """The rows that better data may mend, for a spreadsheet, from which they can come back."""
    try:
        _, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    if upload.work.columns is None:
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    return _csv_file(roll_import.attention_file(upload, upload.preview().attention), "rows-that-need-attention.csv")


@bp.post("/m/<base58:meeting_id>/roll/mended")
@open_to(*KEEP_ROLL, body=ROLL_BODY)
def upload_mended(meeting_id: str) -> str | tuple[str, int] | AnyResponse:
    """Rows that were mended in a spreadsheet take the place of those in the list."""
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    if upload.work.columns is None:
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    form = MendedForm(prefix="mended-")
    if form.validate():
        try:
            edits = roll_import.mended_rows(upload, form.file.data.read())
            with site().database.write() as db:
                roll_import.edit(db, site().keys, meeting_id, actor(), site().clock.now(), upload_id=upload.id, edits=edits)
            return redirect(f"/officer/m/{meeting_id}/roll/check", code=303)
        except BallotError as error:
            form.put_error("file", str(error))
    return _check_page(meeting, upload, mended=form), 422


@bp.post("/m/<base58:meeting_id>/roll/discard")
@open_to(*KEEP_ROLL)
def discard_upload(meeting_id: str) -> AnyResponse:
    """The list that waits is deleted; the meeting's list stays as it is."""
    with site().database.write() as db:
        meeting_of(db, meeting_id)
        roll_import.forget(db, meeting_id, actor().id)
    return redirect(f"/officer/m/{meeting_id}/roll", code=303)


# --- save -------------------------------------------------------------------------------------------------------


def _save_page(meeting: Meeting, upload: Upload, form: SaveForm) -> str:
    found = upload.preview()
    with site().database.read() as db:
        comparison = roll_import.compare(db, meeting.id, found)
    return render_template(
        "officer/roll-save.html",
        meeting=meeting,
        upload=upload,
        found=found,
        can=len(found.included),
        cannot=len(found.left_out) - len(found.undecided),
        undecided=len(found.undecided),
        comparison=comparison,
        sections=found.sections,
        kinds=KINDS,
        form=form,
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/roll/save")
@open_to(*KEEP_ROLL)
def save_page(meeting_id: str) -> str | AnyResponse:
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    if upload.work.columns is None or upload.preview().undecided:
        return redirect(f"/officer/m/{meeting_id}/roll/check?show=decide", code=303)
    today = site().clock.now().astimezone(LONDON)
    name = f"Full members on {today.day} {today:%B} {today.year}"  # English: it is stored and published
    return _save_page(meeting, upload, SaveForm(formdata=None, data={"name": name}))


@bp.post("/m/<base58:meeting_id>/roll/save")
@open_to(*KEEP_ROLL)
def save_roll(meeting_id: str) -> AnyResponse | tuple[str, int]:
    """The list is the meeting's, and frozen at once where that was chosen."""
    try:
        meeting, upload = _waiting(meeting_id)
    except NotFoundError:
        return _to_roll(meeting_id)
    if upload.work.columns is None:
        return redirect(f"/officer/m/{meeting_id}/roll/columns", code=303)
    form = SaveForm()
    if form.validate() and code_is_right(form):
        now = site().clock.now()
        try:
            upload_id = request.form.get("upload", "")
            roll_import.save(site().database, site().keys, meeting_id, actor(), now, upload_id=upload_id, name=form.name.data)
            if form.then.data == "freeze":
                with site().database.write() as db:
                    roll.freeze(db, meeting_id, actor(), now)
            return redirect(f"/officer/m/{meeting_id}/roll", code=303)
        except BallotError as error:
            form.put_error("name", str(error))
    return _save_page(meeting, upload, form), 422
