"""Drawings of a record: pure functions from a record to text. Nothing here is decided, only shown.

- `words.sentences(record)`: one sentence a stage, with rule numbers; `words.headline(record)`: the result in a line.
- `table.table(record)`: the accessible HTML table; `bars.bars(record, stage)`: one stage as SVG bars with the quota line;
  `sankey.sankey(record)`: where votes went, for small counts (None otherwise).
- `sheet.csv_sheet(record)`, `sheet.text_sheet(record)`: for spreadsheets and for a terminal.
- `page.fragment(record)`: everything above as one HTML fragment; `page.page(record)`: a whole page.

Markup has no style attributes and no scripts: classes and presentation attributes only. Every name is escaped.
"""
