"""What a fault is, where it is tried, and what is written down of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSQL

BOTH = ("sqlite", "postgresql")


@dataclass
class Found:
    """What was tried and what was found. `figures` are for the table: recovery times, counts, which way was taken."""

    rounds: int = 0
    violations: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def expect(self, holds: bool, sentence: str) -> None:
        """A violation, unless it holds."""
        if not holds:
            self.violations.append(sentence)

    def add(self, figure: str, number: float = 1) -> None:
        self.figures[figure] = self.figures.get(figure, 0) + number

    def longest(self, figure: str, seconds: float) -> None:
        self.figures[figure] = round(max(self.figures.get(figure, 0), seconds), 2)


@dataclass
class Place:
    """Where a fault is tried: a folder of its own, and databases of one kind."""

    kind: str
    folder: Path
    stack: ExitStack
    seed: int = 2026
    patience: float = 1.0  # on a machine that runs other tests meanwhile, limits of time are this much wider
    server: Callable[[], PostgreSQL] | None = None  # the shared one; faults that kill it start their own

    def url(self, name: str = "ballot") -> str:
        """The URL of a new, empty database."""
        if self.kind == "sqlite":
            return f"sqlite:///{self.folder / f'{name}.sqlite3'}"
        server = self.server() if self.server is not None else self.own_server()
        url = server.new_database()
        self.stack.callback(server.drop_database, url)
        return url

    def own_server(self) -> PostgreSQL:
        """A PostgreSQL server that this fault may kill."""
        from tests.support.postgresql import PostgreSQL

        server = PostgreSQL()
        self.stack.callback(server.close)
        server.start()
        return server

    def sub(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path


@dataclass(frozen=True)
class Fault:
    """One row of the table. `full` and `short` are numbers of rounds, for `make faults` and for every run of the tests."""

    name: str
    what: str
    goal: str
    full: int
    short: int
    run: Callable[[int, Place], Found]
    kinds: tuple[str, ...] = BOTH

    def check(self, place: Place) -> Found:
        """The short version; it fails with every violation."""
        found = self.run(int(os.environ.get("BALLOT_FAULT_ROUNDS") or self.short), place)
        assert [] == found.violations, "\n".join(found.violations)
        assert found.rounds > 0
        return found


@contextmanager
def place(
    kind: str, folder: Path, *, seed: int = 2026, patience: float = 1.0, server: Callable[[], PostgreSQL] | None = None
) -> Iterator[Place]:
    """A place that is cleared away afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Place(kind, folder, stack, seed, patience, server)
