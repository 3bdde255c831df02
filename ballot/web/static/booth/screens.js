// The booth's screens: each is a function from what there is to show, and what its buttons do, to { title, body }.

import { BLANK, choiceName, isMotion, kindOf, mayBeBlank, problems, partsOf, rankingOf } from "./answers.js";
import { button, h, lead, notice, p, paragraphs, quiet, soft, spokenParts } from "./page.js";
import { rankingQuestion } from "./ranker.js";
import { language, spoken, spokenHour, duration, texts, theirs } from "./texts.js";

const heading = (title, properties = {}) => h("h1", { tabindex: "-1", ...properties }, title);
const row = (...buttons) => h("div", { class: "buttons" }, ...buttons);
const screen = (title, ...body) => ({ title, body: [heading(title), ...body.flat(Infinity).filter(Boolean)] });

function help(address) {
  return address ? soft(texts.contact({ address })) : null;
}

function tellUs(address, code) {
  const subject = encodeURIComponent(code ? texts.subjectCode({ code }) : texts.subject);
  return address ? h("a", { href: `mailto:${address}?subject=${subject}` }, texts.done.tell) : texts.done.reply;
}

function homeButton(home) {
  return home ? quiet(texts.list.back, home) : null;
}

// --- before the vote ----------------------------------------------------------------------------------------------

export function start(meeting, votable, { start: begin, contact }) {
  const t = texts.start;
  const closes = [...new Set(votable.map((election) => election.closes))].sort();
  const { trustees, threshold } = votable[0];
  const keys = trustees > 1 ? t.keys({ needed: threshold, all: trustees }) : trustees === 1 ? t.oneKey : "";
  const count = Math.max(2, Math.ceil(votable.reduce((sum, { questions }) => sum + questions, 0) / 2));
  return screen(
    t.title({ meeting: meeting.name }),
    lead(t.personal),
    p((closes.length === 1 ? t.closes : t.closesFirst)({ when: spoken(closes[0]) })),
    p((votable.every(({ replace }) => replace) ? t.replace : t.once)({ count })),
    p([t.secret, keys, trustees > 1 && votable.some(({ ranked }) => ranked) ? t.ranked : ""].filter(Boolean).join(" ")),
    row(button(t.start, begin), h("a", { href: "/how" }, texts.frame.how)),
    help(contact),
  );
}

export function list(meeting, papers, { isOpen, enter, contact, finish }) {
  const t = texts.list;
  const left = papers.filter((paper) => isOpen(paper) && !paper.voted).length;
  const items = papers.map((paper) => {
    const open = isOpen(paper);
    const state = paper.voted ? "voted" : open ? "open" : paper.state === "locked" || paper.state === "void" ? paper.state : "closed";
    const when = state === "locked" ? t.opens({ when: spoken(paper.opens) }) : state === "void" ? null : (open ? t.closes : t.closed)({ when: spoken(paper.closes) });
    const act = paper.voted ? (open && paper.replace ? t.change : t.receipt) : open ? t.vote : null;
    return h(
      "li",
      {},
      h("div", {}, h("strong", theirs(), paper.name), p([when, paper.voted ? t.codeEnds({ end: paper.voted.tracker.slice(-4) }) : null].filter(Boolean).join(" "))),
      h("span", { class: state === "voted" ? "tag" : state === "open" ? "tag wait" : "tag none" }, t.states[state]),
      act ? button(act({ name: paper.name }), () => enter(paper), { class: act === t.vote ? null : "quiet" }) : null,
    );
  });
  return screen(
    t.title,
    lead(papers.length === 0 ? t.none : left === 0 ? t.all : t.left({ count: left })),
    h("ul", { class: "tasks" }, items),
    left === 0 ? [p(texts.done.shared), row(button(texts.finish, finish))] : row(quiet(texts.finish, finish)),
    help(contact),
  );
}

export function waiting(name, opens, acts) {
  return ending(texts.waiting.title({ name }), null, acts, lead(opens ? texts.waiting.lead({ when: spoken(opens) }) : texts.waiting.soon));
}

// --- the question -------------------------------------------------------------------------------------------------

const blankLabel = (question) => (isMotion(question) ? texts.question.abstain : texts.question.blank);

