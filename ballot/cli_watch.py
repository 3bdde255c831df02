"""`ballot watch URL`: keep a ballot box's signed checkpoints, check what is new in it, and complain aloud.

URL is the address of an election's page. Everything that a later look needs is kept in one file, to which lines of JSON are
added and none is changed: the site's key; the set-up; then, for each look that found something new, the signed checkpoint, the
hashes of the new events and the credentials of the new ballots. So 10 new ballots are 10 checks, whatever the size of the
box. Two files of one election prove by their signatures that the site showed different boxes, if it did (`--compare`).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ballot.client import Client
from ballot.errors import BallotError, MalformedError, SiteRefusedError, UnusableInputError, VerificationError
from ballot.protocol.archive import Entry, read_archive
from ballot.protocol.messages import Event, EventType, Owned, SetupData, SizedEncryptedTally, sha256_hex
from ballot.protocol.receipts import Checkpoint, open_checkpoint, verifier_key
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive
from ballot.verifier.watched import News, Watched, first_difference

_PAGE: Final = re.compile(r"/e/([1-9A-HJ-NP-Za-km-z]{10,40})/?", re.ASCII)
_LARGEST_FILE: Final = 1 << 30  # bytes
_ONE_BY_ONE: Final = 300  # events: more are read from the archive, in one stream
_MANY: Final = 200  # ballots: more are checked on all processors


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser(
        "watch",
        description="Keep the signed checkpoints of an election's ballot box, check each new ballot, and complain if the box ever goes"
        " back, shows another chain, or holds anything that is not sound.",
        epilog="exit status: 0 nothing wrong so far, 1 the box is not sound, 2 the site or the file cannot be used, 3 interrupted",
    )
    parser.add_argument("url", metavar="URL", help="the election's page, such as https://vote.example.org/e/UUID")
    parser.add_argument("--file", type=Path, help="where everything is kept (default: UUID.checkpoints here)")
    parser.add_argument("--every", type=float, default=300, metavar="SECONDS", help="how often to look (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="look once, compare with what was kept, and stop")
    parser.add_argument("--key", help="the site's checkpoint key, if you have it from elsewhere (default: the one it shows first)")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="only compare with the file of somebody else who watches")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: all processors)")


def run(args: argparse.Namespace) -> int:
    """Look, now or for ever."""
    parts = urlsplit(args.url)
    page = _PAGE.fullmatch(parts.path)
    if not page or parts.query or parts.fragment:
        raise UnusableInputError("Give the address of an election's page, such as https://vote.example.org/e/UUID.")
    if not 1 <= args.every <= 86400 or args.jobs < 1:
        raise UnusableInputError("--every takes from 1 to 86400 seconds, and --jobs 1 process or more.")
    uuid = page[1]
    path, origin = args.file or Path(f"{uuid}.checkpoints"), f"{parts.netloc}/e/{uuid}"
    if args.compare is not None:
        sys.stdout.write(compare_files(Kept.read(path, origin), Kept.read(args.compare, origin)) + "\n")
        return 0
    watcher = Watcher(Client(f"{parts.scheme}://{parts.netloc}"), uuid, origin, path, args.key, args.jobs)
    while True:
        try:
            sys.stdout.write(watcher.look() + "\n")
            sys.stdout.flush()
        except VerificationError:
            raise
        except BallotError as error:
            if args.once:
                raise
            sys.stderr.write(f"{error} Looking again in {args.every:g} seconds.\n")
        if args.once:
            return 0
        time.sleep(args.every)


# --- what is kept -------------------------------------------------------------------------------------------------------


@dataclass
class Kept:
    """The file, read: the site's key, the signed checkpoints by height, and the box as far as it was seen."""

    origin: str
    key: str | None = None
    notes: dict[int, str] = field(default_factory=dict)
    box: Watched = field(default_factory=Watched)

    @classmethod
    def read(cls, path: Path, origin: str) -> Kept:
        """What the file holds; nothing if there is none. A last line that a crash cut short is dropped.

        Raises: UnusableInputError: not a file of this election's checkpoints.
        """
        kept = cls(origin)
        if not path.exists():
            return kept
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise UnusableInputError(f"{path} is no file of checkpoints: it is far too large.")
            data = path.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) < len(data) and whole:
                os.truncate(path, len(whole))
            for line in (whole or data).splitlines():
                kept._take(json.loads(line))
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, BallotError) as error:
            raise UnusableInputError(f"{path} is no file of this election's checkpoints; give another with --file.") from error
        return kept

    def _take(self, line: dict[str, Any]) -> None:
        if self.key is None:
            self.key = str(line["key"])
            _public(self.key, self.origin)
        elif "election" in line:
            self.box.set_up(line["election"].encode(), line["credentials"])
        elif "refused" not in line:
            checkpoint = open_checkpoint(line["note"], self.origin, _public(self.key, self.origin))
            last = Event.parse(line["last"].encode())
            self.box.take_over(line["events"], line["voted"], last)
            if (checkpoint.height, checkpoint.head) != (self.box.height, self.box.events[-1]) or last.hash != checkpoint.head:
                raise MalformedError("a checkpoint is not of the events beside it")
            self.notes[checkpoint.height] = line["note"]


