// What a key-holder's device checks of the whole archive before it shuffles or opens anything, and the checks before an act.
//
// The rules are those of ballot/verifier and ballot/keyholder.py, as far as a key-holder needs them: the file's bytes, the
// chain and its grammar, the set-up, every ballot, the recomputed tally, every shuffle, and every share with its companion
// proofs. The result is not checked here: once it is there, key-holders have nothing left to do.

import { MalformedError } from "../booth/bytes.js";
import { parseElection } from "../booth/election.js";
import { G, ONE, pointText, power } from "../booth/group.js";
import { sha256Hex } from "../booth/hash.js";
import { ArchiveReader, Chain } from "../verify/archive.js";
import { checkBallot, parseBallot } from "../verify/ballots.js";
import { checkCompanion, checkPartialDecryption } from "../verify/decryption.js";
import {
  check, companion, encryptedTallyText, hasKeys, isCount, isObject, isText, key, owned, partialDecryption, read, shuffle, sizedTally,
} from "../verify/messages.js";
import { Membership, normalised } from "../verify/points.js";
import { RefusedError, VerificationError } from "../verify/errors.js";
import { checkShuffle } from "../verify/shuffle.js";
import { areEnough, checkTrustees } from "../verify/trustees.js";

const DECLARATIONS = "ballot-declarations:";
const CREDENTIAL = /^([0-9a-f]{64})(?:,1?(?:,[^,]*)?)?$/;
const MINIMUM = 5; // ballots, where the election declares nothing
const MEMBERS_AT_ONCE = 5000;
const NEUTRAL = pointText(ONE);

/** What the election's own text declares, or null (ballot/protocol/declarations.py). */
export function declarationsOf(description) {
  const lines = description.split("\n");
  const found = lines.filter((line) => line.startsWith(DECLARATIONS));
  if (found.length === 0) return null;
  const line = lines[lines.length - 1];
  const rest = lines.slice(0, -1);
  check(
    found.length === 1 && line.startsWith(`${DECLARATIONS}1 `) && (rest.length === 0 || (rest.length > 1 && rest[rest.length - 1] === "" && rest.slice(0, -1).join("\n") !== "")),
    "the election's declarations must be the last line of its description, once, in version 1",
  );
  const json = read(line.slice(DECLARATIONS.length + 2));
  check(
    hasKeys(json, "companion", "minimum_ballots", "practice", "replace", "roll", "rules") &&
      [json.companion, json.practice, json.replace].every((one) => typeof one === "boolean") &&
      isCount(json.minimum_ballots) && isText(json.roll) && Array.isArray(json.rules) && json.rules.every((rule) => isObject(rule) && isText(rule.rule)),
    "the election's declarations are not well formed",
  );
  return json;
}

/** The bytes of a point, least significant first: ranked ciphertexts stand in this order. */
const littleEndian = (text) => text.match(/../g).reverse().join("");

/**
 * One reading of an archive. Push its bytes, then `finish`. `progress(step, count)` hears how far it is.
 * `known` remembers from one reading to the next which ballots of which election were found good.
 */
export class Verification {
  #reader = new ArchiveReader((entry) => this.#entry(entry));
  #chain = new Chain();
  #membership = new Membership();
  #pending = 0;
  #uuid;
  #known;
  #rng;
  #progress;
  #companionText;
  #companions = null;
  #last = new Map(); // credential -> { ranked, sums }
  #sums = [];
  ballots = 0;
  counted = 0;
  size = null;
  rows = null; // the tally, in which the shuffles so far are merged
  shuffledBy = new Set();
  decryptedBy = new Set();

  constructor({ uuid, companions, rng, known = new Set(), progress = () => {} }) {
    this.#uuid = uuid;
    this.#companionText = companions;
    this.#rng = rng;
    this.#known = known;
    this.#progress = progress;
  }

  push(bytes) {
    this.#reader.push(bytes);
  }

