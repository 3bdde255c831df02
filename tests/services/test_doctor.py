"""`ballot doctor`: every fault that it looks for is shown to it once, and its sentence says what to do."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ballot.cli import main
from ballot.config import Config, SmtpSettings
from ballot.models import Election, ElectionState, Job, MailSender
from ballot.services import doctor, health
from ballot.services.doctor import Finding, State
from ballot.services.keys import NAMES, Keys
from ballot.services.startup import prepare
from tests.services.world import NOW, World
from tests.support.certificates import loopback_certificate
from tests.support.ports import free_port
from tests.support.smtp import SMTPServer


def told(findings: list[Finding]) -> str:
    """What there is to mend or to look at."""
    return " | ".join(f"{one.state} {one.sentence}" for one in findings if one.state is not State.OK)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The settings of a real site."""
    return {
        "BALLOT_PUBLIC_URL": "https://vote.example.org",
        "BALLOT_ORGANISATION": "Northern Assembly",
        "BALLOT_SOURCE_URL": "https://code.example.org/ballot",
        "BALLOT_SMTP_HOST": "mail.example.org",
        "BALLOT_SMTP_FROM": "ballots@example.org",
        "BALLOT_DATA": str(tmp_path / "data"),
        "BALLOT_KEYS": str(tmp_path / "keys"),
    }


@pytest.fixture
def config(env: dict[str, str]) -> Config:
    config = Config.from_environ(env)
    prepare(config)[0].dispose()
    return config


# --- this machine --------------------------------------------------------------------------------------------------


