"""Cheap passphrases, and one practice election for all tests of key-holders."""

from __future__ import annotations

import pytest

from ballot import sealed
from tests.keyholders.boards import Practice, practice


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SCRYPT_N", 2)


@pytest.fixture(scope="session")
def board() -> Practice:
    return practice()


@pytest.fixture(scope="session")
def motion_board() -> Practice:
    from tests.support.keyholders import MOTION

    return practice(questions=(MOTION,), seed=b"motion")
