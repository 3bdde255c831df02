// The key-holder's worker: the key, and everything that uses it. Messages in, messages out.
//
// It makes no request: the page fetches and sends. Neither the key nor the passphrase ever leaves it again; what it gives out
// is public, or sealed. They are kept until the page is closed.

import { compareUse, ownerOf, prepare, totalCode, useOf, Verification } from "./verification.js";
import { openShare, workOfDecryption } from "../verify/decryption.js";
import { fileName, openKey, sealKey, whoseKey } from "./keyfile.js";
import { proofJson, publicKey, read, write } from "../verify/messages.js";
import { RefusedError } from "../verify/errors.js";
import { proveExponent } from "../verify/proving.js";
import { KeyholderRng } from "./random.js";
import { inline, remembering } from "../verify/pool.js";
import { shuffleTally, workOfShuffle } from "../verify/shuffle.js";
import {
  certificateText, checkCertificates, findPlace, genSeed, makeCertificate, makePolynomial, makePublicKey, makeVoutput, openDecryptionKey,
  pkiKeys, possessionStatement, publicKeyText, readCertificates, readVinput,
} from "../verify/trustees.js";
import { G, pointText, power, Q } from "../booth/group.js";

const rng = new KeyholderRng();
const pool = remembering(inline); // what was found good before is not checked again
let key = null;
let passphrase = "";
let reading = null;
let board = null;
let allowed = ""; // the act whose use was compared with the record, and handed out to be written down

const who = ({ election, owner, holder, kind }) => ({ election, owner, holder, kind });
const pki = () => pkiKeys(key.seed);

function certificatesOf({ certificates, threshold, owner }) {
  const parsed = readCertificates(certificates);
  if (findPlace(pki(), checkCertificates(parsed, threshold)) !== owner) {
    throw new RefusedError("The site shows our certificate at another key-holder's place.");
  }
  return parsed;
}

async function sealedFile(progress, part) {
  return { name: fileName(key, part), file: await sealKey(key, passphrase, { progress: (done) => progress("lock", done, 1) }) };
}

/** The owner, after all checks once more. An act is allowed once each time that its use was asked for. */
function permitted(act) {
  if (allowed !== act) throw new RangeError("the use of the key was not written down");
  allowed = "";
  return prepare(board, key, act);
}

/** Work that is counted in small steps, told in hundredths. */
function counted(progress, step, total) {
  let done = 0;
  let told = 0;
  return (more) => {
    done = Math.min(done + more, total);
    if (done - told < total / 100) return;
    told = done;
    progress(step, done, total);
  };
}

const acts = {
  /** A new key for this place, sealed: { name, file }. */
  async make({ view, passphrase: chosen }, progress) {
    const group = view.kind === "threshold";
    key = {
      election: view.election,
      owner: view.owner,
      holder: view.holder,
      kind: view.kind,
      seed: group ? genSeed(rng) : null,
      privateKey: group ? null : 1n + rng.below(Q - 1n),
    };
    passphrase = chosen;
    return sealedFile(progress, group ? "-first-part" : "");
  },

  whose: ({ file }) => whoseKey(file),

  /** Open a key file and keep its key: whose it is, and whether it is finished. */
  async open({ file, passphrase: given }, progress) {
    const opened = await openKey(file, given, (done) => progress("unlock", done, 1));
    key = opened;
    passphrase = given;
    return { ...who(key), finished: key.privateKey !== null };
  },

  publicKey: () => publicKeyText(makePublicKey(key.privateKey, rng)),

  certificate: ({ view: { owner, threshold, size } }) => certificateText(makeCertificate(pki(), { index: owner, threshold, size }, rng)),

  polynomial: async ({ view }) => write(await makePolynomial(pki(), certificatesOf(view), view.threshold, rng)),

  /** Check everybody's part and finish the key: the text to send. */
  async voutput({ view }) {
    const { privateKey, voutput } = await makeVoutput(pki(), certificatesOf(view), view.threshold, readVinput(view.vinput), rng);
    key = { ...key, privateKey };
    return voutput;
  },

  /** Finish the key of a file that was saved before the last step. */
  async complete({ view }) {
    key = { ...key, privateKey: await openDecryptionKey(pki(), view.voutput) };
  },

  file: (_, progress) => sealedFile(progress, ""),

  /** A proof of possession of the key that the site has for this place. */
  prove({ view: { election, owner, nonce, voutput } }) {
    if (voutput !== undefined && pointText(publicKey(read(voutput).public_key).publicKey) !== pointText(power(G, key.privateKey))) {
      throw new RefusedError("This file holds another key than the one that was made for this ballot.");
    }
    return write({ nonce, proof: proofJson(proveExponent(possessionStatement(election, owner, nonce), key.privateKey, rng)) });
  },

  /** Begin to read the archive; `companions` are the companion proofs so far. */
  begin({ uuid, companions }, progress) {
    board = null;
    reading = new Verification({ uuid, companions, pool, progress });
  },

  piece: ({ bytes }) => reading.push(bytes),

  /** The whole archive holds: what a person compares and does next. */
  async end() {
    board = await reading.finish();
    reading = null;
    const owner = ownerOf(board, key.privateKey);
    return {
      name: board.name,
      fingerprint: board.election.fingerprint,
      last: board.last,
      ballots: board.counted,
      minimum: board.minimum,
      code: board.size === null ? "" : totalCode(board),
      ranked: board.rankedIndices.length > 0,
      shuffled: board.shuffledBy.has(owner),
      opened: board.decryptedBy.has(owner),
    };
  },

  /** Every check before an act; `record` is what this device wrote down before, and the answer is what it has to write down now. */
  use({ purpose, record }) {
    prepare(board, key, purpose);
    const use = useOf(board, purpose);
    compareUse(record, use);
    allowed = purpose;
    return use;
  },

  shuffle(_, progress) {
    permitted("shuffle");
    const rows = board.rankedRows;
    return shuffleTally(board.election, rows, rng, counted(progress, "shuffle", workOfShuffle(rows)));
  },

  decrypt(_, progress) {
    const owner = permitted("decrypt");
    return openShare(board.election, board.rows, key.privateKey, owner, rng, counted(progress, "decrypt", workOfDecryption(board.rows)));
  },
};

let before = Promise.resolve();

// One message after the other: a piece of the archive must not overtake the one before it.
self.addEventListener("message", ({ data: { id, act, ...request } }) => {
  const progress = (step, done, total) => self.postMessage({ id, progress: { step, done, total } });
  before = before.then(async () => {
    try {
      self.postMessage({ id, value: await acts[act](request, progress) });
    } catch (error) {
      self.postMessage({ id, error: { name: error.name, message: error.message } });
    }
  });
});
