"""A plot of lines as an SVG file, without a library: axes linear or logarithmic, one colour a series, direct labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 70, 190, 40, 50
COLOURS = ("#1f5fbf", "#b3261e", "#2e7d32", "#8e24aa", "#c77700", "#00838f", "#5d4037", "#616161")

Series = Mapping[str, Sequence[tuple[float, float]]]


def lines(path: Path, title: str, x_label: str, y_label: str, series: Series, *, log_x: bool = False, log_y: bool = False) -> None:
    """Write the plot; points that a logarithmic axis cannot show are left out."""
    shown = {name: [(x, y) for x, y in points if (x > 0 or not log_x) and (y > 0 or not log_y)] for name, points in series.items()}
    shown = {name: points for name, points in shown.items() if points}
    if not shown:
        return
    xs = [x for points in shown.values() for x, _ in points]
    ys = [y for points in shown.values() for _, y in points]
    x_ticks, y_ticks = _ticks(min(xs), max(xs), log=log_x), _ticks(0 if not log_y else min(ys), max(ys), log=log_y)
    across, up = _scale(x_ticks, LEFT, WIDTH - RIGHT, log=log_x), _scale(y_ticks, HEIGHT - BOTTOM, TOP, log=log_y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/><text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for tick in x_ticks:
        parts.append(f'<path d="M{across(tick):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{across(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,g}</text>')
    for tick in y_ticks:
        parts.append(f'<path d="M{LEFT} {up(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{up(tick) + 4:.1f}" text-anchor="end">{tick:,g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{escape(y_label)}</text>')
    ends = sorted(shown, key=lambda name: up(sorted(shown[name])[-1][1]))
    labels: dict[str, float] = {}  # each beside the end of its line, or as near below as there is room
    for name in ends:
        labels[name] = max(up(sorted(shown[name])[-1][1]) + 4, max(labels.values(), default=0) + 14)
    for number, (name, points) in enumerate(shown.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [f"{across(x):.1f} {up(y):.1f}" for x, y in sorted(points)]
        parts.append(f'<path d="M{"L".join(places)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{place.split()[0]}" cy="{place.split()[1]}" r="2.5" fill="{colour}"/>' for place in places[:40]]
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{labels[name]:.1f}" fill="{colour}">{escape(name)}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _ticks(low: float, high: float, *, log: bool) -> list[float]:
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        return [10.0**k for k in range(first, max(last, first + 1) + 1)]
    span = (high - low) or 1
    step = 10 ** math.floor(math.log10(span))
    step = next(step * k for k in (0.2, 0.5, 1, 2, 5) if span / (step * k) <= 6)
    return [step * k for k in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _scale(ticks: Sequence[float], begin: float, end: float, *, log: bool):  # type: ignore[no-untyped-def]
    def place(value: float) -> float:
        return math.log10(value) if log else value

    low, high = place(ticks[0]), place(ticks[-1])
    return lambda value: begin + (end - begin) * (place(value) - low) / (high - low)
