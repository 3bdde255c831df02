"""One ballot: what is asked, when, by whom it can be opened, and the list of tasks with its one next action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import abort, redirect, render_template, request
from sqlmodel import Session
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField, SelectField
from wtforms.validators import NumberRange, Optional

from ballot.errors import BallotError
from ballot.language import Text, joined, phrase, phrases
from ballot.models import Election, ElectionState, Meeting, Roll, Trustee
from ballot.protocol.messages import MAX_CHOICES_RANKED, Question, QuestionNH
from ballot.services import dates, deliveries, invitations, lifecycle, mailings, registrar, roll, trustees
from ballot.services.clock import spoken
from ballot.services.lifecycle import ElectionDraft, Rehearsal
from ballot.services.trustees import Person
from ballot.services.turnout import left_words, turnout_of
from ballot.web import site
from ballot.web.access import CONDUCT, STAFF, open_to
from ballot.web.effects import effects, quota_effects, standing, template_effect
from ballot.web.forms import UK, Form, clock_time, day, line, lines_of, moment_of, options, text, whole
from ballot.web.officer import bp
from ballot.web.officer.common import actor, election_of, meeting_of, rights, work_on
from ballot.web.officer.questions import KINDS, QuestionForm, Whole, kind_of
from ballot.web.rules import rule_words
from ballot.web.turnout import line as line_by_day
from ballot.web.words import section


class DetailsForm(Form):
    name = line(
        phrase("Name of the ballot"),
        hint=phrase("Such as “Election of the Treasurer” or “Motions”."),
        missing=phrase("Give the ballot a name"),
    )
    description = text(phrase("A few words for members"), hint=phrase("Optional. Members read it above the questions."), longest=5000)
    electorate = SelectField(phrase("Who can vote?"))
    opens_on = day(phrase("Voting opens on"), missing=phrase("Give the day when voting opens"))
    opens_at = clock_time(phrase("Opens at (UK time)"), missing=phrase("Give the time when voting opens"))
    closes_on = day(phrase("Voting closes on"), missing=phrase("Give the day when voting closes"))
    closes_at = clock_time(phrase("Closes at (UK time)"), missing=phrase("Give the time when voting closes"))
    counts_on = day(phrase("The count is on"))
    counts_at = clock_time(phrase("Counted at (UK time)"))
    notice_days = Whole(
        phrase("Days of notice that your rules ask for"),
        description=phrase("Clear days between the e-mail and the opening, for every ballot of this meeting. Leave it empty for none."),
        validators=[Optional(), NumberRange(0, 365, whole(phrase("Type a number of days, such as 14.")))],
    )
    replace = BooleanField(
        phrase("Members can change their vote until voting closes"),
        description=phrase("Only the last vote counts. Otherwise a vote is final."),
    )
    advisory = BooleanField(
        phrase("This is a consultation"),
        description=phrase("It advises and binds nobody, and says so. Only then may a single person hold the key."),
    )
    practice = BooleanField(
        phrase("This is a practice ballot"),
        description=phrase("It says PRACTICE on every page and in every e-mail, and nothing in it counts. This site holds its key."),
    )

    def offer(self, db: Session, meeting_id: str) -> None:
        """The parts of the roll that may be an electorate of their own."""
        found = roll.sections(db, meeting_id)
        self.electorate.choices = [
            ("", phrase("All full members")),
            *((word, _section_of(word, number)) for word, number in found.items()),
        ]

    def times(self) -> tuple[datetime, datetime] | None:
        """Both moments in UTC, or None with the errors in place."""
        opens, closes = moment_of(self, "opens_on", "opens_at"), moment_of(self, "closes_on", "closes_at")
        return None if opens is None or closes is None else (opens, closes)

    def count_time(self) -> datetime | None:
        """When the key-holders open the box; None where that is open, or with the error in place."""
        if self.counts_on.data is None and self.counts_at.data is None:
            return None
        if self.counts_on.data is None or self.counts_at.data is None:
            missing = "counts_on" if self.counts_on.data is None else "counts_at"
            self.put_error(missing, phrase("Give both the day and the time of the count, or neither."))
            return None
        return moment_of(self, "counts_on", "counts_at")

    def valid_times(self) -> tuple[datetime, datetime, datetime | None] | None:
        """Opening, close and count; None with the errors in place."""
        if not self.validate():
            return None
        times, counts = self.times(), self.count_time()
        return None if times is None or self.errors else (*times, counts)


def _section_of(word: str, number: int) -> Text:
    return phrases("{section}: {count:,} member", "{section}: {count:,} members", number, section=section(word))


def _details(election: Election, meeting: Meeting) -> dict[str, Any]:
    """What the form holds for an election made before."""
    counts = lifecycle.draft_of(election).counts_at
    local = counts.astimezone(UK) if counts else None
    opens, closes = election.opens_at.astimezone(UK), election.closes_at.astimezone(UK)
    return {
        "name": election.name,
        "description": election.config["description"],
        "electorate": election.config["electorate"],
        "opens_on": opens.date(),
        "opens_at": opens.time(),
        "closes_on": closes.date(),
        "closes_at": closes.time(),
        "counts_on": local.date() if local else None,
        "counts_at": local.time() if local else None,
        "notice_days": meeting.notice_days or None,
        "replace": election.replace,
        "advisory": bool(election.config.get("advisory")),
        "practice": election.practice,
    }


@dataclass(frozen=True)
class Look:
    """What a form would do, before it is saved: the rule with counted examples, who stands, the dates as they are read, and doubts."""

    effects: Sequence[str] = ()
    quotas: Sequence[str] = ()
    standing: str = ""
    enough: bool = True
    when: Sequence[str] = ()
    warnings: Sequence[str] = ()


def _rule_look(question: Question, rule: Mapping[str, Any]) -> Look:
    enough, sentence = standing(rule, question)
    return Look(effects(rule, question), quota_effects(rule, question), sentence, enough)


def _dates_look(look: Look, form: DetailsForm, election: Election | None, holders: Sequence[Trustee], now: datetime) -> Look:
    """With the dates that are typed; those that cannot be read say so by their field."""
    times = form.valid_times()
    if times is None:
        return look
    opens, closes, counts = times
    when = [phrase("Voting opens {when}.", when=spoken(opens)), phrase("It closes {when}.", when=spoken(closes))]
    when += [phrase("The count is {when}.", when=spoken(counts))] if counts else []
    found = dates.warnings(opens, closes, now, notice_days=form.notice_days.data or 0)
    if counts and election is None:
        found += dates.count_warnings(closes, counts, named=1, needed=0, free=1, unready=0)
    elif election is not None:
        found += _count_doubts(election, holders, closes, counts)
    return replace(look, when=when, warnings=found)


def _count_doubts(election: Election, holders: Sequence[Trustee], closes: datetime, counts: datetime | None) -> list[str]:
    if election.practice:
        return []
    same = counts is not None and counts == lifecycle.draft_of(election).counts_at
    free = election.config.get("free") if same else None
    unready = sum(trustee.possession_at is None for trustee in holders)
    needed = trustees.threshold_of(election)
    return dates.count_warnings(
        closes, counts, named=len(holders), needed=needed, free=None if free is None else len(free), unready=unready
    )


def date_doubts(db: Session, election: Election, now: datetime) -> list[str]:
    """What to think about in the dates of an election that is not open yet, in sentences."""
    if election.state not in {ElectionState.DRAFT, ElectionState.LOCKED}:
        return []
    notice = meeting_of(db, election.meeting_id).notice_days
    counts = lifecycle.draft_of(election).counts_at
    found = dates.warnings(election.opens_at, election.closes_at, now, notice_days=notice)
    return found + _count_doubts(election, trustees.trustees_of(db, election.uuid), election.closes_at, counts)


# --- making one -------------------------------------------------------------------------------------------------


@bp.get("/m/<base58:meeting_id>/elections/new")
@open_to(*CONDUCT)
def choose_kind(meeting_id: str) -> str:
    with site().database.read() as db:
        return render_template(
            "officer/choose-kind.html",
            meeting=meeting_of(db, meeting_id),
            kinds=[(kind, template_effect(kind.kind)) for kind in KINDS.values()],
            base=f"/officer/m/{meeting_id}/elections/new",
            practice=request.args.get("practice") == "y",
        )


@bp.get("/m/<base58:meeting_id>/elections/new/<string:kind>")
@open_to(*CONDUCT)
def new_election(meeting_id: str, kind: str) -> str:
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        usual: dict[str, Any] = {"practice": request.args.get("practice") == "y"}
        if kind == "consultation":
            usual |= {"advisory": True, "description": "This is a consultation. It advises, and binds nobody."}
        form = DetailsForm(formdata=None, data={**usual, "notice_days": meeting.notice_days or None})
        form.offer(db, meeting_id)
    return _new_page(meeting, kind, form, _kind(kind)(formdata=None, prefix="question-"))


@bp.post("/m/<base58:meeting_id>/elections/new/<string:kind>")
@open_to(*CONDUCT)
def make_election(meeting_id: str, kind: str) -> AnyResponse | tuple[str, int]:
    question_form = _kind(kind)(prefix="question-")
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        form = DetailsForm()
        form.offer(db, meeting_id)
    question = _question(question_form)
    if request.form.get("look"):
        look = _dates_look(_rule_look(*question) if question else Look(), form, None, (), site().clock.now())
        page = _new_page(meeting, kind, form, question_form, look)
        return (page, 422) if form.errors or question_form.errors else (page, 200)
    times = form.valid_times()
    if question is not None and times is not None:
        draft = ElectionDraft(
            name=form.name.data,
            questions=(question[0],),
            opens_at=times[0],
            closes_at=times[1],
            description=form.description.data,
            rules=(question[1],),
            electorate=form.electorate.data,
            replace=form.replace.data,
            practice=form.practice.data,
            advisory=form.advisory.data,
            counts_at=times[2],
        )
        try:
            with site().database.write() as db:
                lifecycle.set_notice(db, meeting_id, form.notice_days.data or 0, actor())
                election = lifecycle.make_election(db, meeting_id, draft, actor(), site().clock.now())
            return redirect(f"/officer/e/{election.uuid}", code=303)
        except BallotError as error:
            _place_error(form, question_form, error)
    return _new_page(meeting, kind, form, question_form), 422


def _new_page(meeting: Meeting, kind: str, form: DetailsForm, question_form: QuestionForm, look: Look | None = None) -> str:
    return render_template(
        "officer/election-new.html", meeting=meeting, kind=kind, form=form, question=question_form, look=look, **rights()
    )


def _kind(word: str) -> type[QuestionForm]:
    if word not in KINDS:
        abort(404)
    return KINDS[word]


def _question(form: QuestionForm) -> tuple[Question, dict[str, Any]] | None:
    """The question that was typed, checked as the service will check it; or None with the errors in place."""
    if not form.validate():
        return None
    try:
        question, rule = form.question()
        lifecycle.check_questions([question], [rule])
    except BallotError as error:
        words, only = str(error), "Question 1: "
        form.put_error("choices" if "choices" in form else "wording", words.removeprefix(only) if words.startswith(only) else words)
        return None
    return question, rule


def _place_error(form: DetailsForm, question_form: QuestionForm | None, error: BallotError) -> None:
    """A refusal of the service stands where the officer can do something about it."""
    words = str(error)
    if "close" in words.casefold():
        form.put_error("closes_on", words)
    elif words.startswith("Question") and question_form is not None:
        question_form.put_error("wording", words)
    elif "description" in words.casefold():
        form.put_error("description", words)
    else:
        form.put_error("name", words)


# --- changing a draft -------------------------------------------------------------------------------------------


@bp.get("/e/<base58:uuid>/details")
@open_to(*CONDUCT)
def edit_details(uuid: str) -> str:
    with site().database.read() as db:
        election = election_of(db, uuid)
        form = DetailsForm(formdata=None, data=_details(election, meeting_of(db, election.meeting_id)))
        form.offer(db, election.meeting_id)
        look = Look(warnings=date_doubts(db, election, site().clock.now()))
    return render_template("officer/details.html", election=election, form=form, look=look)


@bp.post("/e/<base58:uuid>/details")
@open_to(*CONDUCT)
def save_details(uuid: str) -> AnyResponse | tuple[str, int]:
    with site().database.read() as db:
        election = election_of(db, uuid)
        form = DetailsForm()
        form.offer(db, election.meeting_id)
        holders = trustees.trustees_of(db, uuid)
    if request.form.get("look"):
        look = _dates_look(Look(), form, election, holders, site().clock.now())
        return render_template("officer/details.html", election=election, form=form, look=look), 422 if form.errors else 200
    times = form.valid_times()
    if times is not None:
        draft = replace(
            lifecycle.draft_of(election),
            name=form.name.data,
            description=form.description.data,
            electorate=form.electorate.data,
            opens_at=times[0],
            closes_at=times[1],
            replace=form.replace.data,
            practice=form.practice.data,
            advisory=form.advisory.data,
            counts_at=times[2],
        )
        try:
            with site().database.write() as db:
                lifecycle.set_notice(db, election.meeting_id, form.notice_days.data or 0, actor())
                lifecycle.change_election(db, uuid, draft, actor(), site().clock.now())
            return redirect(f"/officer/e/{uuid}", code=303)
        except BallotError as error:
            _place_error(form, None, error)
    return render_template("officer/details.html", election=election, form=form, look=None), 422


@bp.get("/e/<base58:uuid>/questions")
@open_to(*STAFF)
def questions(uuid: str) -> str:
    with site().database.read() as db:
        election = election_of(db, uuid)
    draft = lifecycle.draft_of(election)
    kinds = [kind for kind in KINDS.values() if draft.advisory or kind.kind != "consultation"]
    return render_template(
        "officer/questions.html", election=election, questions=with_words(draft.questions, draft.rules), kinds=kinds, **rights()
    )


def with_words(asked: Sequence[Question], rules: Sequence[Any]) -> list[dict[str, Any]]:
    listed = []
    for i, question in enumerate(asked):
        rule = rules[i] if i < len(rules) else {}
        listed.append(
            {
                "title": question.question,
                "answers": question.answers,
                "rule": rule_words(rule, question),
                "quotas": quota_effects(rule, question),
                "effects": effects(rule, question),
                "standing": standing(rule, question),
                "ranked": isinstance(question, QuestionNH),
                "kind": KINDS[kind_of(question, rule)].title,
            }
        )
    return listed


@bp.get("/e/<base58:uuid>/questions/new/<string:kind>")
@open_to(*CONDUCT)
def new_question(uuid: str, kind: str) -> str:
    with site().database.read() as db:
        election = election_of(db, uuid)
    question = _kind(kind)(formdata=None, prefix="question-")
    return render_template("officer/question.html", election=election, question=question, number=None, look=None)


@bp.post("/e/<base58:uuid>/questions/new/<string:kind>")
@open_to(*CONDUCT)
def add_question(uuid: str, kind: str) -> AnyResponse | tuple[str, int]:
    return _save_question(uuid, _kind(kind)(prefix="question-"), None)


@bp.get("/e/<base58:uuid>/questions/<int:number>")
@open_to(*CONDUCT)
def edit_question(uuid: str, number: int) -> str:
    with site().database.read() as db:
        election = election_of(db, uuid)
    question, rule = _numbered(lifecycle.draft_of(election), number)
    form_class = KINDS[kind_of(question, rule)]
    form = form_class(formdata=None, prefix="question-", data=form_class.values(question, rule))
    return render_template("officer/question.html", election=election, question=form, number=number, look=_rule_look(question, rule))


@bp.post("/e/<base58:uuid>/questions/<int:number>")
@open_to(*CONDUCT)
def save_question(uuid: str, number: int) -> AnyResponse | tuple[str, int]:
    with site().database.read() as db:
        election = election_of(db, uuid)
    question, rule = _numbered(lifecycle.draft_of(election), number)
    return _save_question(uuid, KINDS[kind_of(question, rule)](prefix="question-"), number)


@bp.post("/e/<base58:uuid>/questions/<int:number>/remove")
@open_to(*CONDUCT)
def remove_question(uuid: str, number: int) -> AnyResponse:
    with site().database.write() as db:
        draft = lifecycle.draft_of(election_of(db, uuid))
        _numbered(draft, number)
        asked, rules = list(draft.questions), list(draft.rules)
        del asked[number - 1]
        del rules[number - 1 : number]
        lifecycle.change_election(db, uuid, replace(draft, questions=asked, rules=rules), actor(), site().clock.now())
    return redirect(f"/officer/e/{uuid}/questions", code=303)


def _numbered(draft: ElectionDraft, number: int) -> tuple[Question, dict[str, Any]]:
    if not 1 <= number <= len(draft.questions):
        abort(404)
    return draft.questions[number - 1], dict(draft.rules[number - 1]) if number <= len(draft.rules) else {}


def _save_question(uuid: str, form: QuestionForm, number: int | None) -> AnyResponse | tuple[str, int]:
    typed = _question(form)
    if request.form.get("look"):
        with site().database.read() as db:
            election = election_of(db, uuid)
        look = _rule_look(*typed) if typed else None
        page = render_template("officer/question.html", election=election, question=form, number=number, look=look)
        return page, 422 if form.errors else 200
    if typed is not None:
        try:
            with site().database.write() as db:
                draft = lifecycle.draft_of(election_of(db, uuid))
                asked, rules = list(draft.questions), list(draft.rules)
                at = len(asked) if number is None else number - 1
                asked[at : at + 1], rules[at : at + 1] = [typed[0]], [typed[1]]
                lifecycle.change_election(db, uuid, replace(draft, questions=asked, rules=rules), actor(), site().clock.now())
            return redirect(f"/officer/e/{uuid}/questions", code=303)
        except BallotError as error:
            form.put_error("wording", str(error))
    with site().database.read() as db:
        election = election_of(db, uuid)
    return render_template("officer/question.html", election=election, question=form, number=number, look=None), 422


# --- key-holders ------------------------------------------------------------------------------------------------


class TrusteesForm(Form):
    people = text(
        phrase("Key-holders"),
        hint=phrase("One on each line: name, then comma, then e-mail address. At least 3; 5 is better."),
        missing=phrase("Name the key-holders, one on each line"),
    )
    threshold = SelectField(
        phrase("How many of them open the box together?"), choices=options((str(n), str(n)) for n in range(1, 10)), default="2"
    )

    def named(self) -> list[Person]:
        """Raises: ValueError, with the line that cannot be read."""
        found = []
        for written in lines_of(self.people.data):
            name, comma, email = written.rpartition(",")
            if not comma or not name.strip() or "@" not in email:
                raise ValueError(phrase("“{written}” is not a name, a comma and an e-mail address.", written=written))
            found.append(Person(name.strip(), email.strip()))
        return found


@bp.get("/e/<base58:uuid>/trustees")
@open_to(*STAFF)
def key_holders(uuid: str) -> str:
    with site().database.read() as db:
        return _trustees_page(db, uuid, None)


def _trustees_page(db: Session, uuid: str, form: TrusteesForm | None) -> str:
    election = election_of(db, uuid)
    everybody = trustees.trustees_of(db, uuid)
    group = trustees.is_group(everybody)
    threshold = trustees.threshold_of(election)
    if form is None:
        typed = "\n".join(f"{t.name}, {t.email}" for t in everybody)
        form = TrusteesForm(formdata=None, data={"people": typed, "threshold": str(threshold or 2)})
    stages = [(t, trustees.stage_of(t, everybody, group=group)) for t in everybody]
    keys = trustees.key_count(election, everybody, site().clock.now())
    return render_template(
        "officer/trustees.html",
        election=election,
        form=form,
        stages=stages,
        threshold=threshold,
        group=group,
        keys=keys,
        advisory=trustees.is_advisory(election),
        counts_at=lifecycle.draft_of(election).counts_at,
        free=election.config.get("free"),
        **rights(),
    )


@bp.post("/e/<base58:uuid>/trustees/free")
@open_to(*CONDUCT)
def note_who_is_free(uuid: str) -> AnyResponse:
    """Who has said that they are free for the count."""
    chosen = [int(number) for number in request.form.getlist("free") if number.isascii() and number.isdigit() and len(number) < 4]
    with site().database.write() as db:
        trustees.say_who_is_free(db, uuid, chosen, actor())
    return redirect(f"/officer/e/{uuid}/trustees", code=303)


@bp.post("/e/<base58:uuid>/trustees")
@open_to(*CONDUCT)
def name_key_holders(uuid: str) -> AnyResponse | tuple[str, int]:
    """The key-holders are named, and each has a link waiting in the mail."""
    form = TrusteesForm()
    if form.validate():
        now = site().clock.now()
        try:
            people = form.named()
            with site().database.write() as db:
                rows = trustees.name_trustees(db, uuid, people, int(form.threshold.data), actor(), now)
                for row in rows:
                    _mail_link(db, row, now)
            return redirect(f"/officer/e/{uuid}/trustees", code=303)
        except (BallotError, ValueError) as error:
            form.put_error("people", str(error))
    with site().database.read() as db:
        return _trustees_page(db, uuid, form), 422


@bp.post("/e/<base58:uuid>/trustees/<int:number>/link")
@open_to(*CONDUCT)
def new_link(uuid: str, number: int) -> AnyResponse:
    """The key-holder's older links are dead, and a new one is on its way."""
    now = site().clock.now()
    with site().database.write() as db:
        _mail_link(db, trustees.renew_link(db, uuid, number, actor(), now), now)
    return redirect(f"/officer/e/{uuid}/trustees", code=303)


