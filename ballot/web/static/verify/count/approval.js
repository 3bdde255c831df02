// Approval from totals, as in ballot/count/rules/approval.py: the most votes win the seats.

import { CountError } from "./errors.js";
import { Ledger, makeContest, mostVotesFirst } from "./ledger.js";

function elect(contest, totals) {
  // The ledger checks that a stage's votes add up; here they add up to marks.
  const marks = totals.reduce((all, one) => all + one, 0);
  const votes = totals.map(BigInt);
  const ledger = new Ledger({ ...contest, valid: marks }, 0, "never");
  ledger.review();
  while (!ledger.done && ledger.continuing.size > 0) {
    if (ledger.continuing.size <= ledger.vacancies) {
      ledger.electAll([...ledger.continuing].sort(mostVotesFirst(votes)), "approval", "last-vacancies");
      break;
    }
    const most = [...ledger.continuing].map((one) => votes[one]).reduce((a, b) => (a > b ? a : b));
    const tied = [...ledger.continuing].filter((one) => votes[one] === most).sort((a, b) => a - b);
    const sure = tied.length <= ledger.vacancies && contest.guard.limits.length === 0;
    ledger.elect(sure ? tied[0] : ledger.choose(tied, "most", "approval", "elected"), "approval");
  }
  const left = [...ledger.continuing].sort(mostVotesFirst(votes));
  if (left.length > 0) ledger.exclude(left, "approval", "not-elected");
  ledger.closeStage("first", "approval", votes, { nonTransferable: 0n, quota: 0n });
  return { ledger, marks };
}

/** The record from each candidate's total, of so many valid papers. `limit` is how many marks a paper may have, null for any. */
export function countTotals(rule, { names, title }, totals, papers, seats, { ron, constraints, lot, limit }) {
  const sum = totals.reduce((all, one) => all + one, 0);
  if (totals.length !== names.length || totals.some((total) => total < 0 || total > papers) || sum > papers * (limit ?? names.length)) {
    throw new CountError("These totals cannot come from so many papers.");
  }
  if (sum === 0) throw new CountError("There are no votes for anybody: nobody can be elected by a count.");
  const marks = totals.flatMap((total, i) => (total > 0 ? [[total, [i]]] : []));
  const make = (bounds) => makeContest({ names, papers: marks, title }, seats, { ron, constraints: bounds, lot, setLike: true });
  const { ledger } = elect(make(constraints), totals);
  const record = ledger.record(rule.id, rule.version, rule.title, { marks: String(sum), papers: String(papers) });
  record.papers = { ...record.papers, cast: papers + ledger.contest.invalid, valid: papers };
  if (constraints !== null && constraints.bounds.length > 0) {
    const { ledger: plain } = elect(make(null), totals);
    record.unconstrained = plain.record(rule.id, rule.version, rule.title).elected;
  }
  return record;
}
