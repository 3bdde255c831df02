// Seal one member's ballot again and again with the booth's own code, first cold as on a phone that has just loaded it.
// { election: text, uuid, code, answers, times } on standard input -> seconds of each time, as JSON, on standard output.

import { readFileSync } from "node:fs";
import { encryptBallot } from "../ballot/web/static/booth/ballot.js";
import { parseElection } from "../ballot/web/static/booth/election.js";
import { BrowserRng } from "../ballot/web/static/booth/random.js";

const { election: text, uuid, code, answers, times } = JSON.parse(readFileSync(0, "utf8"));
const election = parseElection(text, uuid);
const seconds = [];
for (let i = 0; i < times; i += 1) {
  const begin = performance.now();
  encryptBallot(election, code, answers, new BrowserRng());
  seconds.push((performance.now() - begin) / 1000);
}
process.stdout.write(JSON.stringify(seconds));
