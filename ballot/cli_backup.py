"""`ballot backup` and `ballot restore`: a site's database, or its keys, in a sealed file; and back again on another machine."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ballot.cli_trustee import ask_passphrase
from ballot.config import Config
from ballot.errors import MalformedError, RefusedError, UnusableInputError
from ballot.sealed import read_file, seal, unseal, write_private
from ballot.services import backup, replay
from ballot.services.backups import STAMP, remembered
from ballot.services.clock import SystemClock, iso
from ballot.services.database import Database
from ballot.services.keys import Keys

_LARGEST_PUBLIC = 1 << 30  # bytes of a companion file or a journal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments of both."""
    make = subparsers.add_parser(
        "backup",
        description="Write one consistent view of the database into FILE while the site runs, sealed, mode 0600, with FILE.sha256 "
        "beside it. The keys make a file of their own (--keys): store the two in different places.",
    )
    make.add_argument("file", metavar="FILE", type=Path, help="a new file; %%Y-%%m-%%d and the like stand for the date and time (UTC)")
    what = make.add_mutually_exclusive_group()
    what.add_argument("--keys", action="store_true", help="back up the keys instead of the database")
    what.add_argument("--make-key", action="store_true", help="make a key for backups: FILE keeps its private half, sealed")
    lock = make.add_mutually_exclusive_group()
    lock.add_argument("--to", metavar="KEY", help="the public key that --make-key printed: this machine then cannot open its own backups")
    lock.add_argument("--passphrase-file", metavar="FILE", type=Path, help="its first line is the passphrase (default: ask)")
    make.add_argument("--keep", metavar="N", type=int, help="delete the oldest backups of the same name pattern, but for the last N")

    back = subparsers.add_parser(
        "restore",
        description="Bring a backup back on a new machine: first that of the keys, then that of the database, then what was published "
        "since. Nothing that exists is overwritten.",
    )
    back.add_argument("file", metavar="FILE", type=Path, nargs="?", help="a backup of the keys or of the database")
    back.add_argument("--check", action="store_true", help="only open the file to its end and say what it holds")
    opener = back.add_mutually_exclusive_group()
    opener.add_argument("--key", metavar="FILE", type=Path, help="the private key file of `ballot backup --make-key`")
    back.add_argument("--passphrase-file", metavar="FILE", type=Path, help="its first line is the passphrase (default: ask)")
    back.add_argument(
        "--archive", metavar="UUID.bel", type=Path, action="append", default=[], help="replay a published archive: later ballots"
    )
    back.add_argument(
        "--companion", metavar="FILE", type=Path, action="append", default=[], help="the companion file of an archive (UUID.companion.json)"
    )
    back.add_argument("--journal", metavar="FILE", type=Path, action="append", default=[], help="replay a published journal: later acts")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if args.command == "restore":
        return _restore(args)
    if args.make_key:
        return _make_key(args)
    return _backup(args)


# --- backup -------------------------------------------------------------------------------------------------------


def _make_key(args: argparse.Namespace) -> int:
    passphrase = ask_passphrase(args.passphrase_file, new=True)
    key = backup.PrivateKey(X25519PrivateKey.generate())
    write_private(args.file, seal(backup.PRIVATE_KIND, {"public": key.public_line}, key.key.private_bytes_raw(), passphrase))
    print(f"Wrote {args.file}. Keep it and its passphrase away from the server: both open every backup made with\n{key.public_line}")
    return 0


def _backup(args: argparse.Namespace) -> int:
    config, now = Config.from_environ(os.environ), SystemClock().now()
    if args.keep is not None and args.keep < 1:
        raise UnusableInputError("--keep takes 1 or more.")
    path = args.file.with_name(now.strftime(args.file.name))
    lock = backup.PublicKey.parse(args.to) if args.to else backup.Passphrase(ask_passphrase(args.passphrase_file, new=True))
    if args.keys:
        keys = Keys.open(config.keys)
        number = backup.back_up_keys(keys, config.keys, path, lock, now)
        what, part = f"{number} keys", "keys"
    else:
        keys, database = Keys.open(config.keys), Database(config.database_url)  # as they are: a backup changes no table
        try:
            counts = backup.back_up(database, keys, path, lock, now)
        finally:
            database.dispose()
        what, part = f"{sum(counts.values()):,} rows, {counts.get('cast', 0):,} of them ballots", "database"
    digest = backup.file_hash(path)
    write_private(path.with_name(f"{path.name}.sha256"), f"{digest}  {path.name}\n".encode(), replace=True)
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(config.data / STAMP, remembered(config.data, part, path, digest, now), replace=True)
    print(f"Wrote {path}: {what}. SHA-256 {digest}")
    if args.keep is not None:
        for old in _older(args.file, path, args.keep):
            old.unlink(missing_ok=True)
            old.with_name(f"{old.name}.sha256").unlink(missing_ok=True)
            print(f"Deleted {old}")
    return 0


