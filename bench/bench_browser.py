"""Count day and a whole verification in Chromium: `python -m bench.bench_browser`. 1,000 ballots that rank 10 choices.

The bundles are those that the site serves, in workers as on its pages; the archives come from a server on this machine.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from ballot.keyholder import KeyFile
from ballot.protocol.archive import Entry, pack_event, pack_header, pack_object, read_archive
from ballot.protocol.messages import Event, QuestionNH
from ballot.simulate import Plan, simulate
from ballot.web import build
from tests.support.chromium import DESK, browser

VOTERS: Final = 1000
CHOICES: Final = 10
PASSPHRASE: Final = "a passphrase of the bench"  # noqa: S105 - of a key that is made here and thrown away
TIMESTAMP: Final = 1_750_000_000
LIMITS: Final = {"shuffle": 120, "decrypt": 30}  # seconds that are wanted at most

# One worker's acts, one after the other; the answer is the milliseconds of each, and what the last one gave.
HOLDER: Final = """
const [archive, file, passphrase, uuid, purpose, done] = arguments;
const worker = new Worker("dist/keyholder-worker.js");
const ask = (act, request = {}) => new Promise((resolve, reject) => {
  const id = Math.random();
  worker.addEventListener("message", function hear({ data }) {
    if (data.id !== id || data.progress) return;
    worker.removeEventListener("message", hear);
    if (data.error) reject(new Error(data.error.message)); else resolve(data.value);
  });
  worker.postMessage({ id, act, ...request });
});
(async () => {
  await ask("open", { file, passphrase });
  const bytes = new Uint8Array(await (await fetch(archive)).arrayBuffer());
  const times = {};
  const timed = async (name, work) => {
    const begin = performance.now();
    const value = await work();
    times[name] = performance.now() - begin;
    return value;
  };
  const found = await timed("check", async () => {
    await ask("begin", { uuid, companions: "" });
    for (let at = 0; at < bytes.length; at += 65536) await ask("piece", { bytes: bytes.slice(at, at + 65536) });
    return ask("end");
  });
  await ask("use", { purpose, record: [] });
  await timed(purpose, () => ask(purpose));
  worker.terminate();
  done({ ballots: found.ballots, ...times });
})().catch((error) => done({ error: String(error) }));
"""

VERIFY: Final = """
const [archive, companion, helpers, done] = arguments;
const workers = [];
const start = () => { const worker = new Worker("dist/verify-worker.js"); workers.push(worker); return worker; };
const ports = Array.from({ length: helpers }, () => {
  const { port1, port2 } = new MessageChannel();
  start().postMessage({ role: "help" }, [port2]);
  return port1;
});
const begin = performance.now();
const leading = start();
leading.addEventListener("message", ({ data }) => {
  if (data.progress) return;
  for (const worker of workers) worker.terminate();
  const verify = performance.now() - begin;
  done(data.done ? { verify, outcome: data.done.report.outcome } : { error: data.error.message });
});
leading.postMessage({ addresses: { archive, companion, results: "/none" }, pins: [], lookFor: [], ports }, ports);
"""


def until(archive: bytes, last: str) -> bytes:
    """The archive up to its last event of this type."""
    kept, end = [pack_header(TIMESTAMP)], 0
    for item in read_archive(io.BytesIO(archive)):
        if not isinstance(item, Entry):
            continue
        kept.append((pack_event if item.kind == "event" else pack_object)(item.data, TIMESTAMP))
        if item.kind == "event" and Event.parse(item.data).type == last:
            end = len(kept)
    return b"".join(kept[:end])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that is overridden
        """Nothing: the figures are what is printed."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder on a port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def main() -> None:
    """Print the seconds of each act."""
    question = QuestionNH(tuple(f"Candidate {n}" for n in range(1, CHOICES + 1)), "Committee")
    file = io.BytesIO()
    held = simulate(Plan((question,), VOTERS, trustees=3, threshold=2, seed=b"bench", timestamp=TIMESTAMP), lambda _: file)
    if held.companions is None:
        raise RuntimeError("no companion proofs")
    whole, uuid = file.getvalue(), held.election.uuid
    key = KeyFile(uuid, 1, "Bench", "single", None, held.private_keys[1]).to_bytes(PASSPHRASE).decode()
    bundles = build.build()
    with tempfile.TemporaryDirectory(prefix="ballot-bench-") as name, served(Path(name)) as site, browser(DESK) as driver:
        folder = Path(name)
        (folder / "dist").mkdir()
        for bundle in bundles.values():
            (folder / "dist" / bundle.file).write_bytes((build.DIST / bundle.file).read_bytes())
        (folder / "index.html").write_text("<!doctype html><title>Bench</title>")
        (folder / "whole.bel").write_bytes(whole)
        (folder / "companion.json").write_bytes(held.companions.to_bytes())
        (folder / "shuffle.bel").write_bytes(until(whole, "EncryptedTally"))
        (folder / "decrypt.bel").write_bytes(until(whole, "EndShuffles"))
        driver.set_script_timeout(3600)
        driver.get(f"{site}/index.html")
        print(f"In Chromium, {VOTERS} ballots that rank {CHOICES} choices, 2 of 3 key-holders ({len(whole) / 1e6:.1f} MB).")
        for purpose, words in (("shuffle", "shuffle and its proof made"), ("decrypt", "share and its proofs made")):
            found = driver.execute_async_script(HOLDER, f"{purpose}.bel", key, PASSPHRASE, uuid, purpose)
            if "error" in found:
                raise RuntimeError(found["error"])
            seconds = found[purpose] / 1000
            print(f"  {found['check'] / 1000:6.1f} s  key-holder: the ballot box so far checked, one core")
            met = "met" if seconds <= LIMITS[purpose] else "NOT met"
            print(f"  {seconds:6.1f} s  key-holder: {words}, one core (wanted: {LIMITS[purpose]} s or less: {met})", flush=True)
        for helpers in (0, os.cpu_count() or 1):
            found = driver.execute_async_script(VERIFY, "/whole.bel", "/companion.json", helpers)
            if found.get("outcome") != "verified":
                raise RuntimeError(str(found))
            who = f"{helpers} helping workers" if helpers else "one worker"
            print(f"  {found['verify'] / 1000:6.1f} s  the whole election verified, {who}", flush=True)


if __name__ == "__main__":
    main()
