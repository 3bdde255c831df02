// Every sentence of the key-holder's pages, in one place.

const people = (n) => `${n} ${n === 1 ? "person" : "people"}`;
const keys = (n) => `${n} ${n === 1 ? "key" : "keys"}`;
const list = (names, and = "and") => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${and} ${names[names.length - 1]}`);

export const T = {
  holder: ({ owner, size, holder }) => (size > 1 ? `Key-holder ${owner} of ${size}: ${holder}` : `Key-holder: ${holder}`),
  practice: "PRACTICE",
  error: "Error: ",
  wrongTitle: "Something went wrong",
  again: "Try again",
  noAnswer: "There is no connection just now. Nothing is lost: check your connection and try again.",
  stopped: "This page had to stop. Open the link in your e-mail again and go on from there.",

  cut: {
    title: "Your link was cut short",
    lead: "Open the whole link from your e-mail, or paste it here. It ends with a long code after a # sign.",
    label: "The whole link from your e-mail",
    error: "Paste the whole link. It starts with https and has a # sign in it.",
    go: "Go on",
  },
  dead: {
    title: "This link does not work",
    lead: "A newer link was sent to you, or this one was copied wrongly. Use the newest e-mail, or ask the returning officer for a new link.",
  },

  make: {
    title: "Make your key",
    lead: "You keep one of the keys to this ballot box. It is made on this device, and never leaves it.",
    share: ({ threshold, size }) =>
      size > 1
        ? `${threshold} of the ${size} keys open the box. You may lose ${keys(size - threshold)} between you and still count. ${people(threshold)} together could open it, so never lend your key.`
        : "This one key opens the box.",
    passphrase: "Choose a passphrase",
    hint: "12 characters or more. Four or five unrelated words are good. Nobody can reset it, so write it down and keep it apart from the key.",
    repeat: "Type the passphrase again",
    show: "Show what I type",
    short: "The passphrase needs 12 characters or more.",
    differ: "The two passphrases are not the same.",
    go: "Make my key",
    working: "Making your key and locking it with your passphrase. This takes a few seconds.",
  },
  first: {
    title: "Save the first part of your key",
    lead: "Your device has made the first part of your key. Save it now, so that you can go on if this page closes.",
    later: "You will save the finished key later, when all key-holders have done this step.",
    save: "Save the first part",
    saved: (name) => `Look in your downloads for ${name}.`,
    single: "Save your key",
    singleLead: "Your device has made your key. Save it now.",
    go: "I have saved it: go on",
    unsaved: "Save the file first.",
  },
  unlock: {
    title: "Choose your key file",
    lead: "The file stays on this device. Its name starts with “ballot” and ends with “.key”.",
    file: "Your key file",
    picked: (name) => `Chosen: ${name}. Choose again to change it.`,
    sheet: "Use my backup sheet instead",
    sheetHint: "Scan the square code on your sheet with a phone or scanner, and paste the text here.",
    sheetLabel: "The text from your backup sheet",
    passphrase: "Your passphrase",
    go: "Open my key file",
    working: "Opening your key file. This takes a few seconds.",
    noFile: "Choose your key file.",
    noPassphrase: "Type your passphrase.",
    notKey: "This is not a key file. Its name starts with “ballot” and ends with “.key”.",
    wrongPassphrase: "This passphrase does not open the file. Check capital letters and spaces, and try again.",
    otherBallot: ({ holder, election }) => `This is the key of ${holder} for another ballot (${election}). Choose the file for this ballot.`,
    otherHolder: ({ holder, owner }) => `This is the key of ${holder}, who is key-holder ${owner}. This page is for somebody else. Choose your own file.`,
  },
  isKey: ({ holder, owner }, name) => `This is the key of ${holder}, key-holder ${owner}, for the ballot “${name}”.`,
  waiting: {
    title: (names) => `Waiting for ${list(names)}`,
    lead: "Nothing for you to do just now. This page goes on by itself: keep it open, or come back later with the link in your e-mail and your key file.",
    working: "Working",
    acting: { cert: "Sending your first message", polynomial: "Making your part for each of the others", voutput: "Checking what the others sent, and finishing your key", key: "Sending your public key" },
  },
  prove: {
    title: "Save your key and prove it",
    again: "Show that you still have your key",
    againLead: (closes) => `Voting closes ${closes}. Please show now that your key still opens, so that there is time to help if it does not.`,
    step1: "1. Save the finished key",
    step1Lead: "This file replaces the first part, which you can delete.",
    save: "Save my key",
    saved: (name) => `Look in your downloads for ${name}. Copy it to a second safe place, such as a USB stick.`,
    print: "Print a backup sheet",
    step2: "2. Choose the file that you saved",
    step2Lead: "This shows that your copy is good and that you know your passphrase.",
    unfinished: "This is only the first part of your key. Choose the finished file: its name ends with your name and “.key”.",
    step3: "Where are your copies?",
    step3Hint: "Tick at least two. This is a reminder for you: it is not sent or kept.",
    places: ["On this device", "On a USB stick or another device", "On paper: the backup sheet", "In a password manager"],
    few: "Tick at least two places. One copy is too easily lost.",
    go: "Prove that I hold my key",
    working: "Sending the proof.",
  },
  sheet: {
    title: "Backup sheet",
    lead: "This sheet is a copy of a key to a ballot box. It is locked with a passphrase. Keep the passphrase somewhere else.",
    use: "To use it: open your key-holder link, press “Use my backup sheet instead”, scan the square code with any scanner and paste the text. If it does not scan, type the text below.",
    ballot: "Ballot",
    holder: "Key-holder",
    made: "Made",
    check: "Check code",
    picture: "Square code that holds the locked key",
    text: "The same as text",
    print: "Print",
    back: "Back",
  },
  ready: {
    title: "Your key is ready",
    lead: "The site knows that you hold your key. There is nothing to do until voting has closed.",
    others: (names) => `Still to make or prove their key: ${list(names)}.`,
    all: "All key-holders are ready.",
    shown(names, { size, threshold }) {
      if (names.length === 0) return "All key-holders have shown that their keys still open.";
      const spare = size - names.length - threshold;
      const enough = spare >= 0
        ? `The keys that were shown are enough to open the box, and ${spare === 0 ? "none" : spare} of them may still be lost.`
        : `The keys that were shown are not enough yet: ${-spare} more must be found, or nobody can open the box.`;
      return `Still to show that their key opens: ${list(names)}. ${enough}`;
    },
    closes: (closes) => `Voting closes ${closes}. After that the returning officer starts the count and you come back here with your key file and passphrase.`,
    again: "Three days before voting closes we ask you once more to show that your key still opens. Keep your file and passphrase safe until then.",
    proveAgain: "Check my key file again",
  },
  lost: {
    title: "I have lost my key or passphrase",
    may: ({ threshold, size }) =>
      size > threshold
        ? `Tell the returning officer today. This ballot box has ${keys(size)} and ${threshold} of them open it. So ${keys(size - threshold)} may be lost in all, and the votes can still be counted.`
        : "Tell the returning officer today. This key alone opens the ballot box, so without it the votes cannot be counted.",
    few: (threshold) =>
      `If fewer than ${keys(threshold)} are left, nobody can open the box: not the returning officer, not the host, not the makers of this software. The honest way on is to say so, to declare this ballot void, and to run it again with new keys.`,
    report: "Report that my key is lost",
    ask: "Is your key lost?",
    askLead: "Look in every place where you kept a copy first: the file, the backup sheet, and where you wrote the passphrase.",
    askMore: "Your report goes into the public journal, and the officers and the other key-holders see it. If you find your key later, you can prove it here and the report is taken back.",
    yes: "Yes, my key is lost",
    no: "No, go back",
    reported: "You reported your key lost",
    counted: ({ lost, size, threshold }) => {
      const left = size - lost.length;
      const enough = left < threshold ? "That is too few to open the box." : left === threshold ? "No more may be lost." : `${left - threshold} more may be lost.`;
      return `Lost: ${list(lost)}. ${left} of ${keys(size)} are left, and ${threshold} are needed. ${enough}`;
    },
    enough: "The others can still open the box without you. The returning officer has been told on their page.",
    over: "Unless a key is found again, nobody can open this box. The returning officer will declare the ballot void and run it again with new keys.",
    found: "I have found my key: prove it",
    before: "Voting is not locked yet, so nothing is lost: the returning officer can start the key-making again.",
  },
  wait: {
    title: "The count has not begun",
    lead: "Voting is closed. The returning officer starts the count; this page goes on by itself.",
  },
  count: {
    title: "Count day",
    lead: "Your key file and passphrase open your share of the ballot box. The key stays on this device.",
    check: "Checking the whole ballot box",
    checkLead: "Your device checks every vote before it does anything. Keep this page open.",
    steps: { setup: "Questions and keys checked", ballots: (n) => `${n} ballots checked`, tally: "Sum of all ballots checked", shuffles: (n) => `${n} ${n === 1 ? "shuffle" : "shuffles"} checked`, shares: (n) => `${n} ${n === 1 ? "share" : "shares"} checked` },
    bad: "Something is wrong with the ballot box",
    badLead: "Your device found a fault and stopped. Your key was not used. Tell the returning officer and an auditor, and read this sentence to them:",
    checkAgain: "Check it again",
    refused: "Your key was not used",
    compareTitle: "Compare aloud",
    compare: "Read these two aloud to the other key-holders. Everybody must see the same. If not, stop and tell the returning officer.",
    ballots: "Ballots in the box",
    code: "Total code",
    few: (n) => `This ballot allows opening as few as ${n} ${n === 1 ? "ballot" : "ballots"}.`,
    same: "The other key-holders see the same number and the same code",
    tick: "Compare the number and the code first, then tick the box.",
    shuffle: "Shuffle",
    shuffleLead: "Shuffling mixes the rankings, so that nobody can tell whose is whose.",
    shuffling: "Shuffling and proving that nothing was changed. Keep this page open.",
    open: "Open my share",
    openLead: "This is the last step. Your share opens the totals, never a single member’s vote.",
    openRanked: "This is the last step. Your share opens the shuffled rankings and the totals. Nobody can tell whose ranking is whose.",
    opening: "Opening your share. Keep this page open.",
    sending: "Sending it. The site checks all of it before it answers.",
    overtaken: "Another key-holder was a moment faster. Checking the box again, then yours is next.",
    shuffledTitle: "Your shuffle was received and checked",
    turn: (n, names) =>
      n < names.length
        ? `Waiting for ${n} more: ${list(names, "or")}. This page goes on by itself.`
        : `Waiting for ${list(names)}. This page goes on by itself.`,
    doneTitle: "Received and checked",
    done: "Your share is in the ballot box.",
    enough: "Enough shares are here. The returning officer can publish the result now.",
    keep: "Keep your key until the result is published and nobody has objected.",
  },
  published: { title: "The result is published", lead: "The box is open and the result is public. There is nothing left to do. Thank you.", link: "See the result" },
  void: { title: "This ballot was declared void", lead: "It will not be counted. There is nothing for you to do. Keep your key file until you are told what happens next." },
  percent: (n) => `${n} %`,
};
