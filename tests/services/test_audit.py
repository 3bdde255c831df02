"""`ballot audit-store`: each invariant, violated on purpose in a real database, is found and named; and no check is idle."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from ballot import cli, invariants
from ballot.invariants import CHECKS, MEETING_CHECKS, Assembly, Box, Head, History, KnownHead, Member
from ballot.models import (
    BoardEvent,
    BoardHead,
    BoardObject,
    Cast,
    Companion,
    Election,
    Electorate,
    JournalEntry,
    Outbox,
    Roll,
    RollEntry,
    table,
)
from ballot.protocol.messages import Event, SizedEncryptedTally, sha256_hex
from ballot.protocol.receipts import Receipt, tracker_of_hash
from ballot.recount import NO_ACTS
from ballot.services import audit as service
from ballot.services import board, lifecycle, mailings, tally
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Mailer
from tests.elections import Act, honest, society
from tests.services.world import CLOSES, MOTION, NOW, OFFICER, World

event, obj, cast, head, election = table(BoardEvent), table(BoardObject), table(Cast), table(BoardHead), table(Election)
electorate, entry, roll, outbox, journal, companion = (
    table(model) for model in (Electorate, RollEntry, Roll, Outbox, JournalEntry, Companion)
)
RULES = (
    {"rule": "motion", "threshold": "simple-majority", "base": "cast", "quorum": 0},
    {"rule": "scottish-2011", "seats": 2, "ron": True},
)


@dataclass
class Store:
    """One database with an open and a published election, and every receipt that was shown."""

    world: World
    meeting: str
    open: str
    published: str
    receipts: list[Receipt]
    kept: bytes
    early: dict[str, bytes]

    def audit(self, history: History | None = None, **options: Any) -> list[str]:
        """The invariants that do not hold, one a violation; `I6` by our verifier unless skipped."""
        found = service.audit(self.world.database, self.world.keys, history or History(tuple(self.receipts)), **options)
        return [violation.invariant for violation in found.violations]


def fill(world: World) -> Store:
    meeting = world.meeting(two_people=False, members=8)
    published = world.election(meeting, rules=RULES)
    still_open = world.election(meeting, questions=[MOTION])
    for uuid in (published, still_open):
        world.lock(uuid)
    with world.database.write() as session:
        mailings.send_at_once(session, world.config, world.keys, Mailer(world.config, world.keys), meeting.id, OFFICER, world.now)
    for uuid in (published, still_open):
        with world.database.write() as session:
            lifecycle.open_voting(session, uuid, OFFICER, world.now, reason="a test of its own")
    world.clock.advance(days=2)
    receipts = []
    for number, member in enumerate(world.members(meeting)[:6]):
        ranks = [(1, 2, 0, 0), (2, 1, 0, 0), (0, 1, 2, 3)][number % 3]
        receipts.append(world.cast(published, member, ((0, 1, 0) if number % 2 else (0, 0, 1), ranks)))
        receipts.append(world.cast(still_open, member, [(0, 1, 0)]))
    early = {published: b"".join(board.stream_archive(world.database, published)[1])}
    world.close(published)
    world.tally(published)
    return Store(world, meeting.id, still_open, published, receipts, tally.outcome(world.database, published).file, early)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("audit") / "template.sqlite3"
    world = World(Database(f"sqlite:///{path}"))
    world.database.migrate()
    store = fill(world)
    world.database.overwrite_deleted()
    world.database.dispose()
    return store


@pytest.fixture
def store(template: Store, tmp_path: Path) -> Store:
    """A copy of its own."""
    path = tmp_path / "copy.sqlite3"
    shutil.copyfile(str(template.world.database.engine.url.database), path)
    return replace(template, world=replace(template.world, database=Database(f"sqlite:///{path}")))


# --- what is done to the database ---------------------------------------------------------------------------------


def drop_the_last_ballot(c: Connection, s: Store) -> None:
    acts = read(c, s.open)
    write(c, s.open, acts[:-1])
    c.execute(delete(cast).where(cast.c.election_uuid == s.open, cast.c.height == 6))


def drop_a_row_of_the_casts(c: Connection, s: Store) -> None:
    c.execute(delete(cast).where(cast.c.election_uuid == s.open, cast.c.height == 3))


def change_when_it_was_cast(c: Connection, s: Store) -> None:
    c.execute(update(cast).where(cast.c.election_uuid == s.open, cast.c.height == 3).values(cast_at=NOW))


def swap_two_credentials_of_casts(c: Connection, s: Store) -> None:
    rows = c.execute(select(cast).where(cast.c.election_uuid == s.open, cast.c.height.in_([2, 3]))).all()
    for height, value in ((2, "nobody"), (3, rows[0].credential), (2, rows[1].credential)):
        c.execute(update(cast).where(cast.c.election_uuid == s.open, cast.c.height == height).values(credential=value))


def count_a_cast_wrongly(c: Connection, s: Store) -> None:
    c.execute(update(cast).where(cast.c.election_uuid == s.open, cast.c.height == 3).values(ordinal=1))


def vote_twice(c: Connection, s: Store) -> None:
    member = s.world.members(_meeting(s))[0]
    data = s.world.ballot(s.open, member, [(0, 0, 1)])
    acts = [*read(c, s.open), ("Ballot", [data])]
    write(c, s.open, acts)
    first = c.execute(select(cast).where(cast.c.election_uuid == s.open, cast.c.height == 1)).one()
    _cast(c, s.open, data, first.credential, 1, 7)


def tally_one_ballot_less(c: Connection, s: Store) -> None:
    acts = read(c, s.published)
    place = [kind for kind, _ in acts].index("EncryptedTally")
    sized = SizedEncryptedTally.parse(acts[place][1][-1])
    acts[place][1][-1] = replace(sized, num_tallied=5, total_weight=5).to_bytes()
    write(c, s.published, acts)


def change_an_event(c: Connection, s: Store) -> None:
    row = c.execute(select(event).where(event.c.election_uuid == s.open, event.c.height == 3)).one()
    other = Event.parse(row.content)
    forged = Event(3, "Ballot", "0" * 64, other.payload)
    c.execute(update(event).where(event.c.election_uuid == s.open, event.c.height == 3).values(content=forged.to_bytes(), hash=forged.hash))


def change_the_type_column(c: Connection, s: Store) -> None:
    c.execute(update(event).where(event.c.election_uuid == s.open, event.c.height == 3).values(type="EndBallots"))


def add_an_event_beyond_the_head(c: Connection, s: Store) -> None:
    row = c.execute(select(event).where(event.c.election_uuid == s.open, event.c.height == 6)).one()
    c.execute(insert(event).values(**{**row._mapping, "height": 7, "hash": "0" * 64}))


def flip_a_bit_of_a_ballot(c: Connection, s: Store) -> None:
    row = c.execute(select(obj).where(obj.c.election_uuid == s.open, obj.c.height == 3)).one()
    data = bytearray(row.content)
    data[100] ^= 1
    c.execute(update(obj).where(obj.c.election_uuid == s.open, obj.c.height == 3).values(content=bytes(data)))


def rename_an_object(c: Connection, s: Store) -> None:
    c.execute(update(obj).where(obj.c.election_uuid == s.open, obj.c.height == 3).values(hash="0" * 64))


def pull_the_head_back(c: Connection, s: Store) -> None:
    row = c.execute(select(event).where(event.c.election_uuid == s.open, event.c.height == 5)).one()
    c.execute(update(head).where(head.c.election_uuid == s.open).values(height=5, hash=row.hash))


def change_the_size(c: Connection, s: Store) -> None:
    c.execute(update(head).where(head.c.election_uuid == s.open).values(size=head.c.size - 512))


def swap_the_record_of_a_cast(c: Connection, s: Store) -> None:
    c.execute(update(cast).where(cast.c.election_uuid == s.published, cast.c.height == 3).values(head="0" * 64))


def rewrite_history(c: Connection, s: Store) -> None:
    """All hashes fit again, and no ballot is lost; but the journal, receipts and copies say otherwise."""
    acts = read(c, s.open)
    acts[1], acts[2] = acts[2], acts[1]
    write(c, s.open, acts)
    rows = c.execute(select(cast).where(cast.c.election_uuid == s.open).order_by(cast.c.height)).all()
    c.execute(delete(cast).where(cast.c.election_uuid == s.open))
    events = {row.height: row for row in c.execute(select(event).where(event.c.election_uuid == s.open)).all()}
    for row in rows:
        height = {1: 2, 2: 1}.get(row.height, row.height)
        c.execute(insert(cast).values(**{**row._mapping, "height": height, "head": events[height].hash}))


def close_behind_the_services_back(c: Connection, s: Store) -> None:
    write(c, s.open, [*read(c, s.open), ("EndBallots", [])])


def close_twice(c: Connection, s: Store) -> None:
    acts = read(c, s.published)
    place = [kind for kind, _ in acts].index("EndBallots")
    write(c, s.published, [*acts[: place + 1], *acts[place:]])


def vote_after_the_close(c: Connection, s: Store) -> None:
    acts = read(c, s.published)
    place = [kind for kind, _ in acts].index("EndBallots")
    acts[place - 1], acts[place] = acts[place], acts[place - 1]
    write(c, s.published, acts)
    hashes = {row.height: row.hash for row in c.execute(select(event).where(event.c.election_uuid == s.published))}
    c.execute(update(cast).where(cast.c.election_uuid == s.published, cast.c.height == place - 1).values(height=place, head=hashes[place]))


def change_the_close(c: Connection, s: Store) -> None:
    c.execute(update(election).where(election.c.uuid == s.open).values(closes_at=CLOSES.replace(year=2027)))


def change_the_fingerprint(c: Connection, s: Store) -> None:
    c.execute(update(election).where(election.c.uuid == s.open).values(fingerprint="A" * 43))


def allow_replacing(c: Connection, s: Store) -> None:
    c.execute(update(election).where(election.c.uuid == s.open).values(replace=True))


def reopen(c: Connection, s: Store) -> None:
    c.execute(update(election).where(election.c.uuid == s.published).values(state="open"))


def forget_the_companions(c: Connection, s: Store) -> None:
    c.execute(delete(companion).where(companion.c.election_uuid == s.published, companion.c.owner == 1))


def take_a_vote_away(c: Connection, s: Store) -> None:
    last = s.world.members(_meeting(s))[-1].handle
    c.execute(delete(electorate).where(electorate.c.election_uuid == s.open, electorate.c.handle == last))


def swap_two_members_credentials(c: Connection, s: Store) -> None:
    one, two = (member.handle for member in s.world.members(_meeting(s))[:2])
    rows = {row.handle: row.credential for row in c.execute(select(electorate).where(electorate.c.election_uuid == s.open))}
    for handle, value in ((one, "nobody"), (two, rows[one]), (one, rows[two])):
        c.execute(update(electorate).where(electorate.c.election_uuid == s.open, electorate.c.handle == handle).values(credential=value))


def slip_a_credential_in(c: Connection, s: Store) -> None:
    last = s.world.members(_meeting(s))[-1].handle
    value = "0" * 64
    c.execute(update(electorate).where(electorate.c.election_uuid == s.open, electorate.c.handle == last).values(credential=value))


def change_a_name(c: Connection, s: Store) -> None:
    c.execute(update(entry).where(entry.c.email == "member3@example.org").values(name="Somebody Else"))


def strike_a_member(c: Connection, s: Store) -> None:
    c.execute(update(entry).where(entry.c.email == "member3@example.org").values(reason="struck"))


def kill_a_link(c: Connection, s: Store) -> None:
    c.execute(update(entry).where(entry.c.email == "member7@example.org").values(generation=1))


def withdraw_a_link(c: Connection, s: Store) -> None:
    c.execute(update(entry).where(entry.c.email == "member7@example.org").values(withdrawn=True))


def forget_a_letter(c: Connection, s: Store) -> None:
    c.execute(delete(outbox).where(outbox.c.handle == s.world.members(_meeting(s))[0].handle))


def keep_a_dead_letter(c: Connection, s: Store) -> None:
    member = s.world.members(_meeting(s))[0]
    row = c.execute(select(outbox).where(outbox.c.handle == member.handle)).one()
    key = f"invitation/{s.meeting}/{member.handle}/1/0"
    c.execute(update(entry).where(entry.c.handle == member.handle).values(generation=1))
    c.execute(insert(outbox).values(**{**row._mapping, "id": "x", "key": key}))


def give_two_members_one_address(c: Connection, s: Store) -> None:
    c.execute(update(entry).where(entry.c.email == "member3@example.org").values(email_key="member4@example.org"))


def change_the_journal(c: Connection, s: Store) -> None:
    text = bytearray(c.execute(select(journal.c.content).where(journal.c.height == 1)).scalar_one())
    text[-10] ^= 1
    c.execute(update(journal).where(journal.c.height == 1).values(content=bytes(text)))


def break_the_chain_at_its_end(c: Connection, s: Store) -> None:
    """Every row agrees with every other; but the last event follows from nothing."""
    row = c.execute(select(event).where(event.c.election_uuid == s.open, event.c.height == 6)).one()
    new = Event(6, "Ballot", "0" * 64, row.payload)
    mine = (event.c.election_uuid == s.open, event.c.height == 6)
    c.execute(update(event).where(*mine).values(content=new.to_bytes(), hash=new.hash))
    c.execute(update(head).where(head.c.election_uuid == s.open).values(hash=new.hash))
    c.execute(update(cast).where(cast.c.election_uuid == s.open, cast.c.height == 6).values(head=new.hash))


def narrow_the_electorate(c: Connection, s: Store) -> None:
    config = c.execute(select(election.c.config).where(election.c.uuid == s.open)).scalar_one()
    c.execute(update(election).where(election.c.uuid == s.open).values(config={**config, "electorate": "region:North"}))


def _meeting(s: Store) -> Any:
    with s.world.database.read() as session:
        return session.get_one(lifecycle.Meeting, s.meeting)


def _cast(c: Connection, uuid: str, data: bytes, credential: str, ordinal: int, height: int) -> None:
    last = c.execute(select(event.c.hash).where(event.c.election_uuid == uuid, event.c.height == height)).scalar_one()
    c.execute(
        insert(cast).values(
            election_uuid=uuid, ballot_hash=tracker_of_hash(sha256_hex(data)), credential=credential, ordinal=ordinal, height=height,
            head=last, cast_at=NOW,
        )
    )  # fmt: skip


def read(c: Connection, uuid: str) -> list[tuple[str, list[bytes]]]:
    """The board as it is: each event's type and objects."""
    rows = c.execute(select(obj).where(obj.c.election_uuid == uuid).order_by(obj.c.height, obj.c.position)).all()
    data: dict[int, list[bytes]] = {}
    for row in rows:
        data.setdefault(row.height, []).append(row.content)
    events = c.execute(select(event.c.height, event.c.type).where(event.c.election_uuid == uuid).order_by(event.c.height)).all()
    return [(row.type, data.get(row.height, [])) for row in events]


