// The page "verify in your browser": it starts the workers, shows how far they are, and says what they found.

import { MalformedError } from "../booth/bytes.js";
import { announce, button, dataOf, h, lead, notice, p, quiet, soft } from "../booth/page.js";
import { duration, load, texts as T } from "../booth/texts.js";
import { readNoted } from "./pins.js";
import words from "./words.json" with { type: "json" };

const MOST_HELPERS = 8;
const ON_PHONES = 3;
const BIG = 30e6; // bytes: larger ones are downloaded only when asked for

const root = document.getElementById("verify");
const form = document.getElementById("own");
const { uuid, worker: workerAddress, workerIntegrity, title: siteTitle, heading, size: siteSize } = root.dataset;
const published = { archive: `/e/${uuid}.bel`, companion: `/e/${uuid}.companion.json`, results: `/e/${uuid}.results.json` };

const phone = matchMedia("(pointer: coarse), (max-width: 40rem)").matches || navigator.connection?.saveData === true;
let policy = null;
let workers = [];

// --- workers

function url() {
  policy ??= globalThis.trustedTypes?.createPolicy("ballot", {
    createScriptURL(asked) {
      if (asked !== workerAddress) throw new TypeError("not the verifier's worker");
      return asked;
    },
  });
  return policy ? policy.createScriptURL(workerAddress) : workerAddress;
}

/** How many helpers beside the worker that leads. */
function helpersHere() {
  const processors = navigator.hardwareConcurrency || 1;
  return processors === 1 ? 0 : Math.min(processors, phone ? ON_PHONES : MOST_HELPERS);
}

function stop() {
  for (const worker of workers) worker.terminate();
  workers = [];
}

/** Start the workers and hear what the leading one says. */
function run(request, { progress, done, failed }) {
  const address = url();
  const ports = Array.from({ length: helpersHere() }, () => {
    const helper = new Worker(address);
    const { port1, port2 } = new MessageChannel();
    helper.postMessage({ role: "help" }, [port2]);
    helper.addEventListener("error", () => failed({ name: "Error" }));
    workers.push(helper);
    return port1;
  });
  const leading = new Worker(address);
  workers.push(leading);
  leading.addEventListener("error", () => failed({ name: "Error" }));
  leading.addEventListener("message", ({ data }) => {
    if (!workers.includes(leading)) return;
    if (data.progress) progress(data.progress);
    else if (data.done) done(data.done);
    else failed(data.error);
  });
  leading.postMessage({ ...request, ports }, ports);
  return ports.length;
}

// --- screens

function show(title, children, { focus = true, working = false } = {}) {
  const head = h("h1", { tabindex: "-1" }, title);
  root.replaceChildren(head, ...children.flat(Infinity).filter(Boolean));
  document.title = `${title}: ${heading} – ${siteTitle}`;
  form.hidden = working;
  if (focus) {
    head.focus();
    scrollTo(0, 0);
  }
}

const thousands = (n) => String(n).replace(/\B(?=(?:\d{3})+$)/g, ",");
const counted = (say, count) => say({ count, number: thousands(count) });
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const mark = (kind, text) => h("span", { class: `tag ${kind}`.trim() }, text);

function stepRows() {
  const list = h("ol", { class: "tasks" });
  const rows = new Map(words.steps.map(({ number, name, title }) => {
    const line = h("p", {});
    const state = h("span", {});
    list.append(h("li", {}, h("div", {}, h("strong", {}, `${number}. ${title}`), line), state));
    return [name, { line, state }];
  }));
  return { list, rows };
}

/** Write each step's line; `at` is the one at work. */
function fillSteps({ rows }, steps, otherwise) {
  for (const [name, { line, state }] of rows) {
    const [kind, text] = name in steps ? ["", T.mark.holds] : otherwise(name);
    line.textContent = sentence(steps[name] ?? "");
    state.replaceChildren(mark(kind, text));
  }
}

