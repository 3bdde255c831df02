"""Constraints on who is elected: minimum, maximum or share of seats for any groups, which may overlap.

Source: counting.md 3.9; I. D. Hill, Voting matters 9 (1998); J. Otten, Voting matters 13 (2001), for the words: after every
election or exclusion a continuing candidate is *doomed* if no conforming result is possible with them, *guarded* if none is
possible without them. A doomed candidate is excluded at once; a guarded one is never excluded.

Whether the rest can still be filled is decided exactly. Candidates who belong to the same groups are alike, so the question
is how many to take of each *pattern* of groups: a search over patterns in whole numbers, never over people.

Groups are names that the organisation chooses; a candidate may be in several or none, and whoever is not listed is not in.
"Re-open nominations" is nobody: it is in no group and is never guarded or doomed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Any, Literal

from ballot.errors import CountError, InfeasibleConstraintError, MalformedError

Rounding = Literal["up", "down", "half-up"]


@dataclass(frozen=True)
class Limit:
    """One bound on one group, in whole seats: at least `minimum`, at most `maximum` (None: no bound on that side)."""

    group: str
    members: frozenset[int]
    minimum: int | None
    maximum: int | None
    text: str


@dataclass(frozen=True)
class Bound:
    """One rule as written: at least or at most `amount` seats, or that share of the seats with this rounding."""

    group: str
    side: Literal["at_least", "at_most"]
    amount: Fraction
    share: bool = False
    rounding: Rounding = "up"

    def seats(self, seats: int) -> int:
        """The bound in whole seats."""
        if not self.share:
            return int(self.amount)
        exact = self.amount * seats
        if self.rounding == "up":
            return -((-exact.numerator) // exact.denominator)
        if self.rounding == "down":
            return exact.numerator // exact.denominator
        return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)

    def limit(self, seats: int, members: frozenset[int]) -> Limit:
        """The bound for this number of seats, with its sentence."""
        number = self.seats(seats)
        side = "at least" if self.side == "at_least" else "at most"
        text = f"{side} {number} of group “{self.group}”"
        if self.share:
            percent = self.amount * 100
            shown = f"{percent.numerator} %" if percent.denominator == 1 else f"{self.amount.numerator}/{self.amount.denominator}"
            text += f" ({shown} of {seats} seats, rounded {self.rounding})"
        return Limit(self.group, members, number if self.side == "at_least" else None, number if self.side == "at_most" else None, text)


@dataclass(frozen=True)
class Constraints:
    """Groups (name and members) and the bounds on them.

    `fallback` is what happens when nobody's election could meet them, decided before the papers are seen: "refuse" the
    count; "cap" each minimum at the number standing; "leave-empty": as few seats as needed stay empty and are re-opened.
    """

    groups: tuple[tuple[str, frozenset[int]], ...]
    bounds: tuple[Bound, ...]
    fallback: Literal["refuse", "cap", "leave-empty"] = "refuse"

    def limits(self, seats: int) -> tuple[Limit, ...]:
        """Every bound in whole seats.

        Raises:
            CountError: a bound names a group that is not defined.
        """
        members = dict(self.groups)
        for bound in self.bounds:
            if bound.group not in members:
                known = ", ".join(sorted(members)) or "none"
                raise CountError(f"A constraint names the group “{bound.group}”, which is not defined (defined: {known}).")
        return tuple(bound.limit(seats, members[bound.group]) for bound in self.bounds)


# --- the exact question ----------------------------------------------------------------------------------------


def can_fill(limits: Sequence[Limit], elected: Collection[int], people: Collection[int], places: int, spare: int = 0) -> bool:
    """Whether exactly `places` of `people` can join `elected` with every limit met.

    `spare` unfilled seats may later be filled by anybody, so every minimum is met if it lacks at most that many.
    """
    return _witness(_Question.of(limits, elected, people, places, spare)) is not None


@dataclass(frozen=True)
class _Question:
    """How many of each pattern are available, how many to take, what each limit still needs and still has room for."""

    available: tuple[tuple[int, int], ...]
    places: int
    needs: tuple[int, ...]
    rooms: tuple[int, ...]

    @classmethod
    def of(cls, limits: Sequence[Limit], elected: Collection[int], people: Collection[int], places: int, spare: int) -> _Question:
        counts: dict[int, int] = {}
        for person in people:
            bits = pattern(limits, person)
            counts[bits] = counts.get(bits, 0) + 1
        have = [len(limit.members.intersection(elected)) for limit in limits]
        needs = tuple(
            0 if limit.minimum is None else max(0, limit.minimum - spare - number) for limit, number in zip(limits, have, strict=True)
        )
        rooms = tuple(
            places if limit.maximum is None else min(places, limit.maximum - number) for limit, number in zip(limits, have, strict=True)
        )
        return cls(tuple(sorted(counts.items())), places, needs, rooms)


def pattern(limits: Sequence[Limit], person: int) -> int:
    """Which limits' groups this person is in, as bits."""
    return sum(1 << index for index, limit in enumerate(limits) if person in limit.members)