@bp.post("/e/<base58:uuid>/trustees/<int:number>/lost")
@open_to(*CONDUCT)
def key_is_lost(uuid: str, number: int) -> AnyResponse:
    """A key-holder has told an officer that the key is lost. Proving the key on their own page takes it back."""
    with site().database.write() as db:
        trustees.report_lost(db, uuid, number, actor(), site().clock.now())
    return redirect(f"/officer/e/{uuid}/trustees", code=303)


def _mail_link(db: Session, trustee: Trustee, now: datetime) -> None:
    election = election_of(db, trustee.election_uuid)
    if election.state is ElectionState.DRAFT:
        task = phrase(
            "Please make your key now, keep its file and a backup safe, and prove that you have it. The page tells you each step."
        )
    else:
        task = phrase("Please keep your key file ready. When voting has closed, we need it to open the ballot box.")
    invitations.send_trustee_link(db, site().config, site().keys, site().mailer, trustee, task, now)


# --- the list of tasks ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """One line of the list: where to do it, how it stands, and a sentence about it."""

    title: str
    status: str
    look: str
    words: str = ""
    address: str = ""


_LOCKED = ElectionState.LOCKED


def tasks_of(db: Session, election: Election, now: datetime) -> tuple[list[Task], Task]:
    """Every task of an election in order, and the one to do next."""
    here, there = f"/officer/e/{election.uuid}", f"/officer/m/{election.meeting_id}"
    state = election.state
    draft = state is ElectionState.DRAFT
    done, open_, later = (phrase("Done"), ""), (phrase("To do"), "wait"), (phrase("Not yet"), "none")
    roll_row = db.get(Roll, election.meeting_id)
    frozen = roll_row is not None and roll_row.frozen_at is not None
    unready = trustees.unready(db, election) if draft else ""
    obstacles = lifecycle.obstacles(db, election.uuid, now) if draft else []
    asked = len(election.config["questions"])
    mails = sum(site().mailer.counts(db, election.meeting_id).values())
    reached = list(ElectionState).index(state) if state is not ElectionState.VOID else -1

    def after(wanted: ElectionState, *, ready: bool) -> tuple[str, str]:
        if reached >= list(ElectionState).index(wanted):
            return done
        return open_ if ready else later

    voters = section(election.config["electorate"])
    if not frozen:
        voters = joined([phrase("{members}.", members=voters), phrase("Upload the list of members, check it and freeze it.")])
    lock_words = "" if not draft else (obstacles or [phrase("Ready.")])[0]
    close_words = phrase("It closes by itself at the announced time.") if state is ElectionState.OPEN else ""
    counting = state in {ElectionState.CLOSED, ElectionState.TALLYING}
    sent = done if mails else open_ if state is ElectionState.LOCKED else later
    counted = after(ElectionState.PUBLISHED, ready=counting)
    tasks = [
        Task(phrase("Questions"), *done, phrases("{count} question", "{count} questions", asked), f"{here}/questions"),
        Task(phrase("Who can vote"), *(done if frozen else open_), voters, f"{there}/roll"),
        Task(phrase("Key-holders"), *(open_ if unready else done), unready, f"{here}/trustees"),
        *_codes_task(db, election, there),
        _dates_task(db, election, here, now),
        _messages_task(election, there),
        *_practice_task(db, election, there),
        Task(phrase("Lock the ballot"), *after(ElectionState.LOCKED, ready=not obstacles), lock_words, f"{here}/lock" if draft else ""),
        Task(phrase("Send the voting e-mails"), *sent, phrase("One e-mail to each member, for the whole meeting."), f"{there}/send"),
        Task(phrase("Open voting"), *after(ElectionState.OPEN, ready=state is _LOCKED), "", f"{here}/open" if state is _LOCKED else ""),
        Task(
            phrase("Close voting"),
            *after(ElectionState.CLOSED, ready=False),
            close_words,
            f"{here}/close" if state is ElectionState.OPEN else "",
        ),
        Task(phrase("Count"), *counted, "", f"{here}/tally" if counting else ""),
        Task(
            phrase("Publish"),
            *after(ElectionState.PUBLISHED, ready=False),
            "",
            f"{here}/publish" if state is ElectionState.TALLYING else "",
        ),
        *_after_tasks(db, election, there, later),
    ]
    return tasks, _next(election, tasks, now)


