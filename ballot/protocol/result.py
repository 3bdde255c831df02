"""The election's result (Belenios v1, 4.21): totals, and the list of rankings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from ballot.errors import InvalidResultError
from ballot.protocol.group import ONE, G, Point, is_encoding_of, to_ints
from ballot.protocol.messages import Ciphertext, Election, EncryptedTally, QuestionH, Result
from ballot.protocol.parallel import map_items


@dataclass(frozen=True)
class OpenedTally:
    """A result, and by question how many plaintexts are no canonical encoding (always 0 for a totals question)."""

    result: Result
    not_canonical: tuple[int, ...]


def discrete_logs(targets: Collection[Point], bound: int) -> dict[Point, int]:
    """For each target g^k with 0 ≤ k ≤ bound, its k; targets without one are left out. Baby steps, giant steps."""
    wanted = set(targets)
    found: dict[Point, int] = {}
    # One table serves all targets, so it is larger than the square root when there are many.
    width = max(1, min(bound + 1, int(((bound + 1) * len(wanted)) ** 0.5) + 1))
    table: dict[Point, int] = {}
    value = ONE
    for k in range(width):
        table[value] = k
        value = value * G
    giant = ONE / value  # g^-width
    for target in wanted:
        step, base = target, 0
        while base <= bound:
            if step in table:
                if base + table[step] <= bound:
                    found[target] = base + table[step]
                break
            step, base = step * giant, base + width
    return found


def _plaintexts_chunk(betas: Sequence[Point], factors: Sequence[Point]) -> list[Point]:
    return [beta / factor for beta, factor in zip(betas, factors, strict=True)]


def _rankings_chunk(counts: Sequence[int], elements: Sequence[Point]) -> list[tuple[tuple[int, ...], bool]]:
    return [(tuple(to_ints(n, element)), is_encoding_of(n, element)) for n, element in zip(counts, elements, strict=True)]


def open_tally(
    election: Election,
    tally: EncryptedTally,
    factors: Sequence[Sequence[Point]],
    num_tallied: int,
    executor: Executor | None = None,
) -> OpenedTally:
    """Divide the synthetic factors out and read the plaintexts.

    Raises: InvalidResultError if a total is not a number from 0 to the number of ballots: then some share is false.
    """
    rows: list[tuple[int, ...] | tuple[tuple[int, ...], ...]] = []
    not_canonical = []
    for i, (question, row, row_factors) in enumerate(zip(election.questions, tally.ciphertexts, factors, strict=True)):
        elements = _plaintexts(row, row_factors, executor)
        if isinstance(question, QuestionH):
            logs = discrete_logs(elements, num_tallied)
            for j, element in enumerate(elements):
                if element not in logs:
                    raise InvalidResultError(f"question {i + 1}, total {j + 1}: the shares do not open to a number of ballots")
            rows.append(tuple(logs[element] for element in elements))
            not_canonical.append(0)
        else:
            different = list(dict.fromkeys(elements))  # people rank alike: each plaintext is read once
            found = map_items(executor, _rankings_chunk, [len(question.answers)] * len(different), different)
            read = dict(zip(different, found, strict=True))
            rankings = [read[element] for element in elements]
            rows.append(tuple(values for values, _ in rankings))
            not_canonical.append(sum(not canonical for _, canonical in rankings))
    return OpenedTally(Result(tuple(rows)), tuple(not_canonical))


def _plaintexts(row: Sequence[Ciphertext], factors: Sequence[Point], executor: Executor | None) -> list[Point]:
    return map_items(executor, _plaintexts_chunk, [c.beta for c in row], list(factors), size=512)


def compute_result(
    election: Election,
    tally: EncryptedTally,
    factors: Sequence[Sequence[Point]],
    num_tallied: int,
    executor: Executor | None = None,
) -> Result:
    """The result alone; see `open_tally`."""
    return open_tally(election, tally, factors, num_tallied, executor).result


def check_result(
    election: Election,
    tally: EncryptedTally,
    factors: Sequence[Sequence[Point]],
    num_tallied: int,
    result: Result,
    executor: Executor | None = None,
) -> OpenedTally:
    """Check that a published result is what the shares open to. Raises: InvalidResultError."""
    opened = open_tally(election, tally, factors, num_tallied, executor)
    if opened.result != result:
        raise InvalidResultError("the published result is not what the decryptions say")
    return opened
