// Every word that the booth shows, in one place, so that another language can stand beside this one.
//
// The server's own pages have theirs in ballot/web/booth/texts.py. Short words, sentence case, reading age about 11; the
// booth speaks of locking, codes and key-holders, and "How this works" has the full story.

import { duration, spoken, spokenHour } from "./times.js";

const many = (number, one, more) => (number === 1 ? `1 ${one}` : `${number} ${more}`);

export function ordinal(number) {
  const tens = number % 100;
  const suffix = tens >= 11 && tens <= 13 ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[number % 10] ?? "th");
  return `${number}${suffix}`;
}

export const english = {
  error: "Error: ",
  problem: "There is a problem",
  wait: "One moment…",
  next: "Continue",
  retry: "Try again",
  finish: "Finish",
  practice: "PRACTICE",
  practiceNotice: "This is a practice ballot. It decides nothing.",
  contact: (address) => `Questions? Write to ${address}.`,

  start: {
    title: (meeting) => `Vote at the ${meeting}`,
    personal: "This link is for one member only.",
    closes: (moment) => `Voting closes ${spoken(moment)}.`,
    closesFirst: (moment) => `The first ballot closes ${spoken(moment)}.`,
    once: (minutes) => `It takes about ${many(minutes, "minute", "minutes")}. You can vote once: check your answers before you cast.`,
    replace: (minutes) =>
      `It takes about ${many(minutes, "minute", "minutes")}. You can change your vote until voting closes; only your last vote counts.`,
    secret: "Your vote is secret. It is locked on this device before it is sent.",
    keys: (needed, all) =>
      all === 1
        ? "But the key of this ballot box is in one hand, and whoever holds it could open single votes."
        : `Opening the ballot box takes ${needed} of our ${all} key-holders together, and they open the totals, not single votes.`,
    ranked: "Rankings are shuffled first, so nobody can tell whose is whose.", // true of several key-holders only
    how: "How this works",
    start: "Start",
  },

  list: {
    title: "Your ballots",
    lead: (left) => (left === 0 ? "You have voted in every ballot that is open to you." : `You have ${many(left, "ballot", "ballots")} left to vote in.`),
    none: "There is no ballot here that you can vote in.",
    states: {
      open: "Not voted yet",
      voted: "In the ballot box",
      locked: "Not open yet",
      closed: "Closed",
      void: "Called off",
    },
    codeEnds: (code) => `Your code ends ${code.slice(-4)}.`,
    opens: (moment) => `Opens ${spoken(moment)}.`,
    closes: (moment) => `Closes ${spoken(moment)}.`,
    closed: (moment) => `Closed ${spoken(moment)}.`,
    vote: (name) => ["Vote", `: ${name}`],
    change: (name) => ["Change my vote", `: ${name}`],
    receipt: (name) => ["Your receipt", `: ${name}`],
    nextBallot: (name) => `Next ballot: ${name}`,
    all: "See all my ballots",
  },

  question: {
    of: (number, all) => `Question ${number} of ${all}`,
    one: "Choose one.",
    several: (max) => `Choose up to ${max}.`,
    severalFrom: (min, max) => (min === max ? `Choose ${min}.` : `Choose ${min} to ${max}.`),
    abstain: "Abstain",
    blank: "Leave this one blank",
    atoz: "Show A to Z",
    mixed: "Show mixed order",
    mixedHint: "The order is mixed differently for each voter.",
    statement: (name) => ["Read the statement", ` of ${name}`],
    details: "About this ballot",
    chosen: (count, max) => `${count} of ${max} chosen.`,
    explain:
      "Choose your 1st choice, then your 2nd, and so on. Rank as many or as few as you like. A later choice never counts against an earlier one.",
    candidates: "Choices",
    yours: "Your ranking",
    nobody: "Nobody yet.",
    chooseAs: (name, rank) => ["Choose", ` ${name}`, ` as ${ordinal(rank)}`],
    ranked: (name, rank) => [ordinal(rank), ` choice: ${name}`, " – remove"],
    up: (name, rank) => ["Up", rank < 1 ? `: ${name} is at the top` : `: move ${name} up to ${ordinal(rank)}`],
    down: (name, rank, last) => ["Down", rank > last ? `: ${name} is at the bottom` : `: move ${name} down to ${ordinal(rank)}`],
    remove: (name) => ["Remove", ` ${name}`],
    numbers: "Type numbers instead",
    taps: "Use buttons instead",
    numberHint: "Type 1 for your 1st choice, 2 for your 2nd, and so on.",
    said: {
      chosen: (name, rank, count) => `${name} is your ${ordinal(rank)} choice. ${count} ranked.`,
      removed: (name, count) => `${name} is not ranked now. ${count} ranked.`,
      moved: (name, rank) => `${name} is now your ${ordinal(rank)} choice.`,
      first: (name) => `${name} is already at the top.`,
      last: (name) => `${name} is already at the bottom.`,
      atoz: "Listed A to Z.",
      mixed: "Listed in mixed order.",
    },
    problems: {
      none: (question, blank) => (blank ? `Choose an answer, or choose “${blank}”.` : "Choose an answer."),
      noneRanked: (blank) => `Choose your 1st choice, or tick “${blank}”.`,
      both: (count, blank) => `You made ${many(count, "choice", "choices")} and also ticked “${blank}”. Take one of the two away.`,
      few: (count, min) => `You chose ${count}. Choose at least ${min}.`,
      many: (count, max) => `You chose ${count}. Choose ${max} at most.`,
      range: (name, text, count) => `${name}: “${text}” is not a number from 1 to ${count}.`,
      twice: (name, rank, other) => `${name}: you already gave ${rank} to ${other}.`,
      gap: (name, rank, missing) => `${name} has ${rank}, but nobody has ${missing}.`,
    },
  },

  check: {
    title: "Check your vote, then cast it",
    unsent: "Your vote has not been sent yet.",
    change: (question) => ["Change", `: ${question}`],
    notRanked: (count) => `Not ranked: ${many(count, "choice", "choices")}`,
    notChosen: (count) => `Not chosen: ${many(count, "choice", "choices")}`,
    blank: "Left blank",
    cast: "Cast my vote",
    paper: "Is this the right ballot paper?",
    fingerprint: "The fingerprint of this ballot paper is the line below. The same line is in your e-mail and on the public page of the ballot.",
  },

  sending: {
    title: "Locking and sending your vote",
    keep: "Keep this page open.",
    slow: "This phone needs a little longer, usually under 20 seconds.",
  },

  offline: {
    title: "Your vote has NOT been counted yet",
    lead: "No connection. Keep this page open; we will try again.",
    busy: "The ballot box does not answer just now. Keep this page open; we will try again.",
    again: (seconds) => `Next try in ${many(seconds, "second", "seconds")}.`,
    trying: "Trying again now.",
    now: "Try again now",
    same: "Trying again is safe: your vote is counted once.",
  },

  done: {
    title: "Your vote is in the ballot box",
    at: (moment) => `Received ${spoken(moment)}.`,
    code: "Your receipt code",
    copy: "Copy",
    copied: "Copied.",
    save: "Save",
    print: "Print",
    explain: "This code shows your vote is in the box. It does not show how you voted.",
    looking: "We are looking for your code in the ballot box.",
    found: "We found your code in the ballot box just now.",
    unseen: "We could not look into the ballot box just now. Use “Check my vote” later.",
    results: (moment) => `Voting closes ${spoken(moment)}. Results come after that.`,
    different: "Code in your e-mail different from this one?",
    tell: "Tell us",
    reply: "Tell us: reply to that e-mail.",
    check: "Check my vote later",
    shared: "Is this a shared phone or computer? Press Finish: it clears everything from this page.",
    file: ({ election, code, time }) =>
      `Your vote is in the ballot box.\n\nBallot: ${election}\nReceipt code: ${code}\nReceived: ${spoken(time)}\n\nThe ballot box's signed receipt:\n`,
    fileName: (code) => `ballot-receipt-${code.replace(/[^A-Za-z0-9]/g, "").slice(-6)}.txt`,
  },

  already: {
    title: "You have already voted",
    lead: (code) => `Your ballot is in the box (code ends ${code.slice(-4)}).`,
    once: "A second vote was not counted. If you did not cast this vote, tell us now.",
  },

  alarm: {
    title: "Something is wrong",
    questions: "The questions we were given are not the ones that were published. Nothing was sent. Please do not vote on this page.",
    election: "The ballot paper we were given cannot be right. Nothing was sent. Please do not vote on this page.",
    receipt: "The ballot box gave a receipt for another vote than the one you sent.",
    board: "The ballot box says that it has your vote, but what it shows is not the vote you sent.",
    tell: "Please tell us, and someone outside the office too: this should never happen.",
    code: "The code of the vote you sent:",
    random: "This browser cannot make safe random numbers, so we stopped. Nothing was sent. Please use another browser or device.",
    crash: "This page stopped working. Nothing was sent. Open the link in your e-mail again.",
  },

  waiting: {
    title: (name) => `${name}: not open yet`,
    lead: (moment) => `Voting opens ${spoken(moment)}. Your link will work then.`,
    soon: "Voting has not opened yet. Your link will work when it does.",
  },

  closed: {
    title: "Voting has closed",
    at: (moment) => `Voting closed on ${spoken(moment)}.`,
    received: "We received your vote.",
    nothing: "We have no vote from you.",
    late: (moment, seconds) => `Voting closed at ${spokenHour(moment)}, ${duration(seconds)} before your vote arrived. It was not counted.`,
    look: "See if we have your vote",
    results: "See the result page",
    voidTitle: "This ballot was called off",
    called: "It is not counted. The returning officer can tell you why.",
  },

  closing: {
    soon: (minutes) => `Voting closes in about ${many(minutes, "minute", "minutes")}.`,
    now: "Voting has closed. A vote sent now is not counted.",
  },

  link: {
    broken: "This link is not complete. Some mail programs cut long links.",
    dead: "This link no longer works. We may have sent you a newer one: use the last e-mail from us.",
    noMeeting: "Choose a meeting.",
    empty: "Enter the code from your e-mail.",
    malformed: "That is not a whole code. It has 22 letters and numbers, never 0, capital O, capital I or small l.",
    unknown: "We do not know that code for this meeting. Check each letter: capital letters matter.",
    noEmail: "Enter an e-mail address, like name@example.org.",
  },

  connection: {
    title: "No connection",
    lead: "We could not reach the ballot box. Nothing was sent. Check your connection and try again.",
    busy: "The ballot box does not answer just now. Nothing was sent. Please try again.",
  },
};
