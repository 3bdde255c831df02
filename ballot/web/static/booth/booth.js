// The voting booth: which screen is shown when, and what each button does. Only this file, its screens and page.js
// touch the page; only service.js talks to the service; only the worker touches keys and ballots.
//
// Order of things, and it matters: the secret part of the link is taken from the address and the address is cleared
// before anything else; nothing that carries it leaves the device before the member presses Start; between Start and
// Cast no request depends on an answer; a sealed ballot is kept and sent again, never sealed again, until the ballot
// box has answered.

import { emptyAnswer, toIntegers } from "./answers.js";
import { meetingOf, parseHalf, parseLink } from "./link.js";
import { announce, dataOf, h, notice, p } from "./page.js";
import { lookUp, matches } from "./receipt.js";
import { startSealer } from "./sealer.js";
import * as screens from "./screens.js";
import * as service from "./service.js";
import * as language from "./texts.js";
import { texts } from "./texts.js";

const SLOW = 3_000; // milliseconds of sealing after which we say that it takes longer
const QUICK = 500; // milliseconds of casting that need no screen of their own
const RETRIES = [2, 4, 8, 15, 30]; // seconds before each new try; the last one repeats
const WARNINGS = [10, 2]; // minutes before the close

const place = document.getElementById("booth");
const banner = document.getElementById("banner");
const typed = document.getElementById("typed"); // the server's form for a typed code
const chooser = document.getElementById("languages");

let told = null; // the line about the close that was last said

const state = {
  link: null, // { token, code, meeting }
  half: null, // the token of a link whose code is still to be typed
  directory: null, // the public list of meetings, and the service's clock
  papers: [], // the member's ballot papers, after Start
  sealer: null,
  clock: 0, // milliseconds by which the service's clock is ahead of ours
  casting: null, // the paper whose ballot is under way
  visited: [], // screens in the order of the browser's history
  shown: null, // the screen that is on the page, as a function
};

// --- showing screens ----------------------------------------------------------------------------------------------

const now = () => Date.now() + state.clock;

