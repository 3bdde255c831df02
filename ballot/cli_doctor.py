"""`ballot doctor`: look at everything that an installation needs, and say what to mend."""

from __future__ import annotations

import argparse
import json
import os
import textwrap

from ballot.errors import BuildError
from ballot.services.clock import SystemClock
from ballot.services.doctor import Finding, State, examine, mend, ok

_SIGNS = {State.OK: "ok  ", State.LOOK: "look", State.MEND: "MEND"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser(
        "doctor",
        description="Look at settings, permissions, keys, database, disk, clock, public address, mail server, DNS records, mail sender, "
        "backups and scripts, and say what to mend. Run it as the service's own account with the service's settings. Nothing is changed.",
        epilog="exit status: 0 nothing to mend, 1 something to mend",
    )
    parser.add_argument("--offline", action="store_true", help="leave out what needs the network")
    parser.add_argument("--dkim-selector", metavar="NAME", default="", help="the name of your mail server's DKIM key in the DNS")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Look, print, and tell by the exit status whether anything needs mending."""
    found = [*examine(os.environ, SystemClock().now(), network=not args.offline, selector=args.dkim_selector), check_scripts()]
    broken = [finding for finding in found if finding.state is State.MEND]
    if args.json:
        print(json.dumps([{"about": one.about, "state": one.state, "sentence": one.sentence} for one in found], indent=1))
    else:
        for finding in sorted(found, key=lambda one: list(State).index(one.state)):
            line = f"{_SIGNS[finding.state]}  {finding.about}: {finding.sentence}"
            print(textwrap.fill(line, 110, subsequent_indent=" " * 6, break_on_hyphens=False))
        print(f"\n{len(broken)} to mend." if broken else "\nNothing to mend.")
    return 1 if broken else 0


def check_scripts() -> Finding:
    """The scripts that browsers are given are those that were built, and those that the release lists."""
    from ballot.web.build import DIST, integrity, read_manifest, released

    try:
        bundles = read_manifest()
    except (BuildError, ValueError, KeyError, TypeError):
        return mend("scripts", "The booth's scripts are not built: run `make build`.")
    try:
        changed = [one.file for one in bundles.values() if integrity((DIST / one.file).read_bytes()) != one.integrity]
    except OSError as error:
        return mend("scripts", f"{error.filename} is missing: run `make build`.")
    if changed:
        return mend("scripts", f"{', '.join(changed)} was changed after it was built: find out by whom, then run `make build`.")
    listed = released()
    if listed and listed != {one.file: one.integrity for one in bundles.values()}:
        return mend("scripts", "The scripts are not those that this release lists (bundles.json): run `make build` in a clean copy.")
    return ok("scripts", f"The scripts are those that were built{', and that this release lists' if listed else ''}.")