def write(c: Connection, uuid: str, acts: list[tuple[str, list[bytes]]]) -> None:
    """A board of these events with every hash made anew, as somebody with the database and patience would."""
    for rows in (event, obj):
        c.execute(delete(rows).where(rows.c.election_uuid == uuid))
    parent, size = "", 0
    for height, (kind, parts) in enumerate(acts):
        new = Event(height, kind, parent or None, sha256_hex(parts[-1]) if parts else None)  # type: ignore[arg-type]
        for position, data in enumerate(parts):
            c.execute(insert(obj).values(election_uuid=uuid, hash=sha256_hex(data), height=height, position=position, content=data))
        c.execute(
            insert(event).values(
                election_uuid=uuid, height=height, type=kind, hash=new.hash, payload=new.payload, content=new.to_bytes()
            )
        )
        parent = new.hash
        size += sum(board.entry_size(data) for data in (*parts, new.to_bytes()))
    stamp = c.execute(select(head.c.timestamp).where(head.c.election_uuid == uuid)).scalar_one()
    size += len(board.archive.pack_header(stamp))
    c.execute(update(head).where(head.c.election_uuid == uuid).values(height=len(acts) - 1, hash=parent, size=size))


# Each with the invariants that it must be found under, at least.
DAMAGE: dict[Callable[[Connection, Store], None], set[str]] = {
    drop_the_last_ballot: {"I1", "I2"},
    drop_a_row_of_the_casts: {"I2", "I4"},
    change_when_it_was_cast: {"I2"},
    swap_two_credentials_of_casts: {"I3"},
    count_a_cast_wrongly: {"I3"},
    vote_twice: {"I3"},
    tally_one_ballot_less: {"I3"},
    change_an_event: {"I4", "I1"},
    change_the_type_column: {"I4"},
    add_an_event_beyond_the_head: {"I4"},
    flip_a_bit_of_a_ballot: {"I4", "I1"},
    rename_an_object: {"I4"},
    pull_the_head_back: {"I4"},
    change_the_size: {"I4"},
    swap_the_record_of_a_cast: {"I4", "I2"},
    rewrite_history: {"I1", "I2", "I4"},
    close_behind_the_services_back: {"I5"},
    close_twice: {"I5"},
    vote_after_the_close: {"I5", "I1"},
    change_the_close: {"I4"},
    change_the_fingerprint: {"I4"},
    allow_replacing: {"I4"},
    reopen: {"I5"},
    forget_the_companions: {"I6"},
    take_a_vote_away: {"I7"},
    swap_two_members_credentials: {"I7"},
    slip_a_credential_in: {"I7"},
    change_a_name: {"I7"},
    strike_a_member: {"I7"},
    kill_a_link: {"I7"},
    withdraw_a_link: {"I7"},
    forget_a_letter: {"I7"},
    keep_a_dead_letter: {"I7"},
    give_two_members_one_address: {"I7"},
    change_the_journal: {"I4"},
    break_the_chain_at_its_end: {"I1", "I4"},
    narrow_the_electorate: {"I7"},
}


