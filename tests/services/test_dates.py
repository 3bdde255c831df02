"""Bank holidays as the governments list them, the change of the clocks, and what an officer is told about unusual dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ballot.services import dates
from ballot.services.clock import LONDON
from ballot.services.dates import ENGLAND_AND_WALES, NORTHERN_IRELAND, SCOTLAND

# https://www.gov.uk/bank-holidays, as months and days
LISTED = {
    (ENGLAND_AND_WALES, 2026): "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",
    (SCOTLAND, 2026): "01-01 01-02 04-03 05-04 05-25 06-15 08-03 11-30 12-25 12-28",
    (NORTHERN_IRELAND, 2026): "01-01 03-17 04-03 04-06 05-04 05-25 07-13 08-31 12-25 12-28",
    (ENGLAND_AND_WALES, 2027): "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28",
    (SCOTLAND, 2027): "01-01 01-04 03-26 05-03 05-31 08-02 11-30 12-27 12-28",
    (NORTHERN_IRELAND, 2027): "01-01 03-17 03-26 03-29 05-03 05-31 07-12 08-30 12-27 12-28",
    (ENGLAND_AND_WALES, 2028): "01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26",
    (SCOTLAND, 2028): "01-03 01-04 04-14 05-01 05-29 08-07 11-30 12-25 12-26",
    # a Christmas and a New Year on a Sunday
    (SCOTLAND, 2033): "01-03 01-04 04-15 05-02 05-30 08-01 11-30 12-26 12-27",
    (SCOTLAND, 2034): "01-02 01-03 04-07 05-01 05-29 08-07 11-30 12-25 12-26",
}


@pytest.mark.parametrize(("nation", "year"), LISTED, ids=str)
def test_bank_holidays_are_those_that_are_published(nation: str, year: int) -> None:
    found = [day for day, where in sorted(dates.bank_holidays(year).items()) if nation in where]
    assert LISTED[nation, year].split() == [f"{day:%m-%d}" for day in found]


def test_a_holiday_says_where_it_is_one() -> None:
    assert "Summer bank holiday in Scotland" == dates.holiday_words(date(2026, 8, 3))
    assert "Good Friday" == dates.holiday_words(date(2026, 4, 3))
    assert "Easter Monday in England and Wales and Northern Ireland" == dates.holiday_words(date(2026, 4, 6))
    assert "Boxing Day (in its place)" == dates.holiday_words(date(2026, 12, 28))
    assert "" == dates.holiday_words(date(2026, 8, 4))


def test_the_clocks_change_on_the_last_sundays_of_march_and_october() -> None:
    found = {day: way for n in range(365) if (way := dates.clock_change(day := date(2026, 1, 1) + timedelta(days=n)))}
    assert {date(2026, 3, 29): "forward", date(2026, 10, 25): "back"} == found


def uk(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).astimezone(UTC)


NOW = uk("2026-03-02 10:00")


@pytest.mark.parametrize(
    ("opens", "closes", "notice", "expected"),
    [
        ("2026-03-09 09:00", "2026-03-20 17:00", 0, []),
        ("2026-03-17 09:00", "2026-03-25 17:00", 14, ["when voting opens, is a bank holiday: St Patrick’s Day in Northern Ireland."]),
        (
            "2026-03-16 09:00",
            "2026-03-25 17:00",
            14,
            ["14 clear days of notice. If the e-mails go out today, the earliest day to open is Tuesday 17 March 2026"],
        ),
        ("2026-03-09 09:00", "2026-03-20 23:30", 0, ["closes at night, 11.30pm"]),
        ("2026-03-09 09:00", "2026-03-20 00:00", 0, ["closes at night, midnight"]),
        ("2026-03-09 09:00", "2026-03-20 08:00", 0, ["closes early, at 8am"]),
        ("2026-03-09 05:00", "2026-03-20 17:00", 0, ["opens at night, 5am"]),
        (
            "2026-03-09 09:00",
            "2026-04-03 17:00",
            0,
            ["Friday 3 April 2026, when voting closes, is a bank holiday: Good Friday.", "The clocks go forward on Sunday 29 March 2026"],
        ),
        ("2026-03-09 09:00", "2026-03-10 17:00", 0, ["open for 32 hours only"]),
        (
            "2026-10-20 09:00",
            "2026-10-25 01:30",
            0,
            ["closes at night, 1.30am", "clocks go back on Sunday 25 October 2026", "two hours from 1am to 2am"],
        ),
        ("2026-10-20 09:00", "2026-10-25 17:00", 0, ["It closes Sunday 25 October 2026 at 5pm (UK time), by the clock of that day."]),
    ],
    ids=str,
)
def test_unusual_dates_are_spoken_of(opens: str, closes: str, notice: int, expected: list[str]) -> None:
    found = dates.warnings(uk(opens), uk(closes), NOW, notice_days=notice)
    assert len(expected) == len(found), found
    for words, sentence in zip(expected, found, strict=True):
        assert words in sentence


@pytest.mark.parametrize(
    ("counts", "named", "free", "unready", "expected"),
    [
        (None, 3, None, 0, ["No time for the count is set."]),
        ("2026-03-20 19:00", 3, 3, 0, []),
        ("2026-03-20 16:00", 3, 3, 0, ["before voting closes"]),
        ("2026-03-20 17:30", 3, 3, 0, ["within an hour of the close"]),
        ("2026-03-20 22:30", 3, 3, 0, ["begins at night, 10.30pm"]),
        ("2026-04-03 12:00", 3, 3, 0, ["is a bank holiday: Good Friday"]),
        ("2026-03-20 19:00", 0, None, 0, ["No key-holders are named"]),
        ("2026-03-20 19:00", 3, None, 3, ["have not been asked yet whether they are free on Friday 20 March 2026 at 7pm"]),
        ("2026-03-20 19:00", 3, 1, 0, ["1 key-holder of 3 is free on Friday 20 March 2026 at 7pm (UK time), and 2 are needed."]),
        ("2026-03-20 19:00", 3, 2, 0, ["all of them are needed"]),
        ("2026-03-20 19:00", 3, 3, 1, ["1 key-holder has no proved key yet"]),
    ],
)
def test_a_count_without_its_key_holders_is_spoken_of(
    counts: str | None, named: int, free: int | None, unready: int, expected: list[str]
) -> None:
    closes = uk("2026-03-20 17:00")
    found = dates.count_warnings(closes, uk(counts) if counts else None, named=named, needed=2, free=free, unready=unready)
    assert len(expected) == len(found), found
    for words, sentence in zip(expected, found, strict=True):
        assert words in sentence
