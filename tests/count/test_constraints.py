"""Quota places: published cases, brute force, and what the record says about them."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballot.count import LotOrder, Profile, count
from ballot.count.constraints import Bound, Constraints, Guard, Limit, can_fill, parse_constraints, settle, smallest_unmet
from ballot.errors import CountError, InfeasibleConstraintError, MalformedError


def limit(group: str, members: set[int], minimum: int | None, maximum: int | None = None) -> Limit:
    return Limit(group, frozenset(members), minimum, maximum, group)


def conforms(limits: list[Limit], chosen: set[int]) -> bool:
    return all(
        (one.minimum is None or len(one.members & chosen) >= one.minimum)
        and (one.maximum is None or len(one.members & chosen) <= one.maximum)
        for one in limits
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[Limit], set[int], set[int], int]:
    number = draw(st.integers(1, 8))
    limits = []
    for index in range(draw(st.integers(1, 5))):
        members = draw(st.sets(st.integers(0, number - 1)))
        minimum = draw(st.none() | st.integers(0, 4))
        maximum = draw(st.none() | st.integers(0, 4))
        limits.append(limit(str(index), members, minimum, maximum))
    everybody = set(range(number))
    elected = draw(st.sets(st.sampled_from(sorted(everybody)), max_size=3))
    return limits, elected, everybody - elected, draw(st.integers(0, number))


@given(questions())
@settings(max_examples=1500, deadline=None)
def test_feasibility_equals_brute_force(question: tuple[list[Limit], set[int], set[int], int]) -> None:
    limits, elected, people, places = question
    expected = any(conforms(limits, elected | set(chosen)) for chosen in combinations(sorted(people), places))
    assert expected == can_fill(limits, elected, people, places)


@given(questions())
@settings(max_examples=800, deadline=None)
def test_guarded_and_doomed_equal_brute_force(question: tuple[list[Limit], set[int], set[int], int]) -> None:
    limits, elected, people, places = question
    ways = [set(chosen) for chosen in combinations(sorted(people), places) if conforms(limits, elected | set(chosen))]
    if not ways or not people:
        return
    verdict = Guard(limits, people | elected).review(elected, people, places)
    assert {person for person in people if not any(person in way for way in ways)} == set(verdict.doomed)
    assert {person for person in people if all(person in way for way in ways)} == set(verdict.guarded)


def test_otten_has_exactly_eight_compositions() -> None:
    """Voting matters 13: 14 places, 7 English, 6 Scottish, 1 Welsh, 7 men, 7 women; three Scottish women stand."""
    standing = {("E", "f"): 8, ("E", "m"): 8, ("S", "f"): 3, ("S", "m"): 8, ("W", "f"): 2, ("W", "m"): 2}
    people: list[tuple[str, str]] = [kind for kind, number in standing.items() for _ in range(number)]

    def members(place: int, value: str) -> set[int]:
        return {index for index, kind in enumerate(people) if kind[place] == value}

    limits = [
        limit("English", members(0, "E"), 7, 7),
        limit("Scottish", members(0, "S"), 6, 6),
        limit("Welsh", members(0, "W"), 1, 1),
        limit("women", members(1, "f"), 7, 7),
        limit("men", members(1, "m"), 7, 7),
    ]
    found = 0
    for numbers in product(*(range(number + 1) for number in standing.values())):
        if sum(numbers) != 14:
            continue
        chosen: set[int] = set()
        for kind, number in zip(standing, numbers, strict=True):
            chosen |= set([index for index, other in enumerate(people) if other == kind][:number])
        if can_fill(limits, chosen, (), 0):
            found += 1
    assert 8 == found


NINE = ("Evans", "Gale", "Clifton-Brown", "McIntosh", "Hoyle", "Primarolo", "Clarke", "Howarth", "Singh")


def commons(rule: str) -> tuple:
    """Papers made up to the published shape of 8 June 2010 (the real ones are not published): 515 valid, quota 129."""
    papers = (
        (105, (0, 1)),
        (20, (1, 4)),
        (40, (1, 0)),
        (40, (2, 1)),
        (28, (3, 0)),
        (98, (4, 5)),
        (80, (5, 4)),
        (25, (6, 5)),
        (20, (6, 4)),
        (33, (7, 4)),
        (2, (7, 5)),
        (10, (8, 4)),
        (14, (8, 5)),
    )
    rules = Constraints(
        (("Labour", frozenset({4, 5, 6, 7, 8})), ("women", frozenset({3, 5}))),
        (Bound("Labour", "at_least", Fraction(2)), Bound("Labour", "at_most", Fraction(2)), Bound("women", "at_least", Fraction(1))),
    )
    return count(rule, Profile(NINE, papers, 3, "Deputy speakers"), 3, constraints=rules), count(rule, Profile(NINE, papers, 3), 3)


@pytest.mark.parametrize("rule", ["scottish-2011", "ers97", "meek", "meek-nz"])
def test_commons_deputy_speakers_2010(rule: str) -> None:
    """One Conservative is elected, so the other Conservatives cannot be; Hoyle and Primarolo take the Labour places."""
    record, plain = commons(rule)
    assert {"Evans", "Hoyle", "Primarolo"} == {NINE[winner] for winner in record.winners}
    evans = next(outcome.stage for outcome in record.elected if outcome.candidate == 0)
    doomed = {
        candidate: stage.number
        for stage in record.stages
        for event in stage.events
        if event.kind == "doomed"
        for candidate in event.candidates
    }
    assert {1: evans, 2: evans} == {candidate: stage for candidate, stage in doomed.items() if candidate < 4}
    assert "Primarolo" in [
        NINE[candidate] for stage in record.stages for event in stage.events if event.kind == "guarded" for candidate in event.candidates
    ]
    assert record.unconstrained == plain.elected


def test_half_of_seven_is_four() -> None:
    assert 4 == Bound("w", "at_least", Fraction(1, 2), share=True).seats(7)
    assert 3 == Bound("w", "at_least", Fraction(1, 2), share=True, rounding="down").seats(7)
    assert 4 == Bound("w", "at_least", Fraction(1, 2), share=True, rounding="half-up").seats(7)


COMMITTEE = json.dumps(
    {
        "groups": {
            "women": ["Ann", "Cat", "Eve", "Fay", "Ida", "Joy", "Kim"],
            "BAME": ["Bob", "Cat"],
            "LGBT+": ["Dan", "Ida"],
            "Young": ["Joy"],
            "Disabled": ["Hal"],
        },
        "rules": [
            {"group": "women", "at_least": "50%"},
            {"group": "BAME", "at_least": 1},
            {"group": "LGBT+", "at_least": 1},
            {"group": "Young", "at_least": 1},
            {"group": "Disabled", "at_least": 1},
        ],
    }
)
PEOPLE = ("Ann", "Bob", "Cat", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Joy", "Kim", "Lee", "Max", "Ned", "Oli", "Pat")


@pytest.mark.parametrize("rule", ["scottish-2011", "ers97", "meek", "meek-nz", "approval"])
def test_a_committee_of_twelve_with_five_overlapping_groups(rule: str) -> None:
    papers = tuple((40 - 2 * index, (index, (index + 3) % 16, (index + 6) % 16)) for index in (1, 3, 6, 11, 12, 13, 14, 15, 0, 2, 4, 5))
    rules = parse_constraints(COMMITTEE, PEOPLE)
    record = count(rule, Profile(PEOPLE, papers, 12), 12, constraints=rules, lot=LotOrder.from_seed("x", PEOPLE))
    winners = set(record.winners)
    assert 12 == len(winners)
    for one in settle(rules, 12, range(16)).limits:
        assert one.minimum is not None
        assert len(one.members & winners) >= one.minimum
    assert {9, 7} <= winners
    assert any(event.kind == "guarded" and 9 in event.candidates for stage in record.stages for event in stage.events)
    assert record.unconstrained is not None


def test_infeasible_at_nomination_names_the_smallest_unmet_set() -> None:
    rules = Constraints(
        (("women", frozenset({0, 1})), ("young", frozenset({2}))),
        (Bound("young", "at_least", Fraction(1)), Bound("women", "at_least", Fraction(3))),
    )
    with pytest.raises(InfeasibleConstraintError, match="smallest unmet set is: at least 3 of group “women”") as caught:
        settle(rules, 4, range(5))
    assert "young" not in str(caught.value)


def test_infeasible_only_together_names_both() -> None:
    rules = Constraints(
        (("women", frozenset({0, 1})), ("men", frozenset({2, 3}))),
        (Bound("women", "at_least", Fraction(2)), Bound("men", "at_least", Fraction(2))),
    )
    with pytest.raises(InfeasibleConstraintError, match="“women” and at least 2 of group “men”"):
        settle(rules, 3, range(4))


def test_smallest_set_is_smaller_than_the_one_found_by_dropping() -> None:
    limits = [limit("a", {0}, 1, None), limit("b", {1}, 1, None), limit("c", {2}, 2, None)]
    assert ("c",) == tuple(one.group for one in smallest_unmet(limits, lambda some: can_fill(some, (), range(3), 1)))


def test_fallbacks() -> None:
    groups = (("women", frozenset({0})),)
    rules = (Bound("women", "at_least", Fraction(2)),)
    papers = ((5, (1,)), (4, (2,)), (3, (3,)), (1, (0,)))
    profile = Profile(("W", "X", "Y", "Z"), papers, 3)
    capped = count("scottish-2011", profile, 3, constraints=Constraints(groups, rules, "cap"))
    assert 0 in capped.winners
    assert 3 == len(capped.winners)
    assert "capped at 1" in capped.constraint_notes[0]
    empty = count("scottish-2011", profile, 3, constraints=Constraints(groups, rules, "leave-empty"))
    assert 2 == len(empty.winners)
    assert 1 == empty.unfilled
    assert 0 in empty.winners
    assert ("1 of the unfilled places for group “women”: at least 2 of group “women”, 1 elected.",) == empty.reopened


def test_second_over_the_quota_may_be_doomed_and_is_excluded() -> None:
    papers = ((40, (0,)), (35, (1,)), (10, (2,)), (15, (3,)))
    rules = Constraints((("men", frozenset({0, 1})),), (Bound("men", "at_most", Fraction(1)),))
    record = count("scottish-2011", Profile(("A", "B", "C", "D"), papers, 2), 2, constraints=rules)
    assert (0, 3) == record.winners
    first = record.stages[0]
    assert any(event.kind == "over-quota-doomed" and (1,) == event.candidates for event in first.events)
    assert (1,) == record.stages[1].sources
    assert "constraint" == record.stages[1].rule


def test_a_guarded_candidate_is_passed_over_in_a_bulk_exclusion() -> None:
    papers = ((60, (0,)), (50, (1,)), (40, (2,)), (4, (3,)), (3, (4,)), (1, (5,)))
    rules = Constraints((("young", frozenset({5})),), (Bound("young", "at_least", Fraction(1)),))
    record = count("ers97", Profile(("A", "B", "C", "D", "E", "F"), papers, 3), 3, constraints=rules)
    assert 5 in record.winners
    assert 5 not in {outcome.candidate for outcome in record.excluded}
    assert {0, 1} < set(record.winners)
    assert {0, 1, 2} == {outcome.candidate for outcome in record.unconstrained or ()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "must have"),
        ('{"groups": {}, "rules": [{"group": "x", "at_least": 1}]}', "“x”, which is not defined"),
        ('{"groups": {"x": ["Zed"]}, "rules": []}', "not one candidate"),
        ('{"groups": {"x": [1]}, "rules": [{"group": "x"}]}', "at_least"),
        ('{"groups": {"x": [1]}, "rules": [{"group": "x", "at_least": "150%"}]}', "share"),
        ('{"groups": {"x": [1]}, "rules": [{"group": "x", "at_least": 0.5}]}', "share"),
        ('{"groups": {"x": [1], "x": [2]}, "rules": []}', "twice"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_bad_constraint_files_are_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises((MalformedError, CountError), match=words):
        parse_constraints(text, ("Ann", "Bob"))