def _append(path: Path, *lines: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


def compare_files(one: Kept, other: Kept) -> str:
    """In words, how far two watchers saw the same box. Raises: VerificationError with both signed checkpoints if they did not."""
    if one.key is None or other.key is None:
        raise UnusableInputError("One of the files holds no checkpoint yet.")
    if one.key != other.key:
        raise VerificationError(f"The site showed two watchers different checkpoint keys: {one.key} and {other.key}.")
    height = first_difference(one.box.events, other.box.events)
    if height is None:
        longer, shorter = (box.box.height for box in sorted((one, other), key=lambda kept: -kept.box.height))
        more = "and as far" if longer == shorter else f"and one {longer - shorter} further"
        return f"Both saw the same box: the same {shorter + 1} events, {more}."
    proof = "\n".join(kept.notes[min(at for at in kept.notes if at >= height)] for kept in (one, other))
    raise VerificationError(
        f"FORK: at height {height} one was shown {one.box.events[height]} and the other {other.box.events[height]}. "
        f"The site signed both:\n{proof}"
    )


# --- looking ------------------------------------------------------------------------------------------------------------


class Watcher:
    """One election, looked at again and again."""

    def __init__(self, client: Client, uuid: str, origin: str, path: Path, key: str | None, jobs: int) -> None:
        self.client, self.uuid, self.origin, self.path, self.jobs = client, uuid, origin, path, jobs
        self.kept = Kept.read(path, origin)
        if key is not None and self.kept.key not in {None, key}:
            raise VerificationError(f"The file was begun with another checkpoint key than --key: {self.kept.key!r}.")
        self.wanted = key

    def look(self) -> str:
        """Look once; what was found, in words.

        Raises: VerificationError: the box went back, shows another chain, or holds what is not sound. The signed checkpoint is
            kept first: it is the evidence.
        """
        shown = self.client.get(f"/e/{self.uuid}/checkpoint-key").decode("utf-8", "replace").strip()
        expected = self.wanted or self.kept.key or shown
        if expected != shown:
            raise VerificationError(f"The site shows another checkpoint key than before: {shown[:200]!r} instead of {expected[:200]!r}.")
        note = self.client.get(f"/e/{self.uuid}/checkpoint").decode("utf-8", "replace")
        now = open_checkpoint(note, self.origin, _public(shown, self.origin))
        if self.kept.key is None:
            _append(self.path, {"key": shown})
            self.kept.key = shown
        before = self.kept.box.height
        try:
            self._check(now, note)
        except VerificationError as error:
            _append(self.path, {"time": _now(), "note": note, "refused": str(error)})
            raise
        new = now.height - before
        since = "first look" if before < 0 else f"{new} new since the last look"
        return f"{_now()}  height {now.height}, head {now.head}: holds ({since})"

    def _check(self, now: Checkpoint, note: str) -> None:
        box = self.kept.box
        if now.height < box.height:
            raise VerificationError(f"REWIND: the box had {box.height} as its last event, and now ends at {now.height}.")
        if now.height == box.height:
            if now.head != box.events[-1]:
                raise VerificationError(f"FORK: at height {now.height} the chain was {box.events[-1]} before, and is {now.head} now.")
            return
        had_setup = bool(box.election)
        new = now.height - box.height
        with ProcessPoolExecutor(self.jobs) if new > _MANY and self.jobs > 1 else nullcontext() as executor:
            if new > _ONE_BY_ONE:
                news = self._from_archive(now, executor)
            else:
                news = box.extend(entries_after(box.events, now, self._object), executor)
            if news.tally:
                self._whole(now)
        if box.election and not had_setup:
            _append(self.path, {"election": box.election.decode(), "credentials": list(box.credentials)})
        if box.last is None:
            raise VerificationError("The site signed a checkpoint of a box without events.")
        _append(
            self.path,
            {"time": _now(), "note": note, "last": box.last.to_bytes().decode(), "events": list(news.events), "voted": list(news.voted)},
        )
        self.kept.notes[now.height] = note

    def _object(self, identity: str) -> bytes:
        """An object or event by its hash. Raises: VerificationError: it is not the one of this hash, or the site has none."""
        try:
            data = self.client.get(f"/api/elections/{self.uuid}/objects/{identity}")
        except SiteRefusedError as error:
            raise VerificationError(f"The site does not show what its own chain names: {identity}.") from error
        if sha256_hex(data) != identity:
            raise VerificationError(f"FORK: what the site shows as {identity} is something else.")
        return data

    def _from_archive(self, now: Checkpoint, executor: ProcessPoolExecutor | None) -> News:
        """Check many new events in one stream."""
        with tempfile.TemporaryFile() as file:
            self.client.download(f"/e/{self.uuid}.bel", file)
            file.seek(0)
            try:
                return self.kept.box.extend(_rest_of(read_archive(file), self.kept.box.events, now), executor)
            except MalformedError as error:
                raise VerificationError(f"The site's archive cannot be read: {error}.") from error

    def _whole(self, now: Checkpoint) -> None:
        """The tally went on: verify the whole box, which is bound to what was seen."""
        pins = ((now.height, now.head),)
        for last_try in (False, True):  # the archive and the proofs beside it are two files, and one may be newer
            with tempfile.TemporaryFile() as file:
                self.client.download(f"/e/{self.uuid}.bel", file)
                file.seek(0)
                companion = self._beside(f"/api/elections/{self.uuid}/companion")
                results = self._beside(f"/e/{self.uuid}.results.json")
                with ProcessPoolExecutor(self.jobs) as executor:
                    report = verify_archive(file, companion=companion, results=results, executor=executor, pins=pins)
            if report.outcome in {Outcome.VERIFIED, Outcome.UNFINISHED}:
                return
            if last_try:
                raise report.refusal or VerificationError(f"The site's archive cannot be used: {report.sentence}")

    def _beside(self, path: str) -> bytes | None:
        try:
            return self.client.get(path) or None
        except (SiteRefusedError, UnusableInputError):
            return None  # it is not there yet; where it must be, the verifier misses it


def entries_after(seen: Sequence[str], now: Checkpoint, fetch: Callable[[str], bytes]) -> list[Entry]:
    """The entries between the last event seen and the checkpoint, followed back from its head. `fetch` gives bytes by their hash.

    Raises: VerificationError: the checkpoint's chain does not lead back to what was seen.
    """
    events: list[tuple[str, bytes, Event]] = []
    identity: str | None = now.head
    for height in range(now.height, len(seen) - 1, -1):
        data = fetch(identity or "")
        try:
            event = Event.parse(data)
        except MalformedError as error:
            raise VerificationError(f"FORK: the site's event at height {height} cannot be read.") from error
        if sha256_hex(data) != identity or event.height != height:
            raise VerificationError(f"FORK: the site's event at height {height} is not what the chain says.")
        events.append((identity, data, event))
        identity = event.parent
    if identity != (seen[-1] if seen else None):
        at, before = len(seen) - 1, seen[-1] if seen else "empty"
        raise VerificationError(f"FORK: at height {at} the chain was {before} before, and is {identity} now.")
    entries = []
    for hash_, data, event in reversed(events):
        if event.payload is not None:
            payload = fetch(event.payload)
            entries += [Entry("data", name, fetch(name)) for name in _named(event.type, payload)]
            entries.append(Entry("data", event.payload, payload))
        entries.append(Entry("event", hash_, data))
    return entries


def _named(kind: EventType, payload: bytes) -> tuple[str, ...]:
    """The objects that a payload names in turn; one that cannot be read names none, and is refused when it is checked."""
    try:
        match kind:
            case "Setup":
                setup = SetupData.parse(payload)
                return setup.election, setup.trustees, setup.credentials
            case "EncryptedTally":
                return (SizedEncryptedTally.parse(payload).encrypted_tally,)
            case "Shuffle" | "PartialDecryption":
                return (Owned.parse(payload).payload,)
    except MalformedError:
        pass
    return ()


def _rest_of(items: Iterator[object], seen: Sequence[str], now: Checkpoint) -> Iterator[Entry]:
    """The archive's entries after what was seen, up to the checkpoint. Raises: VerificationError: it is another chain."""
    known, height = list(seen), -1
    waiting: list[Entry] = []
    for entry in islice(items, 1, None):  # after the header
        if not isinstance(entry, Entry):
            raise MalformedError("the archive has two headers")
        waiting.append(entry)
        if entry.kind != "event":
            continue
        height += 1
        if height < len(known):
            if entry.hash != known[height]:
                raise VerificationError(f"FORK: at height {height} the chain was {known[height]} before, and is {entry.hash} now.")
        else:
            yield from waiting
        waiting.clear()
        if height == now.height:
            if entry.hash != now.head:
                raise VerificationError(f"FORK: the site signed {now.head} at height {height}, and its archive has {entry.hash}.")
            return
    raise VerificationError(f"REWIND: the site signed a box of {now.height + 1} events, and its archive has {height + 1}.")


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _public(key: str, origin: str) -> bytes:
    try:
        public = base64.b64decode(key.removeprefix(f"{origin}+")[9:].encode("ascii"), validate=True)[1:]  # after the key's id and a plus
    except (binascii.Error, ValueError) as error:
        raise MalformedError("The site's checkpoint key cannot be read.") from error
    if len(public) != 32 or verifier_key(origin, public) != key:
        raise MalformedError("The site's checkpoint key is not this election's.")
    return public
