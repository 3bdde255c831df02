"""The moves of a ballot's life, each on a page that reads back what it does, asks for the six digits, and where two people
are wanted for the second one's agreement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import g, redirect, render_template
from sqlmodel import Session
from werkzeug.wrappers import Response as AnyResponse
from wtforms import SelectField
from wtforms.validators import InputRequired

from ballot.count.constraints import settle
from ballot.errors import BallotError, CountError, NotFoundError, PreconditionError
from ballot.language import N_, Text, joined, listing, phrase
from ballot.models import Approval, Election, ElectionState, Meeting, Officer, Roll, RollEntry
from ballot.protocol.messages import QuestionNH
from ballot.recount import Acts, quota_places
from ballot.services import approvals, invitations, jobs, lifecycle, registrar, tally, tidy, trustees
from ballot.services.approvals import Need
from ballot.services.clock import LONDON, spoken
from ballot.services.jobs import Kind
from ballot.services.journal import Actor
from ballot.services.lifecycle import ElectionDraft, Rehearsal
from ballot.web import site, tools
from ballot.web.access import CONDUCT, KEEP_ROLL, STAFF, open_to
from ballot.web.forms import clock_time, day, lines_of, moment_of, text
from ballot.web.officer import bp
from ballot.web.officer.common import CodeForm, actor, code_is_right, election_of, may, meeting_of, rights, work_on
from ballot.web.officer.elections import date_doubts, with_words
from ballot.web.words import NEED


class ActForm(CodeForm):
    reason = text(phrase("Reason"), hint=phrase("Members will read it."), longest=1000)


@dataclass(frozen=True)
class Act:
    """One move: its words, when it can be done, whether it takes a reason and a second person, and the function that does it."""

    title: str
    button: str
    states: frozenset[ElectionState]
    do: Callable[[str, Actor, datetime, str, str | None], object]
    need: Callable[[Election, datetime], Need | None] = lambda _election, _now: None
    reason: Callable[[Election, datetime], bool] = lambda _election, _now: False
    danger: bool = False


def _lock(uuid: str, who: Actor, _now: datetime, _reason: str, approval: str | None) -> None:
    jobs.do(uuid, Kind.LOCK, who, approval, tools())


def _open(uuid: str, who: Actor, now: datetime, reason: str, approval: str | None) -> None:
    with site().database.write() as db:
        lifecycle.open_voting(db, uuid, who, now, reason=reason, approval=approval)


def _close(uuid: str, who: Actor, now: datetime, reason: str, approval: str | None) -> None:
    lifecycle.close(site().database, uuid, who, now, reason=reason, approval=approval)


def _publish(uuid: str, who: Actor, _now: datetime, _reason: str, approval: str | None) -> None:
    jobs.do(uuid, Kind.PUBLISH, who, approval, tools())


def _void(uuid: str, who: Actor, now: datetime, reason: str, approval: str | None) -> None:
    with site().database.write() as db:
        lifecycle.void(db, uuid, reason, who, now, approval=approval)


def _tidy(uuid: str, who: Actor, now: datetime, _reason: str, _approval: str | None) -> None:
    tidy.tidy(site().database, uuid, who, now)


def _early(election: Election, now: datetime) -> bool:
    return now < election.closes_at


def _not_practised(election: Election, _now: datetime) -> bool:
    with site().database.read() as db:
        return not election.practice and lifecycle.rehearsal(db, election) is not Rehearsal.FINISHED


_S = ElectionState
ACTS = {
    "lock": Act(phrase("Lock the ballot"), phrase("Lock it"), frozenset({_S.DRAFT}), _lock, need=lambda _e, _n: Need.LOCK),
    "open": Act(
        phrase("Open voting"), phrase("Open voting"), frozenset({_S.LOCKED}), _open, need=lambda _e, _n: Need.OPEN, reason=_not_practised
    ),
    "close": Act(
        phrase("Close voting"),
        phrase("Close voting"),
        frozenset({_S.OPEN}),
        _close,
        need=lambda e, n: Need.CLOSE_EARLY if _early(e, n) else None,
        reason=_early,
    ),
    "publish": Act(
        phrase("Publish the result"), phrase("Publish the result"), frozenset({_S.TALLYING}), _publish, need=lambda _e, _n: Need.PUBLISH
    ),
    "void": Act(
        phrase("Declare this ballot void"),
        phrase("Declare it void"),
        frozenset(_S) - {_S.PUBLISHED, _S.VOID},
        _void,
        need=lambda e, _n: None if e.state is _S.DRAFT else Need.VOID,
        reason=lambda _e, _n: True,
        danger=True,
    ),
    "tidy": Act(phrase("Delete who voted with which code"), phrase("Delete it"), frozenset({_S.PUBLISHED, _S.VOID}), _tidy, danger=True),
}


@dataclass(frozen=True)
class Second:
    """How the second person's agreement stands. `mine` says that the officer at the screen asked for it."""

    wanted: bool
    approval: Approval | None = None
    mine: bool = False
    other: str = ""

    @property
    def given(self) -> bool:
        return self.approval is not None and self.approval.given_at is not None


