"""A PostgreSQL server of the tests' own: a fresh cluster on a free loopback port, run by an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from tests.support.need import program
from tests.support.ports import free_port, wait_until_listening

FOLDERS = ("/usr/lib/postgresql/*/bin",)  # Debian keeps the server's programs off the PATH


class PostgreSQL:
    """One running server. `new_database()` gives the URL of an empty database."""

    def __init__(self) -> None:
        bindir = program("postgres", package="postgresql", folders=FOLDERS).resolve().parent
        self.initdb, self.postgres = bindir / "initdb", bindir / "postgres"
        self.account = self._account()
        self.folder = Path(tempfile.mkdtemp(prefix="ballot-postgresql-"))
        if self.account:
            shutil.chown(self.folder, self.account, pwd.getpwnam(self.account).pw_gid)
        self.data, self.log = self.folder / "data", self.folder / "log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._run(str(self.initdb), "-D", str(self.data), "-U", "ballot", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    @staticmethod
    def _account() -> str | None:
        """The server refuses to run as root, so root lends it an unprivileged account."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                pwd.getpwnam(name)
            except KeyError:
                continue
            return name
        return None

    def _as_account(self) -> dict[str, object]:
        if self.account is None:
            return {"cwd": self.folder}
        return {"user": self.account, "group": pwd.getpwnam(self.account).pw_gid, "extra_groups": [], "cwd": self.folder}

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_account())  # type: ignore[call-overload]
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """The server accepts connections when this returns."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # type: ignore[call-overload]
                [
                    str(self.postgres),
                    "-D",
                    str(self.data),
                    "-p",
                    str(self.port),
                    "-k",
                    str(self.folder),
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "max_connections=60",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as_account(),
            )
        if not wait_until_listening(self.port, self.process) or not self._ready():
            raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def _ready(self) -> bool:
        """True once it lets somebody in: it listens while it still recovers from a crash."""
        import psycopg

        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                psycopg.connect(host="127.0.0.1", port=self.port, user="ballot", dbname="postgres").close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is PostgreSQL's fast shutdown, SIGQUIT its crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.process = None

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """SQLAlchemy's address of one database here."""
        return f"postgresql+psycopg://ballot@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = f"ballot_{uuid.uuid4().hex}"
        with psycopg.connect(host="127.0.0.1", port=self.port, user="ballot", dbname="postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database together with whoever is still connected to it."""
        import psycopg

        name = url.rsplit("/", 1)[1]
        with psycopg.connect(host="127.0.0.1", port=self.port, user="ballot", dbname="postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
