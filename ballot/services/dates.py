"""What an officer should think about in the dates of a ballot, in sentences. Pure: the moment it is comes from the caller.

Bank holidays are computed: the days of the Banking and Financial Dealings Act 1971, and those that are proclaimed every year in
the same way, with the weekday that takes the place of one on a weekend. What is proclaimed once only is in `ONCE`, and a day
proclaimed after this version is not known here.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from ballot.language import N_, listing, nN_, phrase, phrases
from ballot.services.clock import LONDON, spoken, spoken_day, spoken_hour

ENGLAND_AND_WALES: Final = phrase("England and Wales")
SCOTLAND: Final = phrase("Scotland")
NORTHERN_IRELAND: Final = phrase("Northern Ireland")
NATIONS: Final = (ENGLAND_AND_WALES, SCOTLAND, NORTHERN_IRELAND)

ONCE: Final = {(SCOTLAND, date(2026, 6, 15)): phrase("World Cup bank holiday")}
_FIXED: Final = {
    ENGLAND_AND_WALES: ((1, 1, phrase("New Year’s Day")), (12, 25, phrase("Christmas Day")), (12, 26, phrase("Boxing Day"))),
    SCOTLAND: (
        *((1, 1, phrase("New Year’s Day")), (1, 2, phrase("2nd January")), (11, 30, phrase("St Andrew’s Day"))),
        *((12, 25, phrase("Christmas Day")), (12, 26, phrase("Boxing Day"))),
    ),
    NORTHERN_IRELAND: (
        *((1, 1, phrase("New Year’s Day")), (3, 17, phrase("St Patrick’s Day")), (7, 12, phrase("Battle of the Boyne"))),
        *((12, 25, phrase("Christmas Day")), (12, 26, phrase("Boxing Day"))),
    ),
}

MORNING, EVENING = 7, 22  # from the hour of the evening until the hour of the morning it is night
SOON: Final = timedelta(hours=1)  # a count so soon after the close leaves no time for what goes wrong


def easter_sunday(year: int) -> date:
    """By the Gregorian calendar, in whole numbers (the rule in Butcher's Ecclesiastical Calendar, 1876)."""
    golden, century, short = year % 19, year // 100, year % 100
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (short // 4) - epact - short % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """The first, second, … Monday (0) to Sunday (6) of a month; -1 is the last."""
    if number < 0:
        last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


@lru_cache(maxsize=16)
def bank_holidays(year: int) -> dict[date, dict[str, str]]:
    """Each weekday on which banks are closed somewhere in the United Kingdom: in which nations, and what it is called there."""
    easter = easter_sunday(year)
    found: dict[date, dict[str, str]] = {}
    for nation in NATIONS:
        days = {
            easter - timedelta(days=2): phrase("Good Friday"),
            _nth(year, 5, 0, 1): phrase("Early May bank holiday"),
            _nth(year, 5, 0, -1): phrase("Spring bank holiday"),
            _nth(year, 8, 0, 1 if nation == SCOTLAND else -1): phrase("Summer bank holiday"),
        }
        if nation != SCOTLAND:
            days[easter + timedelta(days=1)] = phrase("Easter Monday")
        fixed = [(date(year, month, day), name) for month, day, name in _FIXED[nation]]
        days |= {day: name for day, name in fixed if day.weekday() < 5}
        for day, name in fixed:
            if day.weekday() >= 5:
                instead = day
                while instead.weekday() >= 5 or instead in days:
                    instead += timedelta(days=1)
                days[instead] = phrase("{name} (in its place)", name=name)
        days |= {day: name for (where, day), name in ONCE.items() if where == nation and day.year == year}
        for day, name in days.items():
            found.setdefault(day, {})[nation] = name
    return found


def holiday_words(day: date) -> str:
    """Such as `the Summer bank holiday in Scotland`; "" on a day like any other."""
    where = bank_holidays(day.year).get(day, {})
    names: dict[str, list[str]] = {}
    for nation, name in where.items():
        names.setdefault(name, []).append(nation)
    parts = [
        phrase("{holiday} in {nations}", holiday=name, nations=listing(nations)) if len(nations) < len(NATIONS) else name
        for name, nations in names.items()
    ]
    return listing(parts)


# --- what to think about ----------------------------------------------------------------------------------------


def earliest_opening(now: datetime, notice_days: int) -> date:
    """The first day on which voting may open after so many clear days: neither the day of the notice nor that of the opening counts."""
    return now.astimezone(LONDON).date() + timedelta(days=notice_days + 1)


def warnings(opens: datetime, closes: datetime, now: datetime, *, notice_days: int = 0) -> list[str]:
    """What is unusual about these dates, in sentences; none of it is forbidden."""
    found: list[str] = []
    opening, closing = opens.astimezone(LONDON), closes.astimezone(LONDON)
    if notice_days and opening.date() < (earliest := earliest_opening(now, notice_days)):
        found.append(
            phrases(
                "Your rules ask for {count} clear day of notice. If the e-mails go out today, the earliest day to open is {day}.",
                "Your rules ask for {count} clear days of notice. If the e-mails go out today, the earliest day to open is {day}.",
                notice_days,
                day=spoken_day(earliest),
            )
        )
    if closing.hour >= EVENING or closing.hour < MORNING:
        found.append(
            phrase(
                "Voting closes at night, {hour}, when nobody can help a member who is stuck. Choose a time in the day.",
                hour=spoken_hour(closes),
            )
        )
    elif closing.hour < 9:
        found.append(
            phrase("Voting closes early, at {hour}. Many members vote in the last evening: choose a later time.", hour=spoken_hour(closes))
        )
    if opening.hour >= EVENING or opening.hour < MORNING:
        found.append(
            phrase(
                "Voting opens at night, {hour}. The e-mails may arrive before somebody is there to answer questions.",
                hour=spoken_hour(opens),
            )
        )
    opens_then = N_("{day}, when voting opens, is a bank holiday: {holiday}. Members may be away, and helpers too.")
    closes_then = N_("{day}, when voting closes, is a bank holiday: {holiday}. Members may be away, and helpers too.")
    for words, moment in ((opens_then, opening), (closes_then, closing)):
        if holiday := holiday_words(moment.date()):
            found.append(phrase(words, day=spoken_day(moment.date()), holiday=holiday))
    if closes - opens < timedelta(days=2):
        one, many = nN_(
            "Voting is open for {count} hour only. Members who read their e-mail every other day would miss it.",
            "Voting is open for {count} hours only. Members who read their e-mail every other day would miss it.",
        )
        found.append(phrases(one, many, round((closes - opens) / timedelta(hours=1))))
    found += _clock_changes(opens, closes)
    return found


def _clock_changes(opens: datetime, closes: datetime) -> list[str]:
    found: list[str] = []
    day, last = opens.astimezone(LONDON).date(), closes.astimezone(LONDON).date()
    while day <= last and len(found) < 2:
        if (way := clock_change(day)) and _noon(day) - timedelta(hours=12) < closes:
            forward = N_("The clocks go forward on {day}, while voting is open. It closes {when}, by the clock of that day.")
            back = N_("The clocks go back on {day}, while voting is open. It closes {when}, by the clock of that day.")
            words = forward if way == "forward" else back
            found.append(phrase(words, day=spoken_day(day), when=spoken(closes)))
        day += timedelta(days=1)
    if clock_change(last) == "back" and closes.astimezone(LONDON).hour == 1:
        found.append(
            phrase(
                "There are two hours from 1am to 2am on {day}, because the clocks go back. Choose another time to close.",
                day=spoken_day(last),
            )
        )
    return found


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=LONDON)


def clock_change(day: date) -> str:
    """Whether the clocks go "forward" or "back" on this day; "" for neither."""
    before, after = (_noon(day - timedelta(days=1)).utcoffset(), _noon(day).utcoffset())
    return "" if before is None or after is None or before == after else "forward" if before < after else "back"


def count_warnings(closes: datetime, counts: datetime | None, *, named: int, needed: int, free: int | None, unready: int) -> list[str]:
    """What is missing for the count. `named` key-holders, of whom `needed` open the box and `free` have said that they are free then.

    `free` is None where nobody has noted it for this moment; `unready` have still to make a key or prove it.
    """
    if counts is None:
        return [phrase("No time for the count is set. Agree one with the key-holders, so that enough of them are free.")]
    found: list[str] = []
    if counts < closes:
        found.append(phrase("The count is before voting closes {when}.", when=spoken(closes)))
    elif counts - closes < SOON:
        found.append(phrase("The count begins within an hour of the close. Leave some time for what may go wrong."))
    counting = counts.astimezone(LONDON)
    if counting.hour >= EVENING or counting.hour < MORNING:
        found.append(phrase("The count begins at night, {hour}.", hour=spoken_hour(counts)))
    if holiday := holiday_words(counting.date()):
        found.append(phrase("{day}, the day of the count, is a bank holiday: {holiday}.", day=spoken_day(counting.date()), holiday=holiday))
    if not named:
        found.append(phrase("No key-holders are named for the count yet."))
    elif free is None:
        found.append(phrase("The key-holders have not been asked yet whether they are free on {when}.", when=spoken(counts)))
    elif free < needed:
        found.append(
            phrases(
                "{count} key-holder of {named} is free on {when}, and {needed} are needed.",
                "{count} key-holders of {named} are free on {when}, and {needed} are needed.",
                free,
                named=named,
                when=spoken(counts),
                needed=needed,
            )
        )
    elif free == needed:
        one, many = nN_(
            "Only {count} key-holder is free at the count, and is needed. Ask one more to keep the time.",
            "Only {count} key-holders are free at the count, and all of them are needed. Ask one more to keep the time.",
        )
        found.append(phrases(one, many, free))
    if named and unready and not found:
        found.append(phrases("{count} key-holder has no proved key yet.", "{count} key-holders have no proved key yet.", unready))
    return found
