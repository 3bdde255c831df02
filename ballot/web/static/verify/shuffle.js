// Shuffles of ranked ciphertexts with proofs (v1 4.19, tables 3 to 16); names and order of draws as in ballot/protocol/shuffle.py.

import { sha256 } from "@noble/hashes/sha2.js";
import { toHex, utf8 } from "../booth/bytes.js";
import { G, modQ, pointText, power, prepare } from "../booth/group.js";
import { hashToScalar } from "../booth/hash.js";
import { ciphertextJson, newCiphertext, write } from "./messages.js";
import { getGenerators, getSecondaryGenerator, normalised, powerProduct } from "./points.js";
import { VerificationError } from "./errors.js";

const STRIDE = 64; // ciphertexts between two words about how far the work is

const serialize = (texts) => texts.map((text) => `${text},`).join("");
const pairs = (ciphertexts) => serialize(ciphertexts.map(({ text }) => `${text.alpha},${text.beta}`));

function nizkpChallenges(count, text) {
  const prefix = toHex(sha256(utf8(text)));
  return Array.from({ length: count }, (_, i) => hashToScalar(prefix + toHex(sha256(utf8(String(i))))));
}

/** Make many points one after the other, cheap to write afterwards. */
function each(count, make, progress) {
  const points = [];
  for (let i = 0; i < count; i += 1) {
    points.push(make(i));
    if (i % STRIDE === 0) progress(STRIDE);
  }
  return normalised(points);
}

export function genPermutation(count, rng) {
  const items = Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => {
    const k = i + Number(rng.below(BigInt(count - i)));
    const drawn = items[k];
    items[k] = items[i];
    return drawn;
  });
}

const draw = (count, rng) => Array.from({ length: count }, () => rng.scalar());
const sumOfProducts = (xs, ys) => xs.reduce((total, x, i) => modQ(total + x * ys[i]), 0n);

function challengeOf(fingerprint, tTexts, strC, cHatTexts, y) {
  return hashToScalar(`shuffle-challenge|${fingerprint}|${serialize(tTexts)}${strC}${serialize(cHatTexts)}${y}`);
}

/** One row of ciphertexts in a new order and re-encrypted, with the proof: { ciphertexts, proof }. `progress` counts powers. */
export function shuffleRow(e, publicKey, fingerprint, rng, progress = () => {}) {
  const n = e.length;
  const y = pointText(publicKey);
  prepare(publicKey);
  // GenShuffle
  const psi = genPermutation(n, rng);
  const rPrime = draw(n, rng);
  const alphas = each(n, (i) => e[i].alpha.add(power(G, rPrime[i])), progress);
  const betas = each(n, (i) => e[i].beta.add(power(publicKey, rPrime[i])), progress);
  const renewed = alphas.map((alpha, i) => newCiphertext(alpha, betas[i]));
  const ePrime = psi.map((j) => renewed[j]);

  // GenShuffleProof
  const h = getSecondaryGenerator();
  const generators = getGenerators(n);
  const r = draw(n, rng);
  const commitments = each(n, (i) => generators[i].add(power(G, r[psi[i]])), progress);
  const c = [];
  psi.forEach((j, i) => {
    c[j] = commitments[i];
  });
  const cTexts = c.map(pointText);
  const strC = pairs(e) + pairs(ePrime) + serialize(cTexts);
  const u = nizkpChallenges(n, `shuffle-challenges|${fingerprint}|${strC}`);
  const uPrime = psi.map((j) => u[j]);

  // Each link of the chain is g^a h^b with known exponents.
  const rHat = draw(n, rng);
  const a = [0n];
  const b = [1n];
  rHat.forEach((value, i) => {
    a.push(modQ(value + uPrime[i] * a[i]));
    b.push(modQ(uPrime[i] * b[i]));
  });
  const omega = draw(4, rng);
  const omegaHat = draw(n, rng);
  const omegaPrime = draw(n, rng);
  const cHat = each(n, (i) => power(G, a[i + 1]).add(power(h, b[i + 1])), progress);
  const tHat = each(n, (i) => power(G, omegaHat[i] + omegaPrime[i] * a[i]).add(power(h, omegaPrime[i] * b[i])), progress);

  // The ω' are secret, and the product of powers takes a time that depends on them: see the head of points.js. Nobody but
  // the holder's own device sees it, and each is used once.
  const over = (points) => powerProduct(points, omegaPrime);
  const t1 = power(G, omega[0]);
  const t2 = power(G, omega[1]);
  const t3 = power(G, omega[2]).add(over(generators));
  const t41 = power(publicKey, -omega[3]).add(over(ePrime.map(({ beta }) => beta)));
  const t42 = power(G, -omega[3]).add(over(ePrime.map(({ alpha }) => alpha)));
  progress(STRIDE);

  const heads = [t1, t2, t3, t41, t42].map(pointText);
  const tHatTexts = tHat.map(pointText);
  const cHatTexts = cHat.map(pointText);
  const challenge = challengeOf(fingerprint, [...heads, ...tHatTexts], strC, cHatTexts, y);
  const v = new Array(n).fill(1n);
  for (let i = n - 2; i >= 0; i -= 1) v[i] = modQ(uPrime[i + 1] * v[i + 1]);
  const s = [
    omega[0] + challenge * r.reduce((total, value) => total + value, 0n),
    omega[1] + challenge * sumOfProducts(rHat, v),
    omega[2] + challenge * sumOfProducts(r, u),
    omega[3] + challenge * sumOfProducts(rPrime, u),
  ].map((value) => String(modQ(value)));
  const sHat = omegaHat.map((w, i) => String(modQ(w + challenge * rHat[i])));
  const sPrime = omegaPrime.map((w, i) => String(modQ(w + challenge * uPrime[i])));
  const [x1, x2, x3, x41, x42] = heads;
  return {
    ciphertexts: ePrime,
    proof: [[x1, x2, x3, [x41, x42], tHatTexts], [...s, sHat, sPrime], cTexts, cHatTexts],
  };
}