class _Search:
    """A search for how many to take of each pattern: bounds are drawn as tight as every limit allows, then one is split.

    Between splits the limits are weighed against each other: if, for some weights, even the best choice of the right size falls
    short of what the limits ask for together, no choice meets them all. The weights grow where the best choice falls short, so
    either such a proof is found, or often a choice that meets everything. All of it in whole numbers.
    """

    def __init__(self, question: _Question) -> None:
        self.bits = [bits for bits, _ in question.available]
        self.places = question.places
        everybody = list(range(len(self.bits)))
        self.rows = [(everybody, question.places, question.places)]
        for index, (need, room) in enumerate(zip(question.needs, question.rooms, strict=True)):
            members = [place for place in everybody if self.bits[place] >> index & 1]
            if need > 0 or room < question.places:
                self.rows.append((members, need, room))
        self.touching = [[row for row, (members, _, _) in enumerate(self.rows) if place in members] for place in everybody]
        self.weights = [0] * len(self.rows)

    def run(self, high: list[int]) -> list[int] | None:
        """Numbers that meet every row, or None if there are none: depth first, splitting where most limits meet.

        Raises:
            CountError: a very long search did not decide.
        """
        pending: list[tuple[list[int], list[int], Collection[int]]] = [([0] * len(high), list(high), range(len(self.rows)))]
        for _ in range(_MOST_SPLITS):
            if not pending:
                return None
            low, high, rows = pending.pop()
            if not self._tighten(low, high, rows):
                continue
            possible, found = self._weigh(low, high)
            if found is not None:
                return found
            if not possible:
                continue
            # Something is open, or the only choice would have met every row.
            place = max(
                (place for place in range(len(low)) if low[place] < high[place]),
                key=lambda one, low=low, high=high: (len(self.touching[one]), high[one] - low[one], -one),  # type: ignore[misc]
            )
            middle = (low[place] + high[place]) // 2
            lower, upper = list(high), list(low)
            lower[place], upper[place] = middle, middle + 1
            pending.append((list(low), lower, self.touching[place]))
            pending.append((upper, list(high), self.touching[place]))
        raise CountError("The constraints overlap too much to be decided exactly; use fewer groups.")

    def nearby(self, high: list[int], start: list[int]) -> list[int] | None:
        """Numbers that meet every row, found by exchanging one for one where that helps most; None proves nothing."""
        now = list(start)
        sums = [sum([now[place] for place in members]) for members, _, _ in self.rows]
        inside = [set(touching) for touching in self.touching]
        resting: dict[int, int] = {}
        for step in range(_EXCHANGES):
            lacks = [self._lack(row, total) for row, total in enumerate(sums)]
            if not any(lacks):
                return now
            best: tuple[int, int, int] | None = None
            for out in [place for place, number in enumerate(now) if number and resting.get(place, 0) <= step]:
                for into in [place for place, most in enumerate(high) if now[place] < most and place != out]:
                    change = sum([self._lack(row, sums[row] - 1) - lacks[row] for row in inside[out] - inside[into]])
                    change += sum([self._lack(row, sums[row] + 1) - lacks[row] for row in inside[into] - inside[out]])
                    if best is None or (change, out, into) < best:
                        best = (change, out, into)
            if best is None:
                return None
            _, out, into = best
            now[out] -= 1
            now[into] += 1
            resting[into] = step + 4
            for row in inside[out] - inside[into]:
                sums[row] -= 1
            for row in inside[into] - inside[out]:
                sums[row] += 1
        return None

    def _lack(self, row: int, total: int) -> int:
        _, least, most = self.rows[row]
        return least - total if total < least else max(0, total - most)

    def _tighten(self, low: list[int], high: list[int], rows: Collection[int]) -> bool:
        """Draw the bounds as tight as these rows, and what they touch, allow; False when a row cannot be met."""
        waiting = set(rows)
        while waiting:
            members, least, most = self.rows[waiting.pop()]
            low_sum = sum([low[place] for place in members])
            high_sum = sum([high[place] for place in members])
            if low_sum > most or high_sum < least:
                return False
            for place in members:
                top = min(high[place], most - low_sum + low[place])
                bottom = max(low[place], least - high_sum + high[place])
                if top < high[place] or bottom > low[place]:
                    low_sum += bottom - low[place]
                    high_sum -= high[place] - top
                    low[place], high[place] = bottom, top
                    waiting.update(self.touching[place])
                    if bottom > top:
                        return False
        return True

    def _weigh(self, low: list[int], high: list[int]) -> tuple[bool, list[int] | None]:
        """(False, None): proved impossible within these bounds; (True, numbers): met; (True, None): not known yet."""
        rounds = _ROUNDS if any(a < b for a, b in zip(low, high, strict=True)) else 1
        for _ in range(rounds):
            scores = [sum([self.weights[row] for row in touching]) for touching in self.touching]
            chosen = list(low)
            left = self.places - sum(low)
            for place in sorted(range(len(low)), key=lambda one, scores=scores: -scores[one]):  # type: ignore[misc]
                take = min(left, high[place] - low[place])
                chosen[place] += take
                left -= take
            reached = sum([score * number for score, number in zip(scores, chosen, strict=True)])
            asked, met = 0, True
            for row, (members, least, most) in enumerate(self.rows):
                weight = self.weights[row]
                asked += weight * (least if weight > 0 else most)
                total = sum([chosen[place] for place in members])
                if total < least:
                    self.weights[row] += least - total
                    met = False
                elif total > most:
                    self.weights[row] += most - total
                    met = False
            if met:
                return True, chosen
            if reached < asked:
                return False, None
        return rounds > 1, None


