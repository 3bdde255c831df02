"""Commands: arguments in, exit status out, one sentence about what is wrong, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ballot import __version__, cli, errors
from tests.support.need import ROOT

TRIAL = {"BALLOT_DEVELOPMENT": "1"}
MAIL = {"BALLOT_SMTP_HOST": "mail.example.org", "BALLOT_SMTP_FROM": "ballots@example.org"}
RUN = (sys.executable, "-m", "ballot.cli")


def ballot(*arguments: str | Path, cwd: Path | None = None, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[str]:
    settings = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")} | environ
    done = subprocess.run(
        [*RUN, *map(str, arguments)],
        cwd=cwd or ROOT,
        env=settings | {"PYTHONPATH": str(ROOT)},
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert line.startswith("ballot")
    return line


def test_the_version_is_the_packages() -> None:
    assert f"ballot {__version__}\n" == ballot("--version").stdout


def test_help_names_every_command() -> None:
    done = ballot("--help")
    assert 0 == done.returncode
    for name in cli.COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    done = ballot(name, "--help")
    assert 0 == done.returncode, done.stderr
    assert done.stdout.startswith(f"usage: ballot {name}")


@pytest.mark.parametrize(
    "arguments", [(), ("frobnicate",), ("verify",), ("verify", "--no-such-option"), ("--no-such-option",), ("",), ("\0",)]
)
def test_wrong_arguments_are_unusable_input(arguments: tuple[str, ...]) -> None:
    if any("\0" in argument for argument in arguments):
        with pytest.raises(SystemExit) as stop:  # an operating system passes no such argument
            cli.main(list(arguments))
        assert 2 == stop.value.code
        return
    done = ballot(*arguments)
    assert 2 == done.returncode
    assert "Try: ballot" in one_sentence(done)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (errors.UnusableInputError("The file is empty."), 2, "ballot: The file is empty.\n"),
        (errors.VerificationError("the chain is broken"), 1, "ballot: refused: the chain is broken\n"),
        (FileNotFoundError(2, "No such file or directory", "x.bel"), 2, "ballot: x.bel: No such file or directory.\n"),
        (KeyboardInterrupt(), 3, "ballot: interrupted before the end.\n"),
        (
            ZeroDivisionError("oops"),
            2,
            "ballot: stopped by a fault of its own (ZeroDivisionError: oops); BALLOT_TRACEBACK=1 shows where.\n",
        ),
    ],
)
def test_each_kind_of_end_has_its_status(
    error: BaseException, status: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        raise error

    monkeypatch.setattr(cli, "_dispatch", fail)
    monkeypatch.delenv("BALLOT_TRACEBACK", raising=False)
    assert status == cli.main([])
    assert words == capsys.readouterr().err


def test_output_that_nobody_reads_is_no_fault() -> None:
    command = f"{sys.executable} -m ballot.cli --help | true"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_a_new_site_gets_private_keys_and_a_database(tmp_path: Path) -> None:
    done = ballot("init", cwd=tmp_path, **TRIAL)
    assert 0 == done.returncode, done.stderr
    assert 0o700 == (tmp_path / "keys").stat().st_mode & 0o777
    for key in (tmp_path / "keys").iterdir():
        assert 0o600 == key.stat().st_mode & 0o777
    before = {key.name: key.read_bytes() for key in (tmp_path / "keys").iterdir()}
    assert 0 == ballot("init", cwd=tmp_path, **TRIAL).returncode
    assert before == {key.name: key.read_bytes() for key in (tmp_path / "keys").iterdir()}


def test_secrets_from_files_that_others_can_read_stop_every_command(tmp_path: Path) -> None:
    ballot("init", cwd=tmp_path, **TRIAL)
    (tmp_path / "keys" / "token").chmod(0o644)
    for arguments in (("init",), ("serve",), ("mail",), ("officer", "a@example.org", "--name", "A")):
        done = ballot(*arguments, cwd=tmp_path, **TRIAL)
        assert 2 == done.returncode
        assert "chmod 600" in one_sentence(done)


def test_a_site_for_members_does_not_start_without_a_mail_server(tmp_path: Path) -> None:
    for arguments in (("init",), ("serve",), ("mail",)):
        done = ballot(*arguments, cwd=tmp_path)
        assert 2 == done.returncode
        assert "BALLOT_SMTP_HOST" in one_sentence(done)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BALLOT_DATABASE_URL", "mysql://x"),
        ("BALLOT_PUBLIC_URL", "http://vote.example.org"),
        ("BALLOT_DEVELOPMENT", "maybe"),
        ("BALLOT_MAILS_PER_MINUTE", "many"),
        ("BALLOT_SMTP_TLS", "sometimes"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    done = ballot("init", cwd=tmp_path, **(MAIL | {name: value}))
    assert 2 == done.returncode
    assert name in one_sentence(done)


def test_an_officer_gets_a_link(tmp_path: Path) -> None:
    done = ballot(
        "officer",
        "ruth@example.org",
        "--name",
        "Ruth Sutcliffe",
        cwd=tmp_path,
        **(MAIL | {"BALLOT_PUBLIC_URL": "https://vote.example.org"}),
    )
    assert 0 == done.returncode, done.stderr
    assert "https://vote.example.org/officer/sign-in/link#" in done.stdout
    wrong = ballot("officer", "nobody", "--name", "N", cwd=tmp_path, **MAIL)
    assert 2 == wrong.returncode
    assert "not an e-mail address" in one_sentence(wrong)


@pytest.mark.parametrize("junk", [b"", b"\0\xff" * 1000, b"Subject: hello\n\nno report\n"])
def test_mail_that_is_no_delivery_report_is_refused_in_words(tmp_path: Path, junk: bytes) -> None:
    done = ballot("mail", "--bounce", "-", cwd=tmp_path, stdin=junk, **TRIAL)
    assert 2 == done.returncode
    said = one_sentence(done)
    assert "This is not a delivery report" in said or "Paste the whole delivery report" in said


def test_the_sender_stops_when_nothing_waits(tmp_path: Path) -> None:
    done = ballot("mail", cwd=tmp_path, **TRIAL)
    assert (0, "0 accepted by the mail server.\n") == (done.returncode, done.stdout)


@pytest.mark.slow
def test_the_whole_sample_meeting_runs_from_roll_to_verdict(tmp_path: Path) -> None:
    out = tmp_path / "meeting"
    done = ballot("demo", "--headless", "--out", out)
    assert 0 == done.returncode, done.stderr
    assert done.stdout.splitlines()[-1].startswith("VERIFIED: 3 elections, from the roll to the published result, by ballot verify")
    assert 3 == len(list(out.glob("*.bel")))
    again = ballot("demo", "--headless", "--out", out)
    assert 2 == again.returncode
    assert "not empty" in one_sentence(again)


def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = ballot("demo", "--bind", f"127.0.0.1:{taken.getsockname()[1]}", cwd=tmp_path)
    assert 2 == done.returncode
    assert "--bind" in one_sentence(done)