/** What is wrong, in words, with the field it belongs to. */
function explained(question, answer, wrong) {
  const t = texts.question.problems;
  const blank = mayBeBlank(question) ? blankLabel(question) : null;
  const name = (choice) => choiceName(question, choice);
  return wrong.map(({ kind, choice, count, min, max, rank, other, missing, text }) => {
    const field = choice === undefined ? "answer" : `number-${choice}`;
    switch (kind) {
      case "none":
        return { field, text: kindOf(question) === "ranking" ? t.noneRanked({ blank }) : blank ? t.noneOrBlank({ blank }) : t.none };
      case "both":
        return { field, text: t.both({ count, blank }) };
      case "few":
        return { field, text: t.few({ count, min }) };
      case "many":
        return { field, text: t.many({ count, max }) };
      case "range":
        return { field, text: t.range({ name: name(choice), text, count: question.answers.length }) };
      case "twice":
        return { field, text: t.twice({ name: name(choice), rank, other: name(other) }) };
      default:
        return { field, text: t.gap({ name: name(choice), rank, missing }) };
    }
  });
}

/** The box above a page that lists what is wrong; each line leads to its field. */
function summary(messages) {
  if (messages.length === 0) return null;
  return h(
    "div",
    { class: "summary", role: "alert", tabindex: "-1" },
    h("h2", {}, texts.problem),
    h(
      "ul",
      {},
      messages.map(({ field, text }) =>
        h(
          "li",
          {},
          h(
            "a",
            {
              href: `#${field}`,
              onclick: (event) => {
                event.preventDefault(); // the address bar stays as it is
                const target = document.getElementById(field);
                (target?.matches("input") ? target : target?.querySelector(".pick input, .choice input, .choice button"))?.focus();
              },
            },
            text,
          ),
        ),
      ),
    ),
  );
}

const errorText = (messages, field) => messages.filter((message) => message.field === field).map(({ text }) => h("p", { class: "error" }, text));

const details = (label, ...body) => h("details", {}, h("summary", {}, label), ...body);
const folded = (name, statement) => (statement ? details(spokenParts(texts.question.statement({ name })), paragraphs(statement, theirs())) : null);

function pick(type, name, index, label, checked, onchange, statement = "") {
  const id = `${name}-${index}`;
  return h(
    "div",
    { class: "pick" },
    h("input", { type, name, id, checked, onchange }),
    h(
      "div",
      {},
      h("label", theirs({ for: id }), label),
      folded(label, statement),
    ),
  );
}

/** Choices in their order, with the button that changes between this voter's mixed order and A to Z. */
function orderedList(question, order, paper, make, announce) {
  if (isMotion(question) || question.answers.length < 3) return { list: h("div", {}, (isMotion(question) ? question.answers.map((_, at) => at) : order).map(make)), toggle: null };
  const items = new Map(order.map((choice) => [choice, make(choice)]));
  const collator = new Intl.Collator("en-GB", { sensitivity: "base", numeric: true });
  const sorted = [...order].sort((a, b) => collator.compare(question.answers[a], question.answers[b]));
  const list = h("div", {});
  const toggle = h("button", { type: "button", class: "linklike" });
  const place = () => {
    list.append(...(paper.atoz ? sorted : order).map((choice) => items.get(choice)));
    toggle.textContent = paper.atoz ? texts.question.mixed : texts.question.atoz;
  };
  toggle.addEventListener("click", () => {
    paper.atoz = !paper.atoz;
    place();
    announce(paper.atoz ? texts.question.said.atoz : texts.question.said.mixed);
  });
  place();
  return { list, toggle: soft(texts.question.mixedHint, " ", toggle) };
}

