"""What a monitor sees and what the log keeps: enough to run the site, and nothing of anybody."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from ballot.app import Site, create_app
from ballot.errors import BackupError
from ballot.logs import JsonLines, scrub
from ballot.models import MailSender
from ballot.services import health
from ballot.services.clock import FixedClock
from ballot.services.health import Check
from ballot.services.keys import Keys

LOCAL = {"base_url": "http://127.0.0.1:8000"}
PUBLIC = {"base_url": "https://vote.example.org"}


def checks(site: Site) -> dict[str, Check]:
    return {check.name: check for check in health.checks(site.config, site.database, site.clock, health.schema_head())}


def test_a_monitor_on_this_machine_needs_no_public_name(app: Flask) -> None:
    client = app.test_client()
    assert b"ok\n" == client.get("/healthz", **LOCAL).data
    assert client.get("/readyz", **LOCAL).get_json()["ready"]
    assert 400 == client.get("/", **LOCAL).status_code
    assert 400 == client.get("/healthz", base_url="http://somewhere.example.org").status_code


def test_strangers_learn_only_which_check_fails(app: Flask) -> None:
    told = app.test_client().get("/readyz", **PUBLIC).get_json()["checks"]
    assert {"database": "ok", "schema": "ok", "disk": "ok", "clock": "ok", "mail": "look at it"} == told
    forwarded = app.test_client().get("/readyz", **LOCAL, headers={"X-Forwarded-For": "192.0.2.1"})
    assert 400 == forwarded.status_code


def test_an_unready_site_says_so(app: Flask, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    answer = app.test_client().get("/readyz", **LOCAL)
    assert (503, False) == (answer.status_code, answer.get_json()["ready"])
    assert "make room" in answer.get_json()["checks"]["disk"]


def test_each_check_finds_its_fault(site: Site, clock: FixedClock) -> None:
    assert {"mail"} == {name for name, check in checks(site).items() if not check.ok}
    assert "ballot mail --forever" in checks(site)["mail"].sentence
    with site.database.write() as session:
        session.add(MailSender(name="a", seen_at=clock.now(), trouble=""))
    assert all(check.ok for check in checks(site).values())
    with site.database.write() as session:
        session.get_one(MailSender, "a").trouble = "The mail server refuses us"
    assert "refuses us" in checks(site)["mail"].sentence
    clock.advance(minutes=-10)
    assert "set it" in checks(site)["clock"].sentence
    clock.moment = health.FIRST_DAY - timedelta(days=400)
    assert "it shows 20" in checks(site)["clock"].sentence
    with site.database.write_connection() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert "ballot init" in checks(site)["schema"].sentence
    with site.database.write_connection() as connection:
        connection.execute(text("DROP TABLE rate_limit"))
    assert not checks(site)["database"].ok


def test_metrics_are_for_this_machine_or_for_a_token(app: Flask, site: Site, tmp_path: Path) -> None:
    client = app.test_client()
    client.get("/how", **PUBLIC, buffered=True)
    client.get("/no/such/page", **PUBLIC, buffered=True)
    page = client.get("/metrics", **LOCAL).get_data(as_text=True)
    assert 'ballot_requests_total{answer="2xx",method="GET",route="board.how"} 1.0' in page
    assert 'ballot_requests_total{answer="4xx",method="GET",route="none"} 1.0' in page
    assert 'ballot_check{check="database"} 1.0' in page
    assert "such" not in page
    assert "_created" not in page
    assert 404 == client.get("/metrics", **PUBLIC).status_code
    assert 404 == client.get("/metrics", **PUBLIC, headers={"Authorization": "Bearer "}).status_code
    token = tmp_path / "token"
    token.write_text("long and secret\n")
    token.chmod(0o600)
    open_to_token = create_app(
        replace(site.config, metrics_token_file=token), clock=site.clock, database=site.database, keys=Keys.from_seed(b"x")
    )
    for given, status in (("long and secret", 200), ("something else", 404), ("", 404)):
        sent = {"Authorization": f"Bearer {given}"}
        assert status == open_to_token.test_client().get("/metrics", **PUBLIC, headers=sent).status_code
    token.chmod(0o644)
    assert 500 == open_to_token.test_client().get("/metrics", **PUBLIC, headers={"Authorization": "Bearer x"}).status_code


def test_a_request_is_one_line_without_its_address(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ballot.request"):
        answer = app.test_client().get("/e/11111111111111?token=canary", **PUBLIC, headers={"X-Request-ID": "mine"}, buffered=True)
    (record,) = (record for record in caplog.records if record.name == "ballot.request")
    line = json.loads(JsonLines().format(record))
    assert {"time", "level", "from", "event", "id", "route", "method", "status", "ms"} == set(line)
    assert ("board.election", "GET", 404) == (line["route"], line["method"], line["status"])
    assert answer.headers["X-Request-ID"] == line["id"] != "mine"
    assert "canary" not in JsonLines().format(record)
    assert "1111" not in line["route"]


def record(error: BaseException | None = None, name: str = "ballot.x", words: str = "it failed", *args: Any) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(name, logging.ERROR, "x.py", 1, words, args, info)


def test_an_unexpected_error_tells_where_and_not_what() -> None:
    try:
        int("canary@example.org")
    except ValueError as inner:
        try:
            raise KeyError("Canary Wren") from inner
        except KeyError as caught:
            error = caught
    line = JsonLines().format(record(error))
    assert ["KeyError", "ValueError"] == json.loads(line)["error"]
    assert "test_an_unexpected_error" in line
    assert "anary" not in line
    assert "Canary Wren" in JsonLines(verbose=True).format(record(error))
    ours = json.loads(JsonLines().format(record(BackupError("The backup of canary@example.org ends"))))
    assert "The backup of [address] ends" == ours["said"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 5.1.1 <Canary.Wren+x@example.org>: unknown", "550 5.1.1 <[address]>: unknown"),
        ("link https://x/vote#WyJh.b2Nk now", "link https://x/vote#[…] now"),
        ("GET /vote?code=a&b=c failed", "GET /vote?[…] failed"),
        ("from 192.0.2.14, 127.0.0.1 and 2001:db8::1:2:3", "from [host], 127.0.0.1 and [host]"),
        ("code 3N7pV-bQ2xWa-7HuYs-Kp4mRd was typed", "code [code] was typed"),
        ("token " + "Wy" * 30, "token [secret?]"),
        ("two\nlines", "two lines"),
    ],
)
def test_what_looks_like_somebodys_is_blotted_out(said: str, kept: str) -> None:
    assert kept == scrub(said)


def test_a_library_that_quotes_addresses_is_cut_short() -> None:
    line = JsonLines().format(record(None, "gunicorn.error", "Error handling request %s", "/vote/canary?x=y"))
    assert "Error handling request /[…]" == json.loads(line)["event"]
    line = JsonLines().format(record(None, "gunicorn.error", 'Oops\nTraceback (most recent call last):\n  File "x", "canary"'))
    assert "canary" not in line
    assert "it %s" == json.loads(JsonLines().format(record(None, "ballot", "it %s", 1, 2)))["event"]


def test_workers_add_their_figures_up(new_site: Callable[..., Any]) -> None:
    """Two real workers; whichever is asked answers for both, and each line of the log is JSON."""
    import urllib.request

    site = new_site()
    for _ in range(12):
        urllib.request.urlopen(f"{site.url}/healthz", timeout=30).close()
    with urllib.request.urlopen(f"{site.url}/metrics", timeout=30) as answer:
        page = answer.read().decode()
    assert 'ballot_requests_total{answer="2xx",method="GET",route="health.alive"} 12.0' in page
    lines = [line for line in site.log.read_text().splitlines() if line.startswith("{")]
    assert 12 <= sum(json.loads(line)["from"] == "ballot.request" for line in lines)
