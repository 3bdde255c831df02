"""The count report on the result page: what `ballot.count.draw` makes of a record, as markup for the template."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ballot.count.draw.bars import bars, legend
from ballot.count.draw.sankey import sankey
from ballot.count.draw.table import tables
from ballot.count.draw.words import label, sentences, who
from ballot.count.record import Record


@dataclass(frozen=True)
class Quotas:
    """What the quota places did: the limits, each act with its stage, and who would have been elected without them."""

    limits: tuple[str, ...]
    acts: tuple[str, ...]
    beside: str
    without: tuple[str, ...]
    elected: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """A sentence a stage, the table, and drawings beside it. The markup comes from `ballot.count.draw`, which escapes every name."""

    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    quotas: Quotas | None
    table: Markup
    legend: str
    bars: tuple[Markup, ...]
    flow: Markup | None


def report_of(record: Record, number: int) -> Report:
    """The report of the question with this number; ids on the page carry the number, so that they are unique."""
    diagram = sankey(record)
    return Report(
        sentences=tuple(sentences(record)),
        notes=tuple(_notes(record)),
        quotas=quotas_of(record),
        table=Markup(tables(record, f"stages-{number}")),  # noqa: S704  escaped where it is made
        legend=legend(record),
        bars=tuple(Markup(bars(record, stage)) for stage in record.stages),  # noqa: S704  as above
        flow=None if diagram is None else Markup(diagram),  # noqa: S704  as above
    )


def _notes(record: Record) -> list[str]:
    """Who withdrew, which places are to be re-opened, and every lot that was drawn."""
    notes = [*record.constraint_notes, *record.reopened]
    if record.withdrawn:
        notes.append(f"Withdrew before the count: {who(record, record.withdrawn)}.")
    if record.lot is None:
        return notes
    ties = [
        f"Stage {stage.label}: {who(record, event.tie.tied)} had equal votes. By lot, {record.name(event.tie.chosen)} was the one to be "
        f"{event.note}."
        for stage in record.stages
        for event in stage.events
        if event.tie is not None and event.tie.stage is None
    ]
    notes += ties
    if ties or record.lot.source.startswith(DRAWN):
        order = ", ".join(record.name(i) for i in record.lot.order)
        unused = "" if ties else " No tie came to it."
        notes.append(f"The order of the lot, most favoured first, {record.lot.source}: {order}.{unused}")
    return notes


DRAWN = "drawn in public"


def quotas_of(record: Record) -> Quotas | None:
    """What the quota places did in this count; None without any."""
    if not record.constraints:
        return None
    plain = tuple(outcome.candidate for outcome in record.unconstrained or ())
    chosen = tuple(outcome.candidate for outcome in record.elected)
    if set(plain) == set(chosen):
        beside = "Without the quota places, the same would be elected."
    else:
        gained, lost = [i for i in chosen if i not in plain], [i for i in plain if i not in chosen]
        beside = f"The quota places changed the result: {who(record, gained)} elected"
        beside += f", and not {who(record, lost)}." if lost else "."
    return Quotas(
        limits=record.constraints,
        acts=tuple(_acts(record)),
        beside=beside,
        without=tuple(map(record.name, plain)),
        elected=tuple(map(record.name, chosen)),
    )


def _acts(record: Record) -> list[str]:
    """Where a quota place acted: a sentence each time somebody became doomed or guarded, or was passed over."""
    grouped: dict[tuple[int, str, str, tuple[str, ...]], list[int]] = {}
    for stage in record.stages:
        for event in stage.events:
            if event.kind in {"doomed", "guarded", "over-quota-doomed"}:
                grouped.setdefault((stage.number, event.kind, event.note, event.limits), []).extend(event.candidates)
    found = []
    for (stage_number, kind, note, limits), candidates in grouped.items():
        names, why = who(record, candidates), f" ({'; '.join(limits)})" if limits else ""
        if kind == "doomed":
            words = f"{names} could no longer be elected and left the count{why}"
        elif kind == "over-quota-doomed":
            words = f"{names} had the quota but could not be elected{why}"
        elif note == "passed-over":
            words = f"{names} had fewer votes but was kept in the count{why}"
        else:
            words = f"{names} had to be elected from here on{why}"
        found.append(f"Stage {label(record, stage_number)}: {words}.")
    return found
