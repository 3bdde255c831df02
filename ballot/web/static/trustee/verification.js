// What a key-holder's device checks before it shuffles or opens anything: everything that the verifier checks of the archive and
// the companion proofs so far (../verify/), and whether the act is due.

import { MalformedError } from "../booth/bytes.js";
import { G, pointText, power } from "../booth/group.js";
import { sha256Hex } from "../booth/hash.js";
import { RefusedError, VerificationError } from "../verify/errors.js";
import { check, hasKeys } from "../verify/messages.js";
import { points } from "../verify/tasks.js";
import { Verifier } from "../verify/verifier.js";

const MINIMUM = 5; // ballots, where the election declares nothing
const HEARD = { SETUP: "setup", BALLOTS: "ballots", TALLY: "tally", SHUFFLES: "shuffles", DECRYPTIONS: "shares" };

/**
 * One reading of an archive. Push its bytes, then `finish`. `progress(step, count)` hears how far it is; `pool` makes the checks.
 * Throws VerificationError, or MalformedError for what is no archive of this election.
 */
export class Verification {
  #verifier;
  #uuid;
  rows = null; // the tally, in which the shuffles so far are merged

  constructor({ uuid, companions, pool, progress = () => {} }) {
    this.#uuid = uuid;
    const companion = companions === null || companions.trim() === "" ? null : companions.trim();
    this.#verifier = new Verifier({ companion, pool, progress: (step, _, count = 1) => step in HEARD && progress(HEARD[step], count) });
  }

  push(bytes) {
    return this.#verifier.push(bytes);
  }

  async finish() {
    const { outcome, sentence, refusal, uuid } = await this.#verifier.finish();
    if (outcome === "unusable") throw new MalformedError(sentence);
    if (outcome === "refused") throw new VerificationError(sentence, refusal.blame);
    check(uuid !== null, "the archive holds no election yet");
    check(uuid === this.#uuid, "this is another election");
    if (this.#verifier.rows !== null) this.rows = points(this.#verifier.rows);
    return this;
  }

  get last() {
    return this.#verifier.last;
  }

  get head() {
    return this.#verifier.report.head;
  }

  get election() {
    return this.#verifier.election;
  }

  get name() {
    return this.election.name;
  }

  get trustees() {
    return this.#verifier.trustees;
  }

  get size() {
    return this.#verifier.size;
  }

  get counted() {
    return this.#verifier.report.counted;
  }

  get shuffledBy() {
    return this.#verifier.shuffledBy;
  }

  get decryptedBy() {
    return this.#verifier.decryptedBy;
  }

  get rankedIndices() {
    return this.#verifier.rankedIndices;
  }

  get rankedRows() {
    return this.rankedIndices.map((i) => this.rows[i]);
  }

  get minimum() {
    return this.#verifier.declarations?.minimum_ballots ?? MINIMUM;
  }
}

/** The 8 characters that key-holders compare aloud. */
export const totalCode = ({ size }) => size.encrypted_tally.slice(0, 8);

/** The owner whose key this is in the election's set-up. Throws RefusedError if it is nobody's. */
export function ownerOf(board, privateKey) {
  const at = board.trustees.keys.indexOf(pointText(power(G, privateKey)));
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
    opened: act === "decrypt" ? sha256Hex(JSON.stringify(board.rows.map((row) => row.map(({ text }) => text)))) : null,
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
