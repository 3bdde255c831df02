"""The tests' own tools: what is missing skips at home, and fails where everything is required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.need import ROOT

SKIPS = {
    "in the test": "import pytest\ndef test_a():\n    pytest.skip('not here')\n",
    "by mark": "import pytest\n@pytest.mark.skip(reason='not here')\ndef test_a():\n    pass\n",
    "in a fixture": "import pytest\n@pytest.fixture\ndef f():\n    pytest.skip('not here')\ndef test_a(f):\n    pass\n",
    "the whole module": "import pytest\npytest.importorskip('no_such_module_anywhere')\ndef test_a():\n    pass\n",
}


@pytest.mark.parametrize("where", SKIPS)
@pytest.mark.parametrize(("required", "status"), [("", 0), ("1", 1)])
def test_a_skip_is_a_failure_where_everything_is_required(tmp_path: Path, where: str, required: str, status: int) -> None:
    (tmp_path / "test_one.py").write_text("def test_b():\n    pass\n")
    (tmp_path / "test_two.py").write_text(SKIPS[where])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
    ]
    environ = os.environ | {"BALLOT_REQUIRE_ALL": required, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, str(tmp_path)], env=environ, capture_output=True, text=True, check=False)
    assert status == done.returncode, done.stdout
