// Whether the ballot box holds what was sent: its receipt against our own code, and the public board against both.

import { boardHead, boardObject, NoAnswerError } from "./service.js";

/** A receipt for exactly the ballot whose code the browser computed. */
export function matches(receipt, uuid, tracker) {
  return receipt?.ballot === tracker && receipt.election === uuid && Number.isInteger(receipt.height) && /^[0-9a-f]{64}$/.test(receipt.head);
}

/**
 * Look the ballot up on the public board, the way anybody can: the event that the receipt names is there, is at that
 * height, and points to the very text that was sent; and the board reaches at least that far.
 * Returns "found", "different" (the board contradicts the receipt) or "unseen" (no answer).
 */
export async function lookUp(receipt, ballot, sha256) {
  try {
    const eventText = await boardObject(receipt.election, receipt.head);
    if ((await sha256(eventText)) !== receipt.head) return "different";
    const event = JSON.parse(eventText);
    if (event.type !== "Ballot" || event.height !== receipt.height || event.payload !== (await sha256(ballot))) return "different";
    if ((await boardObject(receipt.election, event.payload)) !== ballot) return "different";
    const head = await boardHead(receipt.election);
    return Number.isInteger(head.height) && head.height >= receipt.height ? "found" : "different";
  } catch (error) {
    return error instanceof NoAnswerError || error.busy ? "unseen" : "different";
  }
}
