"""The key-holders' addresses open to the newest mailed link of that very key-holder, and to nothing else."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from ballot.app import Site
from ballot.protocol import trustees as ceremony
from ballot.protocol.group import SystemRng
from ballot.services import tokens, trustees
from tests.web.conftest import Visitor
from tests.web.test_journey import freeze, make_ballot, make_meeting, upload

PEOPLE = "Kay Key, kay@example.org\nLee Lock, lee@example.org\nMay Main, may@example.org"


@pytest.fixture
def uuid(returning_officer: Visitor) -> str:
    meeting = make_meeting(returning_officer)
    upload(returning_officer, meeting)
    freeze(returning_officer, meeting)
    made = make_ballot(returning_officer, meeting)
    assert 303 == returning_officer.post(f"/officer/e/{made}/trustees", {"people": PEOPLE, "threshold": "2"}).status_code
    return made


def token_of(site: Site, uuid: str, number: int) -> str:
    with site.database.read() as db:
        return tokens.make_trustee_token(site.keys, trustees.trustees_of(db, uuid)[number - 1])


def call(app: Flask, path: str, token: str | None, data: bytes | None = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return app.test_client().open(
        path, method="GET" if data is None else "POST", data=data, headers=headers, base_url="https://vote.example.org"
    )


def certificate(index: int) -> bytes:
    rng = SystemRng()
    own = ceremony.PkiKeys.from_seed(ceremony.gen_seed(rng))
    return ceremony.make_certificate(own, index=index, threshold=2, size=3, rng=rng).to_bytes()


def test_a_key_holder_sees_what_is_to_be_done(app: Flask, site: Site, uuid: str) -> None:
    answer = call(app, f"/api/trustee/{uuid}/2", token_of(site, uuid, 2))
    assert 200 == answer.status_code
    assert ("cert", 2, "Lee Lock") == tuple(answer.get_json()[name] for name in ("stage", "owner", "holder"))


@pytest.mark.parametrize("path", ["", "/tally"])
def test_reading_needs_this_key_holders_own_token(app: Flask, site: Site, uuid: str, path: str) -> None:
    there = f"/api/trustee/{uuid}/2{path}"
    assert 401 == call(app, there, None).status_code
    for token in ("", "forged", token_of(site, uuid, 1)):
        answer = call(app, there, token)
        assert answer.status_code in {401, 403}
        assert "message" in answer.get_json()


@pytest.mark.parametrize("message", ["key", "cert", "polynomial", "voutput", "possession", "shuffle", "decryption"])
def test_sending_needs_this_key_holders_own_token(app: Flask, site: Site, uuid: str, message: str) -> None:
    there = f"/api/trustee/{uuid}/2/{message}"
    assert 401 == call(app, there, None, b"{}").status_code
    for token in ("forged", token_of(site, uuid, 1)):
        assert 403 == call(app, there, token, b"{}").status_code


@pytest.mark.parametrize("message", ["key", "cert", "polynomial", "voutput", "possession", "shuffle", "decryption"])
@pytest.mark.parametrize("data", [b"", b"{", b"\x00\xff", b"[" * 5000, b'{"a":1,"a":2}', b'{"nonce":1,"proof":2}', b"{}\n{}"])
def test_rubbish_is_refused_with_a_sentence(app: Flask, site: Site, uuid: str, message: str, data: bytes) -> None:
    answer = call(app, f"/api/trustee/{uuid}/2/{message}", token_of(site, uuid, 2), data)
    assert 400 <= answer.status_code < 500
    assert answer.get_json()["message"]


def test_a_certificate_is_received_once_and_the_same_bytes_again_are_fine(app: Flask, site: Site, uuid: str) -> None:
    there, token = f"/api/trustee/{uuid}/2/cert", token_of(site, uuid, 2)
    mine = certificate(2)
    for _ in range(2):
        assert {"received": True} == call(app, there, token, mine).get_json()
    other = call(app, there, token, certificate(2))
    assert (409, "not-now") == (other.status_code, other.get_json()["error"])


def test_a_new_link_ends_the_old_one(app: Flask, site: Site, uuid: str, returning_officer: Visitor) -> None:
    before = token_of(site, uuid, 1)
    page = f"/officer/e/{uuid}/trustees"
    assert 303 == returning_officer.post(f"{page}/1/link", page=page).status_code
    assert 403 == call(app, f"/api/trustee/{uuid}/1", before).status_code
    assert 200 == call(app, f"/api/trustee/{uuid}/1", token_of(site, uuid, 1)).status_code


def test_a_message_of_another_site_is_refused_although_it_has_the_token(app: Flask, site: Site, uuid: str) -> None:
    headers = {"Authorization": f"Bearer {token_of(site, uuid, 2)}", "Origin": "https://evil.example"}
    answer = app.test_client().post(
        f"/api/trustee/{uuid}/2/cert", data=certificate(2), headers=headers, base_url="https://vote.example.org"
    )
    assert 403 == answer.status_code
    assert "cross-site-request" == json.loads(answer.data)["error"]


def test_the_welcome_page_shows_nothing_secret(app: Flask, site: Site, uuid: str) -> None:
    page = call(app, f"/trustee/{uuid}/2", None)
    assert 200 == page.status_code
    assert token_of(site, uuid, 2) not in page.get_data(as_text=True)
    assert "lee@example.org" not in page.get_data(as_text=True)