def _after_tasks(db: Session, election: Election, there: str, later: tuple[str, str]) -> list[Task]:
    """What is left when the result is public: to tell the members, and one page for the minutes."""
    if election.state is not ElectionState.PUBLISHED:
        return [Task(phrase("Mail the result"), *later), Task(phrase("Report"), *later)]
    told = election.uuid not in {other.uuid for other in mailings.unmailed_results(db, election.meeting_id)}
    status, words = (
        ((phrase("Done"), ""), "") if told else ((phrase("To do"), "wait"), phrase("One e-mail with every result that is published."))
    )
    return [
        Task(phrase("Mail the result"), *status, words, f"{there}/result-mail"),
        Task(phrase("Report"), phrase("Ready"), "none", phrase("Everything on one page, for the minutes."), f"/e/{election.uuid}/report"),
    ]


def _dates_task(db: Session, election: Election, here: str, now: datetime) -> Task:
    """Set when the ballot is made; what is unusual about them is spoken of until voting opens."""
    doubts = date_doubts(db, election, now)
    status = (phrase("Look again"), "wait") if doubts else (phrase("Done"), "")
    words = [phrase("{when}.", when=when_words(election)), *doubts[:1]]
    if len(doubts) > 1:
        words.append(phrases("And {count} more thing to think about.", "And {count} more things to think about.", len(doubts) - 1))
    return Task(phrase("Dates and details"), *status, joined(words), f"{here}/details" if election.state is ElectionState.DRAFT else "")


