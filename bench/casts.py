"""Casts per second accepted by the running service: two gunicorn workers, honest ballots sealed beforehand, clients beside it."""

from __future__ import annotations

from pathlib import Path

from bench.load import Bench
from bench.site import a_database, opened

CLIENTS = 16
WARM = 50


def casts(kind: str, folder: Path, *, voters: int) -> str:
    """Casts per second, with the slowest and the middle answer, on `sqlite` or `postgresql` with Debian's settings."""
    with a_database(kind, folder) as found:
        if found is None:
            return "PostgreSQL is not installed"
        site = opened(folder / "site", found[0], voters=voters + WARM)
        with site.served() as pid:
            bench = Bench(site, pid, found[1])
            bench.run("warm", bench.take(WARM), clients=CLIENTS)
            phase = bench.run("most", bench.take(voters), clients=CLIENTS)
    if len(phase.accepted) < voters:
        raise RuntimeError(f"{voters - len(phase.accepted)} refused, the first: {next(a for a in phase.answers if a['status'] != 200)}")
    return (
        f"{voters / phase.took:.0f} casts/s (middle {1000 * phase.percentile(0.5):.0f} ms, "
        f"19 of 20 within {1000 * phase.percentile(0.95):.0f} ms; {CLIENTS} clients)"
    )