export function question(paper, at, { wrong, several, again, next, announce }) {
  const t = texts.question;
  const asked = paper.questions[at];
  const answer = paper.answers[at];
  const { title, text, statements } = partsOf(asked);
  const messages = explained(asked, answer, wrong);
  const kind = kindOf(asked);
  let fields;
  if (kind === "ranking") {
    fields = rankingQuestion(asked, answer, { order: paper.orders[at], paper, messages, orderedList, folded, errorText, again, announce });
  } else {
    const type = kind === "one" ? "radio" : "checkbox";
    const chosen = (choice) => (kind === "one" ? answer.choice === choice : answer.chosen.includes(choice));
    const make = (choice) =>
      pick(type, "answer", choice, choiceName(asked, choice), chosen(choice), ({ target }) => {
        if (kind === "one") answer.choice = choice;
        else answer.chosen = target.checked ? [...answer.chosen, choice] : answer.chosen.filter((other) => other !== choice);
      }, statements[choice]);
    const { list: choices, toggle } = orderedList(asked, paper.orders[at], paper, make, announce);
    const blank = mayBeBlank(asked)
      ? pick(type, "answer", BLANK, blankLabel(asked), kind === "one" ? answer.choice === BLANK : answer.blank, ({ target }) => {
          if (kind === "one") answer.choice = BLANK;
          else answer.blank = target.checked;
        })
      : null;
    const legend = kind === "one" ? t.one : (asked.min < 2 ? t.several : asked.min === asked.max ? t.exactly : t.from)({ min: asked.min, max: asked.max });
    fields = [
      h(
        "fieldset",
        { id: "answer", class: messages.length > 0 ? "wrong" : null, "aria-describedby": messages.length > 0 ? "answer-error" : null },
        h("legend", {}, legend),
        toggle,
        h("div", { id: "answer-error" }, errorText(messages, "answer")),
        choices,
        blank,
      ),
    ];
  }
  const form = h(
    "form",
    {
      class: kind === "ranking" ? "wide" : null,
      novalidate: true,
      autocomplete: "off",
      onsubmit: (event) => {
        event.preventDefault();
        const found = problems(asked, answer);
        if (found.length > 0) again(found);
        else next();
      },
    },
    fields,
    row(h("button", { type: "submit" }, texts.next)),
  );
  const caption = [several || paper.name !== title ? paper.name : null, paper.questions.length > 1 ? t.of({ number: at + 1, all: paper.questions.length }) : null];
  const body = [
    summary(messages),
    soft(caption.filter(Boolean).join(" · ")),
    heading(title, theirs()),
    paragraphs(text, theirs()),
    at === 0 && paper.description ? details(t.details, paragraphs(paper.description, theirs())) : null,
    form,
  ];
  return { title, wrong: messages.length > 0, body: body.flat(Infinity).filter(Boolean) };
}

// --- check, cast --------------------------------------------------------------------------------------------------

function answerInWords(asked, answer) {
  const name = (choice) => choiceName(asked, choice);
  switch (kindOf(asked)) {
    case "one":
      return [lead(answer.choice === BLANK ? (isMotion(asked) ? texts.question.abstain : texts.check.blank) : name(answer.choice))];
    case "several": {
      if (answer.blank || answer.chosen.length === 0) return [lead(texts.check.blank)];
      const rest = asked.answers.length - answer.chosen.length;
      return [h("ul", {}, answer.chosen.map((choice) => h("li", theirs(), name(choice)))), rest > 0 ? soft(texts.check.notChosen({ count: rest })) : null];
    }
    default: {
      const ranking = rankingOf(answer);
      if (answer.blank || ranking.length === 0) return [lead(texts.check.blank)];
      const rest = asked.answers.length - ranking.length;
      return [h("ol", {}, ranking.map((choice) => h("li", theirs(), name(choice)))), rest > 0 ? soft(texts.check.notRanked({ count: rest })) : null];
    }
  }
}

export function check(paper, { change, cast }) {
  const t = texts.check;
  return screen(
    t.title,
    paper.questions.map((asked, at) => {
      const { title } = partsOf(asked);
      return h("section", { class: "card" }, h("h2", theirs(), title), answerInWords(asked, paper.answers[at]), quiet(t.change({ question: title }), () => change(at)));
    }),
    notice("warn", t.unsent),
    row(button(t.cast, cast)),
    details(t.paper, p(t.fingerprint), h("p", { class: "code" }, paper.fingerprint)),
  );
}

export function sending(slow) {
  return screen(texts.sending.title, lead(texts.sending.keep), slow ? h("p", { role: "status" }, texts.sending.slow) : null);
}

/** Not counted yet. `tell(seconds)` keeps the line with the next try up to date, without reading it aloud each second. */
export function offline(busy, again) {
  const t = texts.offline;
  const line = h("p", { class: "soft", "aria-live": "off" });
  return {
    ...screen(t.title, lead(busy ? t.busy : t.lead), line, row(button(t.now, again)), p(t.same)),
    tell: (seconds) => {
      line.textContent = seconds > 0 ? t.again({ count: seconds }) : t.trying;
    },
  };
}

// --- after the vote -----------------------------------------------------------------------------------------------

const codeBlock = (code) => h("p", { class: "code lead", id: "code" }, code);
const checkLink = (code) => p(h("a", { href: `/vote/check?lang=${language}#${code}` }, texts.done.check));