  finish() {
    this.#reader.end();
    this.#chain.end();
    this.#membership.check();
    return this;
  }

  get last() {
    return this.#chain.last;
  }

  get head() {
    return this.#chain.head;
  }

  get rankedIndices() {
    return this.election.questions.flatMap(({ type }, i) => (type === "NonHomomorphic" ? [i] : []));
  }

  get rankedRows() {
    return this.rankedIndices.map((i) => this.rows[i]);
  }

  get minimum() {
    return this.declarations?.minimum_ballots ?? MINIMUM;
  }

  #entry(entry) {
    const link = this.#chain.add(entry);
    if (link === null) return;
    const events = {
      Setup: () => this.#setUp(link),
      Ballot: () => this.#ballot(link),
      EndBallots: () => this.#endBallots(),
      EncryptedTally: () => this.#tally(link),
      Shuffle: () => this.#shuffle(link),
      EndShuffles: () => check(areEnough(this.trustees.groups, this.shuffledBy), "the shuffles were ended before enough key-holders had shuffled"),
      PartialDecryption: () => this.#share(link),
      Result: () => this.#result(),
    };
    events[link.type]();
  }

  #decode = (text) => this.#membership.decode(text);

  #setUp({ parts: [election, trustees, credentials] }) {
    this.election = parseElection(election.text, this.#uuid);
    const { description } = read(election.text);
    this.declarations = declarationsOf(description);
    check(!this.declarations?.rules.length || this.declarations.rules.length === this.election.questions.length, "the election declares rules, but not one for each question");
    this.name = read(election.text).name;
    this.trustees = checkTrustees(trustees.text);
    check(this.trustees.publicKey.equals(this.election.publicKey), "the election's key is not the product of its key-holders' keys");
    const entries = read(credentials.text);
    check(Array.isArray(entries), "the list of credentials is not well formed");
    this.#credentials = new Set(
      entries.map((entry) => {
        const match = isText(entry) ? CREDENTIAL.exec(entry) : null;
        check(match !== null, "a public credential is not well formed, or has a weight");
        key(match[1], this.#decode);
        return match[1];
      }),
    );
    check(this.#credentials.size === entries.length, "a public credential appears twice");
    this.#membership.check();
    this.#membership.forget();
    this.#sums = this.election.questions.map(({ type, answers, blank }) =>
      type === "NonHomomorphic" ? null : Array.from({ length: answers.length + (blank ? 1 : 0) }, () => ({ alpha: ONE, beta: ONE })),
    );
    this.#chain.ranked = this.rankedIndices.length > 0;
    this.#progress("setup", 1);
  }

  #credentials = new Set();

  #ballot({ hash, text }) {
    const ballot = parseBallot(text, this.election, this.#decode);
    const { credentialText, answers } = ballot;
    check(this.#credentials.has(credentialText), "a ballot's credential is not in the election's list");
    const mayReplace = this.declarations?.replace ?? true;
    const before = this.#last.get(credentialText);
    check(before === undefined || mayReplace, "a credential votes a second time, and this election does not permit it");
    const name = `${this.election.fingerprint}|${hash}`;
    if (!this.#known.has(name)) checkBallot(text, ballot, this.election);
    this.#pending += 1;
    if (this.#pending * 8 > MEMBERS_AT_ONCE) this.#settle();
    if (before !== undefined) {
      this.#add(before.sums, (a, b) => a.subtract(b));
      this.#last.delete(credentialText);
    }
    const kept = { ranked: [], sums: [], name };
    answers.forEach(({ choices }, i) => (this.#sums[i] === null ? kept.ranked : kept.sums).push(choices));
    this.#add(kept.sums, (a, b) => a.add(b));
    if (!mayReplace) kept.sums = null;
    this.#last.set(credentialText, kept);
    this.ballots += 1;
    this.#progress("ballots", this.ballots);
  }

  #add(choices, combine) {
    this.#sums
      .filter((row) => row !== null)
      .forEach((row, i) => {
        row.forEach((sum, j) => {
          row[j] = { alpha: combine(sum.alpha, choices[i][j].alpha), beta: combine(sum.beta, choices[i][j].beta) };
        });
      });
  }

  #settle() {
    this.#membership.check();
    this.#membership.forget();
    this.#pending = 0;
  }

  #endBallots() {
    this.#settle();
    for (const { name } of this.#last.values()) this.#known.add(name);
    this.counted = this.#last.size;
  }

  #tally({ message, parts: [published] }) {
    this.size = sizedTally(message);
    check(this.counted > 0, "there is no ballot to tally");
    check(this.size.num_tallied === this.counted && this.size.total_weight === this.counted, "the tally is of another number of ballots than are to be counted");
    const all = [...this.#last.values()];
    let ranked = -1;
    this.rows = this.#sums.map((row) => {
      if (row === null) {
        ranked += 1;
        return sorted(all.map(({ ranked: ciphertexts }) => ciphertexts[ranked]));
      }
      const points = normalised(row.flatMap(({ alpha, beta }) => [alpha, beta]));
      return row.map((_, j) => {
        const [alpha, beta] = [points[2 * j], points[2 * j + 1]];
        return { alpha, beta, text: { alpha: pointText(alpha), beta: pointText(beta) } };
      });
    });
    check(encryptedTallyText(this.rows) === published.text, "the encrypted tally is not what the counted ballots come to");
    check(this.rows.every((row) => row.every(({ text }) => text.alpha !== NEUTRAL)), "a sum of ballots hides nothing");
    this.#last.clear();
    this.#progress("tally", 1);
  }

  #owner(message, taken) {
    const { owner } = owned(message);
    check(1 <= owner && owner <= this.trustees.keys.length, `there is no key-holder ${owner}`);
    check(!taken.has(owner), `key-holder ${owner} appears twice`);
    taken.add(owner);
    return owner;
  }

  #shuffle({ message, parts: [{ text }] }) {
    const owner = this.#owner(message, this.shuffledBy);
    const parsed = shuffle(read(text), this.#decode);
    this.#settle();
    checkShuffle(this.election, this.rankedRows, parsed, owner, this.#rng);
    this.rankedIndices.forEach((i, at) => {
      this.rows[i] = parsed.ciphertexts[at];
    });
    this.#progress("shuffles", this.shuffledBy.size);
  }

  #share({ message, parts: [{ hash, text }] }) {
    const owner = this.#owner(message, this.decryptedBy);
    const parsed = partialDecryption(read(text), this.#decode);
    this.#settle();
    const publicKey = this.trustees.keys[owner - 1];
    checkPartialDecryption(this.election.fingerprint, this.rows, publicKey, parsed, owner);
    const proofs = this.#proofs().get(owner);
    if (proofs !== undefined) checkCompanion(this.election, this.rows, publicKey, parsed, hash, proofs, owner);
    else if (this.declarations?.companion) {
      throw new VerificationError(`key-holder ${owner}'s share comes without the companion proofs that this election requires`, `trustee ${owner}`);
    }
    this.#progress("shares", this.decryptedBy.size);
  }

  #proofs() {
    this.#companions ??= companionsOf(this.#companionText);
    return this.#companions;
  }

  #result() {
    check(areEnough(this.trustees.groups, this.decryptedBy), "there is a result without enough shares");
    check([...this.#proofs().keys()].every((owner) => this.decryptedBy.has(owner)), "there are companion proofs without a share");
  }
}

