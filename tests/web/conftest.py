"""A real site over a real SQLite database, with a clock that stands still until it is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from ballot.app import Site, create_app
from ballot.config import Config
from ballot.models import Officer
from ballot.services import officers
from ballot.services.clock import FixedClock
from ballot.services.database import Database
from ballot.services.keys import Keys

NOON = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.from_environ(
        {
            "BALLOT_DEVELOPMENT": "1",
            "BALLOT_PUBLIC_URL": "https://vote.example.org",
            "BALLOT_DATA": str(tmp_path / "data"),
            "BALLOT_KEYS": str(tmp_path / "keys"),
            "BALLOT_ORGANISATION": "Northern Assembly",
            "BALLOT_SOURCE_URL": "https://code.example.org/ballot",
        }
    )


@pytest.fixture
def app(config: Config, clock: FixedClock) -> Iterator[Flask]:
    config.data.mkdir()
    database = Database(config.database_url)
    database.migrate()
    app = create_app(config, clock=clock, database=database, keys=Keys.from_seed(b"tests of the web"))
    yield app
    database.dispose()


@pytest.fixture
def site(app: Flask) -> Site:
    site: Site = app.extensions["ballot"]
    return site


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("type") == "hidden" and found.get("name"):
            self.values[str(found["name"])] = found.get("value") or ""


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden inputs of a page, the form's token among them."""
    parser = _Inputs()
    parser.feed(page)
    return parser.values


class _Options(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.name, self.values = "", dict[str, str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "select":
            self.name = str(found["name"])
        elif tag == "option" and ("selected" in found or self.name not in self.values):
            self.values[self.name] = found.get("value") or ""


def chosen_options(page: str) -> dict[str, str]:
    """What is chosen in each list of a page, as a browser would send it."""
    parser = _Options()
    parser.feed(page)
    return parser.values


@dataclass
class Visitor:
    """Someone with a browser: cookies are kept, forms are sent with their hidden fields."""

    client: FlaskClient
    site: Site
    secret: str = ""

    def get(self, address: str) -> TestResponse:
        return self.client.get(address, base_url=self.site.config.public_url)

    def post(self, address: str, fields: dict[str, object] | None = None, *, page: str | None = None) -> TestResponse:
        """Open the page that holds the form (by default the same address), then send it."""
        form = hidden_fields(self.get(page or address).get_data(as_text=True))
        sent = {"csrf_token": form.get("csrf_token", "")} | (fields or {})
        return self.client.post(address, data=sent, base_url=self.site.config.public_url)

    def digits(self) -> str:
        """Six digits nobody has used yet."""
        clock = self.site.clock
        assert isinstance(clock, FixedClock)
        clock.advance(seconds=30)
        return pyotp.TOTP(self.secret).at(clock.now())


@pytest.fixture
def new_visitor(app: Flask, site: Site) -> Callable[[], Visitor]:
    return lambda: Visitor(app.test_client(), site)


@pytest.fixture
def anybody(new_visitor: Callable[[], Visitor]) -> Visitor:
    return new_visitor()


@pytest.fixture
def new_officer(new_visitor: Callable[[], Visitor], site: Site) -> Callable[..., Visitor]:
    """An officer with this role who has signed in by mailed code and authenticator."""

    def new(role: str = "returning-officer", email: str = "") -> Visitor:
        visitor = new_visitor()
        email = email or f"{role}@example.org"
        now = site.clock.now()
        with site.database.write() as db:
            officer = officers.add_officer(db, name=role.title(), email=email, roles=[role], now=now)
            visitor.secret = officers.enrolment_secret(db, site.keys, officer)
            officer.totp_last_step = 1
            made = officers.make_login_link(db, email=email, now=now, pause=0)
        assert made is not None
        assert visitor.post("/officer/sign-in/link", {"code": made[1]}).status_code == 303
        assert visitor.post("/officer/sign-in/second", {"code": visitor.digits()}).status_code == 303
        return visitor

    return new


@pytest.fixture
def returning_officer(new_officer: Callable[..., Visitor]) -> Visitor:
    return new_officer()


def officer_of(site: Site, email: str) -> Officer:
    """The row of this officer."""
    with site.database.read() as db:
        return db.exec(select(Officer).where(Officer.email == email)).one()


def text_of(response: TestResponse) -> str:
    """The words of a page, tags taken out."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.get_data(as_text=True)).split())
