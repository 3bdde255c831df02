"""The count report on the result page: what `ballot.count.draw` makes of a record, as markup for the template."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ballot.count.draw.bars import bars, legend
from ballot.count.draw.sankey import sankey
from ballot.count.draw.table import table
from ballot.count.draw.words import sentences
from ballot.count.record import Record


@dataclass(frozen=True)
class Report:
    """A sentence a stage, the table, and drawings beside it. The markup comes from `ballot.count.draw`, which escapes every name."""

    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    table: Markup
    legend: str
    bars: tuple[Markup, ...]
    flow: Markup | None


def report_of(record: Record, number: int) -> Report:
    """The report of the question with this number; ids on the page carry the number, so that they are unique."""
    diagram = sankey(record)
    notes = [*record.constraint_notes, *record.reopened]
    if record.lot is not None and any(
        event.tie is not None and event.tie.stage is None for stage in record.stages for event in stage.events
    ):
        order = ", ".join(record.candidates[i] for i in record.lot.order)
        notes.append(f"A tie was broken by lot. The order of the lot, {record.lot.source}: {order}.")
    return Report(
        sentences=tuple(sentences(record)),
        notes=tuple(notes),
        table=Markup(table(record, f"stages-{number}")),  # noqa: S704  escaped where it is made
        legend=legend(record),
        bars=tuple(Markup(bars(record, stage)) for stage in record.stages),  # noqa: S704  as above
        flow=None if diagram is None else Markup(diagram),  # noqa: S704  as above
    )
