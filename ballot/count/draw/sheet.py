"""The stage table for spreadsheets (CSV) and for a terminal (plain text)."""

from __future__ import annotations

import csv
import io
import textwrap
import unicodedata

from ballot.count.draw.table import MINUS, column_sum, stage_name
from ballot.count.draw.words import decimals, headline, sentences, shown, state_words
from ballot.count.record import Record, decimal


def csv_sheet(record: Record) -> str:
    """One line a candidate, two columns a stage (transfer, total), all decimals; then non-transferable, residue and total.

    A name that a spreadsheet would take for a formula is written with an apostrophe before it.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    head = ["Candidate"]
    for stage in record.stages:
        head += [f"Stage {stage.label} transfer", f"Stage {stage.label}: {stage_name(record, stage)}"]
    writer.writerow([*(_cell(text) for text in head), "Result"])

    def line(name: str, figures: list[int], result: str) -> None:
        cells = [_cell(name)]
        before = 0
        for index, units in enumerate(figures):
            cells += [decimal(units - before, record.places) if index else "", decimal(units, record.places)]
            before = units
        writer.writerow([*cells, result])

    for candidate in range(len(record.candidates)):
        if candidate not in record.withdrawn:
            line(record.name(candidate), [stage.totals[candidate] for stage in record.stages], state_words(record, candidate))
    line("Non-transferable", [stage.non_transferable for stage in record.stages], "")
    line("Lost to rounding", [stage.residue for stage in record.stages], "")
    sums = [sum(stage.totals) + stage.non_transferable + stage.residue for stage in record.stages]
    line("Total", sums, "")
    line("Quota", [stage.quota for stage in record.stages], "")
    return file.getvalue()


def _cell(text: str) -> str:
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t"} else text


def text_sheet(record: Record, width: int = 100) -> str:
    """The whole count for a terminal: result, a sentence a stage, and the table in blocks as wide as the terminal."""
    lines = [record.title or "Count", record.rule_title]
    lines.append(f"{record.seats} {'seat' if record.seats == 1 else 'seats'}, {record.valid} valid papers, {record.invalid} invalid.")
    lines += ["", headline(record)]
    for note in (*record.constraint_notes, *record.reopened):
        lines += textwrap.wrap(note, width)
    if record.constraints:
        lines += textwrap.wrap("Constraints: " + "; ".join(record.constraints) + ".", width)
    if record.unconstrained is not None:
        names = ", ".join(record.name(outcome.candidate) for outcome in record.unconstrained)
        lines += textwrap.wrap(f"Without the constraints: {names}.", width)
    if record.lot is not None:
        names = ", ".join(record.candidates[candidate] for candidate in record.lot.order)
        lines += textwrap.wrap(f"Order for lots ({record.lot.source}), most favoured first: {names}.", width)
    lines.append("")
    for sentence in sentences(record):
        lines += textwrap.wrap(sentence, width, subsequent_indent="    ")
    lines.append("")
    lines += _blocks(record, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _wide(text: str) -> int:
    """Columns that the text takes on a terminal."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int, *, right: bool = False) -> str:
    space = " " * max(0, width - _wide(text))
    return space + text if right else text + space


def _blocks(record: Record, width: int) -> list[str]:
    rows = [candidate for candidate in range(len(record.candidates)) if candidate not in record.withdrawn]
    names = [record.name(candidate) for candidate in rows]
    first = min(30, max(len("Non-transferable"), *(_wide(name) for name in names)))
    columns = [_column(record, index, rows) for index in range(len(record.stages))]
    lines: list[str] = []
    block: list[list[str]] = []
    used = first

    def flush() -> None:
        if not block:
            return
        heads = ["", *names, "Non-transferable", "Lost to rounding", "Total"]
        for row, head in enumerate(heads):
            lines.append(_pad(_clip(head, first), first) + "".join(column[row] for column in block))
        lines.append("")

    for column in columns:
        if block and used + _wide(column[0]) > width:
            flush()
            block, used = [], first
        block.append(column)
        used += _wide(column[0])
    flush()
    results = [f"{_pad(_clip(name, first), first)}  {state_words(record, candidate)}" for candidate, name in zip(rows, names, strict=True)]
    return [*lines, *results]


def _clip(text: str, width: int) -> str:
    return text if _wide(text) <= width else text[: width - 1] + "…"


def _column(record: Record, index: int, rows: list[int]) -> list[str]:
    stage = record.stages[index]
    before = record.stages[index - 1] if index else None
    scale = 10 ** (record.places - decimals(record))

    def change(now: int, then: int) -> str:
        difference = now // scale - then // scale
        if before is None or not difference:
            return ""
        return ("+" if difference > 0 else MINUS) + decimal(abs(difference), decimals(record))

    lost = column_sum(record, stage) - sum(units // scale * scale for units in stage.totals) - stage.non_transferable // scale * scale
    marks = {outcome.candidate: "E" for outcome in record.elected if outcome.stage == stage.number}
    marks |= {outcome.candidate: "x" for outcome in record.excluded if outcome.stage == stage.number}
    cells = [(f"stage {stage.label}", "", "")]
    cells += [(shown(record, stage.totals[c]), change(stage.totals[c], before.totals[c] if before else 0), marks.get(c, "")) for c in rows]
    cells.append((shown(record, stage.non_transferable), change(stage.non_transferable, before.non_transferable if before else 0), ""))
    cells += [(shown(record, lost), "", ""), (shown(record, column_sum(record, stage)), "", "")]
    moves = max(len(move) for _, move, _ in cells)
    totals = max(len(total) for total, _, _ in cells)
    return [f"  {_pad(move, moves, right=True)} {_pad(total, totals, right=True)} {mark or ' '}" for total, move, mark in cells]
