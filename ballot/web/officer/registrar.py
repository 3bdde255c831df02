"""Split trust: the list of links goes out to the membership secretary, the public credentials come back."""

from __future__ import annotations

from flask import Response, redirect, render_template
from flask_wtf.file import FileField, FileRequired
from sqlmodel import Session
from werkzeug.wrappers import Response as AnyResponse

from ballot.errors import BallotError, PreconditionError
from ballot.language import phrase
from ballot.models import ElectionState
from ballot.services import invitations, lifecycle, registrar
from ballot.web import site
from ballot.web.access import KEEP_ROLL, open_to
from ballot.web.officer import bp
from ballot.web.officer.common import CodeForm, actor, code_is_right, election_of, meeting_of, rights
from ballot.web.officer.rolls import ROLL_BODY


class CredentialsForm(CodeForm):
    file = FileField(
        phrase("File of public halves"),
        description=phrase("The CSV file that “ballot codes” made for this ballot."),
        validators=[FileRequired(phrase("Choose the file of public halves"))],
    )


def _page(db: Session, meeting_id: str, download: CodeForm | None = None, sent: tuple[str, CredentialsForm] | None = None) -> str:
    """One upload form a draft, each with names of its own; `sent` is the one that came back with errors."""
    meeting = meeting_of(db, meeting_id)
    drafts = [e for e in lifecycle.elections_of(db, meeting_id) if e.state is ElectionState.DRAFT]
    empty = {e.uuid: CredentialsForm(formdata=None, prefix=f"{e.uuid}-") for e in drafts}
    uploads = [(e, sent[1] if sent is not None and sent[0] == e.uuid else empty[e.uuid]) for e in drafts]
    download = download or CodeForm(formdata=None, prefix="download-")
    problems = download.problems() + [problem for _, form in uploads for problem in form.problems()]
    return render_template("officer/registrar.html", meeting=meeting, uploads=uploads, download=download, problems=problems, **rights())


@bp.get("/m/<base58:meeting_id>/registrar")
@open_to(*KEEP_ROLL)
def registrar_page(meeting_id: str) -> str:
    with site().database.read() as db:
        return _page(db, meeting_id)


@bp.post("/m/<base58:meeting_id>/registrar")
@open_to(*KEEP_ROLL)
def registrar_list(meeting_id: str) -> AnyResponse | tuple[str, int]:
    """The members' links without codes. They are personal, so the file comes only after the six digits."""
    form = CodeForm(prefix="download-")
    if form.validate() and code_is_right(form):
        try:
            with site().database.read() as db:
                elections = lifecycle.elections_of(db, meeting_of(db, meeting_id).id)
                if not elections:
                    raise PreconditionError(phrase("Add the ballots first: the links end some time after the last one closes."))
                ends = invitations.expiry(site().config, elections, site().clock.now())
                content = registrar.registrar_list(db, site().config, site().keys, meeting_id, ends)
            headers = {"Content-Disposition": f'attachment; filename="links-{meeting_id}.csv"'}
            return Response(content, content_type="text/csv; charset=utf-8", headers=headers)
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _page(db, meeting_id, form), 422


@bp.post("/e/<base58:uuid>/credentials")
@open_to(*KEEP_ROLL, body=ROLL_BODY)
def receive_credentials(uuid: str) -> AnyResponse | tuple[str, int]:
    """The public halves of the codes for one ballot."""
    form = CredentialsForm(prefix=f"{uuid}-")
    with site().database.read() as db:
        meeting_id = election_of(db, uuid).meeting_id
    if form.validate() and code_is_right(form):
        try:
            data = form.file.data.read()
            with site().database.write() as db:
                registrar.receive_credentials(db, uuid, data, actor(), site().clock.now())
            return redirect(f"/officer/e/{uuid}", code=303)
        except BallotError as error:
            form.put_error("file", str(error))
    with site().database.read() as db:
        return _page(db, meeting_id, sent=(uuid, form)), 422
