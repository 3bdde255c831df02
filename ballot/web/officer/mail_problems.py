"""Mail that did not arrive: who it was for and why, trying again, and delivery reports that somebody pastes."""

from __future__ import annotations

import csv
import io

from flask import Response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from ballot.errors import BallotError
from ballot.language import joined, phrase
from ballot.models import RollEntry
from ballot.services import deliveries, roll
from ballot.services.mail import Action, State, read_report
from ballot.services.roll_import import defused
from ballot.web import site
from ballot.web.access import KEEP_ROLL, open_to
from ballot.web.forms import Form, text
from ballot.web.officer import bp
from ballot.web.officer.common import meeting_of, rights
from ballot.web.words import MAIL

SHOWN = 200  # members on the page; the file has all


class ReportForm(Form):
    report = text(
        phrase("The delivery report"),
        hint=phrase("Open the e-mail that came back, choose “show original” or “view source”, copy everything and paste it here."),
        missing=phrase("Paste the delivery report"),
        longest=250_000,
    )


@bp.get("/m/<base58:meeting_id>/mail-problems")
@open_to(*KEEP_ROLL)
def mail_problems(meeting_id: str) -> str:
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        found = deliveries.problems(db, meeting_id)
    return render_template(
        "officer/mail-problems.html",
        meeting=meeting,
        found=found[:SHOWN],
        number=len(found),
        reasons=deliveries.reasons(found),
        failed=sum(problem.letter.state == State.FAILED and problem.letter.sealed is not None for problem in found),
        unknown=sum(problem.letter.state == State.UNKNOWN for problem in found),
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/mail-problems.csv")
@open_to(*KEEP_ROLL)
def mail_problems_file(meeting_id: str) -> Response:
    """The same as a table. A spreadsheet takes no cell for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["name", "email", "membership number", "state", "reason", "mail server's answer"])
    with site().database.read() as db:
        for problem in deliveries.problems(db, meeting_of(db, meeting_id).id):
            entry, letter = problem.entry, problem.letter
            reason = "" if letter.state == State.UNKNOWN else str(problem.fault)
            writer.writerow(map(defused, [entry.name, entry.email, entry.number, MAIL[State(letter.state)], reason, letter.detail]))
    headers = {"Content-Disposition": f'attachment; filename="mail-problems-{meeting_id}.csv"'}
    return Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


@bp.post("/m/<base58:meeting_id>/retry")
@open_to(*KEEP_ROLL)
def retry(meeting_id: str) -> ResponseReturnValue:
    """Mails that failed go again; those whose fate is unknown only where asked for, since they may have arrived."""
    state = State.UNKNOWN if request.form.get("which") == "unknown" else State.FAILED
    with site().database.write() as db:
        stuck = [problem.letter.id for problem in deliveries.problems(db, meeting_of(db, meeting_id).id) if problem.letter.state == state]
        site().mailer.retry(db, stuck, site().clock.now())
    return redirect(f"/officer/m/{meeting_id}/sending", code=303)


def _report_page(db: Session, meeting_id: str, form: ReportForm, said: str = "", member: RollEntry | None = None) -> str:
    return render_template("officer/bounce.html", meeting=meeting_of(db, meeting_id), form=form, said=said, member=member, **rights())


@bp.get("/m/<base58:meeting_id>/bounce")
@open_to(*KEEP_ROLL)
def bounce_page(meeting_id: str) -> str:
    with site().database.read() as db:
        return _report_page(db, meeting_id, ReportForm(formdata=None))


@bp.post("/m/<base58:meeting_id>/bounce")
@open_to(*KEEP_ROLL, body=512 * 1024)
def paste_bounce(meeting_id: str) -> ResponseReturnValue:
    """A delivery report that came by mail is put down at its member."""
    form, services = ReportForm(), site()
    with services.database.read() as db:
        meeting_of(db, meeting_id)
    if form.validate():
        try:
            report = read_report(form.report.data.encode())
            with services.database.write() as db:
                outcome = services.mailer.report(db, report, services.clock.now())
                row = outcome.row
                member = db.get(RollEntry, row.handle) if row is not None and row.handle else None
            with services.database.read() as db:
                if row is not None:
                    ours = member if member is not None and member.meeting_id == meeting_id else None
                    return _report_page(db, meeting_id, ReportForm(formdata=None), _said(outcome.action, row.bounce), ours)
                named = next((e for address in report.addresses if (e := roll.find(db, meeting_id, address)) is not None), None)
                form.put_error("report", _not_ours(named))
                return _report_page(db, meeting_id, form, member=named), 422
        except BallotError as error:
            form.put_error("report", str(error))
    with services.database.read() as db:
        return _report_page(db, meeting_id, form), 422


def _said(action: Action, bounce: str) -> str:
    if action is Action.FAILED:
        if bounce == "hard":
            return phrase("Noted: the e-mail came back. The address is wrong or closed, so it needs correcting.")
        return phrase("Noted: the e-mail came back. It may work later: send it again then.")
    if action is Action.DELAYED:
        return phrase("Noted: their mail server has not taken it yet, and it is still being tried. There is nothing to do now.")
    return phrase("This report says that the e-mail was delivered, so nothing was changed.")


def _not_ours(named: RollEntry | None) -> str:
    words = phrase("This report does not say which of our e-mails it is about, so nothing was changed.")
    if named is not None:
        return joined([words, phrase("It names an address on your list: see below.")])
    return joined([words, phrase("Paste its whole source.")])