def test_settings(env: dict[str, str]) -> None:
    assert "" == told(doctor.check_settings(env)[1])
    for change, said in (
        ({"BALLOT_SMTP_FROM": ""}, "write the address mails come from"),
        ({"BALLOT_DEVELOPMENT": "1"}, "Take it out on a real site"),
        ({"BALLOT_PUBLIC_URL": "http://127.0.0.1:8000"}, "members cannot open that"),
        ({"BALLOT_ORGANISATION": ""}, "BALLOT_ORGANISATION is not set"),
        ({"BALLOT_SOURCE_URL": ""}, "BALLOT_SOURCE_URL is not set"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG is set: take it out"),
    ):
        assert said in told(doctor.check_settings(env | change)[1])


def test_permissions(config: Config, tmp_path: Path) -> None:
    assert "" == told(doctor.check_private(config, user=1000))
    assert "account of its own" in told(doctor.check_private(config, user=0))
    for path, mode in ((config.data, "700"), (config.keys, "700"), (config.data / "ballot.sqlite3", "600")):
        path.chmod(path.stat().st_mode | 0o040)
        assert f"run `chmod {mode} {path}`" in told(doctor.check_private(config, user=1000))
        path.chmod(path.stat().st_mode & 0o700)
    password = tmp_path / "password"
    assert config.smtp is not None
    with_password = replace(config, smtp=replace(config.smtp, password_file=password))
    assert "cannot be read" in told(doctor.check_private(with_password, user=1000))
    password.write_text("x")
    password.chmod(0o640)
    assert "Others can read" in told(doctor.check_private(with_password, user=1000))
    inside = replace(config, keys=config.data / "keys")
    assert "keys and database together" in told(doctor.check_private(inside, user=1000))


def test_keys(config: Config) -> None:
    assert "" == told([doctor.check_keys(config)])
    (config.keys / "registrar").chmod(0o644)
    assert "Others can read" in told([doctor.check_keys(config)])
    (config.keys / "registrar").unlink()
    assert "there is no registrar" in told([doctor.check_keys(config)])
    assert not (config.keys / "registrar").exists()  # looking makes nothing


@pytest.mark.parametrize("pattern", ["0" * 64, "01" * 32, "00112233" * 8, "deadbeef" * 8])
def test_a_key_that_is_a_pattern_is_refused_at_the_start(tmp_path: Path, pattern: str) -> None:
    Keys.open(tmp_path)
    (tmp_path / "token").write_text(pattern)
    with pytest.raises(Exception, match="no secret but a pattern"):
        Keys.open(tmp_path)


def test_two_keys_alike_and_a_readable_database_are_refused_at_the_start(config: Config) -> None:
    (config.data / "ballot.sqlite3").chmod(0o644)
    with pytest.raises(Exception, match="chmod 600"):
        prepare(config)
    (config.data / "ballot.sqlite3").chmod(0o600)
    prepare(config)[0].dispose()
    (config.keys / NAMES[0]).write_text((config.keys / NAMES[1]).read_text())
    with pytest.raises(Exception, match="Two keys"):
        prepare(config)


def test_database(world: World, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    database, now = world.database, datetime.now(UTC)
    assert "" == told(doctor.check_database(config, database, now))
    assert "it shows 19" in told(doctor.check_database(config, database, now.replace(year=1999)))
    monkeypatch.setattr(health, "LEAST_FREE", 1 << 60)
    assert "make room" in told(doctor.check_database(config, database, now))
    monkeypatch.undo()
    with database.write_connection() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    try:
        assert "ballot init" in told(doctor.check_database(config, database, now))
    finally:
        with database.write_connection() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": health.schema_head()})


def test_no_database(config: Config, tmp_path: Path) -> None:
    from ballot.services.database import Database

    for url, said in ((f"sqlite:///{tmp_path}/none", "run `ballot init`"), ("postgresql+psycopg://x@127.0.0.1:1/x", "does not answer")):
        database = Database(url)
        assert said in told(doctor.check_database(config, database, NOW))
        database.dispose()
    assert not (tmp_path / "none").exists()


def test_time() -> None:
    assert "" == told(doctor.check_time(lambda: "yes"))
    assert "switch on" in told(doctor.check_time(lambda: "no"))
    assert "make sure that one does" in told(doctor.check_time(lambda: None))
    assert doctor.check_time()


def test_work_and_backups(world: World, config: Config) -> None:
    config.data.mkdir(exist_ok=True)

    def found() -> str:
        return told(doctor.check_work(config, world.database, NOW))

    for said in ("ballot mail --forever", "never backed up from here: run `ballot backup` every day", "ballot backup --keys"):
        assert said in found()
    with world.database.write() as session:
        session.add(MailSender(name="a", seen_at=NOW))
    backups: dict[str, dict[str, Any]] = {part: {"made": (NOW - timedelta(days=3)).isoformat()} for part in ("database", "keys")}
    (config.data / "backups.json").write_text(json.dumps(backups))
    assert "" == found()
    uuid = world.election(world.meeting(), people=0)
    with world.database.write() as session:
        session.get_one(Election, uuid).state = ElectionState.OPEN
        job = Job(id="j", election_uuid=uuid, kind="lock", actor="a", role="r", state="waiting", asked_at=NOW - timedelta(hours=1))
        session.add(job)
    assert "The last backup is 3 days old: while voting is open, make one at least every 26 hours." in found()
    assert "`ballot work` does it now" in found()
    backups["database"]["made"] = (NOW - timedelta(days=20)).isoformat()
    (config.data / "backups.json").write_text(json.dumps(backups))
    assert "20 days old" in told(doctor.check_backups(config, NOW, voting=False))


# --- the public address --------------------------------------------------------------------------------------------


@dataclass
class Front:
    """A web server on loopback that answers as told: path to (status, body)."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=lambda: {"/healthz": (200, b"ok\n"), "/metrics": (404, b"")})
    port: int = 0
    trust: ssl.SSLContext | None = None


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    front = Front()
    serving, front.trust = loopback_certificate(tmp_path)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = front.answers[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = serving.wrap_socket(server.socket, server_side=True)
    front.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield front
    server.shutdown()
    server.server_close()


def test_public_address(config: Config, front: Front) -> None:
    site = replace(config, public_url=f"https://localhost:{front.port}")
    long_before, today = datetime.now(UTC) - timedelta(days=60), datetime.now(UTC)

    def found(now: datetime = long_before) -> str:
        return told(doctor.check_public(site, now, front.trust))

    assert "" == found()
    assert "mend The certificate ends on" in found(today)
    assert "look The certificate ends on" in found(today - timedelta(days=20))
    for status, said in ((400, "proxy_set_header Host $host;"), (502, "is `ballot serve` running"), (404, "something else")):
        front.answers["/healthz"] = (status, b"")
        assert said in found()
    front.answers["/metrics"] = (200, b"figures")
    assert "Strangers can read /metrics" in found()
    assert "Browsers refuse the certificate" in told(doctor.check_public(site, long_before))
    closed = replace(config, public_url=f"https://localhost:{free_port()}")
    assert "cannot be reached" in told(doctor.check_public(closed, today, front.trust))
    unknown = replace(config, public_url="https://nowhere.invalid")
    assert "not known in the DNS" in told(doctor.check_public(unknown, today))


def test_a_real_site_answers_the_doctor(config: Config, new_site: Callable[..., Any]) -> None:
    site = new_site()
    there = replace(config, public_url=site.url)
    found = doctor.check_public(there, datetime.now(UTC))
    assert "the Host header arrives as it was sent" in found[0].sentence
    assert "Strangers can read /metrics" in told(found)  # on loopback and without a proxy, the doctor is this machine's own
    site.stop()
    assert "cannot be reached" in told(doctor.check_public(there, datetime.now(UTC)))


# --- mail ----------------------------------------------------------------------------------------------------------


def settings(port: int, **changes: Any) -> SmtpSettings:
    known: dict[str, Any] = {"host": "localhost", "port": port, "user": "", "password_file": None, "tls": "starttls"}
    return SmtpSettings(**{**known, "sender": "ballots@example.org", "reply_to": "ballots@example.org", **changes})


def test_mail_server(tmp_path: Path) -> None:
    serving, trust = loopback_certificate(tmp_path)
    password = tmp_path / "password"
    password.write_text("right")
    password.chmod(0o600)
    with SMTPServer(tls=serving, login=("ballot", "right")) as server:
        good = settings(server.port, user="ballot", password_file=password)
        assert "" == told(doctor.check_mail_server(good, trust))
        password.write_text("wrong")
        assert "refuses BALLOT_SMTP_USER or its password" in told(doctor.check_mail_server(good, trust))
        assert "No safe connection" in told(doctor.check_mail_server(good))
        assert [] == server.delivered
    with SMTPServer() as server:
        assert "BALLOT_SMTP_TLS" in told(doctor.check_mail_server(settings(server.port), trust))
        assert "" == told(doctor.check_mail_server(settings(server.port, tls="none")))
    assert "cannot be reached" in told(doctor.check_mail_server(settings(free_port()), trust))
    in_clear = told(doctor.check_mail_server(settings(1, tls="none", host="mail.invalid")))
    assert "would cross the network in clear" in in_clear


@contextmanager
def dns_server(records: dict[str, list[str]]) -> Iterator[Any]:
    """A name server on loopback with these TXT records; the resolver that asks it."""
    import dns.message
    import dns.rcode
    import dns.resolver
    import dns.rrset

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            question = dns.message.from_wire(data)
            answer = dns.message.make_response(question)
            name = question.question[0].name
            if texts := records.get(name.to_text(omit_final_dot=True)):
                answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", "TXT", [f'"{one}"' for one in texts]))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            sock.sendto(answer.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.server_address[1]
        yield resolver
        server.shutdown()


def test_mail_records() -> None:
    good = {
        "mail.example.org": ["v=spf1 mx -all", "something else"],
        "_dmarc.example.org": ["v=DMARC1; p=quarantine"],
        "k1._domainkey.mail.example.org": ["v=DKIM1; k=rsa; p=MIG"],
    }
    address = "ballots@mail.example.org"
    with dns_server(good) as resolver:
        assert "" == told(doctor.check_dns(address, resolver, "k1"))
        assert "--dkim-selector" in told(doctor.check_dns(address, resolver))
        assert "no DKIM key at k2._domainkey" in told(doctor.check_dns(address, resolver, "k2"))
        good["mail.example.org"] = ["v=spf1 +all"]
        assert "lets everybody send" in told(doctor.check_dns(address, resolver, "k1"))
        good["mail.example.org"] = ["v=spf1 -all", "v=spf1 mx -all"]
        assert "2 SPF records" in told(doctor.check_dns(address, resolver, "k1"))
        good.clear()
        assert "no SPF record" in told(doctor.check_dns(address, resolver, "k1"))
        assert "add _dmarc.mail.example.org" in told(doctor.check_dns(address, resolver, "k1"))
        resolver.port, resolver.lifetime = free_port(), 0.5
        assert "could not be looked at" in told(doctor.check_dns(address, resolver, "k1"))


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_tells_what_to_mend(
    env: dict[str, str], config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("BALLOT_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert 1 == main(["doctor", "--offline"])
    said = capsys.readouterr().out
    assert "MEND  backups: The database was never backed up" in said
    assert said.rstrip().endswith("to mend.")
    with Database_of(config) as session:
        session.add(MailSender(name="a", seen_at=datetime.now(UTC)))
    now = datetime.now(UTC).isoformat()
    (config.data / "backups.json").write_text(json.dumps({"database": {"made": now}, "keys": {"made": now}}))
    monkeypatch.setattr(doctor.check_time, "__defaults__", (lambda: "yes",))
    monkeypatch.setattr("ballot.cli_doctor.check_scripts", lambda: doctor.ok("scripts", "built"))
    assert 0 == main(["doctor", "--offline", "--json"])
    assert {"settings", "permissions", "keys", "time", "database", "schema", "disk", "clock", "mail", "backups", "scripts"} == {
        one["about"] for one in json.loads(capsys.readouterr().out)
    }
    monkeypatch.setenv("BALLOT_SMTP_FROM", "")
    assert 1 == main(["doctor", "--offline"])


@contextmanager
def Database_of(config: Config) -> Iterator[Any]:  # noqa: N802
    from ballot.services.database import Database

    database = Database(config.database_url)
    with database.write() as session:
        yield session
    database.dispose()


def test_changed_scripts_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ballot import cli_doctor
    from ballot.web import build

    monkeypatch.setattr(build, "DIST", tmp_path)
    monkeypatch.setattr(build.read_manifest, "__defaults__", (tmp_path,))
    assert "not built" in told([cli_doctor.check_scripts()])
    (tmp_path / "booth.js").write_bytes(b"honest")
    bundle = build.Bundle("booth.js", build.integrity(b"honest"))
    (tmp_path / "manifest.json").write_text(json.dumps({"inputs": "", "bundles": {"booth": vars(bundle)}}))
    assert "" == told([cli_doctor.check_scripts()])
    listed = tmp_path / "bundles.json"
    build.write_release({"booth": bundle}, listed)
    monkeypatch.setattr(build.released, "__defaults__", (listed,))
    assert "" == told([cli_doctor.check_scripts()])
    build.write_release({"booth": build.Bundle("booth.js", "sha384-other")}, listed)
    assert "not those that this release lists" in told([cli_doctor.check_scripts()])
    (tmp_path / "booth.js").write_bytes(b"changed")
    assert "booth.js was changed after it was built" in told([cli_doctor.check_scripts()])
    (tmp_path / "booth.js").unlink()
    assert "is missing" in told([cli_doctor.check_scripts()])
