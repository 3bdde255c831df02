// Who does the parts of a verification (tasks.js): this thread, or workers.

import { sha256Hex } from "../booth/hash.js";
import { tasks } from "./tasks.js";

/** Everything is done where it is asked for. */
export const inline = { size: 1, run: async (name, given, progress = () => {}) => tasks[name](given, progress) };

const holds = (answer) => answer === null || (!answer.rule && !answer.refusal);

/** Answers of parts that were found good are kept: an archive that has grown since is read again quickly. */
export function remembering(pool) {
  const known = new Map();
  return {
    size: pool.size,
    async run(name, given, progress) {
      const key = sha256Hex(JSON.stringify([name, given]));
      if (!known.has(key)) {
        const answer = await pool.run(name, given, progress);
        if (!holds(answer)) return answer;
        known.set(key, answer);
      }
      return known.get(key);
    },
  };
}
