"""Eight statements that hold of a store at any moment, whatever was killed, cut off or restored before.

I1  a ballot whose receipt was shown is in the archive, once
I2  no ballot is there twice, and the same bytes again would get the same receipt
I3  one counted ballot per credential
I4  the archive only grows, has one hash per height, and file and database agree
I5  one EndBallots, no ballot after it, and the state says the same
I6  the verifier accepts, and where it was asked, Belenios's own tool
I7  every member has exactly one valid link
I8  the result is what a recount says

Pure: the caller reads the database (`ballot.services.audit`), all of it in one transaction, and hands in a snapshot, the
archive as a file, and what people outside have kept: receipts, checkpoints, an earlier copy. `CHECKS` lists every check.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ballot.errors import BallotError
from ballot.protocol.archive import Entry, read_archive
from ballot.protocol.declarations import split_description
from ballot.protocol.messages import Election, Event, PublicCredentials, Result, SetupData, SizedEncryptedTally, loads
from ballot.protocol.receipts import Receipt, check_receipt, tracker_of_hash
from ballot.recount import Acts, count_election, results_file
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive

INVARIANTS: Final = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8")
_WITHOUT_END: Final = {"draft", "locked", "open"}
_WITH_END: Final = {"closed", "tallying", "published"}


@dataclass(frozen=True)
class Violation:
    """One statement that does not hold: which, in which election (or meeting), at which height where there is one, and why."""

    invariant: str
    where: str
    height: int | None
    sentence: str

    def __str__(self) -> str:
        place = f"{self.where}, height {self.height}" if self.height is not None else self.where
        return f"{self.invariant} ({place}): {self.sentence}"


# --- what the caller hands in -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KnownHead:
    """An event that somebody saw: `source` says who, in words. `height` is None where they noted the hash alone."""

    height: int | None
    hash: str
    source: str


@dataclass(frozen=True)
class History:
    """What is known outside the store: receipts that were shown, heads that were seen."""

    receipts: tuple[Receipt, ...] = ()
    heads: Mapping[str, tuple[KnownHead, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class EventRow:
    """One row of the table of events; `digest` is the SHA-256 of the stored bytes, in hexadecimal."""

    height: int
    type: str
    hash: str
    payload: str | None
    digest: str


@dataclass(frozen=True)
class ObjectRow:
    """One row of the table of objects; `digest` as above."""

    height: int
    position: int
    hash: str
    digest: str


@dataclass(frozen=True)
class CastRow:
    """One row of the table of casts; `time` as a receipt says it."""

    height: int
    ballot: str
    credential: str
    ordinal: int
    head: str
    time: str


@dataclass(frozen=True)
class Head:
    """The row that is locked while something is appended; `size` is the archive's length in bytes."""

    height: int
    hash: str
    size: int


@dataclass
class Box:
    """One election: its rows, and its archive as the site would send it now. A draft has neither head nor archive.

    `fingerprint` and `hours` (opening and close) are what the election's row says, `announced` the hours on the journal, with every
    postponement (None before the lock). `electorate` is handle → public credential, `entitled` whose right to vote the frozen roll
    says, `derived` what the members' codes give (None: the codes are not the service's). `results` is the file of results as the
    site publishes it, `kept` one that somebody downloaded; `trouble` is what kept the site from making its own. `opinion` is what
    another program said against the archive, `earlier` a copy of the archive that somebody downloaded before.
    """

    uuid: str
    state: str
    replace: bool
    tidied: bool
    head: Head | None
    events: Sequence[EventRow]
    objects: Sequence[ObjectRow]
    casts: Sequence[CastRow]
    electorate: Mapping[str, str]
    entitled: frozenset[str]
    derived: Mapping[str, str] | None
    acts: Acts
    archive: BinaryIO | None
    companion: bytes | None
    results: bytes | None = None
    kept: bytes | None = None
    trouble: str = ""
    opinion: str = ""
    fingerprint: str = ""
    hours: tuple[str, str] = ("", "")
    announced: tuple[str, str] | None = None
    heads: tuple[KnownHead, ...] = ()
    earlier: BinaryIO | None = None


