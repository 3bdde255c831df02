// What the booth asks of the service, and of the public board. Every request names what it sends; no cookie goes along.

const TIMEOUT = 20_000; // milliseconds; a hall full of phones on one mast is slow, not gone

/** No answer came: no connection, or too late. What was sent may have arrived all the same. */
export class NoAnswerError extends Error {
  constructor() {
    super("no answer");
    this.name = "NoAnswerError";
  }
}

/** The service answered, and refused. `code` is its word for it, `body` the whole answer. */
export class RefusedError extends Error {
  constructor(status, body, date) {
    super(body.message ?? `status ${status}`);
    this.name = "RefusedError";
    this.status = status;
    this.code = body.error ?? "";
    this.body = body;
    this.date = date;
  }

  /** The service could not work just now and recorded nothing; the same request may be sent again. */
  get busy() {
    return this.status >= 500 || this.status === 429;
  }
}

async function request(path, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT);
  try {
    const response = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", signal: stop.signal, ...options });
    return { status: response.status, ok: response.ok, date: response.headers.get("Date"), text: await response.text() };
  } catch {
    throw new NoAnswerError();
  } finally {
    clearTimeout(timer);
  }
}

function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

async function get(path) {
  const { ok, status, date, text } = await request(path, { method: "GET" });
  if (!ok) throw new RefusedError(status, jsonOf(text), date);
  return text;
}

async function post(path, body) {
  const { ok, status, date, text } = await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Ballot": "1" },
    body: JSON.stringify(body),
  });
  if (!ok) throw new RefusedError(status, jsonOf(text), date);
  return jsonOf(text);
}

/** The meetings that are going on: names, dates, states. Public; nothing of the member is sent. */
export const meetings = async () => jsonOf(await get("/vote/meetings"));

/** What this member may vote in, and has voted in. Reads only. */
export const open = (token) => post("/vote/open", { token });

/** The exact text of an election. */
export const electionText = (uuid) => get(`/api/elections/${uuid}/election`);

/** Cast a sealed ballot. The same text again is the same cast. */
export const cast = (uuid, token, ballot) => post(`/vote/${uuid}/cast`, { token, ballot });

export const typedStart = (election, credential) => post("/vote/typed/start", { election, credential });

export const typedFinish = (proof) => post("/vote/typed/finish", proof);

export const resend = (email) => post("/vote/resend", { email });

/** One object or event of the public board, by its hash, as text. */
export const boardObject = (uuid, hash) => get(`/api/elections/${uuid}/objects/${hash}`);

export const boardHead = async (uuid) => jsonOf(await get(`/api/elections/${uuid}/last-event`));
