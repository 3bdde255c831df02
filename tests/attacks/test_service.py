"""Attacks on the service around the ballots, each named after its row of the table in README.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlmodel import select

from ballot.app import Site
from ballot.errors import MalformedError
from ballot.models import Outbox, RollEntry
from ballot.protocol import credentials
from ballot.services import mailings
from ballot.services.mail import Asked, invitation
from ballot.web import headers
from tests.attacks.conftest import Target
from tests.services.world import CLOSES, OFFICER
from tests.web.conftest import Visitor
from tests.web.test_doors import address, places, rules  # noqa: F401  a fixture


def send_links(target: Target) -> None:
    meeting = target.members[0].meeting_id
    with target.site.database.write() as db:
        site = target.site
        mailings.send_at_once(db, site.config, site.keys, site.mailer, meeting, OFFICER, site.clock.now())


def test_tokens_and_codes(target: Target) -> None:
    """What votes has 128 bits or more, and stands in clear in no byte of the database and in no answer to a wrong request."""
    assert len(credentials.ALPHABET) ** 22 >= 1 << 128
    uuid, member = target.uuids[0], target.members[0]
    send_links(target)
    token, code = target.token(member), target.code(member)
    signature = token.rpartition(".")[2]
    assert len(signature) * 6 >= 128
    answers = [
        target.cast(uuid, member, target.ballot(uuid, member)),
        target.post(f"/vote/{uuid}/cast", {"token": token + "x", "ballot": code}),
        target.post("/vote/open", {"token": code}),
        target.client.get(f"/vote/check?code={code}", base_url=target.site.config.public_url),
    ]
    secrets = [token.encode(), code.encode(), code.replace("-", "").encode(), signature.encode()]
    # What is asked for in an address comes back in the form's field and in the links to other languages, and nowhere else.
    asked = re.compile(rb'(value="|[?&;]code=)' + re.escape(code.encode()))
    shown = b"".join(asked.sub(b"", answer.data) for answer in answers)
    stored = b"".join(path.read_bytes() for path in Path(target.site.config.data).rglob("*") if path.is_file())
    assert b"invitation" in stored
    assert [] == [secret for secret in secrets if secret in shown or secret in stored]


def test_mail_scanners_and_reissue(target: Target, new_officer: Callable[..., Visitor]) -> None:
    """Whoever opens links, in whatever way, spends nothing; a new link ends the old one at once and shows the officer no token."""
    uuid, member = target.uuids[0], target.members[0]
    url, old = target.site.config.public_url, target.token(member)
    for method in ("GET", "HEAD", "OPTIONS"):
        for path in ("/vote", f"/vote?token={old}", f"/vote/{uuid}/cast", "/vote/open"):
            target.client.open(path, method=method, base_url=url).close()
    assert 0 == target.height(uuid)
    assert 200 == target.post("/vote/open", {"token": old}).status_code
    officer = new_officer()
    page = f"/officer/m/{member.meeting_id}/members/{member.handle}"
    done = officer.post(f"{page}/reissue", {"code": officer.digits(), "cause": "the mail never arrived"}, page=page)
    assert done.status_code in {200, 303}, done.get_data(as_text=True)
    assert (403, "link-not-valid") == ((answer := target.post("/vote/open", {"token": old})).status_code, answer.get_json()["error"])
    with target.site.database.read() as db:
        entry = db.get_one(RollEntry, member.handle)
    new = target.world.token(entry)
    assert 200 == target.post("/vote/open", {"token": new}).status_code
    pages = done.data + officer.get(page).data
    assert new.encode() not in pages
    assert target.code(entry).encode() not in pages


@pytest.mark.parametrize("name", ["Ann\r\nBcc: all@example.org", "Ann\nSubject: x", "Ann\r", "Ann\x00"])
def test_mail_headers(target: Target, name: str) -> None:
    """No name writes a line of its own into a mail's head, and no second recipient into its envelope."""
    site, now = target.site, target.world.now
    for meeting, mailbox in ((name, "ann@example.org"), ("AGM", name + "@example.org"), ("AGM", "ann@example.org, all@example.org")):
        letter = invitation(
            meeting_id="m", meeting=meeting, handle="h", generation=0, name="Ann", address=mailbox, link="https://x/", code="c",
            opens=now, closes=CLOSES, elections=[Asked("Motions", "f")], practice=False,
        )
        with site.database.write() as db, pytest.raises(MalformedError):
            site.mailer.put(db, letter, now)


