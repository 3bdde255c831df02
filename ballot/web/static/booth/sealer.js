// The page's side of the sealing worker: ask, and be told.

import { NoAnswerError } from "./service.js";

export class SealerError extends Error {
  constructor({ name, message }) {
    super(message);
    this.name = name;
  }
}

export class Sealer {
  #worker;
  #asked = new Map();
  #next = 0;
  #stopped = false;

  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data: { id, value, error } }) => {
      const { resolve, reject } = this.#asked.get(id);
      this.#asked.delete(id);
      if (error) reject(new SealerError(error));
      else resolve(value);
    });
    worker.addEventListener("error", () => {
      this.#stopped = true;
      for (const { reject } of this.#asked.values()) reject(new Error("the worker stopped"));
      this.#asked.clear();
    });
  }

  /** Ask for one of the acts in worker.js. Rejects with SealerError, whose name is that of the worker's own error. */
  ask(act, request = {}) {
    if (this.#stopped) return Promise.reject(new Error("the worker stopped"));
    const id = (this.#next += 1);
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, act, ...request });
    });
  }

  stop() {
    this.#worker.terminate();
    this.#asked.clear();
  }
}

/**
 * Start the worker from the one address that the page names. A worker has no integrity attribute, so its bytes are
 * fetched and compared first; the browser then takes the same ones from its cache.
 */
export async function startSealer(address, integrity) {
  const policy = globalThis.trustedTypes?.createPolicy("ballot", {
    createScriptURL(url) {
      if (url !== address) throw new TypeError("not the booth's worker");
      return url;
    },
  });
  await fetch(address, { integrity, credentials: "omit" }).catch(() => {
    throw new NoAnswerError();
  });
  return new Sealer(new Worker(policy ? policy.createScriptURL(address) : address));
}