_MOST_SPLITS, _ROUNDS, _EXCHANGES = 20_000, 30, 20


def _witness(question: _Question, hint: Mapping[int, int] | None = None) -> dict[int, int] | None:
    """How many to take of each pattern so that every limit is met, or None if that is impossible.

    `hint` is a choice that met a question much like this one: worth a short look around before the search.

    Raises:
        CountError: the groups overlap so much that a very long search did not decide.
    """
    high = [count for _, count in question.available]
    if question.places < 0 or question.places > sum(high) or any(room < 0 for room in question.rooms):
        return None
    search = _Search(question)
    found = None
    if hint is not None:
        start = [min(most, hint.get(bits, 0)) for bits, most in question.available]
        for place, most in enumerate(high):
            change = question.places - sum(start)
            start[place] += min(change, most - start[place]) if change > 0 else max(change, -start[place])
        found = search.nearby(high, start)
    if found is None:
        found = search.run(high)
    return None if found is None else dict(zip(search.bits, found, strict=True))


def smallest_unmet(limits: Sequence[Limit], possible: Callable[[Sequence[Limit]], bool]) -> tuple[Limit, ...]:
    """The fewest limits that cannot be met together (the first such set in the order written); exact up to three."""
    for size in range(min(3, len(limits)) + 1):
        for subset in combinations(limits, size):
            if not possible(subset):
                return subset
    # More than three together: a set from which nothing can be dropped, which need not be the smallest.
    core = list(limits)
    for limit in limits:
        without = [other for other in core if other is not limit]
        if not possible(without):
            core = without
    return tuple(core)


