// The browser's randomness for key-holders, who also draw permutations.

import { BrowserRng } from "../booth/random.js";

export class KeyholderRng extends BrowserRng {
  /** Uniform in [0, bound) for bounds far below q: the bias is below bound / q, less than 2^-200. */
  below(bound) {
    return this.scalar() % bound;
  }
}
