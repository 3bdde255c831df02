"""My ballots, and one meeting: its roll, its elections, its mails, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import redirect, render_template, request
from sqlmodel import Session
from werkzeug.wrappers import Response as AnyResponse
from wtforms import RadioField
from wtforms.validators import InputRequired

from ballot.errors import BallotError
from ballot.models import Election, ElectionState, Meeting, Roll
from ballot.services import approvals, deliveries, invitations, lifecycle, mailings, roll_import
from ballot.web import site
from ballot.web.access import CONDUCT, OFFICERS, STAFF, open_to
from ballot.web.effects import template_effect
from ballot.web.forms import Form, line, options
from ballot.web.officer import bp
from ballot.web.officer.common import actor, meeting_of, rights
from ballot.web.officer.questions import KINDS


class MeetingForm(Form):
    name = line(
        "Name of the meeting",
        hint="As members know it, such as “2026 annual general meeting”. It stands in their e-mails.",
        missing="Give the meeting a name",
    )
    two_people = RadioField(
        "Do important acts need two people?",
        description="Locking, closing early, publishing and declaring void, and sending a member a new link.",
        choices=options([("yes", "Yes, a second officer confirms (recommended)"), ("no", "No, one officer is enough")]),
        validators=[InputRequired("Choose whether important acts need two people")],
    )
    codes = RadioField(
        "Who makes the members’ voting codes?",
        choices=options(
            [
                ("site", "This site makes them and sends them by e-mail"),
                ("secretary", "The membership secretary makes them on another computer, and this site never sees them"),
            ]
        ),
        validators=[InputRequired("Choose who makes the voting codes")],
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
    waiting: list[Any] = []
    templates = [(kind, template_effect(kind.kind)) for kind in KINDS.values() if kind.kind != "approval"]
    with site().database.read() as db:
        shown = []
        for meeting in lifecycle.meetings(db):
            shown.append((meeting, db.get(Roll, meeting.id), lifecycle.elections_of(db, meeting.id)))
            waiting += [a for a in approvals.pending(db, meeting.id, now) if a.given_at is None]
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
        words = "You uploaded it, and it is not saved yet. It is deleted when you sign out, or after a day."
        return Next("go on with the list of members", words, f"{here}/roll/check", "Go on with the list")
    if found is None:
        return Next("upload the list of members", "It says who can vote in this meeting.", f"{here}/roll", "Upload the list")
    if found.frozen_at is None:
        words = f"{found.included} members can vote. Look at who is left out, then freeze the list."
        return Next("freeze the list of members", words, f"{here}/roll", "Look at the list")
    if not elections:
        return Next(
            "add a ballot",
            "A motion, an officer’s post, a committee, or a question to choose from.",
            f"{here}/elections/new",
            "Add a ballot",
        )
    live = [e for e in elections if e.state not in {ElectionState.PUBLISHED, ElectionState.VOID}]
    draft = next((e for e in live if e.state is ElectionState.DRAFT), None)
    if draft is not None:
        obstacles = lifecycle.obstacles(db, draft.uuid, site().clock.now())
        words = f"“{draft.name}” is being prepared. {obstacles[0] if obstacles else 'It is ready to be locked.'}"
        return Next(f"get “{draft.name}” ready", words, f"/officer/e/{draft.uuid}", "Go on")
    if not sent and invitations.sendable(db, meeting.id):
        if meeting.split_trust:
            return Next(
                "hand the links to the membership secretary",
                "They add the codes and send the e-mails.",
                f"{here}/registrar",
                "Download the list of links",
            )
        return Next("send the voting e-mails", "Every ballot is locked. Each member gets one e-mail.", f"{here}/send", "Send the e-mails")
    if live:
        first = min(live, key=lambda e: (e.state is ElectionState.OPEN, e.closes_at))
        return Next(f"go on with “{first.name}”", "", f"/officer/e/{first.uuid}", "Go on")
    if mailings.unmailed_results(db, meeting.id):
        words = "One e-mail with every result that is published."
        return Next("mail the result to members", words, f"{here}/result-mail", "Mail the result")
    return Next("nothing", "Every ballot of this meeting is finished.")
