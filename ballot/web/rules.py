"""The rule that a question's hashed text declares, in words. What it may say is in `ballot.recount`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from ballot.count import RULES
from ballot.count.constraints import Limit
from ballot.language import Text, joined, listing, nN_, phrase, phrases
from ballot.protocol.messages import Question, QuestionH, QuestionNH
from ballot.recount import motion_threshold, quota_places

RON: Final = "Re-open nominations"
THRESHOLDS: Final = {
    "simple-majority": phrase("More than half"),
    "two-thirds": phrase("At least two thirds"),
    "three-quarters": phrase("At least three quarters"),
}
BASES: Final = {
    "cast": phrase("of the votes for and against (abstentions do not count)"),
    "papers": phrase("of everyone who voted"),
    "electorate": phrase("of everyone who could vote"),
}

_CARRIED: Final = {
    (Fraction(1, 2), "cast"): phrase("To be carried, it needs more than half of the votes for and against."),
    (Fraction(1, 2), "papers"): phrase("To be carried, it needs more than half of everyone who voted."),
    (Fraction(1, 2), "electorate"): phrase("To be carried, it needs more than half of everyone who could vote."),
    (Fraction(2, 3), "cast"): phrase("To be carried, it needs at least two thirds of the votes for and against."),
    (Fraction(2, 3), "papers"): phrase("To be carried, it needs at least two thirds of everyone who voted."),
    (Fraction(2, 3), "electorate"): phrase("To be carried, it needs at least two thirds of everyone who could vote."),
    (Fraction(3, 4), "cast"): phrase("To be carried, it needs at least three quarters of the votes for and against."),
    (Fraction(3, 4), "papers"): phrase("To be carried, it needs at least three quarters of everyone who voted."),
    (Fraction(3, 4), "electorate"): phrase("To be carried, it needs at least three quarters of everyone who could vote."),
}


def rule_words(rule: Mapping[str, Any], question: Question) -> str:
    """The rule as a sentence; a plain v1 election declares none."""
    if not rule:
        return phrase("The election declares no rule for the count.")
    name = str(rule.get("rule", ""))
    if name == "motion":
        quorum = int(rule.get("quorum") or 0)
        threshold = motion_threshold(rule)
        carried = _CARRIED[threshold.share, threshold.base]
        needed = phrases("At least {count} member must vote.", "At least {count} members must vote.", quorum)
        return joined([carried, needed]) if quorum else carried
    seats = int(rule.get("seats", 1))
    if isinstance(question, QuestionNH):
        title = RULES[name].title if name in RULES else name
        one, many = nN_("{count} place is filled by this rule: {rule}.", "{count} places are filled by this rule: {rule}.")
        found = [phrase("Rank the choices."), phrases(one, many, seats, rule=title)]
    else:
        places = phrases("Most votes win: {count} place.", "Most votes win: {count} places.", seats)
        found = [_choose(question), places]
    return joined([*found, phrase("“{choice}” stands as a candidate.", choice=Text(RON))]) if rule.get("ron") else joined(found)


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
    "refuse": phrase("If candidates withdraw and too few are left to meet these, nobody is elected."),
    "cap": phrase("If candidates withdraw and too few of a group are left, those who are left are enough."),
    "leave-empty": phrase("If candidates withdraw and too few are left to meet these, places stay empty and nominations open again."),
}


def _limit_words(limit: Limit, seats: int, names: Sequence[str]) -> str:
    """“At least 3 of the 6 places are for “Women” (50 %, rounded up). 4 stand: …”"""
    number = limit.minimum if limit.minimum is not None else limit.maximum
    _, _, share = limit.text.partition(" (")
    share = f" ({share.removesuffix(')').replace(f' of {seats} seats', '')})" if share else ""
    places = phrases("{count} place", "{count} places", seats)
    if limit.minimum is not None:
        one, many = nN_(
            "At least {count} of the {places} goes to “{group}”{share}.", "At least {count} of the {places} go to “{group}”{share}."
        )
    else:
        one, many = nN_(
            "At most {count} of the {places} goes to “{group}”{share}.", "At most {count} of the {places} go to “{group}”{share}."
        )
    who = [names[member] for member in sorted(limit.members)]
    standing = phrases("{count} stands: {names}.", "{count} stand: {names}.", len(who), names=listing(who))
    limits = phrases(one, many, number or 0, places=places, group=limit.group, share=share)
    return joined([limits, standing if who else phrase("Nobody stands for it.")])


def _choose(question: QuestionH) -> Text:
    if question.max == 1:
        return phrase("Choose one, or leave it blank.") if question.blank else phrase("Choose one.")
    if question.min <= 1:
        return phrase("Choose up to {most}.", most=question.max)
    return phrase("Choose {least} to {most}.", least=question.min, most=question.max)