def second_of(
    db: Session, meeting: Meeting, need: Need | None, subject: str, now: datetime, *, practice: bool, wording: str | None = None
) -> Second:
    """The newest request for this act that can still be used; with `wording`, for this act in these words."""
    if need is None or practice or not (meeting.two_people or need in approvals.ALWAYS_TWO):
        return Second(wanted=False)
    found = [a for a in approvals.pending(db, meeting.id, now) if (a.act, a.subject) == (str(need), subject)]
    mine = g.officer.id
    usable = [a for a in found if (a.given_at is None or mine in {a.asked_by, a.given_by}) and wording in {None, a.reason}]
    if not usable:
        return Second(wanted=True)
    approval = usable[-1]
    other_id = approval.asked_by if approval.asked_by != mine else approval.given_by
    other = db.get(Officer, other_id) if other_id else None
    return Second(wanted=True, approval=approval, mine=approval.asked_by == mine, other=other.name if other else "")


def agree_and_do(
    second: Second, meeting_id: str, need: Need | None, subject: str, wording: str, do: Callable[[str | None], object]
) -> bool:
    """Do the act, with the agreement of two people where it is wanted; False where a second person was only asked for it now.

    Whoever comes second agrees by doing it in the same words; in others, they ask for theirs. Raises: as `do`, and what `approvals` raises.
    """
    now = site().clock.now()
    if not second.wanted or need is None:
        do(None)
        return True
    if second.approval is None:
        with site().database.write() as db:
            asked = approvals.ask(db, meeting_id, need, subject, wording, actor(), now)
            election = db.get(Election, subject)
            about = election.name if election is not None else phrase("One member. The page says who.")
            invitations.ask_second_person(
                db, site().config, site().mailer, asked.id, act=NEED.get(str(need), str(need)), about=about, now=now
            )
        return False
    if not second.given:
        with site().database.write() as db:
            approvals.give(db, second.approval.id, actor(), now)
    do(second.approval.id)
    return True


def _page(db: Session, uuid: str, word: str, form: ActForm) -> str:
    act = ACTS[word]
    now = site().clock.now()
    election = election_of(db, uuid)
    meeting = meeting_of(db, election.meeting_id)
    draft = lifecycle.draft_of(election)
    second = second_of(db, meeting, act.need(election, now), uuid, now, practice=election.practice)
    takes_reason = act.reason(election, now)
    if takes_reason and not form.reason.data and second.approval is not None:
        form.reason.data = second.approval.reason
    more: dict[str, Any] = {"rehearsal": str(lifecycle.rehearsal(db, election))}
    if word == "lock":
        roll_row = db.get(Roll, meeting.id)
        more |= {
            "warnings": [*(lifecycle.warnings(db, uuid) if roll_row is not None else []), *date_doubts(db, election, site().clock.now())],
            "obstacles": lifecycle.obstacles(db, uuid, now) if election.state is ElectionState.DRAFT else [],
            "voters": registrar.electorate_size(db, election) if roll_row is not None else 0,
            "trustees": trustees.trustees_of(db, uuid),
            "threshold": trustees.threshold_of(election),
            "questions": with_words(draft.questions, draft.rules),
            "draft": draft,
        }
    return render_template(
        "officer/act.html",
        election=election,
        meeting=meeting,
        word=word,
        act=act,
        form=form,
        second=second,
        takes_reason=takes_reason,
        possible=election.state in act.states,
        job=work_on(db, election),
        **more,
        **rights(),
    )


