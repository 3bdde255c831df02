"""Whatever the papers: every count ends, fills what it can, adds up, keeps the constraints, and knows no order of papers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ballot.count import LotOrder, Profile, Record, count
from ballot.count.blt import read_blt, write_blt
from ballot.count.constraints import Constraints, settle
from ballot.errors import CountError, InfeasibleConstraintError, MalformedError
from tests.count.strategies import RANKED, Case, cases, profiles

EVERY = [*RANKED, "av", "approval", "up-to-n"]
slow = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(rule: str, case: Case) -> Record:
    seats = 1 if rule == "av" else case.seats
    return count(rule, case.profile, seats, ron=case.ron, constraints=case.constraints, lot=case.lot)


@pytest.mark.parametrize("rule", EVERY)
@given(case=cases())
@slow
def test_every_count_ends_fills_its_seats_adds_up_and_keeps_the_constraints(rule: str, case: Case) -> None:
    try:
        record = run(rule, case)
    except InfeasibleConstraintError:
        return
    except CountError as error:
        if rule != "up-to-n" or "no valid papers" not in str(error):
            raise
        return
    elected = [outcome.candidate for outcome in record.elected]
    assert len(set(elected)) == len(elected)
    assert not set(elected) & {outcome.candidate for outcome in record.excluded}
    for stage in record.stages:
        if rule not in {"approval", "up-to-n"}:
            stage.check(record.valid, record.places)
            assert min(stage.totals) >= 0
            assert stage.residue >= 0
    assert record.seats == len(record.winners) + record.unfilled
    if case.ron is None and not record.constraint_notes:
        assert record.seats == len(elected)
    if case.constraints is not None:
        check_constraints(record, case, case.constraints)


def check_constraints(record: Record, case: Case, constraints: Constraints) -> None:
    people = set(range(len(case.profile.candidates))) - {case.ron}
    settled = settle(constraints, record.seats, people, ron=case.ron is not None)
    for limit in settled.limits:
        have = len(limit.members.intersection(record.winners))
        if limit.maximum is not None:
            assert have <= limit.maximum
        if limit.minimum is not None and have < limit.minimum:
            # Only seats that RON took, or that the fallback left empty, can be missing.
            assert limit.minimum - have <= record.unfilled
            assert record.reopened


@pytest.mark.parametrize("rule", EVERY)
@given(case=cases(), data=st.data())
@slow
def test_papers_in_another_order_or_split_give_the_same_bytes(rule: str, case: Case, data: st.DataObject) -> None:
    papers = [(1, ranking) for weight, ranking in case.profile.papers for _ in range(weight)]
    shuffled = replace(case, profile=replace(case.profile, papers=tuple(data.draw(st.permutations(papers)))))
    try:
        record = run(rule, case)
    except CountError as error:
        with pytest.raises(type(error)):
            run(rule, shuffled)
        return
    assert record.to_json() == run(rule, shuffled).to_json()


@pytest.mark.parametrize("rule", EVERY)
@given(case=cases(), data=st.data())
@slow
def test_the_order_in_which_candidates_are_listed_decides_nothing(rule: str, case: Case, data: st.DataObject) -> None:
    number = len(case.profile.candidates)
    new = data.draw(st.permutations(range(number)))  # old number -> new number
    names = [""] * number
    for old, name in enumerate(case.profile.candidates):
        names[new[old]] = name
    moved = Case(
        replace(
            case.profile,
            candidates=tuple(names),
            papers=tuple((weight, tuple(new[choice] for choice in ranking)) for weight, ranking in case.profile.papers),  # type: ignore[index]
        ),
        case.seats,
        LotOrder.typed([new[old] for old in case.lot.order], number),
        None if case.ron is None else new[case.ron],
        None
        if case.constraints is None
        else replace(
            case.constraints,
            groups=tuple((name, frozenset(new[old] for old in members)) for name, members in case.constraints.groups),
        ),
    )
    try:
        record = run(rule, case)
    except CountError:
        assume(False)
        return
    other = run(rule, moved)
    assert {(record.candidates[o.candidate], o.stage) for o in record.elected} == {
        (other.candidates[o.candidate], o.stage) for o in other.elected
    }


@given(profile=profiles(), withdrawn=st.sets(st.integers(0, 6)), invalid=st.integers(0, 5))
def test_what_is_written_is_read_back(profile: Profile, withdrawn: set[int], invalid: int) -> None:
    number = len(profile.candidates)
    written = replace(profile, withdrawn=frozenset(withdrawn & set(range(number))), invalid=invalid)
    text = write_blt(written)
    again = read_blt(text)
    assert text == write_blt(again)
    heap: dict = {}
    for weight, ranking in profile.papers:
        heap[ranking] = heap.get(ranking, 0) + weight
    assert heap == {ranking: weight for weight, ranking in again.papers}
    assert (written.withdrawn, invalid, written.candidates) == (again.withdrawn, again.invalid, again.candidates)


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), head=st.sampled_from([b"", b"3 2\n", b"3 2\n4 1 2 0\n0\n"]))
@settings(max_examples=500)
def test_whatever_the_bytes_a_file_is_read_or_refused(data: bytes, head: bytes) -> None:
    try:
        profile = read_blt(head + data)
    except MalformedError:
        return
    assert profile.candidates
