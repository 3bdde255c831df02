"""Boards to practise on: a simulated election's archive, cut after any of its events."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

from ballot.keyholder import KeyFile
from ballot.protocol.archive import ArchiveWriter, Entry, Header, pack_event, pack_header, pack_object, read_archive
from ballot.protocol.messages import Ballot, Event
from ballot.protocol.tally import compute_encrypted_tally
from ballot.simulate import Plan, Simulated, simulate
from tests.support.keyholders import MOTION, RANKED

PASSPHRASE = "correct horse battery staple"


@dataclass
class Practice:
    """A whole election: its archive's bytes and all its secrets."""

    done: Simulated
    archive: bytes

    def until(self, kind: str, count: int = 1) -> bytes:
        """The archive cut after the count-th event of this kind."""
        out = io.BytesIO()
        timestamp = 0
        for item in read_archive(io.BytesIO(self.archive)):
            if isinstance(item, Header):
                timestamp = int(item.timestamp)
                out.write(pack_header(timestamp))
                continue
            out.write((pack_event if item.kind == "event" else pack_object)(item.data, timestamp))
            if item.kind == "event" and Event.parse(item.data).type == kind:
                count -= 1
                if not count:
                    return out.getvalue()
        raise AssertionError(f"no such event: {kind}")

    def closed_after(self, ballots: int) -> bytes:
        """The same election, with the box closed after fewer ballots and tallied honestly."""
        out = io.BytesIO()
        writer = ArchiveWriter(out, 1_750_000_000)
        kept: list[Ballot] = []
        payload = b""
        for entry in self.entries():
            if entry.kind == "data":
                payload = entry.data
            event = Event.parse(entry.data) if entry.kind == "event" else None
            if event is None or event.type == "Setup":
                if len(kept) <= ballots:
                    (writer.add_object(entry.data) if event is None else writer.add_event("Setup", event.payload))
            elif event.type == "Ballot":
                kept.append(Ballot.parse(payload))
                writer.add_event("Ballot", event.payload)
                if len(kept) == ballots:
                    break
        writer.add_event("EndBallots")
        tally, size = compute_encrypted_tally(self.done.election, kept)
        writer.add_object(tally.to_bytes())
        writer.add_event("EncryptedTally", writer.add_object(size.to_bytes()))
        return out.getvalue()

    def entries(self) -> list[Entry]:
        return [item for item in read_archive(io.BytesIO(self.archive)) if isinstance(item, Entry)]

    def key(self, owner: int) -> KeyFile:
        return KeyFile(self.done.election.uuid, owner, f"Holder {owner}", "single", None, self.done.private_keys[owner])

    @property
    def companions(self) -> bytes:
        assert self.done.companions is not None
        return self.done.companions.to_bytes()


def practice(**changes: Any) -> Practice:
    plan = Plan(questions=(MOTION, RANKED), voters=7, trustees=3, threshold=2, seed=b"practice")
    file = io.BytesIO()
    done = simulate(replace(plan, **changes), lambda _: file)
    return Practice(done, file.getvalue())
