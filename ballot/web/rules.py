"""The rule that a question's hashed text declares: what it may say, in words, and as the count wants it.

One object a question, in `Declarations.rules`:

    {"rule": "motion", "threshold": "simple-majority", "base": "cast", "quorum": 64}
    {"rule": "scottish-2011", "seats": 6, "ron": true}          and the other ranked rules of `ballot.count.RULES`
    {"rule": "approval" or "up-to-n", "seats": 2, "ron": false}

`quorum` is a number of voters, 0 for none. With `ron` the last choice of the question is "re-open nominations".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ballot.count import RULES
from ballot.count.rules.motion import SIMPLE_MAJORITY, THREE_QUARTERS, TWO_THIRDS, MotionResult, Threshold, decide
from ballot.protocol.messages import Question, QuestionH, QuestionNH

RON: Final = "Re-open nominations"
THRESHOLDS: Final[dict[str, tuple[str, Threshold]]] = {
    "simple-majority": ("More than half", SIMPLE_MAJORITY),
    "two-thirds": ("At least two thirds", TWO_THIRDS),
    "three-quarters": ("At least three quarters", THREE_QUARTERS),
}
BASES: Final = {
    "cast": "of the votes for and against (abstentions do not count)",
    "papers": "of everyone who voted",
    "electorate": "of everyone who could vote",
}


def threshold_of(rule: Mapping[str, Any]) -> Threshold:
    """The threshold that a motion's rule names; a simple majority of the votes cast where it names none."""
    _, threshold = THRESHOLDS.get(str(rule.get("threshold")), THRESHOLDS["simple-majority"])
    base = str(rule.get("base", "cast"))
    return replace(threshold, base=base) if base in BASES else threshold  # type: ignore[arg-type]  # a key of BASES is a Base


def decide_motion(rule: Mapping[str, Any], votes_for: int, against: int, abstain: int, electorate: int | None) -> MotionResult:
    """Whether the motion is carried under its declared rule. Raises: CountError."""
    quorum = int(rule.get("quorum") or 0)
    return decide(votes_for, against, abstain, threshold=threshold_of(rule), electorate=electorate, quorum=quorum or None)


def rule_words(rule: Mapping[str, Any], question: Question) -> str:
    """The rule as a sentence; a plain v1 election declares none."""
    if not rule:
        return "The election declares no rule for the count."
    name = str(rule.get("rule", ""))
    if name == "motion":
        quorum = int(rule.get("quorum") or 0)
        return f"Carried by {threshold_of(rule).words}." + (f" At least {quorum} members must vote." if quorum else "")
    seats = int(rule.get("seats", 1))
    places = "1 place is" if seats == 1 else f"{seats} places are"
    ron = f" “{RON}” stands as a candidate." if rule.get("ron") else ""
    title = RULES[name].title if name in RULES else name
    if isinstance(question, QuestionNH):
        return f"Rank the choices. {places} filled by this rule: {title}.{ron}"
    return f"Choose {_choose(question)}. {places} filled by the most votes.{ron}"


def _choose(question: QuestionH) -> str:
    if question.max == 1:
        return "one, or leave it blank" if question.blank else "one"
    return f"up to {question.max}" if question.min <= 1 else f"{question.min} to {question.max}"


def effect_words(rule: Mapping[str, Any]) -> str:
    """A worked example of a motion's threshold and quorum: “With 200 for, 90 against, 10 abstained: carried.”"""
    yes = decide_motion(rule, 200, 90, 10, 400)
    no = decide_motion(rule, 120, 130, 50, 400)
    names = {True: "carried", False: "not carried"}
    first = f"With 200 for, 90 against and 10 abstained, of 400 who could vote: {names[yes.carried]} (it needs {yes.needed} for)."
    return f"{first} With 120 for, 130 against and 50 abstained: {names[no.carried]}."