/** How many powers `shuffleTally` reports as progress. */
export const workOfShuffle = (rows) => rows.reduce((total, row) => total + 5 * STRIDE * Math.ceil(row.length / STRIDE) + STRIDE, 0);

/** A whole Shuffle, as text: every ranked question of a tally in which earlier shuffles are merged already. */
export function shuffleTally(election, rows, rng, progress) {
  const done = rows.map((row) => shuffleRow(row, election.publicKey, election.fingerprint, rng, progress));
  return write({ ciphertexts: done.map(({ ciphertexts }) => ciphertexts.map(ciphertextJson)), proofs: done.map(({ proof }) => proof) });
}

/** Equations "this product of powers is 1", each raised to a random number of its own, all in one product. */
class OneProduct {
  #rng;
  #exponents = new Map();
  #equations = [];

  constructor(rng) {
    this.#rng = rng;
  }

  equation(name, points, exponents) {
    const weight = this.#rng.scalar();
    points.forEach((point, i) => this.#exponents.set(point, modQ((this.#exponents.get(point) ?? 0n) + weight * exponents[i])));
    this.#equations.push({ name, points, exponents });
  }

  holds() {
    return powerProduct([...this.#exponents.keys()], [...this.#exponents.values()]).is0();
  }

  /** The names of the equations that do not hold. */
  failed() {
    const wrong = this.#equations.filter(({ points, exponents }) => !powerProduct(points, exponents).is0());
    return [...new Set(wrong.map(({ name }) => name))];
  }
}

/** Check one key-holder's parsed shuffle of `rows` (table 7). Throws VerificationError that blames `owner`. */
export function checkShuffle(election, rows, shuffle, owner, rng) {
  const wrong = (what) => new VerificationError(what, `trustee ${owner}`);
  if (rows.length === 0 || shuffle.ciphertexts.length !== rows.length || shuffle.proofs.length !== rows.length) {
    throw wrong("a shuffle does not have one list of ciphertexts and one proof per ranked question");
  }
  rows.forEach((e, row) => {
    const one = new OneProduct(rng);
    if (!gather(one, shuffle.proofs[row], e, shuffle.ciphertexts[row], election)) {
      throw wrong("a shuffle or its proof has another length than the ciphertexts it starts from");
    }
    if (!one.holds()) throw wrong(`the proof of a shuffle does not hold (equation ${one.failed().join(", ")})`);
  });
}

function gather(one, { t, s, c, cHat, text }, e, ePrime, { publicKey, fingerprint }) {
  const n = e.length;
  const [t1, t2, t3, [t41, t42], tHat] = t;
  const [s1, s2, s3, s4, sHat, sPrime] = s;
  if (n === 0 || [ePrime, tHat, sHat, sPrime, c, cHat].some((values) => values.length !== n)) return false;
  const strC = pairs(e) + pairs(ePrime) + serialize(text.c);
  const u = nizkpChallenges(n, `shuffle-challenges|${fingerprint}|${strC}`);
  const tTexts = [text.t[0], text.t[1], text.t[2], ...text.t[3], ...text.t[4]];
  const x = challengeOf(fingerprint, tTexts, strC, text.cHat, pointText(publicKey));
  const h = getSecondaryGenerator();
  const generators = getGenerators(n);
  const minus = c.map(() => -x);
  const minusU = u.map((value) => -x * value);
  const product_ = u.reduce((total, value) => modQ(total * value), 1n);
  one.equation("t1", [t1, ...c, ...generators, G], [-1n, ...minus, ...generators.map(() => x), s1]);
  one.equation("t2", [t2, cHat[n - 1], h, G], [-1n, -x, x * product_, s2]);
  one.equation("t3", [t3, ...c, G, ...generators], [-1n, ...minusU, s3, ...sPrime]);
  one.equation("t4.1", [t41, ...e.map(({ beta }) => beta), publicKey, ...ePrime.map(({ beta }) => beta)], [-1n, ...minusU, -s4, ...sPrime]);
  one.equation("t4.2", [t42, ...e.map(({ alpha }) => alpha), G, ...ePrime.map(({ alpha }) => alpha)], [-1n, ...minusU, -s4, ...sPrime]);
  tHat.forEach((point, i) => one.equation("t̂", [point, cHat[i], G, i === 0 ? h : cHat[i - 1]], [-1n, -x, sHat[i], sPrime[i]]));
  return true;
}
