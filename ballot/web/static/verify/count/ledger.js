// What every counting rule shares (ballot/count/contest.py, ledger.py, ties.py, record.py): the contest, who is elected, excluded,
// guarded or doomed, ties, and the record of the stages. Votes are BigInts in units of 10^-places.

import { sha256 } from "@noble/hashes/sha2.js";
import { toHex, utf8 } from "../../booth/bytes.js";
import { Guard, settle } from "./constraints.js";
import { CountError } from "./errors.js";

const MAX_SEATS = 1000;
const ascending = (a, b) => a - b;
const sum = (values) => values.reduce((total, value) => total + value, 0n);

// --- lots

/** The order that this seed gives, most favoured first: { order, source }. Throws CountError where two names are the same. */
export function lotFromSeed(seed, candidates) {
  const names = candidates.map((name) => name.normalize("NFC"));
  if (new Set(names).size !== names.length) throw new CountError("Two candidates have the same name; a lot drawn from a seed needs different names.");
  const head = `ballot lot v1\0${utf8(seed).length}\0${seed}`;
  const keys = names.map((name) => toHex(sha256(utf8(head + name))));
  const order = names.map((_, i) => i).sort((a, b) => (keys[a] < keys[b] ? -1 : Number(keys[a] > keys[b])));
  return { order, source: `drawn from the seed ${seed} (SHA-256, version 1)` };
}

export function typedLot(order, number) {
  if ([...order].sort(ascending).join() !== Array.from({ length: number }, (_, i) => i).join()) {
    throw new CountError("The lot order must name every candidate exactly once.");
  }
  return { order, source: "drawn in public and typed in" };
}

// --- the contest

/** Papers of rankings: [weight, ranking], each different ranking once, in their order. */
export function papersOf(rankings) {
  const heap = new Map();
  for (const ranking of rankings) {
    const name = ranking.join();
    heap.set(name, [(heap.get(name)?.[0] ?? 0) + 1, ranking]);
  }
  const compare = ([, a], [, b]) => {
    const at = a.findIndex((choice, i) => choice !== b[i]);
    return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
  };
  return [...heap.values()].sort(compare);
}

/** The contest that a rule counts. `papers` are [weight, ranking]; `ron` is the number of "re-open nominations" or null. */
export function makeContest({ names, papers, title, withdrawn = [], invalid = 0 }, seats, { ron = null, constraints = null, lot = null, setLike = false }) {
  const number = names.length;
  if (number === 0) throw new CountError("There are no candidates.");
  if (withdrawn.some((one) => one < 0 || one >= number)) throw new CountError("A withdrawn candidate is not among the candidates.");
  if (seats < 1 || seats > MAX_SEATS) throw new CountError(`The number of seats must be between 1 and ${MAX_SEATS}.`);
  const gone = new Set(withdrawn);
  const standing = names.map((_, i) => i).filter((one) => !gone.has(one));
  if (standing.length === 0) throw new CountError("Every candidate has withdrawn.");
  if (ron !== null && !standing.includes(ron)) throw new CountError("Re-open nominations is not among the candidates standing.");
  const people = standing.filter((one) => one !== ron);
  if (standing.length < seats && ron === null) {
    throw new CountError(`There are ${seats} seats and only ${standing.length} candidates: all are elected without a count.`);
  }
  const rons = ron === null ? [] : [ron, ...Array.from({ length: setLike ? 0 : seats - 1 }, (_, i) => number + i)];
  const struck = strike(papers, gone, rons, invalid);
  if (struck.valid === 0) throw new CountError("There are no valid papers: nobody can be elected by a count.");
  const settled = constraints === null ? { limits: [], empty: 0, notes: [] } : settle(constraints, seats, people, ron !== null);
  const lotWithRons = lot === null || rons.length < 2 ? lot : { ...lot, order: lot.order.flatMap((one) => (one === rons[0] ? rons : [one])) };
  return {
    names: [...names, ...rons.slice(1).map((_, i) => `${names[ron]} (${i + 2})`)],
    listed: number,
    standing,
    rons,
    seats,
    fill: seats - settled.empty,
    ...struck,
    title,
    withdrawn: [...gone].sort(ascending),
    guard: new Guard(settled.limits, people, settled.empty),
    constraintNotes: settled.notes,
    constraintTexts: settled.limits.map(({ text }) => text),
    lot: lotWithRons,
  };
}