function begin(request, noted) {
  stop();
  const steps = stepRows();
  const bar = h("progress", { "aria-label": T.working, max: "1" });
  const line = p();
  const started = performance.now();
  let told = "";
  fillSteps(steps, {}, () => ["none", T.mark.waiting]);
  const finish = (draw) => {
    stop();
    draw((performance.now() - started) / 1000);
  };
  fetch(workerAddress, { integrity: workerIntegrity, credentials: "omit" })
    .then(() => {
      const count = run({ ...request, pins: noted.pins, lookFor: noted.codes.map(({ hash }) => hash) }, {
        progress({ step, fraction, steps: done, ballots }) {
          if (fraction === null) bar.removeAttribute("value");
          else bar.value = fraction;
          const { number, title } = words.steps.find(({ name }) => name === step);
          line.textContent = `${number}. ${title}${fraction === null ? "" : `: ${T.percent({ percent: Math.floor(100 * fraction) })}`}${step === "BALLOTS" && ballots > 0 ? `. ${counted(T.ballots, ballots)}` : ""}`;
          if (told !== step) announce(`${number}. ${title}`);
          told = step;
          fillSteps(steps, done, (name) => (name === step ? ["wait", T.mark.working] : ["none", T.mark.waiting]));
        },
        done: (found) => finish((seconds) => showFound(found, request, noted, seconds)),
        failed: (error) => finish(() => showFailed(error, request, noted)),
      });
      show(T.working, [p(T.atWork({ count: Math.max(1, count) })), p(bar), line, h("div", { class: "buttons" }, quiet(T.cancel, () => showCancelled(request, noted))), h("h2", {}, T.steps), steps.list], { working: true });
      announce(T.working);
    })
    .catch(() => showFailed({ name: "DownloadError" }, request, noted));
}

const againButton = (request, noted) => h("div", { class: "buttons" }, button(T.again, () => begin(request, noted)));

function showCancelled(request, noted) {
  stop();
  show(T.cancelled, [lead(T.cancelledLead), againButton(request, noted)]);
}

function showFailed({ name }, request, noted) {
  const download = name === "DownloadError";
  show(download ? T.download : T.failed, [notice("warn", download ? T.downloadLead : T.failedLead), againButton(request, noted)]);
}

function showFound(found, request, noted, seconds) {
  const { report } = found;
  const draw = { verified: showVerified, refused: showRefused, unfinished: showUnfinished, unusable: showUnusable }[report.outcome];
  draw(found, noted, seconds);
  if (report.uuid !== null && report.uuid !== uuid) root.querySelector("h1").after(notice("warn", T.otherBallot({ name: report.name })));
  if (report.outcome !== "unusable") root.append(againButton(request, noted));
  announce(`${document.querySelector("#verify h1").textContent}. ${sentence(report.sentence)}`);
}

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== "").map(([name, value, kind = ""]) => [h("dt", {}, name), h("dd", { class: kind || null }, value)]));
}

const about = ({ name, uuid: address, fingerprint, height, head }) =>
  name === null ? [] : [facts([[T.facts.name, name], [T.facts.uuid, address, "code"], [T.facts.fingerprint, fingerprint, "code"], [T.facts.head, `${height}:${head}`, "code"]]), p(T.compare)];

/** What became of the receipt codes and pins; those that are missing come first. */
function notedLines({ places }, { codes, pins }) {
  const at = new Map(places);
  const isHere = ({ hash }) => at.has(hash);
  const missing = codes.filter((one) => !isHere(one));
  return {
    missing: missing.map(({ code }) => h("div", { class: "notice bad" }, h("p", {}, h("strong", {}, T.notFound({ code }))), p(T.notFoundWhy))),
    here: [codes.filter(isHere).map(({ code, hash }) => notice("", T.found({ code, height: at.get(hash) }))), pins.length > 0 ? notice("", T.pinned({ count: pins.length })) : []],
  };
}

function questionPart(question, number, { verdict, recounted }) {
  const [first] = question.question.split("\n");
  const parts = [h("h3", {}, `${number}. ${first}`)];
  if (verdict) parts.push(h("p", {}, h("strong", {}, verdict.replaceAll(" %", "\u00a0%"))));
  if (question.totals) {
    const rows = question.answers.map((answer, i) => [answer, question.totals[i]]);
    if (question.blank !== null) rows.push([T.blank, question.blank]);
    parts.push(
      h("div", { class: "scroll" }, h("table", {},
        h("caption", { class: "unseen" }, first),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, T.answer), h("th", { scope: "col", class: "number" }, T.votes))),
        h("tbody", {}, rows.map(([answer, votes]) => h("tr", {}, h("th", { scope: "row" }, answer), h("td", { class: "number" }, String(votes))))))),
    );
  } else {
    parts.push(p(T.papers({ rankings: counted(T.rankings, question.rankings), invalid: counted(T.invalid, question.invalid) })));
  }
  if (recounted === null) parts.push(soft(T.noRule));
  else parts.push(soft(T.recounted({ title: recounted })));
  return parts;
}

function checks(report, otherwise) {
  const steps = stepRows();
  fillSteps(steps, report.steps, otherwise);
  return [h("h2", {}, T.steps), steps.list];
}

const notesPart = ({ notes }) => (notes.length === 0 ? [] : [h("h2", {}, T.notes), h("ul", {}, notes.map((note) => h("li", {}, note)))]);

