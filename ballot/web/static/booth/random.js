// Randomness, always passed on by the caller: the real source here, a seeded one in the tests.

import { toInteger } from "./bytes.js";
import { Q } from "./group.js";

/** Sealing must stop: this browser cannot make unpredictable numbers. */
export class RandomnessError extends Error {
  constructor(message) {
    super(message);
    this.name = "RandomnessError";
  }
}

/** Uniform scalars from the browser's generator. Any sign of trouble ends the work; there is no second source. */
export class BrowserRng {
  #crypto;
  #last = new Uint8Array(64);

  constructor(crypto = globalThis.crypto) {
    this.#crypto = crypto;
  }

  /** Uniform in [0, q): 512 bits mod q, a bias below 2^-256. Throws RandomnessError. */
  scalar() {
    const bytes = new Uint8Array(64);
    try {
      this.#crypto.getRandomValues(bytes);
    } catch {
      throw new RandomnessError("getRandomValues failed");
    }
    if (bytes.every((byte, at) => byte === this.#last[at])) throw new RandomnessError("getRandomValues repeats itself");
    this.#last = bytes;
    return toInteger(bytes) % Q;
  }
}