function strike(papers, gone, rons, invalidBefore) {
  const kept = [];
  let valid = 0;
  let invalid = invalidBefore;
  for (const [weight, ranking] of papers) {
    const left = ranking.flatMap((choice) => (choice === rons[0] ? rons : gone.has(choice) ? [] : [choice]));
    if (left.length > 0 && weight > 0) {
      kept.push([weight, left]);
      valid += weight;
    } else {
      invalid += weight;
    }
  }
  return { papers: kept, valid, invalid };
}

// --- ties

function breakTie(tied, want, history, look, lot, names) {
  let left = [...tied];
  const points = look === "never" ? [] : history.map((votes, i) => [i + 1, votes]);
  if (look === "latest") points.reverse();
  for (const [stage, votes] of points) {
    const edge = left.map((one) => votes[one]).reduce((a, b) => (want === "fewest" === a < b ? a : b));
    left = left.filter((one) => votes[one] === edge);
    if (left.length === 1) return { chosen: left[0], tied: [...tied].sort(ascending), stage };
  }
  if (lot === null) {
    const who = [...left].sort(ascending).map((one) => names[one]).join(", ");
    throw new CountError(`A tie has to be broken by lot (${who}), and no lot order was given.`);
  }
  const place = (one) => lot.order.indexOf(one);
  const chosen = left.reduce((a, b) => (want === "fewest" === place(a) > place(b) ? a : b));
  return { chosen, tied: [...tied].sort(ascending), stage: null };
}

// --- the ledger

export const mostVotesFirst = (votes) => (a, b) => (votes[a] === votes[b] ? a - b : votes[a] > votes[b] ? -1 : 1);

/** What has been decided so far in one count. */
export class Ledger {
  elected = [];
  doomed = []; // excluded by a constraint, papers not yet moved
  guarded = new Map();
  stages = [];
  history = [];
  events = [];
  #in = [];
  #out = [];

  constructor(contest, places, look) {
    this.contest = contest;
    this.places = places;
    this.look = look;
    this.continuing = new Set(contest.standing);
  }

  get vacancies() {
    return this.contest.fill - this.elected.length;
  }

  get done() {
    return this.vacancies <= 0;
  }

  get ronTaken() {
    return this.elected.filter((one) => this.contest.rons.includes(one)).length;
  }

  excludable() {
    return [...this.continuing].filter((one) => !this.guarded.has(one)).sort(ascending);
  }

  say(kind, rule, candidates = [], { note = "", limits = [], tie = null, votes = null } = {}) {
    this.events.push({ kind, rule, candidates: [...candidates], note, limits, tie, votes });
  }

  choose(tied, want, rule, purpose) {
    if (tied.length === 1) return tied[0];
    const found = breakTie(tied, want, this.history, this.look, this.contest.lot, this.contest.names);
    this.say("tie", rule, [found.chosen], { note: purpose, tie: found });
    return found.chosen;
  }

  /** One of the candidates with fewest votes who may be excluded; guarded ones with fewer are passed over. */
  chooseLowest(votes, rule) {
    const free = this.excludable();
    const fewest = free.map((one) => votes[one]).reduce((a, b) => (a < b ? a : b));
    const chosen = this.choose(free.filter((one) => votes[one] === fewest), "fewest", rule, "excluded");
    for (const one of [...this.guarded.keys()].sort(ascending)) {
      if (votes[one] < fewest) this.say("guarded", "constraint", [one], { note: "passed-over", limits: this.guarded.get(one) });
    }
    return chosen;
  }

