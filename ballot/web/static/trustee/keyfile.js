// A key-holder's key file (ballot/keyholder.py, KeyFile): whose it is, for which ballot, and the secret inside.

import { parseUuid } from "../booth/credentials.js";
import { check, hasKeys, isText, read, scalar, write } from "../verify/messages.js";
import { pkiKeys } from "../verify/trustees.js";
import { peek, seal, unseal } from "./sealed.js";

const KIND = "key-holder's key";

const isOwner = (text) => /^[1-9][0-9]{0,2}$/.test(text);

/** Whose key for which ballot a file says that it is, without its passphrase: { election, owner, holder, kind }. Throws MalformedError. */
export function whoseKey(text) {
  const { kind, about } = peek(text);
  check(kind === KIND, `this file is not a key-holder's key, but: ${kind.slice(0, 60)}`);
  return aboutOf(about);
}

function aboutOf(about) {
  check(hasKeys(about, "election", "owner", "holder", "key") && isOwner(about.owner) && ["single", "threshold"].includes(about.key), "this file does not hold a key-holder's key");
  return { election: parseUuid(about.election), owner: Number(about.owner), holder: about.holder, kind: about.key };
}

/** `key` is { election, owner, holder, kind, seed, privateKey }; the last two may be null. */
export function sealKey(key, passphrase, options) {
  const about = { election: key.election, owner: String(key.owner), holder: key.holder, key: key.kind };
  const secret = {
    ...(key.seed === null ? {} : { seed: key.seed }),
    ...(key.privateKey === null ? {} : { private_key: String(key.privateKey) }),
  };
  return seal(KIND, about, write(secret), passphrase, options);
}

export async function openKey(file, passphrase, progress) {
  whoseKey(file);
  const { about, text } = await unseal(file, passphrase, progress);
  const { kind, ...who } = aboutOf(about);
  const secret = read(text);
  check(hasKeys(secret, "seed?", "private_key?"), "this key file does not hold what its kind needs");
  const { seed = null, private_key: privateText = null } = secret;
  check((seed === null) === (kind === "single") && (seed === null || isText(seed)), "this key file does not hold what its kind needs");
  if (seed !== null) pkiKeys(seed);
  return { ...who, kind, seed, privateKey: privateText === null ? null : scalar(privateText) };
}

/** Letters, digits and hyphens, as part of a file name. */
export function slug(text) {
  const plain = text.normalize("NFKD").replace(/[^\x00-\x7f]/g, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40) || "holder";
}

/** A file name that says which ballot and whose key; `part` is for a key that is not finished. */
export const fileName = ({ election, owner, holder }, part = "") => `ballot-${election}-${owner}-${slug(holder)}${part}.key`;
