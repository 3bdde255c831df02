// The worker behind the page "verify in your browser". One of them reads the archive and leads; the others make checks for it.
//
// It reads from this site's own public addresses, or from files that were chosen on this device, and sends nothing.

import { besideText } from "./archive.js";
import { UnusableError } from "./errors.js";
import { helpers, inline, serve } from "./pool.js";
import { recount } from "./recount.js";
import { Verifier } from "./verifier.js";

const TELL = 100; // milliseconds between two words about how far the work is

class DownloadError extends Error {
  constructor() {
    super("the ballot box could not be downloaded");
    this.name = "DownloadError";
  }
}

async function get(address) {
  const response = await fetch(address, { credentials: "omit", redirect: "error" }).catch(() => {
    throw new DownloadError();
  });
  if (response.status === 404) return null;
  if (!response.ok) throw new DownloadError();
  return response;
}

async function* piecesOf(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read().catch(() => {
      throw new DownloadError();
    });
    if (done) return;
    yield value;
  }
}

/** What this site publishes: { pieces, size, companion, results }. The archive is asked for first, so the others are not older. */
async function published({ archive, companion, results }) {
  const file = await get(archive);
  if (file === null) throw new DownloadError();
  const beside = await Promise.all([companion, results].map(async (address) => {
    const response = await get(address);
    return response === null ? null : besideText(await response.arrayBuffer().catch(() => {
      throw new DownloadError();
    }));
  }));
  const size = Number(file.headers.get("Content-Length")) || null;
  return { pieces: piecesOf(file.body), size, companion: beside[0] === "[]" ? null : beside[0], results: beside[1] };
}

async function chosen({ archive, companion, results }) {
  const read = (file) => file.arrayBuffer().catch(() => {
    throw new UnusableError("a file could not be read");
  });
  async function* slices() {
    for (let at = 0; at < archive.size; at += 1 << 20) yield new Uint8Array(await read(archive.slice(at, at + (1 << 20))));
  }
  const text = async (file) => (file === null ? null : besideText(await read(file)));
  return { pieces: slices(), size: archive.size, companion: await text(companion), results: await text(results) };
}

/** The leading worker's work: everything, and what is found on the way. */
async function verify({ files, addresses, pins, lookFor }, ports) {
  const { pieces, size, companion, results } = await (files ? chosen(files) : published(addresses));
  let told = 0;
  const verifier = new Verifier({
    companion, results, pins, lookFor, size, recount,
    pool: ports.length > 0 ? helpers(ports) : inline,
    progress(step, fraction) {
      const now = performance.now();
      if (now - told < TELL) return;
      told = now;
      self.postMessage({ progress: { step, fraction, steps: verifier.report.steps, ballots: verifier.report.ballots } });
    },
  });
  const report = await verifier.verify(pieces);
  return { report, places: [...verifier.places], companion: companion !== null, results: results !== null, size };
}

self.addEventListener("message", async ({ data: { role, ports, ...request }, ports: [port] }) => {
  if (role === "help") {
    serve(port);
    return;
  }
  try {
    self.postMessage({ done: await verify(request, ports) });
  } catch (error) {
    self.postMessage({ error: { name: error?.name, message: error?.message } });
  }
});
