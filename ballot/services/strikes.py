"""Ballots that do not hold, counted for each link in this process: checking one costs as much as an honest one, and takes its time.

Only who holds a good token comes as far as that, so the limit touches nobody but them, and ends with the minute.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

from ballot.errors import TooManyTriesError
from ballot.language import phrase

MOST: Final = 60  # in a minute, a fifth of a second of work; a booth that works never sends one


class Strikes:
    """How many refused ballots each link sent in this minute."""

    def __init__(self) -> None:
        self._minute, self._counts = -1, Counter[str]()

    def check(self, handle: str, now: datetime) -> None:
        """Raises: TooManyTriesError: this link sent too many ballots that do not hold."""
        if self._of(now)[handle] >= MOST:
            raise TooManyTriesError(
                phrase("This link sent too many votes that cannot be accepted. Please wait a minute and reload the page.")
            )

    def note(self, handle: str, now: datetime) -> None:
        """One more did not hold."""
        self._of(now)[handle] += 1

    def _of(self, now: datetime) -> Counter[str]:
        minute = int(now.timestamp()) // 60
        if minute != self._minute:
            self._minute, self._counts = minute, Counter()
        return self._counts
