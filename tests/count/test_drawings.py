"""The drawings say what the record says, add up, and hold no style, script or unescaped name."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ballot.count import LotOrder, Profile, Record, count, count_vacancy
from ballot.count.blt import read_blt
from ballot.count.draw.bars import bars
from ballot.count.draw.page import fragment, page
from ballot.count.draw.sankey import sankey
from ballot.count.draw.sheet import csv_sheet, text_sheet
from ballot.count.draw.table import table, tables
from ballot.count.draw.words import headline, sentences

COUNTS = Path(__file__).parent.parent / "counts"
RULES = ["scottish-2011", "ers97", "meek-nz", "meek", "av"]


def ward(name: str, rule: str) -> Record:
    profile = read_blt((COUNTS / "scotland-2017" / f"{name}.blt").read_bytes())
    return count(rule, profile, 1 if rule == "av" else profile.seats, lot=LotOrder.from_seed("x", profile.candidates))


class Cells(HTMLParser):
    """Rows of a table as lists of (tag, attributes, text)."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, dict, str]]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            tag, attrs, text = self.rows[-1][-1]
            self.rows[-1][-1] = (tag, attrs, f"{text} {data.strip()}".strip())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["shetland_2017_ward7", "edinburgh_2017_ward1", "highland_2017_ward10"])
def test_every_printed_column_adds_up_to_the_valid_vote(name: str, rule: str) -> None:
    record = ward(name, rule)
    cells = Cells()
    cells.feed(table(record))
    body = cells.rows[2:]
    totals = [index for index, (_, attrs, _) in enumerate(body[0]) if "count-total" in attrs.get("class", "")]
    assert len(record.stages) == len(totals)
    for index in totals:
        figures = [
            Decimal(re.sub("[^0-9.]", "", row[index][2].split(" ")[0]) or "0")
            for row in body
            if "Quota" not in row[0][2] and "half" not in row[0][2]
        ]
        assert figures[-1] == sum(figures[:-1])
        assert record.valid == figures[-1]


