// Meek's method: after Hill, Wichmann and Woodall, with twelve decimals or in exact fractions (ballot/count/rules/meek.py), and
// the New Zealand one with nine decimals (ballot/count/rules/meek_nz.py).

import { CountError } from "./errors.js";
import { ceilDiv, floorDiv, Fraction } from "./fractions.js";
import { Ledger, mostVotesFirst } from "./ledger.js";

const MAX_ITERATIONS = 10_000;
const MAX_EXACT_PAPERS = 20_000;
const LONGEST_DENOMINATOR = 10n ** 40n;
const KEEP_DECIMALS = 10n ** 30n;

/**
 * The papers, by what they give: a paper gives only to the elected candidates at its beginning and the first continuing one, so
 * those that share such a beginning are worked out once.
 */
class Papers {
  #papers;
  #hopeful;
  #elected = new Set();
  #bundles = null; // [elected candidates, the continuing one or null, papers]

  constructor({ papers, standing }) {
    this.#papers = papers;
    this.#hopeful = new Set(standing);
  }

  exclude(candidate) {
    this.#hopeful.delete(candidate);
    this.#bundles = null;
  }

  elect(candidate, following) {
    this.#hopeful.delete(candidate);
    this.#elected.add(candidate);
    if (following !== undefined) this.#hopeful.add(following);
    this.#bundles = null;
  }

