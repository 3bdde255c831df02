// The alternative vote, one seat, as in ballot/count/rules/av.py.

import { Ledger } from "./ledger.js";

class Count {
  constructor(contest) {
    this.contest = contest;
    this.ledger = new Ledger(contest, 0, "latest");
    this.votes = contest.names.map(() => 0n);
    this.piles = contest.names.map(() => []);
    this.nonTransferable = 0n;
  }

  run() {
    const { ledger, contest } = this;
    ledger.review();
    this.#deal(contest.papers, -1, contest.standing);
    this.#finish("first", "1");
    while (!ledger.done && ledger.continuing.size > 0) {
      if (ledger.doomed.length > 0) {
        this.#move(ledger.takeDoomed(), "constraint");
        continue;
      }
      const chosen = ledger.chooseLowest(this.votes, "5");
      ledger.exclude([chosen], "3");
      this.#move([chosen, ...ledger.takeDoomed()], "3");
    }
    return ledger;
  }

  #move(leavers, rule) {
    const transfers = [];
    for (const source of leavers) {
      const pile = this.piles[source];
      this.piles[source] = [];
      this.votes[source] = 0n;
      transfers.push(...this.#deal(pile, source, this.ledger.continuing));
    }
    this.#finish("exclusion", rule, leavers, transfers);
  }

  /** Steps 2 and 4. */
  #finish(kind, rule, sources = [], transfers = []) {
    const { ledger, votes } = this;
    const quota = (BigInt(this.contest.valid) - this.nonTransferable) / 2n + 1n;
    const winner = [...ledger.continuing].sort((a, b) => a - b).find((one) => votes[one] >= quota);
    if (winner !== undefined) ledger.elect(winner, "2");
    for (const one of ledger.doomed) if (votes[one] >= quota) ledger.say("over-quota-doomed", "constraint", [one]);
    if (!ledger.done && ledger.continuing.size === 1) ledger.electAll(ledger.continuing, "4", "last-vacancies");
    ledger.closeStage(kind, rule, votes, { nonTransferable: this.nonTransferable, quota, sources, transfers });
  }

  /** Each paper goes to the first of its choices who takes papers. */
  #deal(papers, source, takers) {
    const counts = new Map([...new Set(takers)].sort((a, b) => a - b).map((one) => [one, 0]));
    let stopped = 0;
    for (const paper of papers) {
      const [weight, ranking] = paper;
      const choice = ranking.find((one) => counts.has(one));
      if (choice === undefined) {
        stopped += weight;
      } else {
        this.piles[choice].push(paper);
        counts.set(choice, counts.get(choice) + weight);
      }
    }
    const transfers = [...counts].filter(([, number]) => number > 0).map(([target, number]) => ({ source, target, papers: number, votes: BigInt(number) }));
    for (const { target, votes } of transfers) this.votes[target] += votes;
    if (stopped > 0) {
      this.nonTransferable += BigInt(stopped);
      transfers.push({ source, target: null, papers: stopped, votes: BigInt(stopped) });
    }
    return transfers;
  }
}

export const count = (contest) => ({ ledger: new Count(contest).run() });
