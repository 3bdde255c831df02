"""A site over a real database with an officer, a meeting and two open ballots with the same key-holders, for attackers to try."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ballot.app import Site
from ballot.models import RollEntry
from ballot.services import board, registrar
from ballot.services.clock import FixedClock
from ballot.web.build import build
from tests.services.world import World
from tests.web.conftest import (  # noqa: F401  fixtures
    anybody,
    app,
    clock,
    config,
    new_officer,
    new_visitor,
    returning_officer,
    site,
)

BOOTH = {"X-Ballot": "1", "Origin": "https://vote.example.org"}


@dataclass
class Target:
    """Two open ballots of one meeting, with the same voters and key-holders; and requests as the booth makes them."""

    site: Site
    client: FlaskClient
    world: World
    uuids: list[str]
    members: list[RollEntry]
    receipts: list[dict[str, Any]] = field(default_factory=list)

    def token(self, entry: RollEntry) -> str:
        return self.world.token(entry)

    def ballot(self, uuid: str, entry: RollEntry) -> bytes:
        return self.world.ballot(uuid, entry)

    def post(self, path: str, body: bytes | dict[str, object], headers: dict[str, str] = BOOTH) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(path, data=data, headers=headers, content_type="application/json", base_url=self.site.config.public_url)

    def cast(self, uuid: str, entry: RollEntry, ballot: bytes) -> TestResponse:
        answer = self.post(f"/vote/{uuid}/cast", {"token": self.token(entry), "ballot": ballot.decode()})
        if answer.status_code == 200:
            self.receipts.append(answer.get_json())
        return answer

    def refused(self, uuid: str, entry: RollEntry, ballot: bytes) -> str:
        """The error's name; the board is as it was, and the member's vote is not spent."""
        before = self.height(uuid)
        answer = self.cast(uuid, entry, ballot)
        assert answer.status_code in {400, 403, 409, 413, 422}, (answer.status_code, answer.get_data(as_text=True))
        assert before == self.height(uuid)
        return str(answer.get_json()["error"])

    def height(self, uuid: str) -> int:
        with self.site.database.read() as db:
            return board.head_of(db, uuid).height

    def code(self, entry: RollEntry) -> str:
        return str(registrar.voting_code(self.site.keys, entry))


@pytest.fixture
def target(app: Flask, site: Site, clock: FixedClock) -> Target:  # noqa: F811
    build()
    clock.moment = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    world = World(site.database, site.keys, clock, config=site.config)
    meeting = world.meeting(two_people=False)
    uuids = []
    for _ in range(2):
        uuids.append(world.election(meeting))
        world.lock(uuids[-1])
    for uuid in uuids:
        world.open_voting(uuid)
    clock.moment += timedelta(days=2)
    return Target(site, app.test_client(), world, uuids, world.members(meeting))
