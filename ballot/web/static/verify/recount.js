// From the decrypted result to the outcome of each question, by the rule that the election's hashed text declares, and the
// published file of results made again: ballot/recount.py, with its words.

import words from "./words.json" with { type: "json" };
import { MalformedError } from "../booth/bytes.js";
import { refuse } from "./chain.js";
import { countTotals } from "./count/approval.js";
import * as av from "./count/av.js";
import { parseConstraints, settle } from "./count/constraints.js";
import { CountError } from "./count/errors.js";
import * as ers97 from "./count/ers97.js";
import { headline, lotFromSeed, makeContest, papersOf, typedLot } from "./count/ledger.js";
import * as meek from "./count/meek.js";
import { decide, quorumOf, thresholdOf } from "./count/motion.js";
import * as scottish from "./count/scottish.js";
import { dumpsSorted, loads } from "./json.js";

const RUN = {
  "scottish-2011": scottish.count,
  ers97: ers97.count,
  "meek-nz": meek.countNZ,
  meek: meek.count,
  "meek-exact": meek.countExactly,
  av: av.count,
};
const RULES = new Map(Object.entries(words.counting).map(([id, rule]) => [id, { id, ...rule }]));
const FORMAT = "ballot-results-1";
const MOTION = "Motion (for, against, abstain)";

// --- reading a rule

function knownKeys(rule, known) {
  const unknown = [...rule.keys()].filter((key) => !known.includes(key)).sort();
  if (unknown.length > 0) throw new CountError(`A rule has a setting that this software does not know: “${unknown[0].slice(0, 40)}”.`);
}

function settingsOf(rule, question) {
  knownKeys(rule, ["rule", "seats", "ron", "constraints"]);
  const [seats, ron] = [rule.has("seats") ? rule.get("seats") : 1, rule.has("ron") ? rule.get("ron") : false];
  if (typeof seats !== "number" || seats < 1 || typeof ron !== "boolean") throw new CountError("A rule must say how many seats there are, and whether nominations can be re-opened.");
  const constraints = rule.get("constraints") ?? null;
  return { seats, ron: ron ? question.answers.length - 1 : null, constraints: constraints === null ? null : parseConstraints(constraints, question.answers) };
}

/** Check that this rule can count this question. Throws CountError, MalformedError. */
function checkRule(question, rule) {
  const name = rule.get("rule");
  const homomorphic = question.type === "Homomorphic";
  if (name === "motion") {
    knownKeys(rule, ["rule", "threshold", "base", "quorum"]);
    if (!homomorphic || question.answers.length !== 2 || question.min !== 1 || question.max !== 1) {
      throw new CountError("A motion's question has two answers, for and against, of which a member chooses one.");
    }
    thresholdOf(rule);
    quorumOf(rule);
    return;
  }
  if (!RULES.has(name)) throw new CountError(`There is no rule “${name.slice(0, 40)}”; there are motion, ${[...RULES.keys()].join(", ")}.`);
  const { kind, title } = RULES.get(name);
  const { seats, ron, constraints } = settingsOf(rule, question);
  if ((kind === "approval") !== homomorphic) throw new CountError(`${title} does not fit this kind of question.`);
  if (kind === "single" && seats !== 1) throw new CountError(`${title} fills one seat, not ${seats}.`);
  const people = question.answers.map((_, i) => i).filter((one) => one !== ron);
  if (people.length === 0) throw new CountError("Nobody stands: there are no choices but to re-open nominations.");
  if (constraints !== null) settle(constraints, seats, people, ron !== null);
}

// --- what the returning officer did

const NO_ACTS = { lots: new Map(), withdrawn: new Map() };

function actsOf(value) {
  const found = new Map();
  for (const [number, choices] of value instanceof Map ? value : [["", null]]) {
    if (!/^[0-9]{1,5}$/.test(number) || !Array.isArray(choices)) throw new MalformedError("an act in a published count must name a question and a list of choices");
    if (!choices.every((choice) => typeof choice === "number" && choice > 0)) throw new MalformedError("an act in a published count must list choices by number, from 1");
    found.set(Number(number), choices.map((choice) => choice - 1));
  }
  return found;
}

/** What a file of results says the returning officer did; everything else in it is recounted, not read. Throws MalformedError. */
function publishedActs(text) {
  let value;
  try {
    value = loads(text);
  } catch {
    throw new MalformedError("the file of results is not JSON");
  }
  if (!(value instanceof Map) || value.get("format") !== FORMAT) throw new MalformedError("this is not a file of results");
  const acts = value.get("acts");
  if (!(acts instanceof Map) || acts.size !== 2 || !acts.has("lots") || !acts.has("withdrawn")) {
    throw new MalformedError("the acts of a published count must be its lots and who withdrew");
  }
  return { lots: actsOf(acts.get("lots")), withdrawn: actsOf(acts.get("withdrawn")) };
}

const actsJson = ({ lots, withdrawn }) => {
  const json = (acts) => Object.fromEntries([...acts].map(([number, choices]) => [String(number), choices.map((choice) => choice + 1)]));
  return { lots: json(lots), withdrawn: json(withdrawn) };
};

// --- counting