@bp.get("/e/<base58:uuid>/<any(lock,open,close,publish,void,tidy):word>")
@open_to(*CONDUCT)
def act_page(uuid: str, word: str) -> str:
    with site().database.read() as db:
        return _page(db, uuid, word, ActForm(formdata=None))


@bp.post("/e/<base58:uuid>/<any(lock,open,close,publish,void,tidy):word>")
@open_to(*CONDUCT)
def do_act(uuid: str, word: str) -> AnyResponse | tuple[str, int]:
    act, now, form = ACTS[word], site().clock.now(), ActForm()
    with site().database.read() as db:
        election = election_of(db, uuid)
        meeting = meeting_of(db, election.meeting_id)
        need, takes_reason = act.need(election, now), act.reason(election, now)
        reason = form.reason.data if takes_reason else ""
        second = second_of(db, meeting, need, uuid, now, practice=election.practice, wording=reason)
        obstacles = lifecycle.obstacles(db, uuid, now) if word == "lock" and election.state is ElectionState.DRAFT else []
    valid = form.validate()
    if takes_reason and not reason:
        form.put_error("reason", phrase("Write down the reason. Members will read it."))
        valid = False
    if second.wanted and second.mine and not second.given and valid:
        form.put_error("code", phrase("A second officer has to agree first. Ask them to sign in and open “My ballots”."))
        valid = False
    if valid and (obstacles or election.state not in act.states):
        form.put_error("code", (obstacles or [phrase("This cannot be done while the ballot is {state}.", state=Text(election.state))])[0])
        valid = False
    if valid and code_is_right(form):
        try:
            if agree_and_do(second, meeting.id, need, uuid, reason, lambda a: act.do(uuid, actor(), now, reason, a)):
                return redirect(f"/officer/e/{uuid}", code=303)
            return redirect(f"/officer/e/{uuid}/{word}", code=303)
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _page(db, uuid, word, form), 422


# --- closing later ----------------------------------------------------------------------------------------------


class LaterForm(CodeForm):
    closes_on = day(phrase("Voting closes on"), missing=phrase("Give the new day"))
    closes_at = clock_time(phrase("Closes at (UK time)"), missing=phrase("Give the new time"))
    reason = text(
        phrase("Reason"), hint=phrase("Members will read it."), missing=phrase("Write down the reason. Members will read it."), longest=1000
    )


def _later_page(db: Session, uuid: str, form: LaterForm) -> str:
    election = election_of(db, uuid)
    meeting = meeting_of(db, election.meeting_id)
    second = second_of(db, meeting, Need.POSTPONE, uuid, site().clock.now(), practice=election.practice)
    if second.approval is not None and not form.is_submitted():
        form.reason.data, _, closes = second.approval.reason.rpartition("\n")
        form.closes_on.data = form.closes_at.data = datetime.fromisoformat(closes).astimezone(LONDON)
    possible = election.state in {_S.LOCKED, _S.OPEN}
    return render_template("officer/later.html", election=election, form=form, second=second, possible=possible, **rights())


@bp.get("/e/<base58:uuid>/later")
@open_to(*CONDUCT)
def later_page(uuid: str) -> str:
    with site().database.read() as db:
        return _later_page(db, uuid, LaterForm(formdata=None))


