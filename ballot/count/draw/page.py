"""A record as one HTML fragment, or as a whole page that needs nothing else."""

from __future__ import annotations

from html import escape

from ballot.count.draw.bars import bars, legend
from ballot.count.draw.sankey import sankey
from ballot.count.draw.table import table
from ballot.count.draw.words import elected_by_stage, headline, sentences, who
from ballot.count.record import Record

MOST_BARS = 5000  # candidates x stages; more would be a page of many megabytes that nobody can read
CSS = """
body{font-family:system-ui,sans-serif;line-height:1.45;color:#1a1a1a;background:#fff;max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}
.count-headline{font-size:1.15rem;font-weight:bold}
.count-scroll{overflow-x:auto;border:1px solid #767676}
.count-table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
.count-table caption{text-align:left;padding:.5rem;font-weight:bold}
.count-table th,.count-table td{border:1px solid #c4c4c4;padding:.25rem .5rem;text-align:right;vertical-align:top}
.count-table thead th{text-align:left;background:#f2f2f2;max-width:13rem;font-weight:normal}
.count-table .count-name{text-align:left;position:sticky;left:0;background:#f2f2f2;min-width:8rem;font-weight:bold}
.count-stage{display:block;font-weight:bold}
.count-word{display:block;font-weight:bold}
.count-result{text-align:left!important;white-space:nowrap}
.count-table td.count-elected{background:#e4edf6}
.count-table td.count-gone{color:#4a4a4a;background:#f7f7f7}
.count-sum td,.count-sum th{border-top:2px solid #1a1a1a!important;font-weight:bold}
.count-charts{display:flex;flex-wrap:wrap;gap:1.5rem}
.count-bars{max-width:100%;height:auto}.count-sankey{display:block}
.count-sentences{list-style:none;padding:0}.count-sentences li{margin-bottom:.4rem}
@media print{body{max-width:none}.count-scroll{overflow:visible;border:0}.count-table{font-size:.6rem}.count-bars{break-inside:avoid}
.count-table .count-name{position:static}}
"""


def fragment(record: Record, ident: str = "stages") -> str:
    """Result, notes, a sentence a stage, the table, the bars and, for small counts, the Sankey diagram."""
    parts = [f'<p class="count-headline">{escape(headline(record))}</p>', f"<p>{escape(_facts(record))}</p>"]
    if len(record.stages) > 1:
        parts.append(f"<p>{escape(elected_by_stage(record))}</p>")
    parts += [f'<p class="count-note">{escape(note)}</p>' for note in _notes(record)]
    parts += ["<h2>Stage by stage</h2>", '<ul class="count-sentences">']
    parts += [f"<li>{escape(sentence)}</li>" for sentence in sentences(record)]
    parts += ["</ul>", "<h2>Votes at every stage</h2>", table(record, ident)]
    if len(record.stages) * len(record.candidates) > MOST_BARS:
        return "\n".join([*parts, "<p>The count is too large to be drawn as bars; every figure is in the table.</p>"]) + "\n"
    parts += ["<h2>Bars for every stage</h2>", f"<p>{escape(legend(record))}</p>", '<div class="count-charts">']
    parts += [bars(record, stage) for stage in record.stages]
    parts.append("</div>")
    diagram = sankey(record)
    if diagram is not None:
        parts += [
            "<h2>Where the votes went</h2>",
            f'<div class="count-scroll" role="region" tabindex="0" aria-label="Diagram">{diagram}</div>',
        ]
    return "\n".join(parts) + "\n"


def page(record: Record, language: str = "en") -> str:
    """A whole page."""
    title = escape(record.title or "Count")
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}: result</title>\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{fragment(record)}</main>\n</body>\n</html>\n"
    )


def _facts(record: Record) -> str:
    seats = f"{record.seats} {'seat' if record.seats == 1 else 'seats'}"
    return f"{record.rule_title}, version {record.rule_version}. {seats}, {record.valid} valid papers, {record.invalid} invalid."


def _notes(record: Record) -> list[str]:
    notes = [*record.constraint_notes, *record.reopened]
    if record.constraints:
        notes.append(f"Quota places: {'; '.join(record.constraints)}.")
    if record.unconstrained is not None:
        same = {outcome.candidate for outcome in record.unconstrained} == {outcome.candidate for outcome in record.elected}
        names = who(record, [outcome.candidate for outcome in record.unconstrained])
        notes.append("Without the quota places the same candidates would be elected." if same else f"Without the quota places: {names}.")
    if record.withdrawn:
        notes.append(f"Withdrawn before the count: {who(record, record.withdrawn)}.")
    if record.lot is not None:
        notes.append(f"Order for lots, most favoured first, {record.lot.source}: {who(record, record.lot.order)}.")
    return notes