@dataclass(frozen=True)
class Member:
    """One line of a frozen roll that may vote. `letters` are (generation, state) of this member's mailed links."""

    handle: str
    generation: int
    withdrawn: bool
    address: str
    letters: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Assembly:
    """One meeting with a frozen roll that is not tidied.

    `commitment` is the published one, `recomputed` that of the stored roll as it was frozen. `replacements` and `withdrawals` are the
    journal's (None: a restore replaced links without saying whose). `sent` is whose links have been sent, by handle.
    """

    meeting: str
    members: Sequence[Member]
    included: int
    commitment: str
    recomputed: str
    replacements: int | None
    withdrawals: int
    sent: frozenset[str]
    journal: str = ""


# --- the archive, read once ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ballot:
    """One ballot of the archive: where it stands, its hash, and who signed it."""

    height: int
    hash: str
    credential: str


@dataclass
class Read:
    """What the archive's bytes say. `trouble` is the first thing that cannot be read."""

    events: list[tuple[Event, str]] = field(default_factory=list)
    objects: list[tuple[int, str]] = field(default_factory=list)  # height of the event that follows, hash
    ballots: list[Ballot] = field(default_factory=list)
    size: int = 0
    trouble: str = ""
    parts: dict[str, bytes] = field(default_factory=dict)  # the small objects that a recount needs, by hash

    def last(self, kind: str) -> str | None:
        """The payload of the last event of this type."""
        return next((event.payload for event, _ in reversed(self.events) if event.type == kind), None)


def _read(file: BinaryIO) -> Read:
    found, waiting = Read(), list[Entry]()
    file.seek(0)
    try:
        for entry in itertools.islice(read_archive(file), 1, None):
            if not isinstance(entry, Entry):
                continue
            if entry.kind == "data":
                waiting.append(entry)
                continue
            event = Event.parse(entry.data)
            found.objects += [(event.height, item.hash) for item in waiting]
            for item in waiting:
                if event.type == "Ballot":
                    found.ballots.append(Ballot(event.height, item.hash, _credential(item.data)))
                elif event.type in {"Setup", "EncryptedTally", "Result"}:
                    found.parts[item.hash] = item.data
            found.events.append((event, entry.hash))
            waiting = []
    except BallotError as error:
        found.trouble = str(error)
    if waiting and not found.trouble:
        found.trouble = "it ends with objects that belong to no event"
    found.size = file.seek(0, 2)
    file.seek(0)
    return found


def _credential(ballot: bytes) -> str:
    """Who signed, from the ballot's text; the verifier judges the text itself."""
    try:
        value = json.loads(ballot)
    except (ValueError, RecursionError):
        return ""
    return str(value.get("credential", "")) if isinstance(value, dict) else ""


# --- the checks ---------------------------------------------------------------------------------------------------


@dataclass
class Audit:
    """One election under audit. `look` is what the archive's bytes say; `key` checks receipts (None: not at hand)."""

    box: Box
    look: Read
    receipts: tuple[Receipt, ...]
    key: Ed25519PublicKey | None
    executor: Executor | None


Finding = tuple[int | None, str]
BoxCheck = Callable[[Audit], Iterable[Finding]]
AssemblyCheck = Callable[[Assembly], Iterable[Finding]]
CHECKS: Final[list[tuple[str, BoxCheck]]] = []
MEETING_CHECKS: Final[list[tuple[str, AssemblyCheck]]] = []


def _check(invariant: str) -> Callable[[BoxCheck], BoxCheck]:
    def add(check: BoxCheck) -> BoxCheck:
        CHECKS.append((invariant, check))
        return check

    return add


def _meeting_check(invariant: str) -> Callable[[AssemblyCheck], AssemblyCheck]:
    def add(check: AssemblyCheck) -> AssemblyCheck:
        MEETING_CHECKS.append((invariant, check))
        return check

    return add