@bp.post("/e/<base58:uuid>/later")
@open_to(*CONDUCT)
def close_later(uuid: str) -> AnyResponse | tuple[str, int]:
    """Voting closes later than announced, with a public reason and two people, who agree to the hour and the reason."""
    form, now = LaterForm(), site().clock.now()
    valid = form.validate()
    closes = moment_of(form, "closes_on", "closes_at") if valid else None
    wording = lifecycle.later_wording(closes, form.reason.data) if closes else ""
    with site().database.read() as db:
        election = election_of(db, uuid)
        meeting = meeting_of(db, election.meeting_id)
        second = second_of(db, meeting, Need.POSTPONE, uuid, now, practice=election.practice, wording=wording)
    if closes is not None and second.wanted and second.mine and not second.given:
        form.put_error("code", phrase("A second officer has to agree first. Ask them to sign in and open “My ballots”."))
        closes = None
    if closes is not None and closes <= election.closes_at:
        form.put_error("closes_on", phrase("Choose a later time than {closes}.", closes=spoken(election.closes_at)))
        closes = None
    if closes is not None and code_is_right(form):
        wanted = closes

        def do(approval: str | None) -> None:
            with site().database.write() as db:
                lifecycle.postpone_close(db, uuid, wanted, form.reason.data, actor(), now, approval=approval)

        try:
            agree_and_do(second, election.meeting_id, Need.POSTPONE, uuid, wording, do)
            return redirect(f"/officer/e/{uuid}", code=303)
        except BallotError as error:
            form.put_error("closes_on", str(error))
    with site().database.read() as db:
        return _later_page(db, uuid, form), 422


# --- the count --------------------------------------------------------------------------------------------------


class LotForm(CodeForm):
    number = SelectField(phrase("For which question?"), validators=[InputRequired(phrase("Choose the question"))])
    order = text(
        phrase("The order drawn, first drawn on top"),
        hint=phrase(
            "Every choice of that question once, each on its own line, “Re-open nominations” too where it stands. Where votes are "
            "equal and the rule’s own way of parting them fails, whoever stands higher here is favoured."
        ),
        missing=phrase("Type the order that was drawn"),
        longest=20_000,
    )

    def offer(self, draft: ElectionDraft) -> None:
        """The questions that elect somebody."""
        elects = [number for number, rule in enumerate(draft.rules, start=1) if rule.get("rule") != "motion"]
        self.number.choices = [(str(number), _question_words(draft, number)) for number in elects]

    def drawn(self, draft: ElectionDraft) -> tuple[int, list[int]]:
        """The question's number and the order of its choices. Raises: PreconditionError, with the line that names no choice."""
        number = int(self.number.data)
        known = {" ".join(answer.split()).casefold(): i for i, answer in enumerate(draft.questions[number - 1].answers)}
        found = []
        for written in lines_of(self.order.data):
            choice = known.get(" ".join(written.split()).casefold())
            if choice is None or choice in found:
                wrong = N_("“{written}” is no choice of that question.") if choice is None else N_("“{written}” stands there twice.")
                raise PreconditionError(phrase(wrong, written=written[:80]))
            found.append(choice)
        if missing := [answer for i, answer in enumerate(draft.questions[number - 1].answers) if i not in found]:
            raise PreconditionError(phrase("The lot must name every choice. Missing: {missing}.", missing=", ".join(missing)))
        return number, found


class WithdrawalForm(CodeForm):
    candidate = SelectField(phrase("Who withdrew?"), validators=[InputRequired(phrase("Choose who withdrew"))])

    def offer(self, draft: ElectionDraft, acts: Acts) -> None:
        """The candidates of ranked questions who still stand, each under “question.choice”; nobody is chosen beforehand."""
        self.candidate.choices = [("", phrase("Choose a candidate"))]
        for number, (question, rule) in enumerate(zip(draft.questions, draft.rules, strict=False), start=1):
            if isinstance(question, QuestionNH):
                people = question.answers[:-1] if rule.get("ron") else question.answers
                gone = acts.withdrawn.get(number, ())
                words = _question_words(draft, number)
                self.candidate.choices += [(f"{number}.{i}", f"{name} ({words})") for i, name in enumerate(people) if i not in gone]


def _question_words(draft: ElectionDraft, number: int) -> str:
    title = draft.questions[number - 1].question.splitlines()[0]
    return f"{number}. {title[:80]}"


