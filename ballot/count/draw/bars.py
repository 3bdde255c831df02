"""One stage as horizontal bars in SVG, with the quota line.

Made for a narrow screen and for paper: the name and the votes stand above each bar, all text is horizontal. Three fills that
differ in lightness, and words for every state, so that it reads in greyscale and without colour.
"""

from __future__ import annotations

from html import escape

from ballot.count.draw.table import stage_name
from ballot.count.draw.words import brief, shown, stage_sentence
from ballot.count.record import Record, Stage

DARK, MIDDLE, LIGHT, INK = "#1b3a5c", "#6d94bf", "#cfdcea", "#1a1a1a"
WIDTH, ROW, TOP, LEFT, RIGHT = 420, 36, 46, 8, 8
BAR = 13
XMLNS = "http://www.w3.org/2000/svg"
_LONGEST_NAME = 34


def bars(record: Record, stage: Stage) -> str:
    """The stage's votes as an SVG image with a title; the same figures are in the table."""
    gone = {outcome.candidate for outcome in record.excluded if outcome.stage < stage.number}
    rows = [
        candidate
        for candidate in range(len(record.candidates))
        if candidate not in record.withdrawn and (candidate not in gone or stage.totals[candidate])
    ]
    rows.sort(key=lambda candidate: (-stage.totals[candidate], record.name(candidate)))
    approval = record.rule_id in {"approval", "up-to-n"}
    others = [] if approval else [("Non-transferable", stage.non_transferable)]
    before = record.stages[stage.number - 2].totals if stage.number > 1 else None
    most = max([1, stage.quota, *stage.totals, *(before or ()), *(units for _, units in others)])
    room = WIDTH - LEFT - RIGHT
    height = TOP + ROW * (len(rows) + len(others)) + 8
    quota_x = LEFT + _length(stage.quota, most, room)
    title = f"Stage {stage.label}: {stage_name(record, stage)}"
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg class="count-bars" role="img" xmlns="{XMLNS}" {size} font-family="sans-serif" font-size="13" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(stage_sentence(record, stage))}</desc>",
        f'<text x="{LEFT}" y="16" font-size="14" font-weight="bold">{escape(_short(title, 52))}</text>',
    ]
    y = TOP
    for candidate in rows:
        parts += _row(record, stage, candidate, y, most, room, before)
        y += ROW
    for name, units in others:
        parts.append(f'<text x="{LEFT}" y="{y + 12}">{name}</text>')
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{y + 12}" text-anchor="end">{shown(record, units)}</text>')
        parts.append(_bar(LEFT, y + 16, _length(units, most, room), "#ffffff", dashed=True))
        y += ROW
    if not approval:
        word = "More than half" if record.rule_id == "av" else "Quota"
        text = f"{word} {brief(record, stage.quota)}"
        anchor, x = ("end", min(quota_x + 4, WIDTH - RIGHT)) if quota_x > WIDTH / 2 else ("start", quota_x)
        parts.append(f'<text x="{x}" y="36" text-anchor="{anchor}">{text}</text>')
        for index in range(len(rows)):
            # Broken where the names stand, so that it never strikes through text.
            top = TOP + ROW * index + 15
            ends = f'x1="{quota_x}" y1="{top}" x2="{quota_x}" y2="{top + BAR + 3}"'
            parts.append(f'<line class="count-quota-line" {ends} stroke="{INK}" stroke-width="2"/>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _row(record: Record, stage: Stage, candidate: int, y: int, most: int, room: int, before: tuple[int, ...] | None) -> list[str]:
    votes = stage.totals[candidate]
    elected = next((outcome.stage for outcome in record.elected if outcome.candidate == candidate), None)
    excluded = next((outcome.stage for outcome in record.excluded if outcome.candidate == candidate), None)
    word = ""
    if elected is not None and elected <= stage.number:
        word = "elected" if candidate not in record.ron else "seat unfilled"
    elif excluded == stage.number:
        word = "excluded"
    name = _short(record.name(candidate), _LONGEST_NAME)
    label = f"{escape(name)}" + (f'<tspan font-weight="bold"> – {word}</tspan>' if word else "")
    fill = DARK if word in {"elected", "seat unfilled"} else (LIGHT if word == "excluded" else MIDDLE)
    width = _length(votes, most, room)
    parts = [
        f'<text x="{LEFT}" y="{y + 12}">{label}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{y + 12}" text-anchor="end">{shown(record, votes)}</text>',
    ]
    gained = votes - before[candidate] if before is not None else 0
    if gained > 0:
        held = _length(before[candidate], most, room) if before is not None else 0
        parts.append(_bar(LEFT, y + 16, held, fill))
        parts.append(_bar(LEFT + held, y + 16, width - held, LIGHT))
    elif gained < 0 and before is not None:
        parts.append(_bar(LEFT, y + 16, width, fill))
        parts.append(_bar(LEFT + width, y + 16, _length(before[candidate], most, room) - width, "#ffffff", dashed=True))
    else:
        parts.append(_bar(LEFT, y + 16, width, fill))
    return parts


def _bar(x: int, y: int, width: int, fill: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="3 2"' if dashed else ""
    return (
        f'<rect x="{x}" y="{y}" width="{max(width, 0)}" height="{BAR}" fill="{fill}" stroke="{INK}" stroke-width="1"{dash}/>'
        if width
        else ""
    )


def _length(units: int, most: int, room: int) -> int:
    """Whole pixels, so that the same record gives the same bytes everywhere."""
    return units * room // most


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def legend(record: Record) -> str:
    """What the fills mean, in words."""
    quota = "more than half of the votes in play" if record.rule_id == "av" else "the quota"
    return (
        f"Dark: elected. Middle: continuing. Light: votes received at this stage, or a candidate being excluded."
        f" Dashed: votes that left, and non-transferable votes. Upright line: {quota}."
    )
