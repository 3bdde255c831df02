// Reads archives as a key-holder's browser does: for each line "uuid path [companions]" one line, "good" or the reason.

import { readFileSync } from "node:fs";
import { Verification } from "../../ballot/web/static/trustee/verification.js";
import { inline, remembering } from "../../ballot/web/static/verify/pool.js";

const pool = remembering(inline); // as in a browser that reads the same box a second time

for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const [uuid, path, companions] = line.split("\t");
  try {
    const reading = new Verification({ uuid, companions: companions ? readFileSync(companions, "utf8") : null, pool });
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at += 1000) await reading.push(new Uint8Array(bytes.subarray(at, at + 1000)));
    await reading.finish();
    console.log(`good ${reading.last} ${reading.counted} ${reading.head}`);
  } catch (error) {
    console.log(`${error.name}: ${error.message}`.replaceAll("\n", " "));
  }
}
