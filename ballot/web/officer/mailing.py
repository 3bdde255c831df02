"""Mailings to members: send, see how it goes, pause and go on, remind, and tell the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort, g, jsonify, redirect, render_template
from flask.typing import ResponseReturnValue
from sqlmodel import Session
from wtforms import SelectMultipleField
from wtforms.widgets import CheckboxInput, ListWidget

from ballot.errors import BallotError
from ballot.language import N_, phrase
from ballot.models import ElectionState, Mailing
from ballot.services import deliveries, invitations, lifecycle, mailings, wording
from ballot.services.mail import State
from ballot.services.mailings import Stage
from ballot.services.wording import Kind
from ballot.web import site
from ballot.web.access import CONDUCT, KEEP_ROLL, STAFF, open_to
from ballot.web.forms import lines_of, options, text
from ballot.web.officer import bp
from ballot.web.officer.common import CodeForm, actor, code_is_right, may, meeting_of, rights
from ballot.web.officer.messages import Shown, shown


class Ticks(SelectMultipleField):  # type: ignore[misc]  # WTForms has no types
    """A set of boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class SendForm(CodeForm):
    first = Ticks(
        phrase("Who gets it first?"), description=phrase("Ask them whether it arrived and looks right. Then you send it to everybody else.")
    )
    others = text(
        phrase("Others who get it first"),
        hint=phrase("Optional. One e-mail address on each line, as on the list of members."),
        longest=2000,
    )

    def offer(self, db: Session, meeting_id: str, *, fresh: bool) -> dict[str, str]:
        """The officers who are members, all of them ticked at first. Returns each one's handle."""
        found = mailings.committee(db, meeting_id)[: mailings.MOST_FIRST]
        self.first.choices = options([(officer.id, officer.name) for officer, _ in found])
        if fresh:
            self.first.data = [officer.id for officer, _ in found]
        if not may(KEEP_ROLL):
            del self.others
        return {officer.id: handle for officer, handle in found}


class ResultForm(CodeForm):
    ballots = Ticks(phrase("Which results do you want to send?"))


@dataclass(frozen=True)
class Progress:
    """One mailing as its card on the page shows it."""

    mailing: Mailing
    title: str
    states: dict[State, int]
    not_yet: int
    left: int

    @property
    def waiting(self) -> int:
        """Everybody who will get it and whose copy has not begun to leave."""
        return self.states[State.WAITING] + self.not_yet

    @property
    def status(self) -> str:
        """Where it stands, in a few words."""
        if self.mailing.paused_at is not None and self.waiting:
            return phrase("Paused")
        if self.waiting or self.states[State.SENDING]:
            return phrase("Sending")
        return phrase("Waiting for you") if self.mailing.stage == Stage.FIRST else phrase("Sent")

    @property
    def sign(self) -> str:
        """Changes when the page would have other buttons."""
        return f"{self.status}|{self.mailing.stage}"


TITLES = {Kind.INVITATION: N_("Voting e-mails"), Kind.REMINDER: N_("Reminder {number}"), Kind.RESULT: N_("Results {number}")}


def progress_of(db: Session, mailing: Mailing) -> Progress:
    """How one mailing goes."""
    states = deliveries.counts(db, mailing.id)
    to_come = max(mailing.expected - mailing.queued, 0) if mailing.stage != Stage.DONE else 0
    if mailing.stage == Stage.FIRST:
        not_yet, left = max(len(mailing.first) - mailing.queued, 0), max(mailing.expected - len(mailing.first), 0)
    else:
        not_yet, left = to_come, 0
    return Progress(mailing, phrase(TITLES[Kind(mailing.kind)], number=mailing.number), states, not_yet, left)


def _mailing(db: Session, meeting_id: str, mailing_id: str) -> Mailing:
    found = db.get(Mailing, mailing_id)
    if found is None or found.meeting_id != meeting_id:
        abort(404)
    return found


def _begin(mailing_id: str) -> None:
    """The first batch is queued at once; the sender goes on with the others."""
    services = site()
    mailings.fill(services.database, services.config, services.keys, services.mailer, mailing_id, services.clock.now())


# --- the voting e-mails -------------------------------------------------------------------------------------------


