// Verifies archives as the page in the browser does: for each line of JSON one line, the report.

import { readFileSync } from "node:fs";
import { besideText } from "../../ballot/web/static/verify/archive.js";
import { inline, remembering } from "../../ballot/web/static/verify/pool.js";
import { recount } from "../../ballot/web/static/verify/recount.js";
import { Verifier } from "../../ballot/web/static/verify/verifier.js";

const pool = remembering(inline); // many of the archives have most of their parts in common
const PIECE = 70_001;

const beside = (path) => (path === null ? null : besideText(new Uint8Array(readFileSync(path))));

async function* pieces(path) {
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length; at += PIECE) yield new Uint8Array(bytes.subarray(at, at + PIECE));
}

for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const { archive, companion, results, pins } = JSON.parse(line);
  const report = await new Verifier({ companion: beside(companion), results: beside(results), pins, pool, recount }).verify(pieces(archive));
  console.log(JSON.stringify(report));
}
