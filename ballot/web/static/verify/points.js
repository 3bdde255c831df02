// Group elements by the thousand: decoding, membership, products of powers, text forms.
//
// What is raised to a secret uses `power` of ../booth/group.js, which takes the same steps for every exponent; what
// is computed from public numbers only uses `publicPower` and `powerProduct`, which do not.

import { normalizeZ, pippenger } from "@noble/curves/abstract/curve.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { fromHex, MalformedError, toInteger, utf8 } from "../booth/bytes.js";
import { G, modQ, ONE, P } from "../booth/group.js";

const Point = G.constructor;
const POINT = /^[0-9a-f]{64}$/;
const FEW = 70; // points up to which each is checked for itself
const TESTS = 64; // random subsets, drawn after the points are known: a stranger among them escapes all once in 2^64

/** point ** exponent for public numbers: faster, and it takes another time for another exponent. */
export function publicPower(point, exponent) {
  const scalar = modQ(exponent);
  return scalar === 0n ? ONE : point.multiplyUnsafe(scalar);
}

/** Digits from -8 to 8 that add up to the number in base 16, the last one first. */
function digits(number) {
  let carry = 0;
  return Array.from(number.toString(16).padStart(64, "0"), (digit) => parseInt(digit, 16))
    .reverse()
    .map((digit) => {
      const value = digit + carry;
      carry = Number(value > 8);
      return value - 16 * carry;
    });
}

/** As `powerProduct`, for a few points without tables of their own: the doublings are shared. */
export function jointPower(points, exponents) {
  const rows = points.map((point, i) => {
    const multiples = [ONE, point];
    while (multiples.length <= 8) multiples.push(multiples[multiples.length - 1].add(point));
    return { multiples, digits: digits(modQ(exponents[i])) };
  });
  let total = ONE;
  for (let at = 63; at >= 0; at -= 1) {
    if (at < 63) total = total.double().double().double().double();
    for (const { multiples, digits: row } of rows) {
      const digit = row[at];
      if (digit > 0) total = total.add(multiples[digit]);
      else if (digit < 0) total = total.subtract(multiples[-digit]);
    }
  }
  return total;
}

/** The product of points[i] ** exponents[i], for public numbers. */
export function powerProduct(points, exponents) {
  if (points.length === 0) return ONE;
  if (points.length < 4) return points.reduce((total, point, i) => total.add(publicPower(point, exponents[i])), ONE);
  return pippenger(Point, points, exponents.map(modQ));
}

export function product(points) {
  return points.reduce((total, point) => total.add(point), ONE);
}

/** The points with coordinates that are cheap to write and to compare. */
export function normalised(points) {
  return points.length === 0 ? [] : normalizeZ(Point, points);
}

/**
 * Decodes points at once and checks their membership of the prime-order group together: nothing that was computed
 * from them may be used before `check` has returned.
 */
export class Membership {
  #points = [];
  #known = new Map();

  /** A point in its one text form. Throws MalformedError for other texts and points off the curve. */
  decode(text) {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (typeof text !== "string" || !POINT.test(text)) throw new MalformedError("a group element must be 64 lower-case hexadecimal digits");
    let point;
    try {
      point = Point.fromBytes(fromHex(text).reverse(), false); // strict RFC 8032: y < p, no negative zero
    } catch {
      throw new MalformedError("not a canonical element of the prime-order group");
    }
    this.#known.set(text, point);
    this.#points.push(point);
    return point;
  }

  /** Throws MalformedError if one of the points so far is outside the prime-order group. */
  check() {
    const points = this.#points;
    this.#points = [];
    const holds = points.length <= FEW ? points.every((point) => point.isTorsionFree()) : subsetsHold(points);
    if (!holds) throw new MalformedError("not a canonical element of the prime-order group");
  }

  /** Forget the texts, of which no more copies will come. */
  forget() {
    this.#known.clear();
  }
}

/**
 * Whether the sums of random subsets all are in the group. A sum with a stranger in it is outside with probability 1/2
 * at least, whatever the other points are. Eight subsets at a time: the points are sorted by which of the eight they
 * belong to, and each subset's sum is made of 128 of the 256 heaps.
 */
function subsetsHold(points) {
  const random = new Uint8Array(points.length);
  for (let round = 0; round < TESTS / 8; round += 1) {
    for (let at = 0; at < random.length; at += 65536) crypto.getRandomValues(random.subarray(at, at + 65536));
    const heaps = new Array(256).fill(null);
    points.forEach((point, i) => {
      const heap = heaps[random[i]];
      heaps[random[i]] = heap === null ? point : heap.add(point);
    });
    for (let bit = 0; bit < 8; bit += 1) {
      const sum = heaps.reduce((total, heap, of) => (heap !== null && (of >> bit) & 1 ? total.add(heap) : total), ONE);
      if (!sum.isTorsionFree()) return false;
    }
  }
  return true;
}

const generators = [];

/** GetGenerator (table 14): the generator of this number, derived from nothing but the number. */
function generator(index) {
  let x = toInteger(sha256(utf8(`ggen|${index}`))) >> 2n;
  for (;; x += 1n) {
    const point = fromOrdinate(x);
    if (point === null) continue;
    const power8 = point.double().double().double();
    if (power8.is0() || power8.equals(G)) throw new RangeError("a derived generator is trivial"); // probability 2^-250
    return power8;
  }
}

function fromOrdinate(y) {
  if (y >= P) return null;
  try {
    return Point.fromBytes(fromHex(y.toString(16).padStart(64, "0")).reverse(), false);
  } catch {
    return null;
  }
}

/** GetGenerators: h_0 … h_(count-1). */
export function getGenerators(count) {
  if (generators.length < count) {
    const more = [];
    for (let i = generators.length; i < count; i += 1) more.push(generator(i));
    generators.push(...normalised(more));
  }
  return generators.slice(0, count);
}

let secondary = null;

/** GetSecondaryGenerator: h, with a table that makes its powers cheap. */
export function getSecondaryGenerator() {
  secondary ??= normalised([generator(-1)])[0].precompute(8, false);
  return secondary;
}