function sorted(ciphertexts) {
  const order = (one) => littleEndian(one.text.alpha) + littleEndian(one.text.beta);
  return ciphertexts
    .map((one) => [order(one), one])
    .sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
    .map(([, one]) => one);
}

function companionsOf(text) {
  if (text === null || text.trim() === "") return new Map();
  const all = read(text.trim());
  check(Array.isArray(all), "the companion proofs are not well formed");
  const byOwner = new Map();
  let before = 0;
  for (const one of all) {
    const parsed = companion(one);
    check(parsed.owner > before, "companion proofs must stand in the order of their owners");
    before = parsed.owner;
    byOwner.set(before, parsed);
  }
  return byOwner;
}

/** The 8 characters that key-holders compare aloud. */
export const totalCode = ({ size }) => size.encrypted_tally.slice(0, 8);

/** The owner whose key this is in the election's set-up. Throws RefusedError if it is nobody's. */
export function ownerOf(board, privateKey) {
  const at = board.trustees.texts.indexOf(pointText(power(G, privateKey)));
  if (at < 0) throw new RefusedError("This key is none of the keys of this ballot box.");
  return at + 1;
}

/** Every check before an act ("shuffle" or "decrypt"), but the record of earlier use. Throws RefusedError, VerificationError. */
export function prepare(board, keyFile, act) {
  if (keyFile.privateKey === null) throw new RefusedError("This key file is not finished.");
  if (keyFile.election !== board.election.uuid) throw new RefusedError("This key is for another ballot.");
  const owner = ownerOf(board, keyFile.privateKey);
  if (owner !== keyFile.owner) throw new RefusedError(`This key is key-holder ${owner}'s, and the file says ${keyFile.owner}.`);
  const due = notDue(board, owner, act);
  if (due !== null) throw new RefusedError(due);
  if (board.counted !== board.size.num_tallied) throw new VerificationError("the tally's own number of ballots is not what was counted");
  if (board.counted < board.minimum) {
    throw new RefusedError(
      `Only ${board.counted} ballots are counted, and fewer than ${board.minimum} are not opened: the result could show how single members voted.`,
    );
  }
  return owner;
}