  get bundles() {
    if (this.#bundles !== null) return this.#bundles;
    const found = new Map();
    for (const [weight, ranking] of this.#papers) {
      const at = ranking.findIndex((choice) => this.#hopeful.has(choice));
      const beginning = (at < 0 ? ranking : ranking.slice(0, at)).filter((choice) => this.#elected.has(choice));
      const end = at < 0 ? null : ranking[at];
      const name = `${beginning}|${end}`;
      if (!found.has(name)) found.set(name, [beginning, end, 0]);
      found.get(name)[2] += weight;
    }
    this.#bundles = [...found.values()];
    return this.#bundles;
  }
}

/** Each candidate's votes and the non-transferable ones, in units of `one` to a paper; what is kept is rounded up. */
function share(papers, keep, one) {
  const votes = keep.map(() => 0n);
  let stopped = 0n;
  for (const [beginning, end, number] of papers.bundles) {
    const weight = BigInt(number);
    let value = one;
    for (const candidate of beginning) {
      const kept = ceilDiv(value * keep[candidate], one);
      value -= kept;
      votes[candidate] += kept * weight;
    }
    if (end === null) stopped += value * weight;
    else votes[end] += value * weight;
  }
  return { votes, stopped };
}

const largest = (values) => values.reduce((a, b) => (a > b ? a : b), 0n);

// --- twelve decimals, and exact fractions

class Fixed {
  static one = 10n ** 12n;

  constructor(contest, papers) {
    this.contest = contest;
    this.papers = papers;
    this.keep = contest.names.map(() => Fixed.one);
  }

  share() {
    const { votes, stopped } = share(this.papers, this.keep, Fixed.one);
    this.votes = votes;
    this.stopped = stopped;
    this.quota = (BigInt(this.contest.valid) * Fixed.one - stopped) / BigInt(this.contest.fill + 1) + 1n;
  }

  reached(candidate) {
    return this.votes[candidate] >= this.quota;
  }

  small(elected) {
    const surplus = elected.reduce((sum, one) => sum + largest([this.votes[one] - this.quota]), 0n);
    return surplus * 1_000_000n < Fixed.one;
  }

  /** Step 3; whether anything changed. */
  lowerKeep(candidate) {
    if (this.votes[candidate] === 0n) return false;
    const before = this.keep[candidate];
    const value = ceilDiv(before * this.quota, this.votes[candidate]);
    this.keep[candidate] = value < before ? value : before;
    return before !== this.keep[candidate];
  }

  drop(candidate) {
    this.keep[candidate] = 0n;
  }

  /** Votes that can be compared with each other. */
  get ranks() {
    return this.votes;
  }

  shown() {
    return { votes: this.votes, stopped: this.stopped, quota: this.quota, keep: this.keep };
  }
}

class Exact {
  static zero = new Fraction(0n);
  static one = new Fraction(1n);
  static small = new Fraction(1n, 1_000_000n);

  constructor(contest, papers) {
    this.contest = contest;
    this.papers = papers;
    this.keep = contest.names.map(() => Exact.one);
  }

  share() {
    this.votes = this.keep.map(() => Exact.zero);
    this.stopped = Exact.zero;
    for (const [beginning, end, number] of this.papers.bundles) {
      const weight = new Fraction(BigInt(number));
      let value = Exact.one;
      for (const candidate of beginning) {
        const kept = value.times(this.keep[candidate]);
        value = value.minus(kept);
        this.votes[candidate] = this.votes[candidate].plus(kept.times(weight));
      }
      if (end === null) this.stopped = this.stopped.plus(value.times(weight));
      else this.votes[end] = this.votes[end].plus(value.times(weight));
    }
    this.quota = new Fraction(BigInt(this.contest.valid)).minus(this.stopped).over(new Fraction(BigInt(this.contest.fill + 1)));
  }

  reached(candidate) {
    return this.votes[candidate].compare(this.quota) > 0;
  }

  small(elected) {
    const over = elected.map((one) => this.votes[one].minus(this.quota)).filter(({ n }) => n > 0n);
    return over.reduce((sum, one) => sum.plus(one), Exact.zero).compare(Exact.small) < 0;
  }

  lowerKeep(candidate) {
    const votes = this.votes[candidate];
    if (votes.n === 0n) return false;
    const before = this.keep[candidate];
    let value = before.times(this.quota).over(votes);
    if (value.compare(before) > 0) value = before;
    if (value.d > LONGEST_DENOMINATOR) value = new Fraction(ceilDiv(value.n * KEEP_DECIMALS, value.d), KEEP_DECIMALS);
    this.keep[candidate] = value;
    return before.compare(value) !== 0;
  }

  drop(candidate) {
    this.keep[candidate] = Exact.zero;
  }

  /** Each candidate's place in the order of votes: equal for those who are exactly equal. */
  get ranks() {
    const sorted = [...this.votes].sort((a, b) => a.compare(b));
    return this.votes.map((vote) => BigInt(sorted.findIndex((other) => other.compare(vote) === 0)));
  }

  shown() {
    const unit = new Fraction(Fixed.one);
    const cut = (value) => value.times(unit).cut();
    return { votes: this.votes.map(cut), stopped: cut(this.stopped), quota: cut(this.quota), keep: this.keep.map(cut) };
  }
}

class Count {
  constructor(contest, Sums) {
    this.contest = contest;
    this.ledger = new Ledger(contest, 12, "never");
    this.papers = new Papers(contest);
    this.sums = new Sums(contest, this.papers);
    this.iterations = 0;
  }

  run() {
    const { ledger, sums } = this;
    ledger.review();
    for (;;) {
      sums.share();
      this.iterations += 1;
      const changed = this.#elect();
      if (this.#complete()) return ledger;
      if (ledger.doomed.length > 0) {
        this.#close();
        this.#dropDoomed();
      } else if (changed) {
        this.#close();
        this.#lowerKeepValues();
      } else if (sums.small(ledger.elected) || !this.#lowerKeepValues()) {
        this.#excludeLowest();
        if (this.#complete()) return ledger;
        this.#close();
        this.#dropDoomed();
      }
      if (this.iterations > MAX_ITERATIONS) throw new CountError("The iterations do not converge.");
    }
  }

  /** Step 2. */
  #elect() {
    const { ledger, sums } = this;
    const reached = [...ledger.continuing].filter((one) => sums.reached(one));
    for (const one of ledger.byVotes(reached, sums.ranks, "step 2", "elected first")) {
      if (ledger.done) break;
      if (ledger.continuing.has(one)) electAndStand(ledger, this.papers, one, "step 2");
      else ledger.say("over-quota-doomed", "constraint", [one]);
    }
    return reached.length > 0;
  }

  /** Step 5. */
  #complete() {
    const { ledger } = this;
    if (!ledger.done && ledger.continuing.size <= ledger.vacancies) {
      ledger.electAll([...ledger.continuing].sort(mostVotesFirst(this.sums.ranks)), "step 5", "last-vacancies");
    }
    if (!ledger.done && ledger.continuing.size > 0) return false;
    this.#close();
    return true;
  }

  /** Step 3; whether any keep value changed. */
  #lowerKeepValues() {
    return this.ledger.elected.map((one) => this.sums.lowerKeep(one)).includes(true);
  }

  /** Step 4. */
  #excludeLowest() {
    const chosen = this.ledger.chooseLowest(this.sums.ranks, "step 4");
    this.ledger.exclude([chosen], "step 4");
    this.#drop(chosen);
  }

  #dropDoomed() {
    for (const one of this.ledger.takeDoomed()) this.#drop(one);
  }

  #drop(candidate) {
    this.sums.drop(candidate);
    this.papers.exclude(candidate);
  }

  #close() {
    const { votes, stopped, quota, keep } = this.sums.shown();
    const residue = BigInt(this.contest.valid) * Fixed.one - votes.reduce((sum, one) => sum + one, 0n) - stopped;
    const { ledger, iterations } = this;
    ledger.closeStage(ledger.stages.length > 0 ? "iteration" : "first", "Algorithm 123", votes, { nonTransferable: stopped, residue, quota, iterations, keepValues: keep });
  }
}