def _older(pattern: Path, newest: Path, keep: int) -> list[Path]:
    """Backups that this pattern of names made before, but for the last `keep` (the newest one counts)."""

    def made(path: Path) -> datetime | None:
        try:
            return datetime.strptime(path.name, pattern.name).replace(tzinfo=UTC)
        except ValueError:
            return None

    dated = sorted((moment, path) for path in newest.parent.iterdir() if (moment := made(path)) is not None)
    return [path for _, path in dated[:-keep] if path != newest]


# --- restore ------------------------------------------------------------------------------------------------------


def _opener(args: argparse.Namespace) -> backup.Opener:
    if args.key is None:
        return backup.Passphrase(ask_passphrase(args.passphrase_file, new=False))
    data = read_file(args.key)
    try:
        opened = unseal(data, ask_passphrase(args.passphrase_file, new=False))
    except MalformedError as error:
        raise UnusableInputError(f"{args.key}: {error}.") from error
    if opened.kind != backup.PRIVATE_KIND or len(opened.data) != 32:
        raise RefusedError(f"{args.key} is no private key of `ballot backup --make-key`.")
    return backup.PrivateKey(X25519PrivateKey.from_private_bytes(opened.data))


def _restore(args: argparse.Namespace) -> int:
    if args.file is None and not (args.archive or args.journal):
        raise UnusableInputError("Name a backup, or what to replay with --archive or --journal.")
    if args.check:
        return _check(args)
    made = now = SystemClock().now()
    part = "database"
    if args.file is not None:
        part, made = _head(args.file)
    config = Config.from_environ(os.environ)
    if part == "keys":
        number = backup.restore_keys(args.file, _opener(args), config.keys)
        Keys.open(config.keys)
        print(f"{number} keys are in {config.keys} again. Now restore the database.")
        return 0
    if not (config.keys / "receipt").exists():
        raise UnusableInputError(f"There are no keys in {config.keys}: restore the backup of the keys first.")
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys, database = Keys.open(config.keys), Database(config.database_url)
    try:
        if args.file is not None:
            head, counts = backup.restore(database, keys, args.file, _opener(args))
            print(f"{sum(counts.values()):,} rows as of {iso(head.made)}, {counts.get('cast', 0):,} of them ballots.", flush=True)
        _replay(args, database, made, now)
    finally:
        database.dispose()
    if args.file is not None:
        print(
            "Officers sign in anew. Mails that waited are marked unknown: look at each meeting's list before you send any again.\n"
            "Now start the site (`ballot serve`) and the sender (`ballot mail --forever`), and run `ballot doctor`."
        )
    return 0


def _check(args: argparse.Namespace) -> int:
    if args.file is None:
        raise UnusableInputError("Name the backup to check.")
    head, counts = backup.check(args.file, _opener(args))
    what = f"{sum(counts.values()):,} {'keys' if head.part == 'keys' else 'rows'}"
    print(f"{args.file} opens to its end: {head.part} of {iso(head.made)}, made by version {head.version}, {what}.")
    return 0


def _head(path: Path) -> tuple[str, datetime]:
    with path.open("rb") as file:
        head = backup.read_head(file)
    return head.part, head.made


def _replay(args: argparse.Namespace, database: Database, made: datetime, now: datetime) -> None:
    companions = {path.name.partition(".")[0]: read_file(path, _LARGEST_PUBLIC) for path in args.companion}
    done: list[replay.Replayed] = []
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor()) if args.archive else None
        for path in args.archive:
            with path.open("rb") as file:
                one = replay.replay_archive(
                    database, file, made, now, companion=companions.get(path.name.partition(".")[0]), executor=pool
                )
            print(f"{one.name}: {one.ballots:,} ballots and {one.events - one.ballots} other events came back from {path}.", flush=True)
            done.append(one)
    for path in args.journal:
        meeting = replay.replay_journal(database, read_file(path, _LARGEST_PUBLIC))
        acts = ", ".join(f"{number} × {act}" for act, number in meeting.acts.items()) or "nothing newer"
        print(f"Journal of {meeting.meeting}: {acts}.")
        if meeting.new_links:
            print(f"  Links were reissued or withdrawn since: {meeting.new_links} members who can still vote need a new one. Send links.")
    if args.file is None:
        return
    for name in replay.record_restore(database, made, now, done):
        print(f"The restore is in the journal of {name}.")
    if not args.archive:
        print("Ballots cast after the backup are missing until their archives are replayed (--archive UUID.bel): do that before you start.")
