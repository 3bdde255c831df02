// The page's side: the worker that holds the key, and the service's addresses for one key-holder.

import { NoAnswerError, RefusedError } from "../booth/service.js";

const TIMEOUT = 30_000; // milliseconds for an answer; a shuffle that is being checked may take longer, see `send`
const LONG = 1_800_000;

/** What went wrong in the worker; `name` is its own error's. */
export class WorkError extends Error {
  constructor({ name, message }) {
    super(message);
    this.name = name;
  }
}

export class Helper {
  #worker;
  #asked = new Map();
  #next = 0;
  #reading = null; // hears the progress of the archive that is being read

  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data: { id, value, error, progress } }) => {
      const asked = this.#asked.get(id);
      if (progress) {
        (asked?.hear ?? this.#reading)?.(progress);
        return;
      }
      this.#asked.delete(id);
      if (error) asked.reject(new WorkError(error));
      else asked.resolve(value);
    });
    worker.addEventListener("error", () => {
      for (const { reject } of this.#asked.values()) reject(new WorkError({ name: "Error", message: "the worker stopped" }));
      this.#asked.clear();
    });
  }

  /** Ask for one of the acts in keyholder-worker.js. `hear` is called with { step, done, total } on the way. */
  ask(act, request = {}, { hear = null, transfer = [] } = {}) {
    const id = (this.#next += 1);
    if (act === "begin") this.#reading = hear;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject, hear });
      this.#worker.postMessage({ ...request, id, act }, transfer);
    });
  }
}

/** As for the booth's worker: its bytes are compared with the page's integrity value before it is started. */
export async function startWorker(address, integrity) {
  const policy = globalThis.trustedTypes?.createPolicy("ballot", {
    createScriptURL(url) {
      if (url !== address) throw new TypeError("not the key-holder's worker");
      return url;
    },
  });
  await fetch(address, { integrity, credentials: "omit" }).catch(() => {
    throw new NoAnswerError();
  });
  return new Helper(new Worker(policy ? policy.createScriptURL(address) : address));
}

/** The service, for one key-holder of one ballot. The token goes along in a header, never in an address. */
export class Service {
  #base;
  #archive;
  #token;

  constructor(uuid, owner, token) {
    this.#base = `/api/trustee/${uuid}/${owner}`;
    this.#archive = `/api/elections/${uuid}`;
    this.#token = token;
  }

  async view() {
    return JSON.parse(await (await this.#request(this.#base)).text());
  }

  async tally() {
    return JSON.parse(await (await this.#request(`${this.#base}/tally`)).text());
  }

  /** Send one message; the service checks it before it answers. */
  async send(what, body) {
    await this.#request(`${this.#base}/${what}`, { method: "POST", body, headers: { "Content-Type": "application/json" } }, LONG);
  }

  async companions() {
    return (await this.#request(`${this.#archive}/companion`, {}, LONG)).text();
  }

  /** The archive, piece by piece. */
  async archive(hear) {
    const response = await this.#request(`${this.#archive}/archive`, {}, LONG);
    const reader = response.body.getReader();
    for (;;) {
      const { value, done } = await reader.read().catch(() => {
        throw new NoAnswerError();
      });
      if (done) return;
      await hear(value);
    }
  }

  async #request(path, { headers = {}, ...options } = {}, timeout = TIMEOUT) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), timeout);
    let response;
    try {
      response = await fetch(path, {
        cache: "no-store", credentials: "omit", redirect: "error", signal: stop.signal, ...options,
        headers: { ...headers, Authorization: `Bearer ${this.#token}` },
      });
    } catch {
      throw new NoAnswerError();
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw new RefusedError(response.status, await response.json().catch(() => ({})), null);
    return response;
  }
}
