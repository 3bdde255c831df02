// The parts of a verification that are worth a processor each. Every one is a function of texts and numbers alone, so that it
// runs in any worker; points are decoded, and their membership of the group checked, where they are first read.
//
// What is wrong with a message comes back as { rule, reason, blame? }; only what nobody planned for is thrown.

import { fromHex, MalformedError, toInteger } from "../booth/bytes.js";
import { G, modQ, ofInts, ONE, parsePoint, pointText, Q } from "../booth/group.js";
import { sha256Hex } from "../booth/hash.js";
import { checkBallot } from "./ballots.js";
import { checkCompanion, checkPartialDecryption } from "./decryption.js";
import { InvalidBallotError, InvalidProofError, VerificationError } from "./errors.js";
import { Membership, normalised, publicPower } from "./points.js";
import { readBallot, readCompanion, readElection, readShare, readShuffle, readTrustees } from "./reading.js";
import { checkShuffle } from "./shuffle.js";
import { checkTrustees } from "./trustees.js";

const Point = G.constructor;
const PADDING = 14n; // 5.2.1: p
const elections = new Map(); // by text; a worker sees one or two

export function electionOf(text) {
  if (!elections.has(text)) {
    if (elections.size > 8) elections.clear();
    elections.set(text, readElection(text));
  }
  return elections.get(text);
}

/** A point whose membership was checked before, by whoever read it first. */
export const trusted = (text) => Point.fromBytes(fromHex(text).reverse(), false);

/** Read with a decoder whose points are checked together at the end. Throws MalformedError. */
function reading(read) {
  const membership = new Membership();
  const value = read((text) => membership.decode(text));
  membership.check();
  return value;
}

const problem = (rule, reason, blame = undefined) => (blame === undefined ? { rule, reason } : { rule, reason, blame });

/** The problem that a check finds; `rules` are [class, rule, words before the reason]. null if it finds none. */
function found(check, rules, blame) {
  try {
    check();
    return null;
  } catch (error) {
    for (const [kind, rule, words = ""] of rules) if (error instanceof kind) return problem(rule, words + error.message, blame);
    throw error;
  }
}

// --- the set-up

/** The election's key-holders: { publicKey, keys, groups } as texts; a problem of the set-up's form comes with its own rule. */
function trustees({ text }) {
  let items;
  const malformed = found(() => { items = readTrustees(text); }, [[MalformedError, "setup-form"]]);
  if (malformed !== null) return malformed;
  try {
    const { publicKey, texts, groups } = checkTrustees(items);
    return { publicKey: pointText(publicKey), keys: texts, groups };
  } catch (error) {
    if (error instanceof VerificationError && error.blame !== null) return problem("trustees", error.message, error.blame);
    if (error instanceof VerificationError || error instanceof MalformedError) return problem("trustees", error.message);
    throw error;
  }
}

// --- ballots

// Ballots whose proofs hold, by election and text: a second reading of the same ballot box is quick.
const good = new Set();

/** For each text a function that gives the parsed ballot, or throws MalformedError. */
function* parsedBallots(texts, isGood) {
  const membership = new Membership();
  const parsed = texts.map((text, i) => {
    try {
      return readBallot(text, isGood(i) ? trusted : (one) => membership.decode(one));
    } catch (error) {
      if (error instanceof MalformedError) return null;
      throw error;
    }
  });
  let together = true;
  try {
    membership.check();
  } catch {
    together = false;
  }
  // Read again one by one only where something is wrong: then it matters which ballot it is.
  for (const [i, text] of texts.entries()) yield together && parsed[i] !== null ? () => parsed[i] : () => reading((point) => readBallot(text, point));
}

function checkOne(election, text, read, name) {
  let ballot;
  const wrong = found(() => { ballot = read(); }, [[MalformedError, "ballot-form"]]);
  if (wrong !== null) return { wrong };
  if (ballot.election_uuid !== election.uuid || ballot.election_hash !== election.fingerprint) {
    return { wrong: problem("ballot-election", "a ballot was made for another election, or for other questions") };
  }
  if (good.has(name)) return { wrong: null, ballot };
  const rules = [[InvalidProofError, "ballot-proof", "a ballot's proofs do not hold: "], [InvalidBallotError, "ballot-form"]];
  const bad = found(() => checkBallot(text, ballot, election), rules);
  if (bad === null) good.add(name);
  return { wrong: bad, ballot };
}

