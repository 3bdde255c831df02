"""What members read: an officer's own words in the invitation, the reminder and the result mail, with a preview and a test mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flask import g, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlmodel import Session, col, func, select

from ballot.errors import BallotError, MalformedError
from ballot.language import joined, phrase
from ballot.models import MailText, Outbox
from ballot.services import mail, wording
from ballot.services.wording import Kind
from ballot.web import site
from ballot.web.access import CONDUCT, STAFF, open_to
from ballot.web.forms import Form, line, text
from ballot.web.officer import bp
from ballot.web.officer.common import actor, meeting_of, rights
from ballot.web.words import said

MOST_TESTS: Final = 10  # in ten minutes, of all officers together

TITLES: Final = {
    Kind.INVITATION: (phrase("Invitation"), phrase("Goes to every member who can vote, with their own link and code.")),
    Kind.REMINDER: (phrase("Reminder"), phrase("Goes to members who have not voted, when you send one.")),
    Kind.RESULT: (phrase("Result"), phrase("Goes to the members after the result is published, when you send it.")),
}


@dataclass(frozen=True)
class Shown:
    """A letter as a page shows it."""

    subject: str
    plain: str
    html: Markup


def shown(letter: mail.Letter) -> Shown:
    """The letter as it would be sent. Raises: MalformedError: it cannot be."""
    text_ = site().mailer.written(letter)
    body = text_.html.partition("<body>")[2].partition("</body>")[0]
    return Shown(text_.subject, text_.plain, Markup(body))  # noqa: S704  rendered by our own template, which escapes every word


class MessageForm(Form):
    subject = line(phrase("Subject"), missing="", optional=True, longest=mail.letters.LONGEST_SUBJECT)
    introduction = text(
        phrase("Your own words"),
        hint=phrase(
            "Optional. They stand near the top. Leave an empty line between paragraphs. Do not add a link for voting: each member’s own "
            "link is added by itself."
        ),
        longest=2 * mail.letters.LONGEST_INTRODUCTION,
    )

    def typed(self, meeting_id: str, kind: Kind) -> MailText | None:
        """What stands in the form, checked; None with the errors in place."""
        if not self.validate():
            return None
        found = MailText(meeting_id=meeting_id, kind=str(kind), changed_at=site().clock.now())
        for name, check in (
            ("subject", mail.checked_subject),
            ("introduction", lambda words: mail.checked_introduction(words, site().config.public_url)),
        ):
            try:
                setattr(found, name, check(self[name].data))
            except MalformedError as error:
                self.put_error(name, str(error))
        return None if self.problems() else found


def _specimen(db: Session, meeting_id: str, kind: Kind, words: MailText) -> mail.Letter:
    return wording.specimen(db, site().config, meeting_id, kind, g.officer.name, site().clock.now(), words)


def _page(db: Session, meeting_id: str, kind: Kind, form: MessageForm, words: MailText, said: str = "") -> str:
    meeting = meeting_of(db, meeting_id)
    hint = [phrase("Optional. Without one: “{subject}”.", subject=mail.usual_subject(kind, meeting.name))]
    form.subject.description = joined([*hint, *([] if kind is Kind.RESULT else [phrase("The closing time is added by itself.")])])
    title, about = TITLES[kind]
    return render_template(
        "officer/message.html",
        meeting=meeting,
        kind=str(kind),
        title=title,
        about=about,
        form=form,
        said=said,
        letter=shown(_specimen(db, meeting_id, kind, words)),
        **rights(),
    )


@bp.get("/m/<base58:meeting_id>/messages")
@open_to(*STAFF)
def messages(meeting_id: str) -> str:
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        written = {kind: wording.words_of(db, meeting_id, kind) for kind in Kind}
        kinds = [
            (str(kind), *TITLES[kind], words, shown(_specimen(db, meeting_id, kind, words)).subject) for kind, words in written.items()
        ]
    return render_template("officer/messages.html", meeting=meeting, kinds=kinds, never=wording.NEVER, **rights())


@bp.get("/m/<base58:meeting_id>/messages/<any(invitation,reminder,result):kind>")
@open_to(*CONDUCT)
def message(meeting_id: str, kind: str) -> str:
    with site().database.read() as db:
        meeting_of(db, meeting_id)
        words = wording.words_of(db, meeting_id, Kind(kind))
        form = MessageForm(formdata=None, data={"subject": words.subject, "introduction": words.introduction})
        return _page(db, meeting_id, Kind(kind), form, words, phrase("Saved.") if "saved" in request.args else "")


@bp.post("/m/<base58:meeting_id>/messages/<any(invitation,reminder,result):kind>")
@open_to(*CONDUCT)
def change_message(meeting_id: str, kind: str) -> ResponseReturnValue:
    """Preview, send to me, or save: the button says which. Nothing that was typed is lost by any of them."""
    form, wanted, services = MessageForm(), request.form.get("act", "save"), site()
    with services.database.read() as db:
        meeting_of(db, meeting_id)
        saved = wording.words_of(db, meeting_id, Kind(kind))
    words, said = form.typed(meeting_id, Kind(kind)), ""
    if words is not None:
        try:
            now = services.clock.now()
            if wanted == "save":
                with services.database.write() as db:
                    wording.write_words(
                        db, services.config, meeting_id, Kind(kind),
                        subject=words.subject, introduction=words.introduction, actor=actor(), now=now,
                    )  # fmt: skip
                return redirect(f"/officer/m/{meeting_id}/messages/{kind}?saved", code=303)
            if wanted == "test":
                with services.database.write() as db:
                    said = _send_test(db, _specimen(db, meeting_id, Kind(kind), words))
        except BallotError as error:
            form.put_error("introduction", str(error))
    with services.database.read() as db:
        page = _page(db, meeting_id, Kind(kind), form, words or saved, said)
    return (page, 422) if form.problems() else page


def _send_test(db: Session, letter: mail.Letter) -> str:
    """Raises: MalformedError: enough tests for now."""
    now = site().clock.now()
    recent = select(func.count()).select_from(Outbox).where(Outbox.kind == "test", col(Outbox.queued_at) > now - timedelta(minutes=10))
    if db.exec(recent).one() >= MOST_TESTS:
        raise MalformedError(phrase("Enough test e-mails for now: wait ten minutes."))
    site().mailer.put(db, mail.test_of(letter, g.officer.email), now)
    return phrase("A test e-mail is on its way to {address}. Nothing is saved yet.", address=g.officer.email)


@bp.post("/m/<base58:meeting_id>/messages/<any(invitation,reminder,result):kind>/live")
@open_to(*CONDUCT)
def live_message(meeting_id: str, kind: str) -> ResponseReturnValue:
    """The preview for the script that refreshes it while an officer types; nothing is kept."""
    form = MessageForm()
    with site().database.read() as db:
        meeting_of(db, meeting_id)
        words = form.typed(meeting_id, Kind(kind))
        if words is None:
            return jsonify(problems=[said(sentence) for _, sentence in form.problems()])
        letter = shown(_specimen(db, meeting_id, Kind(kind), words))
    return jsonify(problems=[], subject=letter.subject, plain=letter.plain)
