// Scottish STV (SSI 2011/399, Schedule 1, rules 46 to 53), as read in ballot/count/rules/scottish_2011.py.

import { Ledger, mostVotesFirst } from "./ledger.js";

const PLACES = 5;
const ONE = 10n ** BigInt(PLACES);

class Count {
  constructor(contest) {
    this.contest = contest;
    this.ledger = new Ledger(contest, PLACES, "latest");
    this.votes = contest.names.map(() => 0n);
    this.piles = contest.names.map(() => new Map()); // papers by value on receipt
    this.nonTransferable = 0n;
    this.residue = 0n;
    this.quota = BigInt(Math.floor(contest.valid / (contest.fill + 1)) + 1) * ONE; // rule 47
  }

  run() {
    const { ledger, contest } = this;
    ledger.review();
    this.#deal(contest.papers, ONE, contest.standing, -1);
    this.#finish("first", "46");
    while (!ledger.done && ledger.continuing.size > 0) {
      if (ledger.doomed.length > 0) {
        this.#move(ledger.takeDoomed(), "constraint");
        continue;
      }
      const source = this.#largestSurplus();
      if (source === null) this.#excludeLowest();
      else this.#transferSurplus(source);
    }
    return ledger;
  }

  /** Rules 48 and 53, then the stage is closed. */
  #finish(kind, rule, sources = [], transfers = [], value = null) {
    const { ledger, votes, quota } = this;
    const reached = [...ledger.continuing].filter((one) => votes[one] >= quota);
    for (const one of ledger.byVotes(reached, votes, "48", "elected first")) {
      if (ledger.done) break;
      if (ledger.continuing.has(one)) ledger.elect(one, "48");
      else ledger.say("over-quota-doomed", "constraint", [one]);
    }
    if (!ledger.done && ledger.continuing.size <= ledger.vacancies) {
      ledger.electAll([...ledger.continuing].sort(mostVotesFirst(votes)), "53", "last-vacancies");
    }
    ledger.closeStage(kind, rule, votes, { nonTransferable: this.nonTransferable, residue: this.residue, quota, sources, transfers, value });
  }

  /** Rule 50. */
  #largestSurplus() {
    const waiting = this.ledger.elected.filter((one) => this.votes[one] > this.quota);
    if (waiting.length === 0) return null;
    const most = waiting.map((one) => this.votes[one]).reduce((a, b) => (a > b ? a : b));
    return this.ledger.choose(waiting.filter((one) => this.votes[one] === most), "most", "50", "surplus moved first");
  }

  /** Rule 49: multiplied first, cut to five decimals, per paper. */
  #transferSurplus(source) {
    const votes = this.votes[source];
    const surplus = votes - this.quota;
    const pile = this.#take(source);
    this.votes[source] = this.quota;
    const transfers = [];
    for (const [value, papers] of pile) transfers.push(...this.#deal(papers, (surplus * value) / votes, this.ledger.continuing, source));
    this.residue += surplus - transfers.reduce((total, move) => total + move.votes, 0n);
    const single = pile.every(([value]) => value === ONE) ? (surplus * ONE) / votes : null;
    this.#finish("surplus", "49", [source], merged(transfers), single);
  }

  /** Rules 51 and 52. */
  #excludeLowest() {
    const chosen = this.ledger.chooseLowest(this.votes, "52");
    this.ledger.exclude([chosen], "51");
    this.#move([chosen, ...this.ledger.takeDoomed()], "51");
  }

  #move(leavers, rule) {
    const transfers = [];
    for (const source of leavers) {
      const pile = this.#take(source);
      this.votes[source] = 0n;
      for (const [value, papers] of pile) transfers.push(...this.#deal(papers, value, this.ledger.continuing, source));
    }
    this.#finish("exclusion", rule, leavers, merged(transfers));
  }

  /** A candidate's papers by value, highest first; they hold none afterwards. */
  #take(source) {
    const pile = [...this.piles[source]].sort(([a], [b]) => (a > b ? -1 : 1));
    this.piles[source] = new Map();
    return pile;
  }

  /** Every paper goes to the first of its choices who still takes papers, at this value; the others stop. */
  #deal(papers, value, takers, source) {
    const taking = new Set(takers);
    const parcels = new Map();
    let stopped = 0;
    for (const paper of papers) {
      const [weight, ranking] = paper;
      const choice = ranking.find((one) => taking.has(one));
      if (choice === undefined) stopped += weight;
      else if (parcels.has(choice)) parcels.get(choice).push(paper);
      else parcels.set(choice, [paper]);
    }
    const transfers = [];
    for (const [target, parcel] of [...parcels].sort(([a], [b]) => a - b)) {
      const number = parcel.reduce((total, [weight]) => total + weight, 0);
      const votes = BigInt(number) * value;
      this.votes[target] += votes;
      const pile = this.piles[target];
      pile.set(value, [...(pile.get(value) ?? []), ...parcel]);
      transfers.push({ source, target, papers: number, votes });
    }
    if (stopped > 0) {
      const votes = BigInt(stopped) * value;
      this.nonTransferable += votes;
      transfers.push({ source, target: null, papers: stopped, votes });
    }
    return transfers;
  }
}

/** One line for each pair of source and target. */
function merged(transfers) {
  const found = new Map();
  for (const { source, target, papers, votes } of transfers) {
    const name = `${source}|${target}`;
    const before = found.get(name) ?? { source, target, papers: 0, votes: 0n };
    found.set(name, { source, target, papers: before.papers + papers, votes: before.votes + votes });
  }
  return [...found.values()].sort((a, b) => a.source - b.source || Number(a.target === null) - Number(b.target === null) || (a.target ?? 0) - (b.target ?? 0));
}

export const count = (contest) => ({ ledger: new Count(contest).run() });
