"""`ballot init`, `ballot serve`, `ballot officer`, `ballot tidy`: what a host does."""

from __future__ import annotations

import argparse
import os

from ballot.config import Config
from ballot.services import officers
from ballot.services.clock import SystemClock
from ballot.services.startup import prepare
from ballot.services.tidy import tidy_due


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments of all of them."""
    subparsers.add_parser(
        "tidy",
        description="Delete what is due by its announced date. The running site does this by itself; this is for a timer where the site "
        "does not always run.",
    )
    subparsers.add_parser(
        "init",
        description="Make the keys (mode 0600) and the database of a new site, or bring the database up to date. "
        "Settings come from the environment (BALLOT_…, see the README).",
    )
    serve = subparsers.add_parser("serve", description="Run the site with gunicorn.")
    serve.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT", help="where to listen (default: %(default)s)")
    serve.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s; about one for each core)")
    serve.add_argument("--threads", type=int, default=4, help="threads in each process (default: %(default)s)")
    officer = subparsers.add_parser(
        "officer", description="Give an officer roles, and print a sign-in link that works once. This is how the first officer gets in."
    )
    officer.add_argument("email")
    officer.add_argument("--name", required=True)
    officer.add_argument("--role", action="append", choices=officers.ROLES, help="may be given again (default: returning-officer)")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    from ballot.serve import serve

    config = Config.from_environ(os.environ)
    database, _ = prepare(config)
    try:
        match args.command:
            case "init":
                print(f"Ready. Keys: {config.keys} (back this folder up, away from the database). Database: {database.engine.url!r}.")
            case "serve":
                database.dispose()
                serve(args.bind, args.workers, args.threads)
            case "tidy":
                done = tidy_due(database, SystemClock().now())
                print(f"Deleted for {len(done)} ballot{'' if len(done) == 1 else 's'}.")
            case "officer":
                now = SystemClock().now()
                with database.write() as session:
                    officer = officers.add_officer(
                        session, name=args.name, email=args.email, roles=args.role or ["returning-officer"], now=now
                    )
                    made = officers.make_login_link(session, email=officer.email, now=now, pause=0)
                print(f"{officer.name} is an officer: {', '.join(officer.roles)}.")
                if made is not None:
                    minutes = int(officers.LINK_LIFE.total_seconds()) // 60
                    print(f"Sign in once within {minutes} minutes: {config.public_url}/officer/sign-in/link#{made[1]}")
    finally:
        database.dispose()
    return 0