function notDue(board, owner, act) {
  const { last } = board;
  if (["Setup", "Ballot", "EndBallots"].includes(last)) return "Voting is not closed, or the count has not begun: there is nothing to do for key-holders yet.";
  if (last === "Result") return "The result is there already: nothing is left to do for key-holders.";
  const ranked = board.rankedIndices.length > 0;
  if (act === "shuffle") {
    if (!ranked) return "Nothing is ranked in this ballot, so nothing needs shuffling.";
    if (!["EncryptedTally", "Shuffle"].includes(last)) return "Shuffling is finished.";
    return board.shuffledBy.has(owner) ? "Your shuffle is in the ballot box already." : null;
  }
  if (ranked && !["EndShuffles", "PartialDecryption"].includes(last)) return "The ballots are still being shuffled; opening comes after that.";
  return board.decryptedBy.has(owner) ? "Your share is in the ballot box already." : null;
}

/** What a key is about to be used for, to be compared with the record of its earlier use and written down before. */
export function useOf(board, act) {
  return {
    act,
    election: board.election.uuid,
    fingerprint: board.election.fingerprint,
    tally: board.size.encrypted_tally,
    opened: act === "decrypt" ? sha256Hex(encryptedTallyText(board.rows)) : null,
  };
}

/** Throws RefusedError if this use does not go with an earlier one of the same election (ballot/keyholder.py). */
export function compareUse(before, now) {
  for (const one of before) {
    check(hasKeys(one, "act", "election", "fingerprint", "tally", "opened"), "the record of earlier use cannot be read");
    if (one.election !== now.election) continue;
    const sameTally = one.fingerprint === now.fingerprint && one.tally === now.tally;
    const sameOpened = one.opened === null || now.opened === null || one.opened === now.opened;
    if (!sameTally || !sameOpened) {
      throw new RefusedError(
        "This key was used on this device for another tally of this ballot. Opening a second one could show single votes. Tell the returning officer and an auditor.",
      );
    }
  }
}

export { MalformedError };
