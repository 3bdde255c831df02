// The reproducible randomness of tests and vectors: the same numbers as SeededRng in ballot/protocol/group.py.

import { createHash } from "node:crypto";
import { Q } from "../../ballot/web/static/booth/group.js";

export class SeededRng {
  #seed;
  #counter = 0;

  constructor(seed) {
    this.#seed = seed;
  }

  below(bound) {
    this.#counter += 1;
    const block = createHash("sha512").update(`${this.#seed}|${this.#counter}`).digest("hex");
    return BigInt(`0x${block}`) % bound;
  }

  scalar() {
    return this.below(Q);
  }
}
