"""Turnout by day: whole days in UK time, quiet days put together, and no more than that."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ballot.services import lifecycle
from ballot.services.turnout import LEAST, Days, joined, left_words, turnout_of
from ballot.web.turnout import line, sentence, when
from tests.services.world import CLOSES, MOTION, NOW, OPENS, World

DAY = date(2026, 3, 3)


def after(days: int) -> date:
    return DAY + timedelta(days=days)


@given(st.dictionaries(st.integers(0, 60), st.integers(0, 30)))
def test_every_vote_is_in_one_span_and_no_span_shows_few(found: dict[int, int]) -> None:
    counts = Counter({after(day): number for day, number in found.items() if number})
    spans = joined(counts)
    assert sum(counts.values()) == sum(span.votes for span in spans)
    assert len(spans) <= 1 or all(span.votes >= LEAST for span in spans)
    assert all(before.last < then.first for before, then in itertools.pairwise(spans))
    assert [sum(part.votes for part in spans[: n + 1]) for n in range(len(spans))] == [span.total for span in spans]


def test_quiet_days_are_put_together_and_a_quiet_end_goes_with_the_days_before() -> None:
    counts = Counter({DAY: 12, after(1): 2, after(3): 4, after(4): 30, after(5): 1})
    expected = (Days(DAY, DAY, 12, 12), Days(after(1), after(3), 6, 18), Days(after(4), after(5), 31, 49))
    assert expected == joined(counts)
    assert ["3 March", "4 to 6 March", "7 to 8 March"] == [when(part) for part in expected]
    assert (Days(DAY, DAY, 3, 3),) == joined(Counter({DAY: 3}))
    assert () == joined(Counter())


def test_a_vote_is_of_its_day_in_the_uk_and_a_replaced_vote_counts_once(world: World) -> None:
    meeting = world.meeting(two_people=False)
    rules = [{"rule": "motion", "threshold": "simple-majority", "base": "cast", "quorum": 6}]
    uuid = world.election(meeting, questions=[MOTION], replace=True, rules=rules)
    world.open(uuid)
    members = world.members(meeting)
    for entry in members[:5]:
        world.cast(uuid, entry, [(0, 1, 0)])
    world.clock.moment = OPENS.replace(hour=23, minute=59)
    world.cast(uuid, members[5], [(0, 1, 0)])
    world.clock.moment = OPENS + timedelta(days=2)
    world.cast(uuid, members[0], [(0, 0, 1)])
    world.cast(uuid, members[6], [(0, 0, 1)])
    with world.database.read() as session:
        turnout = turnout_of(session, lifecycle.election_of(session, uuid))
    assert (7, 8, 6, 87) == (turnout.voted, turnout.electorate, turnout.quorum, turnout.percent)
    assert (Days(date(2026, 3, 3), date(2026, 3, 5), 7, 7),) == turnout.days
    assert (date(2026, 3, 3), date(2026, 3, 10)) == (turnout.opens, turnout.closes)
    assert "7 of 8 members have voted (87 %). The quorum of 6 is reached." == sentence(turnout)
    drawing = line(turnout)
    assert "Quorum 6" in drawing
    assert 1 == drawing.count("<circle")
    assert "style=" not in drawing


def test_in_summer_time_a_vote_before_midnight_utc_may_be_of_the_next_day(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    with world.database.write() as session:
        election = lifecycle.election_of(session, uuid)
        election.closes_at = CLOSES + timedelta(days=60)
        session.add(election)
    for entry in world.members(meeting)[:5]:
        world.clock.moment = NOW.replace(month=4, hour=23, minute=30)
        world.cast(uuid, entry, [(0, 1, 0)])
    with world.database.read() as session:
        assert date(2026, 4, 3) == turnout_of(session, lifecycle.election_of(session, uuid)).days[0].last


def test_the_time_left_is_said_in_words() -> None:
    for left, words in (
        (timedelta(days=3, hours=5), "3 days"),
        (timedelta(days=1, hours=5), "1 day and 5 hours"),
        (timedelta(hours=23, minutes=50), "23 hours"),
        (timedelta(minutes=61), "61 minutes"),
        (timedelta(seconds=30), "less than a minute"),
        (timedelta(0), ""),
    ):
        assert words == left_words(NOW + left, NOW)
