// The group Ed25519 of v1 (5.2.1), written multiplicatively as in the text: power, times, over.
//
// Every point held here is in the prime-order subgroup: a parse checks it, and arithmetic stays inside. BigInt
// arithmetic is not constant time in any browser, and the language cannot wipe memory; both matter only to somebody
// who already runs code on the member's device.

import { edwards } from "@noble/curves/abstract/edwards.js";
import { fromHex, MalformedError, toHex } from "./bytes.js";

export const GROUP_NAME = "Ed25519";
export const P = 2n ** 255n - 19n;
export const Q = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;
const BITS_PER_INT = 8n; // 5.2.1: kappa
const PADDING = 14n; // 5.2.1: p
export const MAX_INTS = 30; // 30 · 8 + 14 = 254 bits, below the sign bit

const Point = edwards({
  p: P,
  n: Q,
  h: 8n,
  a: P - 1n,
  d: D,
  Gx: 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
  Gy: 0x6666666666666666666666666666666666666666666666666666666666666658n,
});

export const G = Point.BASE;
export const ONE = Point.ZERO;

/** point ** exponent, for any integer exponent. */
export function power(point, exponent) {
  const scalar = modQ(exponent);
  return scalar === 0n || point.is0() ? ONE : point.multiply(scalar);
}

export function times(a, b) {
  return a.add(b);
}

export function over(a, b) {
  return a.subtract(b);
}

export function modQ(number) {
  const remainder = number % Q;
  return remainder < 0n ? remainder + Q : remainder;
}

/** Make later powers of this point cheap; worth it for an election's key, which is raised dozens of times. */
export function prepare(point) {
  point.precompute(8, false);
  return point;
}

/** The v1 text form: 64 lower-case hexadecimal digits of the compressed point, most significant first. */
export function pointText(point) {
  return toHex(point.toBytes().reverse());
}

function decompress(bytes) {
  try {
    const point = Point.fromBytes(bytes, false); // strict RFC 8032 decoding: y < p, no negative zero
    return toHex(point.toBytes()) === toHex(bytes) ? point : null;
  } catch {
    return null;
  }
}

/**
 * Parse the v1 text form of an element of the prime-order group. The neutral element belongs to it: a caller for
 * whom it would be wrong (a key, a credential) says so.
 * Throws MalformedError for other texts, non-canonical encodings, and points off the curve or outside the subgroup.
 */
export function parsePoint(text) {
  const bytes = fromHex(text);
  if (bytes.length !== 32) throw new MalformedError("a group element has 64 digits");
  const point = decompress(bytes.reverse());
  if (point === null || !point.isTorsionFree()) throw new MalformedError("not an element of the prime-order group");
  return point;
}

/** Embed small integers, 0 to 255 and at most 30 of them, into a group element (5.2.1, of_ints). */
export function ofInts(values) {
  if (values.length > MAX_INTS || !values.every((value) => Number.isInteger(value) && value >= 0 && value < 256)) {
    throw new RangeError("at most 30 integers from 0 to 255 can be embedded");
  }
  const packed = values.reduce((sum, value) => (sum << BITS_PER_INT) + BigInt(value), 0n) << PADDING;
  for (let epsilon = 0n; epsilon < 1n << PADDING; epsilon += 1n) {
    const digits = (packed + epsilon).toString(16).padStart(64, "0");
    const point = decompress(fromHex(digits).reverse());
    if (point !== null && point.isTorsionFree()) return point;
  }
  throw new RangeError("no group element has this prefix"); // probability below 2^-1000
}
