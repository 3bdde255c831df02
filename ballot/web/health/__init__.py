"""For monitors: is the site alive, can it do its work, and figures. No page of it tells anything about anybody."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version

from flask import Blueprint, Response, current_app, jsonify, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from werkzeug.exceptions import NotFound

from ballot.services.backups import last_backups
from ballot.services.health import Check, Readiness, figures
from ballot.services.keys import read_private_file
from ballot.web import site, telemetry
from ballot.web.access import Role, open_to

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@open_to(Role.PUBLIC)
def alive() -> Response:
    """The process answers. Nothing else is looked at."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@bp.get("/readyz")
@open_to(Role.PUBLIC)
def ready() -> tuple[Response, int]:
    """The site can do its work: 200, or 503. On this machine each check's own sentence is told; elsewhere only which one fails."""
    found = _readiness().checks()
    holds = all(check.ok or check.warns for check in found)
    told = {check.name: check.sentence if telemetry.is_local() else _word(check) for check in found}
    return jsonify({"ready": holds, "checks": told}), 200 if holds else 503


def _word(check: Check) -> str:
    return "ok" if check.ok else "look at it" if check.warns else "failed"


@bp.get("/metrics")
@open_to(Role.PUBLIC)
def metrics() -> Response:
    """Figures for Prometheus: to a program on this machine, or to whoever has the token. Nobody else learns that the page exists."""
    if not (telemetry.is_local() or _has_token()):
        raise NotFound
    ours = current_app.extensions["ballot.figures"].registry()
    now = CollectorRegistry()
    now.register(_Now())
    return Response(generate_latest(ours) + generate_latest(now), content_type="text/plain; version=0.0.4; charset=utf-8")


def _has_token() -> bool:
    file = site().config.metrics_token_file
    if file is None:
        return False
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    return hmac.compare_digest(given, read_private_file(file).strip().encode())


def _readiness() -> Readiness:
    known = current_app.extensions.get("ballot.readiness")
    if not isinstance(known, Readiness):
        here = site()
        known = current_app.extensions["ballot.readiness"] = Readiness(here.config, here.database, here.clock)
    return known


class _Now:
    """Figures that are read when they are asked for. None of them belongs to one election or one person."""

    def collect(self) -> Iterable[Metric]:
        here = site()
        about = GaugeMetricFamily("ballot_version", "What runs here.", labels=["version"])
        about.add_metric([version("ballot")], 1)
        yield about
        checks = GaugeMetricFamily("ballot_check", "1 where this check of /readyz holds.", labels=["check"])
        for check in _readiness().checks():
            checks.add_metric([check.name], float(check.ok))
        yield checks
        counted = figures(here.database)
        mails = GaugeMetricFamily("ballot_mails", "Mails in the outbox.", labels=["state"])
        for state, number in sorted(counted["mails"].items()):
            mails.add_metric([state], number)
        yield mails
        yield GaugeMetricFamily("ballot_open_elections", "Elections that are open.", value=counted["elections"]["open"])
        ages = GaugeMetricFamily("ballot_backup_age_seconds", "Since the last backup from this machine.", labels=["part"])
        for part, last in sorted(last_backups(here.config.data).items()):
            made = datetime.fromisoformat(str(last["made"])).astimezone(UTC)
            ages.add_metric([part], (here.clock.now() - made).total_seconds())
        yield ages
