"""The `.bel` archive (text 4.4): an old-style tar file that only grows, read and written as a stream.

It starts with a file `BELENIOS` (the header); then objects, named `HASH.data.json`, and events, `HASH.event.json`, each
name the SHA-256 of the content. Tar headers are the reference tool's to the byte: mode 0644, owner 0, the election's own
timestamp on every entry, and no end-of-archive blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from ballot.errors import MalformedError
from ballot.protocol.messages import INTEGER, TEXT, Event, EventType, Message, sha256_hex

_BLOCK: Final = 512
_CHUNK: Final = 1 << 20
_HEADER_NAME: Final = "BELENIOS"
_SUFFIXES: Final[dict[str, Literal["data", "event"]]] = {".data.json": "data", ".event.json": "event"}


@dataclass(frozen=True)
class Header(Message):
    """Version of the protocol, and the election's beginning in seconds since 1970 (in base 10, as the tool has it)."""

    version: int
    timestamp: str
    FIELDS = {"version": INTEGER, "timestamp": TEXT}


@dataclass(frozen=True)
class Entry:
    """One object or event as it stands in the archive; `data` has the SHA-256 `hash`."""

    kind: Literal["data", "event"]
    hash: str
    data: bytes


def _tar_header(name: str, size: int, timestamp: int) -> bytes:
    fields = name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    fields += b"%011o\0%011o\0" % (size, timestamp)
    rest = b"0".ljust(_BLOCK - 156, b"\0")
    checksum = sum(fields) + sum(rest) + 8 * ord(" ")
    return fields + b"%06o\0 " % checksum + rest


def pack(name: str, data: bytes, timestamp: int) -> bytes:
    """One tar entry: header, content, padding."""
    return _tar_header(name, len(data), timestamp) + data + bytes(-len(data) % _BLOCK)


def pack_header(timestamp: int) -> bytes:
    """The first entry of every archive."""
    return pack(_HEADER_NAME, Header(1, str(timestamp)).to_bytes(), timestamp)


def pack_object(data: bytes, timestamp: int) -> bytes:
    return pack(f"{sha256_hex(data)}.data.json", data, timestamp)


def pack_event(data: bytes, timestamp: int) -> bytes:
    return pack(f"{sha256_hex(data)}.event.json", data, timestamp)


class ArchiveWriter:
    """Appends to a new archive; remembers nothing but the head of the chain."""

    def __init__(self, file: BinaryIO, timestamp: int) -> None:
        self._file, self._timestamp = file, timestamp
        self.head: Event | None = None
        file.write(pack_header(timestamp))

    def add_object(self, data: bytes) -> str:
        """Write an object and return its hash."""
        self._file.write(pack_object(data, self._timestamp))
        return sha256_hex(data)

    def add_event(self, kind: EventType, payload: str | None = None) -> Event:
        """Write the next event of the chain; its payload must have been written before."""
        event = next_event(self.head, kind, payload)
        self._file.write(pack_event(event.to_bytes(), self._timestamp))
        self.head = event
        return event


def next_event(head: Event | None, kind: EventType, payload: str | None = None) -> Event:
    """The event that follows `head` (None: the first one)."""
    if head is None:
        return Event(0, kind, None, payload)
    return Event(head.height + 1, kind, head.hash, payload)


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    # In chunks: the size is the file's own claim, and must not decide how much memory is taken.
    chunks = []
    while size:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            raise MalformedError("the archive is cut short")
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _unpack(file: BinaryIO) -> tuple[str, bytes, bytes] | None:
    """The next entry as (name, content, its raw tar header); None at the end of the file."""
    first = file.read(1)
    if not first:
        return None
    header = first + _read_exactly(file, _BLOCK - 1)
    name, size = header[:100].rstrip(b"\0"), header[124:135]
    if not size.isdigit() or not name.isascii() or b"8" in size or b"9" in size:
        raise MalformedError("this is not a Belenios archive: a tar header is not as the reference tool writes it")
    length = int(size, 8)
    data = _read_exactly(file, length)
    if any(_read_exactly(file, -length % _BLOCK)):
        raise MalformedError("the archive has bytes between its entries")
    return name.decode(), data, header


def read_archive(file: BinaryIO) -> Iterator[Header | Entry]:
    """Read an archive as a stream: its header first, then each entry in order.

    Raises: MalformedError if a byte differs from what the reference tool would write for the same contents.
    """
    first = _unpack(file)
    if first is None:
        raise MalformedError("the archive is empty")
    name, data, raw = first
    if name != _HEADER_NAME:
        raise MalformedError("this is not a Belenios archive: it does not start with a BELENIOS entry")
    header = Header.parse(data)
    if header.version != 1 or not (header.timestamp.isascii() and header.timestamp.isdigit()):
        raise MalformedError("the archive's header has another version, or no timestamp")
    timestamp = int(header.timestamp)
    if timestamp >= 8**11 or str(timestamp) != header.timestamp:
        raise MalformedError("the archive's timestamp is out of range")
    if raw != _tar_header(name, len(data), timestamp):
        raise MalformedError("the tar header of BELENIOS is not as the reference tool writes it")
    yield header
    while (entry := _unpack(file)) is not None:
        name, data, raw = entry
        digest, suffix = name[:64], name[64:]
        if suffix not in _SUFFIXES or raw != _tar_header(name, len(data), timestamp):
            raise MalformedError(f"the tar header of {name[:80]!r} is not as the reference tool writes it")
        if sha256_hex(data) != digest:
            raise MalformedError(f"the content of {digest[:16]}… does not have the hash in its name")
        yield Entry(_SUFFIXES[suffix], digest, data)
