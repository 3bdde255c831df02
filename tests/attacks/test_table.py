"""The table in README.md: every attack has a test of its name, and every test that the table names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LINES = (TESTS / "attacks" / "README.md").read_text(encoding="utf-8").splitlines()
ROWS = {
    cells[0]: re.findall(r"`([^`]+\.py::\w+)`", line)
    for line in LINES
    if line.startswith("| ") and (cells := [cell.strip() for cell in line.strip("|").split("|")])[0] != "row"
}
# All rows, so that a line that is dropped from the table is missed.
ATTACKS = """
ballot copying; replay across elections; tally of a chosen few; ranking as signature; length and timing leaks;
plaintext reaching the server; weak Fiat-Shamir; group chosen by attacker; subgroup checks missing;
shuffle forged by trapdoored generators; check computed, not compared; verified at cast, not at tally; stuffing for abstainers;
late, early, lost ballots; result not from these ballots; clash: several voters, one tracker; receipt not bound to what was sent;
other questions for some voters; third-party script, booth XSS; duplicate JSON keys;
tokens and codes; mail scanners and reissue; mail headers; CSP on every response; links and hosts; CSRF; sessions; limits; body limits;
role table; member-to-ballot link; secrets from files; roll import and exports
"""


@cache
def defined_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_no_row_is_missing() -> None:
    assert [" ".join(name.split()) for name in ATTACKS.split(";")] == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_a_test_of_its_name(row: str) -> None:
    name = "test_" + "_".join(re.findall(r"[a-z0-9]+", row.lower()))
    assert [test for test in ROWS[row] if test.partition("::")[2].startswith(name)], name


@pytest.mark.parametrize("row", ROWS)
def test_every_test_of_the_table_exists(row: str) -> None:
    gone = [test for test in ROWS[row] if test.partition("::")[2] not in defined_in(test.partition("::")[0])]
    assert [] == gone