/** Products of ciphertexts by homomorphic question and choice, as points. */
const emptyProducts = (election) =>
  election.questions.filter(({ type }) => type === "Homomorphic").map(({ length }) => Array.from({ length }, () => ({ alpha: ONE, beta: ONE })));

function written(rows) {
  const points = normalised(rows.flatMap((row) => row.flatMap(({ alpha, beta }) => [alpha, beta])));
  let at = 0;
  return rows.map((row) => row.map(() => ({ alpha: pointText(points[at++]), beta: pointText(points[at++]) })));
}

/** Ballots at heights `first`, `first` + 1, …, up to the first one that is refused: what the recount needs of each, and their product. */
function ballots({ election: electionText, first, texts, keepSums }) {
  const election = electionOf(electionText);
  const products = emptyProducts(election);
  const checked = [];
  let refusal = null;
  const names = texts.map((text) => `${election.fingerprint}|${sha256Hex(text ?? "")}`);
  let height = first;
  for (const read of parsedBallots(texts, (i) => good.has(names[i]))) {
    const { wrong, ballot } = checkOne(election, texts[height - first], read, names[height - first]);
    if (wrong !== null) {
      refusal = { ...wrong, height };
      break;
    }
    const sums = ballot.answers.filter(({ type }) => type === "Homomorphic").map(({ choices }) => choices);
    sums.forEach((choices, i) => {
      products[i] = products[i].map(({ alpha, beta }, j) => ({ alpha: alpha.add(choices[j].alpha), beta: beta.add(choices[j].beta) }));
    });
    checked.push({
      height,
      credential: ballot.credentialText,
      ranked: ballot.answers.filter(({ type }) => type === "NonHomomorphic").map(({ choices }) => choices.text),
      sums: keepSums ? sums.map((choices) => choices.map(({ text }) => text)) : null,
    });
    height += 1;
  }
  return { ballots: checked, products: written(products), refusal };
}

// --- the list of credentials

/** Whether these texts are credentials: group elements other than the neutral one. */
function credentials({ texts }) {
  return found(
    () =>
      reading((point) => {
        for (const text of texts) if (point(text).equals(ONE)) throw new MalformedError("the neutral element cannot be a key, a credential or alpha");
      }),
    [[MalformedError, "credentials"]],
  );
}

// --- shuffles, shares

/** Rows of ciphertexts with their points, which were checked before. */
export const points = (rows) => rows.map((row) => row.map((text) => ({ alpha: trusted(text.alpha), beta: trusted(text.beta), text })));

/** One key-holder's shuffle of `rows`, the ranked rows before it. */
function shuffle({ election: electionText, owner, rows, text }) {
  const blame = `trustee ${owner}`;
  let parsed;
  const malformed = found(() => {
    parsed = reading((point) => readShuffle(text, point));
    if (parsed.ciphertexts.length !== rows.length) throw new MalformedError("a shuffle does not have one list of ciphertexts per ranked question");
    if (parsed.ciphertexts.some((row, i) => row.length !== rows[i].length)) throw new MalformedError("a shuffle has another number of ciphertexts than the tally");
  }, [[MalformedError, "shuffle-form", `key-holder ${owner}'s shuffle: `]], blame);
  if (malformed !== null) return malformed;
  const rules = [[VerificationError, "shuffle-proof", `key-holder ${owner}: `], [MalformedError, "shuffle-proof", `key-holder ${owner}: `]];
  return found(() => checkShuffle(electionOf(electionText), points(rows), parsed, owner, weights), rules, blame);
}

/** Numbers that nobody can foretell, with which a shuffle's equations are checked in one go. */
const weights = {
  scalar() {
    return toInteger(crypto.getRandomValues(new Uint8Array(64))) % Q;
  },
};

/** One key-holder's share of opening `rows`, as far as v1's proofs can tell. */
function share({ election, owner, key, rows, text }, progress) {
  const blame = `trustee ${owner}`;
  return found(() => {
    const parsed = reading((point) => readShare(text, point));
    checkPartialDecryption(electionOf(election).fingerprint, points(rows), parsePoint(key), parsed, owner, progress);
  }, [[MalformedError, "decryption-form", `key-holder ${owner}: `], [VerificationError, "decryption-proof"]], blame);
}

