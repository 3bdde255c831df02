"""R5: the power fails at any flush: what was acknowledged before is there afterwards."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ballot.errors import BallotError, ConfigurationError
from ballot.invariants import History
from ballot.protocol.receipts import Receipt
from ballot.services import audit as service
from ballot.services.database import Database
from tests.faults.disk import PowerCut, Record, environment, mark, read_log, shim
from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Poll, open_poll
from tests.support.postgresql import PostgreSQL

BALLOTS = 24


def run(rounds: int, here: Place) -> Found:
    """`rounds` places of the log, each flush among them if that many are asked for; right before it counts and right after."""
    found, luck = Found(), random.Random(here.seed)
    folder = Path(tempfile.mkdtemp(prefix="ballot-power-"))
    folder.chmod(0o777)
    here.stack.callback(shutil.rmtree, folder, ignore_errors=True)
    log = folder / "log"
    settings = {"LD_PRELOAD": str(shim(folder)), "DISK_LOG": str(log)}
    server: PostgreSQL | None = None
    if here.kind == "sqlite":
        database = folder / "disk" / "site.sqlite3"
        database.parent.mkdir()
        poll = open_poll(here, BALLOTS, url=f"sqlite:///{database}")
        root = database.parent
        poll.site.stop()
        poll.hall.database.overwrite_deleted()
        poll.hall.database.dispose()
        poll.site.environ |= settings | {"DISK_ROOT": str(root)}
        base = _files(root)
        poll.site.start()
    else:
        server = here.own_server()
        poll = open_poll(here, BALLOTS, url=server.new_database())
        root = server.data
        poll.site.stop()
        poll.hall.database.dispose()
        server.stop()
        base = _files(root)
        with environment(**settings, DISK_ROOT=str(root)):
            server.start()
        poll.site.start()
    for number, job in enumerate(poll.jobs):
        answer = poll.cast(job)
        found.expect(answer is not None and answer.status == 200, f"member {job.member} got no receipt")
        mark(log, poll.receipts[-1].to_bytes())
        if number == BALLOTS // 2:
            _checkpoint(poll)
    poll.site.stop()
    poll.hall.database.dispose()
    if server is not None:
        server.stop(signal.SIGQUIT)
    records = read_log(log)
    flushes = [number for number, record in enumerate(records) if record.kind == "S"]
    found.figures["flushes"] = len(flushes)
    found.expect(len(flushes) >= BALLOTS, f"only {len(flushes)} flushes for {BALLOTS} receipts")
    cuts = sorted({cut for number in flushes for cut in (number, number + 1)})
    chosen = sorted(luck.sample(cuts, rounds)) if rounds < len(cuts) else cuts
    _cuts(found, here, poll, root, base, records, chosen, luck, server)
    if here.kind == "sqlite":
        _teeth(found, here, poll, root, base, records, luck)
    return found


def _checkpoint(poll: Poll) -> None:
    """What was in the log of changes goes to its place, as it does by itself now and then."""
    if poll.hall.database.is_sqlite:  # by a process whose writes are recorded too
        act = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()"
        path = str(poll.hall.database.engine.url.database)
        subprocess.run([sys.executable, "-c", act, path], env=poll.site.environ, check=True)
    else:
        with poll.hall.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("CHECKPOINT")
    poll.hall.database.dispose()


def _files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.name.endswith("-shm")}


def _cuts(
    found: Found,
    here: Place,
    poll: Poll,
    root: Path,
    base: dict[str, bytes],
    records: list[Record],
    chosen: list[int],
    luck: random.Random,
    server: PostgreSQL | None,
) -> None:
    power, shown = PowerCut(base), list[Receipt]()
    wanted = set(chosen)
    for number, record in enumerate([*records, Record("M", 0, "-", data=b"")]):
        if number in wanted:
            violations = _after(here, poll, root, power.found(luck), shown, server)
            found.violations += [f"cut at record {number}, {len(shown)} receipts shown: {sentence}" for sentence in violations]
            found.rounds += 1
        if record.kind == "M" and record.data:
            shown.append(Receipt.parse(record.data))
        power.go_on(record)


def _teeth(found: Found, here: Place, poll: Poll, root: Path, base: dict[str, bytes], records: list[Record], luck: random.Random) -> None:
    """The same log on a disk that ignores flushes does lose receipts: the test would see it."""
    power, shown = PowerCut(base, flushes=False), [Receipt.parse(record.data) for record in records if record.kind == "M"]
    for record in records:
        power.go_on(record)
    lost = any(_after(here, poll, root, power.found(luck), shown, None) for _ in range(3))
    found.expect(lost, "a disk that ignores flushes lost nothing: the simulation shows nothing")


def _after(here: Place, poll: Poll, root: Path, disk: dict[str, bytes], shown: list[Receipt], server: PostgreSQL | None) -> list[str]:
    """What the checker says of one disk after the power is back."""
    if server is None:
        folder = here.sub("after")
        for name, data in disk.items():
            (folder / Path(name).name).write_bytes(data)
        url = f"sqlite:///{folder / 'site.sqlite3'}"
        try:
            return _audit(url, poll, shown)
        finally:
            shutil.rmtree(folder)
    kept = root.with_name("kept")
    root.rename(kept)
    try:
        _write(root, kept, disk, server)
        try:
            server.start()
            return _audit(poll.site.environ["BALLOT_DATABASE_URL"], poll, shown)
        except RuntimeError as error:
            return [f"PostgreSQL does not start: {str(error)[-300:]}"]
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(root)
        kept.rename(root)


def _write(root: Path, kept: Path, disk: dict[str, bytes], server: PostgreSQL) -> None:
    shutil.copytree(kept, root, ignore=lambda folder, names: [name for name in names if (Path(folder) / name).is_file()])
    for name, data in disk.items():
        if Path(name).name != "postmaster.pid":
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(data)
    root.chmod(0o700)
    if server.account:
        for path in (root, *root.rglob("*")):
            shutil.chown(path, server.account)


def _audit(url: str, poll: Poll, shown: list[Receipt]) -> list[str]:
    database = Database(url)
    try:
        found = service.audit(database, poll.hall.keys, History(tuple(shown)), skip=frozenset({"I6"}))
        return [str(violation) for violation in found.violations]
    except BallotError as error:
        return [f"the store cannot be read: {error}"]
    finally:
        database.dispose()


FAULT = Fault(
    "R5",
    "the power fails at each flush; unflushed writes are there, missing or torn",
    "I1 (and all others)",
    1000,
    6,
    run,
)


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_power_cut(here: Place) -> None:
    FAULT.check(here)


@pytest.mark.slow
@pytest.mark.postgresql
def test_what_postgresql_acknowledged_survives_a_power_cut(both: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    if both.kind == "sqlite":
        return
    monkeypatch.setenv("BALLOT_FAULT_ROUNDS", "2")
    FAULT.check(both)


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_a_database_that_does_not_flush_stops_the_start(setting: str, postgresql_server: PostgreSQL) -> None:
    """`fsync` itself can only be set at the server's start; a session's own setting is read in the same way."""
    if setting == "synchronous_commit":
        url = postgresql_server.new_database()
        name = url.rsplit("/", 1)[1]
        database = Database(url)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        database.dispose()
        with pytest.raises(ConfigurationError, match="synchronous_commit=off"):
            database.check_durable()
        database.dispose()
        postgresql_server.drop_database(url)
        return
    server = PostgreSQL()
    try:
        with (server.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"{setting} = off\n")
        server.start()
        database = Database(server.new_database())
        with pytest.raises(ConfigurationError, match=f"{setting}=off"):
            database.migrate()
        database.dispose()
    finally:
        server.close()
