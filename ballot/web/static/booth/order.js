// The order in which choices are listed: another one for each member, the same one after a reload.

import { sha256Hex } from "./hash.js";

/**
 * A permutation of 0 … count-1, drawn from what only this member has. The service does not learn it, and nothing of it
 * is in the ballot. `fixedLast` keeps the last choice in its place ("Re-open nominations").
 */
export function shuffledOrder(uuid, code, question, count, fixedLast = false) {
  const keyed = Array.from({ length: count }, (_, at) => ({
    at,
    key: fixedLast && at === count - 1 ? "~" : sha256Hex(`ballot-listing-order|${uuid}|${code}|${question}|${at}`),
  }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  return keyed.map(({ at }) => at);
}
