"""Boards to practise on: a simulated election's archive, cut after any of its events."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

from ballot.keyholder import KeyFile
from ballot.protocol.archive import Entry, Header, pack_event, pack_header, pack_object, read_archive
from ballot.protocol.messages import Event
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
