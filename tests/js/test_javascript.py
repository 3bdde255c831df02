"""The booth's own tests, in Node: unit tests, and the vectors that it shares with Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ballot.web import build

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def libraries() -> None:
    build.install_libraries()


@pytest.mark.parametrize("file", ["booth.test.js", "vectors.test.js"])
def test_node_finds_no_fault(file: str) -> None:
    done = subprocess.run([*build.node_command(), "--test", str(HERE / file)], capture_output=True, text=True, check=False, timeout=600)
    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr[-2000:]
    assert "\n# fail 0\n" in done.stdout.replace("ℹ", "#")
    assert "\n# pass 0\n" not in done.stdout.replace("ℹ", "#")


def test_two_builds_give_the_same_bytes_and_are_small_enough(tmp_path: Path) -> None:
    """Readable, at most 120 kB raw and 35 kB compressed: the three scripts of the booth. Its words come with the page."""
    import gzip

    first, second = (build.build(tmp_path / name, force=True) for name in ("one", "two"))
    assert first == second
    contents = [(tmp_path / "one" / bundle.file).read_bytes() for bundle in first.values()]
    assert contents == [(tmp_path / "two" / bundle.file).read_bytes() for bundle in second.values()]
    assert [bundle.integrity for bundle in first.values()] == [build.integrity(content) for content in contents]
    booth = [(tmp_path / "one" / first[name].file).read_bytes() for name in build.BOOTH]
    assert sum(map(len, booth)) <= 120_000
    assert sum(len(gzip.compress(content, 9)) for content in booth) <= 35_000
    assert all(max(map(len, content.splitlines())) < 2000 for content in contents), "not minified"
    assert not any(word in content for content in contents for word in (b"eval(", b"innerHTML", b"insertAdjacentHTML", b"document.write"))
