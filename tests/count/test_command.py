"""The command: what it prints, and one clear sentence with exit 2 for bad input of every kind."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ballot import cli_count
from ballot.count import RULES

COUNTS = Path(__file__).parent.parent / "counts"
WARD = COUNTS / "scotland-2017" / "shetland_2017_ward7.blt"
GOOD = '3 2\n4 1 2 0\n2 3 0\n0\n"Castor"\n"Pollux"\n"Helen"\n"Twins"\n'


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    cli_count.add_parser(parser.add_subparsers())
    args = parser.parse_args(["count", *words])
    return cli_count.run(args)


def test_the_help_names_every_rule() -> None:
    assert set(RULES) == set(cli_count._RULES)


def test_the_default_output_is_a_table_with_a_sentence_for_each_stage(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert 0 == run(str(WARD), "--rule", "scottish-2011")
    text = capfdbinary.readouterr().out.decode()
    for words in ("Stage 1 (rule 46)", "Stage 4 (rule 51): Frances Valente is excluded", "408.83193 E", "Total", "1492.00000", "(rule 48)"):
        assert words in text


def test_json_is_the_canonical_record(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert 0 == run(str(WARD), "--rule", "scottish-2011", "--json")
    out = capfdbinary.readouterr().out
    data = json.loads(out)
    assert ("scottish-2011", "1") == (data["rule"]["id"], data["rule"]["version"])
    assert "408.83193" == data["stages"][3]["totals"]["4"]
    assert {"transfers", "non_transferable", "residue", "totals", "events"} <= set(data["stages"][1])
    assert [{"id": 3, "name": "Frances Valente", "stage": 4}] == data["excluded"]
    assert out == json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("form", ["--csv", "--html", "--json"])
def test_every_rule_in_every_form(rule: str, form: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert 0 == run(str(WARD), "--rule", rule, "--seats", "1", form)
    assert b"Wishart" in capfdbinary.readouterr().out


def test_ron_withdrawal_constraints_and_lot(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"groups": {"x": ["Amanda Westlake"]}, "rules": [{"group": "x", "at_most": 0}]}))
    order = tmp_path / "lot.txt"
    order.write_text("3\n1\nCecil Laing Smith\n4\n5\n")
    words = ["--ron", "Frances Valente", "--withdrawn", "1", "--constraints", str(rules), "--lot", str(order)]
    assert 0 == run(str(WARD), "--rule", "ers97", "--seats", "2", *words)
    text = capfdbinary.readouterr().out.decode()
    assert "Without the constraints" in text
    assert "Order for lots (drawn in public and typed in)" in text


def test_the_files_own_order_for_lots_is_used() -> None:
    assert 0 == run(str(COUNTS / "small" / "42t.blt"), "--rule", "meek-exact")


def test_a_seed_draws_the_lot(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    gnome = str(COUNTS / "other" / "gnome-2018.blt")
    assert 2 == run(gnome, "--rule", "scottish-2011")
    assert b"tie has to be broken by lot" in capfdbinary.readouterr().err
    assert 0 == run(gnome, "--rule", "scottish-2011", "--lot", "26 May 2018")
    assert b"drawn from the seed 26 May 2018" in capfdbinary.readouterr().out


BAD = {
    "empty": ("", []),
    "truncated": (GOOD[:14], []),
    "no papers": ('2 1\n0\n"A"\n"B"\n', []),
    "all papers empty": ('2 1\n7 0\n0\n"A"\n"B"\n', []),
    "everybody withdrawn": ('2 1\n-1 -2\n7 1 0\n0\n"A"\n"B"\n', []),
    "2,000 candidates": ("2000 5\n1 1 0\n0\n" + '"x"\n' * 2000, []),
    "more seats than candidates": (GOOD, ["--seats", "4"]),
    "a million seats": (GOOD, ["--seats", "1000000"]),
    "no seats": (GOOD, ["--seats", "0"]),
    "minus seats": (GOOD, ["--seats", "-3"]),
    "more seats than candidates in the file": (GOOD.replace("3 2", "3 9"), []),
    "two seats for the alternative vote": (GOOD, ["--rule", "av"]),
    "no such rule": (GOOD, ["--rule", "borda"]),
    "no such mark rule": (GOOD, ["--marks", "any"]),
    "no such RON": (GOOD, ["--ron", "Nobody"]),
    "no such lot file but a seed with equal names": (GOOD.replace("Pollux", "Castor"), ["--lot", "seed"]),
    "no such constraints file": (GOOD, ["--constraints", "/nonexistent/x"]),
    "a file name with a zero byte": (GOOD, ["--constraints", "a\0b"]),
    "a folder": (GOOD, ["--constraints", "/"]),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input_ends_in_one_clear_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, words = BAD[name]
    file = tmp_path / "x.blt"
    file.write_text(text)
    assert 2 == run(str(file), "--rule", "scottish-2011", *words)
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("ballot count: ")
    assert 1 == err.count("\n")
    assert err.endswith(".\n")
    assert "Traceback" not in err


def test_a_constraint_on_an_unknown_group_or_an_infeasible_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, rules = tmp_path / "x.blt", tmp_path / "r.json"
    file.write_text(GOOD)
    rules.write_text('{"groups": {}, "rules": [{"group": "women", "at_least": 1}]}')
    assert 2 == run(str(file), "--rule", "scottish-2011", "--constraints", str(rules))
    assert "“women”, which is not defined" in capsys.readouterr().err
    rules.write_text('{"groups": {"women": []}, "rules": [{"group": "women", "at_least": 1}]}')
    assert 2 == run(str(file), "--rule", "scottish-2011", "--constraints", str(rules))
    assert "smallest unmet set is: at least 1 of group “women”" in capsys.readouterr().err


def test_binary_and_100_megabytes_of_digits_are_refused_quickly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.blt"
    file.write_bytes(bytes(range(256)) * 1000)
    assert 2 == run(str(file), "--rule", "av")
    with file.open("wb") as target:
        for _ in range(100):
            target.write(b"7" * 1_000_000)
    began = time.monotonic()
    assert 2 == run(str(file), "--rule", "av")
    with file.open("r+b") as target:
        target.truncate(49_000_000)
    assert 2 == run(str(file), "--rule", "av")
    assert time.monotonic() - began < 5
    assert 3 == capsys.readouterr().err.count("\n")


def test_a_closed_pipe_is_no_error() -> None:
    code = "import argparse, sys; from ballot import cli_count; p = argparse.ArgumentParser();"
    code += " cli_count.add_parser(p.add_subparsers());"
    code += f" sys.exit(cli_count.run(p.parse_args(['count', {str(WARD)!r}, '--rule', 'scottish-2011', '--html'])))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
