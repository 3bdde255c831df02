"""Making a ballot from plain forms: five kinds of question, each with the count that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from wtforms import BooleanField, Field, IntegerField, RadioField, SelectField, ValidationError
from wtforms.validators import InputRequired, NumberRange, Optional

from ballot.count import RULES
from ballot.errors import BallotError, InfeasibleConstraintError, MalformedError
from ballot.language import N_, Text, joined, phrase
from ballot.protocol.messages import MAX_CHOICES_RANKED, Question, QuestionH, QuestionNH
from ballot.recount import check_rule, quota_places
from ballot.web.forms import Form, lines_of, options, text, whole
from ballot.web.officer.quotas import read_quotas, write_quotas
from ballot.web.rules import BASES, RON, THRESHOLDS
from ballot.web.words import capfirst

Rule = dict[str, Any]


class Whole(IntegerField):  # type: ignore[misc]  # WTForms has no types
    """A whole number, or one clear sentence."""

    def process_formdata(self, valuelist: list[str]) -> None:
        typed = "".join(valuelist[:1]).strip()
        self.data = None
        if typed:
            if not (typed.isascii() and typed.isdigit() and len(typed) <= 7):
                raise ValueError(phrase("Type a whole number, such as 6."))
            self.data = int(typed)


def _choices(label: str, hint: str) -> Any:
    return text(label, hint=hint, missing=phrase("Type the choices, one on each line"), longest=20_000)


class QuestionForm(Form):
    """What every kind has: a way to the protocol's question and the count's rule, and back."""

    kind: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]

    def question(self) -> tuple[Question, Rule]:
        """The question and its rule. Raises: MalformedError, with a sentence for the officer."""
        raise NotImplementedError

    @classmethod
    def values(cls, question: Question, rule: Mapping[str, Any]) -> dict[str, Any]:
        """What to put into the fields for a question made before."""
        raise NotImplementedError


class MotionForm(QuestionForm):
    kind = "motion"
    title = phrase("Motion")
    about = phrase("For, against or abstain.")

    wording = text(phrase("The motion"), hint=phrase("Exactly as members will read it."), missing=phrase("Type the motion"), longest=10_000)
    threshold = RadioField(
        phrase("What carries it?"),
        choices=options(list(THRESHOLDS.items())),
        validators=[InputRequired(phrase("Choose what carries the motion"))],
    )
    base = RadioField(
        phrase("Of what?"),
        choices=lambda: options([(name, capfirst(words)) for name, words in BASES.items()]),
        validators=[InputRequired(phrase("Choose of what"))],
    )
    quorum = Whole(
        phrase("Quorum"),
        description=phrase("The number of members who must vote, abstentions included, for the result to stand. Leave it empty for none."),
        validators=[Optional(), NumberRange(0, 10_000_000, message=whole(phrase("Type a number of members, such as 64.")))],
    )

    def question(self) -> tuple[Question, Rule]:
        rule = {"rule": "motion", "threshold": self.threshold.data, "base": self.base.data, "quorum": self.quorum.data or 0}
        return QuestionH(("For", "Against"), 1, 1, self.wording.data, blank=True), rule

    @classmethod
    def values(cls, question: Question, rule: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "wording": question.question,
            "threshold": rule.get("threshold"),
            "base": rule.get("base"),
            "quorum": rule.get("quorum") or None,
        }


class PostForm(QuestionForm):
    kind = "post"
    title = phrase("Officer’s post")
    about = phrase("One place, ranked choices, with “Re-open nominations”.")

    wording = text(
        phrase("The post"),
        hint=phrase("Such as “Treasurer”. Statements can stand on the lines below it."),
        missing=phrase("Type the name of the post"),
    )
    choices = _choices(phrase("Candidates"), phrase("One on each line, in any order. Members see them shuffled."))
    ron = BooleanField(
        phrase("Add “{choice}” as a candidate", choice=Text(RON)),
        default=True,
        description=phrase("If it wins, the post stays empty and nominations open again."),
    )

    def question(self) -> tuple[Question, Rule]:
        answers = _ranked_choices(self.choices.data, ron=self.ron.data)
        return QuestionNH(answers, self.wording.data), {"rule": "av", "seats": 1, "ron": self.ron.data}

    @classmethod
    def values(cls, question: Question, rule: Mapping[str, Any]) -> dict[str, Any]:
        return {"wording": question.question, "choices": _as_lines(question, rule), "ron": bool(rule.get("ron"))}


class CommitteeForm(QuestionForm):
    kind = "committee"
    title = phrase("Committee")
    about = phrase("Several places, ranked choices (single transferable vote).")

    wording = text(
        phrase("The committee"),
        hint=phrase("Such as “Strategy committee”. Statements can stand on the lines below it."),
        missing=phrase("Type the name of the committee"),
    )
    seats = Whole(
        phrase("Places to fill"),
        validators=[
            InputRequired(phrase("Type how many places there are")),
            NumberRange(1, 100, whole(phrase("Type a number from 1 to 100."))),
        ],
    )
    choices = _choices(phrase("Candidates"), phrase("One on each line, in any order. Members see them shuffled."))
    rule = SelectField(
        phrase("How are the rankings counted?"),
        choices=options([(rule.id, rule.title) for rule in RULES.values() if rule.kind != "approval"]),
        default="scottish-2011",
    )
    ron = BooleanField(
        phrase("Add “{choice}” as a candidate", choice=Text(RON)),
        default=True,
        description=phrase("If it is elected, that place stays empty."),
    )
    quotas = text(phrase("Quota places"), longest=20_000)  # the template explains it, with an example
    unmet = SelectField(
        phrase("If candidates withdraw before the count, and too few are left for the quota places"),
        choices=options(
            [
                ("leave-empty", phrase("Those places stay empty")),
                ("cap", phrase("Those left are enough")),
                ("refuse", phrase("Nobody is elected")),
            ]
        ),
        default="leave-empty",
    )

    def question(self) -> tuple[Question, Rule]:
        answers, seats = _ranked_choices(self.choices.data, ron=self.ron.data), int(self.seats.data or 0)
        if len(answers) <= seats and not self.ron.data:
            raise MalformedError(
                phrase("There are {seats} places and {number} candidates, so there is nothing to decide.", seats=seats, number=len(answers))
            )
        rule: Rule = {"rule": self.rule.data, "seats": seats, "ron": self.ron.data}
        constraints, _ = read_quotas(self.quotas.data, answers[:-1] if self.ron.data else answers)
        if constraints is not None:
            rule["constraints"] = {**constraints, "if_infeasible": self.unmet.data}
        return QuestionNH(answers, self.wording.data), rule

    def validate_rule(self, field: Field) -> None:
        if field.data in RULES and RULES[field.data].kind == "single" and (self.seats.data or 1) != 1:
            raise ValidationError(
                phrase("{rule} fills 1 place, not {seats}. Choose another rule.", rule=RULES[field.data].title, seats=self.seats.data)
            )

    def validate_quotas(self, field: Field) -> None:
        """Every line can be read, and those who stand can meet them all together."""
        try:
            answers = _ranked_choices(self.choices.data or "", ron=self.ron.data)
        except MalformedError:
            return  # said by the candidates
        problems = read_quotas(field.data, answers[:-1] if self.ron.data else answers)[1]
        field.errors = [*field.errors, *problems]
        if problems or not self.seats.data:
            return
        try:
            question, rule = self.question()
            if "constraints" in rule:  # nomination is refused whatever is declared for withdrawals
                rule["constraints"]["if_infeasible"] = "refuse"
            check_rule(question, rule)
        except InfeasibleConstraintError as error:
            constraints = quota_places(rule, question)
            standing = "; ".join(f"{name}: {len(members)}" for name, members in (constraints.groups if constraints else ()))
            raise ValidationError(joined([str(error), phrase("Standing: {groups}.", groups=standing)])) from error
        except BallotError:
            return  # said by another field

    @classmethod
    def values(cls, question: Question, rule: Mapping[str, Any]) -> dict[str, Any]:
        more = {"seats": rule.get("seats"), "rule": rule.get("rule"), "ron": bool(rule.get("ron"))}
        if constraints := rule.get("constraints"):
            more |= {"quotas": write_quotas(constraints), "unmet": constraints.get("if_infeasible", "refuse")}
        return {"wording": question.question, "choices": _as_lines(question, rule), **more}


class ApprovalForm(QuestionForm):
    kind = "approval"
    title = phrase("Choose from a list")
    about = phrase("Members tick the choices they support. The most ticks win.")

    wording = text(phrase("The question"), missing=phrase("Type the question"), longest=5_000)
    choices = _choices(phrase("Choices"), phrase("One on each line, in any order. At most 100."))
    seats = Whole(
        phrase("How many win?"),
        description=phrase("Such as 1."),
        validators=[InputRequired(phrase("Type how many win")), NumberRange(1, 100, whole(phrase("Type a number from 1 to 100.")))],
    )
    limit = RadioField(
        phrase("How many may a member tick?"),
        choices=options(
            [
                ("any", phrase("As many as they like (approval voting)")),
                ("places", phrase("At most as many as can win")),
            ]
        ),
        validators=[InputRequired(phrase("Choose how many a member may tick"))],
    )

    def question(self) -> tuple[Question, Rule]:
        answers = tuple(lines_of(self.choices.data))
        if len(answers) < 2:
            raise MalformedError(phrase("Type at least 2 choices, one on each line."))
        seats = int(self.seats.data or 0)
        if seats > len(answers):
            raise MalformedError(phrase("{seats} cannot win: there are only {number} choices.", seats=seats, number=len(answers)))
        limited = self.limit.data == "places"
        most = seats if limited else len(answers)
        rule = {"rule": "up-to-n" if limited else "approval", "seats": seats, "ron": False}
        return QuestionH(answers, 0, most, self.wording.data), rule

    @classmethod
    def values(cls, question: Question, rule: Mapping[str, Any]) -> dict[str, Any]:
        limit = "places" if rule.get("rule") == "up-to-n" else "any"
        return {"wording": question.question, "choices": "\n".join(question.answers), "seats": rule.get("seats"), "limit": limit}


class ConsultationForm(QuestionForm):
    kind = "consultation"
    title = phrase("Consultation")
    about = phrase("Ask members what they think. It advises, and binds nobody, so one key-holder is enough.")

    wording = text(phrase("The question"), missing=phrase("Type the question"), longest=5_000)
    choices = _choices(phrase("Answers"), phrase("One on each line, such as Yes and No. At most 100."))
    limit = RadioField(
        phrase("How many may a member tick?"),
        choices=options([("one", phrase("One answer")), ("any", phrase("As many as they like"))]),
        validators=[InputRequired(phrase("Choose how many a member may tick"))],
    )

    def question(self) -> tuple[Question, Rule]:
        answers = tuple(lines_of(self.choices.data))
        if len(answers) < 2:
            raise MalformedError(phrase("Type at least 2 answers, one on each line."))
        one = self.limit.data == "one"
        rule = {"rule": "up-to-n" if one else "approval", "seats": 1, "ron": False}
        return QuestionH(answers, 0, 1 if one else len(answers), self.wording.data), rule

    @classmethod
    def values(cls, question: Question, rule: Mapping[str, Any]) -> dict[str, Any]:
        limit = "one" if rule.get("rule") == "up-to-n" else "any"
        return {"wording": question.question, "choices": "\n".join(question.answers), "limit": limit}


KINDS: dict[str, type[QuestionForm]] = {form.kind: form for form in (MotionForm, PostForm, CommitteeForm, ApprovalForm, ConsultationForm)}


def kind_of(question: Question, rule: Mapping[str, Any]) -> str:
    """Which form made this question."""
    if isinstance(question, QuestionNH):
        return "post" if rule.get("rule") == "av" and not rule.get("constraints") else "committee"
    return "motion" if rule.get("rule") == "motion" else "approval"


def _ranked_choices(typed: str, *, ron: bool) -> tuple[str, ...]:
    names = [name for name in lines_of(typed) if not (ron and name.casefold() == RON.casefold())]
    answers = (*names, *((RON,) if ron else ()))
    if len(names) < (1 if ron else 2):
        raise MalformedError(phrase("Type at least 2 candidates, one on each line.") if not ron else phrase("Type at least 1 candidate."))
    if len(answers) > MAX_CHOICES_RANKED:
        have = N_("You have {number} candidates and “{choice}”.") if ron else N_("You have {number} candidates.")
        why = phrase(
            "A ranked question can have at most {most} choices, because each ranking must fit into one sealed number. "
            "Split the question, or let members choose from a list instead.",
            most=MAX_CHOICES_RANKED,
        )
        raise MalformedError(joined([phrase(have, number=len(names), choice=Text(RON)), why]))
    return answers


def _as_lines(question: Question, rule: Mapping[str, Any]) -> str:
    names = question.answers[:-1] if rule.get("ron") else question.answers
    return "\n".join(names)
