"""`ballot codes`, the split-trust registrar, through the command."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from ballot import cli_codes
from ballot.cli import main
from ballot.protocol.credentials import derive_code, public
from ballot.protocol.messages import PublicCredentials
from ballot.sealed import unseal

PASSPHRASE = "correct horse battery staple"
ELECTIONS = ("SmaLLe1ection1", "SmaLLe1ection2")
LINK = "https://vote.example.org/vote#WyJ0b2tlbiJd.signature"
ROLL = (
    "handle,name,email,link\r\n"
    f"h1,Ann Example,ann@example.org,{LINK}1\r\n"
    f'h2,"Bob, the second",bob@example.org,{LINK}2\r\n'
    f"h3,\"=HYPERLINK(\"\"x\"\")\",@cyd@example.org,{LINK}3\r\n"
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phrase").write_text(PASSPHRASE + "\n")
    (tmp_path / "roll.csv").write_text("\ufeff" + ROLL, newline="")
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["codes", *map(str, arguments), "--passphrase-file", str(folder / "phrase")])
        out, err = capsys.readouterr()
        assert (status == 0) == (not err), err
        assert "Traceback" not in err
        assert "fault of its own" not in err
        assert err.count("\n") <= 1
        return status, out, err

    return run


def _make(run: Run, *more: object) -> tuple[int, str, str]:
    elections = [word for uuid in ELECTIONS for word in ("--election", uuid)]
    return run("make", "--key", "registrar.key", "--meeting", "meeting-1", *elections, "--roll", "roll.csv", *more)


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_a_registrar_makes_every_file_of_a_meeting(run: Run, folder: Path) -> None:
    assert 0 == run("make-key", "--registrar", "Mo Secretary", "--out", "registrar.key")[0]
    status, out, _ = _make(run)
    assert 0 == status
    key = unseal((folder / "registrar.key").read_bytes(), PASSPHRASE).data
    codes = {handle: derive_code(key, "meeting-1", handle) for handle in ("h1", "h2", "h3")}
    for uuid in ELECTIONS:
        heading, *rows = _rows((folder / f"{uuid}-credentials.csv").read_bytes())
        assert ["handle", "credential"] == heading
        assert {handle: str(public(uuid, code)) for handle, code in codes.items()} == dict(rows)
        listed = PublicCredentials.parse((folder / f"{uuid}-public.json").read_bytes())
        assert sorted(dict(rows).values()) == list(listed.entries)
    sealed = folder / "mail-merge-meeting-1.sealed"
    written = b"".join(path.read_bytes() for path in folder.iterdir()) + out.encode()
    assert not any(code.encode() in written for code in codes.values())
    assert 0 == run("open", sealed, "--out", "merge.csv")[0]
    assert 0o600 == (folder / "merge.csv").stat().st_mode & 0o777
    heading, *rows = _rows((folder / "merge.csv").read_bytes())
    assert ["name", "email", "link", "code"] == heading
    assert ["Ann Example", "ann@example.org", f"{LINK}1.{codes['h1']}", codes["h1"]] == rows[0]
    assert ["'=HYPERLINK(\"x\")", "'@cyd@example.org"] == rows[2][:2]


def test_the_same_key_gives_the_same_codes_again(run: Run, folder: Path) -> None:
    run("make-key", "--registrar", "Mo", "--out", "registrar.key")
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    _make(run, "--out", "one")
    _make(run, "--out", "two")
    for name in [f"{uuid}-credentials.csv" for uuid in ELECTIONS] + [f"{uuid}-public.json" for uuid in ELECTIONS]:
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_a_long_list_is_made_on_all_processors(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_codes, "_PARALLEL_FROM", 2)
    run("make-key", "--registrar", "Mo", "--out", "registrar.key")
    assert 0 == _make(run)[0]
    heading, *rows = _rows((folder / f"{ELECTIONS[0]}-credentials.csv").read_bytes())
    assert 3 == len(rows)
    assert "handle" == heading[0]


def test_nothing_is_overwritten(run: Run, folder: Path) -> None:
    run("make-key", "--registrar", "Mo", "--out", "registrar.key")
    before = (folder / "registrar.key").read_bytes()
    assert "exists already" in run("make-key", "--registrar", "Mo", "--out", "registrar.key")[2]
    assert before == (folder / "registrar.key").read_bytes()
    _make(run)
    assert "exists already" in _make(run)[2]
    assert "exists already" in run("open", "mail-merge-meeting-1.sealed", "--out", "roll.csv")[2]


def test_files_of_another_kind_or_passphrase_are_refused(run: Run, folder: Path) -> None:
    run("make-key", "--registrar", "Mo", "--out", "registrar.key")
    assert "holds no mail merge" in run("open", "registrar.key", "--out", "x.csv")[2]
    _make(run)
    (folder / "registrar.key").replace(folder / "old.key")
    (folder / "mail-merge-meeting-1.sealed").replace(folder / "registrar.key")
    for uuid in ELECTIONS:
        (folder / f"{uuid}-credentials.csv").unlink()
        (folder / f"{uuid}-public.json").unlink()
    assert "holds no registrar's key" in _make(run)[2]
    (folder / "phrase").write_text("another passphrase\n")
    assert "does not open" in run("open", "registrar.key", "--out", "x.csv")[2]
    (folder / "registrar.key").write_bytes(b"\0")
    assert 2 == _make(run)[0]


@pytest.mark.parametrize("roll", [
    b"",
    b"\xff\xfe\0\0",
    b"name,email\n",
    b"handle,name,email,link\n",
    b"handle,name,email,link\nh1,Ann,ann@example.org\n",
    b"handle,name,email,link\n,Ann,ann@example.org,https://x/vote#t\n",
    b"handle,name,email,link\nh1,Ann,a@example.org,https://x/vote#t\nh1,Ann,a@example.org,https://x/vote#u\n",
    b"handle,name,email,link\nh1,Ann,a@example.org,https://x/vote\n",
    b"handle,name,email,link\nh1,Ann,a@example.org,javascript:1#t\n",
    b"handle,name,email,link\nh1,Ann,a@example.org,https://x/vote#t.11111-111111-11111-111111\n",
    b'handle,name,email,link\nh1,"Ann,a@example.org,https://x/vote#t\n',
])
def test_a_bad_list_is_told_and_nothing_is_written(run: Run, folder: Path, roll: bytes) -> None:
    run("make-key", "--registrar", "Mo", "--out", "registrar.key")
    (folder / "roll.csv").write_bytes(roll)
    before = set(folder.iterdir())
    status, _, err = _make(run)
    assert 2 == status
    assert "roll.csv" in err
    assert before == set(folder.iterdir())


def test_wrong_elections_are_told(run: Run) -> None:
    run("make-key", "--registrar", "Mo", "--out", "registrar.key")
    common = ["make", "--key", "registrar.key", "--meeting", "m", "--roll", "roll.csv"]
    assert 2 == run(*common, "--election", "../x")[0]
    assert "twice" in run(*common, "--election", ELECTIONS[0], "--election", ELECTIONS[0])[2]
    assert 2 == run(*common, "--election", ELECTIONS[0], "--out", "missing")[0]