/** The companion proofs of a share. The share itself is checked beside, and its verdict comes first. */
function companion({ election, owner, key, rows, text, hash, proofs }, progress) {
  const blame = `trustee ${owner}`;
  return found(() => {
    const parsed = readShare(text, trusted);
    checkCompanion(electionOf(election), points(rows), parsePoint(key), parsed, hash, readCompanion(proofs), owner, progress);
  }, [[MalformedError, "companion-form", `key-holder ${owner}: `], [VerificationError, "companion-proof"]], blame);
}

// --- opening (4.21)

/** The coefficient of `index` when a polynomial is interpolated from `indices` at the place `at`. */
function lagrange(indices, index, at) {
  let numerator = 1n;
  let denominator = 1n;
  for (const k of indices) {
    if (k === index) continue;
    numerator = modQ(numerator * BigInt(k - at));
    denominator = modQ(denominator * BigInt(k - index));
  }
  return modQ(numerator * inverse(denominator));
}

function inverse(value) {
  let [a, b, x, y] = [value, Q, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return modQ(x);
}

function smallPower(point, exponent) {
  return exponent > Q / 2n ? publicPower(point, Q - exponent).negate() : publicPower(point, exponent);
}

const interpolate = (columns, indices, at, place) =>
  indices.map((index, i) => smallPower(columns[i][place], lagrange(indices, index, at))).reduce((total, point) => total.add(point));

/**
 * Divide the key-holders' factors out of some ciphertexts, whose betas these are. `items` are the groups, each with the
 * columns of factors in use and, of a threshold group, the members' indices; `further` are shares beyond those needed, which
 * have to agree. Gives the plaintexts' texts, the rankings where `answers` says how many numbers each holds, and disagreements.
 */
function open({ betas, items, answers }) {
  const columns = items.map(({ used }) => used.map(({ factors }) => factors.map(trusted)));
  const disagreements = [];
  items.forEach(({ used, further }, item) => {
    const indices = used.map(({ index }) => index);
    further.forEach(({ index, factors }, at) => {
      const place = factors.findIndex((text, i) => !interpolate(columns[item], indices, index, i).equals(trusted(text)));
      if (place >= 0) disagreements.push({ item, further: at, place });
    });
  });
  const elements = betas.map((beta, place) => {
    const factors = items.map(({ used, threshold }, item) =>
      threshold === null ? columns[item][0][place] : interpolate(columns[item], used.map(({ index }) => index), 0, place),
    );
    return factors.reduce((left, factor) => left.subtract(factor), trusted(beta));
  });
  const texts = normalised(elements).map(pointText);
  if (answers === null) return { texts, disagreements };
  const read = new Map();
  for (const text of texts) if (!read.has(text)) read.set(text, rankingIn(text, answers));
  return { rankings: texts.map((text) => read.get(text)), disagreements };
}

/** The integers that a group element embeds (5.2.1), and whether it is exactly what sealing software makes of them. */
function rankingIn(text, count) {
  const packed = (BigInt(`0x${text}`) >> PADDING) & ((1n << BigInt(8 * count)) - 1n);
  const values = Array.from({ length: count }, (_, i) => Number((packed >> BigInt(8 * (count - 1 - i))) & 255n));
  return { values, canonical: pointText(ofInts(values)) === text };
}

/** For each text of g^k with 0 ≤ k ≤ bound, its k; null without one. Baby steps, giant steps. */
function logarithms({ texts, bound }) {
  const wanted = new Set(texts);
  const width = Math.max(1, Math.min(bound + 1, Math.floor(Math.sqrt((bound + 1) * wanted.size)) + 1));
  const steps = [ONE];
  while (steps.length <= width) steps.push(steps[steps.length - 1].add(G));
  const giant = steps.pop();
  const table = new Map(normalised(steps).map((point, k) => [pointText(point), k]));
  const known = new Map();
  for (const text of wanted) {
    let step = trusted(text);
    known.set(text, null);
    for (let base = 0; base <= bound; base += width) {
      const k = table.get(pointText(step));
      if (k !== undefined) {
        if (base + k <= bound) known.set(text, base + k);
        break;
      }
      step = step.subtract(giant);
    }
  }
  return texts.map((text) => known.get(text));
}

export const tasks = { trustees, ballots, credentials, shuffle, share, companion, open, logarithms };
