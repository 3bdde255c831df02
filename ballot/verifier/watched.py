"""A ballot box that is looked at again and again: what is new is checked, and what was checked is not checked again.

While voting goes on, that is the chain, the set-up and each new ballot: its form, its proofs and signature, its credential. The
tally is checked as a whole by `verify_archive`, when it is there; a repeated object too, where votes may be replaced.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final

from ballot.protocol.archive import Entry, pack_event, pack_header, pack_object
from ballot.protocol.declarations import split_description
from ballot.protocol.messages import Election, Event, PublicCredentials
from ballot.protocol.tally import ranked_questions
from ballot.verifier.ballots import CheckedChunk, check_chunk
from ballot.verifier.chain import Chain, Link, refuse
from ballot.verifier.rules import Rule
from ballot.verifier.verify import verify_archive

_CHUNK: Final = 32  # ballots sent to a worker at once


@dataclass(frozen=True)
class News:
    """What a look added: hashes of events, and credentials of ballots, both in the box's order; whether the tally went on."""

    events: tuple[str, ...]
    voted: tuple[str, ...]
    tally: bool


class Watched:
    """One election's box as far as it was seen. `election` and `credentials` are its set-up's, once that was seen."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.last: Event | None = None
        self.election: bytes = b""
        self.credentials: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()
        self._voted: set[str] = set()
        self._ranked = self._replace = False

    @property
    def height(self) -> int:
        """Of the last event seen; -1 before the first."""
        return len(self.events) - 1

    def set_up(self, election: bytes, credentials: Sequence[str]) -> None:
        """Take over a set-up that was checked. Raises: MalformedError."""
        parsed = Election.parse(election)
        _, declared = split_description(parsed.description)
        self.election, self.credentials = election, tuple(credentials)
        self._known = frozenset(entry.partition(",")[0] for entry in credentials)
        self._ranked, self._replace = bool(ranked_questions(parsed)), declared is None or declared.replace

    def take_over(self, events: Iterable[str], voted: Iterable[str], last: Event) -> None:
        """Go on where an earlier look ended: nothing of this is checked again."""
        self.events.extend(events)
        self._voted.update(voted)
        self.last = last

    def extend(self, entries: Iterable[Entry], executor: Executor | None = None) -> News:
        """Check the entries that follow the last event, and remember them; if one is refused, nothing of them is remembered.

        Raises: ArchiveRefusedError with rule, height, and who is at fault.
        """
        chain = Chain(entries, {})
        chain.last, chain.last_hash = self.last, self.events[-1] if self.events else ""
        chain.ranked = self._ranked
        events: list[str] = []
        voted: dict[str, None] = {}  # an ordered set
        tally = False
        for group in _ballots_together(iter(chain)):
            if group[0].event.type == "Setup":
                self._check_setup(group[0])
                chain.ranked = self._ranked
            elif group[0].event.type == "Ballot":
                self._check_ballots(group, voted, executor)
            tally = tally or group[0].event.type not in {"Setup", "Ballot"}
            events += [link.event.hash for link in group]
        self.events += events
        self._voted.update(voted)
        self.last = chain.last
        return News(tuple(events), tuple(voted), tally)

    def _check_setup(self, link: Link) -> None:
        archive = pack_header(0) + b"".join(pack_object(part, 0) for part in (*link.parts, link.payload))
        report = verify_archive(io.BytesIO(archive + pack_event(link.event.to_bytes(), 0)))
        if report.refusal is not None:
            raise report.refusal
        election, _, credentials = link.parts
        self.set_up(election, PublicCredentials.parse(credentials).entries)

    def _check_ballots(self, links: Sequence[Link], voted: dict[str, None], executor: Executor | None) -> None:
        work = partial(check_chunk, self.election, keep_sums=False)
        firsts = range(0, len(links), _CHUNK)
        chunks = [[link.payload for link in links[first : first + _CHUNK]] for first in firsts]
        heights = [links[first].event.height for first in firsts]
        done: Iterable[CheckedChunk] = map(work, heights, chunks) if executor is None else executor.map(work, heights, chunks)
        for chunk in done:
            for ballot in chunk.ballots:
                credential = str(ballot.credential)
                if credential not in self._known:
                    raise refuse(Rule.BALLOT_CREDENTIAL, "a ballot's credential is not in the election's list", height=ballot.height)
                if not self._replace and (credential in self._voted or credential in voted):
                    raise refuse(Rule.BALLOT_TWICE, "a credential votes again, and this election does not permit it", height=ballot.height)
                voted[credential] = None
            if chunk.refusal is not None:
                raise chunk.refusal


def _ballots_together(links: Iterator[Link], most: int = 50 * _CHUNK) -> Iterator[list[Link]]:
    """Runs of ballots as lists, any other event as a list of one."""
    run: list[Link] = []
    for link in links:
        if link.event.type == "Ballot":
            run.append(link)
            if len(run) < most:
                continue
        if run:
            yield run
            run = []
        if link.event.type != "Ballot":
            yield [link]
    if run:
        yield run


def first_difference(one: Sequence[str], other: Sequence[str]) -> int | None:
    """The lowest height at which two views of one box show different events; None if the shorter is the longer's beginning."""
    return next((height for height, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