def _messages_task(election: Election, there: str) -> Task:
    """The words of the e-mails are there from the start; they can be looked at, changed and sent to oneself until they go out."""
    before = election.state in {ElectionState.DRAFT, ElectionState.LOCKED}
    words = phrase("The e-mails are written. Look at them, change the first words, send one to yourself.") if before else ""
    return Task(phrase("Messages"), phrase("Ready") if before else phrase("Done"), "none" if before else "", words, f"{there}/messages")


def _codes_task(db: Session, election: Election, there: str) -> list[Task]:
    """Where the membership secretary makes the codes, their public halves have to come in before the lock."""
    if not meeting_of(db, election.meeting_id).split_trust:
        return []
    here = registrar.public_credentials(db, election.uuid).entries
    status = (phrase("Done"), "") if here else (phrase("To do"), "wait")
    return [Task(phrase("Voting codes"), *status, phrase("Made by the membership secretary on another computer."), f"{there}/registrar")]


def _practice_task(db: Session, election: Election, there: str) -> list[Task]:
    """A practice is the next thing to do until the lock; after it, voting is opened with a reason where there was none."""
    if election.practice:
        return []
    match lifecycle.rehearsal(db, election):
        case Rehearsal.FINISHED:
            status, words = (phrase("Done"), ""), phrase("Every step was practised with these questions.")
        case Rehearsal.UNDER_WAY:
            status, words = (phrase("Under way"), "wait"), phrase("Opening waits for it, or for a written reason.")
        case standing:
            before = election.state is ElectionState.DRAFT
            status = (phrase("To do"), "wait") if before else (phrase("Not done"), "none")
            changed = [phrase("The questions were changed after the practice.")] if standing is Rehearsal.CHANGED else []
            words = joined([*changed, *([phrase("Opening waits for it, or for a written reason.")] if before else [])])
    return [Task(phrase("Practice"), *status, words, f"{there}/practice")]