def test_an_honest_store_holds(store: Store) -> None:
    beside = service.Beside({store.published: store.kept}, {store.published: io.BytesIO(store.early[store.published])})
    assert [] == store.audit(beside=beside)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_violated_invariant_is_found_and_named(store: Store, damage: Callable[[Connection, Store], None]) -> None:
    with store.world.database.write_connection() as connection:
        damage(connection, store)
    skip = frozenset() if "I6" in DAMAGE[damage] else frozenset({"I6"})
    found = service.audit(store.world.database, store.world.keys, History(tuple(store.receipts)), skip=skip).violations
    assert DAMAGE[damage] <= {violation.invariant for violation in found}
    for violation in found:
        assert violation.where.split(" ")[1] in {store.open, store.published, store.meeting}
        assert str(violation).startswith(f"{violation.invariant} ({violation.where}")


def test_what_is_published_is_counted_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that the site shows and the archive does not give, or that somebody downloaded and is another one now."""
    beside = service.Beside({store.published: store.kept.replace(b'"ballots":6', b'"ballots":7')})
    assert ["I8"] == store.audit(beside=beside, skip=frozenset({"I6"}))
    shown = tally.outcome(store.world.database, store.published)
    monkeypatch.setattr(tally, "outcome", lambda *_: replace(shown, file=shown.file.replace(b'"totals":[3,3]', b'"totals":[4,2]')))
    assert ["I8"] == store.audit(skip=frozenset({"I6"}))


def test_a_copy_that_is_no_beginning_is_found(store: Store) -> None:
    bent = bytearray(store.early[store.published])
    bent[-600] ^= 1
    beside = service.Beside(earlier={store.published: io.BytesIO(bytes(bent))})
    assert ["I4"] == store.audit(beside=beside, skip=frozenset({"I6"}))


def test_receipts_from_outside(store: Store) -> None:
    one = store.receipts[0]
    skip = frozenset({"I6"})
    assert ["I1"] == store.audit(History((replace(one, signature="A" * 86 + "=="),)), skip=skip)
    assert ["I1"] == store.audit(History((replace(one, election="1111111111111A"),)), skip=skip)
    heads = {store.open: (KnownHead(3, "0" * 64, "a checkpoint"),)}
    assert ["I4"] == store.audit(History(heads=heads), skip=skip)


def test_another_program_is_asked(store: Store, tmp_path: Path) -> None:
    """It sees every ballot and the whole; what it says against them is a violation."""
    tool = tmp_path / "tool"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$2" = verify-ballot ] || {{ echo "no: $2" >&2; exit 1; }}\n')
    tool.chmod(0o700)
    found = service.audit(store.world.database, store.world.keys, tool=tool).violations
    assert [("I6", "belenios-tool says: no: verify")] == [(v.invariant, v.sentence) for v in found]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert 13 == len(asked)
    tool.write_text('#!/bin/sh\n[ "$2" = verify ] || { echo "bad ballot" >&2; exit 1; }\n')
    found = service.audit(store.world.database, store.world.keys, tool=tool).violations
    assert ["belenios-tool says: the ballot at height 1: bad ballot"] * 2 == [v.sentence for v in found]


@pytest.mark.belenios_tool
def test_belenios_accepts_an_honest_store(store: Store, belenios_tool: Path) -> None:
    assert [] == store.audit(tool=belenios_tool)


# --- every check earns its place ----------------------------------------------------------------------------------


def same_ballot_twice() -> Box:
    """No table can hold this; a file can."""
    bent = honest()
    first = bent.acts[1]
    bent.acts.insert(2, Act("Ballot", [], first.payload))
    data = bent.to_bytes()
    return Box(
        society().election.uuid, "open", False, True, Head(0, "", 0), (), (), (), {}, frozenset(), None, NO_ACTS, io.BytesIO(data), None
    )


def fired(
    store: Store, history: History, bend: Callable[[Box], None] = lambda _box: None, *, verify: bool = False
) -> dict[str, set[str]]:
    """Invariant → the names of the checks that find something; the verifier's own, which takes the most time, only if asked for."""
    found: dict[str, set[str]] = {}
    with service.snapshot(store.world.database, store.world.keys) as snapshot:
        for box in snapshot.boxes:
            bend(box)
            _fire(box, history, store.world.keys, found, verify=verify)
        for assembly in snapshot.assemblies:
            for invariant, meeting_check in MEETING_CHECKS:
                if list(meeting_check(assembly)):
                    found.setdefault(invariant, set()).add(meeting_check.__name__)
    return found


