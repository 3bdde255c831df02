"""A site with a hall, and members with phones. The booth is built first, as an installation would."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import Chrome

from ballot.web.build import build
from tests.browser.hall import Hall
from tests.browser.voter import Voter
from tests.support.chromium import browser
from tests.support.site import Site


@pytest.fixture(scope="session")
def built() -> None:
    build()


@pytest.fixture(scope="module")
def hall(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with Site(tmp_path_factory.mktemp("hall")) as site:
        hall = Hall(site)
        yield hall
        hall.database.dispose()


@pytest.fixture(scope="module")
def shared_phone() -> Iterator[Chrome]:
    """One phone for a module's tests: starting a browser takes longer than most of them."""
    with browser() as driver:
        yield driver


@pytest.fixture
def voter(shared_phone: Chrome) -> Iterator[Voter]:
    shared_phone.get_log("performance")  # type: ignore[no-untyped-call]
    shared_phone.get_log("browser")  # type: ignore[no-untyped-call]
    voter = Voter(shared_phone)
    yield voter
    voter.slow_processor(1)
    voter.offline(False)
    shared_phone.delete_network_conditions()  # type: ignore[no-untyped-call]
    shared_phone.get("about:blank")


@pytest.fixture
def new_voter(new_browser: Callable[..., Chrome]) -> Callable[..., Voter]:
    return lambda *arguments, **options: Voter(new_browser(*arguments, **options))
