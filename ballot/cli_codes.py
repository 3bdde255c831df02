"""`ballot codes`: the split-trust registrar. The members' voting codes are made here, away from the server.

    ballot codes make-key                        once: the registrar's key, sealed with a passphrase
    ballot codes make --key … --roll LIST.csv    each meeting: per election the list for the server and the public list;
                                                 for the mails one sealed mail merge, with each member's link and code
    ballot codes open FILE                       unseal the mail merge for the program that sends it

`LIST.csv` comes from the site (columns handle, name, email, link). A code is derived from the registrar's key, the meeting
and the handle, so the same files come out again, and a lost link can be sent again. The server never sees a code: it is
given handles with public credentials, from which codes cannot be found.
"""

from __future__ import annotations

import argparse
import csv
import io
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ballot.cli_trustee import ask_passphrase
from ballot.errors import MalformedError, RefusedError, UnusableInputError
from ballot.keyholder import plain, slug
from ballot.protocol.credentials import derive_code, parse_code, public
from ballot.protocol.messages import UUID, PublicCredentials, sha256_b64
from ballot.protocol.parallel import map_items
from ballot.sealed import Opened, read_file, seal, unseal, write_private

KEY_KIND: Final = "registrar's key"
MERGE_KIND: Final = "mail merge"
_COLUMNS: Final = ("handle", "name", "email", "link")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_MAX_LIST: Final = 512 << 20  # bytes; half a million members need a quarter of it
_PARALLEL_FROM: Final = 2000  # members


