/** The papers, the rule or its settings cannot be counted. */
export class CountError extends Error {
  constructor(message) {
    super(message);
    this.name = "CountError";
  }
}
