// The verification of one archive in the browser: the numbered steps, rules, heights and words of ballot/verifier/verify.py.
//
// The file is read once, as a stream. Checks that take long go to a pool of workers; verdicts are taken in the order of the
// events, so the first broken rule is reported, however many workers there are. An exception that nobody planned for is a refusal.

import words from "./words.json" with { type: "json" };
import { MalformedError } from "../booth/bytes.js";
import { ONE, pointText } from "../booth/group.js";
import { ArchiveReader } from "./archive.js";
import { Chain, refuse, SERVER } from "./chain.js";
import { ArchiveRefusedError, UnusableError } from "./errors.js";
import { normalised } from "./points.js";
import { declarationsOf, readCompanions, readCredentials, readResult, readTally } from "./reading.js";
import { inline } from "./pool.js";
import { electionOf, trusted } from "./tasks.js";
import { missing } from "./trustees.js";

export const STEPS = words.steps; // [{ number, name, title }]
const RULES = new Map(words.rules.map((rule) => [rule.id, rule]));
const CREDENTIAL = /^([0-9a-f]{64})(?:,1?(?:,[^,]*)?)?$/;
const NEUTRAL = pointText(ONE);
const CHUNK = 64; // ballots sent to a worker at once
const CHUNK_LENGTH = 1 << 16; // characters: as much again is a part of a second's work
const CREDENTIALS = 1000; // sent to a worker at once
const CIPHERTEXTS = 128; // opened by a worker at once

const number = (value) => String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");
const counted = (value, thing) => `${number(value)} ${thing}${value === 1 ? "" : "s"}`;
const byKeyHolders = (owners) => `${owners.size}, by key-holder${owners.size === 1 ? "" : "s"} ${[...owners].sort((a, b) => a - b).join(", ")}`;

/** The bytes of a point, least significant first: ranked ciphertexts stand in this order. */
const littleEndian = (text) => text.match(/../g).reverse().join("");

function sorted(ciphertexts) {
  return ciphertexts
    .map((one) => [littleEndian(one.alpha) + littleEndian(one.beta), one])
    .sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
    .map(([, one]) => one);
}

/** Whether the ranks that are used are exactly 1 … k, each once (0: not ranked). */
export function isRanking(values) {
  const used = values.filter((value) => value !== 0).sort((a, b) => a - b);
  return used.every((value, i) => value === i + 1);
}

/** What is wrong with a question's totals, given the number of counted ballots; null if nothing. */
export function checkTotals({ blank, min, max, length }, totals, ballots) {
  if (totals.length !== length || totals.some((n) => n < 0 || n > ballots)) return "a total is below 0 or above the number of ballots";
  const voting = blank ? ballots - totals[0] : ballots;
  const chosen = blank ? totals.slice(1) : totals;
  if (chosen.some((n) => n > voting)) return "an answer has more votes than there are ballots that are not blank";
  const sum = chosen.reduce((total, n) => total + n, 0);
  if (sum < min * voting || sum > max * voting) return "the votes do not add up to a number that the ballots can have";
  return null;
}

/** What `check` gives; a MalformedError becomes a refusal by this rule. */
function formed(rule, height, check, before = "", blame = SERVER) {
  try {
    return check();
  } catch (error) {
    if (error instanceof MalformedError) throw refuse(rule, before + error.message, height, blame);
    throw error;
  }
}

export class Verifier {
  #reader = new ArchiveReader();
  #chain = null;
  #ended = false; // refused, or unusable
  #pool;
  #pins;
  #results;
  #companionText;
  #companions = null; // owner -> text
  #progress;
  #size; // of the file in bytes, null where it is not known
  #read = 0;
  #recount;
  #lookFor;
  // Ballots: read but not sent; sent.
  #waiting = [];
  #waitingFirst = 0;
  #seen = 0;
  #chunks = [];
  #last = new Map(); // credential -> what was checked of its last ballot
  #products = [];
  #electionText = "";
  #credentials = new Set();
  #pending = []; // checks under way, in the order of events: { step, promise }
  #seed = ""; // the hash of the last event before the decryptions: where lots come from
  #shares = new Map(); // owner -> [question][place] of factors' texts