@dataclass(frozen=True)
class _Before:
    """What can be recorded before the box is opened, and what was."""

    lot: LotForm
    withdrawal: WithdrawalForm
    recorded: list[str]
    possible: bool


def _before(election: Election, lot: LotForm | None, withdrawal: WithdrawalForm | None, *, opening: bool) -> _Before:
    draft, acts = lifecycle.draft_of(election), tally.acts_before_the_count(election)
    lot, withdrawal = lot or LotForm(formdata=None, prefix="lot-"), withdrawal or WithdrawalForm(formdata=None, prefix="withdrawal-")
    lot.offer(draft)
    withdrawal.offer(draft, acts)
    recorded: list[str] = []
    for number, gone in sorted(acts.withdrawn.items()):
        names = listing([draft.questions[number - 1].answers[choice] for choice in gone])
        words = phrase("Withdrew before the count: {names} ({question}).", names=names, question=_question_words(draft, number))
        recorded.append(words)
        recorded += _unmet(draft, number, gone)
    for number, order in sorted(acts.lots.items()):
        drawn = ", ".join(draft.questions[number - 1].answers[choice] for choice in order)
        question = _question_words(draft, number)
        recorded.append(phrase("Lot drawn in public, most favoured first: {names} ({question}).", names=drawn, question=question))
    possible = election.state in {_S.CLOSED, _S.TALLYING} and not opening and bool(lot.number.choices)
    return _Before(lot, withdrawal, recorded, possible)


def _unmet(draft: ElectionDraft, number: int, gone: tuple[int, ...]) -> list[str]:
    """What follows where those who still stand cannot meet the quota places; nothing where they can."""
    question, rule = draft.questions[number - 1], draft.rules[number - 1]
    constraints = quota_places(rule, question)
    if constraints is None:
        return []
    people = set(range(len(question.answers) - bool(rule.get("ron")))) - set(gone)
    try:
        notes = settle(constraints, int(rule.get("seats", 1)), people, ron=bool(rule.get("ron"))).notes
    except CountError as error:
        notes = (joined([phrase("Nobody will be elected there."), str(error)]),)
    unmet = phrase("The quota places of question {number} can no longer be met.", number=number)
    return [joined([unmet, note]) for note in notes]


def _tally_page(db: Session, uuid: str, form: CodeForm, *, lot: LotForm | None = None, withdrawal: WithdrawalForm | None = None) -> str:
    election = election_of(db, uuid)
    meeting = meeting_of(db, election.meeting_id)
    everybody = trustees.trustees_of(db, uuid)
    steps = tally.steps(site().database, uuid) if election.state in {_S.TALLYING, _S.PUBLISHED} else None
    return render_template(
        "officer/tally.html",
        election=election,
        meeting=meeting,
        steps=steps,
        everybody=everybody,
        keys=trustees.key_count(election, everybody, site().clock.now(), steps.opened if steps else ()),
        threshold=trustees.threshold_of(election) or 1,
        form=form,
        before=_before(election, lot, withdrawal, opening=bool(steps and steps.opened)),
        service_key=election.practice and not everybody,
        job=work_on(db, election),
        **rights(),
    )


@bp.get("/e/<base58:uuid>/tally")
@open_to(*STAFF)
def tally_page(uuid: str) -> str:
    with site().database.read() as db:
        return _tally_page(db, uuid, CodeForm(formdata=None))


@bp.post("/e/<base58:uuid>/tally")
@open_to(*CONDUCT)
def begin_tally(uuid: str) -> AnyResponse | tuple[str, int]:
    """The encrypted totals are on the board; key-holders are told that it is their turn."""
    form = CodeForm()
    if form.validate() and code_is_right(form):
        try:
            jobs.do(uuid, Kind.TALLY, actor(), None, tools())
            return redirect(f"/officer/e/{uuid}/tally", code=303)
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _tally_page(db, uuid, form), 422


