// The `.bel` archive (v1 4.4) as it arrives, piece by piece: every byte must be what the reference tool writes.

import { sha256 } from "@noble/hashes/sha2.js";
import { toHex, utf8 } from "../booth/bytes.js";
import { check, hasKeys, isText, read } from "./messages.js";

const BLOCK = 512;
const HEADER = "BELENIOS";
const MAX_ENTRY = 1 << 29; // bytes; no text in a browser is longer
const NAME = /^([0-9a-f]{64})\.(data|event)\.json$/;
const SIZE = /^[0-7]{11}$/;

const octal = (number, digits) => number.toString(8).padStart(digits, "0");
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function tarHeader(name, size, timestamp) {
  const fields = `${name.padEnd(100, "\0")}0000644\0${"0000000\0".repeat(2)}${octal(size, 11)}\0${octal(timestamp, 11)}\0`;
  const rest = "0".padEnd(BLOCK - 156, "\0");
  const checksum = utf8(fields + rest).reduce((total, byte) => total + byte, 8 * 32);
  return `${fields}${octal(checksum, 6)}\0 ${rest}`;
}

function textOf(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    check(false, "an entry of the archive is not text in UTF-8");
  }
}

/** Give it the bytes in any pieces; it calls `entry({ kind, hash, text })` for each whole entry, in order. */
export class ArchiveReader {
  #pieces = [];
  #held = 0;
  #due = null; // the entry whose content is awaited: { name, size, raw }
  #timestamp = null;
  #entry;

  constructor(entry) {
    this.#entry = entry;
  }

  push(bytes) {
    this.#pieces.push(bytes);
    this.#held += bytes.length;
    for (;;) {
      if (this.#due === null) {
        if (this.#held < BLOCK) return;
        this.#due = this.#header(this.#take(BLOCK));
      }
      const padded = Math.ceil(this.#due.size / BLOCK) * BLOCK;
      if (this.#held < padded) return;
      this.#content(this.#due, this.#take(padded));
      this.#due = null;
    }
  }

  /** No more bytes follow. */
  end() {
    check(this.#timestamp !== null, "the archive is empty");
    check(this.#held === 0 && this.#due === null, "the archive is cut short");
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
    check(SIZE.test(size), "this is not a Belenios archive: a tar header is not as the reference tool writes it");
    check(parseInt(size, 8) <= MAX_ENTRY, "an entry of the archive is larger than any browser can read");
    return { name, size: parseInt(size, 8), raw };
  }

  #content({ name, size, raw }, padded) {
    check(padded.subarray(size).every((byte) => byte === 0), "the archive has bytes between its entries");
    const bytes = padded.subarray(0, size);
    const text = textOf(bytes);
    if (this.#timestamp === null) {
      check(name === HEADER, "this is not a Belenios archive: it does not start with a BELENIOS entry");
      const header = read(text);
      check(hasKeys(header, "version", "timestamp") && header.version === 1 && isText(header.timestamp), "the archive's header is not well formed");
      const timestamp = Number(header.timestamp);
      check(Number.isSafeInteger(timestamp) && String(timestamp) === header.timestamp && 0 <= timestamp && timestamp < 8 ** 11, "the archive's timestamp is out of range");
      this.#timestamp = timestamp;
      check(raw === tarHeader(name, size, timestamp), "the tar header of BELENIOS is not as the reference tool writes it");
      return;
    }
    const match = NAME.exec(name);
    check(match !== null && raw === tarHeader(name, size, this.#timestamp), "a tar header is not as the reference tool writes it");
    const hash = toHex(sha256(bytes));
    check(hash === match[1], "the content of an entry does not have the hash in its name");
    this.#entry({ kind: match[2], hash, text });
  }
}

// --- the chain of events

const FOLLOWS = {
  "": ["Setup"],
  Setup: ["Ballot", "EndBallots"],
  Ballot: ["Ballot", "EndBallots"],
  EndBallots: ["EncryptedTally"],
  EncryptedTally: ["Shuffle", "PartialDecryption"],
  Shuffle: ["Shuffle", "EndShuffles"],
  EndShuffles: ["PartialDecryption"],
  PartialDecryption: ["PartialDecryption", "Result"],
  Result: [],
};
const WITHOUT_PAYLOAD = ["EndBallots", "EndShuffles"];
const MOST_OBJECTS = 4; // those of Setup

/** What each event's payload refers to in turn, by type. */
const PARTS = {
  Setup(json) {
    check(hasKeys(json, "election", "trustees", "credentials"), "the set-up is not well formed");
    return [json.election, json.trustees, json.credentials];
  },
  EncryptedTally: (json) => [json?.encrypted_tally],
  Shuffle: (json) => [json?.payload],
  PartialDecryption: (json) => [json?.payload],
};

/**
 * Entries in, links of the chain out, under the strict grammar
 * Setup Ballot* EndBallots EncryptedTally (Shuffle+ EndShuffles if a question is ranked) PartialDecryption+ Result.
 */
export class Chain {
  #waiting = new Map(); // objects since the last event
  #seen = new Set();
  height = -1;
  head = "";
  last = "";
  ranked = false; // the caller sets it when it has read the set-up

  /** null for an object, and for an event { type, text, message, parts: [{ hash, text }] }. Throws MalformedError. */
  add({ kind, hash, text }) {
    if (kind === "data") {
      check(!this.#seen.has(hash), "an object occurs twice in the archive");
      check(this.#waiting.size < MOST_OBJECTS, "more objects stand before an event than it can refer to");
      this.#seen.add(hash);
      this.#waiting.set(hash, text);
      return null;
    }
    const event = read(text);
    check(hasKeys(event, "parent?", "height", "type", "payload?") && event.type !== "" && Object.keys(FOLLOWS).includes(event.type), "an event is not well formed");
    check(event.height === this.height + 1, "an event has another height than the chain");
    check((event.parent ?? "") === this.head && ("parent" in event) === (this.head !== ""), "an event does not follow from the one before it");
    let permitted = FOLLOWS[this.last];
    if (this.last === "EncryptedTally") permitted = [this.ranked ? "Shuffle" : "PartialDecryption"];
    check(permitted.includes(event.type), `${event.type} stands where it may not`);
    check("payload" in event !== WITHOUT_PAYLOAD.includes(event.type), `${event.type} has a payload too much or too few`);
    const link = this.#link(event);
    check(this.#waiting.size === 0, "an object belongs to no event");
    this.height = event.height;
    this.head = hash;
    this.last = event.type;
    return link;
  }

  #take(hash) {
    check(isText(hash) && this.#waiting.has(hash), "what an event refers to does not stand before it");
    const text = this.#waiting.get(hash);
    this.#waiting.delete(hash);
    return { hash, text };
  }

  #link({ type, payload }) {
    if (payload === undefined) return { type };
    const { hash, text } = this.#take(payload);
    if (!Object.keys(PARTS).includes(type)) return { type, hash, text };
    const message = read(text);
    return { type, hash, text, message, parts: PARTS[type](message).map((name) => this.#take(name)) };
  }

  end() {
    check(this.#waiting.size === 0, "the file ends with an object that no event refers to");
    check(this.height >= 0, "the archive holds no election yet");
  }
}
