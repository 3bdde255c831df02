// The `.bel` archive (v1 4.4) as it arrives, piece by piece: every byte must be what the reference tool writes.

import { sha256 } from "@noble/hashes/sha2.js";
import { MalformedError, toHex, utf8 } from "../booth/bytes.js";
import { UnusableError } from "./errors.js";
import { readHeader } from "./reading.js";

const BLOCK = 512;
const HEADER = "BELENIOS";
const NAME = /^([^]{64})\.(data|event)\.json$/;
const SIZE = /^[0-7]{11}$/;

const octal = (number, digits) => number.toString(8).padStart(digits, "0");
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function tarHeader(name, size, timestamp) {
  const fields = `${name.padEnd(100, "\0")}0000644\0${"0000000\0".repeat(2)}${octal(size, 11)}\0${octal(timestamp, 11)}\0`;
  const rest = "0".padEnd(BLOCK - 156, "\0");
  const checksum = utf8(fields + rest).reduce((total, byte) => total + byte, 8 * 32);
  return `${fields}${octal(checksum, 6)}\0 ${rest}`;
}

/** The bytes as text; null where they are none, which no message is. */
function textOf(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** The text of a file beside the archive. Bytes that are no text become one that no file may be. */
export const besideText = (bytes) => textOf(bytes) ?? "";

function check(condition, message) {
  if (!condition) throw new MalformedError(message);
}

/**
 * Give it the bytes in any pieces; `entries()` yields { kind, hash, text } for each entry that is whole, in order, and throws
 * MalformedError at the first byte that is wrong, UnusableError while it is not clear that this is an archive at all.
 */
export class ArchiveReader {
  #pieces = [];
  #held = 0;
  #due = null; // the entry whose content is awaited: { name, size, raw }
  #timestamp = null;

  push(bytes) {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#held += bytes.length;
  }

  *entries() {
    for (;;) {
      let entry;
      try {
        entry = this.#next();
      } catch (error) {
        if (this.#timestamp === null && error instanceof MalformedError) throw new UnusableError(error.message);
        throw error;
      }
      if (entry === undefined) return;
      if (entry !== null) yield entry;
    }
  }

  /** No more bytes follow. */
  end() {
    if (this.#timestamp === null) throw new UnusableError(this.#held === 0 && this.#due === null ? "the archive is empty" : "the archive is cut short");
    check(this.#held === 0 && this.#due === null, "the archive is cut short");
  }

  /** The next entry, null after the header, undefined while it is not whole yet. */
  #next() {
    if (this.#due === null) {
      if (this.#held < BLOCK) return undefined;
      this.#due = this.#header(this.#take(BLOCK));
    }
    const padded = Math.ceil(this.#due.size / BLOCK) * BLOCK;
    if (this.#held < padded) return undefined;
    const due = this.#due;
    this.#due = null;
    return this.#content(due, this.#take(padded));
  }

  #take(size) {
    const taken = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const [piece] = this.#pieces;
      const part = piece.subarray(0, size - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(part.length);
    }
    this.#held -= size;
    return taken;
  }

  #header(bytes) {
    const raw = String.fromCharCode(...bytes);
    const name = raw.slice(0, 100).replace(/\0+$/, "");
    const size = raw.slice(124, 135);
    check(SIZE.test(size) && !/[^\0-\x7f]/.test(name), "this is not a Belenios archive: a tar header is not as the reference tool writes it");
    return { name, size: parseInt(size, 8), raw };
  }

  #content({ name, size, raw }, padded) {
    check(padded.subarray(size).every((byte) => byte === 0), "the archive has bytes between its entries");
    const bytes = padded.subarray(0, size);
    if (this.#timestamp === null) {
      this.#timestamp = this.#begin(name, bytes, raw);
      return null;
    }
    const match = NAME.exec(name);
    check(match !== null && raw === tarHeader(name, size, this.#timestamp), `the tar header of '${name.slice(0, 80)}' is not as the reference tool writes it`);
    const hash = toHex(sha256(bytes));
    check(hash === match[1], `the content of ${match[1].slice(0, 16)}… does not have the hash in its name`);
    return { kind: match[2], hash, text: textOf(bytes) };
  }

  #begin(name, bytes, raw) {
    check(name === HEADER, "this is not a Belenios archive: it does not start with a BELENIOS entry");
    const { version, timestamp: written } = readHeader(textOf(bytes));
    check(version === 1 && /^[0-9]+$/.test(written), "the archive's header has another version, or no timestamp");
    const timestamp = Number(written);
    check(timestamp < 8 ** 11 && String(timestamp) === written, "the archive's timestamp is out of range");
    check(raw === tarHeader(name, bytes.length, timestamp), "the tar header of BELENIOS is not as the reference tool writes it");
    return timestamp;
  }
}