@dataclass(frozen=True)
class Entry:
    """One line of the site's list."""

    handle: str
    name: str
    email: str
    link: str


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        "codes",
        help="split trust: make the members' voting codes away from the server",
        description="The split-trust registrar: makes the members' voting codes on a machine of their own.",
    )
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)

    key = acts.add_parser("make-key", help="make the registrar's key, once")
    key.add_argument("--registrar", metavar="NAME", required=True, help="my name, for the file")
    key.add_argument("--out", metavar="FILE", type=Path, help="where to write (default: ballot-registrar-NAME.key here)")

    make = acts.add_parser("make", help="make the codes of a meeting: lists for the server, and a sealed mail merge")
    make.add_argument("--key", metavar="FILE", type=Path, required=True, help="the registrar's key")
    make.add_argument("--meeting", metavar="ID", required=True, help="the meeting's identifier, as the site shows it")
    make.add_argument("--election", metavar="UUID", action="append", required=True,
                      help="a ballot of the meeting (repeat for each that has the list's electorate)")
    make.add_argument("--roll", metavar="LIST.csv", type=Path, required=True, help="the site's list: handle, name, email, link")
    make.add_argument("--out", metavar="DIR", type=Path, default=Path(), help="where to write (default: here)")

    opened = acts.add_parser("open", help="unseal a mail merge (then delete the file that this writes, once it is sent)")
    opened.add_argument("file", metavar="FILE", type=Path, help="the sealed mail merge")
    opened.add_argument("--out", metavar="FILE.csv", type=Path, required=True, help="where to write it, readable by you only")

    for act in (key, make, opened):
        act.add_argument("--passphrase-file", metavar="FILE", type=Path, help="its first line is the passphrase (default: ask)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Do one act; exit status 0, or an exception with one sentence."""
    acts: dict[str, Callable[[argparse.Namespace], int]] = {"make-key": _make_key, "make": _make, "open": _open}
    return acts[args.act](args)


# --- the three acts -------------------------------------------------------------------------------------------------------


def _make_key(args: argparse.Namespace) -> int:
    path: Path = args.out or Path(f"ballot-registrar-{slug(args.registrar)}.key")
    if path.exists():
        raise UnusableInputError(f"{path}: this file exists already and is left as it is.")
    passphrase = ask_passphrase(args.passphrase_file, new=True)
    write_private(path, seal(KEY_KIND, {"registrar": args.registrar}, secrets.token_bytes(32), passphrase))
    print(f"Wrote {path}\nKeep a copy of it somewhere else, and the passphrase apart from both: without them no link can be sent again.")
    return 0


def _make(args: argparse.Namespace) -> int:
    elections: list[str] = args.election
    for uuid in elections:
        UUID.decode(uuid)
    if len(set(elections)) != len(elections):
        raise UnusableInputError("an election is named twice")
    entries = read_list(read_file(args.roll, _MAX_LIST), args.roll)
    targets = [args.out / f"{uuid}-credentials.csv" for uuid in elections] + [args.out / f"{uuid}-public.json" for uuid in elections]
    merge = args.out / f"mail-merge-{slug(args.meeting)}.sealed"
    for path in (*targets, merge):
        if path.exists():
            raise UnusableInputError(f"{path}: this file exists already and is left as it is.")
    key, passphrase = _open_sealed(args.key, KEY_KIND, args.passphrase_file)
    codes = [derive_code(key.data, args.meeting, entry.handle) for entry in entries]
    print(f"{len(entries):,} members.", flush=True)
    for uuid in elections:
        credentials = list(_credentials(uuid, codes))
        rows = zip((entry.handle for entry in entries), credentials, strict=True)
        write_private(args.out / f"{uuid}-credentials.csv", _csv(("handle", "credential"), sorted(rows)))
        listed = PublicCredentials(tuple(sorted(credentials)))
        write_private(args.out / f"{uuid}-public.json", listed.to_bytes())
        print(f"Wrote {args.out / f'{uuid}-credentials.csv'} (for the server) and {uuid}-public.json")
        print(f"  fingerprint of the public list: {sha256_b64(listed.to_bytes())}")
    body = _csv(
        ("name", "email", "link", "code"),
        ((_defused(e.name), _defused(e.email), f"{e.link}.{code}", code) for e, code in zip(entries, codes, strict=True)),
    )
    write_private(merge, seal(MERGE_KIND, {"meeting": args.meeting, "members": str(len(entries))}, body, passphrase))
    print(f"Wrote {merge}, sealed with the same passphrase")
    return 0


def _open(args: argparse.Namespace) -> int:
    if args.out.exists():
        raise UnusableInputError(f"{args.out}: this file exists already and is left as it is.")
    opened, _ = _open_sealed(args.file, MERGE_KIND, args.passphrase_file)
    write_private(args.out, opened.data)
    print(f"Wrote {args.out}. It holds everybody's code: delete it when the mails are sent.")
    return 0


def _open_sealed(path: Path, kind: str, passphrase_file: Path | None) -> tuple[Opened, str]:
    data = read_file(path, _MAX_LIST)
    passphrase = ask_passphrase(passphrase_file, new=False)
    try:
        opened = unseal(data, passphrase)
    except MalformedError as error:
        raise UnusableInputError(f"{path}: {error}.") from error
    if opened.kind != kind:
        raise RefusedError(f"{path} holds no {kind}, but: {plain(opened.kind)}")
    return opened, passphrase


# --- lists ------------------------------------------------------------------------------------------------------------------


def read_list(data: bytes, path: Path) -> list[Entry]:
    """The site's list of members. Raises: UnusableInputError with row and reason."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableInputError(f"{path}: this is not a CSV file in UTF-8.") from error
    if not rows or tuple(rows[0]) != _COLUMNS:
        raise UnusableInputError(f"{path}: the first row must be {','.join(_COLUMNS)}.")
    entries, seen = [], set()
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(_COLUMNS) or not row[0]:
            raise UnusableInputError(f"{path}, row {number}: there must be a handle, a name, an e-mail address and a link.")
        entry = Entry(*row)
        if entry.handle in seen:
            raise UnusableInputError(f"{path}, row {number}: the handle {plain(entry.handle)} appears twice.")
        fragment = entry.link.partition("#")[2]
        if not entry.link.startswith(("https://", "http://")) or not fragment or _ends_in_code(fragment):
            raise UnusableInputError(f"{path}, row {number}: the link must be the member's own, without a code.")
        seen.add(entry.handle)
        entries.append(entry)
    if not entries:
        raise UnusableInputError(f"{path}: the list is empty.")
    return entries


def _ends_in_code(fragment: str) -> bool:
    try:
        parse_code(fragment.rpartition(".")[2])
    except MalformedError:
        return False
    return True


def _credentials_chunk(uuids: Sequence[str], codes: Sequence[str]) -> list[str]:
    return [str(public(uuid, code)) for uuid, code in zip(uuids, codes, strict=True)]


def _credentials(uuid: str, codes: Sequence[str]) -> list[str]:
    uuids = [uuid] * len(codes)
    if len(codes) < _PARALLEL_FROM:
        return _credentials_chunk(uuids, codes)
    with ProcessPoolExecutor() as pool:
        return map_items(pool, _credentials_chunk, uuids, codes, size=500)


def _defused(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heading)
    writer.writerows(rows)
    return out.getvalue().encode()
