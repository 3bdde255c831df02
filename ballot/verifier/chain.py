"""The chain of events (Belenios v1, 4.4), under a grammar that v1 leaves open.

    Setup Ballot* EndBallots EncryptedTally (Shuffle+ EndShuffles, if a question is ranked) PartialDecryption+ Result

and nothing after. Each event's objects stand between it and the event before, are all referred to, and occur once. A file
that stops after any event is a good beginning of an election; the caller tells that from a whole one by `last`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ballot.errors import ArchiveRefusedError, MalformedError
from ballot.protocol.archive import Entry
from ballot.protocol.messages import Event, EventType, Owned, SetupData, SizedEncryptedTally
from ballot.verifier.rules import Rule

SERVER: Final = "the server that published this file"

_FOLLOWS: Final[Mapping[EventType | None, tuple[EventType, ...]]] = {
    None: ("Setup",),
    "Setup": ("Ballot", "EndBallots"),
    "Ballot": ("Ballot", "EndBallots"),
    "EndBallots": ("EncryptedTally",),
    "EncryptedTally": ("Shuffle", "PartialDecryption"),  # which of them, `Chain.ranked` says
    "Shuffle": ("Shuffle", "EndShuffles"),
    "EndShuffles": ("PartialDecryption",),
    "PartialDecryption": ("PartialDecryption", "Result"),
    "Result": (),
}
_WITHOUT_PAYLOAD: Final = ("EndBallots", "EndShuffles")
_FORM: Final[Mapping[EventType, Rule]] = {
    "Setup": Rule.SETUP_FORM,
    "EncryptedTally": Rule.TALLY_FORM,
    "Shuffle": Rule.SHUFFLE_FORM,
    "PartialDecryption": Rule.DECRYPTION_FORM,
}
_MOST_OBJECTS: Final = 4  # those of Setup; more are refused before they are all read


def refuse(rule: Rule, reason: str, *, height: int | None = None, blame: str | None = SERVER) -> ArchiveRefusedError:
    """The error that says which rule is broken, where, why, and by whom."""
    return ArchiveRefusedError(reason, rule=rule.id, height=height, blame=blame)


@dataclass(frozen=True)
class Link:
    """One event with everything that belongs to it."""

    event: Event
    payload: bytes = b""  # what the event names
    message: SetupData | SizedEncryptedTally | Owned | None = None  # the payload, where it names objects in turn
    parts: tuple[bytes, ...] = ()  # those objects, in the message's order


class Chain:
    """Reads entries one at a time and yields links that follow the grammar; `last` is the newest one's event."""

    def __init__(self, entries: Iterable[Entry], pins: Mapping[int, str]) -> None:
        self._entries, self._pins = entries, pins
        self._waiting: dict[str, bytes] = {}  # objects since the last event
        self._seen: set[bytes] = set()  # hashes of all objects
        self.last: Event | None = None
        self.last_hash = ""
        self.ranked: bool | None = None  # whether a question is ranked; the caller sets it when it has read the set-up

    @property
    def height(self) -> int:
        """The height of the event that is being read."""
        return 0 if self.last is None else self.last.height + 1

    def __iter__(self) -> Iterator[Link]:
        for entry in self._entries:
            if entry.kind == "data":
                self._object(entry)
            else:
                yield self._link(entry)
        if self._waiting:
            raise refuse(Rule.OBJECT_UNREFERENCED, "the file ends with an object that no event refers to", height=self.height)
        unseen = [height for height in self._pins if self.last is None or height > self.last.height]
        if unseen:
            raise refuse(Rule.PIN, f"the event {max(unseen)}, seen before, is not there any more", height=max(unseen))

    def _object(self, entry: Entry) -> None:
        digest = bytes.fromhex(entry.hash)
        if digest in self._seen:
            raise refuse(Rule.OBJECT_REPEATED, f"the object {entry.hash[:16]}… occurs twice", height=self.height)
        if len(self._waiting) == _MOST_OBJECTS:
            raise refuse(Rule.OBJECT_UNREFERENCED, "more objects stand before an event than it can refer to", height=self.height)
        self._seen.add(digest)
        self._waiting[entry.hash] = entry.data

    def _link(self, entry: Entry) -> Link:
        try:
            event = Event.parse(entry.data)
        except MalformedError as error:
            raise refuse(Rule.EVENT_FORM, str(error), height=self.height) from error
        if event.height != self.height:
            raise refuse(Rule.CHAIN_HEIGHT, f"an event calls itself number {event.height}, where {self.height} is due", height=self.height)
        if event.parent != (self.last_hash or None):
            raise refuse(Rule.CHAIN_PARENT, "an event does not follow from the one before it", height=event.height)
        self._grammar(event)
        if self._pins.get(event.height, entry.hash) != entry.hash:
            raise refuse(Rule.PIN, "this is not the event that was seen here before: history was rewritten", height=event.height)
        link = self._with_objects(event)
        if self._waiting:
            raise refuse(Rule.OBJECT_UNREFERENCED, "an object belongs to no event", height=event.height)
        self.last, self.last_hash = event, entry.hash
        return link

    def _grammar(self, event: Event) -> None:
        before = None if self.last is None else self.last.type
        if before == "Result":
            raise refuse(Rule.CHAIN_GRAMMAR, f"{event.type} comes after Result, and nothing may", height=event.height)
        permitted = _FOLLOWS[before]
        if before == "EncryptedTally":
            permitted = ("Shuffle",) if self.ranked else ("PartialDecryption",)
        if event.type not in permitted:
            where = "begins the file" if before is None else f"follows {before}"
            reason = f"{event.type} {where}, where only {' or '.join(permitted)} may"
            raise refuse(Rule.CHAIN_GRAMMAR, reason, height=event.height)

    def _take(self, event: Event, digest: str) -> bytes:
        data = self._waiting.pop(digest, None)
        if data is not None:
            return data
        if bytes.fromhex(digest) in self._seen:
            what = "the very same ballot is on the board twice" if event.type == "Ballot" else "an object is used twice"
            raise refuse(Rule.OBJECT_REPEATED, what, height=event.height)
        raise refuse(Rule.PAYLOAD_MISSING, f"what {event.type} refers to does not stand before it", height=event.height)

    def _with_objects(self, event: Event) -> Link:
        if (event.payload is None) != (event.type in _WITHOUT_PAYLOAD):
            reason = f"{event.type} has no payload" if event.payload is None else f"{event.type} has a payload, and must not"
            raise refuse(Rule.PAYLOAD_OUT_OF_PLACE, reason, height=event.height)
        if event.payload is None:
            return Link(event)
        payload = self._take(event, event.payload)
        message: SetupData | SizedEncryptedTally | Owned
        try:
            match event.type:
                case "Setup":
                    message = SetupData.parse(payload)
                    names: tuple[str, ...] = (message.election, message.trustees, message.credentials)
                case "EncryptedTally":
                    message = SizedEncryptedTally.parse(payload)
                    names = (message.encrypted_tally,)
                case "Shuffle" | "PartialDecryption":
                    message = Owned.parse(payload)
                    names = (message.payload,)
                case _:
                    return Link(event, payload)
        except MalformedError as error:
            raise refuse(_FORM[event.type], str(error), height=event.height) from error
        return Link(event, payload, message, tuple(self._take(event, name) for name in names))
