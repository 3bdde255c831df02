"""R12: restored from a backup that was taken under load, on a new host. The short version is `test_the_restore_drill`."""

from __future__ import annotations

from ballot.services import audit as service
from ballot.services.database import Database
from ballot.services.keys import Keys
from tests.faults.fault import Fault, Found, Place
from tests.support.drill import restore_drill


def run(rounds: int, here: Place) -> Found:
    found = Found()
    for number in range(rounds):
        folder = here.sub(f"drill{number}")
        new = here.url(f"after{number}")
        drill = restore_drill(folder, here.url(f"before{number}"), new)
        for what in ("lost", "revived", "moved", "forks"):
            found.violations += [f"round {number}: {what}: {one}" for one in getattr(drill, what)]
        found.expect(0 < drill.replayed < drill.acknowledged, f"round {number}: {drill.replayed} of {drill.acknowledged} were replayed")
        found.add("acknowledged", drill.acknowledged)
        found.add("replayed", drill.replayed)
        database = Database(new)
        keys = next((path.parent for path in folder.rglob("receipt") if path.is_file()), None)
        result = service.audit(database, None if keys is None else Keys.open(keys))
        found.violations += [f"round {number}: {violation}" for violation in result.violations]
        database.dispose()
        found.rounds += 1
    return found


FAULT = Fault(
    "R12",
    "restored on a new host from a backup that was taken under load",
    "lost receipts 0; no spent link revives",
    20,
    1,
    run,
)


def test_the_drill_is_this_faults_short_version() -> None:
    from tests.services import test_backup

    assert restore_drill is test_backup.restore_drill
