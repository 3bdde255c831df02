// What key-holders write, and the messages of the key ceremony: exact text in, checked values out, and the other way round.
// What archives hold is read by reading.js.
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
