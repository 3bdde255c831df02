// ERS97 ("How to conduct an election by the Single Transferable Vote", 3rd edition), as read in ballot/count/rules/ers97.py.

import { ceilDiv } from "./fractions.js";
import { Ledger, mostVotesFirst } from "./ledger.js";

const PLACES = 2;
const ONE = 10n ** BigInt(PLACES);
const ascending = (a, b) => a - b;
const weight = (papers) => papers.reduce((total, [number]) => total + number, 0);
const total = (values) => values.reduce((sum, value) => sum + value, 0n);
const least = (a, b) => (a < b ? a : b);

/** 5.1.6: the exact quotient, or the next hundredth above it. */
const quotaOf = (units, seats) => ceilDiv(units, BigInt(seats + 1));

class Count {
  constructor(contest) {
    this.contest = contest;
    this.ledger = new Ledger(contest, PLACES, "earliest");
    this.votes = contest.names.map(() => 0n);
    this.batches = contest.names.map(() => []); // in the order they came in: [value, papers]
    this.surplusOf = new Set(); // elected candidates whose surplus, if any, has not been transferred
    this.waiting = 0n; // votes of excluded candidates not yet moved: part of the active vote
    this.nonTransferable = 0n;
    this.whole = BigInt(contest.valid) * ONE;
    this.quota = quotaOf(this.whole, contest.fill);
    this.needed = this.quota;
    this.bigStage = 0;
  }

  run() {
    const { ledger, contest } = this;
    ledger.review();
    const transfers = this.#give(this.#sort(contest.papers, contest.standing).parcels, ONE, -1);
    this.waiting = total(ledger.doomed.map((one) => this.votes[one]));
    this.#close("first", "5.1", [], transfers);
    while (!ledger.done && ledger.continuing.size > 0) {
      if (ledger.doomed.length > 0) {
        this.#exclude(ledger.takeDoomed(), "constraint");
        continue;
      }
      const source = this.#surplusDue();
      if (source !== null) this.#transferSurplus(source);
      else if (!this.#excludeFewest()) break;
    }
    return ledger;
  }

  // --- election: 5.1.7, 5.3.13, 5.4.9

  #active() {
    const surpluses = total([...this.surplusOf].map((one) => this.votes[one] - this.quota).filter((surplus) => surplus > 0n));
    return total([...this.ledger.continuing].map((one) => this.votes[one])) + surpluses + this.waiting;
  }