export function done(paper, { contact, next, home, finish }) {
  const t = texts.done;
  const { receipt } = paper.done;
  const code = receipt.ballot;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code);
      said.textContent = t.copied;
    } catch {
      getSelection().selectAllChildren(document.getElementById("code")); // marked, so that it can be copied by hand
    }
  };
  const save = () => {
    const text = t.file({ election: paper.name, code, when: spoken(receipt.time) }) + JSON.stringify(receipt, ["election", "ballot", "height", "head", "time", "signature"]) + "\n";
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    h("a", { href: address, download: t.fileName({ end: code.replace(/[^A-Za-z0-9]/g, "").slice(-6) }) }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  };
  const said = h("p", { class: "soft", role: "status" });
  const seen = { found: t.found, unseen: t.unseen }[paper.done.seen] ?? t.looking;
  return screen(
    t.title,
    h("p", theirs(), paper.name),
    p(t.at({ when: spoken(receipt.time) })),
    h("section", { class: "card" }, h("h2", {}, t.code), codeBlock(code), row(quiet(t.copy, copy), quiet(t.save, save), quiet(t.print, () => window.print())), said, p(t.explain)),
    h("p", { class: "notice", id: "seen", role: "status" }, seen),
    p(t.results({ when: spoken(paper.closes) })),
    p(t.different, " ", tellUs(contact, code)),
    next ? row(button(texts.list.nextBallot({ name: next.name }), next.go), homeButton(home)) : null,
    p(t.shared),
    row(button(texts.finish, finish, { class: next ? "quiet" : null }), next ? null : homeButton(home)),
    checkLink(code),
  );
}

/** A page on which there is nothing more to do with this paper. */
function ending(title, name, { contact, finish, home }, ...body) {
  return screen(title, name ? h("p", theirs(), name) : null, ...body, row(finish ? button(texts.finish, finish) : null, homeButton(home)), help(contact));
}

const codeCard = (code) => h("section", { class: "card" }, h("h2", {}, texts.done.code), codeBlock(code), checkLink(code));

export function already(paper, acts, refused = false) {
  const { tracker } = paper.voted;
  const t = texts.already;
  return ending(t.title, paper.name, acts, lead(t.lead({ end: tracker.slice(-4) })), codeCard(tracker), refused ? notice("warn", t.once) : null, p(texts.done.different, " ", tellUs(acts.contact, tracker)));
}

export function closed(paper, acts) {
  const t = texts.closed;
  if (paper.state === "void") return ending(t.voidTitle, paper.name, acts, lead(t.called));
  const found = paper.voted ? [p(t.received), codeCard(paper.voted.tracker)] : p(t.nothing);
  return ending(t.title, paper.name, acts, lead(t.at({ when: spoken(paper.closes) })), found, p(h("a", { href: `/e/${paper.uuid}` }, t.results)));
}

export function late(paper, seconds, acts) {
  const t = texts.closed;
  const how = seconds > 0 ? t.late({ hour: spokenHour(paper.closes), duration: duration(seconds) }) : t.before;
  return ending(t.title, paper.name, acts, notice("bad", how));
}

export function closedMeeting(meeting, { look, contact }) {
  const closes = meeting.elections.map((election) => election.closes).sort().at(-1);
  return screen(texts.closed.title, h("p", theirs(), meeting.name), closes ? lead(texts.closed.at({ when: spoken(closes) })) : null, row(button(texts.closed.look, look)), help(contact));
}

// --- trouble ------------------------------------------------------------------------------------------------------

export function alarm(text, contact, code) {
  const t = texts.alarm;
  return screen(t.title, h("div", { role: "alert" }, notice("bad", text)), code ? [p(t.code), codeBlock(code)] : null, p(t.tell, " ", contact ? tellUs(contact, code) : null), help(contact));
}

export function noConnection(text, again) {
  return screen(texts.connection.title, lead(text), row(button(texts.retry, again)));
}

// --- the code, typed ----------------------------------------------------------------------------------------------

/**
 * The form for a typed code is the server's own markup; here it is told what is wrong, as { field, text }. What was
 * typed stays where it is.
 */
export function code(section, { told = "", wrong = [], sent = false }) {
  const line = (id, text) => {
    const element = section.querySelector(`#${id}`);
    element.textContent = text;
    element.hidden = text === "";
    element.closest(".field")?.classList.toggle("wrong", text !== "");
  };
  line("told", told);
  for (const field of ["meeting", "code", "email"]) line(`${field}-error`, wrong.find((message) => message.field === field)?.text ?? "");
  section.querySelector("#sent").hidden = !sent;
  section.hidden = false;
  return { title: texts.typed.title, wrong: wrong.length > 0, body: [summary(wrong), section].filter(Boolean) };
}
