"""My ballots, and one meeting: its roll, its elections, its mails, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, render_template, request
from sqlmodel import Session
from werkzeug.wrappers import Response as AnyResponse
from wtforms import RadioField
from wtforms.validators import InputRequired

from ballot.errors import BallotError
from ballot.language import joined, phrase, phrases
from ballot.models import Approval, Election, ElectionState, Meeting, Roll
from ballot.services import approvals, deliveries, invitations, lifecycle, mailings, roll_import
from ballot.web import site
from ballot.web.access import CONDUCT, OFFICERS, STAFF, open_to
from ballot.web.effects import template_effect
from ballot.web.forms import Form, line, options
from ballot.web.officer import bp
from ballot.web.officer.common import actor, meeting_of, rights
from ballot.web.officer.questions import KINDS
from ballot.web.words import when


class MeetingForm(Form):
    name = line(
        phrase("Name of the meeting"),
        hint=phrase("As members know it, such as “2026 annual general meeting”. It stands in their e-mails."),
        missing=phrase("Give the meeting a name"),
    )
    codes = RadioField(
        phrase("Who makes the members’ voting codes?"),
        choices=options(
            [
                ("site", phrase("This site makes them and sends them by e-mail")),
                ("secretary", phrase("The membership secretary makes them on another computer, and this site never sees them")),
            ]
        ),
        validators=[InputRequired(phrase("Choose who makes the voting codes"))],
    )
    two_people = RadioField(
        phrase("Do important acts need two people?"),
        description=phrase("Locking, closing early, publishing and declaring void, and sending a member a new link."),
        choices=options([("yes", phrase("Yes, a second officer confirms (recommended)")), ("no", phrase("No, one officer is enough"))]),
        validators=[InputRequired(phrase("Choose whether important acts need two people"))],
    )


@dataclass(frozen=True)
class Next:
    """The one thing to do now."""

    title: str
    words: str
    address: str = ""
    button: str = ""


@bp.get("/")
@open_to(*OFFICERS)
def my_ballots() -> str:
    now = site().clock.now()
    waiting: list[tuple[Approval, str]] = []
    templates = [(kind, template_effect(kind.kind)) for kind in KINDS.values() if kind.kind != "approval"]
    with site().database.read() as db:
        shown = []
        for meeting in lifecycle.meetings(db):
            elections = lifecycle.elections_of(db, meeting.id)
            shown.append((meeting, db.get(Roll, meeting.id), elections))
            names = {e.uuid: f"{e.name}, {meeting.name}" for e in elections}
            waiting += [(a, names.get(a.subject, meeting.name)) for a in approvals.pending(db, meeting.id, now) if a.given_at is None]
    return render_template("officer/meetings.html", meetings=shown, waiting=waiting, templates=templates, **rights())


@bp.get("/meetings/new")
@open_to(*CONDUCT)
def new_meeting() -> str:
    return render_template("officer/meeting-new.html", form=MeetingForm(formdata=None), start=_start(request.args.get("start")))


@bp.post("/meetings/new")
@open_to(*CONDUCT)
def make_meeting() -> AnyResponse | tuple[str, int]:
    form, start = MeetingForm(), _start(request.form.get("start"))
    if form.validate():
        try:
            with site().database.write() as db:
                meeting = lifecycle.make_meeting(
                    db,
                    form.name.data,
                    actor(),
                    site().clock.now(),
                    split_trust=form.codes.data == "secretary",
                    two_people=form.two_people.data == "yes",
                )
            return redirect(f"/officer/m/{meeting.id}{_AFTER.get(start, '')}", code=303)
        except BallotError as error:
            form.put_error("name", str(error))
    return render_template("officer/meeting-new.html", form=form, start=start), 422


_AFTER = {"practice": "/elections/new?practice=y", **{kind: f"/elections/new/{kind}" for kind in KINDS}}


def _start(word: str | None) -> str:
    """What the officer came to make, so that the new meeting leads on to it: a template, a practice ballot, or "" for neither."""
    return word if word in _AFTER else ""


@bp.get("/m/<base58:meeting_id>")
@open_to(*STAFF)
def one_meeting(meeting_id: str) -> str:
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        found = db.get(Roll, meeting_id)
        elections = lifecycle.elections_of(db, meeting_id)
        health = deliveries.health(db, site().mailer, meeting_id, site().clock.now())
        next_ = next_step(db, meeting, found, elections, sent=sum(health.states.values()))
        can_send = bool(invitations.sendable(db, meeting_id)) and not meeting.split_trust
    return render_template(
        "officer/meeting.html",
        meeting=meeting,
        roll=found,
        elections=elections,
        mail_health=health,
        next=next_,
        can_send=can_send,
        **rights(),
    )


def next_step(db: Session, meeting: Meeting, found: Roll | None, elections: list[Election], *, sent: int) -> Next:
    """What a returning officer would do now in this meeting."""
    here = f"/officer/m/{meeting.id}"
    if (found is None or found.frozen_at is None) and roll_import.waiting(db, meeting.id, actor(), site().clock.now()):
        words = phrase("You uploaded it, and it is not saved yet. It is deleted when you sign out, or after a day.")
        return Next(phrase("go on with the list of members"), words, f"{here}/roll/check", phrase("Go on with the list"))
    if found is None:
        return Next(
            phrase("upload the list of members"), phrase("It says who can vote in this meeting."), f"{here}/roll", phrase("Upload the list")
        )
    if found.frozen_at is None:
        words = phrases(
            "{count} member can vote. Look at who is left out, then freeze the list.",
            "{count} members can vote. Look at who is left out, then freeze the list.",
            found.included,
        )
        return Next(phrase("freeze the list of members"), words, f"{here}/roll", phrase("Look at the list"))
    if not elections:
        return Next(
            phrase("add a ballot"),
            phrase("A motion, an officer’s post, a committee, or a question to choose from."),
            f"{here}/elections/new",
            phrase("Add a ballot"),
        )
    live = [e for e in elections if e.state not in {ElectionState.PUBLISHED, ElectionState.VOID}]
    draft = next((e for e in live if e.state is ElectionState.DRAFT), None)
    if draft is not None:
        obstacles = lifecycle.obstacles(db, draft.uuid, site().clock.now())
        words = phrase("“{name}” is being prepared.", name=draft.name)
        words = joined([words, obstacles[0] if obstacles else phrase("It is ready to be locked.")])
        return Next(phrase("get “{name}” ready", name=draft.name), words, f"/officer/e/{draft.uuid}", phrase("Go on"))
    if not sent and invitations.sendable(db, meeting.id):
        if meeting.split_trust:
            return Next(
                phrase("hand the links to the membership secretary"),
                phrase("They add the codes and send the e-mails."),
                f"{here}/registrar",
                phrase("Download the list of links"),
            )
        return Next(
            phrase("send the voting e-mails"),
            phrase("Every ballot is locked. Each member gets one e-mail."),
            f"{here}/send",
            phrase("Send the e-mails"),
        )
    if live:
        first = min(live, key=lambda e: (e.state is ElectionState.OPEN, e.closes_at))
        return Next(phrase("go on with “{name}”", name=first.name), when(first), f"/officer/e/{first.uuid}", phrase("Go on"))
    if mailings.unmailed_results(db, meeting.id):
        words = phrase("One e-mail with every result that is published.")
        return Next(phrase("mail the result to members"), words, f"{here}/result-mail", phrase("Mail the result"))
    return Next(phrase("nothing more to do"), phrase("Every ballot of this meeting is finished."))
