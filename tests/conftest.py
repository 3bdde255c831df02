"""Fixtures for every test: both databases, a real SMTP server, a running site, a browser, Belenios's own tool.

What is not installed skips its tests with a reason; with BALLOT_REQUIRE_ALL=1 a skip is a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.need import REQUIRE_ALL
from tests.support.pictures import write_index

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.support.postgresql import PostgreSQL
    from tests.support.site import Site
    from tests.support.smtp import SMTPServer

# Where nothing may be missing, properties are tried on the same examples each time: what chance finds, it finds on developers' machines.
settings.register_profile("the same each time", derandomize=True, deadline=None)
if REQUIRE_ALL:
    settings.load_profile("the same each time")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """One PostgreSQL server for the whole run."""
    from tests.support.postgresql import PostgreSQL

    server = PostgreSQL()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    url = postgresql_server.new_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ballot.sqlite3'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def smtp_server() -> Iterator[SMTPServer]:
    """A real SMTP server that accepts everything, until the test tells it otherwise."""
    from tests.support.smtp import SMTPServer

    with SMTPServer() as server:
        yield server


@pytest.fixture
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Start a site with these settings (BALLOT_… names); it is stopped after the test."""
    from tests.support.site import Site

    with ExitStack() as stack:

        def new(**settings: str) -> Site:
            return stack.enter_context(Site(tmp_path_factory.mktemp("site"), **settings))

        yield new


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """An empty site in development, on SQLite, that catches its mail."""
    return new_site()


@pytest.fixture
def new_browser() -> Iterator[Callable[..., Chrome]]:
    """Open another headless Chromium with a profile of its own; closed after the test."""
    from tests.support.chromium import browser

    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(browser(*arguments, **options))


@pytest.fixture
def phone(new_browser: Callable[..., Chrome]) -> Chrome:
    """Headless Chromium with a screen as large as a phone's."""
    return new_browser()


@pytest.fixture(scope="session")
def belenios_tool() -> Path:
    """Belenios's own command line, 3.0 or newer."""
    from tests.support.belenios import belenios_tool

    return belenios_tool()


@pytest.fixture(scope="session")
def belenios_tool_online() -> Path:
    """Belenios's own command line that can audit a live site: 3.2 or newer."""
    from tests.support.belenios import belenios_tool

    return belenios_tool((3, 2))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where everything is required, a skip is a failure."""
    report: pytest.TestReport = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although everything is required here: {report.longrepr}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A module that skips itself while it is being collected counts too."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if REQUIRE_ALL and reporter is not None and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if not hasattr(session.config, "workerinput"):
        write_index()
