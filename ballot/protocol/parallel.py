"""Work that is a map over many items, through whatever `concurrent.futures.Executor` the caller has (or none).

Items are cut into chunks of a fixed size and results come back in order, so the outcome depends on neither the executor
nor the number of processors. The function must be importable by name, because a process pool sends it to its workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

CHUNK: Final = 64  # items; some milliseconds of group arithmetic each, against some microseconds to send them


def map_chunks(executor: Executor | None, function: Callable[..., R], *columns: Sequence[T], size: int = CHUNK) -> Iterator[R]:
    """`function(chunk of column 1, chunk of column 2, …)` for each chunk, in order. Columns have one length."""
    length = len(columns[0])
    if any(len(column) != length for column in columns):
        raise RuntimeError("columns of different lengths")
    chunks = [[column[start : start + size] for start in range(0, length, size)] for column in columns]
    return (executor.map if executor is not None else map)(function, *chunks)


def map_items(executor: Executor | None, function: Callable[..., Sequence[R]], *columns: Sequence[T], size: int = CHUNK) -> list[R]:
    """As `map_chunks` for a function that gives one result per item; the results in one list."""
    return [result for chunk in map_chunks(executor, function, *columns, size=size) for result in chunk]
