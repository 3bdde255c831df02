// How long the booth's own code takes to seal one ballot, in Node. Driven by bench_booth.py: a task on standard input,
// { election: text, uuid, code, answers, times }, and the seconds of each sealing on standard output. The first one
// counts reading the ballot paper too, as a member's first ballot does.

import { readFileSync } from "node:fs";
import { encryptBallot } from "../ballot/web/static/booth/ballot.js";
import { parseElection } from "../ballot/web/static/booth/election.js";
import { BrowserRng } from "../ballot/web/static/booth/random.js";

const task = JSON.parse(readFileSync(0, "utf8"));
const rng = new BrowserRng();
const seconds = [];
let election = null;
for (let at = 0; at < task.times; at += 1) {
  const start = performance.now();
  election ??= parseElection(task.election, task.uuid);
  encryptBallot(election, task.code, task.answers, rng);
  seconds.push((performance.now() - start) / 1000);
}
process.stdout.write(JSON.stringify(seconds));
