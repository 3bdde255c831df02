"""Turnout as a line by day in SVG, drawn on the server; the same figures stand in the table beneath it.

All text is horizontal and the line is told from the quorum by dashes and words, not by colour alone.
"""

from __future__ import annotations

from datetime import date
from html import escape

from markupsafe import Markup

from ballot.language import joined, phrase, shown
from ballot.services.clock import MONTHS
from ballot.services.turnout import Days, Turnout

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 18, 34


def line(turnout: Turnout) -> Markup:
    """The members who have voted by the end of each day, from the opening to the close; with a mark for the quorum."""
    span = max((turnout.closes - turnout.opens).days + 1, 1)
    highest = max(turnout.electorate, turnout.voted, turnout.quorum, 1)
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(days: float) -> float:
        return round(LEFT + across * min(days, span) / span, 1)

    def y(votes: int) -> float:
        return round(TOP + up * (1 - votes / highest), 1)

    points = [(x(0), y(0)), *((x((part.last - turnout.opens).days + 1), y(part.total)) for part in turnout.days)]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="15"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="turnout-title">',
        f'<title id="turnout-title">{escape(shown(sentence(turnout)))}</title>',
    ]
    for votes in range(0, highest + 1, _step(highest)):
        at = y(votes)
        parts.append(f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="#cfd4d8" stroke-width="1"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 5}" text-anchor="end">{votes:,}</text>')
    if turnout.quorum:
        at = y(turnout.quorum)
        parts.append(f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="#8a4b00" stroke-width="2" stroke-dasharray="7 5"/>')
        quorum = escape(shown(phrase("Quorum {quorum:,}", quorum=turnout.quorum)))
        above = at - 6 if at > TOP + 16 else at + 17
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{above}" text-anchor="end" fill="#8a4b00">{quorum}</text>')
    parts.append(
        f'<path d="M{" L".join(f"{a} {b}" for a, b in points)}" fill="none" stroke="#17594a" stroke-width="3" stroke-linejoin="round"/>'
    )
    parts += [f'<circle cx="{a}" cy="{b}" r="3.5" fill="#17594a"/>' for a, b in points[1:]]
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 9}">{escape(short(turnout.opens))}</text>')
    if span > 1:
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 9}" text-anchor="end">{escape(short(turnout.closes))}</text>')
    return Markup("".join(parts) + "</svg>")  # noqa: S704  numbers and dates, the title escaped above


def _step(highest: int) -> int:
    """1, 2 or 5 with noughts, so that at most 5 lines are drawn above the lowest."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if highest <= 5 * step:
                return step
        power *= 10


def sentence(turnout: Turnout) -> str:
    """What the line shows, in words."""
    figures = {"voted": turnout.voted, "electorate": turnout.electorate, "percent": turnout.percent}
    found = [phrase("{voted:,} of {electorate:,} members have voted ({percent} %).", **figures)]
    if turnout.quorum and turnout.voted >= turnout.quorum:
        found.append(phrase("The quorum of {quorum:,} is reached.", quorum=turnout.quorum))
    elif turnout.quorum:
        found.append(phrase("The quorum of {quorum:,} is not reached yet.", quorum=turnout.quorum))
    return joined(found)


def when(part: Days) -> str:
    """“9 March”, or “9 to 11 March” for days that are put together."""
    if part.first == part.last:
        return long(part.first)
    if part.first.month == part.last.month:
        return phrase("{first} to {last}", first=part.first.day, last=long(part.last))
    return phrase("{first} to {last}", first=long(part.first), last=long(part.last))


def long(day: date) -> str:
    """“9 March”."""
    return phrase("{day} {month}", day=day.day, month=MONTHS[day.month - 1])


def short(day: date) -> str:
    """“9 Mar”."""
    return f"{day.day} {shown(MONTHS[day.month - 1])[:3]}"
