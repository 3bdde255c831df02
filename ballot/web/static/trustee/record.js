// What a key was used for on this device: public values only, kept by the browser, so that a second, different tally of the
// same ballot is refused after a restart too. The command line keeps the same record beside the key file.

import { RefusedError } from "../verify/errors.js";

const nameOf = (uuid, owner) => `ballot-key-used:${uuid}:${owner}`;
const refused = () =>
  new RefusedError("This browser cannot keep a record of what the key was used for, so nothing is opened. Use a normal window, or another browser.");

/** All uses so far. Throws RefusedError if the browser keeps no record, or it cannot be read. */
export function usesOf(uuid, owner) {
  try {
    const text = localStorage.getItem(nameOf(uuid, owner));
    const uses = text === null ? [] : JSON.parse(text);
    if (Array.isArray(uses)) return uses;
  } catch {
    // said below
  }
  throw refused();
}

/** Write one down, before the key is used. */
export function writeUse(uuid, owner, use) {
  const uses = usesOf(uuid, owner);
  const texts = uses.map((one) => JSON.stringify(one));
  if (texts.includes(JSON.stringify(use))) return;
  const text = JSON.stringify([...uses, use]);
  try {
    localStorage.setItem(nameOf(uuid, owner), text);
    if (localStorage.getItem(nameOf(uuid, owner)) === text) return;
  } catch {
    // said below
  }
  throw refused();
}