def test_csp_on_every_response(app: Flask, site: Site, places: dict[str, str], returning_officer: Visitor) -> None:  # noqa: F811
    """Every address, right and wrong, with every method: policy and headers are there; no page names another origin's script."""
    for rule, _ in {rule.rule: (rule, None) for rule, _ in rules(app)}.values():
        for method in ("GET", "POST", "DELETE"):
            answer = returning_officer.client.open(address(rule, places), method=method, base_url=site.config.public_url)
            assert headers.ALWAYS.items() <= dict(answer.headers).items(), (method, rule.rule, answer.status_code)
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'"), rule.rule
            assert "require-trusted-types-for 'script'" in policy
            if answer.mimetype == "text/html":
                page = answer.get_data(as_text=True)
                foreign = r"""<(?:script|link|img|iframe|form)\b[^>]*(?:src|href|action)=["'](?:https?:)?//[^"']*"""
                assert [] == re.findall(foreign, page), rule.rule
            answer.close()


def test_links_and_hosts(target: Target, app: Flask) -> None:
    """A mail's link comes from the configured address, whatever host a request names."""
    send_links(target)
    client = app.test_client()
    for host in ("evil.example", "vote.example.org.evil.example"):
        assert 400 == client.post("/vote/resend", data="{}", headers={"X-Ballot": "1", "Host": host}).status_code
        forwarded = {"X-Ballot": "1", "X-Forwarded-Host": host, "Origin": "https://vote.example.org"}
        assert 400 == client.post("/vote/resend", data="{}", headers=forwarded, base_url="https://vote.example.org").status_code
    assert 200 == target.post("/vote/resend", {"email": target.members[0].email}).status_code
    with target.site.database.read() as db:
        rows = db.exec(select(Outbox)).all()
        texts = [str(target.site.mailer.open(row)) for row in rows]
    assert texts
    for text in texts:
        assert {"https://vote.example.org"} == set(re.findall(r"https?://[^/\s\"<]+", text)) - {"https://code.example.org"}


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("name", "bend"),
    [
        ("256 kB", lambda good: good + " " * (256 * 1024)),
        ("depth 17", lambda good: good.replace('"answers":[', f'"answers":[{deep(16)},', 1)),
        ("depth 100,000", lambda good: good.replace('"answers":[', f'"answers":[{deep(100_000)},', 1)),
        ("91 digits", lambda good: re.sub(r'"response":"\d+"', f'"response":"{"1" * 91}"', good, count=1)),
        ("100,000 digits", lambda good: re.sub(r'"response":"\d+"', f'"response":"{"9" * 100_000}"', good, count=1)),
        ("a number of 100,000 digits", lambda good: good.replace('"answers":[', f'"answers":[{"9" * 100_000},', 1)),
    ],
)
def test_body_limits(target: Target, name: str, bend: Callable[[str], str]) -> None:
    """Size, depth and digits are looked at before anything is parsed; the honest ballot is taken right after."""
    uuid, member = target.uuids[0], target.members[0]
    good = target.ballot(uuid, member)
    assert target.refused(uuid, member, bend(good.decode()).encode()) in {"malformed", "request-entity-too-large"}, name
    for body in (deep(100_000).encode(), b'{"token":' + b"9" * 100_000 + b"}", b'{"token":"' + b"x" * 300_000 + b'"}'):
        assert target.post("/vote/open", body).status_code in {400, 413}
    assert 200 == target.cast(uuid, member, good).status_code