# --- before the count ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settled:
    """The constraints as they will be applied: limits, seats left empty from the start, and what the fallback did."""

    limits: tuple[Limit, ...]
    empty: int = 0
    notes: tuple[str, ...] = ()


def settle(constraints: Constraints, seats: int, people: Collection[int], *, ron: bool = False) -> Settled:
    """The limits for these candidates; feasible, or made so by the declared fallback.

    Raises:
        InfeasibleConstraintError: nobody's election can meet them; the text names the smallest unmet set.
        CountError: a bound names an unknown group.
    """
    limits = constraints.limits(seats)
    fill = min(seats, len(people))
    spare = seats - fill if ron else 0

    def possible(some: Sequence[Limit]) -> bool:
        return can_fill(some, (), people, fill, spare)

    if possible(limits):
        return Settled(limits)
    unmet = " and ".join(limit.text for limit in smallest_unmet(limits, possible))
    sentence = f"No {seats} of the candidates standing can meet the constraints; the smallest unmet set is: {unmet}."
    if constraints.fallback == "cap":
        capped, notes = [], []
        for limit in limits:
            standing = len(limit.members.intersection(people))
            if limit.minimum is not None and limit.minimum > standing:
                notes.append(f"{limit.text}: only {standing} standing, so the minimum is capped at {standing}.")
                capped.append(replace(limit, minimum=standing, text=f"{limit.text}, capped at the {standing} standing"))
            else:
                capped.append(limit)
        if can_fill(capped, (), people, fill, spare):
            return Settled(tuple(capped), 0, tuple(notes))
    elif constraints.fallback == "leave-empty":
        for empty in range(1, seats):
            if can_fill(limits, (), people, min(seats - empty, len(people)), empty):
                return Settled(limits, empty, (f"{sentence} {empty} left empty, to be re-opened.",))
    raise InfeasibleConstraintError(sentence)


# --- during the count ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """Who is doomed and who is guarded now, each with the fewest limits that make it so."""

    doomed: Mapping[int, tuple[str, ...]]
    guarded: Mapping[int, tuple[str, ...]]


