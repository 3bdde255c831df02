"""Who can vote: upload, look, freeze."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from flask import Response, redirect, render_template
from flask_wtf.file import FileField, FileRequired
from sqlmodel import Session, col, select
from werkzeug.wrappers import Response as AnyResponse

from ballot.errors import BallotError
from ballot.models import Meeting, Roll, RollEntry
from ballot.services import roll
from ballot.web import site
from ballot.web.access import KEEP_ROLL, open_to
from ballot.web.forms import day
from ballot.web.officer import bp
from ballot.web.officer.common import CodeForm, actor, code_is_right, meeting_of, rights

ROLL_BODY = 64 * 1024 * 1024  # bytes; half a million members with all columns


SHOWN = 300  # lines on the page; the download has all that are left out


class UploadForm(CodeForm):
    file = FileField("The list of members, as a CSV file", description="Up to 64 MB.", validators=[FileRequired("Choose the CSV file")])
    cut_off = day("Cut-off date", hint="Who joined after this day cannot vote in this meeting.", missing="Give the cut-off date")


class FreezeForm(CodeForm):
    """Freezing asks for the digits and nothing else."""


def _forms(*, upload: bool = False, freeze: bool = False) -> tuple[UploadForm, FreezeForm]:
    """Both forms of the page; the one that was sent holds what was typed."""
    empty: dict[str, None] = {"formdata": None}
    return UploadForm(prefix="upload-", **({} if upload else empty)), FreezeForm(prefix="freeze-", **({} if freeze else empty))


def _first(db: Session, meeting_id: str, *, can_vote: bool) -> Sequence[RollEntry]:
    """The first lines of the file that can vote, or cannot: a page does not hold half a million."""
    wanted = RollEntry.reason == "" if can_vote else RollEntry.reason != ""
    return db.exec(select(RollEntry).where(RollEntry.meeting_id == meeting_id, wanted).order_by(col(RollEntry.row)).limit(SHOWN)).all()


def _page(db: Session, meeting: Meeting, upload: UploadForm, freeze: FreezeForm, difference: roll.Difference | None = None) -> str:
    found = db.get(Roll, meeting.id)
    counts = found.counts if found is not None else {}
    undecided = counts.get(str(roll.Reason.UNDECIDED), 0)
    return render_template(
        "officer/roll.html",
        meeting=meeting,
        roll=found,
        undecided=undecided,
        cannot=sum(counts.values()) - undecided,
        difference=difference,
        left_out=_first(db, meeting.id, can_vote=False),
        included=_first(db, meeting.id, can_vote=True),
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
def upload_roll(meeting_id: str) -> str | tuple[str, int]:
    """The file is read and shown, line by line where it is left out; it counts for nothing until it is frozen."""
    upload, freeze = _forms(upload=True)
    difference = None
    if upload.validate():
        try:
            found = roll.preview(upload.file.data.read(), upload.cut_off.data)
            if code_is_right(upload):
                with site().database.write() as db:
                    difference = roll.load(db, meeting_id, found, actor(), site().clock.now())
                upload, freeze = _forms()
        except BallotError as error:
            upload.put_error("file", str(error))
    with site().database.read() as db:
        page = _page(db, meeting_of(db, meeting_id), upload, freeze, difference)
    return (page, 422) if upload.errors else page


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
    headers = {"Content-Disposition": 'attachment; filename="left-out.csv"'}
    return Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def defused(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