/** Answer numbers in order of choice; null if the ranks used are not exactly 1 … k, each once. */
function rankingOf(values) {
  const ranked = values.map((rank, answer) => [rank, answer]).filter(([rank]) => rank !== 0).sort(([a, x], [b, y]) => a - b || x - y);
  return ranked.every(([rank], i) => rank === i + 1) ? ranked.map(([, answer]) => answer) : null;
}

function plainOf(question, row) {
  if (question.type === "Homomorphic") return { totals: question.blank ? row.slice(1) : row, blank: question.blank ? row[0] : 0, invalid: 0, rankings: [] };
  const rankings = row.map(rankingOf);
  return {
    totals: [],
    rankings: rankings.filter((ranking) => ranking !== null && ranking.length > 0),
    blank: rankings.filter((ranking) => ranking !== null && ranking.length === 0).length,
    invalid: rankings.filter((ranking) => ranking === null).length,
  };
}

function seededLot(seed, names) {
  try {
    return lotFromSeed(seed, names);
  } catch (error) {
    if (error instanceof CountError) return null; // two choices of one name: the count says so itself if it comes to a lot
    throw error;
  }
}

/** The record and the verdict under the declared rule. Throws CountError, MalformedError. */
function counted(number, question, rule, plain, { ballots, electorate, seed }, acts) {
  checkRule(question, rule);
  const name = rule.get("rule");
  if (name === "motion") {
    const [votesFor, against] = plain.totals;
    const record = decide(votesFor, against, plain.blank, thresholdOf(rule), electorate, quorumOf(rule));
    return { record, verdict: record.verdict };
  }
  const { seats, ron, constraints } = settingsOf(rule, question);
  const names = question.answers;
  const about = { names, title: question.question };
  const lot = acts.lots.has(number) ? typedLot(acts.lots.get(number), names.length) : seededLot(`${seed}|${number}`, names);
  const kind = RULES.get(name);
  if (question.type === "Homomorphic") {
    const limit = name === "up-to-n" ? question.max : null;
    // Without a limit, it is approval, whatever else the rule is called.
    const record = countTotals(limit === null ? RULES.get("approval") : kind, about, plain.totals, ballots - plain.blank, seats, { ron, constraints, lot, limit });
    return { record, verdict: headline(record) };
  }
  const profile = { ...about, papers: papersOf(plain.rankings), withdrawn: acts.withdrawn.get(number) ?? [] };
  const record = countRanked(name, profile, seats, { ron, constraints, lot });
  return { record, verdict: headline(record) };
}

/** The record of counting these papers by a ranked rule. Throws CountError. */
export function countRanked(name, profile, seats, { ron, constraints, lot }) {
  const count = (bounds) => {
    const { ledger, settings } = RUN[name](makeContest(profile, seats, { ron, constraints: bounds, lot }));
    const { id, version, title } = RULES.get(name);
    return ledger.record(id, version, title, settings);
  };
  const record = count(constraints);
  if (constraints !== null && constraints.bounds.length > 0) record.unconstrained = count(null).elected;
  return record;
}

/** Every question counted again: { verdicts, recounted, note, words }. Throws ArchiveRefusedError. */
export function recount({ election, declarations, values, results, resultHash, seed, ballots, electorate, height }) {
  const rules = declarations?.rules ?? [];
  const isBad = (error) => error instanceof CountError || error instanceof MalformedError;
  rules.forEach((rule, i) => {
    try {
      checkRule(election.questions[i], rule);
    } catch (error) {
      if (isBad(error)) throw refuse("count-rule", `question ${i + 1}: ${error.message}`, height);
      throw error;
    }
  });
  let acts = NO_ACTS;
  try {
    if (results !== null) acts = publishedActs(results);
  } catch (error) {
    if (error instanceof MalformedError) throw refuse("count-form", error.message, height, null);
    throw error;
  }
  const outcomes = election.questions.map((question, i) => {
    const plain = plainOf(question, values[i]);
    const rule = rules[i];
    let outcome = { record: null, verdict: "", uncounted: "" };
    try {
      if (rule !== undefined && rule.size > 0) outcome = { ...outcome, ...counted(i + 1, question, rule, plain, { ballots, electorate, seed }, acts) };
    } catch (error) {
      if (!isBad(error)) throw error;
      outcome = { record: null, verdict: error.message, uncounted: error.message };
    }
    const { totals, blank, invalid } = plain;
    return { ...outcome, json: { question: i + 1, ballots, totals, blank, invalid, count: outcome.record, uncounted: outcome.uncounted } };
  });
  if (results !== null) {
    const { uuid, fingerprint } = election;
    const file = { format: FORMAT, election: uuid, fingerprint, result: resultHash, seed, acts: actsJson(acts), questions: outcomes.map(({ json }) => json) };
    if (`${dumpsSorted(file)}\n` !== results) throw refuse("count-value", "the published file of results is not what the recount gives", height, null);
  }
  const said = rules.length > 0 ? `${rules.length} question${rules.length === 1 ? "" : "s"} by declared rules` : "no rule is declared";
  return {
    verdicts: outcomes.map(({ verdict }) => verdict),
    recounted: rules.map((rule) => (rule.get("rule") === "motion" ? MOTION : RULES.get(rule.get("rule")).title)),
    note: acts.lots.size + acts.withdrawn.size > 0 ? words.notes.acts : null,
    words: said + (results === null ? "" : "; equal to the published file of results"),
  };
}
