// Seal ballots for the tests in Python: a JSON request on standard input, a JSON reply on standard output.
// { election: text, uuid, ballots: [{ code, answers, seed? }] } -> [{ ballot, tracker, credential }]

import { readFileSync } from "node:fs";
import { encryptBallot } from "../../ballot/web/static/booth/ballot.js";
import { publicCredential } from "../../ballot/web/static/booth/credentials.js";
import { parseElection } from "../../ballot/web/static/booth/election.js";
import { BrowserRng } from "../../ballot/web/static/booth/random.js";
import { SeededRng } from "./seeded.js";

const request = JSON.parse(readFileSync(0, "utf8"));
const election = parseElection(request.election, request.uuid);
const replies = request.ballots.map(({ code, answers, seed }) => ({
  credential: publicCredential(request.uuid, code),
  ...encryptBallot(election, code, answers, seed === undefined ? new BrowserRng() : new SeededRng(seed)),
}));
process.stdout.write(JSON.stringify(replies));
