"""Backups: what is in them, who can open them, what a restore brings back and what it must not."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel, select

from ballot import sealed
from ballot.cli import main
from ballot.errors import BackupError, ConfigurationError, NotFoundError, UnusableInputError, VerificationError
from ballot.models import Approval, ElectionState, LoginLink, Officer, OfficerSession, Outbox, RollEntry
from ballot.services import approvals, backup, board, journal, lifecycle, mailings, officers, registrar, replay, roll, sweep, tally
from ballot.services.approvals import Need
from ballot.services.clock import FixedClock
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Mailer
from tests.services.world import CLOSES, MOTION, NOW, OFFICER, SECRETARY, World
from tests.support.drill import restore_drill

WORDS = backup.Passphrase("four unrelated words here")


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SCRYPT_N", 2)


@pytest.fixture
def new_database(tmp_path: Path) -> Callable[[], Database]:
    numbers = iter(range(100))
    return lambda: Database(f"sqlite:///{tmp_path}/new{next(numbers)}/ballot.sqlite3")


@pytest.fixture
def full(world: World) -> tuple[World, str, str]:
    """An open election with five ballots, an officer signed in, mails that wait; the meeting's and the election's identifiers."""
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    for entry in world.members(meeting)[:5]:
        world.cast(uuid, entry, ((0, 1, 0),))
    with world.database.write() as session:
        mailings.send_at_once(session, world.config, world.keys, Mailer(world.config, world.keys), meeting.id, OFFICER, world.now)
        officer = officers.add_officer(session, name="Ruth", email="ruth@example.org", roles=["returning-officer"], now=world.now)
        officers.enrolment_secret(session, world.keys, officer)
        made = officers.make_login_link(session, email=officer.email, now=world.now, pause=0)
        assert made is not None
        officers.use_login_link(session, secret=made[1], now=world.now)
        officers.make_login_link(session, email=officer.email, now=world.now + timedelta(minutes=1), pause=0)
        approvals.ask(session, meeting.id, Need.CLOSE_EARLY, uuid, "why", OFFICER, world.now)
    return world, meeting.id, uuid


def bel(database: Database, uuid: str) -> bytes:
    return b"".join(board.stream_archive(database, uuid)[1])


def members_of(world: World, meeting: str) -> list[RollEntry]:
    with world.database.read() as session:
        return sorted(roll.members(session, meeting), key=lambda entry: entry.email)


def rows(database: Database, name: str) -> list[dict[str, object]]:
    table = SQLModel.metadata.tables[name]
    with database.read_connection() as connection:
        return [dict(row._mapping) for row in connection.execute(table.select().order_by(*table.primary_key))]


def test_everything_comes_back_but_what_must_not(
    full: tuple[World, str, str], new_database: Callable[[], Database], tmp_path: Path
) -> None:
    world, _, uuid = full
    counts = backup.back_up(world.database, world.keys, tmp_path / "b", WORDS, world.now)
    assert 5 == counts["cast"]
    assert 0o600 == stat.S_IMODE((tmp_path / "b").stat().st_mode)
    restored = new_database()
    head, _ = backup.restore(restored, world.keys, tmp_path / "b", WORDS)
    assert world.now.replace(microsecond=0) == head.made
    assert bel(world.database, uuid) == bel(restored, uuid)
    board.check_storage(restored, uuid)
    changed = {"officer_session", "login_link", "approval", "outbox", "rate_limit", "mail_sender", "mailing", "job", "roll_upload"}
    for name in SQLModel.metadata.tables.keys() - changed:
        assert rows(world.database, name) == rows(restored, name), name
    with restored.read() as session:
        assert [] == session.exec(select(OfficerSession)).all()
        assert [] == session.exec(select(LoginLink)).all()
        assert [] == [one for one in session.exec(select(Approval)).all() if one.used_at is None]
        mails = session.exec(select(Outbox)).all()
    assert {"unknown"} == {mail.state for mail in mails}
    assert rows(world.database, "outbox")
    world.database.dispose()
    world.database = restored
    assert 6 == world.cast(uuid, members_of(world, full[1])[5], ((0, 1, 0),)).height
    restored.dispose()


def test_one_database_reads_the_others_backup(
    full: tuple[World, str, str], request: pytest.FixtureRequest, new_database: Callable[[], Database], tmp_path: Path
) -> None:
    world, _, uuid = full
    other = Database(request.getfixturevalue("postgresql_url")) if world.database.is_sqlite else new_database()
    backup.back_up(world.database, world.keys, tmp_path / "b", WORDS, world.now)
    backup.restore(other, world.keys, tmp_path / "b", WORDS)
    assert bel(world.database, uuid) == bel(other, uuid)
    assert rows(world.database, "roll_entry") == rows(other, "roll_entry")
    assert rows(world.database, "election") == rows(other, "election")
    other.dispose()


@pytest.fixture
def small(tmp_path: Path) -> tuple[Database, Keys, Path]:
    """A backup of an installation with next to nothing in it."""
    database, keys = Database(f"sqlite:///{tmp_path}/b.sqlite3"), Keys.from_seed(b"tests")
    database.migrate()
    with database.write() as session:
        officers.add_officer(session, name="Ruth", email="ruth@example.org", roles=["observer"], now=NOW)
    backup.back_up(database, keys, tmp_path / "backup", WORDS, NOW)
    return database, keys, tmp_path / "backup"


def test_a_backup_opens_with_its_own_passphrase_only_and_not_when_changed(small: tuple[Database, Keys, Path], tmp_path: Path) -> None:
    _, _, path = small
    assert 1 == backup.check(path, WORDS)[1]["officer"]
    with pytest.raises(BackupError, match="does not open"):
        backup.check(path, backup.Passphrase("some other words of it"))
    data = path.read_bytes()
    assert b"ruth" not in data.lower()
    head = data.index(b"\n") + 1
    for changed in (data[:-1], data[:head], data[: head + 40], data + b"x", data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]):
        (tmp_path / "changed").write_bytes(changed)
        with pytest.raises(BackupError):
            backup.check(tmp_path / "changed", WORDS)
    (tmp_path / "changed").write_bytes(data.replace(b'"version":"', b'"version":"9', 1))
    with pytest.raises(BackupError):
        backup.check(tmp_path / "changed", WORDS)


def test_a_long_backup_has_many_pieces_in_one_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backup, "PIECE", 64)
    about, key = WORDS.lock()
    lines = [json.dumps({"file": f"f{i}", "text": "x" * (i % 90)}).encode() for i in range(200)]
    out = io.BytesIO()
    backup._seal_stream(out, backup.Head("keys", NOW, "1", "", "", about), key, [*lines, b'{"end":200}'])
    path = tmp_path / "b"
    path.write_bytes(out.getvalue())
    assert {"keys": 200} == backup.check(path, WORDS)[1]
    head = out.getvalue().index(b"\n") + 1
    first, second, rest = out.getvalue()[head : head + 80], out.getvalue()[head + 80 : head + 160], out.getvalue()[head + 160 :]
    for pieces in (second + first + rest, first + rest, first + first + second + rest, first + second):
        path.write_bytes(out.getvalue()[:head] + pieces)
        with pytest.raises(BackupError, match="changed or cut short"):
            backup.check(path, WORDS)


def test_a_public_key_makes_backups_that_only_the_private_key_opens(small: tuple[Database, Keys, Path], tmp_path: Path) -> None:
    database, keys, _ = small
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    private, other = (backup.PrivateKey(X25519PrivateKey.generate()) for _ in range(2))
    backup.back_up(database, keys, tmp_path / "b", backup.PublicKey.parse(private.public_line), NOW)
    assert 1 == backup.check(tmp_path / "b", private)[1]["officer"]
    with pytest.raises(UnusableInputError, match="another private key"):
        backup.check(tmp_path / "b", other)
    with pytest.raises(UnusableInputError, match="--key"):
        backup.check(tmp_path / "b", WORDS)
    for line in ("", "ballot-backup-key:", "ballot-backup-key:AAAA", private.public_line[:-6], "x" + private.public_line):
        with pytest.raises(UnusableInputError, match="no public key"):
            backup.PublicKey.parse(line)


def test_nothing_that_exists_is_overwritten(small: tuple[Database, Keys, Path], new_database: Callable[[], Database]) -> None:
    database, keys, path = small
    with pytest.raises(UnusableInputError, match="exists already"):
        backup.back_up(database, keys, path, WORDS, NOW)
    with pytest.raises(UnusableInputError, match="not empty"):
        backup.restore(database, keys, path, WORDS)
    with pytest.raises(ConfigurationError, match="restore the backup of the keys first"):
        backup.restore(new_database(), Keys.from_seed(b"others"), path, WORDS)
    prepared = new_database()
    prepared.migrate()  # `ballot init` has run: tables without a row
    backup.restore(prepared, keys, path, WORDS)
    assert "Ruth" == rows(prepared, "officer")[0]["name"]
    for one in (database, prepared):
        one.dispose()


def test_a_backup_cut_while_it_is_restored_leaves_nothing(
    small: tuple[Database, Keys, Path], new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, keys, path = small
    empty = new_database()

    def broken(*_: object) -> None:
        raise BackupError("the disk went away")

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_go_on_counting", broken)
        with pytest.raises(BackupError):
            backup.restore(empty, keys, path, WORDS)
    with empty.read() as session:
        assert [] == session.exec(select(Officer)).all()
    backup.restore(empty, keys, path, WORDS)
    assert 1 == len(rows(empty, "officer"))
    empty.dispose()


def test_a_backup_of_a_newer_version_is_refused_in_words(
    small: tuple[Database, Keys, Path], new_database: Callable[[], Database], tmp_path: Path
) -> None:
    database, keys, _ = small
    with database.write_connection() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    backup.back_up(database, keys, tmp_path / "newer", WORDS, NOW)
    with pytest.raises(UnusableInputError, match="newer version"):
        backup.restore(new_database(), keys, tmp_path / "newer", WORDS)
    (tmp_path / "no").write_bytes(b"something else\n")
    with pytest.raises(Exception, match="no backup"):
        backup.check(tmp_path / "no", WORDS)


def test_keys_come_back_private_and_never_over_others(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path / "keys")
    keys.practice.put("abcDEF123456", "secret")
    assert 6 == backup.back_up_keys(keys, tmp_path / "keys", tmp_path / "b", WORDS, NOW)
    assert 6 == backup.restore_keys(tmp_path / "b", WORDS, tmp_path / "again")
    again = Keys.open(tmp_path / "again")
    assert (keys.token, keys.registrar, keys.receipt_public_bytes) == (again.token, again.registrar, again.receipt_public_bytes)
    assert "secret" == again.practice.get("abcDEF123456")
    assert {0o600, 0o700} == {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "again").rglob("*")}
    with pytest.raises(ConfigurationError, match="left as they are"):
        backup.restore_keys(tmp_path / "b", WORDS, tmp_path / "again")


# --- what was published since --------------------------------------------------------------------------------------


def restored_with(world: World, path: Path, database: Database) -> Database:
    backup.restore(database, world.keys, path, WORDS)
    return database


def test_the_archive_brings_later_ballots_and_the_close_back(
    full: tuple[World, str, str], new_database: Callable[[], Database], tmp_path: Path
) -> None:
    world, meeting, uuid = full
    members = members_of(world, meeting)
    backup.back_up(world.database, world.keys, tmp_path / "b", WORDS, world.now)
    world.cast(uuid, members[5], ((0, 1, 0),))
    world.cast(uuid, members[6], ((0, 0, 1),))
    world.close(uuid)
    tally.begin(world.database, uuid, OFFICER, world.now)
    tally.accept_decryption(world.database, uuid, 1, *world.share(uuid, 1), world.now)
    published, source = bel(world.database, uuid), world.database
    with source.read() as session:
        companion, record = board.companion_bytes(session, uuid), journal.text(session, meeting)
    restored = restored_with(world, tmp_path / "b", new_database())
    with pytest.raises(VerificationError, match="companion proofs"):
        replay.replay_archive(restored_with(world, tmp_path / "b", new_database()), io.BytesIO(published), NOW, world.now)
    done = replay.replay_archive(restored, io.BytesIO(published), NOW, world.now, companion=companion)
    assert (2, 5) == (done.ballots, done.events)
    assert published == bel(restored, uuid)
    again = replay.replay_archive(restored, io.BytesIO(published), NOW, world.now, companion=companion)
    assert (0, 0) == (again.ballots, again.events)
    acts = replay.replay_journal(restored, record)
    assert 1 == acts.acts["voting closed"]
    assert 0 == acts.new_links
    with restored.read() as session:
        assert ElectionState.TALLYING is lifecycle.election_of(session, uuid).state
    world.database = restored
    tally.accept_decryption(restored, uuid, 3, *world.share(uuid, 3), world.now)
    assert ["AGM 2026"] == replay.record_restore(restored, NOW, world.now, [done])
    world.publish(uuid)
    with restored.read() as session:
        told = [entry.details for entry in journal.entries(session, meeting) if entry.act == journal.Act.RESTORED]
    assert [2] == [details["ballots replayed from the published archives"] for details in told]
    assert [] == replay.record_restore(restored, NOW, world.now, [])  # what is over needs no notice
    restored.dispose()


def test_an_archive_of_another_chain_is_not_replayed(
    full: tuple[World, str, str], new_database: Callable[[], Database], tmp_path: Path
) -> None:
    world, meeting, uuid = full
    members = members_of(world, meeting)
    backup.back_up(world.database, world.keys, tmp_path / "b", WORDS, world.now)
    world.cast(uuid, members[5], ((0, 1, 0),))
    published = bel(world.database, uuid)
    restored = restored_with(world, tmp_path / "b", new_database())
    source, world.database = world.database, restored
    world.cast(uuid, members[6], ((0, 1, 0),))  # voting had gone on before the archive was at hand
    with pytest.raises(VerificationError, match="two different chains"):
        replay.replay_archive(restored, io.BytesIO(published), NOW, world.now)
    broken = bytearray(published)
    broken[-600] ^= 1
    with pytest.raises(Exception, match=r".") as caught:
        replay.replay_archive(restored, io.BytesIO(bytes(broken)), NOW, world.now)
    assert isinstance(caught.value, VerificationError)
    empty = new_database()
    empty.migrate()
    with pytest.raises(NotFoundError):
        replay.replay_archive(empty, io.BytesIO(published), NOW, world.now)
    with source.read() as session:
        record = journal.text(session, meeting)
    with pytest.raises(NotFoundError):
        replay.replay_journal(empty, record)
    for one in (restored, empty):
        one.dispose()


def test_links_replaced_after_the_backup_stay_dead(
    full: tuple[World, str, str], new_database: Callable[[], Database], tmp_path: Path
) -> None:
    world, meeting, _ = full
    backup.back_up(world.database, world.keys, tmp_path / "b", WORDS, world.now)
    members = members_of(world, meeting)
    with world.database.write() as session:
        registrar.reissue(
            session, members[6].handle, cause=registrar.Cause.MEMBER_ASKED, email=None, actor=SECRETARY, approval=None, now=world.now
        )
    with world.database.read() as session:
        record = journal.text(session, meeting)
    restored = restored_with(world, tmp_path / "b", new_database())
    back = replay.replay_journal(restored, record)
    assert ({"a link reissued": 1}, 3) == (back.acts, back.new_links)
    with restored.read() as session:
        after = {entry.handle: entry for entry in roll.members(session, meeting)}
    assert [0] * 5 + [1] * 3 == [after[entry.handle].generation for entry in members]
    assert [True] * 5 + [False] * 3 == [after[entry.handle].typed_code for entry in members]
    restored.dispose()


def test_a_later_close_announced_after_the_backup_holds(
    full: tuple[World, str, str], new_database: Callable[[], Database], tmp_path: Path
) -> None:
    """Found by the sweep: the journal came back, and the box would have closed at the old hour."""
    world, meeting, uuid = full
    backup.back_up(world.database, world.keys, tmp_path / "b", WORDS, world.now)
    later = CLOSES + timedelta(hours=5)
    with world.database.write() as session:
        lifecycle.postpone_close(session, uuid, later, "the mail was slow", OFFICER, world.now)
    with world.database.read() as session:
        record = journal.text(session, meeting)
    restored = restored_with(world, tmp_path / "b", new_database())
    replay.replay_journal(restored, record)
    with restored.read() as session:
        assert later == lifecycle.election_of(session, uuid).closes_at
    sweep.sweep(restored, uuid)
    restored.dispose()


# --- commands and the drill ----------------------------------------------------------------------------------------


def test_the_commands_make_check_and_rotate_backups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"DEVELOPMENT": "1", "DATA": str(tmp_path / "data"), "KEYS": str(tmp_path / "keys")}.items():
        monkeypatch.setenv(f"BALLOT_{name}", value)
    words = tmp_path / "words"
    words.write_text("four unrelated words here\n")
    assert 0 == main(["backup", str(tmp_path / "mine.key"), "--make-key", "--passphrase-file", str(words)])
    public = capsys.readouterr().out.strip().splitlines()[-1]
    assert 2 == main(["backup", str(tmp_path / "nothing"), "--to", public])
    assert "ballot init" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()
    assert 0 == main(["init"])
    (tmp_path / "out").mkdir()
    moments = [NOW + timedelta(days=day) for day in range(3)]
    monkeypatch.setattr("ballot.cli_backup.SystemClock", lambda: FixedClock(moments.pop(0)))
    for _ in range(3):
        assert 0 == main(["backup", str(tmp_path / "out" / "site-%Y%m%d.backup"), "--to", public, "--keep", "2"])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert ["site-20260303.backup", "site-20260303.backup.sha256", "site-20260304.backup", "site-20260304.backup.sha256"] == names
    assert 0 == main(
        ["restore", "--check", str(tmp_path / "out" / names[0]), "--key", str(tmp_path / "mine.key"), "--passphrase-file", str(words)]
    )
    assert "opens to its end" in capsys.readouterr().out
    assert "database" in json.loads((tmp_path / "data" / "backups.json").read_text())
    assert 2 == main(["restore"])
    assert 2 == main(["restore", "--check", "--archive", "x"])


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_the_restore_drill(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """R12: a backup under load, a new host, lost receipts 0, no spent or replaced link revives."""
    if kind == "sqlite":
        old, new = (f"sqlite:///{tmp_path}/{name}.sqlite3" for name in ("before", "after"))
    else:
        server = request.getfixturevalue("postgresql_server")
        old, new = server.new_database(), server.new_database()
    found = restore_drill(tmp_path, old, new)
    assert found.holds, found
    assert (17, 7) == (found.acknowledged, found.voted_afterwards)
    assert 0 < found.replayed < found.acknowledged
