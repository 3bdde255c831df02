"""Making a ballot from plain forms: five kinds of question, each with the count that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from wtforms import BooleanField, Field, IntegerField, RadioField, SelectField, ValidationError
from wtforms.validators import InputRequired, NumberRange, Optional

from ballot.count import RULES
from ballot.errors import BallotError, InfeasibleConstraintError, MalformedError
from ballot.protocol.messages import MAX_CHOICES_RANKED, Question, QuestionH, QuestionNH
from ballot.recount import check_rule, quota_places
from ballot.web.forms import Form, line, lines_of, options, text
from ballot.web.officer.quotas import read_quotas, write_quotas
from ballot.web.rules import BASES, RON, THRESHOLDS

Rule = dict[str, Any]


class Whole(IntegerField):  # type: ignore[misc]  # WTForms has no types
    """A whole number, or one clear sentence."""

    def process_formdata(self, valuelist: list[str]) -> None:
        typed = "".join(valuelist[:1]).strip()
        self.data = None
        if typed:
            if not (typed.isascii() and typed.isdigit() and len(typed) <= 7):
                raise ValueError("Type a whole number, such as 6.")
            self.data = int(typed)


def _choices(label: str, hint: str) -> Any:
    return text(label, hint=hint, missing="Type the choices, one on each line", longest=20_000)


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
    title = "Motion"
    about = "For, against or abstain."

    wording = text("The motion", hint="Exactly as members will read it.", missing="Type the motion", longest=10_000)
    threshold = RadioField(
        "What carries it?",
        choices=options(list(THRESHOLDS.items())),
        validators=[InputRequired("Choose what carries the motion")],
    )
    base = RadioField(
        "Of whom?",
        choices=options([(name, words.capitalize()) for name, words in BASES.items()]),
        validators=[InputRequired("Choose of whom")],
    )
    quorum = Whole(
        "Quorum",
        description="The number of members who must vote, abstentions included, for the result to stand. Leave it empty for none.",
        validators=[Optional(), NumberRange(0, 10_000_000, message="Type a number of members, such as 64.")],
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
    title = "Officer’s post"
    about = "One place, ranked choices, with “Re-open nominations”."

    wording = line("The post", hint="Such as “Treasurer”.", missing="Type the name of the post")
    choices = _choices("Candidates", "One on each line, in any order. Members see them shuffled.")
    ron = BooleanField(
        f"Add “{RON}” as a candidate", default=True, description="If it wins, the post stays empty and nominations open again."
    )

    def question(self) -> tuple[Question, Rule]:
        answers = _ranked_choices(self.choices.data, ron=self.ron.data)
        return QuestionNH(answers, self.wording.data), {"rule": "av", "seats": 1, "ron": self.ron.data}

    @classmethod
    def values(cls, question: Question, rule: Mapping[str, Any]) -> dict[str, Any]:
        return {"wording": question.question, "choices": _as_lines(question, rule), "ron": bool(rule.get("ron"))}


class CommitteeForm(QuestionForm):
    kind = "committee"
    title = "Committee"
    about = "Several places, ranked choices (single transferable vote)."

    wording = line("The committee", hint="Such as “Strategy committee”.", missing="Type the name of the committee")
    seats = Whole(
        "Places to fill", validators=[InputRequired("Type how many places there are"), NumberRange(1, 100, "Type a number from 1 to 100.")]
    )
    choices = _choices("Candidates", "One on each line, in any order. Members see them shuffled.")
    rule = SelectField(
        "How are the rankings counted?",
        choices=options([(rule.id, rule.title) for rule in RULES.values() if rule.kind != "approval"]),
        default="scottish-2011",
    )
    ron = BooleanField(f"Add “{RON}” as a candidate", default=True, description="Where it is elected, that place stays empty.")
    quotas = text("Quota places", longest=20_000)  # the template explains it, with an example
    unmet = SelectField(
        "If candidates withdraw before the count, and too few are left for the quota places",
        choices=options(
            [
                ("leave-empty", "Those places stay empty"),
                ("cap", "Those left are enough"),
                ("refuse", "Nobody is elected"),
            ]
        ),
        default="leave-empty",
    )

    def question(self) -> tuple[Question, Rule]:
        answers, seats = _ranked_choices(self.choices.data, ron=self.ron.data), int(self.seats.data or 0)
        if len(answers) <= seats and not self.ron.data:
            raise MalformedError(f"There are {seats} places and {len(answers)} candidates, so there is nothing to decide.")
        rule: Rule = {"rule": self.rule.data, "seats": seats, "ron": self.ron.data}
        constraints, _ = read_quotas(self.quotas.data, answers[:-1] if self.ron.data else answers)
        if constraints is not None:
            rule["constraints"] = {**constraints, "if_infeasible": self.unmet.data}
        return QuestionNH(answers, self.wording.data), rule

    def validate_rule(self, field: Field) -> None:
        if field.data in RULES and RULES[field.data].kind == "single" and (self.seats.data or 1) != 1:
            raise ValidationError(f"{RULES[field.data].title} fills 1 place, not {self.seats.data}. Choose another rule.")

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
            raise ValidationError(f"{error} Standing: {standing}.") from error
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
    title = "Choose from a list"
    about = "Members tick the choices they support. The most ticks win."

    wording = text("The question", missing="Type the question", longest=5_000)
    choices = _choices("Choices", "One on each line, in any order. At most 100.")
    seats = Whole(
        "How many win?",
        description="Such as 1.",
        validators=[InputRequired("Type how many win"), NumberRange(1, 100, "Type a number from 1 to 100.")],
    )
    limit = RadioField(
        "How many may a member tick?",
        choices=options(
            [
                ("any", f"As many as they like. Counted by: {RULES['approval'].title}"),
                ("places", f"At most as many as win. Counted by: {RULES['up-to-n'].title}"),
            ]
        ),
        validators=[InputRequired("Choose how many a member may tick")],
    )

    def question(self) -> tuple[Question, Rule]:
        answers = tuple(lines_of(self.choices.data))
        if len(answers) < 2:
            raise MalformedError("Type at least 2 choices, one on each line.")
        seats = int(self.seats.data or 0)
        if seats > len(answers):
            raise MalformedError(f"{seats} cannot win: there are only {len(answers)} choices.")
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
    title = "Consultation"
    about = "Ask members what they think. It advises, and binds nobody, so one key-holder is enough."

    wording = text("The question", missing="Type the question", longest=5_000)
    choices = _choices("Answers", "One on each line, such as Yes and No. At most 100.")
    limit = RadioField(
        "How many may a member tick?",
        choices=options([("one", "One answer"), ("any", "As many as they like")]),
        validators=[InputRequired("Choose how many a member may tick")],
    )

    def question(self) -> tuple[Question, Rule]:
        answers = tuple(lines_of(self.choices.data))
        if len(answers) < 2:
            raise MalformedError("Type at least 2 answers, one on each line.")
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
        raise MalformedError("Type at least 2 candidates, one on each line." if not ron else "Type at least 1 candidate.")
    if len(answers) > MAX_CHOICES_RANKED:
        counted = f"{len(names)} candidates and “{RON}”" if ron else f"{len(names)} candidates"
        raise MalformedError(
            f"You have {counted}. A ranked question can have at most {MAX_CHOICES_RANKED} choices, because each ranking must fit into one "
            "sealed number. Split the question, or let members choose from a list instead."
        )
    return answers


def _as_lines(question: Question, rule: Mapping[str, Any]) -> str:
    names = question.answers[:-1] if rule.get("ron") else question.answers
    return "\n".join(names)