class Guard:
    """Answers, after every election and exclusion, who is doomed and who is guarded.

    `people` are the standing candidates without RON. Seats taken by RON, and seats left empty, are filled later: they meet a
    minimum only as far as it can no longer be met otherwise (counting.md 3.11).
    """

    def __init__(self, limits: Sequence[Limit], people: Collection[int], empty: int = 0) -> None:
        self.people = frozenset(people)
        # RON is nobody, so it is in no group, whatever a file says.
        self.limits = tuple(replace(limit, members=limit.members & self.people) for limit in limits)
        self.empty = empty
        self._committees: list[dict[int, int]] = []
        """Whole committees, by pattern, that were possible at the last review: a memory that saves searches, nothing else."""
        self._known_for = 0
        self._most = -1

    def review(self, elected: Collection[int], continuing: Collection[int], places: int, taken_by_ron: int = 0) -> Verdict:
        """The state of every continuing candidate. `places` are the seats still to be filled in this count."""
        people = self.people.intersection(continuing)
        if not self.limits or not people:
            return Verdict({}, {})
        ron_stands = not self.people.issuperset(continuing)
        fill = min(places, len(people))
        most = self.empty + taken_by_ron + places - fill
        alike: dict[int, list[int]] = {}
        for person in sorted(people):
            alike.setdefault(pattern(self.limits, person), []).append(person)
        held: dict[int, int] = {}
        for person in self.people.intersection(elected):
            bits = pattern(self.limits, person)
            held[bits] = held.get(bits, 0) + 1
        witnesses = self._remembered(held, alike, fill, most)
        spare = self._known_for if witnesses else self._spare(elected, people, fill, most)
        if not witnesses:
            whole = _witness(_Question.of(self.limits, elected, people, fill, spare))
            if whole is None:
                raise CountError("The constraints can no longer be met: somebody must have withdrawn during the count.")
            witnesses = [whole]
        doomed: dict[int, tuple[str, ...]] = {}
        guarded: dict[int, tuple[str, ...]] = {}
        for bits, persons in alike.items():
            one = persons[0]
            if not any(witness.get(bits, 0) for witness in witnesses):
                found = _witness(_Question.of(self.limits, {*elected, one}, people - {one}, fill - 1, spare), witnesses[0])
                if found is None:
                    reason = self._reason(
                        lambda some, one=one: can_fill(some, {*elected, one}, people - {one}, fill - 1, spare)  # type: ignore[misc]
                    )
                    doomed.update(dict.fromkeys(persons, reason))
                    continue
                witnesses.append({**found, bits: found.get(bits, 0) + 1})
            if all(witness.get(bits, 0) == len(persons) for witness in witnesses):
                # While RON stands nobody is guarded only because the seats could not be filled without them.
                rest = min(fill, len(people) - 1) if ron_stands else fill
                found = _witness(_Question.of(self.limits, elected, people - {one}, rest, spare), witnesses[0])
                if found is None:
                    reason = self._reason(
                        lambda some, one=one, rest=rest: can_fill(some, elected, people - {one}, rest, spare)  # type: ignore[misc]
                    )
                    guarded.update(dict.fromkeys(persons, reason))
                elif rest == fill:
                    witnesses.append(found)
        self._committees = [{bits: witness.get(bits, 0) + held.get(bits, 0) for bits in {*witness, *held}} for witness in witnesses]
        self._known_for = spare
        self._most = most
        return Verdict(doomed, guarded)

    def _remembered(self, held: dict[int, int], alike: dict[int, list[int]], fill: int, most: int) -> list[dict[int, int]]:
        """Committees found possible earlier in this count that still are: what each would still take of every pattern."""
        if most != self._most:
            return []
        found = []
        for committee in self._committees:
            rest = {bits: number - held.get(bits, 0) for bits, number in committee.items()}
            for bits, number in held.items():
                rest.setdefault(bits, -number)
            if sum(rest.values()) == fill and all(0 <= number <= len(alike.get(bits, ())) for bits, number in rest.items()):
                found.append(rest)
        return found

    def may_exclude(
        self, group: Collection[int], elected: Collection[int], continuing: Collection[int], places: int, taken_by_ron: int = 0
    ) -> bool:
        """Whether these candidates can be excluded together and the rest still be filled."""
        people = self.people.intersection(continuing)
        if not self.limits or not people:
            return True
        left = people.difference(group)
        fill = min(places, len(people))
        spare = self._spare(elected, people, fill, self.empty + taken_by_ron + places - fill)
        rest = fill if self.people.issuperset(continuing) else min(fill, len(left))
        return can_fill(self.limits, elected, left, rest, spare)

    def shortfalls(self, elected: Collection[int], unfilled: int) -> tuple[str, ...]:
        """Which unfilled places are to be re-opened for whom; empty when every minimum is met."""
        lines = []
        for limit in self.limits:
            have = len(limit.members.intersection(elected))
            if limit.minimum is not None and have < limit.minimum:
                number = min(unfilled, limit.minimum - have)
                lines.append(f"{number} of the unfilled places for group “{limit.group}”: {limit.text}, {have} elected.")
        return tuple(lines)

    def _spare(self, elected: Collection[int], people: Collection[int], fill: int, most: int) -> int:
        """The fewest re-opened seats that have to count towards minimums."""
        for spare in range(most + 1):
            if can_fill(self.limits, elected, people, fill, spare):
                return spare
        return most

    def _reason(self, possible: Callable[[Sequence[Limit]], bool]) -> tuple[str, ...]:
        return tuple(limit.text for limit in smallest_unmet(self.limits, possible))


# --- the file --------------------------------------------------------------------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise MalformedError("The constraints file names the same thing twice in one place.")
    return data


