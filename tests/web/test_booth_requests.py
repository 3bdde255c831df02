"""What the booth's addresses answer, asked without a browser: right requests, wrong ones, and hostile ones."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask import Flask
from sqlmodel import select

from ballot.app import Site
from ballot.models import Election, Outbox, RollEntry
from ballot.protocol.credentials import derive_credential
from ballot.protocol.group import SystemRng
from ballot.protocol.proofs import prove_typed_code
from ballot.services import board, lifecycle, mailings, registrar
from ballot.services.clock import FixedClock
from ballot.services.lifecycle import ElectionDraft
from ballot.web.build import build
from tests.services.world import MOTION, NO_PRACTICE, OFFICER, SECRETARY, World

SCREEN = {"X-Ballot": "1", "Origin": "https://vote.example.org"}


class Booth:
    """A locked and opened practice election on the site, and a client that asks as the booth does."""

    def __init__(self, app: Flask, site: Site, clock: FixedClock) -> None:
        self.site, self.clock, self.client = site, clock, app.test_client()
        self.world = World(site.database, site.keys, clock)
        self.meeting = self.world.meeting(two_people=False)
        now = clock.now()
        draft = ElectionDraft("Motions", [MOTION], now, now + timedelta(days=2), practice=True)
        with site.database.write() as db:
            self.uuid = lifecycle.make_election(db, self.meeting.id, draft, OFFICER, now).uuid
        lifecycle.lock(site.database, site.keys, self.uuid, OFFICER, now)
        self.members = self.world.members(self.meeting)

    def open(self) -> None:
        with self.site.database.write() as db:
            lifecycle.open_voting(db, self.uuid, OFFICER, self.clock.now(), reason=NO_PRACTICE)

    def token(self, entry: RollEntry) -> str:
        with self.site.database.read() as db:
            link = registrar.voting_link(db, self.site.config, self.site.keys, entry, self.clock.now() + timedelta(days=9))
        return link.url.partition("#")[2].rpartition(".")[0]

    def ballot(self, entry: RollEntry, choice: tuple[int, int, int] = (0, 1, 0)) -> str:
        return self.world.ballot(self.uuid, entry, (choice,)).decode()

    def post(self, path: str, body: object, headers: dict[str, str] = SCREEN):  # type: ignore[no-untyped-def]
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.client.post(path, data=data, headers=headers, content_type="application/json", base_url=self.site.config.public_url)

    def cast(self, entry: RollEntry, ballot: str):  # type: ignore[no-untyped-def]
        return self.post(f"/vote/{self.uuid}/cast", {"token": self.token(entry), "ballot": ballot})

    def number_of_ballots(self) -> int:
        with self.site.database.read() as db:
            return len(board.ballots_on_board(db, self.uuid))


@pytest.fixture
def booth(app: Flask, site: Site, clock: FixedClock) -> Booth:
    build()
    return Booth(app, site, clock)


def test_the_frame_is_the_same_for_everybody_and_sets_no_cookie(booth: Booth) -> None:
    response = booth.client.get("/vote", base_url=booth.site.config.public_url)
    assert 200 == response.status_code
    assert "Set-Cookie" not in response.headers
    assert "integrity=" in response.get_data(as_text=True)


def test_the_list_of_meetings_is_public_and_says_nothing_of_members(booth: Booth) -> None:
    listed = booth.client.get("/vote/meetings", base_url=booth.site.config.public_url).get_json()
    (meeting,) = listed["meetings"]
    (election,) = meeting["elections"]
    assert ("locked", False, 1, 1) == (election["state"], election["ranked"], election["trustees"], election["threshold"])
    assert "@" not in json.dumps(listed)


def test_opening_tells_the_members_elections_and_changes_nothing(booth: Booth) -> None:
    booth.open()
    member = booth.members[0]
    for _ in range(3):
        (paper,) = booth.post("/vote/open", {"token": booth.token(member)}).get_json()["elections"]
        assert ("open", None) == (paper["state"], paper["voted"])
    with booth.site.database.read() as db:
        assert db.get_one(Election, booth.uuid).fingerprint == paper["fingerprint"]
        assert [] == db.exec(select(Outbox)).all()
    assert 0 == booth.number_of_ballots()


def test_a_cast_gives_a_receipt_once_and_again_for_the_same_bytes(booth: Booth) -> None:
    booth.open()
    member = booth.members[0]
    ballot = booth.ballot(member)
    first, again = booth.cast(member, ballot), booth.cast(member, ballot)
    assert (200, 200) == (first.status_code, again.status_code)
    assert first.get_json() == again.get_json()
    assert 1 == booth.number_of_ballots()
    other = booth.cast(member, booth.ballot(member, (0, 0, 1)))
    assert 409 == other.status_code
    assert ("already-voted", first.get_json()) == (other.get_json()["error"], other.get_json()["receipt"])
    assert 1 == booth.number_of_ballots()
    with booth.site.database.read() as db:
        assert ["receipt"] == [row.kind for row in db.exec(select(Outbox)).all()]


def test_ballots_that_are_not_this_members_are_refused(booth: Booth) -> None:
    booth.open()
    one, two = booth.members[:2]
    signed_by_two = booth.cast(one, booth.ballot(two))
    assert (403, "not-in-electorate") == (signed_by_two.status_code, signed_by_two.get_json()["error"])
    bent = booth.ballot(one).replace('"response":"1', '"response":"2', 1)
    assert booth.cast(one, bent).status_code in {400, 422}
    assert booth.cast(one, booth.ballot(one)[:-1]).status_code == 400
    assert booth.cast(one, "é" * 200_000).status_code == 413
    assert 0 == booth.number_of_ballots()


def test_too_early_and_too_late_are_refused_in_words(booth: Booth) -> None:
    member = booth.members[0]
    assert (403, "not-open") == ((early := booth.cast(member, booth.ballot(member))).status_code, early.get_json()["error"])
    booth.open()
    booth.clock.advance(days=2)
    assert (403, "closed") == ((late := booth.cast(member, booth.ballot(member))).status_code, late.get_json()["error"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Ballot": "1", "Origin": "https://evil.example"},
        {"X-Ballot": "1", "Origin": "null"},
        {"X-Ballot": "1", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_sites_page_can_ask_nothing(booth: Booth, headers: dict[str, str]) -> None:
    booth.open()
    member = booth.members[0]
    for path, body in (
        ("/vote/open", {"token": booth.token(member)}),
        (f"/vote/{booth.uuid}/cast", {"token": booth.token(member), "ballot": booth.ballot(member)}),
        ("/vote/resend", {"email": member.email}),
        ("/vote/typed/start", {"election": booth.uuid, "credential": "0"}),
        ("/vote/typed/finish", {}),
    ):
        assert 403 == booth.post(path, body, headers).status_code, path
    assert 0 == booth.number_of_ballots()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"token":1}',
        b'{"token":null}',
        b'{"token":"a","token":"b"}',
        b'{"token":"a","b":"c"}',
        b'{"token":"\\ud800"}',
        b"[" * 100_000,
        b'{"token":"' + b"x" * 100_000 + b'"}',
        b'{"token":' + b"9" * 5000 + b"}",
    ],
)
def test_junk_is_answered_with_one_sentence(booth: Booth, body: bytes) -> None:
    for path in ("/vote/open", f"/vote/{booth.uuid}/cast", "/vote/resend", "/vote/typed/start", "/vote/typed/finish"):
        response = booth.post(path, body)
        assert response.status_code in {400, 403}, (path, response.status_code)
        assert response.get_json()["message"]
        assert "Traceback" not in response.get_data(as_text=True)


def test_a_typed_code_is_exchanged_for_a_token_that_casts(booth: Booth) -> None:
    booth.open()
    member = booth.members[0]
    code = registrar.voting_code(booth.site.keys, member)
    secret, public = derive_credential(booth.uuid, code)
    nonce = booth.post("/vote/typed/start", {"election": booth.uuid, "credential": str(public)}).get_json()["nonce"]
    proof = prove_typed_code(booth.uuid, nonce, secret, SystemRng())
    request = {"election": booth.uuid, "credential": str(public), "nonce": nonce, **proof.to_json()}
    token = booth.post("/vote/typed/finish", request).get_json()["token"]
    response = booth.post(f"/vote/{booth.uuid}/cast", {"token": token, "ballot": booth.ballot(member)})
    assert 200 == response.status_code


def test_a_typed_code_without_its_proof_gives_nothing(booth: Booth) -> None:
    booth.open()
    one, two = (derive_credential(booth.uuid, registrar.voting_code(booth.site.keys, member)) for member in booth.members[:2])
    nonce = booth.post("/vote/typed/start", {"election": booth.uuid, "credential": str(one[1])}).get_json()["nonce"]
    good = prove_typed_code(booth.uuid, nonce, one[0], SystemRng()).to_json()
    whole = {"election": booth.uuid, "credential": str(one[1]), "nonce": nonce, **good}
    stolen = prove_typed_code(booth.uuid, nonce, two[0], SystemRng()).to_json()
    unknown = derive_credential(booth.uuid, "6qFJz-cVXc1m-UdBcp-YnEgk2")
    stranger = booth.post("/vote/typed/start", {"election": booth.uuid, "credential": str(unknown[1])}).get_json()["nonce"]
    requests = [
        {**whole, **stolen},
        {**whole, "response": "0"},
        {**whole, "challenge": "x"},
        {**whole, "nonce": stranger},
        {**whole, "nonce": "forged"},
        {**whole, "credential": str(two[1])},
        {**whole, "credential": "0" * 63 + "1"},
        {**whole, "election": "11111111111111"},
        {
            "election": booth.uuid,
            "credential": str(unknown[1]),
            "nonce": stranger,
            **prove_typed_code(booth.uuid, stranger, unknown[0], SystemRng()).to_json(),
        },
    ]
    answers = [booth.post("/vote/typed/finish", request) for request in requests]
    assert [(403, "code-not-valid")] * len(requests) == [(answer.status_code, answer.get_json()["error"]) for answer in answers]
    assert 1 == len({answer.get_data() for answer in answers}), "which of them it was is not told"
    booth.clock.advance(minutes=11)
    assert 403 == booth.post("/vote/typed/finish", whole).status_code


def test_asking_for_a_link_is_answered_alike_for_everybody(booth: Booth) -> None:
    booth.open()
    with booth.site.database.write() as db:
        services = booth.site
        mailings.send_at_once(db, services.config, services.keys, services.mailer, booth.meeting.id, OFFICER, booth.clock.now())
    booth.clock.advance(hours=1)
    known, unknown = (booth.post("/vote/resend", {"email": email}) for email in (booth.members[0].email, "nobody@example.org"))
    assert (known.status_code, known.get_data()) == (unknown.status_code, unknown.get_data())
    known.close()
    unknown.close()
    with booth.site.database.read() as db:
        again = [row for row in db.exec(select(Outbox)).all() if "again" in row.key]
    assert [booth.members[0].handle] == [row.handle for row in again]


def test_a_withdrawn_link_is_not_sent_again_and_opens_nothing(booth: Booth) -> None:
    booth.open()
    member = booth.members[0]
    token = booth.token(member)
    with booth.site.database.write() as db:
        registrar.withdraw(db, member.handle, cause=registrar.Cause.NO_LONGER_MEMBER, actor=SECRETARY, approval=None, now=booth.clock.now())
    refused = booth.post("/vote/open", {"token": token})
    assert (403, "link-not-valid") == (refused.status_code, refused.get_json()["error"])
    assert 200 == booth.post("/vote/resend", {"email": member.email}).status_code


def test_a_receipt_code_is_found_or_not_without_any_script(booth: Booth) -> None:
    booth.open()
    member = booth.members[0]
    code = booth.cast(member, booth.ballot(member)).get_json()["ballot"]

    def look(query: str) -> tuple[int, str]:
        response = booth.client.get("/vote/check", query_string={"code": query}, base_url=booth.site.config.public_url)
        return response.status_code, response.get_data(as_text=True)

    assert (200, True) == ((found := look(f" {code[:20]} {code[20:]} "))[0], "Your vote is in the ballot box" in found[1])
    assert 'class="qr"' in found[1]
    assert (200, True) == ((missing := look("A" * 43))[0], "We did not find this code" in missing[1])
    assert (422, True) == ((wrong := look("<script>"))[0], "Copy the whole of it" in wrong[1])
    assert "<script>" not in wrong[1].replace("<script ", "")
