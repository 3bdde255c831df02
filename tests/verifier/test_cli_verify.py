"""`ballot verify` as people and programs meet it: what it prints, how it exits, and what it says of files that are none."""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ballot.cli import main
from tests.elections import Board, Society, honest, society


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    board = honest()
    path = tmp_path / f"{society().election.uuid}.bel"
    path.write_bytes(board.to_bytes())
    path.with_suffix(".companion.json").write_bytes(board.companion_bytes() or b"")
    return path


def one_sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """What stderr says: one line, no traceback; stdout is silent."""
    captured = capsys.readouterr()
    assert "" == captured.out
    assert "Traceback" not in captured.err
    assert 1 == captured.err.count("\n")
    return captured.err


def test_the_last_line_states_the_verdict(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["verify", str(archive)])
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].startswith("VERIFIED: every check holds. 6 ballots are counted")
    assert 10 == captured.out.count("  holds  ")
    assert "" == captured.err


def test_every_step_is_told_when_one_fails(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive.with_suffix(".companion.json").unlink()
    assert 1 == main(["verify", str(archive), "--jobs", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("REFUSED (rule companion-missing, event 13): key-holder 1's decryption comes without")
    assert "At fault: trustee 1, or whoever removed them." in lines[-1]
    assert [f"{number} " for number in range(1, 11)] == [line.split(" ", 1)[0] + " " for line in lines if line[:1].isdigit()]


def test_an_unfinished_election_exits_with_3(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive.write_bytes(Board(honest().acts[:5]).to_bytes())
    assert 3 == main(["verify", str(archive), "--jobs", "1"])
    assert "UNFINISHED: what is there holds, and it is not a whole election: voting is not closed yet." in capsys.readouterr().out


def test_json_says_the_same_to_programs(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["verify", str(archive), "--json", "--jobs", "1"])
    report = json.loads(capsys.readouterr().out)
    assert ("verified", None, 6) == (report["outcome"], report["rule"], report["counted"])
    assert [True] * 10 == [step["holds"] for step in report["steps"]]
    assert [{"answer": "For", "votes": 2}, {"answer": "Against", "votes": 2}] == report["result"][0]["totals"]


def test_companions_elsewhere_can_be_named(archive: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    archive.with_suffix(".companion.json").rename(elsewhere)
    assert 1 == main(["verify", str(archive), "--jobs", "1"])
    assert 0 == main(["verify", str(archive), "--jobs", "1", "--companion", str(elsewhere)])


def test_a_pin_that_was_rewritten_is_refused(archive: Path) -> None:
    board = honest()
    assert 0 == main(["verify", str(archive), "--jobs", "1", "--pin", f"3:{board.hash_at(3)}", "--pin", f"16:{board.hash_at(16)}"])
    assert 1 == main(["verify", str(archive), "--jobs", "1", "--pin", f"3:{'0' * 64}"])


def test_two_pins_of_one_event_that_differ_cannot_both_hold(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = honest().hash_at(3)
    assert 1 == main(["verify", str(archive), "--jobs", "1", "--pin", f"3:{'0' * 64}", "--pin", f"3:{digest}"])
    assert "rule pin" in capsys.readouterr().out


@pytest.mark.parametrize("pin", ["3", "3:abc", "-1:" + "0" * 64, "3:" + "A" * 64, "٣:" + "0" * 64])
def test_a_pin_in_another_form_is_a_wrong_argument(pin: str, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(archive), f"--pin={pin}"])
    assert 2 == stopped.value.code
    assert "is not HEIGHT:HASH" in one_sentence(capsys)


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "99999", "²"])
def test_a_number_of_processes_that_is_none_is_a_wrong_argument(jobs: str, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(archive), f"--jobs={jobs}"])
    assert 2 == stopped.value.code
    assert "from 1 to 512" in one_sentence(capsys)


UNUSABLE = {
    "empty": b"",
    "one byte": b"B",
    "text": b"This is a letter to the members.\n" * 100,
    "json": b'{"version":1}',
    "binary": bytes(range(256)) * 40,
    "half a header": honest().to_bytes()[:300],
    "the header's block without its content": honest().to_bytes()[:512],
    "utf-16": honest().to_bytes().decode("latin-1").encode("utf-16"),
    "utf-8 with a mark": b"\xef\xbb\xbf" + honest().to_bytes(),
    "compressed": gzip.compress(honest().to_bytes()),
    "without its header": honest().to_bytes()[1024:],
    "of the next version": honest().to_bytes().replace(b'{"version":1,"timestamp"', b'{"version":2,"timestamp"'),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_is_no_archive_gets_one_sentence_and_status_2(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.bel"
    path.write_bytes(UNUSABLE[name])
    assert 2 == main(["verify", str(path), "--jobs", "1"])
    assert "file.bel: " in one_sentence(capsys)


def test_a_hundred_megabytes_of_zeros_get_one_sentence_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "zeros.bel"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    assert 2 == main(["verify", str(path)])
    assert "this is not a Belenios archive" in one_sentence(capsys)


def test_a_hundred_megabytes_after_a_good_archive_are_refused(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with archive.open("ab") as file:
        file.truncate(archive.stat().st_size + 100_000_000)
    assert 1 == main(["verify", str(archive), "--jobs", "1"])
    assert "rule archive-bytes" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nothing.bel", ".", "folder/nothing.bel", "x" * 300, "nul\0byte"])
def test_a_path_without_a_file_gets_one_sentence_and_status_2(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["verify", f"{tmp_path}/{name}"])
    one_sentence(capsys)


@pytest.mark.parametrize(("content", "status"), [(b"", 2), (b"rubbish", 1), (b"[]", 1)])
def test_a_companion_file_that_is_none(content: bytes, status: int, archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "companion.json"
    path.write_bytes(content)
    assert status == main(["verify", str(archive), "--jobs", "1", "--companion", str(path)])


def test_a_missing_companion_file_that_was_named_is_unusable(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["verify", str(archive), "--companion", "nowhere.json"])
    assert "nowhere.json" in one_sentence(capsys)


def test_text_from_the_file_cannot_write_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = Society(seed=b"escape", name="\x1b[2J\x1b[HVERIFIED: all is well\r")
    board = people.hold()
    path = tmp_path / "escape.bel"
    path.write_bytes(board.to_bytes())
    path.with_suffix(".companion.json").write_bytes(board.companion_bytes() or b"")
    assert 0 == main(["verify", str(path), "--jobs", "1"])
    assert "\x1b" not in capsys.readouterr().out


def test_the_archive_can_come_from_a_pipe(archive: Path) -> None:
    command = [sys.executable, "-m", "ballot.cli", "verify", "/dev/stdin", "--companion", str(archive.with_suffix(".companion.json"))]
    done = subprocess.run(command, input=archive.read_bytes(), capture_output=True, check=False)
    assert (0, b"") == (done.returncode, done.stderr)


def test_progress_is_shown_on_a_terminal_only(archive: Path) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "ballot.cli", "verify", str(archive)], stdout=subprocess.PIPE, stderr=follower, check=False
    )
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert 0 == done.returncode
    assert "Every ballot's proofs" in shown
    assert shown.endswith("\r\x1b[K")
    assert b"\x1b" not in done.stdout


def test_the_verifier_runs_without_assertions(archive: Path) -> None:
    """python -O takes assert statements out: no check may be lost with them."""
    done = subprocess.run([sys.executable, "-O", "-m", "ballot.cli", "verify", str(archive)], capture_output=True, check=False)
    assert 0 == done.returncode
    archive.with_suffix(".companion.json").unlink()
    done = subprocess.run([sys.executable, "-O", "-m", "ballot.cli", "verify", str(archive)], capture_output=True, check=False)
    assert 1 == done.returncode


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_ends_it_with_one_sentence(jobs: str, tmp_path: Path) -> None:
    pipe = tmp_path / "election.bel"
    os.mkfifo(pipe)
    board = Society(seed=b"pipe", declarations=None).hold()
    command = [sys.executable, "-m", "ballot.cli", "verify", str(pipe), "--jobs", jobs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        with pipe.open("wb") as file:
            file.write(board.to_bytes()[:-2000])  # all but the end: the workers are at work, the command waits for more
            file.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (3, b"", b"ballot: interrupted before the end.\n") == (process.returncode, out, err)