def parse_constraints(text: bytes | str, candidates: Sequence[str]) -> Constraints:
    """The constraints of a JSON file.

    `{"groups": {"women": ["Ann", 3]}, "rules": [{"group": "women", "at_least": "50%", "rounding": "up"},
    {"group": "women", "at_most": 5}], "if_infeasible": "refuse"}`: members by name or by number from 1; amounts as whole
    seats or as shares ("50%", "1/3"); a minimum share is rounded up and a maximum share down unless the rule says else.

    Raises:
        MalformedError: not such a file; the text says where.
        CountError: a rule names an unknown group.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise MalformedError("The constraints file is not JSON.") from error
    if not isinstance(data, dict) or not set(data) <= {"groups", "rules", "if_infeasible"} or not {"groups", "rules"} <= set(data):
        raise MalformedError("The constraints file must have “groups” and “rules”, and may have “if_infeasible”.")
    if not isinstance(data["groups"], dict) or not isinstance(data["rules"], list):
        raise MalformedError("In the constraints file “groups” must be an object and “rules” a list.")
    groups = tuple((name, _members(name, members, candidates)) for name, members in data["groups"].items())
    fallback = data.get("if_infeasible", "refuse")
    if fallback not in {"refuse", "cap", "leave-empty"}:
        raise MalformedError("“if_infeasible” in the constraints file must be “refuse”, “cap” or “leave-empty”.")
    bounds: list[Bound] = []
    for number, rule in enumerate(data["rules"], start=1):
        bounds.extend(_bounds(number, rule))
    known = dict(groups)
    for bound in bounds:
        if bound.group not in known:
            raise CountError(f"A constraint names the group “{bound.group}”, which is not defined (defined: {', '.join(known) or 'none'}).")
    return Constraints(groups, tuple(bounds), fallback)


def _members(group: str, members: object, candidates: Sequence[str]) -> frozenset[int]:
    if not isinstance(members, list):
        raise MalformedError(f"The members of group “{group}” must be a list of names or numbers.")
    found = set()
    for member in members:
        if type(member) is int and 1 <= member <= len(candidates):
            found.add(member - 1)
        elif isinstance(member, str) and candidates.count(member) == 1:
            found.add(candidates.index(member))
        else:
            raise MalformedError(f"Group “{group}” names {json.dumps(member, ensure_ascii=False)[:80]}, who is not one candidate.")
    return frozenset(found)


def _bounds(number: int, rule: object) -> list[Bound]:
    where = f"Rule {number} of the constraints file"
    if not isinstance(rule, dict) or not isinstance(rule.get("group"), str):
        raise MalformedError(f"{where} must name its “group”.")
    if not set(rule) <= {"group", "at_least", "at_most", "rounding"} or not {"at_least", "at_most"} & set(rule):
        raise MalformedError(f"{where} must say “at_least” or “at_most”, and may say “rounding”.")
    rounding = rule.get("rounding")
    if rounding not in {None, "up", "down", "half-up"}:
        raise MalformedError(f"{where}: “rounding” must be “up”, “down” or “half-up”.")
    bounds = []
    sides: tuple[tuple[Literal["at_least", "at_most"], Rounding], ...] = (("at_least", "up"), ("at_most", "down"))
    for side, usual in sides:
        if side in rule:
            amount, share = _amount(rule[side], where)
            bounds.append(Bound(rule["group"], side, amount, share, rounding or usual))
    return bounds


def _amount(value: object, where: str) -> tuple[Fraction, bool]:
    if type(value) is int and 0 <= value <= 10_000:
        return Fraction(value), False
    if isinstance(value, str) and len(value) <= 20:
        text = value.strip()
        try:
            share = Fraction(text[:-1].strip()) / 100 if text.endswith("%") else Fraction(text)
        except (ValueError, ZeroDivisionError):
            share = Fraction(-1)
        if 0 <= share <= 1 and ("%" in text or "/" in text):
            return share, True
    raise MalformedError(f"{where}: an amount must be a whole number of seats, or a share such as “50%” or “1/3”.")
