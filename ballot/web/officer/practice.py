"""Practising a meeting: a copy that really runs, for some people or for everybody."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, render_template
from sqlmodel import Session, select
from werkzeug.wrappers import Response as AnyResponse
from wtforms import RadioField
from wtforms.validators import InputRequired

from ballot.errors import BallotError
from ballot.language import phrase
from ballot.models import Meeting, Officer
from ballot.services import lifecycle, practice, roll, trustees
from ballot.services.trustees import Person
from ballot.web import site
from ballot.web.access import CONDUCT, STAFF, open_to
from ballot.web.forms import UK, Form, clock_time, day, lines_of, moment_of, options, text
from ballot.web.officer import bp
from ballot.web.officer.common import actor, meeting_of, rights


class PracticeForm(Form):
    who = RadioField(phrase("Who gets a practice link?"), validators=[InputRequired(phrase("Choose who gets a practice link"))])
    people = text(
        phrase("The people"),
        hint=phrase(
            "One on each line: name, then comma, then e-mail address. Your officers and key-holders are here already; "
            "add the committee, and a few members who will tell you what they did not understand."
        ),
        longest=20_000,
    )
    closes_on = day(phrase("The practice closes on"), missing=phrase("Give the day when the practice closes"))
    closes_at = clock_time(phrase("Closes at (UK time)"), missing=phrase("Give the time when the practice closes"))

    def offer(self, db: Session, meeting_id: str) -> None:
        """Everybody on the roll, where there is one."""
        number = roll.size(db, meeting_id)
        everybody = [("roll", phrase("Everybody on the list: {number:,} members get an e-mail", number=number))] if number else []
        self.who.choices = options([("named", phrase("The people below")), *everybody])

    def named(self) -> list[Person]:
        """Raises: ValueError, with the line that cannot be read."""
        found = []
        for written in lines_of(self.people.data):
            name, comma, email = written.rpartition(",")
            if not comma or not name.strip() or "@" not in email:
                raise ValueError(phrase("“{written}” is not a name, a comma and an e-mail address.", written=written[:80]))
            found.append(Person(name.strip(), email.strip()))
        return found


def _page(db: Session, meeting: Meeting, form: PracticeForm) -> str:
    form.offer(db, meeting.id)
    made = [(one, lifecycle.elections_of(db, one.id)) for one in practice.practices_of(db, meeting.id)]
    standing = [(e, str(lifecycle.rehearsal(db, e))) for e in lifecycle.elections_of(db, meeting.id) if not e.practice]
    return render_template(
        "officer/practice.html",
        meeting=meeting,
        form=form,
        copyable=practice.copyable(db, meeting.id),
        made=made,
        standing=standing,
        **rights(),
    )


def _usual(db: Session, meeting_id: str) -> dict[str, object]:
    """The form as it is first shown: the officers and key-holders, and a day from now at the next full hour."""
    people = {officer.email.casefold(): officer.name for officer in db.exec(select(Officer).where(Officer.active)).all()}
    for election in practice.copyable(db, meeting_id):
        people |= {trustee.email.casefold(): trustee.name for trustee in trustees.trustees_of(db, election.uuid)}
    closes = (site().clock.now() + timedelta(hours=25)).astimezone(UK).replace(minute=0)
    return {
        "people": "\n".join(f"{name}, {email}" for email, name in people.items()),
        "closes_on": closes.date(),
        "closes_at": closes.time(),
    }


@bp.get("/m/<base58:meeting_id>/practice")
@open_to(*STAFF)
def practice_page(meeting_id: str) -> str:
    with site().database.read() as db:
        return _page(db, meeting_of(db, meeting_id), PracticeForm(formdata=None, data=_usual(db, meeting_id)))


@bp.post("/m/<base58:meeting_id>/practice")
@open_to(*CONDUCT)
def make_practice(meeting_id: str) -> AnyResponse | tuple[str, int]:
    """The copy is made; it is then run by the pages of any meeting."""
    form, now = PracticeForm(), site().clock.now()
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        form.offer(db, meeting_id)
    closes = moment_of(form, "closes_on", "closes_at") if form.validate() else None
    if closes is not None:
        try:
            people = form.named() if form.who.data == "named" else None
            with site().database.write() as db:
                made = practice.make(db, meeting_id, people, closes, actor(), now)
            return redirect(f"/officer/m/{made.id}", code=303)
        except (BallotError, ValueError) as error:
            form.put_error("closes_on" if "close" in str(error).casefold() else "people", str(error))
    with site().database.read() as db:
        return _page(db, meeting, form), 422
