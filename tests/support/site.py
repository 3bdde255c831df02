"""The site as it is run for real: gunicorn with two workers on a free loopback port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.support.need import ROOT
from tests.support.ports import free_port, wait_until_listening


class Site:
    """A running site. `url` is both where it listens and the public URL in its links."""

    def __init__(self, folder: Path, *, workers: int = 2, **settings: str) -> None:
        self.folder, self.workers = folder, workers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "gunicorn.log"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")}
        self.environ |= {
            "BALLOT_DEVELOPMENT": "1",
            "BALLOT_PUBLIC_URL": self.url,
            "BALLOT_KEYS": str(folder / "keys"),
            "BALLOT_DATA": str(folder / "data"),
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """The site answers when this returns."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "--workers",
                    str(self.workers),
                    "--worker-class",
                    "gthread",
                    "--threads",
                    "4",
                    "--bind",
                    f"127.0.0.1:{self.port}",
                    "wsgi:app",
                ],
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if not wait_until_listening(self.port, self.process) or not self._is_ours():
            raise RuntimeError(f"the site did not start: {self.log.read_text(errors='replace')[-4000:]}")
        try:
            urllib.request.urlopen(self.url, timeout=60).close()
        except urllib.error.HTTPError as error:
            error.close()  # any answer will do: a worker is up
        return self

    def _is_ours(self) -> bool:
        """True once gunicorn says that it is the one who listens there; another program's server would answer too."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            if f"Listening at: http://127.0.0.1:{self.port}".encode() in self.log.read_bytes():
                return True
            time.sleep(0.05)
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """SIGTERM lets requests finish; SIGKILL does not."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
