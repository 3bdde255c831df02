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


def _placed(number: int) -> str:
    return f"{number} {'place' if number == 1 else 'places'}"


def _listing(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


# --- motions ----------------------------------------------------------------------------------------------------


def _figures(result: MotionResult) -> str:
    return f"{result.votes_for} For, {result.against} Against, {result.abstain} Abstain"


def motion_effects(rule: Mapping[str, Any]) -> list[str]:
    """Two ballots that end one way and the other, the fewest votes that carry, and what the quorum does."""
    threshold, quorum = motion_threshold(rule), int(rule.get("quorum") or 0)
    where = f", of {_ELECTORATE} who could vote" if threshold.base == "electorate" else ""
    size = max(_ELECTORATE, quorum)

    def counted(votes_for: int, against: int, abstain: int) -> MotionResult:
        return decide(votes_for, against, abstain, threshold=threshold, electorate=size)

    found = []
    for figures in ((200, 90, 10), (150, 120, 30)):
        result = counted(*figures)
        word = "carried" if result.carried else "not carried"
        found.append(f"With {_figures(result)}{where}: {word}. It needs {result.needed} For.")
    tie = counted(145, 145, 10)
    found.append(f"With {_figures(tie)}{where}: {'carried' if tie.carried else 'not carried'}.")
    if quorum > 1:
        few = decide(quorum - 1, 0, 0, threshold=threshold, electorate=size, quorum=quorum)
        word = "carried" if few.carried else "not carried"
        found.append(f"If {quorum - 1} members vote, all of them For: {word}, because the quorum of {quorum} is not met.")
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
    winner = _listing(_winners(_run(rule_id, "ABC", papers, 1)))
    first = "40 rank A first, 35 rank B first and C second, 25 rank C first and B second"
    why = "Nobody has more than half, so the candidate with the fewest goes out, and those votes move to the next choice"
    return f"With 100 votes, {first}: {winner} is elected. {why}."


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
    return (
        f"With 100 votes and {_placed(places)}: if 60 members rank one side’s candidates first and 40 the other side’s, "
        f"the first side gets {sum(won)} and the other {len(won) - sum(won)}."
    )


def _reopened(rule_id: str, seats: int) -> str:
    each = min(seats, 12) + 1
    names = [*_LETTERS[:each], RON]
    papers: list[tuple[int, tuple[int, ...]]] = [(60, (each,))]
    papers += [(40 // each + (c < 40 % each), (c, *[d for d in range(each) if d != c])) for c in range(each)]
    record = _run(rule_id, names, papers, min(seats, 12), ron=each)
    if not record.winners:
        return f"If more than half rank “{RON}” first, nobody is elected and nominations open again."
    elected, empty = len(record.winners), record.unfilled
    stays = "stays" if empty == 1 else "stay"
    first = f"If 60 of 100 members rank “{RON}” first and nothing else"
    return f"{first}, {elected} of {_placed(min(seats, 12))} {'is' if elected == 1 else 'are'} filled and {empty} {stays} empty."


# --- lists ------------------------------------------------------------------------------------------------------


def list_effects(seats: int, *, limit: int | None) -> list[str]:
    """The most ticks win."""
    number = min(seats, 8) + 1
    names, totals = _LETTERS[:number], [80 - 10 * place + (5 if place else 0) for place in range(number)]
    record = count_totals(names, totals, 100, min(seats, 8), ron=None, lot=LotOrder.typed(range(number), number), limit=limit)
    first, *others = [f"{total} for {name}" for name, total in zip(names, totals, strict=True)]
    ticks = _listing([first.replace(" ", " ticks ", 1), *others])
    winners = _winners(record)
    return [f"With {ticks}: {_listing(winners)} {'wins' if len(winners) == 1 else 'win'}."]


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
    return [f"{sentence} {example}".rstrip() for sentence, example in zip(sentences, examples, strict=False)] + rest


def _quota_example(rule_id: str, constraints: Constraints, place: int, seats: int) -> str:
    """A contest that the bound changes: all the votes are for candidates outside the group, or inside it where there is a most."""
    bound = constraints.bounds[place]
    number = bound.seats(seats)
    if not 0 <= number <= seats or seats > 20:
        return ""
    at_least = bound.side == "at_least"
    if (at_least and number == 0) or (not at_least and number == seats):
        return "So it changes nothing."
    strong, weak = list(range(seats)), list(range(seats, 2 * seats))
    group = frozenset(weak if at_least else strong)
    alone = Constraints(((bound.group, group),), (bound,))
    names = [f"candidate {one}" for one in range(2 * seats)]
    papers = [(90 // seats + 1, (c, *[d for d in strong if d != c], *weak)) for c in strong]
    papers += [(1, (c, *[d for d in weak if d != c])) for c in weak]
    record = _run(rule_id, names, papers, seats, constraints=alone)
    inside = sum(winner in group for winner in record.winners)
    before = sum(outcome.candidate in group for outcome in record.unconstrained or ())
    side = "outside" if at_least else "in"
    return (
        f"For example, if the {seats} candidates with the most votes were all {side} “{bound.group}”: without this rule "
        f"{before} of the {_placed(seats)} would go to “{bound.group}”, with it {inside}."
    )


# --- who stands -------------------------------------------------------------------------------------------------


def standing(rule: Mapping[str, Any], question: Question) -> tuple[bool, str]:
    """Whether enough candidates stand, and the sentence about it; "" for a motion."""
    if rule.get("rule") == "motion" or not rule:
        return True, ""
    seats, people = int(rule.get("seats", 1)), len(question.answers) - (1 if rule.get("ron") else 0)
    if isinstance(question, QuestionH):
        return people > seats, f"{people} choices, of which {seats} {'wins' if seats == 1 else 'win'}."
    who = f"{people} {'candidate stands' if people == 1 else 'candidates stand'} for {_placed(seats)}"
    if people < seats:
        empty = seats - people
        return False, f"{who}, so at least {empty} {'place stays' if empty == 1 else 'places stay'} empty."
    if people == seats:
        only = f"Members can rank “{RON}” instead." if rule.get("ron") else "There is nothing to decide."
        return bool(rule.get("ron")), f"{who}: as many as are needed. {only}"
    return True, f"{who}: enough."


def template_effect(kind: str) -> str:
    """What a template does before anything is typed, for the page where one is chosen."""
    if kind == "motion":
        rule = {"rule": "motion", "threshold": "simple-majority", "base": "cast"}
        return f"By more than half of the votes, for example. {motion_effects(rule)[0]}"
    if kind == "post":
        return ranked_effects("av", 1, ron=True)[0]
    if kind == "committee":
        return ranked_effects("scottish-2011", 6, ron=True)[0]
    return list_effects(1, limit=None)[0]
