"""`ballot mail`: send what waits in the outbox, at a steady pace, resumable at any moment."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ballot.config import Config
from ballot.errors import MailError, UnusableInputError
from ballot.services.clock import SystemClock
from ballot.services.database import Database
from ballot.services.mail import Mailer, Sender, bounced_message_ids, transport_for
from ballot.services.startup import only_one, prepare

LARGEST_REPORT = 10_000_000  # bytes


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser(
        "mail",
        description="Send the mails that wait, at a steady pace, until none is left. It may be stopped and "
        "started again at any moment: no member is missed, and none is written to twice.",
    )
    parser.add_argument("--forever", action="store_true", help="stay and send whatever is queued later (for a service manager)")
    parser.add_argument("--bounce", metavar="FILE", help="take in a delivery report (RFC 3464) from a file, or - for standard input")


def run(args: argparse.Namespace) -> int:
    """Send, or take in a delivery report."""
    config = Config.from_environ(os.environ)
    database, keys = prepare(config)
    clock, mailer = SystemClock(), Mailer(config, keys)
    try:
        if args.bounce is not None:
            return _bounce(args.bounce, mailer, database, clock)
        with only_one(config.data, "mail") as mine:
            if not mine:
                raise MailError("Another sender is at work on this machine; one is enough.")
            sender = Sender(database, mailer, transport_for(config, database, clock), clock, mails_per_minute=config.mails_per_minute)
            sent = sender.run(until_empty=not args.forever, report=lambda sentence: print(sentence, file=sys.stderr))
        print(f"{sent} accepted by the mail server.")
        return 0
    finally:
        database.dispose()


def _bounce(name: str, mailer: Mailer, database: Database, clock: SystemClock) -> int:
    if name == "-":
        report = sys.stdin.buffer.read(LARGEST_REPORT + 1)
    else:
        with Path(name).open("rb") as file:
            report = file.read(LARGEST_REPORT + 1)
    if len(report) > LARGEST_REPORT:
        raise UnusableInputError(f"The delivery report is larger than {LARGEST_REPORT} bytes.")
    ours = 0
    with database.write() as session:
        for identity in bounced_message_ids(report):
            ours += mailer.bounced(session, identity, "a delivery report came back", clock.now())
    if not ours:
        raise UnusableInputError("This is no report about a mail of ours that could not be delivered.")
    print(f"{ours} marked as bounced.")
    return 0
