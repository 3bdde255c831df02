"""Keys are made private, read private, and refused otherwise with the sentence that says what to do."""

from __future__ import annotations

import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from ballot.errors import ConfigurationError, MalformedError
from ballot.services.keys import NAMES, Keys


def opened(folder: str) -> str:
    keys = Keys.open(Path(folder))
    return (keys.token + keys.receipt_public_bytes).hex()


def test_the_first_start_makes_private_keys_and_the_second_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert opened(str(folder)) == opened(str(folder))
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert set(NAMES) == {path.name for path in folder.iterdir()}
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert len(NAMES) == len({path.read_text() for path in folder.iterdir()})


def test_workers_that_start_at_once_agree(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        assert 1 == len(set(pool.map(opened, [str(tmp_path / "keys")] * 4)))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    Keys.open(tmp_path)
    (tmp_path / "receipt").chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"Others can read .*receipt \(mode {mode:04o}\): run `chmod 600 "):
        Keys.open(tmp_path)


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="run `chmod 700 "):
        Keys.open(tmp_path)


@pytest.mark.parametrize("content", ["", "abc", "0" * 63, "G" * 64, "0" * 64 + "\n\n", "é" * 64])
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    Keys.open(tmp_path)
    (tmp_path / "token").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="restore it from your backup"):
        Keys.open(tmp_path)
    assert content == (tmp_path / "token").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="set BALLOT_KEYS"):
        Keys.open(tmp_path / "file" / "keys")


def test_printing_keys_shows_none_of_them() -> None:
    keys = Keys.from_seed(b"seed")
    assert keys.token.hex() not in repr(keys)
    assert repr(keys.token) not in repr(keys)


def test_what_is_sealed_opens_for_its_purpose_only() -> None:
    keys = Keys.from_seed(b"seed")
    sealed = keys.seal("letter 1", b"a link")
    assert b"a link" == keys.unseal("letter 1", sealed)
    assert sealed != keys.seal("letter 1", b"a link")
    for wrong in (lambda: keys.unseal("letter 2", sealed), lambda: Keys.from_seed(b"x").unseal("letter 1", sealed),
                  lambda: keys.unseal("letter 1", sealed[:-1]), lambda: keys.unseal("letter 1", b"")):  # fmt: skip
        with pytest.raises(ConfigurationError):
            wrong()


def test_practice_keys_are_private_files_written_once(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path)
    keys.practice.put("1" * 14, "42")
    assert "42" == Keys.open(tmp_path).practice.get("1" * 14)
    assert 0o600 == stat.S_IMODE((tmp_path / "practice" / ("1" * 14)).stat().st_mode)
    with pytest.raises(ConfigurationError, match="already"):
        keys.practice.put("1" * 14, "43")
    with pytest.raises(ConfigurationError):
        keys.practice.get("2" * 14)
    with pytest.raises(MalformedError):
        keys.practice.put("../token", "43")