@_check("I1")
def receipts_are_kept(audit: Audit) -> Iterator[Finding]:
    """Each shown receipt's ballot is in the archive at the height, and under the event, that the receipt names."""
    hashes = {event.height: digest for event, digest in audit.look.events}
    places: dict[str, list[int]] = {}
    for ballot in audit.look.ballots:
        places.setdefault(tracker_of_hash(ballot.hash), []).append(ballot.height)
    for receipt in audit.receipts:
        found = places.get(receipt.ballot, [])
        if not found:
            yield receipt.height, f"the ballot with receipt code {receipt.ballot} is not in the archive, although its receipt was shown"
        elif receipt.height not in found or hashes.get(receipt.height) != receipt.head:
            yield receipt.height, f"the receipt of {receipt.ballot} names another place or event than the archive has"


@_check("I1")
def receipts_are_signed(audit: Audit) -> Iterator[Finding]:
    """Each shown receipt was signed with this service's key."""
    key = audit.key
    if key is None:
        return
    for receipt in audit.receipts:
        try:
            check_receipt(key, receipt)
        except BallotError:
            yield receipt.height, f"the receipt of {receipt.ballot} is not signed with this service's key"


@_check("I2")
def ballots_stand_once(audit: Audit) -> Iterator[Finding]:
    """No ballot is in the archive twice, whether it was acknowledged or not."""
    seen: dict[str, int] = {}
    for ballot in audit.look.ballots:
        if ballot.hash in seen:
            yield ballot.height, f"the very same ballot stands at height {seen[ballot.hash]} already"
        seen.setdefault(ballot.hash, ballot.height)


@_check("I2")
def receipts_do_not_change(audit: Audit) -> Iterator[Finding]:
    """The receipt that the same bytes would get now is the one that was shown."""
    rows = {cast.ballot: cast for cast in audit.box.casts}
    for receipt in audit.receipts:
        row = rows.get(receipt.ballot)
        if row is None:
            yield receipt.height, f"the same ballot again would get another receipt: {receipt.ballot} has no record of its cast"
        elif (row.height, row.head, row.time) != (receipt.height, receipt.head, receipt.time):
            yield receipt.height, f"the same ballot again would get another receipt than the one that was shown for {receipt.ballot}"


@_check("I3")
def one_ballot_a_credential(audit: Audit) -> Iterator[Finding]:
    """Where a vote cannot be replaced, no credential has two ballots in the archive."""
    seen: dict[str, int] = {}
    for ballot in audit.look.ballots if not audit.box.replace else ():
        if ballot.credential in seen:
            yield ballot.height, f"the credential of this ballot has one at height {seen[ballot.credential]} already"
        seen.setdefault(ballot.credential, ballot.height)


@_check("I3")
def casts_count_up(audit: Audit) -> Iterator[Finding]:
    """The records of a credential's casts are numbered from 0 in the order of the chain, so that one of them is the last."""
    numbers: Counter[str] = Counter()
    for cast in sorted(audit.box.casts, key=lambda cast: cast.height):
        if cast.ordinal != numbers[cast.credential]:
            yield cast.height, "the record of this cast does not say how often its credential voted before"
        numbers[cast.credential] += 1


@_check("I3")
def casts_name_who_signed(audit: Audit) -> Iterator[Finding]:
    """The record of each cast has the credential that signed the ballot."""
    signed = {ballot.height: ballot.credential for ballot in audit.look.ballots}
    for cast in audit.box.casts:
        if cast.height in signed and signed[cast.height] != cast.credential:
            yield cast.height, "the record of this cast has another credential than the one that signed the ballot"


@_check("I3")
def the_tally_counts_credentials(audit: Audit) -> Iterator[Finding]:
    """The encrypted tally counts as many ballots as credentials voted."""
    payload = audit.look.last("EncryptedTally")
    if payload is None or payload not in audit.look.parts:
        return
    counted = SizedEncryptedTally.parse(audit.look.parts[payload]).num_tallied
    voted = len({ballot.credential for ballot in audit.look.ballots})
    if counted != voted:
        yield None, f"{voted} credentials voted, and the tally counts {counted} ballots"


