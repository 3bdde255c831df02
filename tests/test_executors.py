"""`--executor dask://…`: the workers of a cluster say what one process says, and a cluster that is not there is told in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ballot import executors
from ballot.errors import UnusableInputError
from ballot.keyholder import read_board, write_key
from ballot.protocol.decryption import check_partial_decryption
from ballot.protocol.messages import PartialDecryption, Shuffle
from ballot.protocol.shuffle import check_shuffle
from tests.keyholders.boards import PASSPHRASE, practice
from tests.support.need import ROOT
from tests.support.ports import free_port

pytest.importorskip("distributed", reason="Dask is not installed")

QUESTIONS = ROOT / "bench" / "questions.json"
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    print(cluster.scheduler_address.removeprefix("tcp://"), flush=True)
    sys.stdin.read()
    cluster.close()
"""


def ballot(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ballot.cli", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process."""
    script = tmp_path_factory.mktemp("dask") / "cluster.py"
    script.write_text(CLUSTER, encoding="utf-8")
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"dask://{process.stdout.readline().strip()}"
        process.stdin.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An election made by one process from a seed."""
    folder = tmp_path_factory.mktemp("alone") / "election"
    done = ballot("simulate", folder, "--voters", "70", "--questions", QUESTIONS, "--seed", "dask", "--jobs", "1")
    assert 0 == done.returncode, done.stderr
    return folder


@pytest.mark.slow
def test_ballots_shuffles_and_decryptions_from_one_seed_are_the_same_bytes(cluster: str, alone: Path, tmp_path: Path) -> None:
    done = ballot("simulate", tmp_path / "spread", "--voters", "70", "--questions", QUESTIONS, "--seed", "dask", "--executor", cluster)
    assert (0, "") == (done.returncode, done.stderr)
    for kind in ("*.bel", "*.companion.json"):
        assert next(alone.glob(kind)).read_bytes() == next((tmp_path / "spread").glob(kind)).read_bytes()


@pytest.mark.slow
def test_the_verifier_says_the_same_of_good_and_bad_archives(cluster: str, alone: Path, tmp_path: Path) -> None:
    archive = next(alone.glob("*.bel"))
    bad = tmp_path / archive.name
    data = archive.read_bytes()
    at = data.index(b'"challenge":"', len(data) // 3) + 20  # in a ballot's proof: the tar entry's name no longer fits, too
    bad.write_bytes(data[:at] + (b"1" if data[at : at + 1] != b"1" else b"2") + data[at + 1 :])
    for file, status in ((archive, 0), (bad, 1)):
        spread, single = ballot("verify", file, "--json", "--executor", cluster), ballot("verify", file, "--json", "--jobs", "1")
        assert (status, "") == (spread.returncode, spread.stderr)
        assert single.stdout == spread.stdout


@pytest.mark.slow
def test_a_key_holders_work_over_the_workers_holds(cluster: str, tmp_path: Path) -> None:
    board = practice()
    key, phrase, archive = tmp_path / "3.key", tmp_path / "phrase", tmp_path / "board.bel"
    write_key(key, board.key(3), PASSPHRASE)
    phrase.write_text(PASSPHRASE + "\n", encoding="utf-8")
    options = ["--key", key, "--archive", archive, "--out", tmp_path, "--passphrase-file", phrase, "--executor", cluster]
    for act, stage in (("shuffle", ("Shuffle", 2)), ("decrypt", ("EndShuffles",))):
        archive.write_bytes(board.until(*stage))
        done = ballot("trustee", act, *options)
        assert (0, True) == (done.returncode, "they must be yours alone" in done.stderr)
        with archive.open("rb") as file:
            now = read_board(file)
        assert now.tally is not None
        if act == "shuffle":
            check_shuffle(now.election, now.tally, Shuffle.parse(next(tmp_path.glob("*-shuffle-3-*")).read_bytes()), owner=3)
        else:
            partial = PartialDecryption.parse(next(tmp_path.glob("*-decryption-3-*")).read_bytes())
            check_partial_decryption(now.election.fingerprint, now.tally, now.keys.of_owner(3).public_key, partial, owner=3)


def test_workers_can_be_started_for_one_command(alone: Path) -> None:
    done = ballot("verify", next(alone.glob("*.bel")), "--executor", "dask://local?workers=2")
    assert (0, "") == (done.returncode, done.stderr)
    assert "VERIFIED" in done.stdout


def test_a_scheduler_that_does_not_answer_is_told_in_one_sentence(alone: Path) -> None:
    address = f"dask://127.0.0.1:{free_port()}"
    done = ballot("verify", next(alone.glob("*.bel")), "--executor", address)
    assert (2, f"ballot: {address}: no Dask scheduler answers there.\n", "") == (done.returncode, done.stderr, done.stdout)


@pytest.mark.parametrize(
    "address", ["dask:x", "tcp://127.0.0.1:1", "dask://host", "dask://local?workers=0", "dask://local?cores=2", "dask://h:1/x", "dask://h:x"]
)
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(UnusableInputError, match="is neither dask://HOST:PORT nor dask://local"), executors.dask(address):
        pass


def test_a_killed_commands_workers_end_too(tmp_path: Path) -> None:
    words = ["simulate", tmp_path / "out", "--voters", "50000", "--questions", QUESTIONS, "--jobs", "2"]
    with subprocess.Popen([sys.executable, "-m", "ballot.cli", *words], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        children: set[int] = set()
        deadline = time.monotonic() + 60
        while len(children) < 2 and time.monotonic() < deadline:
            children = {int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()}
            time.sleep(0.05)
        process.kill()
    assert 2 == len(children)
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
