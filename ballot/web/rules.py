"""The rule that a question's hashed text declares, in words. What it may say is in `ballot.recount`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ballot.count import RULES
from ballot.count.constraints import Limit
from ballot.count.draw.words import listing
from ballot.protocol.messages import Question, QuestionH, QuestionNH
from ballot.recount import motion_threshold, quota_places

RON: Final = "Re-open nominations"
THRESHOLDS: Final = {
    "simple-majority": "More than half",
    "two-thirds": "At least two thirds",
    "three-quarters": "At least three quarters",
}
BASES: Final = {
    "cast": "of the votes for and against (abstentions do not count)",
    "papers": "of everyone who voted",
    "electorate": "of everyone who could vote",
}


def rule_words(rule: Mapping[str, Any], question: Question) -> str:
    """The rule as a sentence; a plain v1 election declares none."""
    if not rule:
        return "The election declares no rule for the count."
    name = str(rule.get("rule", ""))
    if name == "motion":
        quorum = int(rule.get("quorum") or 0)
        return f"Carried by {motion_threshold(rule).words}." + (f" At least {quorum} members must vote." if quorum else "")
    seats = int(rule.get("seats", 1))
    places = "1 place is" if seats == 1 else f"{seats} places are"
    ron = f" “{RON}” stands as a candidate." if rule.get("ron") else ""
    title = RULES[name].title if name in RULES else name
    if isinstance(question, QuestionNH):
        return f"Rank the choices. {places} filled by this rule: {title}.{ron}"
    return f"Choose {_choose(question)}. {places} filled by the most votes.{ron}"


def quota_words(rule: Mapping[str, Any], question: Question) -> list[str]:
    """A sentence for each quota place that the rule declares, with who stands for it; none without quota places."""
    constraints, seats = quota_places(rule, question), int(rule.get("seats", 1))
    if constraints is None or not constraints.bounds:
        return []
    names = question.answers
    found = [_limit_words(limit, seats, names) for limit in constraints.limits(seats)]
    if any(bound.side == "at_least" for bound in constraints.bounds):
        found.append(_FALLBACKS[constraints.fallback])
    return found


_FALLBACKS: Final = {
    "refuse": "If candidates withdraw and too few are left to meet these, nobody is elected.",
    "cap": "If candidates withdraw and too few of a group are left, those who are left are enough.",
    "leave-empty": "If candidates withdraw and too few are left to meet these, places stay empty and nominations open again.",
}


def _limit_words(limit: Limit, seats: int, names: Sequence[str]) -> str:
    """“At least 3 of the 6 places are for “Women” (50 %, rounded up). 4 stand: …”"""
    number = limit.minimum if limit.minimum is not None else limit.maximum
    side = "At least" if limit.minimum is not None else "At most"
    _, _, share = limit.text.partition(" (")
    share = f" ({share.removesuffix(')').replace(f' of {seats} seats', '')})" if share else ""
    places = f"{seats} {'place' if seats == 1 else 'places'} {'goes' if number == 1 else 'go'}"
    who = [names[member] for member in sorted(limit.members)]
    standing = f"{len(who)} {'stands' if len(who) == 1 else 'stand'}: {listing(who)}." if who else "Nobody stands for it."
    return f"{side} {number} of the {places} to “{limit.group}”{share}. {standing}"


def _choose(question: QuestionH) -> str:
    if question.max == 1:
        return "one, or leave it blank" if question.blank else "one"
    return f"up to {question.max}" if question.min <= 1 else f"{question.min} to {question.max}"
