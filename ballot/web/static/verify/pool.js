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

const OFTEN = 32; // steps of the work between two words about it

/** Answer parts of a verification that come through a port: what a helping worker does. */
export function serve(port) {
  port.addEventListener("message", ({ data: { id, name, given } }) => {
    let steps = 0;
    const progress = () => {
      steps += 1;
      if (steps % OFTEN === 0) port.postMessage({ id, progress: true });
    };
    try {
      port.postMessage({ id, answer: tasks[name](given, progress) });
    } catch (error) {
      port.postMessage({ id, error: { name: error?.name, message: error?.message } });
    }
  });
  port.start();
}

/** Helping workers behind ports: each has one part at a time. */
export function helpers(ports) {
  const idle = [...ports];
  const waiting = [];
  const asked = new Map();

  function next() {
    while (idle.length > 0 && waiting.length > 0) {
      const port = idle.pop();
      const { id, name, given, ...rest } = waiting.shift();
      asked.set(id, { port, ...rest });
      port.postMessage({ id, name, given });
    }
  }

  for (const port of ports) {
    port.addEventListener("message", ({ data: { id, answer, error, progress } }) => {
      const { resolve, reject, hear } = asked.get(id);
      if (progress) {
        hear();
        return;
      }
      asked.delete(id);
      idle.push(port);
      next();
      if (error) reject(Object.assign(new Error(error.message), { name: error.name }));
      else resolve(answer);
    });
    port.start();
  }

  let count = 0;
  return {
    size: ports.length,
    run(name, given, hear = () => {}) {
      return new Promise((resolve, reject) => {
        waiting.push({ id: (count += 1), name, given, resolve, reject, hear });
        next();
      });
    },
  };
}