@_check("I4")
def the_archive_is_a_chain(audit: Audit) -> Iterator[Finding]:
    """Every byte of the archive can be read, and each event follows from the one before."""
    parent: str | None = None
    for height, (event, digest) in enumerate(audit.look.events):
        if (event.height, event.parent) != (height, parent):
            yield height, "the event here does not follow from the one before"
            return
        parent = digest
    if audit.look.trouble:
        yield len(audit.look.events), f"the archive cannot be read from here on: {audit.look.trouble}"


@_check("I4")
def events_agree(audit: Audit) -> Iterator[Finding]:
    """The database has one event for each height of the chain, and each column says what the archive says."""
    rows: dict[int, list[EventRow]] = {}
    for row in audit.box.events:
        rows.setdefault(row.height, []).append(row)
    hashes: dict[int, set[str]] = {}
    for event, digest in audit.look.events:
        hashes.setdefault(event.height, set()).add(digest)
    for height, (event, digest) in enumerate(audit.look.events):
        wanted = [EventRow(height, event.type, digest, event.payload, digest)]
        if rows.pop(height, []) != wanted or len(hashes[event.height]) != 1:
            yield height, "the database's row of this event is not what the archive has"
    for height in sorted(rows):
        yield height, "the database has an event that is not in the archive"


@_check("I4")
def objects_agree(audit: Audit) -> Iterator[Finding]:
    """The database has the archive's objects, in their places, each with the hash that it goes by."""
    rows = sorted(audit.box.objects, key=lambda row: (row.height, row.position))
    for row in rows:
        if row.digest != row.hash:
            yield row.height, f"the object {row.hash[:16]}… was changed: it no longer has that hash"
    if [(row.height, row.digest) for row in rows] != audit.look.objects:
        odd = {(row.height, row.digest) for row in rows} ^ set(audit.look.objects)
        yield min((height for height, _ in odd), default=None), "the database's objects are not those of the archive"


@_check("I4")
def the_head_is_the_last(audit: Audit) -> Iterator[Finding]:
    """The head of the chain is the last event, and the archive is as long as the head says."""
    head = audit.box.head
    if head is None:
        if audit.look.events or audit.box.events:
            yield 0, "the board has events and no head"
        return
    last = audit.look.events[-1][1] if audit.look.events else ""
    if (head.height, head.hash) != (len(audit.look.events) - 1, last):
        yield head.height, "the head of the chain is not the archive's last event"
    if head.size != audit.look.size:
        yield head.height, f"the archive has {audit.look.size} bytes, and the head says {head.size}"


@_check("I4")
def casts_agree(audit: Audit) -> Iterator[Finding]:
    """Each ballot event has its record of a cast, each record its event, and both name the same ballot and event."""
    events = {event.height: (tracker_of_hash(event.payload or ""), digest) for event, digest in audit.look.events if event.type == "Ballot"}
    for cast in audit.box.casts:
        if events.pop(cast.height, None) != (cast.ballot, cast.head):
            yield cast.height, "the record of a cast here is not that of the archive's ballot"
    for height in sorted(events):
        yield height, "the ballot here has no record of its cast"


@_check("I4")
def seen_events_are_still_there(audit: Audit) -> Iterator[Finding]:
    """Whatever head somebody saw is still in the chain: in the journal, in a checkpoint, in a receipt."""
    hashes = {event.height: digest for event, digest in audit.look.events}
    for known in audit.box.heads:
        if known.height is None:
            if known.hash not in hashes.values():
                yield None, f"the event that {known.source} names is not there any more"
        elif hashes.get(known.height) != known.hash:
            what = "is not there any more" if known.height not in hashes else "is another one now"
            yield known.height, f"the event that {known.source} names {what}"


@_check("I4")
def earlier_copies_are_beginnings(audit: Audit) -> Iterator[Finding]:
    """A copy that somebody kept is a beginning of the archive, to the byte."""
    if audit.box.earlier is None or audit.box.archive is None:
        return
    audit.box.earlier.seek(0)
    audit.box.archive.seek(0)
    while old := audit.box.earlier.read(1 << 20):
        if audit.box.archive.read(len(old)) != old:
            yield None, "the copy that was kept is not a beginning of the archive: something before its end was changed or taken away"
            return