def when_words(election: Election) -> str:
    """From when to when, in a sentence's part."""
    return phrase("{opens} to {closes}", opens=spoken(election.opens_at), closes=spoken(election.closes_at))


def _next(election: Election, tasks: list[Task], now: datetime) -> Task:
    match election.state:
        case ElectionState.PUBLISHED:
            found = next((task for task in tasks if task.status == "To do" and task.address), None)
            return found or Task(phrase("Look at the result"), "", "", phrase("The result is public."), f"/e/{election.uuid}/result")
        case ElectionState.VOID:
            return Task(phrase("Nothing more to do"), "", "", phrase("This ballot is void: {reason}", reason=election.void_reason))
        case ElectionState.OPEN if now < election.closes_at - timedelta(minutes=1):
            return Task(phrase("Wait until voting closes"), "", "", phrase("Voting is open. {when}.", when=when_words(election)))
        case _:
            found = next((task for task in tasks if task.status == "To do" and task.address), None)
            return found or Task(phrase("Wait"), "", "", phrase("Nothing is to be done here just now."))


@bp.get("/e/<base58:uuid>")
@open_to(*STAFF)
def one_election(uuid: str) -> str:
    now = site().clock.now()
    with site().database.read() as db:
        election = election_of(db, uuid)
        meeting = meeting_of(db, election.meeting_id)
        tasks, next_ = tasks_of(db, election, now)
        turnout = turnout_of(db, election)
        keys = trustees.key_count(election, trustees.trustees_of(db, uuid), now)
        again = db.get(Roll, election.meeting_id) if election.state is ElectionState.VOID else None
        under_way = election.state is ElectionState.OPEN and not meeting.split_trust
        mails = deliveries.health(db, site().mailer, meeting.id, now) if under_way else None
        job = work_on(db, election)
    return render_template(
        "officer/election.html",
        election=election,
        meeting=meeting,
        tasks=tasks,
        next=next_,
        turnout=turnout,
        turnout_line=line_by_day(turnout),
        left=left_words(election.closes_at, now) if election.state is ElectionState.OPEN else "",
        mail_health=mails,
        keys=keys,
        may_repeat=again is not None and bool(again.salt),
        job=job,
        most_ranked=MAX_CHOICES_RANKED,
        **rights(),
    )