def test_a_table_in_parts_has_every_cell_of_the_whole() -> None:
    record = ward("edinburgh_2017_ward1", "scottish-2011")
    whole, made = Cells(), tables(record, "t", most=3)
    whole.feed(table(record))
    sides = [Cells() for _ in range(-(-len(record.stages) // 3))]
    assert 1 < len(sides) == made.count("<table")
    for side, part in zip(sides, made.split("</table>")[:-1], strict=True):
        side.feed(part)
    assert 1 == made.count('rowspan="2">Result</th>')
    assert "stages 1 to " in made
    for line, row in enumerate(whole.rows):
        head = 0 if line == 1 else 1  # the second line of heads has no name in front
        joined = [cell[2] for cell in row[:head]] + [cell[2] for side in sides for cell in side.rows[line][head:]]
        assert [cell[2] for cell in row] == joined
    assert tables(record, "t", most=99) == table(record, "t")


def test_heads_rows_and_words_for_states() -> None:
    cells = Cells()
    cells.feed(table(ward("shetland_2017_ward7", "scottish-2011")))
    assert {"col", "colgroup"} >= {attrs["scope"] for tag, attrs, _ in cells.rows[0] if tag == "th"}
    assert all(("th", "row") == (row[0][0], row[0][1].get("scope")) for row in cells.rows[2:])
    text = [" ".join(cell[2] for cell in row) for row in cells.rows]
    assert any("429.00000 Elected" in line for line in text)
    assert any("0.00000 Excluded" in line and "Excluded at\N{NO-BREAK SPACE}stage\N{NO-BREAK SPACE}4" in line for line in text)
    assert {"caption", "thead", "tbody", "tfoot"} <= cells.tags


@pytest.mark.parametrize("rule", RULES)
def test_one_sentence_a_stage_with_a_rule_number(rule: str) -> None:
    record = ward("highland_2017_ward2", rule)
    found = sentences(record)
    assert len(record.stages) == len(found)
    for stage, sentence in zip(record.stages, found, strict=True):
        assert sentence.startswith(f"Stage {stage.label} (")
        assert sentence.endswith(".")
        assert stage.rule in sentence
        assert "  " not in sentence
        assert "; ." not in sentence


def test_sentences_name_ties_lots_guards_and_doom() -> None:
    from fractions import Fraction

    from ballot.count.constraints import Bound, Constraints

    rules = Constraints(
        (("men", frozenset({0, 1})), ("young", frozenset({3}))),
        (Bound("men", "at_most", Fraction(1)), Bound("young", "at_least", Fraction(1))),
    )
    profile = Profile(("A", "B", "C", "D"), ((40, (0,)), (35, (1,)), (10, (2,)), (10, (3,))), 2)
    text = " ".join(sentences(count("scottish-2011", profile, 2, constraints=rules)))
    assert "D must now be elected (constraint: at least 1 of group “young”) and is guarded" in text
    assert "B can no longer be elected (constraint: at most 1 of group “men”) and is excluded" in text
    assert "C can no longer be elected (constraint: at least 1 of group “young”) and is excluded" in text
    assert "B has the quota but cannot be elected under the constraints" in text
    tied = count("av", Profile(("A", "B", "C"), ((3, (0,)), (2, (1,)), (2, (2,))), 1), 1, lot=LotOrder.typed((0, 1, 2), 3))
    assert "B and C have equal votes and C is the one to be excluded, by lot (rule 5)" in " ".join(sentences(tied))


@pytest.mark.parametrize("rule", [*RULES, "approval"])
def test_charts_are_well_formed_images_with_titles_and_no_style(rule: str) -> None:
    record = ward("shetland_2017_ward7", rule)
    drawings = [bars(record, stage) for stage in record.stages]
    diagram = sankey(record)
    if rule in {"scottish-2011", "ers97"}:
        assert diagram is not None
    drawings += [diagram] if diagram else []
    for drawing in drawings:
        root = ET.fromstring(drawing)  # noqa: S314  # our own drawing
        assert "img" == root.get("role")
        assert root[0].tag.endswith("title")
        assert root[0].text
        fills = set()
        for element in root.iter():
            assert "style" not in element.attrib
            assert "transform" not in element.attrib
            fills.add(element.get("fill"))
        assert len(fills - {None, "#1a1a1a", "#ffffff"}) <= 4


def test_no_sankey_for_large_counts_or_for_meek() -> None:
    assert sankey(ward("highland_2017_ward10", "scottish-2011")) is None
    assert sankey(ward("shetland_2017_ward7", "meek")) is None


def test_names_are_escaped_everywhere() -> None:
    evil = '<script>alert("1")</script>&'
    profile = Profile((evil, "B", "=1+1"), ((5, (0, 1)), (3, (1,)), (2, (2,))), 1, evil)
    record = count("scottish-2011", profile, 1)
    assert "<script" not in page(record)
    parser = Cells()
    parser.feed(fragment(record))
    assert "script" not in parser.tags
    assert "style" not in parser.attributes
    assert not [name for name in parser.attributes if name.startswith("on")]
    assert "'=1+1" in csv_sheet(record)


def test_the_csv_has_every_figure_and_adds_up() -> None:
    record = ward("highland_2017_ward2", "ers97")
    rows = list(csv.reader(io.StringIO(csv_sheet(record))))
    assert 1 + len(record.candidates) + 4 == len(rows)
    for index, stage in enumerate(record.stages):
        column = [Decimal(row[2 + 2 * index]) for row in rows[1:]]
        assert record.valid == sum(column[: len(record.candidates) + 2]) == column[-2]
        assert Decimal(record.votes(stage.quota)) == column[-1]


def test_the_text_sheet_fits_the_width() -> None:
    text = text_sheet(ward("edinburgh_2017_ward1", "scottish-2011"), 100)
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "Elected: Kevin Lang" in text


def test_headlines_say_what_is_unfilled() -> None:
    record = count("av", Profile(("A", "RON"), ((1, (0,)), (2, (1,))), 1), 1, ron=1)
    assert "Nobody is elected: nominations are to be re-opened." == headline(record)
    two = count("scottish-2011", Profile(("A", "RON"), ((1, (0,)), (5, (1,))), 2), 2, ron=1)
    assert "unfilled" in headline(two)


def test_the_page_says_who_was_elected_at_which_stage() -> None:
    assert "Stage 1: Cecil Laing Smith, Beatrice Wishart and Peter Campbell elected. Stage 4: Amanda Westlake elected." in fragment(
        ward("shetland_2017_ward7", "scottish-2011")
    )


def test_a_recount_calls_sitting_members_by_their_name() -> None:
    papers = ((40, (0, 3)), (30, (1,)), (9, (2,)), (15, (3,)), (6, (4, 3)))
    record = count_vacancy("ers97", Profile(("A", "B", "C", "D", "E"), papers, 3), 3, vacating=[3], sitting=[0, 1])
    text = text_sheet(record)
    assert 2 == text.count("Sitting member")
    assert "Elected: C." in text or "Elected: E." in text


def test_drawings_are_the_same_for_the_same_record() -> None:
    record = ward("shetland_2017_ward7", "scottish-2011")
    assert page(record) == page(replace(record))