@bp.post("/e/<base58:uuid>/tally/practice")
@open_to(*CONDUCT)
def open_practice(uuid: str) -> AnyResponse:
    """A practice ballot's box is opened with the key that this site holds."""
    jobs.do(uuid, Kind.PRACTICE, actor(), None, tools())
    return redirect(f"/officer/e/{uuid}/tally", code=303)


@bp.post("/e/<base58:uuid>/tally/lot")
@open_to(*CONDUCT)
def record_lot(uuid: str) -> AnyResponse | tuple[str, int]:
    """The order in which ties are broken was drawn in public; it goes on the record before the box is opened."""
    form, now = LotForm(prefix="lot-"), site().clock.now()
    with site().database.read() as db:
        draft = lifecycle.draft_of(election_of(db, uuid))
    form.offer(draft)
    if form.validate():
        try:
            number, order = form.drawn(draft)
            if code_is_right(form):
                with site().database.write() as db:
                    tally.record_lot(db, uuid, number, order, actor(), now)
                return redirect(f"/officer/e/{uuid}/tally", code=303)
        except BallotError as error:
            form.put_error("order", str(error))
    with site().database.read() as db:
        return _tally_page(db, uuid, CodeForm(formdata=None), lot=form), 422


@bp.post("/e/<base58:uuid>/tally/withdrawal")
@open_to(*CONDUCT)
def record_withdrawal(uuid: str) -> AnyResponse | tuple[str, int]:
    """A candidate withdrew after the close; the count passes over them."""
    form, now = WithdrawalForm(prefix="withdrawal-"), site().clock.now()
    with site().database.read() as db:
        election = election_of(db, uuid)
        form.offer(lifecycle.draft_of(election), tally.acts_before_the_count(election))
    if form.validate() and code_is_right(form):
        number, _, choice = form.candidate.data.partition(".")
        try:
            with site().database.write() as db:
                tally.record_withdrawal(db, uuid, int(number), int(choice), actor(), now)
            return redirect(f"/officer/e/{uuid}/tally", code=303)
        except BallotError as error:
            form.put_error("candidate", str(error))
    with site().database.read() as db:
        return _tally_page(db, uuid, CodeForm(formdata=None), withdrawal=form), 422


# --- the second person ------------------------------------------------------------------------------------------


def _approval(db: Session, approval_id: str) -> Approval:
    approval = db.get(Approval, approval_id)
    if approval is None or approval.used_at is not None or approval.expires_at <= site().clock.now():
        raise NotFoundError(phrase("There is nothing to agree to any more."))
    return approval


def _approval_page(db: Session, approval_id: str, form: CodeForm) -> str:
    approval = _approval(db, approval_id)
    reason, address, closes = approval.reason, "", ""
    if approval.act == Need.REISSUE:
        reason, _, address = reason.partition("\n")
    elif approval.act == Need.POSTPONE:
        reason, _, closes = reason.rpartition("\n")
    return render_template(
        "officer/approval.html",
        approval=approval,
        reason=reason,
        address=address if may(KEEP_ROLL) else "",
        closes=closes,
        form=form,
        mine=approval.asked_by == g.officer.id,
        asked_by=db.get(Officer, approval.asked_by),
        meeting=meeting_of(db, approval.meeting_id),
        election=db.get(Election, approval.subject),
        member=db.get(RollEntry, approval.subject) if may(KEEP_ROLL) else None,
    )


@bp.get("/approvals/<base58:approval_id>")
@open_to(*CONDUCT | KEEP_ROLL)
def approval_page(approval_id: str) -> str:
    with site().database.read() as db:
        return _approval_page(db, approval_id, CodeForm(formdata=None))


@bp.post("/approvals/<base58:approval_id>")
@open_to(*CONDUCT | KEEP_ROLL)
def agree(approval_id: str) -> AnyResponse | tuple[str, int]:
    form = CodeForm()
    if form.validate() and code_is_right(form):
        try:
            with site().database.write() as db:
                approvals.give(db, approval_id, actor(), site().clock.now())
            return redirect("/officer/", code=303)
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _approval_page(db, approval_id, form), 422
