// The sealing worker: everything that takes long or touches the group, away from the page. Messages in, messages out.
//
// It makes no request. The page tells it which election and which code; it keeps them for the next message.

import { encryptBallot } from "./ballot.js";
import { sha256Hex } from "./hash.js";
import { normaliseCode, proveTypedCode, publicCredential, secretExponent } from "./credentials.js";
import { parseElection } from "./election.js";
import { shuffledOrder } from "./order.js";
import { BrowserRng } from "./random.js";

const rng = new BrowserRng();
const elections = new Map();

const acts = {
  /** A code as typed, in its one form. */
  normalise: ({ code }) => normaliseCode(code),

  /** An election from its exact text: its questions and fingerprint, and the listing order for this code. */
  open({ text, uuid, code }) {
    const election = parseElection(text, uuid);
    elections.set(uuid, election);
    const { description, rules, questions, fingerprint } = election;
    const orders = questions.map(({ answers }, at) => shuffledOrder(uuid, code, at, answers.length, rules[at]?.ron === true));
    return { description, questions, fingerprint, orders };
  },

  /** Seal one ballot: { ballot, tracker }. */
  seal: ({ uuid, code, answers }) => encryptBallot(elections.get(uuid), code, answers, rng),

  credential: ({ uuid, code }) => publicCredential(uuid, code),

  proveCode: ({ uuid, code, nonce }) => proveTypedCode(uuid, nonce, secretExponent(uuid, code), rng),

  sha256: ({ text }) => sha256Hex(text),
};

self.addEventListener("message", ({ data: { id, act, ...request } }) => {
  try {
    self.postMessage({ id, value: acts[act](request) });
  } catch (error) {
    self.postMessage({ id, error: { name: error.name, message: error.message } });
  }
});