  #elect(rule) {
    const { ledger, votes } = this;
    while (!ledger.done) {
      const active = this.#active();
      const places = ledger.vacancies;
      this.needed = least(this.quota, quotaOf(active, places));
      let reached = [...ledger.continuing].filter((one) => votes[one] >= this.needed);
      if (reached.length === 0 || active === 0n) break;
      if (reached.length > places) {
        reached = this.#ahead(reached.sort(ascending), places);
        if (reached.length === 0) break;
      }
      for (const one of ledger.byVotes(reached, votes, "5.6.2", "elected first")) {
        if (ledger.continuing.has(one) && !ledger.done) this.#electOne(one, rule);
      }
    }
  }

  #electOne(candidate, rule) {
    const { ledger, votes } = this;
    const known = new Set(ledger.doomed);
    ledger.elect(candidate, rule, votes[candidate] >= this.quota ? "" : "active-vote");
    this.surplusOf.add(candidate);
    for (const one of ledger.doomed.filter((doomed) => !known.has(doomed))) {
      this.waiting += votes[one];
      if (votes[one] >= this.quota) ledger.say("over-quota-doomed", "constraint", [one]);
    }
  }

  /** 5.6.2: those of the tied who can be told to come before the others. */
  #ahead(tied, places) {
    const { history } = this.ledger;
    const earlier = (a, b) => {
      const votes = history.find((point) => point[a] !== point[b]);
      return votes === undefined ? 0 : votes[a] > votes[b] ? -1 : 1;
    };
    const ranked = [...tied].sort(earlier);
    const edge = ranked[places];
    this.ledger.say("tie", "5.6.2", tied, { note: "more candidates reach the figure together than there are places" });
    return ranked.slice(0, places).filter((one) => earlier(one, edge) !== 0);
  }

  // --- 5.2 what comes next

  #surpluses() {
    return new Map(this.ledger.elected.filter((one) => this.surplusOf.has(one) && this.votes[one] > this.quota).map((one) => [one, this.votes[one] - this.quota]));
  }

  /** 5.2.2: whose surplus moves now; null if there is none or the transfer is deferred. */
  #surplusDue() {
    const { ledger } = this;
    const surpluses = this.#surpluses();
    if (surpluses.size === 0) return null;
    const all = total([...surpluses.values()]);
    const votes = [...ledger.continuing].map((one) => this.votes[one]).sort((a, b) => (a < b ? -1 : Number(a > b)));
    const gap = votes.length > 1 && all <= votes[1] - votes[0];
    if (gap || this.#group(all).length > 1) {
      ledger.say("deferred", "5.2.2", [...surpluses.keys()].sort(ascending), { note: gap ? "gap" : "group", votes: all });
      return null;
    }
    const most = [...surpluses.values()].reduce((a, b) => (a > b ? a : b));
    const tied = [...surpluses].filter(([, surplus]) => surplus === most).map(([one]) => one).sort(ascending);
    return ledger.choose(tied, "most", "5.2.2", "surplus moved first");
  }

  /** 5.2.5: the most candidates that can be excluded together. */
  #group(deferred) {
    const { ledger, votes } = this;
    const order = [...ledger.continuing].sort((a, b) => (votes[a] === votes[b] ? a - b : votes[a] < votes[b] ? -1 : 1));
    let found = [];
    let together = deferred;
    for (const [i, one] of order.slice(0, -1).entries()) {
      const size = i + 1;
      if (order.length - size < ledger.vacancies || ledger.guarded.has(one)) break;
      together += votes[one];
      const above = votes[order[size]];
      // Strictly above the group's highest: a group never parts candidates with equal votes.
      if (together <= above && votes[one] < above && this.#mayExclude(order.slice(0, size))) found = order.slice(0, size);
    }
    return found;
  }

  #mayExclude(group) {
    const { ledger, contest } = this;
    if (contest.guard.limits.length === 0 || group.length === 1) return true;
    return contest.guard.mayExclude(group, ledger.elected, ledger.continuing, ledger.vacancies, ledger.ronTaken);
  }

  // --- 5.3 transfer of a surplus

  #transferSurplus(source) {
    const surplus = this.votes[source] - this.quota;
    const [present, papers] = this.batches[source][this.batches[source].length - 1];
    this.surplusOf.delete(source);
    const { parcels } = this.#sort(papers, this.ledger.continuing);
    const number = [...parcels.values()].reduce((sum, parcel) => sum + weight(parcel), 0);
    const count = BigInt(number);
    const value = number === 0 ? 0n : count * present <= surplus ? present : surplus / count;
    this.votes[source] = this.quota;
    const transfers = this.#give(parcels, value, source);
    const lost = surplus - count * value;
    this.nonTransferable += lost;
    if (lost > 0n) transfers.push({ source, target: null, papers: weight(papers) - number, votes: lost });
    this.#close("surplus", "5.3", [source], transfers, value);
  }

  // --- 5.4 exclusion

  /** 5.2.5, then 5.5.1; false when 5.5.1 ended the count. */
  #excludeFewest() {
    const { ledger } = this;
    let group = this.#group(total([...this.#surpluses().values()]));
    if (group.length === 0) group = [ledger.chooseLowest(this.votes, "5.2.5")];
    if (ledger.continuing.size - group.length <= ledger.vacancies) {
      this.#endWithoutMoving(group);
      return false;
    }
    ledger.exclude(group, "5.2.5");
    this.#exclude([...group, ...ledger.takeDoomed()], "5.4");
    return true;
  }

  /** 5.5.1: the others are elected; the votes stay as they are. */
  #endWithoutMoving(group) {
    const { ledger } = this;
    for (const one of group) ledger.continuing.delete(one);
    ledger.exclude(group, "5.5.1");
    ledger.electAll([...ledger.continuing].sort(mostVotesFirst(this.votes)), "5.5.1", "last-vacancies");
    this.bigStage += 1;
    this.#record("end", "5.5.1", String(this.bigStage), group, [], null);
  }

  /** 5.4: the papers of all leavers together, in batches by value, highest first. */
  #exclude(leavers, rule) {
    const heap = new Map();
    for (const source of leavers) {
      for (const [value, papers] of this.batches[source]) {
        if (!heap.has(value)) heap.set(value, new Map());
        const bySource = heap.get(value);
        bySource.set(source, [...(bySource.get(source) ?? []), ...papers]);
      }
      this.batches[source] = [];
    }
    this.waiting = total([...leavers, ...this.ledger.doomed].map((one) => this.votes[one]));
    const values = [...heap.keys()].sort((a, b) => (a > b ? -1 : 1));
    this.bigStage += 1;
    for (const [i, value] of values.entries()) {
      const transfers = [];
      const together = new Map();
      for (const [source, papers] of [...heap.get(value)].sort(([a], [b]) => a - b)) {
        const { parcels, stopped } = this.#sort(papers, this.ledger.continuing);
        const worth = BigInt(weight(papers)) * value;
        this.votes[source] -= worth;
        this.waiting -= worth;
        for (const [target, parcel] of [...parcels].sort(([a], [b]) => a - b)) {
          transfers.push({ source, target, papers: weight(parcel), votes: BigInt(weight(parcel)) * value });
          together.set(target, [...(together.get(target) ?? []), ...parcel]);
        }
        if (stopped > 0) {
          this.nonTransferable += BigInt(stopped) * value;
          transfers.push({ source, target: null, papers: stopped, votes: BigInt(stopped) * value });
        }
      }
      this.#give(together, value, -1);
      this.#substage(rule, values.length > 1 ? `${this.bigStage}.${i + 1}` : String(this.bigStage), leavers, transfers, value);
      if (this.ledger.done) return;
    }
    if (values.length === 0) this.#substage(rule, String(this.bigStage), leavers, [], null);
  }

  #substage(rule, label, sources, transfers, value) {
    if (this.ledger.elected.length === 0) {
      const lowered = quotaOf(this.whole - this.nonTransferable, this.contest.fill);
      if (lowered < this.quota) {
        this.quota = lowered;
        this.ledger.say("quota", "5.4.8", [], { votes: lowered });
      }
    }
    this.#elect("5.4.9");
    this.#fillLast();
    this.#record("exclusion", rule, label, sources, transfers, value);
  }

  // --- stages and papers

  #close(kind, rule, sources = [], transfers = [], value = null) {
    this.bigStage += 1;
    this.#elect(kind === "first" ? "5.1.7" : "5.3.13");
    this.#fillLast();
    this.#record(kind, rule, String(this.bigStage), sources, transfers, value);
  }

  /** 5.5.1 where an election has doomed others, so that as many continue as there are places left. */
  #fillLast() {
    const { ledger } = this;
    if (!ledger.done && ledger.continuing.size <= ledger.vacancies) {
      ledger.electAll([...ledger.continuing].sort(mostVotesFirst(this.votes)), "5.5.1", "last-vacancies");
    }
  }

  #record(kind, rule, label, sources, transfers, value) {
    this.ledger.closeStage(kind, rule, this.votes, { nonTransferable: this.nonTransferable, quota: this.quota, label, sources, transfers, value, needed: this.needed });
  }

  /** Papers by next available preference, and how many have none. */
  #sort(papers, takers) {
    const taking = new Set(takers);
    const parcels = new Map();
    let stopped = 0;
    for (const paper of papers) {
      const choice = paper[1].find((one) => taking.has(one));
      if (choice === undefined) stopped += paper[0];
      else if (parcels.has(choice)) parcels.get(choice).push(paper);
      else parcels.set(choice, [paper]);
    }
    return { parcels, stopped };
  }

  /** Each parcel becomes the last batch of its new holder. */
  #give(parcels, value, source) {
    return [...parcels].sort(([a], [b]) => a - b).map(([target, parcel]) => {
      const number = weight(parcel);
      const votes = BigInt(number) * value;
      this.votes[target] += votes;
      this.batches[target].push([value, parcel]);
      return { source, target, papers: number, votes };
    });
  }
}

export const count = (contest) => ({ ledger: new Count(contest).run() });