function electAndStand(ledger, papers, candidate, rule) {
  const { rons } = ledger.contest;
  ledger.elect(candidate, rule);
  papers.elect(candidate, rons.includes(candidate) ? rons[rons.indexOf(candidate) + 1] : undefined);
}

const settings = (precision) => ({ precision, "surplus-limit": "0.000001" });

export const count = (contest) => ({ ledger: new Count(contest, Fixed).run(), settings: settings("12 decimals") });

export function countExactly(contest) {
  if (contest.papers.length > MAX_EXACT_PAPERS) {
    throw new CountError(`More than ${MAX_EXACT_PAPERS} different papers: exact fractions would take too long; use the rule “meek”.`);
  }
  return { ledger: new Count(contest, Exact).run(), settings: settings("exact fractions") };
}

// --- New Zealand, nine decimals

const NZ_ONE = 10n ** 9n;
const NZ_SMALL = NZ_ONE / 10_000n;

class CountNZ {
  constructor(contest) {
    this.contest = contest;
    this.ledger = new Ledger(contest, 9, "earliest");
    this.papers = new Papers(contest);
    this.keep = contest.names.map(() => NZ_ONE);
    this.iterations = 0;
  }

  run() {
    const { ledger } = this;
    ledger.review();
    for (;;) {
      this.#share();
      const changed = this.#elect();
      if (this.#complete()) return ledger;
      if (ledger.doomed.length > 0) {
        this.#close();
        this.#dropDoomed();
        continue;
      }
      const surplus = ledger.elected.reduce((sum, one) => sum + this.votes[one] - this.quota, 0n);
      const due = surplus < NZ_SMALL || this.#sureLoser(surplus);
      if (changed && !due) this.#close();
      if (!due && (this.#setKeepValues() || changed)) continue;
      this.#excludeLowest();
      if (this.#complete()) return ledger;
      this.#dropDoomed();
      this.#setKeepValues();
    }
  }

  /** Cl. 10 and cl. 5. */
  #share() {
    this.iterations += 1;
    if (this.iterations > MAX_ITERATIONS) throw new CountError("The iterations do not converge.");
    const { votes, stopped } = share(this.papers, this.keep, NZ_ONE);
    this.votes = votes;
    this.stopped = stopped;
    this.quota = floorDiv(BigInt(this.contest.valid) * NZ_ONE - stopped, BigInt(this.contest.fill + 1)) + 1n;
  }

  #elect() {
    const { ledger, votes } = this;
    const reached = [...ledger.continuing].filter((one) => votes[one] >= this.quota);
    for (const one of ledger.byVotes(reached, votes, "Sch. 1A", "elected first")) {
      if (ledger.done) break;
      if (ledger.continuing.has(one)) electAndStand(ledger, this.papers, one, "Sch. 1A");
      else ledger.say("over-quota-doomed", "constraint", [one]);
    }
    return reached.length > 0;
  }

  /** Cl. 3. */
  #complete() {
    const { ledger } = this;
    if (!ledger.done && ledger.continuing.size <= ledger.vacancies) {
      ledger.electAll([...ledger.continuing].sort(mostVotesFirst(this.votes)), "Sch. 1A cl. 3", "last-vacancies");
    }
    if (!ledger.done && ledger.continuing.size > 0) return false;
    this.#close();
    return true;
  }

  /** Whether the lowest could not catch the next lowest even with the whole surplus. */
  #sureLoser(surplus) {
    const votes = [...this.ledger.continuing].map((one) => this.votes[one]).sort((a, b) => (a < b ? -1 : Number(a > b)));
    return votes.length > 1 && votes[0] + surplus < votes[1];
  }

  #excludeLowest() {
    const { ledger } = this;
    const chosen = ledger.chooseLowest(this.votes, "Sch. 1A Part 5");
    ledger.exclude([chosen], "Sch. 1A");
    this.#drop(chosen);
    if (ledger.vacancies < ledger.continuing.size) this.#close();
  }

  #dropDoomed() {
    for (const one of this.ledger.takeDoomed()) this.#drop(one);
  }

  #drop(candidate) {
    this.keep[candidate] = 0n;
    this.papers.exclude(candidate);
  }

  /** New keep values for the successful; whether any changed. */
  #setKeepValues() {
    const before = [...this.keep];
    for (const one of this.ledger.elected) if (this.votes[one] > 0n) this.keep[one] = ceilDiv(this.keep[one] * this.quota, this.votes[one]);
    return this.keep.some((value, i) => value !== before[i]);
  }

  #close() {
    const { ledger, iterations } = this;
    ledger.closeStage(ledger.stages.length > 0 ? "iteration" : "first", "Sch. 1A", this.votes, { nonTransferable: this.stopped, quota: this.quota, iterations, keepValues: this.keep });
  }
}

export const countNZ = (contest) => ({ ledger: new CountNZ(contest).run() });
