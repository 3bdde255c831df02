"""Help for each role, and the host's runbook: pages that exist, commands that exist, unit files that systemd takes."""

from __future__ import annotations

import argparse
import contextlib
import html
import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from ballot import cli
from ballot.config import Config
from ballot.web.access import OFFICERS
from ballot.web.help import PAGES
from tests.support.need import ROOT, program

OPS = ROOT / "ballot" / "ops"
PUBLIC = {"base_url": "https://vote.example.org"}


def commands_of(text: str) -> list[str]:
    """Every `ballot …` line in a block of commands, and every `ballot …` between code marks that has arguments."""
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL) + re.findall(r"<pre><code>(.*?)</code></pre>", text, re.DOTALL)
    inline = re.findall(r"(?<!`)`(ballot [a-z][^`\n]*)`", text) + re.findall(r"<code>(ballot [a-z][^<\n]*)</code>", text)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    found = [line.removeprefix(".venv/bin/") for line in lines if line.removeprefix(".venv/bin/").startswith("ballot ")]
    named = [words if re.search(r"[A-Z-]", words.replace("make-key", "")) else f"{words} --help" for words in inline]  # a name
    return [html.unescape(line) for line in [*found, *named] if "…" not in line and "COMMAND" not in line]


def told() -> list[tuple[str, str]]:
    pages = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "templates" / "help").glob("*.html"))}
    pages["how.html"] = (ROOT / "templates" / "board" / "how.html").read_text(encoding="utf-8")
    pages["README.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {name: text.replace("{{ public_url }}", "https://vote.example.org") for name, text in pages.items()}
    for path in sorted(OPS.glob("*.service")):
        line = re.search(r"^ExecStart=\S*/(ballot .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert line is not None, path
        pages[path.name] = f"<pre><code>{line[1].replace('%%', '%')}</code></pre>"
    return [(name, line) for name, text in pages.items() for line in commands_of(text)]


def test_commands_are_found_where_they_stand() -> None:
    assert {name for name, _ in told()} >= {"README.md", "host.html", "key-holder.html", "auditor.html", "ballot.service"}
    assert 40 <= len(told())


@pytest.mark.parametrize(("page", "line"), told())
def test_each_command_on_a_page_is_one_that_the_program_takes(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser of the command takes the line as it stands; nothing is run."""
    words = shlex.split(line.replace("[", "").replace("]", ""))[1:]
    parsed: list[argparse.Namespace] = []
    original = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, *args: object) -> argparse.Namespace:
        parsed.append(original(self, *args))  # type: ignore[arg-type,call-overload]
        raise SystemExit(0)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert 0 == ended.value.code, f"{page}: {line}: {said.getvalue()}"
    assert parsed or words[-1] == "--help"


def test_each_role_has_a_page_and_the_foot_leads_there(app: Flask) -> None:
    client = app.test_client()
    assert {role.value for role in OFFICERS} < set(PAGES)
    front = client.get("/", **PUBLIC).get_data(as_text=True)
    assert 'href="/help"' in front
    overview = client.get("/help", **PUBLIC).get_data(as_text=True)
    for role in PAGES:
        assert f'href="/help/{role}"' in overview
        page = client.get(f"/help/{role}", **PUBLIC)
        assert 200 == page.status_code
        assert "first ten minutes" in page.get_data(as_text=True) or role == "member"
        for address in set(re.findall(r'href="(/(?!static/)[a-z/-]*)', page.get_data(as_text=True))):
            assert client.get(address, **PUBLIC).status_code in {200, 302}, (role, address)
    assert 404 == client.get("/help/nobody", **PUBLIC).status_code
    assert 404 == client.get("/help/frame", **PUBLIC).status_code


# --- files for the host ----------------------------------------------------------------------------------------------


def test_the_settings_file_is_one_that_the_service_takes() -> None:
    lines = [line for line in (OPS / "ballot.env").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    env = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    config = Config.from_environ(env)
    assert not config.development
    assert "https://vote.example.org" == config.public_url


@pytest.mark.parametrize("unit", sorted(path.name for path in OPS.iterdir() if path.suffix in {".service", ".timer"}))
def test_systemd_takes_the_unit_files(unit: str, tmp_path: Path) -> None:
    analyze = program("systemd-analyze", package="systemd")
    for path in OPS.iterdir():
        if path.suffix in {".service", ".timer"}:
            shutil.copy(path, tmp_path)
    for path in tmp_path.glob("*.service"):  # the program and the account are not on this machine
        path.write_text(path.read_text().replace("/opt/ballot/.venv/bin/ballot", "/bin/true").replace("User=ballot", "User=root"))
    done = subprocess.run([analyze, "verify", "--man=no", str(tmp_path / unit)], capture_output=True, text=True, check=False)
    about_us = [line for line in done.stderr.splitlines() if "ballot" in line]
    assert (0, []) == (done.returncode, about_us), done.stderr


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    nginx = program("nginx", package="nginx-light", folders=("/usr/sbin",))
    from tests.support.certificates import loopback_certificate

    loopback_certificate(tmp_path)
    site = (OPS / "nginx.conf").read_text(encoding="utf-8")
    assert site.count("vote.example.org") >= 4
    site = re.sub(r"/etc/letsencrypt/live/[^/]+/fullchain.pem", str(tmp_path / "certificate.pem"), site)
    site = re.sub(r"/etc/letsencrypt/live/[^/]+/privkey.pem", str(tmp_path / "key.pem"), site)
    site = re.sub(r"listen (\[::\]:)?(80|443)", lambda found: f"listen {found[1] or ''}{found[2]}80", site)
    site = site.replace("/var/log/nginx/ballot.log", str(tmp_path / "error.log"))
    whole = tmp_path / "nginx.conf"
    rooms = "".join(f"{name}_temp_path {tmp_path}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    start = f"pid {tmp_path}/pid;\nerror_log {tmp_path}/start.log;\nevents {{}}\nhttp {{\n{rooms}{site}\n}}\n"
    whole.write_text(start, encoding="utf-8")
    done = subprocess.run([nginx, "-t", "-c", str(whole), "-p", str(tmp_path)], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
