"""`ballot watch URL`: keep a ballot box's signed checkpoints, and complain aloud about a rewind or a fork.

URL is the address of an election's page. The checkpoints are kept in a file, one JSON object a line, the site's key first; two of
them that contradict each other prove that the site showed different boxes. Exit status 1: it did; 0: it did not, so far.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ballot.client import Client
from ballot.errors import BallotError, MalformedError, UnusableInputError, VerificationError
from ballot.protocol.messages import Event, sha256_hex
from ballot.protocol.receipts import Checkpoint, open_checkpoint, verifier_key

_PAGE: Final = re.compile(r"/e/([1-9A-HJ-NP-Za-km-z]{10,40})/?", re.ASCII)
_LARGEST_FILE: Final = 1 << 30  # bytes


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser(
        "watch",
        description="Keep the signed checkpoints of an election's ballot box, and complain if it ever goes back or shows another chain.",
        epilog="exit status: 0 nothing wrong so far, 1 the box was changed, 2 the site or the file cannot be used, 3 interrupted",
    )
    parser.add_argument("url", metavar="URL", help="the election's page, such as https://vote.example.org/e/UUID")
    parser.add_argument("--file", type=Path, help="where checkpoints are kept (default: UUID.checkpoints here)")
    parser.add_argument("--every", type=float, default=300, metavar="SECONDS", help="how often to look (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="look once, compare with what was kept, and stop")
    parser.add_argument("--key", help="the site's checkpoint key, if you have it from elsewhere (default: the one it shows first)")


def run(args: argparse.Namespace) -> int:
    """Look, now or for ever."""
    parts = urlsplit(args.url)
    page = _PAGE.fullmatch(parts.path)
    if not page or parts.query or parts.fragment:
        raise UnusableInputError("Give the address of an election's page, such as https://vote.example.org/e/UUID.")
    if not 1 <= args.every <= 86400:
        raise UnusableInputError("--every takes from 1 to 86400 seconds.")
    uuid = page[1]
    client = Client(f"{parts.scheme}://{parts.netloc}")
    path = args.file or Path(f"{uuid}.checkpoints")
    origin = f"{parts.netloc}/e/{uuid}"
    while True:
        try:
            print(_look(client, uuid, origin, path, args.key), flush=True)
        except VerificationError:
            raise
        except BallotError as error:
            if args.once:
                raise
            print(f"{error} Looking again in {args.every:g} seconds.", file=sys.stderr, flush=True)
        if args.once:
            return 0
        time.sleep(args.every)


def _look(client: Client, uuid: str, origin: str, path: Path, wanted_key: str | None) -> str:
    """One look, compared with everything kept, and kept itself; what was found, in words. Raises: VerificationError."""
    key, last = _kept(path, origin)
    shown = client.get(f"/e/{uuid}/checkpoint-key").decode("utf-8", "replace").strip()
    expected = wanted_key or key or shown
    if expected != shown or (key is not None and key != expected):
        raise VerificationError(f"The site shows another checkpoint key than before: {shown[:200]!r} instead of {expected[:200]!r}.")
    note = client.get(f"/e/{uuid}/checkpoint").decode("utf-8", "replace")
    now = open_checkpoint(note, origin, _public(shown, origin))
    _keep(path, expected if key is None else None, note, same=last == now)  # before it is judged: it is the evidence
    new = compare(last, now, lambda identity: client.get(f"/api/elections/{uuid}/objects/{identity}"))
    since = "first look" if last is None else f"{new} new since the last look"
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}  height {now.height}, head {now.head}: holds ({since})"


def compare(last: Checkpoint | None, now: Checkpoint, event: Callable[[str], bytes]) -> int:
    """How many events follow the last checkpoint, whose head is still in the chain. `event` gives an event's bytes by its hash.

    Raises: VerificationError: the box went back, or shows another chain.
    """
    if last is None:
        return 0
    if now.height < last.height:
        raise VerificationError(f"REWIND: the box had {last.height} as its last event, and now ends at {now.height}.")
    identity: str | None = now.head
    for height in range(now.height, last.height, -1):
        data = event(identity or "")
        found = Event.parse(data)
        if sha256_hex(data) != identity or found.height != height:
            raise VerificationError(f"FORK: the site's event at height {height} is not what the chain says.")
        identity = found.parent
    if identity != last.head:
        raise VerificationError(f"FORK: at height {last.height} the chain was {last.head} before, and is {identity} now.")
    return now.height - last.height


def _public(key: str, origin: str) -> bytes:
    try:
        public = base64.b64decode(key.removeprefix(f"{origin}+")[9:].encode("ascii"), validate=True)[1:]  # after the key's id and a plus
    except (binascii.Error, ValueError) as error:
        raise MalformedError("The site's checkpoint key cannot be read.") from error
    if len(public) != 32 or verifier_key(origin, public) != key:
        raise MalformedError("The site's checkpoint key is not this election's.")
    return public


def _kept(path: Path, origin: str) -> tuple[str | None, Checkpoint | None]:
    """The key and the last checkpoint of the file; nothing if there is no file. Raises: UnusableInputError."""
    if not path.exists():
        return None, None
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UnusableInputError(f"{path} is no file of checkpoints: it is far too large.")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        key = str(lines[0]["key"])
        last = open_checkpoint(lines[-1]["note"], origin, _public(key, origin)) if len(lines) > 1 else None
    except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError, BallotError) as error:
        raise UnusableInputError(f"{path} is no file of this election's checkpoints; give another with --file.") from error
    return key, last


def _keep(path: Path, key: str | None, note: str, *, same: bool) -> None:
    lines = [{"key": key}] if key is not None else []
    if not same:
        lines.append({"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "note": note})
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
