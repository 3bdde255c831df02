"""A few seconds of the load run: the real service, several processes of members, junk beside them, and the invariants afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.need import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_under_load_and_junk_every_receipt_is_in_the_archive_once(database: str, tmp_path: Path) -> None:
    sizes = ["--casts", "100", "--seconds", "3", "--rate", "15", "--members", "60", "--rush", "4"]
    command = [sys.executable, "-m", "bench.load", "--database", database, *sizes, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, "".join(line for line in done.stdout.splitlines() if line.startswith("WRONG"))), done.stderr
    assert "Every receipt is in its archive once" in (tmp_path / "load.txt").read_text(encoding="utf-8")
    assert (tmp_path / "load.svg").read_text(encoding="utf-8").startswith("<svg")
