// What is thrown on purpose where an election is checked, besides MalformedError of ../booth/bytes.js.

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

/** A ballot is not acceptable in this election. */
export class InvalidBallotError extends VerificationError {
  constructor(message) {
    super(message);
    this.name = "InvalidBallotError";
  }
}

/** A proof or a signature does not hold. */
export class InvalidProofError extends VerificationError {
  constructor(message) {
    super(message);
    this.name = "InvalidProofError";
  }
}

/** An archive breaks a rule: its id, the height of the event, and who is at fault, where that is known. */
export class ArchiveRefusedError extends VerificationError {
  constructor(rule, message, { height = null, blame = null } = {}) {
    super(message, blame);
    this.name = "ArchiveRefusedError";
    this.rule = rule;
    this.height = height;
  }
}

/** A file that cannot be read as an election at all. */
export class UnusableError extends Error {
  constructor(message) {
    super(message);
    this.name = "UnusableError";
  }
}
