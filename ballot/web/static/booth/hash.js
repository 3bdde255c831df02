// SHA-256 and what v1 builds from it: fingerprints, trackers and Fiat–Shamir challenges.

import { sha256 } from "@noble/hashes/sha2.js";
import { toBase64, toHex, toInteger, utf8 } from "./bytes.js";
import { Q } from "./group.js";

export function sha256Hex(text) {
  return toHex(sha256(utf8(text)));
}

/** Unpadded Base64 of SHA-256: the election's fingerprint (4.10) and a ballot's hash and tracker (4.17). */
export function compactHash(text) {
  return toBase64(sha256(utf8(text)));
}

/** SHA-256 of the text read as a big-endian number mod q: every challenge of v1. */
export function hashToScalar(text) {
  return toInteger(sha256(utf8(text))) % Q;
}
