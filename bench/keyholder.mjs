// What a key-holder's browser does on count day, timed: reads { uuid, archive, companions } as JSON, writes seconds by step.

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { openShare } from "../ballot/web/static/verify/decryption.js";
import { KeyholderRng } from "../ballot/web/static/trustee/random.js";
import { shuffleTally } from "../ballot/web/static/verify/shuffle.js";
import { Verification } from "../ballot/web/static/trustee/verification.js";

const { uuid, archive, companions } = JSON.parse(readFileSync(0, "utf8"));
const rng = new KeyholderRng();
const seconds = {};
let before = performance.now();

function lap(step) {
  const now = performance.now();
  seconds[step] = (seconds[step] ?? 0) + (now - before) / 1000;
  before = now;
}

const board = new Verification({ uuid, companions: readFileSync(companions, "utf8") });
await board.push(new Uint8Array(readFileSync(archive)));
await board.finish();
lap("check");
shuffleTally(board.election, board.rankedRows, rng, () => {});
lap("shuffle");
openShare(board.election, board.rows, rng.scalar(), 1, rng);
lap("decrypt");
console.log(JSON.stringify(seconds));