@_check("I4")
def the_row_says_what_was_locked(audit: Audit) -> Iterator[Finding]:
    """The election's own row has the fingerprint, the way of voting and the hours that were fixed at the lock."""
    setup = audit.look.last("Setup")
    if setup is None:
        return
    election = Election.parse(audit.look.parts[SetupData.parse(audit.look.parts[setup]).election])
    _, declarations = split_description(election.description)
    if (election.uuid, election.fingerprint) != (audit.box.uuid, audit.box.fingerprint):
        yield 0, "the election's row does not have the fingerprint of the archive"
    if declarations is not None and declarations.replace != audit.box.replace:
        yield 0, "the election's row and its hashed text differ in whether a vote can be replaced"
    if audit.box.announced is not None and audit.box.announced != audit.box.hours:
        yield None, "the hours of voting are not those on the journal"


@_check("I5")
def the_box_is_closed_once(audit: Audit) -> Iterator[Finding]:
    """There is at most one EndBallots."""
    ends = [event.height for event, _ in audit.look.events if event.type == "EndBallots"]
    for height in ends[1:]:
        yield height, f"the box was closed at height {ends[0]} already"


@_check("I5")
def no_ballot_after_the_end(audit: Audit) -> Iterator[Finding]:
    """No ballot stands after EndBallots."""
    ends = [event.height for event, _ in audit.look.events if event.type == "EndBallots"]
    for event, _ in audit.look.events:
        if ends and event.type == "Ballot" and event.height > ends[0]:
            yield event.height, f"a ballot stands after the close at height {ends[0]}"


@_check("I5")
def the_state_says_the_same(audit: Audit) -> Iterator[Finding]:
    """The election's state is what the chain has come to."""
    state, kinds = audit.box.state, {event.type for event, _ in audit.look.events}
    if state in _WITHOUT_END and kinds - {"Setup", "Ballot"}:
        yield None, f"the election is {state}, and its box is closed"
    if state in _WITH_END and "EndBallots" not in kinds:
        yield None, f"the election is {state}, and its box was never closed"
    if state == "closed" and "EncryptedTally" in kinds:
        yield None, "the election is closed, and its tally has begun"
    if state in {"tallying", "published"} and "EncryptedTally" not in kinds:
        yield None, f"the election is {state}, and there is no encrypted tally"
    if state == "published" and "Result" not in kinds:
        yield None, "the election is published, and there is no result"
    if (state == "draft" and kinds) or (state == "locked" and "Ballot" in kinds):
        yield None, f"the election is {state}, and its board is further on"


@_check("I6")
def the_verifier_accepts(audit: Audit) -> Iterator[Finding]:
    """Our verifier accepts the archive, as far as it goes, with every event that somebody saw."""
    if audit.box.archive is None:
        return
    audit.box.archive.seek(0)
    pins = [(receipt.height, receipt.head) for receipt in audit.receipts]
    report = verify_archive(audit.box.archive, companion=audit.box.companion, executor=audit.executor, pins=pins)
    if report.outcome not in {Outcome.VERIFIED, Outcome.UNFINISHED}:
        yield report.height, f"the verifier says {report.verdict()}"
    elif audit.box.state == "published" and report.outcome is not Outcome.VERIFIED:
        yield report.height, f"the election is published, and the verifier says {report.verdict()}"


@_check("I6")
def the_other_program_accepts(audit: Audit) -> Iterator[Finding]:
    """Belenios's own tool accepts the archive and every ballot, where it was asked."""
    if audit.box.opinion:
        yield None, f"belenios-tool says: {audit.box.opinion}"


@_check("I7")
def the_electorate_is_the_rolls(audit: Audit) -> Iterator[Finding]:
    """Everybody whose vote this is has one credential here, and nobody else has one."""
    if audit.box.tidied or audit.box.state == "draft":
        return
    missing, extra = audit.box.entitled - audit.box.electorate.keys(), audit.box.electorate.keys() - audit.box.entitled
    if missing or extra:
        yield None, f"{len(missing)} members who may vote have no credential, and {len(extra)} credentials belong to nobody on the roll"
    if len(set(audit.box.electorate.values())) != len(audit.box.electorate):
        yield None, "two members have the same credential"


