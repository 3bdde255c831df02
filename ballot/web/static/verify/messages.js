// The messages of v1 that key-holders read and write: exact text in, checked values out, and the other way round.
//
// A text must be the one accepted form of its content; every object has exactly the fields named here, in this order.

import { canonicalJson, MalformedError, parseCanonicalJson } from "../booth/bytes.js";
import { ONE, parsePoint, pointText, Q } from "../booth/group.js";

const SCALAR = /^(?:0|[1-9][0-9]{0,76})$/;
const HASH = /^[0-9a-f]{64}$/;

export function check(condition, message) {
  if (!condition) throw new MalformedError(message);
}

export const isText = (value) => typeof value === "string";
export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
export const isHash = (value) => isText(value) && HASH.test(value);

/** Whether an object has these keys in this order; a name that ends in "?" may be missing. */
export function hasKeys(value, ...names) {
  if (!isObject(value)) return false;
  const expected = names.filter((name) => !name.endsWith("?") || name.slice(0, -1) in value).map((name) => name.replace("?", ""));
  const keys = Object.keys(value);
  return keys.length === expected.length && keys.every((name, i) => name === expected[i]);
}

export const write = canonicalJson;

export function read(text) {
  try {
    return parseCanonicalJson(text);
  } catch (error) {
    if (error instanceof RangeError) throw new MalformedError("nested too deeply"); // the parser's own stack
    throw error;
  }
}

export function scalar(text) {
  check(isText(text) && SCALAR.test(text) && BigInt(text) < Q, "a scalar is a decimal number below the group order, in its shortest form");
  return BigInt(text);
}

/** A point that must not be the neutral element; `decode` tells how points are read. */
export function key(text, decode = parsePoint) {
  const point = decode(text);
  check(!point.equals(ONE), "the neutral element cannot be a key, a credential or alpha");
  return point;
}

export function list(value, item, length = null) {
  check(Array.isArray(value) && (length === null || value.length === length), "an array is missing or has another length");
  return value.map((one) => item(one));
}

export function proof(value) {
  check(hasKeys(value, "challenge", "response"), "a proof has the wrong fields");
  return { challenge: scalar(value.challenge), response: scalar(value.response) };
}

export const proofJson = ({ challenge, response }) => ({ challenge: String(challenge), response: String(response) });

/** A ciphertext keeps its texts, which are hashed again and again. */
export function ciphertext(value, decode = parsePoint) {
  check(hasKeys(value, "alpha", "beta"), "a ciphertext has the wrong fields");
  return { alpha: key(value.alpha, decode), beta: decode(value.beta), text: { alpha: value.alpha, beta: value.beta } };
}

export function newCiphertext(alpha, beta) {
  return { alpha, beta, text: { alpha: pointText(alpha), beta: pointText(beta) } };
}

export const ciphertextJson = ({ text }) => text;

// --- key-making

export function signedMsg(value) {
  check(hasKeys(value, "message", "signature") && isText(value.message), "a signed message has the wrong fields");
  return { message: value.message, signature: proof(value.signature) };
}

export const signedMsgJson = ({ message, signature }) => ({ message, signature: proofJson(signature) });

export function publicKey(value) {
  check(hasKeys(value, "pok", "public_key", "signature?", "name?") && isText(value.name ?? ""), "a public key has the wrong fields");
  return {
    pok: proof(value.pok),
    publicKey: key(value.public_key),
    signature: "signature" in value ? proof(value.signature) : null,
    name: value.name ?? null,
  };
}

export function vinput(value) {
  check(hasKeys(value, "polynomial", "secrets", "coefexps", "signatures") && isText(value.polynomial), "the input of step 5 has the wrong fields");
  const secrets = list(value.secrets, (one) => one);
  check(secrets.every(isText), "the input of step 5 is not well formed");
  return { polynomial: value.polynomial, secrets, coefexps: list(value.coefexps, signedMsg), signatures: list(value.signatures, proof) };
}

// --- the tally

export function encryptedTally(value, decode = parsePoint) {
  return list(value, (row) => list(row, (one) => ciphertext(one, decode)));
}

export const encryptedTallyText = (rows) => write(rows.map((row) => row.map(ciphertextJson)));

export function sizedTally(value) {
  check(
    hasKeys(value, "num_tallied", "total_weight", "encrypted_tally") && isCount(value.num_tallied) && isCount(value.total_weight) && isHash(value.encrypted_tally),
    "the tally's size is not well formed",
  );
  return value;
}

export function owned(value) {
  check(hasKeys(value, "owner", "payload") && isCount(value.owner) && isHash(value.payload), "an owner's message is not well formed");
  return value;
}

function shuffleProof(value, decode) {
  const [t, s, c, cHat] = list(value, (one) => one, 4);
  const [t1, t2, t3, t4, tHat] = list(t, (one) => one, 5);
  const [s1, s2, s3, s4, sHat, sPrime] = list(s, (one) => one, 6);
  return {
    t: [decode(t1), decode(t2), decode(t3), list(t4, decode, 2), list(tHat, decode)],
    s: [scalar(s1), scalar(s2), scalar(s3), scalar(s4), list(sHat, scalar), list(sPrime, scalar)],
    c: list(c, decode),
    cHat: list(cHat, decode),
    text: { t, c, cHat },
  };
}

export function shuffle(value, decode = parsePoint) {
  check(hasKeys(value, "ciphertexts", "proofs"), "a shuffle has the wrong fields");
  return { ciphertexts: encryptedTally(value.ciphertexts, decode), proofs: list(value.proofs, (one) => shuffleProof(one, decode)) };
}

export function partialDecryption(value, decode = parsePoint) {
  check(hasKeys(value, "decryption_factors", "decryption_proofs"), "a partial decryption has the wrong fields");
  return {
    factors: list(value.decryption_factors, (row) => list(row, decode)),
    factorTexts: value.decryption_factors,
    proofs: list(value.decryption_proofs, (row) => list(row, proof)),
  };
}

export function companion(value) {
  check(!isObject(value) || value.version === 1, "only version 1 of the companion proofs is supported");
  check(
    hasKeys(value, "version", "election", "fingerprint", "owner", "partial_decryption", "proofs") &&
      isText(value.election) && isText(value.fingerprint) && isCount(value.owner) && isHash(value.partial_decryption),
    "companion proofs are not well formed",
  );
  return { ...value, proofs: list(value.proofs, (row) => list(row, proof)) };
}