def _letter(db: Session, meeting_id: str, kind: Kind) -> Shown:
    now = site().clock.now()
    words = wording.words_of(db, meeting_id, kind)
    return shown(wording.specimen(db, site().config, meeting_id, kind, g.officer.name, now, words))


def _send_page(db: Session, meeting_id: str, form: SendForm) -> str:
    meeting = meeting_of(db, meeting_id)
    begun = next((m for m in mailings.mailings_of(db, meeting_id) if m.kind == Kind.INVITATION), None)
    return render_template(
        "officer/send.html",
        meeting=meeting,
        elections=invitations.sendable(db, meeting_id),
        drafts=[e for e in lifecycle.elections_of(db, meeting_id) if e.state is ElectionState.DRAFT],
        begun=progress_of(db, begun) if begun else None,
        form=form,
        letter=_letter(db, meeting_id, Kind.INVITATION),
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/send")
@open_to(*CONDUCT)
def send_page(meeting_id: str) -> str:
    with site().database.read() as db:
        meeting_of(db, meeting_id)
        form = SendForm(formdata=None)
        form.offer(db, meeting_id, fresh=True)
        return _send_page(db, meeting_id, form)


@bp.post("/m/<base58:meeting_id>/send")
@open_to(*CONDUCT)
def send(meeting_id: str) -> ResponseReturnValue:
    """To the chosen few first; to everybody where nobody is chosen, or once more where it was begun before."""
    form = SendForm()
    with site().database.read() as db:
        meeting_of(db, meeting_id)
        known = form.offer(db, meeting_id, fresh=False)
    if form.validate() and code_is_right(form):
        try:
            with site().database.write() as db:
                first = [known[chosen] for chosen in form.first.data or []]
                first += mailings.handles_of(db, meeting_id, lines_of(form.others.data) if "others" in form else [])
                mailing = mailings.begin_invitations(db, meeting_id, actor(), site().clock.now(), first=list(dict.fromkeys(first)))
            _begin(mailing.id)
            return redirect(f"/officer/m/{meeting_id}/sending", code=303)
        except BallotError as error:
            form.put_error("others" if "list of this meeting" in str(error) else "code", str(error))
    with site().database.read() as db:
        return _send_page(db, meeting_id, form), 422


# --- how it goes --------------------------------------------------------------------------------------------------


def _sending_page(db: Session, meeting_id: str, form: CodeForm | None = None) -> str:
    now = site().clock.now()
    meeting = meeting_of(db, meeting_id)
    return render_template(
        "officer/sending.html",
        meeting=meeting,
        progress=[progress_of(db, m) for m in mailings.mailings_of(db, meeting_id)],
        mail_health=deliveries.health(db, site().mailer, meeting_id, now),
        now=now,
        form=form or CodeForm(formdata=None),
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/sending")
@open_to(*STAFF)
def sending(meeting_id: str) -> str:
    """Delivery states, pause and resume. It may be closed at any time: the sender needs no page."""
    with site().database.read() as db:
        return _sending_page(db, meeting_id)


@bp.get("/m/<base58:meeting_id>/sending.json")
@open_to(*STAFF)
def sending_figures(meeting_id: str) -> ResponseReturnValue:
    """The figures of that page, for the script that keeps them fresh."""
    with site().database.read() as db:
        meeting_of(db, meeting_id)
        found = [progress_of(db, m) for m in mailings.mailings_of(db, meeting_id)]
    figures: dict[str, Any] = {}
    for one in found:
        figures |= {f"{one.mailing.id}.{state}": f"{number:,}" for state, number in one.states.items()}
        figures |= {f"{one.mailing.id}.waiting": f"{one.waiting:,}", f"{one.mailing.id}.status": one.status}
    return jsonify(figures=figures, signs={one.mailing.id: one.sign for one in found})


@bp.post("/m/<base58:meeting_id>/sending/<base58:mailing_id>/everybody")
@open_to(*CONDUCT)
def send_to_everybody(meeting_id: str, mailing_id: str) -> ResponseReturnValue:
    """The first few have it and it looks right: now all others."""
    form = CodeForm()
    if form.validate() and code_is_right(form):
        try:
            with site().database.write() as db:
                _mailing(db, meeting_id, mailing_id)
                mailings.everybody(db, mailing_id, actor(), site().clock.now())
            _begin(mailing_id)
            return redirect(f"/officer/m/{meeting_id}/sending", code=303)
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _sending_page(db, meeting_id, form), 422


@bp.post("/m/<base58:meeting_id>/sending/<base58:mailing_id>/<any(pause,resume):word>")
@open_to(*CONDUCT)
def pause_mailing(meeting_id: str, mailing_id: str, word: str) -> ResponseReturnValue:
    """Stopping has to be quick, so neither asks for the six digits."""
    with site().database.write() as db:
        _mailing(db, meeting_id, mailing_id)
        (mailings.pause if word == "pause" else mailings.resume)(db, mailing_id, actor(), site().clock.now())
    return redirect(f"/officer/m/{meeting_id}/sending", code=303)


# --- reminders ----------------------------------------------------------------------------------------------------


def _remind_page(db: Session, meeting_id: str, form: CodeForm) -> str:
    return render_template(
        "officer/remind.html",
        meeting=meeting_of(db, meeting_id),
        plan=mailings.reminder_plan(db, meeting_id, site().clock.now()),
        most=mailings.MOST_REMINDERS,
        letter=_letter(db, meeting_id, Kind.REMINDER),
        form=form,
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/remind")
@open_to(*CONDUCT)
def remind_page(meeting_id: str) -> str:
    with site().database.read() as db:
        meeting_of(db, meeting_id)
        return _remind_page(db, meeting_id, CodeForm(formdata=None))


@bp.post("/m/<base58:meeting_id>/remind")
@open_to(*CONDUCT)
def remind(meeting_id: str) -> ResponseReturnValue:
    """To members who have not voted yet, and whom mail reaches."""
    form = CodeForm()
    with site().database.read() as db:
        meeting_of(db, meeting_id)
    if form.validate() and code_is_right(form):
        try:
            with site().database.write() as db:
                mailing = mailings.begin_reminder(db, meeting_id, actor(), site().clock.now())
            _begin(mailing.id)
            return redirect(f"/officer/m/{meeting_id}/sending", code=303)
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _remind_page(db, meeting_id, form), 422


# --- results ------------------------------------------------------------------------------------------------------


def _result_page(meeting_id: str, form: ResultForm) -> str:
    services = site()
    with services.database.read() as db:
        meeting = meeting_of(db, meeting_id)
        unsent = mailings.unmailed_results(db, meeting_id)
        live = [e for e in lifecycle.elections_of(db, meeting_id) if e.state not in {ElectionState.PUBLISHED, ElectionState.VOID}]
    form.ballots.choices = options([(e.uuid, e.name) for e in unsent])
    letter = None
    if unsent:
        uuids = [e.uuid for e in unsent]
        letter = shown(mailings.preview_result(services.database, services.config, meeting_id, g.officer.name, uuids))
    return render_template("officer/result-mail.html", meeting=meeting, unsent=unsent, live=live, letter=letter, form=form, **rights())


@bp.get("/m/<base58:meeting_id>/result-mail")
@open_to(*CONDUCT)
def result_mail_page(meeting_id: str) -> str:
    form = ResultForm(formdata=None)
    with site().database.read() as db:
        meeting_of(db, meeting_id)
        form.ballots.data = [e.uuid for e in mailings.unmailed_results(db, meeting_id)]
    return _result_page(meeting_id, form)


@bp.post("/m/<base58:meeting_id>/result-mail")
@open_to(*CONDUCT)
def mail_result(meeting_id: str) -> ResponseReturnValue:
    """One e-mail with the chosen results to every member who could vote in one of them."""
    form, services = ResultForm(), site()
    with services.database.read() as db:
        meeting_of(db, meeting_id)
        form.ballots.choices = options([(e.uuid, e.name) for e in mailings.unmailed_results(db, meeting_id)])
    valid = form.validate()
    if valid and not form.ballots.data:
        form.put_error("ballots", phrase("Choose at least one ballot."))
        valid = False
    if valid and code_is_right(form):
        try:
            mailing = mailings.begin_result(
                services.database, services.config, meeting_id, form.ballots.data, actor(), services.clock.now()
            )
            _begin(mailing.id)
            return redirect(f"/officer/m/{meeting_id}/sending", code=303)
        except BallotError as error:
            form.put_error("code", str(error))
    return _result_page(meeting_id, form), 422
