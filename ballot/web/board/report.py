"""The count report on the result page: what `ballot.count.draw` makes of a record, as markup for the template."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from ballot.count.draw.bars import bars, legend
from ballot.count.draw.sankey import sankey
from ballot.count.draw.table import tables
from ballot.count.draw.words import label, sentences
from ballot.count.record import Record
from ballot.language import N_, Text, joined, listing, phrase


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
        notes.append(phrase("Withdrew before the count: {names}.", names=_who(record, record.withdrawn)))
    if record.lot is None:
        return notes
    ties = [
        phrase(
            "Stage {stage}: {names} had equal votes. By lot, {chosen} was the one to be {done}.",
            stage=stage.label,
            names=_who(record, event.tie.tied),
            chosen=record.name(event.tie.chosen),
            done=Text(event.note),
        )
        for stage in record.stages
        for event in stage.events
        if event.tie is not None and event.tie.stage is None
    ]
    notes += ties
    if ties or record.lot.source.startswith(DRAWN):
        order = ", ".join(record.name(i) for i in record.lot.order)
        drawn = phrase("The order of the lot, most favoured first, {source}: {order}.", source=Text(record.lot.source), order=order)
        notes.append(drawn if ties else joined([drawn, phrase("No tie came to it.")]))
    return notes


DRAWN = N_("drawn in public")


def quotas_of(record: Record) -> Quotas | None:
    """What the quota places did in this count; None without any."""
    if not record.constraints:
        return None
    plain = tuple(outcome.candidate for outcome in record.unconstrained or ())
    chosen = tuple(outcome.candidate for outcome in record.elected)
    if set(plain) == set(chosen):
        beside = phrase("Without the quota places, the same would be elected.")
    else:
        gained, lost = [i for i in chosen if i not in plain], [i for i in plain if i not in chosen]
        changed = N_("The quota places changed the result: {gained} elected, and not {lost}.")
        if not lost:
            changed = N_("The quota places changed the result: {gained} elected.")
        elif not gained:
            changed = N_("The quota places changed the result: {lost} not elected.")
        beside = phrase(changed, gained=_who(record, gained), lost=_who(record, lost))
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
    found: list[str] = []
    for (stage_number, kind, note, limits), candidates in grouped.items():
        names, why = _who(record, candidates), f" ({'; '.join(limits)})" if limits else ""
        if kind == "doomed":
            words = N_("Stage {stage}: {names} could no longer be elected and left the count{why}.")
        elif kind == "over-quota-doomed":
            words = N_("Stage {stage}: {names} had the quota but could not be elected{why}.")
        elif note == "passed-over":
            words = N_("Stage {stage}: {names} had fewer votes but was kept in the count{why}.")
        else:
            words = N_("Stage {stage}: {names} had to be elected from here on{why}.")
        found.append(phrase(words, stage=label(record, stage_number), names=names, why=why))
    return found


def _who(record: Record, candidates: Iterable[int]) -> Text:
    return listing([record.name(candidate) for candidate in candidates])
