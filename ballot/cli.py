"""Arguments in, exit codes out.

Exit codes, the same for every command: 0 done (or verified), 1 refused, 2 the input or a setting cannot be used,
3 interrupted before the end. Whatever goes wrong is told in one sentence on stderr, never as a traceback.

A command is imported only when it is asked for, so that `ballot verify` needs neither the database nor the web.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from ballot import __version__
from ballot.errors import BallotError, VerificationError

DONE, REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 3

# name: (module, what it does in one line)
COMMANDS = {
    "verify": ("ballot.cli_verify", "check a published election, from its file alone"),
    "count": ("ballot.cli_count", "count rankings (.blt) by a named rule, stage by stage"),
    "watch": ("ballot.cli_watch", "keep an election's checkpoints and complain about a rewind or a fork"),
    "trustee": ("ballot.cli_trustee", "a key-holder's acts: make a key, prove it, shuffle, decrypt"),
    "codes": ("ballot.cli_codes", "split trust: make the members' voting codes away from the server"),
    "simulate": ("ballot.cli_simulate", "run a whole election in this process and leave its files"),
    "init": ("ballot.cli_site", "make the keys and the database of a new site, or bring them up to date"),
    "serve": ("ballot.cli_site", "run the site"),
    "officer": ("ballot.cli_site", "add a returning officer and print a sign-in link"),
    "tidy": ("ballot.cli_site", "delete what is due: who has which code, and whole lists of members"),
    "mail": ("ballot.cli_mail", "send the mails that wait, at a steady pace, until none is left"),
    "work": ("ballot.cli_work", "do the long work that officers asked for, until none is left"),
    "audit-store": ("ballot.cli_audit", "check what must hold of database, archive and receipts; changes nothing"),
    "doctor": ("ballot.cli_doctor", "look at everything that this installation needs, and say what to mend"),
    "backup": ("ballot.cli_backup", "write the database, or the keys, into a sealed file while the site runs"),
    "restore": ("ballot.cli_backup", "bring a backup back on a new machine, and replay what was published since"),
    "demo": ("ballot.demo", "a sample organisation with an annual general meeting to play with"),
}


class Command(Protocol):
    """What a command's module offers."""

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> object: ...

    def run(self, args: argparse.Namespace) -> int: ...


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are unusable input: one sentence, exit status 2."""

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse says NoReturn; exit() below never returns
        self.exit(UNUSABLE, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help_line}" for name, (_, help_line) in COMMANDS.items()]
    return "commands:\n" + "\n".join(lines) + "\n\n`ballot COMMAND --help` explains one of them."


def _say(sentence: str) -> None:
    print(f"ballot: {' '.join(sentence.split()) or 'stopped without a reason.'}", file=sys.stderr)


def _dispatch(arguments: Sequence[str]) -> int:
    parser = _Parser(
        prog="ballot",
        description="One member, one vote: a balloting service that strangers can check.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ballot {__version__}")
    name = next((word for word in arguments if not word.startswith("-")), None)
    if name not in COMMANDS or arguments[0] != name:
        parser.add_argument("command", metavar="COMMAND", choices=list(COMMANDS), help="one of the commands below")
        parser.parse_args(arguments[:1])
        parser.error("no command given")
        return UNUSABLE
    command = cast("Command", importlib.import_module(COMMANDS[name][0]))
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser] = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )
    command.add_parser(subparsers)
    args = parser.parse_args(arguments)
    return command.run(args)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        status = _dispatch(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return status
    except VerificationError as error:
        _say(f"refused: {error}")
        return REFUSED
    except BallotError as error:
        _say(str(error))
        return UNUSABLE
    except KeyboardInterrupt:
        _say("interrupted before the end.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`ballot … | head`): nothing is left to say, to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}.")
        return UNUSABLE
    except Exception as error:  # a bug: the person at the terminal still gets one sentence and a status
        if os.environ.get("BALLOT_TRACEBACK"):
            raise
        _say(f"stopped by a fault of its own ({type(error).__name__}: {error}); BALLOT_TRACEBACK=1 shows where.")
        return UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
