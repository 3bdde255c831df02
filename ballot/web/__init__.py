"""The site: the only part that knows Flask. `site()` hands a view the services that `create_app` put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app

from ballot.services.jobs import Tools

if TYPE_CHECKING:
    from ballot.app import Site


def site() -> Site:
    """The services of the running application."""
    return cast("Site", current_app.extensions["ballot"])


def tools() -> Tools:
    """The services that long work needs."""
    here = site()
    return Tools(here.config, here.database, here.keys, here.mailer, here.clock)
