// Counts papers as the verifier in the browser does: for each line of JSON one line, the record or the error.

import { readFileSync } from "node:fs";
import { parseConstraints } from "../../ballot/web/static/verify/count/constraints.js";
import { dumpsSorted, loads } from "../../ballot/web/static/verify/json.js";
import { countRanked } from "../../ballot/web/static/verify/recount.js";

for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const { rule, names, title, papers, invalid, withdrawn, seats, ron, constraints, lot } = JSON.parse(line);
  try {
    const bounds = constraints === null ? null : parseConstraints(loads(constraints), names);
    const profile = { names, title, papers, invalid, withdrawn };
    console.log(dumpsSorted(countRanked(rule, profile, seats, { ron, constraints: bounds, lot })));
  } catch (error) {
    if (!["CountError", "MalformedError"].includes(error.name)) throw error;
    console.log(error.message);
  }
}