@_check("I7")
def the_public_list_is_the_electorate(audit: Audit) -> Iterator[Finding]:
    """The credentials in the archive are those of the members."""
    setup = audit.look.last("Setup")
    if audit.box.tidied or setup is None:
        return
    listed = PublicCredentials.parse(audit.look.parts[SetupData.parse(audit.look.parts[setup]).credentials]).entries
    if sorted(audit.box.electorate.values()) != sorted(listed):
        yield 0, "the public list of credentials is not that of the members in the database"


@_check("I7")
def codes_give_their_credentials(audit: Audit) -> Iterator[Finding]:
    """What a member's code gives is the member's credential, so that the mailed link votes."""
    for handle, credential in (audit.box.derived or {}).items():
        if handle in audit.box.electorate and audit.box.electorate[handle] != credential:
            yield None, "a member's code gives another credential than the one on record: that link cannot vote"
            return


@_check("I8")
def the_published_result_is_the_recount(audit: Audit) -> Iterator[Finding]:
    """The file of results, as the site has it and as somebody kept it, is what the archive gives under the declared rules."""
    if audit.box.state != "published":
        return
    try:
        expected = recount(audit.look, audit.box.acts)
    except (BallotError, KeyError, ValueError) as error:
        yield None, f"the archive cannot be counted again: {error}"
        return
    if audit.box.trouble:
        yield None, f"the site cannot show its result: {audit.box.trouble}"
    elif audit.box.results != expected:
        yield None, "the result that the site publishes is not what the archive gives"
    if audit.box.kept is not None and audit.box.kept != expected:
        yield None, "the file of results that was kept is not what the archive gives"


def recount(look: Read, acts: Acts) -> bytes:
    """The file of results, made from the archive alone and the acts before the count. Raises: BallotError, KeyError."""
    setup = SetupData.parse(look.parts[look.last("Setup") or ""])
    election = Election.parse(look.parts[setup.election])
    listed = PublicCredentials.parse(look.parts[setup.credentials])
    sized = SizedEncryptedTally.parse(look.parts[look.last("EncryptedTally") or ""])
    digest = look.last("Result") or ""
    before = {"EncryptedTally", "EndShuffles"}
    seed = next(identity for event, identity in reversed(look.events) if event.type in before)
    _, declarations = split_description(election.description)
    outcomes = count_election(
        election,
        declarations,
        Result.parse(look.parts[digest]),
        ballots=sized.num_tallied,
        electorate=len(listed.entries),
        seed=seed,
        acts=acts,
    )
    return results_file(election, outcomes, result_hash=digest, seed=seed, acts=acts)


# --- meetings -----------------------------------------------------------------------------------------------------


@_meeting_check("I4")
def the_journal_is_a_chain(assembly: Assembly) -> Iterator[Finding]:
    """The journal's entries follow from each other, to its head."""
    if assembly.journal:
        yield None, assembly.journal


@_meeting_check("I7")
def the_roll_is_the_frozen_one(assembly: Assembly) -> Iterator[Finding]:
    """The stored roll has as many members as were counted at the freeze, and gives the published commitment."""
    if len(assembly.members) != assembly.included:
        yield None, f"{assembly.included} members were counted when the roll was frozen, and {len(assembly.members)} are stored"
    if assembly.recomputed != assembly.commitment:
        yield None, "the stored roll does not give the published commitment: a member's line was changed"


@_meeting_check("I7")
def links_are_counted(assembly: Assembly) -> Iterator[Finding]:
    """A link dies only by an act on the record: as many replaced and withdrawn as the journal says."""
    if assembly.replacements is None:
        return
    generations, withdrawn = sum(member.generation for member in assembly.members), sum(member.withdrawn for member in assembly.members)
    if generations != assembly.replacements + assembly.withdrawals:
        acts = assembly.replacements + assembly.withdrawals
        yield None, f"links were replaced or withdrawn {generations} times, and the journal has {acts} such acts"
    if withdrawn != assembly.withdrawals:
        yield None, f"{withdrawn} links are withdrawn, and the journal has {assembly.withdrawals} such acts"