def _fire(box: Box, history: History, keys: Keys, found: dict[str, set[str]], *, verify: bool = False) -> None:
    every = list(CHECKS)
    try:
        for invariant, check in every:
            CHECKS[:] = [(invariant, check)]
            if check.__name__ == "the_verifier_accepts" and not verify:
                continue
            if invariants.audit_box(box, history, key=keys.receipt_public):
                found.setdefault(invariant, set()).add(check.__name__)
    finally:
        CHECKS[:] = every


def test_no_check_is_idle(template: Store, tmp_path: Path) -> None:
    """Deleting any one check lets some damage pass under its invariant: each is the only one of its invariant to find something."""
    alone: set[str] = set()

    def note(found: dict[str, set[str]]) -> None:
        alone.update(name for names in found.values() if len(names) == 1 for name in names)

    path = tmp_path / "copy.sqlite3"
    for damage, wanted in DAMAGE.items():
        shutil.copyfile(str(template.world.database.engine.url.database), path)
        copy = replace(template, world=replace(template.world, database=Database(f"sqlite:///{path}")))
        with copy.world.database.write_connection() as connection:
            damage(connection, copy)
        note(fired(copy, History(tuple(copy.receipts)), verify="I6" in wanted))
        note(fired(copy, History(), lambda box: setattr(box, "derived", None)))
        copy.world.database.dispose()
        for left in tmp_path.glob("copy.sqlite3*"):
            left.unlink()
    history = History()
    forged = History((replace(template.receipts[0], signature="A" * 86 + "=="),))
    note(fired(template, forged))
    note(fired(template, History(heads={template.open: (KnownHead(3, "0" * 64, "a checkpoint"),)})))
    note(fired(template, history, lambda box: setattr(box, "opinion", "no")))
    note(fired(template, history, lambda box: setattr(box, "kept", b"another")))
    note(fired(template, history, lambda box: setattr(box, "earlier", io.BytesIO(b"another"))))
    two = [Member(handle, 0, withdrawn=False, address="one@example.org") for handle in "ab"]
    assembly = Assembly(template.meeting, two, 2, "", "", 0, 0, frozenset())
    assert ["I7"] == [violation.invariant for violation in invariants.audit_assembly(assembly)]
    note({"I7": {check.__name__ for _, check in MEETING_CHECKS if list(check(assembly))}})
    one: dict[str, set[str]] = {}
    _fire(same_ballot_twice(), history, template.world.keys, one)
    note({"I2": one["I2"]})
    template.world.database.dispose()
    assert {check.__name__ for _, check in (*CHECKS, *MEETING_CHECKS)} == alone