function showVerified(found, noted, seconds) {
  const { report } = found;
  const { missing, here } = notedLines(found, noted);
  show(missing.length > 0 ? T.codeMissing : T.verified, [
    missing,
    h("div", { class: "notice" }, h("p", { class: "lead" }, h("strong", {}, sentence(report.sentence)))),
    here,
    about(report),
    h("h2", {}, T.results),
    report.result.map((question, i) => questionPart(question, i + 1, { verdict: report.verdicts[i], recounted: report.recounted[i] ?? null })),
    p(found.results ? T.sameResults : T.noResults),
    checks(report, () => ["none", T.mark.none]),
    notesPart(report),
    soft(T.took({ time: duration(Math.max(1, seconds)) })),
  ]);
}

function showUnfinished(found, noted, seconds) {
  const { report } = found;
  const { missing, here } = notedLines(found, noted);
  show(missing.length > 0 ? T.codeMissing : T.unfinished, [
    missing,
    notice("warn", sentence(report.sentence)),
    here,
    about(report),
    checks(report, () => ["none", T.mark.none]),
    notesPart(report),
    soft(T.took({ time: duration(Math.max(1, seconds)) })),
  ]);
}

function showRefused(found, noted) {
  const { report } = found;
  const { rule, statement, height, blame, step } = report.refusal;
  const at = words.steps.find(({ number }) => number === step)?.name;
  show(T.refused, [
    h("div", { class: "notice bad" }, h("p", { class: "lead" }, h("strong", {}, sentence(report.sentence)))),
    facts([[T.rule, [h("span", { class: "code" }, rule), `: ${statement}`]], [T.where, height === null ? null : T.event({ height })], [T.fault, blame ?? T.nobody]]),
    p(T.tell),
    about(report),
    checks(report, (name) => (name === at ? ["bad", T.mark.failed] : ["none", T.mark.unreached])),
    notesPart(report),
  ]);
}

function showUnusable({ report }) {
  show(T.unusable, [notice("warn", T.notUsable({ reason: sentence(report.sentence) }))]);
}

// --- a person's own file, and what they noted

function kindOf({ name }) {
  if (/\.companion[^.]*\.json$/i.test(name)) return "companion";
  return /\.json$/i.test(name) ? "results" : "archive";
}

/** The chosen files by kind, or the words that say what is missing. */
function sortedFiles(list) {
  const files = { archive: null, companion: null, results: null };
  for (const file of list) {
    const kind = kindOf(file);
    if (files[kind] !== null) return T.manyFiles;
    files[kind] = file;
  }
  return files.archive === null ? T.noFile : files;
}

function wrong(field, text) {
  const old = document.getElementById("summary");
  if (old) old.remove();
  for (const error of form.querySelectorAll(".error")) error.remove();
  for (const one of form.querySelectorAll(".wrong")) one.classList.remove("wrong");
  if (text === null) return;
  const input = document.getElementById(field);
  const id = `${field}-error`;
  input.setAttribute("aria-describedby", id);
  input.closest(".field").classList.add("wrong");
  input.before(h("p", { class: "error", id }, text));
  const link = h("a", { href: `#${field}` }, text);
  const summary = h("div", { class: "summary", role: "alert", tabindex: "-1", id: "summary" }, h("h2", {}, T.problem), h("ul", {}, h("li", {}, link)));
  form.prepend(summary);
  document.title = `${T.error}${heading} – ${siteTitle}`;
  summary.focus();
}

function notedHere() {
  try {
    const noted = readNoted(document.getElementById("noted").value);
    if (noted.origin !== null && !noted.origin.endsWith(`/e/${uuid}`)) {
      wrong("noted", T.otherCheckpoint);
      return null;
    }
    return noted;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    wrong("noted", T.pinWrong);
    return null;
  }
}

function submit(list) {
  wrong("", null);
  const noted = notedHere();
  if (noted === null) return;
  if (list.length === 0) {
    begin({ addresses: published }, noted);
    return;
  }
  const files = sortedFiles(list);
  if (typeof files === "string") wrong("files", files);
  else begin({ files }, noted);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(document.getElementById("files").files);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (!form.hidden && event.dataTransfer.files.length > 0) submit(event.dataTransfer.files);
});

load(dataOf("texts"));
document.getElementById("not-running").remove();
const nothingNoted = { pins: [], codes: [], origin: null };
const startButton = button(T.start, () => begin({ addresses: published }, nothingNoted), { id: "start" });
root.append(h("div", { class: "buttons" }, startButton));
form.hidden = false;
if (!phone && Number(siteSize) < BIG) begin({ addresses: published }, nothingNoted);