  election = null;
  declarations = null;
  trustees = null;
  size = null; // the tally's
  rows = null; // the tally, in which the shuffles so far are merged, as texts
  shuffledBy = new Set();
  decryptedBy = new Set();
  places = new Map(); // where ballots stand whose codes were asked for: object hash -> height
  report = {
    outcome: "unfinished", sentence: "", refusal: null, steps: {}, notes: [], uuid: null, name: null, fingerprint: null,
    height: null, head: null, credentials: 0, ballots: 0, counted: 0, result: null, verdicts: [], recounted: [],
  };

  /**
   * `companion` and `results` are the texts of the files beside the archive, null without; `pins` are [height, hash] of events seen
   * before; `lookFor` are hashes of ballots whose `places` are wanted; `recount` counts the result by the declared rules (recount.js), null for who needs no result; `progress(step, fraction,
   * ballots)` hears how far the work is, from 0 to 1 where that is known.
   */
  constructor({ companion = null, results = null, pins = [], lookFor = [], pool = inline, recount = null, progress = () => {}, size = null } = {}) {
    this.#companionText = companion;
    this.#results = results;
    this.#pins = pins;
    this.#pool = pool;
    this.#progress = progress;
    this.#size = size;
    this.#recount = recount;
    this.#lookFor = new Set(lookFor);
  }

  /** Verify an archive that comes in pieces; the report says what was found. */
  async verify(pieces) {
    for await (const piece of pieces) if (!(await this.push(piece))) break;
    return this.finish();
  }

