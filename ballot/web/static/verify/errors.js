// What key-holders' code throws on purpose, besides MalformedError of ../booth/bytes.js.

/** A message that is well formed but not true; `blame` names who made it, where that is known. */
export class VerificationError extends Error {
  constructor(message, blame = null) {
    super(message);
    this.name = "VerificationError";
    this.blame = blame;
  }
}

/** Nothing is wrong with a message, but what is asked for must not or cannot be done. */
export class RefusedError extends Error {
  constructor(message) {
    super(message);
    this.name = "RefusedError";
  }
}
