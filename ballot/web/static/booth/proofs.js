// Zero-knowledge proofs of a sealed answer (v1 4.11 to 4.13, 4.15).
//
// All of them are one shape: out of several statements "this pair encrypts this value", exactly one is true, and the
// proof does not tell which. A pair (alpha, beta) encrypts 0 under y when alpha = g^r and beta = y^r, so the statement
// "encrypts M" is stated as "(alpha, beta / g^M) encrypts 0". The false ones are simulated, the true one is proved.

import { G, modQ, over, pointText, power, times } from "./group.js";
import { hashToScalar } from "./hash.js";

const proof = (challenge, response) => ({ challenge: String(challenge), response: String(response) });

/**
 * Prove that statement number `truth` holds, hiding which.
 *
 * `statements` are ciphertexts { alpha, beta }, each claimed to encrypt 0; `secret` is the exponent r of the true one;
 * `prefix` is what the challenge hashes before the commitments A_0,B_0,A_1,B_1…
 */
export function proveOneOf(y, prefix, statements, truth, secret, rng) {
  const commitments = [];
  const proofs = [];
  let others = 0n;
  statements.forEach(({ alpha, beta }, j) => {
    if (j === truth) return;
    const challenge = rng.scalar();
    const response = rng.scalar();
    commitments[j] = [
      times(power(G, response), power(alpha, challenge)),
      times(power(y, response), power(beta, challenge)),
    ];
    proofs[j] = proof(challenge, response);
    others += challenge;
  });
  const w = rng.scalar();
  commitments[truth] = [power(G, w), power(y, w)];
  const total = hashToScalar(prefix + commitments.flat().map(pointText).join(","));
  const challenge = modQ(total - others);
  proofs[truth] = proof(challenge, modQ(w - secret * challenge));
  return proofs;
}

/** The same pair with g^value divided out: it encrypts 0 exactly when the pair encrypts `value`. */
export function minus({ alpha, beta }, value) {
  return { alpha, beta: value === 0 ? beta : over(beta, power(G, BigInt(value))) };
}

/** 4.12 iprove: the ciphertext, made with exponent r, encrypts one of `values`, and `values[i]` it is. */
export function iprove(y, S, r, i, values, ciphertext, rng) {
  const prefix = `prove|${S}|${pointText(ciphertext.alpha)},${pointText(ciphertext.beta)}|`;
  return proveOneOf(y, prefix, values.map((value) => minus(ciphertext, value)), i, r, rng);
}

/** 4.13 blank_proof: not blank, or nothing chosen. `zero` and `sigma` are { ciphertext, r, m }. */
export function proveBlank(y, S, zero, sigma, rng) {
  const statements = [zero.ciphertext, sigma.ciphertext];
  const truth = zero.m === 0 ? 0 : 1;
  return proveOneOf(y, `bproof0|${S}|`, statements, truth, [zero.r, sigma.r][truth], rng);
}

/** 4.13 overall_proof: blank, or the number of choices is one of `values`. */
export function proveBlankOrWithin(y, S, zero, sigma, values, rng) {
  const statements = [minus(zero.ciphertext, 1), ...values.map((value) => minus(sigma.ciphertext, value))];
  const truth = zero.m === 1 ? 0 : 1 + values.indexOf(sigma.m);
  return proveOneOf(y, `bproof1|${S}|`, statements, truth, zero.m === 1 ? zero.r : sigma.r, rng);
}

/** 4.11 proof of a ranked answer: we know the exponent r of the ciphertext. It proves nothing about the content. */
export function proveKnowledge(y, S, r, { alpha, beta }, rng) {
  const w = rng.scalar();
  const text = `raweg|${S}|${[y, alpha, beta].map(pointText).join(",")}|${pointText(power(G, w))}`;
  const challenge = hashToScalar(text);
  return proof(challenge, modQ(w - r * challenge));
}

/** 4.15 signature: a Schnorr proof of the credential's exponent s, bound to the ballot's hash. */
export function sign(s, hash, rng) {
  const w = rng.scalar();
  const challenge = hashToScalar(`sig|${hash}|${pointText(power(G, w))}`);
  return proof(challenge, modQ(w - s * challenge));
}
