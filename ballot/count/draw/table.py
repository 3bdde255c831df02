"""The stage table as accessible HTML: candidate rows, and for each stage what was transferred and the total after it.

States are words as well as classes. The last row is the sum of the rows above it and always the valid vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from ballot.count.draw.words import brief, decimals, shown, state_words, who
from ballot.count.record import Record, Stage, decimal

MINUS = "\u2212"


def tables(record: Record, ident: str = "stages", most: int = 5) -> str:
    """The table in parts of at most so many stages, for narrow screens and paper; the candidates stand in each part."""
    count = len(record.stages)
    parts = -(-count // most) or 1
    ends = [count * part // parts for part in range(parts + 1)]
    return "".join(
        table(record, ident if parts == 1 else f"{ident}-{part}", record.stages[start:end])
        for part, (start, end) in enumerate(pairwise(ends), 1)
    )


def table(record: Record, ident: str = "stages", part: Sequence[Stage] = ()) -> str:
    """The table in a region that can be scrolled by keyboard; `ident` is unique on the page. `part` are the stages shown, or all."""
    part = part or record.stages
    rows = [
        f'<div class="count-scroll" role="region" tabindex="0" aria-labelledby="{escape(ident)}-caption">',
        f'<table class="count-table" id="{escape(ident)}">',
        f'<caption id="{escape(ident)}-caption">{escape(caption(record, part))}</caption>',
        "<thead>",
        _stage_heads(record, part),
        _column_heads(part),
        "</thead>",
        "<tbody>",
        *(_candidate_row(record, candidate, part) for candidate in _order(record)),
        "</tbody>",
        "<tbody>",
        *_other_rows(record, part),
        "</tbody>",
        "<tfoot>",
        _total_row(record, part),
        "</tfoot>",
        "</table>",
        "</div>",
    ]
    return "\n".join(rows) + "\n"


def caption(record: Record, part: Sequence[Stage]) -> str:
    """What the table shows."""
    title = f"{record.title.splitlines()[0]}: " if record.title else ""
    cut = f" Votes are shown to {decimals(record)} decimals." if decimals(record) < record.places else ""
    stages = "every stage" if len(part) == len(record.stages) else f"stages {part[0].label} to {part[-1].label}"
    return f"{title}votes of each candidate at {stages}, {record.rule_title}.{cut}"


def _is_last(record: Record, part: Sequence[Stage]) -> bool:
    return part[-1].number == record.stages[-1].number


def _before(record: Record, part: Sequence[Stage]) -> Stage | None:
    """The stage before this part."""
    first = part[0].number
    return next((stage for stage in record.stages if stage.number == first - 1), None)


def _order(record: Record) -> list[int]:
    return [candidate for candidate in range(len(record.candidates)) if candidate not in record.withdrawn]


def stage_name(record: Record, stage: Stage) -> str:
    """A stage's short heading."""
    if stage.kind == "first":
        return "Votes" if record.rule_id in {"approval", "up-to-n"} else "First preferences"
    if stage.kind == "surplus":
        return f"Surplus of {who(record, stage.sources)}"
    if stage.kind == "exclusion":
        return f"Exclusion of {who(record, stage.sources)}"
    if stage.kind == "end":
        return "No transfer"
    return f"After {stage.iterations} {'iteration' if stage.iterations == 1 else 'iterations'}"


def _stage_heads(record: Record, part: Sequence[Stage]) -> str:
    cells = ['<th scope="col" rowspan="2" class="count-name">Candidate</th>']
    for stage in part:
        width = ' colspan="2" scope="colgroup"' if stage.number > 1 else ' scope="col"'
        cells.append(f'<th{width}><span class="count-stage">Stage {escape(stage.label)}</span> {escape(stage_name(record, stage))}</th>')
    if _is_last(record, part):
        cells.append('<th scope="col" rowspan="2">Result</th>')
    return "<tr>" + "".join(cells) + "</tr>"


def _column_heads(part: Sequence[Stage]) -> str:
    cells = [('<th scope="col">Transfer</th>' if stage.number > 1 else "") + '<th scope="col">Total</th>' for stage in part]
    return "<tr>" + "".join(cells) + "</tr>"


def _decided_at(record: Record, candidate: int) -> tuple[int | None, int | None]:
    """The stages (from 1) at which the candidate was elected and excluded."""
    elected = next((outcome.stage for outcome in record.elected if outcome.candidate == candidate), None)
    excluded = next((outcome.stage for outcome in record.excluded if outcome.candidate == candidate), None)
    return elected, excluded


