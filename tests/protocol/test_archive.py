"""The archive as a stream. Source: text 4.4, threats 1.4 and 1.5."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballot.errors import MalformedError
from ballot.protocol.archive import ArchiveWriter, Entry, Header, pack, pack_header, read_archive
from ballot.protocol.messages import Event


def small_archive() -> bytes:
    file = io.BytesIO()
    writer = ArchiveWriter(file, 1_700_000_000)
    writer.add_event("Setup", writer.add_object(b'{"a":1}'))
    writer.add_event("EndBallots")
    return file.getvalue()


def test_what_is_written_is_read() -> None:
    header, *entries = read_archive(io.BytesIO(small_archive()))
    assert Header(1, "1700000000") == header
    assert ["data", "event", "event"] == [entry.kind for entry in entries if isinstance(entry, Entry)]
    first, second = (Event.parse(entry.data) for entry in entries[1:] if isinstance(entry, Entry))
    assert (0, None, 1, first.hash) == (first.height, first.parent, second.height, second.parent)


def test_python_reads_it_as_tar() -> None:
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(small_archive())) as tar:
        assert "BELENIOS" == tar.getnames()[0]
        assert {0o644} == {member.mode for member in tar}


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_flipped_bit_is_refused(position: int, mask: int) -> None:
    data = bytearray(small_archive())
    data[position % len(data)] ^= mask
    with pytest.raises(MalformedError):
        list(read_archive(io.BytesIO(bytes(data))))


@given(st.integers(min_value=1))
def test_a_truncated_archive_is_refused(cut: int) -> None:
    data = small_archive()
    boundaries = {0, 1024, 2048, 3072, len(data)}
    kept = cut % len(data)
    if kept in boundaries - {0}:
        return  # a shorter archive is an earlier state of the same one: the verifier calls it unfinished
    with pytest.raises(MalformedError):
        list(read_archive(io.BytesIO(data[:kept])))


HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)) * 40,
    "another name": pack("BELENIOX", b"{}", 0),
    "no version": pack("BELENIOS", b"{}", 0),
    "version 2": pack("BELENIOS", b'{"version":2,"timestamp":"0"}', 0),
    "timestamp differs from tar's": pack("BELENIOS", b'{"version":1,"timestamp":"1"}', 2),
    "timestamp with a sign": pack("BELENIOS", b'{"version":1,"timestamp":"-1"}', 0),
    "a claim of 8 GiB": pack_header(0) + pack("x", b"", 0)[:124] + b"77777777777\0" + bytes(376),
    "a foreign suffix": pack_header(0) + pack("0" * 64 + ".evil.json", b"", 0),
    "a path": pack_header(0) + pack("../../etc/passwd", b"", 0),
    "a false hash": pack_header(0) + pack("0" * 64 + ".data.json", b"{}", 0),
    "end-of-archive blocks": small_archive() + bytes(1024),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        list(read_archive(io.BytesIO(HOSTILE[name])))
