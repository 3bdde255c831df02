"""What a rule does, in sentences with figures: small invented ballots, counted by the code that counts the real ones.

Nothing here decides anything, and no real candidate is in an example: A, B and C are, or "one side" and "the other".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from ballot.count import LotOrder, Record, count
from ballot.count.constraints import Constraints
from ballot.count.papers import profile_from_rankings
from ballot.count.rules.approval import count_totals
from ballot.count.rules.motion import MotionResult, decide
from ballot.errors import BallotError
from ballot.language import N_, Text, joined, listing, nN_, phrase, phrases
from ballot.protocol.messages import Question, QuestionH, QuestionNH
from ballot.recount import motion_threshold, quota_places
from ballot.web.rules import RON, quota_words

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ELECTORATE: Final = 400


def effects(rule: Mapping[str, Any], question: Question) -> list[str]:
    """What the rule does, each sentence with figures that were counted; none for a rule that cannot be counted."""
    try:
        if rule.get("rule") == "motion":
            return motion_effects(rule)
        seats, ron = int(rule.get("seats", 1)), bool(rule.get("ron"))
        if isinstance(question, QuestionNH):
            return ranked_effects(str(rule["rule"]), seats, ron=ron)
        return list_effects(seats, limit=question.max if rule.get("rule") == "up-to-n" else None)
    except BallotError:
        return []


def _placed(number: int) -> Text:
    return phrases("{count} place", "{count} places", number)


# --- motions ----------------------------------------------------------------------------------------------------


def _figures(result: MotionResult, where: str) -> dict[str, object]:
    """What the sentences below fill in; `where` names the electorate where it matters."""
    votes = {"votes_for": result.votes_for, "against": result.against, "abstain": result.abstain}
    word = phrase("carried") if result.carried else phrase("not carried")
    return {"figures": phrase("{votes_for} For, {against} Against, {abstain} Abstain", **votes), "where": where, "carried": word}


def motion_effects(rule: Mapping[str, Any]) -> list[str]:
    """Two ballots that end one way and the other, the fewest votes that carry, and what the quorum does."""
    threshold, quorum = motion_threshold(rule), int(rule.get("quorum") or 0)
    where = phrase(", of {number} who could vote", number=_ELECTORATE) if threshold.base == "electorate" else ""
    size = max(_ELECTORATE, quorum)

    def counted(votes_for: int, against: int, abstain: int) -> MotionResult:
        return decide(votes_for, against, abstain, threshold=threshold, electorate=size)

    found: list[str] = []
    for figures in ((200, 90, 10), (150, 120, 30)):
        result = counted(*figures)
        found.append(phrase("With {figures}{where}: {carried}. It needs {needed} For.", **_figures(result, where), needed=result.needed))
    found.append(phrase("With {figures}{where}: {carried}.", **_figures(counted(145, 145, 10), where)))
    if quorum > 1:
        few = decide(quorum - 1, 0, 0, threshold=threshold, electorate=size, quorum=quorum)
        met = phrases(
            "If {count} member votes, For: {carried}, because the quorum of {quorum} is not met.",
            "If {count} members vote, all of them For: {carried}, because the quorum of {quorum} is not met.",
            quorum - 1,
            carried=phrase("carried") if few.carried else phrase("not carried"),
            quorum=quorum,
        )
        found.append(met)
    return found


# --- rankings ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def ranked_effects(rule_id: str, seats: int, *, ron: bool) -> list[str]:
    """One seat: a count with three candidates. Several: how two sides share the places. And what "re-open nominations" does."""
    found = [_one_seat(rule_id)] if seats == 1 else [_two_sides(rule_id, seats)]
    if ron:
        found.append(_reopened(rule_id, seats))
    return found


def _run(rule_id: str, names: Sequence[str], papers: Iterable[tuple[int, tuple[int, ...]]], seats: int, **more: Any) -> Record:
    rankings = [ranking for number, ranking in papers for _ in range(number)]
    lot = LotOrder.typed(range(len(names)), len(names))
    return count(rule_id, profile_from_rankings(names, rankings, seats), seats, lot=lot, **more)


def _winners(record: Record) -> list[str]:
    return [record.name(candidate) for candidate in record.winners]


def _one_seat(rule_id: str) -> str:
    papers = ((40, (0,)), (35, (1, 2)), (25, (2, 1)))
    winner = listing(_winners(_run(rule_id, "ABC", papers, 1)))
    elected = phrase(
        "With 100 votes, 40 rank A first, 35 rank B first and C second, 25 rank C first and B second: {winner} is elected.", winner=winner
    )
    why = phrase("Nobody has more than half, so the candidate with the fewest goes out, and those votes move to the next choice.")
    return joined([elected, why])


def _two_sides(rule_id: str, seats: int) -> str:
    """60 of 100 rank one side first, 40 the other; each side has as many candidates as there are places, up to 12."""
    each = min(seats, 12)
    one, other = list(range(each)), list(range(each, 2 * each))
    names = [f"one side {place}" for place in one] + [f"the other side {place}" for place in one]
    papers = []
    for side, size in ((one, 60), (other, 40)):
        for turn, candidate in enumerate(side):  # supporters of a side do not all begin with the same candidate
            share = size // each + (1 if turn < size % each else 0)
            papers.append((share, (candidate, *[c for c in side if c != candidate])))
    places = min(seats, each)
    won = [name.startswith("one") for name in _winners(_run(rule_id, names, papers, places))]
    return phrase(
        "With 100 votes and {places}: if 60 members rank one side’s candidates first and 40 the other side’s, "
        "the first side gets {first} and the other {other}.",
        places=_placed(places),
        first=sum(won),
        other=len(won) - sum(won),
    )


def _reopened(rule_id: str, seats: int) -> str:
    each = min(seats, 12) + 1
    names = [*_LETTERS[:each], RON]
    papers: list[tuple[int, tuple[int, ...]]] = [(60, (each,))]
    papers += [(40 // each + (c < 40 % each), (c, *[d for d in range(each) if d != c])) for c in range(each)]
    record = _run(rule_id, names, papers, min(seats, 12), ron=each)
    if not record.winners:
        return phrase("If more than half rank “{choice}” first, nobody is elected and nominations open again.", choice=Text(RON))
    return phrase(
        "If 60 of 100 members rank “{choice}” first and nothing else, {filled} and {empty}.",
        choice=Text(RON),
        filled=phrases(
            "{count} of {places} is filled", "{count} of {places} are filled", len(record.winners), places=_placed(min(seats, 12))
        ),
        empty=phrases("{count} stays empty", "{count} stay empty", record.unfilled),
    )


# --- lists ------------------------------------------------------------------------------------------------------


def list_effects(seats: int, *, limit: int | None) -> list[str]:
    """The most ticks win."""
    number = min(seats, 8) + 1
    names, totals = _LETTERS[:number], [80 - 10 * place + (5 if place else 0) for place in range(number)]
    record = count_totals(names, totals, 100, min(seats, 8), ron=None, lot=LotOrder.typed(range(number), number), limit=limit)
    first = phrase("{number} ticks for {name}", number=totals[0], name=names[0])
    others = [phrase("{number} for {name}", number=total, name=name) for name, total in zip(names[1:], totals[1:], strict=True)]
    winners = _winners(record)
    return [
        phrases(
            "With {ticks}: {names} wins.",
            "With {ticks}: {names} win.",
            len(winners),
            ticks=listing([first, *others]),
            names=listing(winners),
        )
    ]


# --- quota places -----------------------------------------------------------------------------------------------


def quota_effects(rule: Mapping[str, Any], question: Question) -> list[str]:
    """Each quota place in a sentence, those about a bound with a counted example; as `quota_words` where that cannot be made."""
    sentences = quota_words(rule, question)
    try:
        constraints, seats = quota_places(rule, question), int(rule.get("seats", 1))
        if constraints is None:
            return sentences
        examples = [_quota_example(str(rule["rule"]), constraints, place, seats) for place in range(len(constraints.bounds))]
    except BallotError:
        return sentences
    rest = sentences[len(examples) :]
    return [joined([sentence, example]) if example else sentence for sentence, example in zip(sentences, examples, strict=False)] + rest


def _quota_example(rule_id: str, constraints: Constraints, place: int, seats: int) -> str:
    """A contest that the bound changes: all the votes are for candidates outside the group, or inside it where there is a most."""
    bound = constraints.bounds[place]
    number = bound.seats(seats)
    if not 0 <= number <= seats or seats > 20:
        return ""
    at_least = bound.side == "at_least"
    if (at_least and number == 0) or (not at_least and number == seats):
        return phrase("So it changes nothing.")
    strong, weak = list(range(seats)), list(range(seats, 2 * seats))
    group = frozenset(weak if at_least else strong)
    alone = Constraints(((bound.group, group),), (bound,))
    names = [f"candidate {one}" for one in range(2 * seats)]
    papers = [(90 // seats + 1, (c, *[d for d in strong if d != c], *weak)) for c in strong]
    papers += [(1, (c, *[d for d in weak if d != c])) for c in weak]
    record = _run(rule_id, names, papers, seats, constraints=alone)
    inside = sum(winner in group for winner in record.winners)
    before = sum(outcome.candidate in group for outcome in record.unconstrained or ())
    outside = N_(
        "For example, if the {seats} candidates with the most votes were all outside “{group}”: without this rule "
        "{before} of the {places} would go to “{group}”, with it {inside}."
    )
    within = N_(
        "For example, if the {seats} candidates with the most votes were all in “{group}”: without this rule "
        "{before} of the {places} would go to “{group}”, with it {inside}."
    )
    values = {"seats": seats, "group": bound.group, "before": before, "places": _placed(seats), "inside": inside}
    return phrase(outside if at_least else within, **values)


# --- who stands -------------------------------------------------------------------------------------------------


def standing(rule: Mapping[str, Any], question: Question) -> tuple[bool, str]:
    """Whether enough candidates stand, and the sentence about it; "" for a motion."""
    if rule.get("rule") == "motion" or not rule:
        return True, ""
    seats, people = int(rule.get("seats", 1)), len(question.answers) - (1 if rule.get("ron") else 0)
    if isinstance(question, QuestionH):
        return people > seats, phrases(
            "{people} choices, of which {count} wins.", "{people} choices, of which {count} win.", seats, people=people
        )
    who = phrases("{count} candidate stands for {places}", "{count} candidates stand for {places}", people, places=_placed(seats))
    if people < seats:
        one, many = nN_("{who}, so at least {count} place stays empty.", "{who}, so at least {count} places stay empty.")
        return False, phrases(one, many, seats - people, who=who)
    if people == seats:
        ron = phrase("Members can rank “{choice}” instead.", choice=Text(RON))
        only = ron if rule.get("ron") else phrase("There is nothing to decide.")
        return bool(rule.get("ron")), joined([phrase("{who}: as many as are needed.", who=who), only])
    return True, phrase("{who}: enough.", who=who)


def template_effect(kind: str) -> str:
    """What a template does before anything is typed, for the page where one is chosen."""
    if kind == "motion":
        rule = {"rule": "motion", "threshold": "simple-majority", "base": "cast"}
        return joined([phrase("By more than half of the votes, for example."), motion_effects(rule)[0]])
    if kind == "post":
        return ranked_effects("av", 1, ron=True)[0]
    if kind == "committee":
        return ranked_effects("scottish-2011", 6, ron=True)[0]
    return list_effects(1, limit=None)[0]
