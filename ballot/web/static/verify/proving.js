// Proofs of knowing an exponent (v1 4.5, 4.6, 4.16), in the challenge and response form of v1, and their checks.

import { G, modQ, pointText, power } from "../booth/group.js";
import { hashToScalar } from "../booth/hash.js";
import { jointPower, publicPower } from "./points.js";

export const fiatShamir = (statement, ...points) => hashToScalar(`${statement}|${points.map(pointText).join(",")}`);

/** Prove to know x with g^x as the public element, which the statement names. */
export function proveExponent(statement, x, rng) {
  const w = rng.scalar();
  const challenge = fiatShamir(statement, power(G, w));
  return { challenge, response: modQ(w - x * challenge) };
}

export function exponentHolds(statement, publicElement, { challenge, response }) {
  return fiatShamir(statement, publicPower(G, response).add(jointPower([publicElement], [challenge]))) === challenge;
}
