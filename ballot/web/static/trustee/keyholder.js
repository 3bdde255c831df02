// The key-holder's page: key day and count day, on the screen. What uses the key is in keyholder-worker.js.
//
// The link's secret part is taken from the address at once. The page asks the service how far everybody is and goes on by
// itself; nothing is sent that was not announced by a button, except the steps of key-making that follow from the first.

import { encode } from "uqr";
import { announce, button, dataOf, h, lead, notice, p, quiet, soft } from "../booth/page.js";
import { NoAnswerError } from "../booth/service.js";
import { load, spoken, texts as T } from "../booth/texts.js";
import { Service, startWorker } from "./desk.js";
import { usesOf, writeUse } from "./record.js";
import { awaited, countLost, holderOf, mayLose, others, share, shownAgain, stepDone, tooFew, waitingFor } from "./sentences.js";

const POLL = 3000; // milliseconds between two looks at the service
const SVG = "http://www.w3.org/2000/svg";
const ASKED_AGAIN = 3 * 24 * 3600 * 1000; // milliseconds before the close
const PLACES = ["device", "stick", "paper", "manager"];
const MAX_KEY_FILE = 1 << 20;
const MIN_PASSPHRASE = 12; // as in sealed.js, which is the worker's
const LINK = /^https?:\/\/[^#?]+\/trustee\/([0-9A-Za-z]+)\/([0-9]+)#([!-~]+)$/;

const root = document.getElementById("keyholder");
const { uuid, owner: ownerText, worker: workerAddress, workerIntegrity, title: siteTitle } = root.dataset;
const owner = Number(ownerText);
let fragment = location.hash.slice(1);
if (fragment !== "") history.replaceState(null, "", location.pathname);

let service = null;
let worker = null;
let view = null; // the service's newest answer
let shown = ""; // the name of the screen that is shown
let opened = null; // whose key the worker holds, and whether it is finished
let proving = null; // null, "save", "choose", "places"
let savedName = "";
let board = null; // what the worker found in the archive
let agreed = ""; // the total code that was compared
let timer = 0;
let turn = 0; // counts what a person does: a look at the service that began before it is forgotten
let patient = false; // a screen is shown on which nobody has to do anything
let picked = null; // the key file that was chosen last: { name, file, who }

const sleep = (ms) => new Promise((resolve) => {
  timer = setTimeout(resolve, ms);
});

// --- drawing

/** Show a screen. The same screen again keeps the focus where it is, unless there is an error to be read first. */
function show(name, title, children, { error = null, field = null, keep = false } = {}) {
  const summary = error === null ? null : h("div", { class: "summary", role: "alert", tabindex: "-1" }, h("h2", {}, T.problem), h("ul", {}, h("li", {}, field ? h("a", { href: `#${field}`, onclick: (event) => focusField(event, field) }, error) : error)));
  if (keep && shown === name && error === null) return false;
  const heading = h("h1", { tabindex: "-1" }, title);
  root.replaceChildren(...[who(), summary, heading, ...children.flat(Infinity)].filter(Boolean));
  document.title = `${error === null ? "" : T.error}${title} – ${siteTitle}`;
  (summary ?? heading).focus();
  if (summary === null) window.scrollTo(0, 0);
  for (const id of ["terminal", "how"]) document.getElementById(id).hidden = name === "sheet"; // which is for the printer
  shown = name;
  return true;
}

function focusField(event, field) {
  event.preventDefault();
  document.getElementById(field).focus();
}

function who() {
  if (view === null) return null;
  return h("p", { class: "soft" }, view.name, view.practice ? [" ", h("span", { class: "tag wait" }, T.practice)] : [], h("br"), holderOf(view));
}

function busy(text) {
  const bar = h("progress", { max: "1", "aria-label": text });
  const line = h("p", { id: "progress" });
  show(`busy ${text}`, text, [p(bar), line]);
  announce(text);
  return {
    hear({ step, done, total }) {
      if (total) {
        bar.value = done / total;
        line.textContent = T.percent({ percent: Math.floor((100 * done) / total) });
      } else {
        line.textContent = stepDone(step, done);
      }
    },
  };
}

function field(id, label, { type = "text", hint = null, error = null, ...more } = {}) {
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return h(
    "div",
    { class: error ? "field wrong" : "field" },
    h("label", { for: id }, label),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    error && h("p", { class: "error", id: `${id}-error` }, error),
    h(type === "area" ? "textarea" : "input", { id, type: type === "area" ? null : type, "aria-describedby": described || null, "aria-invalid": error ? "true" : null, spellcheck: "false", autocapitalize: "none", ...more }),
  );
}

function showTyping(...ids) {
  const change = ({ target }) => ids.forEach((id) => {
    document.getElementById(id).type = target.checked ? "text" : "password";
  });
  return pick("show-typing", T.make.show, { onchange: change });
}

const pick = (id, label, properties = {}) => h("div", { class: "pick" }, h("input", { type: "checkbox", id, ...properties }), h("label", { for: id }, label));

function form(submit, ...children) {
  return h("form", { novalidate: true, autocomplete: "off", onsubmit: (event) => {
    event.preventDefault();
    run(submit);
  } }, h("input", { type: "text", hidden: true, autocomplete: "username", value: holderOf(view ?? { owner, size: 1, holder: "" }) }), ...children);
}

const value = (id) => document.getElementById(id).value;

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Run one act of a person; what goes wrong is shown, and nothing is lost. */
async function run(act) {
  clearTimeout(timer);
  turn += 1;
  try {
    await act();
  } catch (error) {
    wrong(error, act);
  }
}

function wrong(error, act) {
  if (error instanceof NoAnswerError || error.busy) {
    show("wrong", T.wrongTitle, [notice("warn", T.noAnswer), h("div", { class: "buttons" }, button(T.again, () => run(act)))]);
    return;
  }
  if (error.status === 401 || error.status === 403) {
    show("dead", T.dead.title, [lead(T.dead.lead)]);
    return;
  }
  // A sentence for people comes from the service or from a refusal here; everything else is a fault that stops the page.
  const sentence = error.status !== undefined || ["RefusedError", "VerificationError", "MalformedError"].includes(error.name) ? error.message : T.stopped;
  show("wrong", T.wrongTitle, [notice("bad", capital(sentence)), h("div", { class: "buttons" }, button(T.again, () => run(next)))]);
}

const capital = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

// --- where things stand

async function next() {
  const mine = turn;
  patient = false;
  for (;;) {
    try {
      const seen = await service.view();
      if (mine !== turn) return;
      view = seen;
      patient = await step();
    } catch (error) {
      if (!patient || !(error instanceof NoAnswerError || error.busy)) throw error;
    }
    if (!patient || mine !== turn) return;
    await sleep(POLL);
  }
}

/** One look: true where the page waits for others and looks again. */
async function step() {
  if (proving !== null) return prove();
  if (view.state === "draft") return keyDay();
  if (view.state === "published") {
    show("published", T.published.title, [lead(T.published.lead), p(h("a", { class: "button", href: `/e/${uuid}/result` }, T.published.link))]);
    return false;
  }
  if (view.state === "void") {
    show("void", T.void.title, [lead(T.void.lead)]);
    return false;
  }
  if (view.mine_lost) return reportedLost();
  if (view.state === "tallying") return countDay();
  if (view.state === "closed") {
    show("wait", T.wait.title, [lead(T.wait.lead), lost()], { keep: true });
    return true;
  }
  if (view.prove_again) return prove();
  return ready();
}

async function keyDay() {
  const { stage } = view;
  if (view.mine_lost) return reportedLost();
  if (stage === "key" || stage === "cert") return opened === null ? make() : act(stage);
  if (stage === "waiting") return waiting();
  if (stage === "ready") return ready();
  if (opened === null) return unlock();
  if (stage === "possession") {
    if (!opened.finished) {
      await worker.ask("complete", { view });
      opened.finished = true;
    }
    return prove();
  }
  return act(stage);
}

/** The next message of key-making, made in the worker and sent. */
async function act(stage) {
  show(`act ${stage}`, T.waiting.acting[stage], [p(h("progress", { "aria-label": T.waiting.working }))]);
  const body = await worker.ask({ key: "publicKey", cert: "certificate", polynomial: "polynomial", voutput: "voutput" }[stage], { view });
  if (stage === "voutput") opened.finished = true;
  await service.send(stage, body);
  view = await service.view();
  return step();
}

function waiting() {
  const names = view.waiting_for;
  const title = waitingFor(names);
  if (show(`waiting ${names.join("|")}`, title, [lead(T.waiting.lead), p(h("progress", { "aria-label": T.waiting.working })), lost()], { keep: true })) announce(title);
  return true;
}

function ready() {
  const late = view.state !== "draft" && Date.parse(view.closes) - Date.now() < ASKED_AGAIN;
  const rest = late ? shownAgain(view.not_shown_again, view) : others(view.waiting_for);
  const closes = view.closes ? [p(T.ready.closes({ when: spoken(view.closes) }))] : [];
  const again = quiet(T.ready.proveAgain, () => run(() => {
    opened = null;
    proving = "choose";
    return prove();
  }));
  const changed = show(`ready ${rest}`, T.ready.title, [lead(T.ready.lead), p(rest), late ? [] : p(T.ready.again), ...closes, h("div", { class: "buttons" }, again), lost()], { keep: true });
  if (changed) announce(T.ready.title);
  return view.state === "draft";
}

function lost() {
  const more = view.state === "draft" ? [p(T.lost.before)] : [p(tooFew(view.threshold))];
  const made = view.state !== "draft" || ["possession", "ready"].includes(view.stage);
  const report = made && !view.mine_lost ? [h("div", { class: "buttons" }, quiet(T.lost.report, () => run(askLost)))] : [];
  return h("details", {}, h("summary", {}, T.lost.title), p(mayLose(view)), countedLost(), ...more, report);
}

/** How many keys are left, once one is lost. */
const countedLost = () => (view.lost.length ? p(h("strong", {}, countLost(view))) : []);

function askLost() {
  const yes = async () => {
    await service.send("lost", "");
    return next();
  };
  show("ask-lost", T.lost.ask, [lead(T.lost.askLead), p(T.lost.askMore), h("div", { class: "buttons" }, button(T.lost.yes, () => run(yes)), quiet(T.lost.no, () => run(next)))]);
}

/** A key that was reported lost may be found again: proving it takes the report back. */
function reportedLost() {
  const found = quiet(T.lost.found, () => run(() => {
    opened = null;
    proving = "choose";
    return prove();
  }));
  const way = view.state === "draft" ? T.lost.before : view.size - view.lost.length < view.threshold ? T.lost.over : T.lost.enough;
  show(`lost ${view.lost.join("|")}`, T.lost.reported, [countedLost(), p(way), h("div", { class: "buttons" }, found)], { keep: true });
  return true;
}

// --- making

function make(error = null, wrongField = null, typed = {}) {
  const at = (id) => (wrongField === id ? error : null);
  show("make", T.make.title, [
    lead(T.make.lead),
    p(share(view)),
    form(
      chosen,
      field("passphrase", T.make.passphrase, { type: "password", hint: T.make.hint, error: at("passphrase"), autocomplete: "new-password", value: typed.passphrase ?? "" }),
      field("repeat", T.make.repeat, { type: "password", error: at("repeat"), autocomplete: "new-password", value: typed.repeat ?? "" }),
      showTyping("passphrase", "repeat"),
      h("div", { class: "buttons" }, h("button", { type: "submit" }, T.make.go)),
    ),
    lost(),
  ], { error, field: wrongField });
  return false;
}

async function chosen() {
  const [passphrase, repeat] = [value("passphrase"), value("repeat")];
  const typed = { passphrase, repeat };
  if ([...passphrase].length < MIN_PASSPHRASE) return make(T.make.short, "passphrase", typed);
  if (passphrase !== repeat) return make(T.make.differ, "repeat", typed);
  const { hear } = busy(T.make.working);
  return saveFirst(await worker.ask("make", { view, passphrase }, { hear }));
}

function saveFirst({ name, file }, error = null) {
  const single = view.kind === "single";
  let saved = false;
  const told = h("p", { class: "soft", role: "status" });
  const save = () => {
    download(name, file);
    saved = true;
    told.textContent = T.first.saved({ name });
  };
  show("first", single ? T.first.single : T.first.title, [
    lead(single ? T.first.singleLead : T.first.lead),
    single ? [] : p(T.first.later),
    h("div", { class: "buttons" }, button(single ? T.first.single : T.first.save, save, { id: "save" })),
    told,
    h("div", { class: "buttons" }, quiet(T.first.go, () => run(() => {
      if (!saved) return saveFirst({ name, file }, T.first.unsaved);
      opened = { election: uuid, owner, holder: view.holder, kind: view.kind, finished: single };
      return next();
    }))),
  ], { error, field: "save" });
  return false;
}

// --- the key file

function unlock(error = null, wrongField = null, { name = "unlock", title = T.unlock.title, before = [], then = next } = {}) {
  const options = { name, title, before, then };
  const at = (id) => (wrongField === id ? error : null);
  show(name, title, [
    before,
    form(
      () => unlocking(options),
      ...keyFields(at),
      h("div", { class: "buttons" }, h("button", { type: "submit" }, T.unlock.go)),
    ),
    lost(),
  ], { error, field: wrongField });
  return false;
}

function keyFields(at) {
  return [
    field("file", T.unlock.file, { type: "file", hint: picked ? T.unlock.picked({ name: picked.name }) : T.unlock.lead, error: at("file") }),
    h("details", {}, h("summary", {}, T.unlock.sheet), field("sheet", T.unlock.sheetLabel, { type: "area", hint: T.unlock.sheetHint })),
    field("passphrase", T.unlock.passphrase, { type: "password", error: at("passphrase"), autocomplete: "current-password" }),
    showTyping("passphrase"),
  ];
}

/** What a sheet's text may have been before it was broken into lines: at a space in the holder's name, or anywhere. */
const unbroken = (text) => ["", " "].map((between) => text.replace(/\s*[\r\n]+\s*/g, between));

/** The first of these texts that is this holder's key file, or else the first that is any: { file, who }. */
async function firstKey(texts) {
  const found = [];
  for (const file of texts) {
    const who_ = await worker.ask("whose", { file }).catch(() => null);
    if (who_ !== null) found.push({ file, who: who_ });
  }
  return found.find(({ who: { holder } }) => holder === view.holder) ?? found[0] ?? null;
}

const named = (found, name) => (found === null ? null : { ...found, name });

/** Open the chosen file in the worker; `opened` is set when it is this page's key. */
async function unlocking(options) {
  const [chosenFile] = document.getElementById("file").files;
  const [sheetText, passphrase] = [value("sheet").trim(), value("passphrase")];
  if (sheetText !== "") {
    picked = named(await firstKey(unbroken(sheetText)), T.sheet.title);
    if (picked === null) return unlock(T.unlock.notKey, "file", options);
  } else if (chosenFile) {
    picked = chosenFile.size > MAX_KEY_FILE ? null : named(await firstKey([await chosenFile.text()]), chosenFile.name);
    if (picked === null) return unlock(T.unlock.notKey, "file", options);
  } else if (picked === null) return unlock(T.unlock.noFile, "file", options);
  const { file, who: who_ } = picked;
  if (who_.election !== uuid || who_.owner !== owner) {
    picked = null;
    return unlock(who_.election === uuid ? T.unlock.otherHolder(who_) : T.unlock.otherBallot(who_), "file", options);
  }
  if (passphrase === "") return unlock(T.unlock.noPassphrase, "passphrase", options);
  const { hear } = busy(T.unlock.working);
  try {
    opened = await worker.ask("open", { file, passphrase }, { hear });
  } catch (error) {
    if (error.name === "WrongPassphraseError") return unlock(T.unlock.wrongPassphrase, "passphrase", options);
    return unlock(T.unlock.notKey, "file", options);
  }
  picked = null;
  return options.then();
}

// --- proving

/** Save the finished key, choose it again, say where the copies are, and prove it. */
function prove(error = null, wrongField = null) {
  if (proving === "places") return places();
  const first = view.stage === "possession" && opened?.finished === true;
  if (proving === null) proving = first ? "save" : "choose";
  const before = proving === "save" ? [h("h2", {}, T.prove.step1), p(T.prove.step1Lead), ...saving(), h("h2", {}, T.prove.step2), p(T.prove.step2Lead)] : again();
  const title = first ? T.prove.title : T.prove.again;
  return unlock(error, wrongField, { name: `prove ${proving}`, title, before, then: rechosen });
}

const again = () => [lead(view.closes && view.state !== "draft" ? T.prove.againLead({ when: spoken(view.closes) }) : T.prove.step2Lead)];

function saving() {
  const told = h("p", { class: "soft", role: "status" }, savedName ? T.prove.saved({ name: savedName }) : "");
  const save = async () => {
    const { name, file } = await worker.ask("file");
    download(name, file);
    savedName = name;
    told.textContent = T.prove.saved({ name });
  };
  return [
    h("div", { class: "buttons" }, button(T.prove.save, () => run(save)), quiet(T.prove.print, () => run(sheet))),
    told,
  ];
}

async function rechosen() {
  if (!opened.finished) {
    await worker.ask("complete", { view });
    opened.finished = true;
    proving = "save";
    return prove(T.prove.unfinished, "file");
  }
  proving = "places";
  return places();
}

function places(error = null) {
  const boxes = PLACES.map((place, i) => pick(`place-${i}`, T.prove.places[place]));
  show("places", T.prove.step3, [
    notice("", T.isKey({ ...opened, name: view.name })),
    form(
      async () => {
        if (document.querySelectorAll("fieldset input:checked").length < 2) return places(T.prove.few);
        busy(T.prove.working);
        view = await service.view(); // a fresh nonce
        await service.send("possession", await worker.ask("prove", { view }));
        proving = null;
        return next();
      },
      h("fieldset", { class: error ? "field wrong" : "field", "aria-describedby": "places-hint" }, h("legend", {}, T.prove.step3), h("p", { class: "hint", id: "places-hint" }, T.prove.step3Hint), error && h("p", { class: "error" }, error), ...boxes),
      h("div", { class: "buttons" }, h("button", { type: "submit" }, T.prove.go), quiet(T.prove.print, () => run(sheet))),
    ),
  ], { error, field: "place-0" });
  return false;
}

// --- the backup sheet

async function sheet() {
  const { file } = await worker.ask("file");
  const text = file.trim();
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const code = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const fact = (name, content) => [h("dt", {}, name), h("dd", {}, content)];
  const back = () => run(() => (proving === "places" ? places() : prove()));
  show("sheet", T.sheet.title, [
    p(T.sheet.lead),
    h("dl", { class: "facts" }, fact(T.sheet.ballot, `${view.name} (${uuid})`), fact(T.sheet.holder, holderOf(view)), fact(T.sheet.made, spoken(new Date().toISOString())), fact(T.sheet.check, h("span", { class: "code" }, code))),
    h("div", { class: "buttons" }, button(T.sheet.print, () => window.print()), quiet(T.sheet.back, back)),
    square(text),
    p(T.sheet.use),
    h("h2", {}, T.sheet.text),
    h("p", { class: "code" }, text),
  ]);
  return false;
}

/** A QR code, drawn on this device: one rectangle for each run of dark squares. */
function square(text) {
  const { data, size } = encode(text, { ecc: "L", border: 4 });
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, content] of [["viewBox", `0 0 ${size} ${size}`], ["class", "white"], ["role", "img"], ["aria-label", T.sheet.picture], ["shape-rendering", "crispEdges"], ["width", "340"], ["height", "340"]]) {
    svg.setAttribute(name, content);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join(""));
  svg.append(path);
  return svg;
}

