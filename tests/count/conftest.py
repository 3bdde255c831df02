"""Where the published counts are."""

from __future__ import annotations

from pathlib import Path

import pytest

COUNTS = Path(__file__).parent.parent / "counts"


@pytest.fixture
def counts() -> Path:
    return COUNTS