  /** More bytes of the archive. False when the outcome is known already. */
  push(bytes) {
    return this.#attempt(async () => {
      this.#read += bytes.length;
      this.#reader.push(bytes);
      await this.#entries();
    });
  }

  /** No more bytes follow: the report. */
  async finish() {
    await this.#attempt(async () => {
      await this.#end();
      this.#conclude();
    });
    return this.report;
  }

  async #attempt(work) {
    if (this.#ended) return false;
    try {
      this.#chain ??= new Chain(this.#pinned());
      await work();
    } catch (error) {
      this.#ended = true;
      const { refusal, ...found } = await this.#answer(error);
      if (refusal !== undefined) this.#refused(refusal);
      else Object.assign(this.report, found);
    }
    return !this.#ended;
  }

  /** What an error comes to. An earlier event may be refused too, by a check that is still under way, and comes first. */
  async #answer(error) {
    const internal = (one) => ({ refusal: refuse("internal", `a check could not be completed (${one?.name}: ${one?.message})`, null, null) });
    if (error instanceof UnusableError) return { outcome: "unusable", sentence: error.message };
    const ofTheFile = error instanceof MalformedError;
    if (!ofTheFile && !(error instanceof ArchiveRefusedError)) return internal(error);
    try {
      await this.#drain();
    } catch (earlier) {
      return earlier instanceof ArchiveRefusedError ? { refusal: earlier } : internal(earlier);
    }
    if (!ofTheFile) return { refusal: error };
    return { refusal: refuse("archive-bytes", error.message, this.report.height === null ? 0 : this.report.height + 1, null) };
  }

  #pinned() {
    const seen = new Map();
    for (const [height, hash] of this.#pins) {
      if ((seen.get(height) ?? hash) !== hash) throw refuse("pin", "two different events were seen at this height: one of the views was false", height);
      seen.set(height, hash);
    }
    return seen;
  }

  #refused({ rule, message, height, blame }) {
    const { title, step, statement } = RULES.get(rule) ?? {};
    this.report.outcome = "refused";
    this.report.refusal = { rule, height, blame, step, title, statement };
    this.report.result = null;
    this.report.sentence = message.endsWith(".") ? message : `${message}.`;
  }

  // --- reading

  async #end() {
    this.#reader.end();
    this.#chain.end();
    await this.#drain();
    const { report } = this;
    report.steps.ARCHIVE = "header, names, hashes and padding are the reference tool's, to the byte";
    if (this.last !== null) {
      const pinned = new Set(this.#pins.map(([height]) => height)).size;
      const seen = pinned > 0 ? `; ${pinned} of them as seen before` : "";
      report.steps.CHAIN = `${counted(report.height + 1, "event")}, each after its parent, nothing missing and nothing too much${seen}`;
    }
  }

  /** The type of the newest event, null where there is none. */
  get last() {
    return this.#chain.last;
  }

  async #entries() {
    for (const entry of this.#reader.entries()) {
      const link = this.#chain.add(entry);
      if (link === null) continue;
      this.report.height = link.height;
      this.report.head = link.hash;
      await this.#event(link);
    }
  }

  async #event(link) {
    switch (link.type) {
      case "Setup":
        await this.#setUp(link);
        this.#chain.ranked = this.rankedIndices.length > 0;
        return undefined;
      case "Ballot":
        return this.#ballot(link);
      case "EndBallots":
        return this.#endBallots();
      case "EncryptedTally":
        return this.#tally(link);
      case "Shuffle":
        return this.#shuffle(link);
      case "EndShuffles":
        return this.#endShuffles(link);
      case "PartialDecryption":
        return this.#share(link);
      default:
        return this.#result(link);
    }
  }

  get rankedIndices() {
    return this.election.questions.flatMap(({ type }, i) => (type === "NonHomomorphic" ? [i] : []));
  }

  get mayReplace() {
    return this.declarations?.replace ?? true;
  }

  /** A check under way in a worker; a problem that it finds is a refusal at this height. */
  #later(step, height, name, given) {
    const progress = () => this.#progress(step, null);
    const promise = this.#pool.run(name, given, progress);
    promise.catch(() => {}); // heard of in turn
    this.#pending.push({ step, height, promise });
  }

  /** Wait for every check that is under way, in the order of events. */
  async #drain() {
    this.#flush();
    while (this.#chunks.length > 0) await this.#collect();
    const total = this.#pending.length;
    while (this.#pending.length > 0) {
      const { step, height, promise } = this.#pending.shift();
      this.#progress(step, total > 1 ? 1 - this.#pending.length / total : null);
      await this.#nothingAfterAFailure(async () => {
        const wrong = await promise;
        if (wrong !== null) throw refuse(wrong.rule, wrong.reason, height, wrong.blame);
      });
    }
  }

  /** The oldest check under way decides: when it fails, the others are of later events and are given up. */
  async #nothingAfterAFailure(check) {
    try {
      await check();
    } catch (error) {
      this.#waiting = [];
      this.#chunks = [];
      this.#pending = [];
      throw error;
    }
  }

  // --- 3 set-up

  async #setUp({ parts: [election, trustees, credentials] }) {
    const { report } = this;
    this.#progress("SETUP", null);
    formed("setup-form", 0, () => {
      this.election = electionOf(election.text);
      if (this.election.questions.length === 0) throw new MalformedError("the election has no question");
    });
    this.#electionText = election.text;
    const checked = await this.#pool.run("trustees", { text: trustees.text });
    if (checked.rule === "setup-form") throw refuse(checked.rule, checked.reason, 0);
    const entries = formed("setup-form", 0, () => readCredentials(credentials.text));
    const { uuid, name, fingerprint } = this.election;
    Object.assign(report, { uuid, name, fingerprint });
    if ("rule" in checked) throw refuse(checked.rule, checked.reason, 0, checked.blame);
    if (checked.publicKey !== pointText(this.election.publicKey)) throw refuse("election-key", "the election's key is not the product of its trustees' keys", 0);
    this.trustees = checked;
    await this.#readCredentials(entries);
    this.declarations = formed("declarations", 0, () => {
      const declared = declarationsOf(this.election.description);
      if (declared !== null && declared.rules.length > 0 && declared.rules.length !== this.election.questions.length) {
        throw new MalformedError("the election declares rules, but not one for each question");
      }
      return declared;
    });
    this.#products = this.election.questions
      .filter(({ type }) => type === "Homomorphic")
      .map(({ length }) => Array.from({ length }, () => ({ alpha: ONE, beta: ONE })));
    report.credentials = this.#credentials.size;
    report.steps.SETUP = `${counted(this.election.questions.length, "question")}, ${counted(this.trustees.keys.length, "key-holder")}, ${counted(this.#credentials.size, "credential")}`;
    if (this.declarations === null) report.notes.push(words.notes.plain);
    else if (this.declarations.practice) report.notes.push(words.notes.practice);
  }

  async #readCredentials(entries) {
    const bad = (reason) => refuse("credentials", reason, 0);
    const texts = entries.map((entry) => {
      const match = CREDENTIAL.exec(entry);
      if (match === null) throw bad(`'${entry.slice(0, 70)}' is not a public credential without weight`);
      return match[1];
    });
    const parts = [];
    for (let at = 0; at < texts.length; at += CREDENTIALS) parts.push(this.#pool.run("credentials", { texts: texts.slice(at, at + CREDENTIALS) }));
    for (const wrong of await Promise.all(parts)) if (wrong !== null) throw bad(wrong.reason);
    this.#credentials = new Set(texts);
    if (this.#credentials.size !== texts.length) throw bad("a public credential appears twice");
  }

  // --- 4, 5 ballots

  async #ballot({ height, object, text }) {
    this.#seen += 1;
    if (this.#lookFor.has(object)) this.places.set(object, height);
    if (this.#waiting.length === 0) this.#waitingFirst = height;
    this.#waiting.push(text);
    const length = this.#waiting.reduce((total, one) => total + (one?.length ?? 0), 0);
    if (this.#waiting.length === CHUNK || length > CHUNK_LENGTH) this.#flush();
    while (this.#chunks.length > 3 * this.#pool.size) await this.#collect();
  }

  #flush() {
    if (this.#waiting.length === 0) return;
    const given = { election: this.#electionText, first: this.#waitingFirst, texts: this.#waiting, keepSums: this.mayReplace };
    const promise = this.#pool.run("ballots", given);
    promise.catch(() => {});
    this.#chunks.push(promise);
    this.#waiting = [];
  }

  /** Take the oldest chunk's outcome, then compare its credentials, in the order of the ballots. */
  async #collect() {
    const oldest = this.#chunks.shift();
    await this.#nothingAfterAFailure(async () => {
      const { ballots, products, refusal } = await oldest;
      for (const ballot of ballots) this.#count(ballot);
      if (refusal !== null) throw refuse(refusal.rule, refusal.reason, refusal.height);
      this.#combine(products, (a, b) => a.add(b));
    });
    const checked = this.report.ballots / this.#seen;
    this.#progress("BALLOTS", this.#size === null ? null : (this.#read / this.#size) * checked, this.report.ballots);
  }

  #combine(rows, combine) {
    rows.forEach((row, i) => {
      this.#products[i] = this.#products[i].map(({ alpha, beta }, j) => ({ alpha: combine(alpha, trusted(row[j].alpha)), beta: combine(beta, trusted(row[j].beta)) }));
    });
  }

  #count(ballot) {
    const { credential, height } = ballot;
    if (!this.#credentials.has(credential)) throw refuse("ballot-credential", "a ballot's credential is not in the election's list", height);
    this.report.ballots += 1;
    const replaced = this.#last.get(credential);
    if (replaced !== undefined) {
      if (!this.mayReplace) {
        throw refuse("ballot-twice", `a credential that voted at event ${replaced.height} votes again, and this election does not permit it`, height);
      }
      this.#combine(replaced.sums, (a, b) => a.subtract(b));
      this.#last.delete(credential);
    }
    this.#last.set(credential, ballot);
  }

  async #endBallots() {
    this.#flush();
    while (this.#chunks.length > 0) await this.#collect();
    const { report, declarations } = this;
    report.counted = this.#last.size;
    const replaced = report.ballots - report.counted;
    report.steps.BALLOTS = counted(report.ballots, "ballot");
    report.steps.LAST = `${number(report.counted)} counted${replaced > 0 ? `, ${number(replaced)} replaced by a later one` : ""}`;
    if (replaced > 0 && declarations === null) {
      report.notes.push(`${replaced === 1 ? "1 ballot was" : `${number(replaced)} ballots were`} replaced: the last one of each credential counts, as in every v1 election.`);
    }
    if (declarations !== null && report.counted < declarations.minimum_ballots) {
      report.notes.push(
        `Only ${number(report.counted)} ballots were cast, fewer than the ${declarations.minimum_ballots} that protect secrecy: key-holders should not have opened them.`,
      );
    }
  }

  // --- 6 encrypted tally

  async #tally({ height, hash, message, parts: [published] }) {
    const { report } = this;
    this.#progress("TALLY", null);
    const wrong = (reason) => refuse("tally", reason, height);
    if (this.#last.size === 0) throw wrong("there is no ballot to tally");
    const all = [...this.#last.values()];
    const products = this.#products.values();
    let ranked = -1;
    const rows = this.election.questions.map(({ type }) => {
      if (type === "NonHomomorphic") {
        ranked += 1;
        return sorted(all.map((ballot) => ballot.ranked[ranked]));
      }
      const points = normalised(products.next().value.flatMap(({ alpha, beta }) => [alpha, beta])).map(pointText);
      return points.flatMap((alpha, i) => (i % 2 === 0 ? [{ alpha, beta: points[i + 1] }] : []));
    });
    this.size = message;
    if (message.num_tallied !== report.counted || message.total_weight !== report.counted) {
      throw wrong(`the tally is of ${message.num_tallied} ballots, and ${report.counted} are to be counted`);
    }
    if (JSON.stringify(rows) !== published.text) {
      formed("tally-form", height, () => readTally(published.text));
      throw wrong("the encrypted tally is not what the counted ballots come to");
    }
    if (rows.some((row) => row.some(({ alpha }) => alpha === NEUTRAL))) throw wrong("a sum of ballots hides nothing, because their random numbers cancel out");
    this.rows = rows;
    this.#seed = hash;
    this.#last.clear();
    report.steps.TALLY = `of ${counted(report.counted, "ballot")}, recomputed and equal`;
  }

  // --- 7 shuffles

  #owner({ message: { owner }, height }, rule, taken) {
    const count = this.trustees.keys.length;
    if (owner < 1 || owner > count) throw refuse(rule, `there is no key-holder ${owner}: this election has ${count}`, height);
    if (taken.has(owner)) throw refuse(rule, `key-holder ${owner} appears twice`, height);
    taken.add(owner);
    return owner;
  }

  async #shuffle(link) {
    const { height, parts: [{ text }] } = link;
    const owner = this.#owner(link, "shuffle-owner", this.shuffledBy);
    const rows = this.rankedIndices.map((i) => this.rows[i]);
    this.#later("SHUFFLES", height, "shuffle", { election: this.#electionText, owner, rows, text });
    this.rows = merged(this.rows, this.rankedIndices, text);
  }

  async #endShuffles({ height, hash }) {
    const lacking = missing(this.trustees.groups, this.shuffledBy);
    if (lacking.length > 0) throw refuse("shuffle-missing", `still to shuffle: ${lacking.join(", ")}`, height);
    this.#seed = hash;
  }

  // --- 8 partial decryptions

  #readCompanions(height) {
    if (this.#companions !== null) return;
    this.#companions = this.#companionText === null ? new Map() : formed("companion-form", height, () => readCompanions(this.#companionText), "the companion file: ");
  }

  async #share(link) {
    const { height, parts: [{ hash, text }] } = link;
    const owner = this.#owner(link, "decryption-owner", this.decryptedBy);
    this.#readCompanions(height);
    const proofs = this.#companions.get(owner);
    if (proofs === undefined && this.declarations?.companion) {
      const reason = `key-holder ${owner}'s decryption comes without the companion proofs that this election requires`;
      throw refuse("companion-missing", reason, height, `trustee ${owner}, or whoever removed them`);
    }
    const given = { election: this.#electionText, owner, key: this.trustees.keys[owner - 1], rows: this.rows, text };
    this.#later("DECRYPTIONS", height, "share", given);
    if (proofs !== undefined) this.#later("DECRYPTIONS", height, "companion", { ...given, hash, proofs });
    this.#shares.set(owner, factorsIn(text));
  }

  // --- 9 result

  async #result({ height, object, text }) {
    const { report, trustees, rows, election } = this;
    const lacking = missing(trustees.groups, this.decryptedBy);
    if (lacking.length > 0) throw refuse("decryption-missing", `still to decrypt: ${lacking.join(", ")}`, height);
    const strangers = [...this.#companions.keys()].filter((owner) => !this.decryptedBy.has(owner));
    if (strangers.length > 0) {
      const reason = `the companion file has proofs of key-holder ${Math.min(...strangers)}, whose decryption is not in the archive`;
      throw refuse("companion-form", reason, height);
    }
    await this.#drain();
    this.#tickKeyHolders();
    this.#progress("RESULT", null);
    const opened = await Promise.all(rows.map((row, i) => this.#open(row, i)));
    this.#agreement(opened, height);
    const result = formed("result-form", height, () => readResult(text));
    const values = await this.#values(opened, height);
    if (JSON.stringify(values) !== JSON.stringify(result)) throw refuse("result-value", "the published result is not what the decryptions say", height);
    report.result = election.questions.map((question, i) => this.#readQuestion(question, i, values[i], opened[i], height));
    report.steps.RESULT = "recomputed from the decryptions, and equal";
    this.#countAgain(values, object, height);
  }

  /** The ciphertexts of one question, opened in parts: { texts or rankings, disagreements }. */
  async #open(row, question) {
    const { groups } = this.trustees;
    const parts = [];
    for (let from = 0; from < row.length; from += CIPHERTEXTS) {
      const to = Math.min(from + CIPHERTEXTS, row.length);
      const of = (owner, members) => ({ index: members.indexOf(owner) + 1, factors: this.#shares.get(owner)[question].slice(from, to) });
      const items = groups.map(({ owners, threshold, needed }) => {
        const present = owners.filter((owner) => this.#shares.has(owner)).map((owner) => of(owner, owners));
        return { threshold, used: present.slice(0, needed), further: present.slice(needed) };
      });
      const { type, answers } = this.election.questions[question];
      const given = { betas: row.slice(from, to).map(({ beta }) => beta), items, answers: type === "NonHomomorphic" ? answers.length : null };
      parts.push(
        this.#pool.run("open", given).then((found) => {
          this.#progress("RESULT", null);
          return { ...found, disagreements: found.disagreements.map((one) => ({ ...one, place: one.place + from })) };
        }),
      );
    }
    const all = await Promise.all(parts);
    return {
      texts: all.flatMap(({ texts = [] }) => texts),
      rankings: all.flatMap(({ rankings = [] }) => rankings),
      disagreements: all.flatMap(({ disagreements }) => disagreements).map((one) => ({ ...one, question })),
    };
  }

  #agreement(opened, height) {
    const order = ({ item, further, question, place }) => [item, further, question, place];
    const compare = (a, b) => order(a).map((value, i) => value - order(b)[i]).find((difference) => difference !== 0) ?? 0;
    const [first] = opened.flatMap(({ disagreements }) => disagreements).sort(compare);
    if (first === undefined) return;
    const { owners: members, needed } = this.trustees.groups[first.item];
    const present = members.filter((owner) => this.#shares.has(owner));
    const owners = [...present.slice(0, needed), present[needed + first.further]].join(", ");
    const where = `question ${first.question + 1}, ciphertext ${first.place + 1}`;
    throw refuse("decryption-agreement", `the shares of key-holders ${owners} contradict each other (${where}): at least one of them is false`, height, `one of trustees ${owners}`);
  }

  async #values(opened, height) {
    const values = [];
    for (const [i, { type }] of this.election.questions.entries()) {
      if (type === "NonHomomorphic") {
        values.push(opened[i].rankings.map(({ values: ranks }) => ranks));
        continue;
      }
      const totals = await this.#pool.run("logarithms", { texts: opened[i].texts, bound: this.report.counted });
      const at = totals.indexOf(null);
      if (at >= 0) throw refuse("result-value", `question ${i + 1}, total ${at + 1}: the shares do not open to a number of ballots`, height);
      values.push(totals);
    }
    return values;
  }

  #readQuestion(question, i, row, { rankings }, height) {
    const { type, question: title, answers } = question;
    if (type === "Homomorphic") {
      const wrong = checkTotals(question, row, this.report.counted);
      if (wrong !== null) throw refuse("result-range", `question ${i + 1}: ${wrong}`, height);
      return { question: title, answers, totals: question.blank ? row.slice(1) : row, blank: question.blank ? row[0] : null };
    }
    const valid = row.filter(isRanking).length;
    const invalid = row.length - valid;
    const noise = rankings.filter(({ canonical }) => !canonical).length;
    if (invalid > 0 || noise > 0) {
      let note = `Question ${i + 1}: ${number(invalid)} of ${number(row.length)} papers are no ranking; they count as invalid and are never shown.`;
      if (noise > 0) note += ` ${number(noise)} of the plaintexts are no encoding that voting software makes.`;
      this.report.notes.push(note);
    }
    return { question: title, answers, rankings: valid, invalid };
  }

  // --- 10 count

  #countAgain(values, resultHash, height) {
    const { report, election, declarations } = this;
    if (this.#recount === null) {
      report.steps.COUNT = "not made here";
      return;
    }
    this.#progress("COUNT", null);
    const { verdicts, recounted, note, words: said } = this.#recount({
      election, declarations, values, resultHash, height, results: this.#results, seed: this.#seed, ballots: report.counted, electorate: report.credentials,
    });
    report.verdicts = verdicts;
    report.recounted = recounted;
    if (note !== null) report.notes.push(note);
    report.steps.COUNT = said;
  }

  #tickKeyHolders() {
    const { steps } = this.report;
    if (this.shuffledBy.size > 0) steps.SHUFFLES = byKeyHolders(this.shuffledBy);
    else if (this.election !== null && this.rankedIndices.length === 0) steps.SHUFFLES = "none is needed: no question is ranked";
    if (this.decryptedBy.size > 0) {
      const proven = [...this.decryptedBy].filter((owner) => this.#companions.has(owner)).length;
      steps.DECRYPTIONS = `${byKeyHolders(this.decryptedBy)}${proven > 0 ? `, ${proven} with companion proofs` : ""}`;
    }
  }

  #conclude() {
    const { report } = this;
    report.notes.push(words.notes.time);
    if (this.#pins.length === 0) report.notes.push(words.notes.head);
    if (this.last === "Result") {
      const undone = STEPS.find(({ name }) => !(name in report.steps));
      if (undone !== undefined) throw new Error(`step ${undone.number} was not made`);
      report.outcome = "verified";
      report.sentence =
        `every check holds. ${number(report.counted)} ballots are counted, of ${number(report.credentials)} credentials that could vote, ` +
        "and the published result is what they say.";
      return;
    }
    this.#tickKeyHolders();
    report.sentence = `what is there holds, and it is not a whole election: ${words.unfinished[this.last ?? ""]}.`;
  }
}

/** The rows with the ranked ones as this shuffle's text has them. Whether they may be is for its check to say, which comes first. */
function merged(rows, indices, text) {
  try {
    const { ciphertexts } = JSON.parse(text);
    return rows.map((row, i) => (indices.includes(i) ? ciphertexts[indices.indexOf(i)] : row));
  } catch {
    return rows;
  }
}

/** The factors' texts of a share; as above. */
function factorsIn(text) {
  try {
    return JSON.parse(text).decryption_factors;
  } catch {
    return [];
  }
}