// --- count day

async function countDay() {
  const steps = await service.tally();
  if (opened === null) return unlock(null, null, { name: "count-unlock", title: T.count.title, before: [lead(T.count.lead)] });
  if (!opened.finished) {
    await worker.ask("complete", { view });
    opened.finished = true;
  }
  if (steps.opened.includes(owner)) return done(steps);
  if (steps.ranked && !steps.shuffles_ended && steps.shuffled.includes(owner)) {
    const words = stillAwaited(steps, steps.shuffled);
    if (show(`turn ${words}`, T.count.shuffledTitle, [lead(words), lost()], { keep: true })) announce(`${T.count.shuffledTitle}. ${words}`);
    board = null; // it has changed since
    return true;
  }
  if (steps.result) return done(steps);
  return check();
}

/** Who is still to come, by name: one of them may be enough. */
function stillAwaited({ holders }, there) {
  const names = holders.filter((_, i) => !there.includes(i + 1));
  return awaited(Math.max(view.threshold - there.length, 1), names);
}

function done(steps) {
  const mine = steps.opened.includes(owner);
  const rest = steps.waiting_for.length ? stillAwaited(steps, steps.opened) : T.count.enough;
  const title = mine ? T.count.doneTitle : T.count.enough;
  if (show(`done ${rest}`, title, [mine && lead(T.count.done), p(rest), p(T.count.keep)], { keep: true })) announce(`${title}. ${rest}`);
  return true;
}

