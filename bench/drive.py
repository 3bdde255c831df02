"""The clients of the cast benchmark: `python -m bench.drive PORT ELECTION FILE CLIENTS`.

Each client keeps one connection and sends one ballot after another, as fast as it is answered. Bounded by the file.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue


def main() -> None:
    """Send everything, and print what was accepted."""
    port, uuid, file, clients = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    bodies: SimpleQueue[bytes] = SimpleQueue()
    for line in file.read_bytes().splitlines():
        bodies.put(line)
    headers = {"Content-Type": "application/json", "X-Ballot": "1", "Origin": f"http://127.0.0.1:{port}"}
    times: list[float] = []
    refused: list[str] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            try:
                body = bodies.get_nowait()
            except Empty:
                break
            begin = time.perf_counter()
            connection.request("POST", f"/vote/{uuid}/cast", body, headers)
            response = connection.getresponse()
            answer = response.read()
            times.append(time.perf_counter() - begin)
            if response.status != 200:
                refused.append(f"{response.status} {answer[:200]!r}")
        connection.close()

    begin = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begin
    if refused:
        sys.exit(f"{len(refused)} refused, the first: {refused[0]}")
    times.sort()
    print(
        f"{len(times) / took:.0f} casts/s (middle {times[len(times) // 2] * 1000:.0f} ms, "
        f"19 of 20 within {times[len(times) * 95 // 100] * 1000:.0f} ms; {clients} clients)"
    )


if __name__ == "__main__":
    main()
