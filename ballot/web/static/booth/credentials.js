// Voting codes (v1 4.8): the code in the member's e-mail, and the keys that follow from it.

import { MalformedError } from "./bytes.js";
import { G, modQ, pointText, power, Q } from "./group.js";
import { hashToScalar, sha256Hex } from "./hash.js";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const CODE = new RegExp(`^(?:[${BASE58}]{5}-[${BASE58}]{6}-[${BASE58}]{5}-[${BASE58}]{6})$`);
const UUID = new RegExp(`^[${BASE58}]{14,}$`);

/**
 * The code in its one form, XXXXX-XXXXXX-XXXXX-XXXXXX, from what a person typed or pasted: spaces and dashes of any
 * kind do not matter. Throws MalformedError.
 */
export function normaliseCode(typed) {
  const digits = String(typed).replace(/[\s\u00ad\u200b-\u200d\u2060\ufeff\p{Pd}.]/gu, "");
  const code = [digits.slice(0, 5), digits.slice(5, 11), digits.slice(11, 16), digits.slice(16)].join("-");
  return parseCode(code);
}

export function parseCode(code) {
  if (!CODE.test(code)) throw new MalformedError("not a voting code");
  return code;
}

export function parseUuid(uuid) {
  if (typeof uuid !== "string" || !UUID.test(uuid)) throw new MalformedError("not an election identifier");
  return uuid;
}

/** secret(c): the signing exponent of this code in this election (4.8). */
export function secretExponent(uuid, code) {
  const digits = [0, 1].map((i) => sha256Hex(`derive_credential|${uuid}|${i}|${code}`));
  return BigInt(`0x${digits.join("")}`) % Q;
}

/** public(c) in its text form: what the list of voters' public credentials holds. */
export function publicCredential(uuid, code) {
  return pointText(power(G, secretExponent(uuid, code)));
}

/**
 * Prove to the service that we know the code behind a public credential, without telling it: a Schnorr proof of its
 * exponent s under a tag of its own, bound to the election and to a nonce that the service chose
 * (ballot/protocol/proofs.py, prove_typed_code).
 */
export function proveTypedCode(uuid, nonce, s, rng) {
  const credential = pointText(power(G, s));
  const w = rng.scalar();
  const challenge = hashToScalar(`ballot-typed-code|${uuid}|${nonce}|${credential}|${pointText(power(G, w))}`);
  return { credential, challenge: String(challenge), response: String(modQ(w - s * challenge)) };
}