/** Read the whole ballot box in the worker. */
async function check() {
  const { hear } = busy(T.count.check);
  root.append(soft(T.count.checkLead));
  try {
    await worker.ask("begin", { uuid, companions: await service.companions() }, { hear });
    await service.archive((bytes) => worker.ask("piece", { bytes }, { transfer: [bytes.buffer] }));
    board = await worker.ask("end");
  } catch (error) {
    if (!["VerificationError", "MalformedError"].includes(error.name)) throw error;
    show("bad", T.count.bad, [p(T.count.badLead), notice("bad", capital(error.message)), h("div", { class: "buttons" }, quiet(T.count.checkAgain, () => run(next)))]);
    return false;
  }
  return compare();
}

const actDue = () => (board.ranked && !["EndShuffles", "PartialDecryption"].includes(board.last) ? "shuffle" : "decrypt");

function compare(error = null) {
  const due = actDue();
  const shuffles = due === "shuffle";
  const fact = (name, content) => h("li", {}, h("strong", {}, content), name);
  const known = agreed === board.code;
  const submit = () => {
    if (!known && !document.getElementById("same").checked) return compare(T.count.tick);
    agreed = board.code;
    return use(due);
  };
  let sentence = T.count.openLead;
  if (shuffles) sentence = T.count.shuffleLead;
  else if (board.ranked) sentence = T.count.openRanked;
  show(`compare ${due}`, shuffles ? T.count.shuffle : T.count.open, [
    notice("", T.isKey({ ...opened, name: view.name })),
    h("h2", {}, T.count.compareTitle),
    p(T.count.compare),
    h("ul", { class: "figures" }, fact(T.count.ballots, String(board.ballots)), fact(T.count.code, h("span", { class: "code", id: "total" }, board.code))),
    board.minimum < 5 ? notice("warn", T.count.few({ count: Math.max(board.minimum, 1) })) : [],
    form(
      submit,
      known ? [] : h("div", { class: error ? "field wrong" : "field" }, error && h("p", { class: "error", id: "same-error" }, error), pick("same", T.count.same, error ? { "aria-describedby": "same-error" } : {})),
      p(sentence),
      h("div", { class: "buttons" }, h("button", { type: "submit" }, shuffles ? T.count.shuffle : T.count.open)),
    ),
    lost(),
  ], { error, field: "same" });
  return false;
}

