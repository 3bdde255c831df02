"""Where the votes went, as a Sankey diagram: for counts of up to ten candidates and eight stages whose transfers are recorded.

It stands beside the table, never instead of it: fractions and small flows cannot be read from it.
"""

from __future__ import annotations

from html import escape

from ballot.count.draw.bars import DARK, INK, LIGHT, MIDDLE, XMLNS
from ballot.count.record import Record, Stage

MOST_CANDIDATES, MOST_STAGES = 10, 8
COLUMN, NODE, TOP, TALL, GAP, NAMES, ENDS = 130, 10, 40, 420, 14, 160, 220
_SHORTEST = 2
DESCRIPTION = (
    "Each column is a stage and each block a candidate, as tall as their votes; bands show votes that stayed and votes that were"
    " transferred. The same figures are in the table."
)


def sankey(record: Record) -> str | None:
    """The diagram, or None where it would not be readable (too many candidates or stages) or transfers have no single source."""
    stages = record.stages
    if len(record.candidates) - len(record.withdrawn) > MOST_CANDIDATES or not 2 <= len(stages) <= MOST_STAGES:
        return None
    if any(stage.kind in {"iteration", "end"} and not stage.transfers and stage.number == 2 for stage in stages):
        return None
    if not any(stage.transfers for stage in stages[1:]):
        return None
    whole = record.valid * 10**record.places
    rows = [candidate for candidate in range(len(record.candidates)) if candidate not in record.withdrawn]
    rows.sort(key=lambda candidate: (-stages[0].totals[candidate], record.name(candidate)))
    height = TOP + TALL + GAP * (len(rows) + 1) + 10
    width = NAMES + ENDS + COLUMN * (len(stages) - 1) + NODE
    places = [_column(stage, rows, whole) for stage in stages]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    title = f"Where the votes went: {record.title.splitlines()[0]}" if record.title else "Where the votes went"
    parts = [
        f'<svg class="count-sankey" role="img" xmlns="{XMLNS}" {size} font-family="sans-serif" font-size="13" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{DESCRIPTION}</desc>",
    ]
    flows: list[str] = []
    for index in range(1, len(stages)):
        flows += _flows(stages, index, rows, places, whole)
    parts += flows
    for index, stage in enumerate(stages):
        x = NAMES + COLUMN * index
        parts.append(f'<text x="{x + NODE // 2}" y="20" text-anchor="middle">Stage {escape(stage.label)}</text>')
        parts += _nodes(record, stage, rows, places[index], x, last=index == len(stages) - 1, first=index == 0)
    parts.append("</svg>")
    return "\n".join(part for part in parts if part) + "\n"


def _tall(units: int, whole: int) -> int:
    return units * TALL // whole


def _column(stage: Stage, rows: list[int], whole: int) -> dict[int | None, tuple[int, int]]:
    """Top and height of each candidate's block; None is the non-transferable block."""
    found: dict[int | None, tuple[int, int]] = {}
    y = TOP
    for key in (*rows, None):
        units = stage.non_transferable if key is None else stage.totals[key]
        tall = max(_tall(units, whole), _SHORTEST if units else 0)
        found[key] = (y, tall)
        y += tall + GAP
    return found


def _flows(
    stages: tuple[Stage, ...],
    index: int,
    rows: list[int],
    places: list[dict[int | None, tuple[int, int]]],
    whole: int,
) -> list[str]:
    stage, before = stages[index], stages[index - 1]
    x1, x2 = NAMES + COLUMN * (index - 1) + NODE, NAMES + COLUMN * index
    out_y = {key: top for key, (top, _) in places[index - 1].items()}
    in_y = {key: top for key, (top, _) in places[index].items()}
    parts = []
    for key in (*rows, None):
        had = before.non_transferable if key is None else before.totals[key]
        now = stage.non_transferable if key is None else stage.totals[key]
        stayed = min(had, now)
        tall = _tall(stayed, whole)
        if tall:
            parts.append(_band(x1, out_y[key], x2, in_y[key], tall, LIGHT))
            out_y[key] += tall
            in_y[key] += tall
    for move in sorted(stage.transfers, key=lambda one: rows.index(one.target) if one.target is not None else len(rows)):
        if move.source < 0:
            continue
        tall = max(_tall(move.votes, whole), 1)
        target = move.target
        parts.append(_band(x1, out_y[move.source], x2, in_y[target], tall, MIDDLE))
        out_y[move.source] += tall
        in_y[target] += tall
    return parts


def _band(x1: int, y1: int, x2: int, y2: int, tall: int, fill: str) -> str:
    middle = (x1 + x2) // 2
    over = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    back = f"V{y2 + tall}C{middle} {y2 + tall} {middle} {y1 + tall} {x1} {y1 + tall}Z"
    return f'<path d="{over}{back}" fill="{fill}" fill-opacity="0.75"/>'


def _nodes(
    record: Record,
    stage: Stage,
    rows: list[int],
    places: dict[int | None, tuple[int, int]],
    x: int,
    *,
    first: bool,
    last: bool,
) -> list[str]:
    elected = {outcome.candidate: outcome.stage for outcome in record.elected}
    parts = []
    for key in (*rows, None):
        top, tall = places[key]
        units = stage.non_transferable if key is None else stage.totals[key]
        if not units and not first:
            continue
        chosen = key is not None and elected.get(key, 10**9) <= stage.number
        fill = DARK if chosen else ("#ffffff" if key is None else MIDDLE)
        if units:
            parts.append(f'<rect x="{x}" y="{top}" width="{NODE}" height="{tall}" fill="{fill}" stroke="{INK}" stroke-width="1"/>')
        if key is None and not units:
            continue
        name = "Non-transferable" if key is None else _short(record.name(key), 20)
        middle = top + max(tall // 2, 4) + 4
        if first:
            parts.append(f'<text x="{x - 6}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        elif last:
            word = ' <tspan font-weight="bold">elected</tspan>' if chosen else ""
            parts.append(f'<text x="{x + NODE + 6}" y="{middle}">{escape(name)}{word}</text>')
    return parts


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
