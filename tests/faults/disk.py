"""A small disk that can be filled, and a record of what was flushed when: what a full disk and a power cut do to a database."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.need import missing

SECTOR = 512
SOURCE = Path(__file__).with_name("disk.c")


def shim(folder: Path) -> Path:
    """The library for LD_PRELOAD, compiled here."""
    compiler = shutil.which("cc") or shutil.which("gcc") or missing("a C compiler", "Debian: apt-get install gcc libc6-dev")
    library = folder / "disk.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    library.chmod(0o755)
    return library


@contextlib.contextmanager
def environment(**names: str) -> Iterator[None]:
    """What a process that is started meanwhile finds in its environment."""
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# --- a disk that is full ------------------------------------------------------------------------------------------


@dataclass
class Disk:
    """A folder on a disk of its own. `way` says what it is: a mounted tmpfs, or a library that answers ENOSPC."""

    folder: Path
    way: str
    settings: dict[str, str]

    def fill(self) -> None:
        """No byte more fits."""
        if self.settings:
            Path(self.settings["DISK_FULL"]).touch()
            return
        with (self.folder / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(1 << 16))
        with (self.folder / "ballast.last").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(SECTOR))

    def free(self) -> None:
        """There is room again."""
        if self.settings:
            Path(self.settings["DISK_FULL"]).unlink(missing_ok=True)
        for name in ("ballast", "ballast.last"):
            (self.folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Disk]:
    """A tmpfs of this size where this account may mount one; else the library, which makes the folder's files stop growing."""
    folder = Path(tempfile.mkdtemp(prefix="ballot-disk-"))
    folder.chmod(0o755)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        if mounted.returncode == 0 and not os.environ.get("BALLOT_FAULT_NO_MOUNT"):
            yield Disk(folder, f"tmpfs of {megabytes} MB", {})
            return
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)
        beside = Path(tempfile.mkdtemp(prefix="ballot-shim-"))
        beside.chmod(0o755)
        try:
            settings = {"LD_PRELOAD": str(shim(beside)), "DISK_ROOT": str(folder), "DISK_FULL": str(beside / "full")}
            yield Disk(folder, "a library that answers ENOSPC (mounting is not permitted)", settings)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


# --- a power cut --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One act on the disk. W: written; T: truncated to `offset`; A: made at least `offset` long; S: flushed; R: renamed; U: removed;
    M: a mark of the test's own, whose text is `data`."""

    kind: str
    offset: int
    path: str
    other: str = ""
    data: bytes = b""


def read_log(path: Path) -> list[Record]:
    """The records in their order."""
    found: list[Record] = []
    with path.open("rb") as file:
        while line := file.readline():
            kind, offset, length, names = line.decode().rstrip("\n").split(" ", 3)
            name, _, other = names.partition("\t")
            data = file.read(int(length)) if kind in {"W", "M"} else b""
            found.append(Record(kind, int(offset), name, other, data))
    return found


def mark(log: Path, text: bytes) -> None:
    """The test's own note between the records."""
    with log.open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b"M 0 %d -\n%s" % (len(text), text))


@dataclass
class _File:
    """What has reached the disk, and what may or may not have."""

    durable: bytearray
    pending: list[Record] = field(default_factory=list)


class PowerCut:
    """The disk as it may be found after a power cut at one place of the log.

    What was flushed is there. Of what was written since, each write is there, is not, or is there in part, sector by sector.
    Names are taken to be as durable as the file system promises after the flush of a folder, which both databases do.
    """

    def __init__(self, base: dict[str, bytes], *, flushes: bool = True) -> None:
        self.files = {name: _File(bytearray(data)) for name, data in base.items()}
        self._flushes = flushes

    def go_on(self, record: Record) -> None:
        """The next record has happened."""
        if record.kind in {"W", "T", "A"}:
            self.files.setdefault(record.path, _File(bytearray())).pending.append(record)
        elif record.kind == "S" and self._flushes and record.path in self.files:
            file = self.files[record.path]
            for earlier in file.pending:
                _apply(file.durable, earlier)
            file.pending.clear()
        elif record.kind == "R" and record.path in self.files:
            self.files[record.other] = self.files.pop(record.path)
        elif record.kind == "U":
            self.files.pop(record.path, None)

    def found(self, luck: random.Random) -> dict[str, bytes]:
        """One disk that may be found now."""
        disk = {}
        for name, file in self.files.items():
            data = bytearray(file.durable)
            mood = luck.choice(("none", "all", "some"))
            for record in file.pending:
                if mood == "all" or (mood == "some" and luck.random() < 0.6):
                    torn = mood == "some" and record.kind == "W" and luck.random() < 0.5
                    _apply(data, record, luck if torn else None)
            disk[name] = bytes(data)
        return disk


def _apply(data: bytearray, record: Record, luck: random.Random | None = None) -> None:
    if record.kind == "T":
        del data[record.offset :]
        data.extend(bytes(record.offset - len(data)))
        return
    end = record.offset + len(record.data)
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    if luck is None:
        data[record.offset : end] = record.data
        return
    for start in range(0, len(record.data), SECTOR):
        if luck.random() < 0.5:
            piece = record.data[start : start + SECTOR]
            data[record.offset + start : record.offset + start + len(piece)] = piece
