// The chain of events (v1 4.4), under the grammar of ballot/verifier/chain.py:
//
//   Setup Ballot* EndBallots EncryptedTally (Shuffle+ EndShuffles, if a question is ranked) PartialDecryption+ Result
//
// and nothing after. Each event's objects stand between it and the event before, are all referred to, and occur once.

import { MalformedError } from "../booth/bytes.js";
import { ArchiveRefusedError } from "./errors.js";
import { readEvent, readOwned, readSetup, readSizedTally } from "./reading.js";

export const SERVER = "the server that published this file";

const FOLLOWS = new Map([
  [null, ["Setup"]],
  ["Setup", ["Ballot", "EndBallots"]],
  ["Ballot", ["Ballot", "EndBallots"]],
  ["EndBallots", ["EncryptedTally"]],
  ["EncryptedTally", ["Shuffle", "PartialDecryption"]], // which of them, `ranked` says
  ["Shuffle", ["Shuffle", "EndShuffles"]],
  ["EndShuffles", ["PartialDecryption"]],
  ["PartialDecryption", ["PartialDecryption", "Result"]],
  ["Result", []],
]);
const WITHOUT_PAYLOAD = ["EndBallots", "EndShuffles"];
const MOST_OBJECTS = 4; // those of Setup; more are refused before they are all read

/** For the events whose payload names objects in turn: the rule of its form, how it is read, and those names. */
const PARTS = new Map([
  ["Setup", ["setup-form", readSetup, ({ election, trustees, credentials }) => [election, trustees, credentials]]],
  ["EncryptedTally", ["tally-form", readSizedTally, ({ encrypted_tally: name }) => [name]]],
  ["Shuffle", ["shuffle-form", readOwned, ({ payload }) => [payload]]],
  ["PartialDecryption", ["decryption-form", readOwned, ({ payload }) => [payload]]],
]);

export function refuse(rule, reason, height = null, blame = SERVER) {
  return new ArchiveRefusedError(rule, reason, { height, blame });
}

export class Chain {
  #pins;
  #waiting = new Map(); // objects since the last event
  #seen = new Set(); // hashes of all objects
  height = -1; // of the newest event
  head = "";
  last = null; // its type
  ranked = null; // whether a question is ranked; the caller sets it when it has read the set-up

  constructor(pins = new Map()) {
    this.#pins = pins;
  }

  /** null for an object, and for an event { type, height, hash, text, message, parts }. Throws ArchiveRefusedError. */
  add({ kind, hash, text }) {
    if (kind === "event") return this.#event(hash, text);
    if (this.#seen.has(hash)) throw refuse("object-repeated", `the object ${hash.slice(0, 16)}… occurs twice`, this.height + 1);
    if (this.#waiting.size === MOST_OBJECTS) throw refuse("object-unreferenced", "more objects stand before an event than it can refer to", this.height + 1);
    this.#seen.add(hash);
    this.#waiting.set(hash, text);
    return null;
  }

  #event(hash, text) {
    const due = this.height + 1;
    let event;
    try {
      event = readEvent(text);
    } catch (error) {
      if (error instanceof MalformedError) throw refuse("event-form", error.message, due);
      throw error;
    }
    const { height, type } = event;
    if (height !== due) throw refuse("chain-height", `an event calls itself number ${height}, where ${due} is due`, due);
    if ((event.parent ?? "") !== this.head) throw refuse("chain-parent", "an event does not follow from the one before it", height);
    this.#grammar(type, height);
    if ((this.#pins.get(height) ?? hash) !== hash) throw refuse("pin", "this is not the event that was seen here before: history was rewritten", height);
    const link = { type, height, hash, ...this.#objects(event) };
    if (this.#waiting.size > 0) throw refuse("object-unreferenced", "an object belongs to no event", height);
    this.height = height;
    this.head = hash;
    this.last = type;
    return link;
  }

  #grammar(type, height) {
    if (this.last === "Result") throw refuse("chain-grammar", `${type} comes after Result, and nothing may`, height);
    const permitted = this.last === "EncryptedTally" ? [this.ranked ? "Shuffle" : "PartialDecryption"] : FOLLOWS.get(this.last);
    if (permitted.includes(type)) return;
    const where = this.last === null ? "begins the file" : `follows ${this.last}`;
    throw refuse("chain-grammar", `${type} ${where}, where only ${permitted.join(" or ")} may`, height);
  }

  #take({ type, height }, hash) {
    if (this.#waiting.has(hash)) {
      const text = this.#waiting.get(hash);
      this.#waiting.delete(hash);
      return { hash, text };
    }
    if (this.#seen.has(hash)) {
      throw refuse("object-repeated", type === "Ballot" ? "the very same ballot is on the board twice" : "an object is used twice", height);
    }
    throw refuse("payload-missing", `what ${type} refers to does not stand before it`, height);
  }

  #objects(event) {
    const { type, height, payload } = event;
    if ((payload === undefined) !== WITHOUT_PAYLOAD.includes(type)) {
      throw refuse("payload-out-of-place", payload === undefined ? `${type} has no payload` : `${type} has a payload, and must not`, height);
    }
    if (payload === undefined) return {};
    const { hash, text } = this.#take(event, payload);
    if (!PARTS.has(type)) return { object: hash, text };
    const [rule, read, names] = PARTS.get(type);
    let message;
    try {
      message = read(text);
    } catch (error) {
      if (error instanceof MalformedError) throw refuse(rule, error.message, height);
      throw error;
    }
    return { object: hash, text, message, parts: names(message).map((name) => this.#take(event, name)) };
  }

  end() {
    if (this.#waiting.size > 0) throw refuse("object-unreferenced", "the file ends with an object that no event refers to", this.height + 1);
    const unseen = [...this.#pins.keys()].filter((height) => height > this.height);
    if (unseen.length > 0) {
      const highest = Math.max(...unseen);
      throw refuse("pin", `the event ${highest}, seen before, is not there any more`, highest);
    }
  }
}