  /** Most votes first. Ties are only broken where the order can matter: where there are constraints. */
  byVotes(candidates, votes, rule, purpose) {
    let ranked = [...candidates].sort(mostVotesFirst(votes));
    if (this.contest.guard.limits.length === 0) return ranked;
    const found = [];
    while (ranked.length > 0) {
      const tied = ranked.filter((one) => votes[one] === votes[ranked[0]]);
      const chosen = this.choose(tied, "most", rule, purpose);
      found.push(chosen);
      ranked = ranked.filter((one) => one !== chosen);
    }
    return found;
  }

  elect(candidate, rule, note = "") {
    this.#enter(candidate, rule, note);
    const { rons } = this.contest;
    const following = rons.includes(candidate) ? rons[rons.indexOf(candidate) + 1] : undefined;
    if (following !== undefined && !this.done) this.continuing.add(following);
    this.review();
  }

  #enter(candidate, rule, note) {
    this.continuing.delete(candidate);
    this.elected.push(candidate);
    this.#in.push({ candidate, stage: this.stages.length + 1 });
    this.say("elected", rule, [candidate], { note });
  }

  electAll(candidates, rule, note = "") {
    for (const candidate of candidates) this.#enter(candidate, rule, note);
  }

  exclude(candidates, rule, note = "") {
    for (const candidate of candidates) {
      this.continuing.delete(candidate);
      this.#out.push({ candidate, stage: this.stages.length + 1 });
      this.say("excluded", rule, [candidate], { note });
    }
    this.review();
  }

  review() {
    const { guard } = this.contest;
    if (guard.limits.length === 0) return;
    const inOrder = (found) => [...found].sort(([a], [b]) => a - b);
    while (!this.done) {
      const { doomed, guarded } = guard.review(this.elected, this.continuing, this.vacancies, this.ronTaken);
      for (const [candidate, limits] of inOrder(guarded)) {
        if (limits.length > 0 && !this.guarded.has(candidate)) this.say("guarded", "constraint", [candidate], { limits });
      }
      this.guarded = guarded;
      if (doomed.size === 0) return;
      for (const [candidate, limits] of inOrder(doomed)) {
        this.continuing.delete(candidate);
        this.doomed.push(candidate);
        this.#out.push({ candidate, stage: this.stages.length + 1 });
        this.say("doomed", "constraint", [candidate], { limits });
      }
    }
  }

  /** The doomed whose papers are still to move; they are taken off the list. */
  takeDoomed() {
    const { doomed } = this;
    this.doomed = [];
    return doomed;
  }

  closeStage(kind, rule, totals, { nonTransferable, residue = 0n, quota, label = "", sources = [], transfers = [], value = null, needed = null, iterations = null, keepValues = null }) {
    const number = this.stages.length + 1;
    if (sum(totals) + nonTransferable + residue !== BigInt(this.contest.valid) * 10n ** BigInt(this.places)) {
      throw new Error(`stage ${label || number} does not add up to the valid papers`);
    }
    this.stages.push({ number, label: label || String(number), kind, rule, sources, totals: [...totals], transfers, nonTransferable, residue, quota, events: this.events, value, needed, iterations, keepValues: keepValues && [...keepValues] });
    this.events = [];
    this.history.push([...totals]);
  }

  // --- the closed record

  #decimal(units) {
    const text = (units < 0n ? -units : units).toString().padStart(this.places + 1, "0");
    const at = text.length - this.places;
    return `${units < 0n ? "-" : ""}${text.slice(0, at)}${this.places > 0 ? `.${text.slice(at)}` : ""}`;
  }

  /** The record as plain values (ballot/count/record.py, to_dict): candidates from 1, votes as decimal strings. */
  record(id, version, title, settings = {}) {
    const { contest } = this;
    if (this.events.length > 0) throw new Error("something was decided after the last stage");
    const seated = this.elected.filter((one) => !contest.rons.includes(one));
    const unfilled = contest.seats - seated.length;
    const known = [...this.#in, ...this.#out].map(({ candidate }) => candidate).concat([...this.continuing]);
    const number = Math.max(contest.listed, ...known.map((one) => one + 1));
    const names = contest.names.slice(0, number);
    const isRon = (one) => contest.rons.includes(one);
    const nameOf = (one) => (one < number ? names[one] : `${names[contest.rons[0]]} (${one - contest.listed + 2})`);
    const outcome = ({ candidate, stage }) => ({ id: candidate + 1, name: nameOf(candidate), stage, ...(isRon(candidate) || candidate >= number ? { unfilled: true } : {}) });
    return {
      format: "ballot-count-1",
      rule: { id, version, title, decimals: this.places },
      settings,
      title: contest.title,
      candidates: names.map((name, i) => ({ id: i + 1, name, ...(isRon(i) ? { ron: true } : {}) })),
      withdrawn: contest.withdrawn.map((one) => one + 1),
      sitting: [],
      seats: contest.seats,
      papers: { cast: contest.valid + contest.invalid, valid: contest.valid, invalid: contest.invalid, mark_rule: "strict" },
      lot: contest.lot === null ? null : { order: contest.lot.order.filter((one) => one < number).map((one) => one + 1), source: contest.lot.source },
      constraints: contest.constraintTexts,
      constraint_notes: contest.constraintNotes,
      stages: this.stages.map((stage) => this.#stage(stage, number)),
      elected: this.#in.map(outcome),
      excluded: this.#out.map(outcome),
      unfilled,
      reopened: unfilled > 0 ? contest.guard.shortfalls(seated, unfilled) : [],
      unconstrained: null,
    };
  }

  #stage({ number, label, kind, rule, sources, totals, transfers, nonTransferable, residue, quota, events, value, needed, iterations, keepValues }, size) {
    const byCandidate = (values) => Object.fromEntries(values.slice(0, size).map((units, i) => [String(i + 1), this.#decimal(units)]));
    return {
      stage: number,
      label,
      kind,
      rule,
      from: sources.map((one) => one + 1),
      totals: byCandidate(totals),
      transfers: transfers.map(({ source, target, papers, votes }) => ({ from: source + 1, to: target === null ? null : target + 1, papers, votes: this.#decimal(votes) })),
      non_transferable: this.#decimal(nonTransferable),
      residue: this.#decimal(residue),
      quota: this.#decimal(quota),
      events: events.map((event) => this.#event(event)),
      ...(value === null ? {} : { transfer_value: this.#decimal(value) }),
      ...(needed === null ? {} : { needed_for_election: this.#decimal(needed) }),
      ...(iterations === null ? {} : { iterations }),
      ...(keepValues === null ? {} : { keep_values: byCandidate(keepValues) }),
    };
  }

  #event({ kind, rule, candidates, note, limits, tie, votes }) {
    return {
      kind,
      rule,
      candidates: candidates.map((one) => one + 1),
      ...(note ? { note } : {}),
      ...(limits.length > 0 ? { constraints: limits } : {}),
      ...(votes === null ? {} : { votes: this.#decimal(votes) }),
      ...(tie === null ? {} : { tied: tie.tied.map((one) => one + 1), by: tie.stage === null ? "lot" : "look-back", ...(tie.stage === null ? {} : { look_back_stage: tie.stage }) }),
    };
  }
}

/** The result in one sentence, from a record (ballot/count/draw/words.py). */
export function headline({ elected, candidates, seats, unfilled }) {
  const rons = new Set(candidates.filter(({ ron }) => ron).map(({ id }) => id));
  const winners = elected.filter(({ id }) => !rons.has(id)).map(({ name }) => name);
  if (seats === 1 && winners.length === 0) return "Nobody is elected: nominations are to be re-opened.";
  const listing = winners.length < 2 ? winners.join("") : `${winners.slice(0, -1).join(", ")} and ${winners[winners.length - 1]}`;
  const first = winners.length > 0 ? `Elected: ${listing}.` : "Nobody is elected.";
  return unfilled > 0 ? `${first} ${unfilled} of ${seats} ${unfilled === 1 ? "seats stays" : "seats stay"} unfilled.` : first;
}
