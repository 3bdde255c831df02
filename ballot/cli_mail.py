"""`ballot mail`: send what waits in the outbox, at a steady pace, resumable at any moment."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from ballot.config import Config
from ballot.errors import MailError, UnusableInputError
from ballot.logs import scrub
from ballot.services import mailings
from ballot.services.clock import SystemClock
from ballot.services.database import Database
from ballot.services.mail import Action, Mailer, Sender, read_report, transport_for
from ballot.services.mail.bounces import LARGEST_REPORT
from ballot.services.startup import only_one, prepare


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser(
        "mail",
        description="Send the mails that wait, at a steady pace, until none is left. It may be stopped and "
        "started again at any moment: no member is missed, and none is written to twice.",
    )
    parser.add_argument("--forever", action="store_true", help="stay and send whatever is queued later (for a service manager)")
    parser.add_argument("--bounce", metavar="FILE", help="take in a delivery report (RFC 3464) from a file, or - for standard input")
    parser.add_argument("--to", metavar="ADDRESS", default="", help="with --bounce: the address that the report was delivered to")


def run(args: argparse.Namespace) -> int:
    """Send, or take in a delivery report."""
    config = Config.from_environ(os.environ)
    database, keys = prepare(config)
    clock, mailer = SystemClock(), Mailer(config, keys)
    try:
        if args.bounce is not None:
            return _bounce(args.bounce, args.to, mailer, database, clock)
        with only_one(config.data, "mail") as mine:
            if not mine:
                raise MailError("Another sender is at work on this machine; one is enough.")
            transport, refill = transport_for(config, database, clock), mailings.refill(database, config, keys, mailer, clock)
            pace, stop = config.mails_per_minute, threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stop.set())  # the mail that is being sent is finished first
            sender = Sender(database, mailer, transport, clock, mails_per_minute=pace, refill=refill, stop=stop)
            sent = sender.run(until_empty=not args.forever, report=lambda sentence: print(scrub(sentence), file=sys.stderr))
        print(f"{sent} accepted by the mail server.")
        return 0
    finally:
        database.dispose()


def _bounce(name: str, envelope_to: str, mailer: Mailer, database: Database, clock: SystemClock) -> int:
    if name == "-":
        data = sys.stdin.buffer.read(LARGEST_REPORT + 1)
    else:
        with Path(name).open("rb") as file:
            data = file.read(LARGEST_REPORT + 1)
    report = read_report(data, envelope_to=envelope_to)
    with database.write() as session:
        outcome = mailer.report(session, report, clock.now())
    if outcome.row is None:
        raise UnusableInputError("This report is about no mail of this site, or about one whose record is deleted. Nothing was changed.")
    done = {Action.FAILED: f"marked as bounced ({outcome.row.bounce})", Action.DELAYED: "noted as delayed; it is still being tried"}
    print(f"1 mail {done.get(outcome.action, 'was delivered, says the report; nothing was changed')}.")
    return 0