def _signed(record: Record, before: int, after: int) -> str:
    places = decimals(record)
    scale: int = 10 ** (record.places - places)
    change = after // scale - before // scale
    if change == 0:
        return ""
    return ("+" if change > 0 else MINUS) + decimal(abs(change), places)


def _candidate_row(record: Record, candidate: int, part: Sequence[Stage]) -> str:
    elected, excluded = _decided_at(record, candidate)
    cells = [f'<th scope="row" class="count-name"><bdi>{escape(record.name(candidate))}</bdi></th>']
    earlier = _before(record, part)
    before = earlier.totals[candidate] if earlier else 0
    for stage in part:
        votes = stage.totals[candidate]
        state = ""
        if elected is not None and stage.number >= elected:
            state = " count-elected"
        elif excluded is not None and stage.number >= excluded:
            state = " count-gone"
        if stage.number > 1:
            cells.append(f'<td class="count-move{state}">{_signed(record, before, votes)}</td>')
        word = ""
        if elected == stage.number:
            word = (
                ' <span class="count-word">Elected</span>'
                if candidate not in record.ron
                else ' <span class="count-word">Seat unfilled</span>'
            )
        elif excluded == stage.number:
            word = ' <span class="count-word">Excluded</span>'
        gone = excluded is not None and stage.number > excluded and votes == 0
        cells.append(f'<td class="count-total{state}">{"–" if gone else shown(record, votes)}{word}</td>')
        before = votes
    if _is_last(record, part):
        result = state_words(record, candidate).replace("at stage ", "at\N{NO-BREAK SPACE}stage\N{NO-BREAK SPACE}")  # 2 lines, not 3
        cells.append(f'<td class="count-result">{escape(result)}</td>')
    return "<tr>" + "".join(cells) + "</tr>"


def _other_rows(record: Record, part: Sequence[Stage]) -> list[str]:
    if record.rule_id in {"approval", "up-to-n"}:
        return []
    rows = [_extra(record, "Non-transferable", [stage.non_transferable for stage in record.stages], part)]
    lost = [_lost(record, stage) for stage in record.stages]
    if any(lost):
        rows.append(_extra(record, "Lost to rounding", lost, part))
    quota = "".join(
        (f"<td></td><td>{brief(record, stage.quota)}</td>" if stage.number > 1 else f"<td>{brief(record, stage.quota)}</td>")
        for stage in part
    )
    name = "More than half" if record.rule_id == "av" else "Quota"
    rows.append(f'<tr class="count-quota"><th scope="row" class="count-name">{name}</th>{quota}{_end(record, part)}</tr>')
    return rows


def _lost(record: Record, stage: Stage) -> int:
    """The residue, with what the shown decimals cut off, so that the printed column adds up."""
    scale: int = 10 ** (record.places - decimals(record))
    printed = sum(units // scale * scale for units in stage.totals) + stage.non_transferable // scale * scale
    whole: int = record.valid * 10**record.places
    return whole - printed if scale > 1 else stage.residue


def _end(record: Record, part: Sequence[Stage]) -> str:
    """The empty cell below the column of results."""
    return "<td></td>" if _is_last(record, part) else ""


def _extra(record: Record, name: str, figures: list[int], part: Sequence[Stage]) -> str:
    """A row below the candidates; the figures are those of every stage."""
    cells = []
    shown_numbers = {stage.number for stage in part}
    before = 0
    for stage, units in zip(record.stages, figures, strict=True):
        if stage.number not in shown_numbers:
            before = units
            continue
        if stage.number > 1:
            cells.append(f'<td class="count-move">{_signed(record, before, units)}</td>')
        cells.append(f'<td class="count-total">{shown(record, units)}</td>')
        before = units
    return f'<tr class="count-other"><th scope="row" class="count-name">{name}</th>{"".join(cells)}{_end(record, part)}</tr>'


def column_sum(record: Record, stage: Stage) -> int:
    """What the printed column adds up to, in units of the record."""
    if record.rule_id in {"approval", "up-to-n"}:
        return sum(stage.totals)
    scale: int = 10 ** (record.places - decimals(record))
    return sum(units // scale * scale for units in stage.totals) + stage.non_transferable // scale * scale + _lost(record, stage)


def _total_row(record: Record, part: Sequence[Stage]) -> str:
    cells = "".join(
        ("<td></td>" if stage.number > 1 else "") + f'<td class="count-total">{shown(record, column_sum(record, stage))}</td>'
        for stage in part
    )
    name = "All marks" if record.rule_id in {"approval", "up-to-n"} else "Total (valid vote)"
    return f'<tr class="count-sum"><th scope="row" class="count-name">{name}</th>{cells}{_end(record, part)}</tr>'