/** Draw a screen in place of the one that is there, and move the reader to its heading. It is kept, to be drawn in another language. */
function draw(screen, { focus = true } = {}) {
  const { title, body, wrong = false } = screen();
  state.shown = screen;
  const meeting = currentMeeting();
  const practice = meeting?.practice ? `${texts.practice} – ` : "";
  document.title = `${wrong ? texts.error : ""}${practice}${title} – ${place.dataset.organisation}`;
  place.replaceChildren(
    ...(meeting?.practice ? [notice("warn", `${texts.practice}. ${texts.practiceNotice}`)] : []),
    ...body,
  );
  if (!focus) return;
  const target = place.querySelector(".summary") ?? place.querySelector("h1");
  target.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Show a screen and make it a place that the browser's Back button knows. */
function go(screen, { replace = false } = {}) {
  const at = replace ? Math.max(0, state.visited.length - 1) : state.visited.length;
  state.visited.length = at;
  state.visited.push(screen);
  history[replace ? "replaceState" : "pushState"]({ at }, "");
  draw(screen);
}

window.addEventListener("popstate", ({ state: entry }) => {
  if (location.hash.length > 1) return; // the skip link, or another voting link
  if (state.casting !== null) {
    history.pushState({ at: state.visited.length - 1 }, ""); // nothing to go back to while a ballot is under way
    return;
  }
  const at = entry?.at ?? 0;
  const screen = state.visited[at] ?? state.visited[0];
  state.visited.length = Math.min(state.visited.length, at + 1);
  if (screen) draw(screen);
});

/** Anything unforeseen ends in a plain page; nothing half done is left looking whole. */
function guarded(act) {
  return (...given) =>
    Promise.resolve()
      .then(() => act(...given))
      .catch((error) => {
        if (error instanceof service.NoAnswerError) return go(() => screens.noConnection(texts.connection.lead, retrying(act, given)));
        if (error instanceof service.RefusedError && error.busy) {
          return go(() => screens.noConnection(texts.connection.busy, retrying(act, given)));
        }
        if (error instanceof service.RefusedError && error.code === "link-not-valid") return go(() => codeScreen({ told: texts.link.dead }));
        if (error.name === "RandomnessError") return go(() => screens.alarm(texts.alarm.random, contact()));
        if (error.name === "MalformedError") return go(() => screens.alarm(texts.alarm.election, contact()));
        return go(() => screens.alarm(error instanceof service.RefusedError ? refusalText(error) : texts.alarm.crash, contact()));
      });
}

/** The service's reason in the member's language; why it says anything else stands in its own log. */
const refusalText = ({ code }) => ({ "not-in-electorate": texts.alarm.electorate, "not-open": texts.alarm.early })[code] ?? texts.alarm.refused;

const retrying = (act, given) => () => guarded(act)(...given);

const contact = () => place.dataset.contact;
const currentMeeting = () => state.directory?.meetings.find(({ id }) => id === state.link?.meeting) ?? null;

// --- the language -------------------------------------------------------------------------------------------------

/** Say everything in this language from now on. Nothing that was chosen or typed changes, and nobody is told. */
function speak(key) {
  language.speak(key);
  for (const part of [document, typed]) {
    for (const element of part.querySelectorAll("[data-t]")) element.textContent = language.textAt(element.dataset.t);
    for (const element of part.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", language.textAt(element.dataset.tLabel));
  }
  const all = language.languages();
  document.documentElement.lang = all.find((one) => one.key === key).tag;
  chooser.replaceChildren(
    ...all.filter((one) => one.key !== key).map(({ key: other, name, tag }) =>
      h("li", {}, h("button", { type: "button", class: "linklike", lang: tag, onclick: () => change(other) }, name)),
    ),
  );
}

function change(key) {
  speak(key);
  if (state.shown) draw(state.shown, { focus: false });
  told = null;
  tick();
  chooser.querySelector("button").focus();
}

// --- the first page -----------------------------------------------------------------------------------------------

/** Take the secret part of the link to memory and clear the address bar; nothing of it stays in the history. */
function takeLink() {
  const fragment = location.hash;
  history.replaceState({ at: 0 }, "", location.pathname);
  const cut = fragment.length > 1;
  state.link = parseLink(fragment);
  state.half = state.link === null ? parseHalf(fragment) : null;
  return cut;
}

async function arrive() {
  const came = takeLink();
  state.visited = [];
  state.papers = [];
  place.replaceChildren(p(texts.wait));
  state.sealer ??= await startSealer(place.dataset.worker, place.dataset.workerIntegrity);
  state.directory = await service.meetings();
  state.clock = Date.parse(state.directory.now) - Date.now();
  if (state.link === null) return go(() => codeScreen({ told: !came ? "" : state.half ? texts.link.half : texts.link.broken }), { replace: true });
  if (currentMeeting() === null) return go(() => codeScreen({ told: texts.link.dead }), { replace: true });
  return go(firstScreen, { replace: true });
}

function firstScreen() {
  const meeting = currentMeeting();
  const { elections } = meeting;
  const votable = elections.filter(isOpen);
  if (votable.length > 0) return screens.start(meeting, votable, { start: guarded(start), contact: contact() });
  const coming = elections.filter(({ state: name }) => name === "locked");
  if (coming.length > 0) return screens.waiting(meeting.name, coming[0].opens, { contact: contact() });
  return screens.closedMeeting(meeting, { look: guarded(start), contact: contact() });
}

const isOpen = ({ state: name, closes }) => name === "open" && now() < Date.parse(closes);

// --- the typed code -----------------------------------------------------------------------------------------------

function codeScreen(how = {}) {
  const known = state.half && typed.querySelector(`input[type="radio"][value="${CSS.escape(meetingOf(state.half))}"]`);
  if (known) known.checked = true; // the link says which meeting; only its code is missing
  return screens.code(typed, how);
}

async function enterCode() {
  const wrong = (field, why) => draw(() => codeScreen({ wrong: [{ field, text: texts.link[why] }] }));
  const form = new FormData(typed.querySelector("#code-form"));
  const meeting = state.directory.meetings.find(({ id }) => id === form.get("meeting"));
  if (meeting === undefined) return wrong("meeting", "noMeeting");
  if (form.get("code").trim() === "") return wrong("code", "empty");
  let code;
  try {
    code = await state.sealer.ask("normalise", { code: form.get("code") });
  } catch {
    return wrong("code", "malformed");
  }
  // Not every election of a meeting is everybody's: the code is tried on each until one knows it.
  for (const { uuid } of meeting.elections) {
    const credential = await state.sealer.ask("credential", { uuid, code });
    const { nonce } = await service.typedStart(uuid, credential);
    const proof = await state.sealer.ask("proveCode", { uuid, code, nonce });
    try {
      const { token } = await service.typedFinish({ election: uuid, nonce, ...proof, ...(state.half && { token: state.half }) });
      state.link = { token, code, meeting: meeting.id };
      typed.querySelector("#code-form").reset();
      return start();
    } catch (error) {
      if (error.code !== "code-not-valid") throw error;
    }
  }
  return wrong("code", "unknown");
}

async function resendLink() {
  const email = new FormData(typed.querySelector("#resend-form")).get("email").trim();
  if (!/^\S+@\S+\.\S+$/.test(email)) return draw(() => codeScreen({ wrong: [{ field: "email", text: texts.link.noEmail }] }));
  await service.resend(email);
  return draw(() => codeScreen({ sent: true }));
}

/** A form that goes nowhere by itself. */
function onSubmit(id, act) {
  typed.querySelector(id).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

// --- the member's ballot papers -----------------------------------------------------------------------------------

async function start() {
  const { now: moment, elections } = await service.open(state.link.token);
  state.clock = Date.parse(moment) - Date.now();
  const practice = (election) => (election.practice && !currentMeeting()?.practice ? `${texts.practice}: ` : "");
  state.papers = elections.map((election) => ({
    ...election,
    name: practice(election) + election.name,
    questions: null, // after `enter`
    answers: null,
    sealing: null, // a promise of { ballot, tracker }
  }));
  watchClock();
  if (state.papers.length === 1) return enter(state.papers[0]);
  return go(listScreen);
}

function listScreen() {
  return screens.list(currentMeeting(), state.papers, { isOpen, enter: guarded(enter), contact: contact(), finish });
}

const home = () => (state.papers.length > 1 ? go(listScreen) : go(() => paperScreen(state.papers[0])));

const endings = () => ({ contact: contact(), finish, home: state.papers.length > 1 ? home : null });

/** The one screen that tells how things stand with a paper on which there is nothing to do. */
function paperScreen(paper) {
  if (paper.done) return doneScreen(paper);
  if (paper.state === "locked") return screens.waiting(paper.name, paper.opens, endings());
  return isOpen(paper) ? screens.already(paper, endings()) : screens.closed(paper, endings());
}

async function enter(paper) {
  if (!isOpen(paper) || (paper.voted && !paper.replace)) return go(() => paperScreen(paper));
  if (paper.questions === null) {
    const text = await service.electionText(paper.uuid);
    const { fingerprint, ...opened } = await state.sealer.ask("open", { text, uuid: paper.uuid, code: state.link.code });
    if (fingerprint !== paper.fingerprint) return go(() => screens.alarm(texts.alarm.questions, contact()));
    Object.assign(paper, opened);
    paper.answers = paper.questions.map(emptyAnswer);
  }
  paper.done = null;
  return go(() => questionScreen(paper, 0));
}

/** Once a ballot is in the box its questions are no place to go back to. */
function questionScreen(paper, at, { wrong = [], back = false } = {}) {
  if (paper.answers === null) return paperScreen(paper);
  return screens.question(paper, at, {
    wrong,
    several: state.papers.length > 1,
    again: (problems) => draw(() => questionScreen(paper, at, { wrong: problems, back })),
    next: () => {
      paper.sealing = null;
      const more = !back && at + 1 < paper.questions.length;
      go(more ? () => questionScreen(paper, at + 1) : () => checkScreen(paper));
    },
    announce,
  });
}

function checkScreen(paper) {
  if (paper.answers === null) return paperScreen(paper);
  // Sealing goes on while the member reads. A ballot that is not cast is forgotten; nothing of it has left the device.
  paper.sealing ??= state.sealer.ask("seal", {
    uuid: paper.uuid,
    code: state.link.code,
    answers: paper.questions.map((question, at) => toIntegers(question, paper.answers[at])),
  });
  paper.sealing.catch(() => {}); // reported when the member presses Cast
  return screens.check(paper, {
    change: (at) => go(() => questionScreen(paper, at, { back: true })),
    cast: guarded(() => cast(paper)),
  });
}

// --- casting ------------------------------------------------------------------------------------------------------

async function cast(paper) {
  if (state.casting !== null) return;
  state.casting = paper;
  chooser.hidden = true;
  window.addEventListener("beforeunload", keepOpen);
  const timers = [
    setTimeout(() => draw(() => screens.sending(false)), QUICK),
    setTimeout(() => draw(() => screens.sending(true), { focus: false }), SLOW),
  ];
  const quiet = () => timers.forEach(clearTimeout);
  try {
    const { ballot, tracker } = await paper.sealing;
    clearTimeout(timers[1]);
    const outcome = await deliver(paper, ballot, quiet);
    quiet();
    settle(paper, outcome, ballot, tracker);
    tick();
  } finally {
    quiet();
    window.removeEventListener("beforeunload", keepOpen);
    state.casting = null;
    chooser.hidden = false;
  }
}

function keepOpen(event) {
  event.preventDefault();
}

/** Send the same bytes until the ballot box answers; an answer is a receipt or a refusal. */
async function deliver(paper, ballot, quiet) {
  for (let tries = 0; ; tries += 1) {
    try {
      return { receipt: await service.cast(paper.uuid, state.link.token, ballot) };
    } catch (error) {
      if (error instanceof service.RefusedError && !error.busy) return { refusal: error };
      if (!(error instanceof service.RefusedError) && !(error instanceof service.NoAnswerError)) throw error;
      quiet();
      await patience(RETRIES[Math.min(tries, RETRIES.length - 1)], error instanceof service.RefusedError);
      draw(() => screens.sending(false), { focus: false });
    }
  }
}

/** Wait before the next try: so many seconds, or until the member says so, or until the connection is back. */
function patience(seconds, busy) {
  return new Promise((resolve) => {
    let left = seconds;
    const done = () => {
      clearInterval(ticking);
      window.removeEventListener("online", done);
      resolve();
    };
    const view = screens.offline(busy, done);
    const ticking = setInterval(() => {
      left -= 1;
      view.tell(left);
      if (left <= 0) done();
    }, 1000);
    window.addEventListener("online", done);
    view.tell(left);
    draw(() => view);
    announce(busy ? texts.offline.busy : `${texts.offline.title}. ${texts.offline.lead}`);
  });
}

function settle(paper, { receipt, refusal }, ballot, tracker) {
  const given = receipt ?? (refusal.code === "already-voted" ? refusal.body.receipt : null);
  if (given && matches(given, paper.uuid, tracker)) {
    Object.assign(paper, { voted: { tracker, receipt: given }, done: { receipt: given, ballot, seen: null } });
    forgetAnswers(paper);
    go(() => paperScreen(paper), { replace: true });
    watchBoard(paper);
    return;
  }
  if (receipt) {
    go(() => screens.alarm(texts.alarm.receipt, contact(), tracker), { replace: true });
    return;
  }
  if (refusal.code === "already-voted") {
    paper.voted = { tracker: given?.ballot ?? "", receipt: given };
    forgetAnswers(paper);
    go(() => screens.already(paper, endings(), true), { replace: true });
    return;
  }
  if (refusal.code === "closed") {
    paper.state = "closed";
    const seconds = (Date.parse(refusal.date ?? "") - Date.parse(paper.closes)) / 1000;
    forgetAnswers(paper);
    go(() => screens.late(paper, seconds, endings()), { replace: true });
    return;
  }
  throw refusal;
}

function forgetAnswers(paper) {
  Object.assign(paper, { answers: null, questions: null, orders: null, sealing: null });
}

// --- after the cast -----------------------------------------------------------------------------------------------

function doneScreen(paper) {
  const next = state.papers.find((other) => isOpen(other) && !other.voted);
  return screens.done(paper, {
    ...endings(),
    next: next ? { name: next.name, go: guarded(() => enter(next)) } : null,
  });
}

/** Look for the ballot on the public board, and say aloud if it is not what was sent. */
async function watchBoard(paper) {
  const { done } = paper;
  done.seen = await lookUp(done.receipt, done.ballot, (text) => state.sealer.ask("sha256", { text }));
  if (paper.done !== done) return;
  if (done.seen === "different") {
    go(() => screens.alarm(texts.alarm.board, contact(), done.receipt.ballot), { replace: true });
    return;
  }
  const told = document.getElementById("seen");
  if (told) told.textContent = done.seen === "found" ? texts.done.found : texts.done.unseen;
}

/** Forget everything, and leave a page behind on which Back shows nothing of the member. */
function finish() {
  state.sealer?.stop();
  Object.assign(state, { link: null, papers: [], visited: [], sealer: null });
  place.replaceChildren();
  location.replace(`${place.dataset.finished}?lang=${language.language}`);
}

// --- the close ----------------------------------------------------------------------------------------------------

/** A line above the page when the paper in hand closes soon. */
function watchClock() {
  clearInterval(watchClock.ticking);
  watchClock.ticking = setInterval(tick, 5000);
  tick();
}

function tick() {
  const closes = state.papers.filter((paper) => paper.state === "open" && !paper.voted).map((paper) => Date.parse(paper.closes));
  if (closes.length === 0) {
    banner.replaceChildren();
    told = null;
    return;
  }
  const minutes = (Math.min(...closes) - now()) / 60_000;
  const stage = minutes <= 0 ? 0 : WARNINGS.filter((warning) => minutes <= warning).at(-1);
  if (stage === undefined) return;
  const text = stage === 0 ? texts.closing.now : texts.closing.soon({ count: Math.ceil(minutes) });
  if (text === told) return;
  const first = told === null || stage === 0;
  told = text;
  banner.replaceChildren(notice("warn", text));
  if (first) announce(text);
}

// --- beginning ----------------------------------------------------------------------------------------------------

const able =
  typeof BigInt === "function" && typeof Worker === "function" && typeof crypto?.getRandomValues === "function" && typeof String.prototype.replaceAll === "function";

if (able) {
  language.load(dataOf("texts"));
  speak(place.dataset.language);
  typed.remove();
  onSubmit("#code-form", guarded(enterCode));
  onSubmit("#resend-form", guarded(resendLink));
  guarded(arrive)();
  // The same tab is given another link: everything begins again.
  window.addEventListener("hashchange", () => {
    const place = document.getElementById(location.hash.slice(1));
    if (location.hash.length > 1 && place === null && state.casting === null) guarded(arrive)();
  });
  // A page that comes back from the browser's memory after Finish has nothing to show.
  window.addEventListener("pageshow", ({ persisted }) => {
    if (persisted && state.sealer === null) location.replace(location.pathname);
  });
} else {
  document.getElementById("late").hidden = false;
}
