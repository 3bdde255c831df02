"""`create_app(config)`: the only place where the parts meet."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, g
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.routing import BaseConverter

from ballot.config import Config
from ballot.services.clock import Clock, SystemClock
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Mailer
from ballot.web import access, assets, errors, headers, languages, telemetry, theme, words
from ballot.web.access import Role, open_to


class Base58(BaseConverter):
    """The part of an address that names an election or a meeting."""

    regex = "[1-9A-HJ-NP-Za-km-z]{10,40}"


@dataclass(frozen=True)
class Site:
    """The services that a view may use; `ballot.web.site()` gives them to it."""

    config: Config
    clock: Clock
    database: Database
    keys: Keys
    mailer: Mailer


TEMPLATES = Path(__file__).parent.parent / "templates"  # at the top of the tree, beside the package
BLUEPRINTS = ("board", "officer", "api", "trustee_api", "dev", "booth", "health", "help", "theme")


def create_app(config: Config, *, clock: Clock | None = None, database: Database | None = None, keys: Keys | None = None) -> Flask:
    """The site as a WSGI application, over a database that `Database.migrate` has brought up to date.

    Tests hand in their own clock, database or keys.

    Raises:
        RuntimeError: a view does not say to whom it is open.
    """
    keys = keys or Keys.open(config.keys)
    address = urlsplit(config.public_url)
    secure = address.scheme == "https"
    app = Flask("ballot", static_folder="web/static", template_folder=str(TEMPLATES))
    app.config.update(
        SECRET_KEY=keys.session,
        TRUSTED_HOSTS=[address.hostname],
        PUBLIC_ORIGIN=config.public_url,
        MAX_CONTENT_LENGTH=access.SMALL_BODY,
        MAX_FORM_MEMORY_SIZE=access.SMALL_BODY,
        MAX_FORM_PARTS=2000,
        SESSION_COOKIE_NAME="__Host-form" if secure else "ballot-form",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_CHECK_DEFAULT=False,  # access.check_request calls it, after the role and in the right order
        WTF_CSRF_SSL_STRICT=False,  # it reads Referer, which we never let a browser send; access checks the origin instead
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        SEND_FILE_MAX_AGE_DEFAULT=365 * 24 * 3600,  # assets.asset puts the hash into the address
    )
    app.url_map.converters["base58"] = Base58
    app.extensions["ballot"] = Site(
        config=config,
        clock=clock or SystemClock(),
        database=database or Database(config.database_url),
        keys=keys,
        mailer=Mailer(config, keys),
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.globals.update(
        asset=assets.asset,
        public_form_token=access.public_form_token,
        integrity=assets.integrity,
        organisation=config.organisation,
        public_url=config.public_url,
        source_url=config.source_url,
    )
    words.install(app)
    languages.install(app)
    theme.install(app, config)
    app.context_processor(_officer)
    CSRFProtect(app)
    telemetry.install(app)
    app.before_request(access.check_request)
    headers.install(app)
    errors.install(app)
    for name in BLUEPRINTS:
        module = f"ballot.web.{name}"
        blueprint = getattr(importlib.import_module(module), "bp", None) if importlib.util.find_spec(module) else None
        if blueprint is not None:
            app.register_blueprint(blueprint)
    app.view_functions["static"] = open_to(Role.PUBLIC)(app.view_functions["static"])
    access.check_marks(app)
    return app


def _officer() -> dict[str, object]:
    """What every template may ask: who is signed in, once that is complete."""
    visit = g.get("visit")
    return {"officer": visit.officer if visit is not None and visit.complete else None}