@_meeting_check("I7")
def links_were_sent_once(assembly: Assembly) -> Iterator[Finding]:
    """Once the links were sent, every member has a letter with the newest link, and none with a dead one still waits."""
    without = waiting = 0
    for member in assembly.members:
        generations = {generation for generation, _ in member.letters}
        without += not member.withdrawn and member.handle in assembly.sent and member.generation not in generations
        waiting += any(g < member.generation and state in {"waiting", "sending"} for g, state in member.letters)
    if without:
        yield None, f"{without} members have no letter with their link, although the links were sent"
    if waiting:
        yield None, f"{waiting} letters still wait with a link that works no more"


@_meeting_check("I7")
def addresses_are_one_persons(assembly: Assembly) -> Iterator[Finding]:
    """No two members who can vote have the same address: whoever reads its mail would hold two links."""
    twice = sum(number > 1 for number in Counter(member.address for member in assembly.members if member.address).values())
    if twice:
        yield None, f"{twice} addresses stand on the roll more than once"


# --- the audit ----------------------------------------------------------------------------------------------------


def audit_box(
    box: Box,
    history: History,
    *,
    key: Ed25519PublicKey | None = None,
    executor: Executor | None = None,
    skip: frozenset[str] = frozenset(),
) -> list[Violation]:
    """Every violation in one election, by invariant. `skip` names invariants that are not looked at.

    A check that cannot be completed is a violation of its own: nothing passes because it could not be read.
    """
    look = Read() if box.archive is None else _read(box.archive)
    receipts = tuple(receipt for receipt in history.receipts if receipt.election == box.uuid)
    seen = tuple(KnownHead(receipt.height, receipt.head, "a receipt") for receipt in receipts)
    box.heads = (*box.heads, *history.heads.get(box.uuid, ()), *seen)
    audit = Audit(box, look, receipts, key, executor)
    found: list[Violation] = []
    for invariant, check in CHECKS:
        if invariant in skip:
            continue
        try:
            found += [Violation(invariant, f"election {box.uuid}", height, sentence) for height, sentence in check(audit)]
        except Exception as error:  # noqa: BLE001 - whatever happens inside a check, it is not a pass
            words = f"this could not be checked ({type(error).__name__}: {error})"
            found.append(Violation(invariant, f"election {box.uuid}", None, words))
    return sorted(found, key=lambda violation: violation.invariant)


def audit_assembly(assembly: Assembly, *, skip: frozenset[str] = frozenset()) -> list[Violation]:
    """Every violation in one meeting's roll, links and journal."""
    return [
        Violation(invariant, f"meeting {assembly.meeting}", height, sentence)
        for invariant, check in MEETING_CHECKS
        if invariant not in skip
        for height, sentence in check(assembly)
    ]


def lost_elections(history: History, known: Iterable[str]) -> list[Violation]:
    """Receipts of elections that the store does not have at all."""
    there = set(known)
    missing = Counter(receipt.election for receipt in history.receipts if receipt.election not in there)
    return [
        Violation("I1", f"election {uuid}", None, f"{number} receipts were shown of an election that is not in the store")
        for uuid, number in sorted(missing.items())
    ]


def read_receipts(lines: Iterable[bytes]) -> tuple[Receipt, ...]:
    """A history of shown receipts, one JSON object a line. Raises: MalformedError."""
    return tuple(Receipt.from_json(loads(line)) for line in lines if line.strip())


def to_json(found: Sequence[Violation], looked_at: Mapping[str, Any]) -> dict[str, Any]:
    """The findings for programs."""
    violations = [
        {"invariant": violation.invariant, "where": violation.where, "height": violation.height, "sentence": violation.sentence}
        for violation in found
    ]
    return {"holds": not found, **looked_at, "violations": violations}