def test_a_check_that_breaks_is_no_pass(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_audit: object) -> list[object]:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(invariants, "CHECKS", [("I3", broken)])
    assert ["I3", "I3"] == store.audit(skip=frozenset({"I7"}))


# --- both databases, and the command ------------------------------------------------------------------------------


def test_a_whole_life_holds_on_both_databases(world: World) -> None:
    full = fill(world)
    assert [] == full.audit()
    with world.database.write_connection() as connection:
        flip_a_bit_of_a_ballot(connection, full)
    assert {"I1", "I4"} <= set(full.audit())
    with world.database.write_connection() as connection:
        connection.execute(update(election).where(election.c.uuid == full.open).values(name="still writable"))


def test_the_command(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    url = store.world.database.engine.url
    for name, value in {
        "BALLOT_DEVELOPMENT": "1",
        "BALLOT_KEYS": str(tmp_path / "keys"),
        "BALLOT_DATA": str(tmp_path),
        "BALLOT_DATABASE_URL": f"sqlite:///{url.database}",
    }.items():
        monkeypatch.setenv(name, value)
    assert 2 == cli.main(["audit-store"])
    assert "BALLOT_KEYS" in capsys.readouterr().err
    keys = Keys.from_seed(b"tests")
    monkeypatch.setattr(Keys, "open", lambda _folder: keys)
    (tmp_path / "keys").mkdir()
    receipts = tmp_path / "receipts.jsonl"
    receipts.write_bytes(b"".join(receipt.to_bytes() + b"\n" for receipt in store.receipts))
    (tmp_path / f"{store.published}.results.json").write_bytes(store.kept)
    (tmp_path / f"{store.published}.bel").write_bytes(store.early[store.published])
    files = ["--results", str(tmp_path / f"{store.published}.results.json"), "--earlier", str(tmp_path / f"{store.published}.bel")]
    before = Path(str(url.database)).read_bytes()
    assert 0 == cli.main(["audit-store", "--receipts", str(receipts), *files, "--jobs", "2"])
    assert "HOLDS: 2 elections, 1 rolls, 22 events, 12 ballots, 12 receipts from outside." in capsys.readouterr().out
    assert before == Path(str(url.database)).read_bytes()
    with store.world.database.write_connection() as connection:
        drop_the_last_ballot(connection, store)
    assert 1 == cli.main(["audit-store", "--receipts", str(receipts), "--skip", "I6"])
    out = capsys.readouterr().out
    assert f"VIOLATED I1 (election {store.open}, height 6): the ballot with receipt code" in out
    assert "VIOLATIONS: 2 elections" in out
    assert "not looked at: I6" in out
    assert 1 == cli.main(["audit-store", "--json", "--skip", "I6", "--election", store.open, "--receipts", str(receipts)])
    found = json.loads(capsys.readouterr().out)
    assert (False, 1, ["I6"]) == (found["holds"], found["elections"], found["skipped"])
    assert {"I1", "I2", "I4"} == {violation["invariant"] for violation in found["violations"]}
    assert 2 == cli.main(["audit-store", "--receipts", str(tmp_path / "none")])
    receipts.write_text("{}\n")
    assert 2 == cli.main(["audit-store", "--receipts", str(receipts)])
    assert 2 == cli.main(["audit-store", "--election", "1111111111111A"])
    monkeypatch.setenv("BALLOT_DATABASE_URL", f"sqlite:///{tmp_path / 'none.sqlite3'}")
    assert 2 == cli.main(["audit-store"])
    assert not (tmp_path / "none.sqlite3").exists()