/** Use the key, after every check and after writing down for what. */
async function use(due) {
  try {
    writeUse(uuid, owner, await worker.ask("use", { purpose: due, record: usesOf(uuid, owner) }));
  } catch (error) {
    if (!["RefusedError", "VerificationError", "MalformedError"].includes(error.name)) throw error;
    show("refused", T.count.refused, [notice("bad", capital(error.message)), h("div", { class: "buttons" }, quiet(T.again, () => run(next)))]);
    return false;
  }
  const { hear } = busy(due === "shuffle" ? T.count.shuffling : T.count.opening);
  const made = await worker.ask(due, {}, { hear });
  busy(T.count.sending);
  try {
    if (due === "shuffle") await service.send("shuffle", made);
    else await service.send("decryption", `${made.decryption}\n${made.companion}`);
  } catch (error) {
    if (error.status !== 409) throw error;
    announce(T.count.overtaken); // the box has changed since it was checked: look again, and say what is due then
  }
  board = null;
  return next();
}

// --- the beginning

function cutShort(error = null) {
  show("cut", T.cut.title, [
    lead(T.cut.lead),
    form(
      () => {
        const match = LINK.exec(value("link").trim());
        if (match === null || match[1] !== uuid || Number(match[2]) !== owner) return cutShort(T.cut.error);
        fragment = match[3];
        return begin();
      },
      field("link", T.cut.label, { error, autocomplete: "off" }),
      h("div", { class: "buttons" }, h("button", { type: "submit" }, T.cut.go)),
    ),
  ], { error, field: "link" });
}

async function begin() {
  if (fragment === "") return cutShort();
  service = new Service(uuid, owner, fragment);
  fragment = "";
  worker ??= await startWorker(workerAddress, workerIntegrity);
  return next();
}

// Another link opened in this window is another start.
window.addEventListener("hashchange", () => {
  if (/^#[^=]{20,}$/.test(location.hash)) location.reload();
});
load(dataOf("texts"));
document.getElementById("by-hand").hidden = true;
run(begin);
