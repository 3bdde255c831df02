"""Free ports on loopback, and waiting for a server to listen there."""

from __future__ import annotations

import random
import socket
import subprocess
import time

# Below the ports that the system gives to outgoing connections: none of those can take one between the look and the use,
# and a connection to a port where nothing listens yet cannot meet itself.
LOWEST, HIGHEST = 15000, 32000


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listened on a moment ago."""
    luck = random.SystemRandom()
    while True:
        port = luck.randint(LOWEST, HIGHEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until_listening(port: int, process: subprocess.Popen[bytes], *, seconds: float = 30) -> bool:
    """True once something accepts connections on this port; False if the process ended or the time ran out first."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process.poll() is None
        time.sleep(0.05)
    return False
