"""Verify, shuffle and decrypt: our commands beside belenios-tool's, on the same archive on the same machine."""

from __future__ import annotations

import sys
from pathlib import Path

from ballot.errors import MalformedError
from ballot.protocol.archive import Entry, Header, pack_event, pack_header, pack_object, read_archive
from ballot.protocol.messages import Event
from bench.common import BALLOT, peer, time_command

QUESTIONS = Path(__file__).with_name("questions.json")


def cut_after(archive: Path, event_type: str, copies: Path) -> Path:
    """A folder with the archive as it stood after its last event of this type."""
    entries: list[Entry] = []
    length = 0
    with archive.open("rb") as file:
        items = read_archive(file)
        header = next(items)
        if not isinstance(header, Header):
            raise MalformedError("the archive begins without its header")
        for item in items:
            if isinstance(item, Entry):
                entries.append(item)
                if item.kind == "event" and Event.parse(item.data).type == event_type:
                    length = len(entries)
    copies.mkdir(parents=True)
    timestamp = int(header.timestamp)
    with (copies / archive.name).open("wb") as file:
        file.write(pack_header(timestamp))
        for entry in entries[:length]:
            file.write((pack_object if entry.kind == "data" else pack_event)(entry.data, timestamp))
    return copies


def alone(archive: Path, folder: Path) -> Path:
    """A new folder with nothing but a copy of the archive: the tool may leave files beside it."""
    folder.mkdir()
    (folder / archive.name).write_bytes(archive.read_bytes())
    return folder


def bench(folder: Path, *, voters: int, runs: int) -> list[tuple[str, ...]]:
    """Rows: what, ours, the peer's, how many times as fast."""
    out = folder / "election"
    options = ("--voters", str(voters), "--questions", QUESTIONS, "--trustees", "3", "--seed", "bench")
    made = time_command(*BALLOT, "simulate", out, *options)
    archive = next(out.glob("*.bel"))
    tool = peer()
    rows = [("a whole election simulated", f"{made.wall:.2f} s", "", "")]
    key = out / "secret" / "trustee-1.key"
    before_shuffles = cut_after(archive, "EncryptedTally", folder / "before-shuffles")
    before_decryptions = cut_after(archive, "EndShuffles", folder / "before-decryptions")
    pristine = alone(archive, folder / "pristine")
    # An election that declares no companion proofs: both programs then make the same checks.
    plain = folder / "plain"
    time_command(*BALLOT, "simulate", plain, *options, "--plain")
    plain_archive = next(plain.glob("*.bel"))

    part = (sys.executable, "-m", "bench.part")
    work = [
        (
            "verify, the same checks",
            (*BALLOT, "verify", plain_archive),
            ("election", "verify", "--dir", alone(plain_archive, folder / "plain-pristine")),
        ),
        ("verify, and our companion proofs", (*BALLOT, "verify", archive), ("election", "verify", "--dir", pristine)),
        (
            "shuffle by one of 3",
            (*part, "shuffle", before_shuffles / archive.name, "1", key),
            ("election", "shuffle", "--dir", before_shuffles, "--trustee-id", "1"),
        ),
        (
            "decrypt by one of 3",
            (*part, "decrypt", before_decryptions / archive.name, "1", key),
            ("election", "decrypt", "--dir", before_decryptions, "--trustee-id", "1", "--privkey", key),
        ),
    ]
    for what, ours, theirs in work:
        mine = time_command(*ours, runs=runs)
        if tool is None:
            rows.append((what, f"{mine.wall:.2f} s", "not installed", ""))
            continue
        other = time_command(tool[0], *theirs, runs=runs)
        rows.append(
            (
                what,
                f"{mine.wall:.2f} s ({mine.cpu:.1f} cpu)",
                f"{other.wall:.2f} s ({other.cpu:.1f} cpu)",
                f"{other.wall / mine.wall:.1f} ×",
            )
        )
    return rows
