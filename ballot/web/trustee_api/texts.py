"""Every word that the key-holder's page says by itself. Why it refuses a ballot box or an act is said in English, as by the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ballot.language import N_, nN_
from ballot.web.texts import TIMES

KEYHOLDER: Final[Mapping[str, Any]] = {
    "times": TIMES,
    "list": {"and": N_("{items} and {last}"), "or": N_("{items} or {last}")},
    "holder": {"several": N_("Key-holder {owner} of {size}: {holder}"), "single": N_("Key-holder: {holder}")},
    "practice": N_("PRACTICE"),
    "error": N_("Error: "),
    "problem": N_("There is a problem"),
    "wrongTitle": N_("Something went wrong"),
    "again": N_("Try again"),
    "noAnswer": N_("There is no connection just now. Nothing is lost: check your connection and try again."),
    "stopped": N_("This page had to stop. Open the link in your e-mail again and go on from there."),
    "percent": N_("{percent} %"),
    "isKey": N_("This is the key of {holder}, key-holder {owner}, for the ballot “{name}”."),
    "cut": {
        "title": N_("Your link was cut short"),
        "lead": N_("Open the whole link from your e-mail, or paste it here. It ends with a long code after a # sign."),
        "label": N_("The whole link from your e-mail"),
        "error": N_("Paste the whole link. It starts with https and has a # sign in it."),
        "go": N_("Go on"),
    },
    "dead": {
        "title": N_("This link does not work"),
        "lead": N_(
            "A newer link was sent to you, or this one was copied wrongly. Use the newest e-mail, or ask the returning officer for a "
            "new link."
        ),
    },
    "make": {
        "title": N_("Make your key"),
        "lead": N_("You keep one of the keys to this ballot box. It is made on this device, and never leaves it."),
        "opens": N_("{threshold} of the {size} keys open the box."),
        "lose": nN_("You may lose {count} key between you and still count.", "You may lose {count} keys between you and still count."),
        "lend": nN_(
            "{count} person together could open it, so never lend your key.",
            "{count} people together could open it, so never lend your key.",
        ),
        "single": N_("This one key opens the box."),
        "passphrase": N_("Choose a passphrase"),
        "hint": N_(
            "12 characters or more. Four or five unrelated words are good. Nobody can reset it, so write it down and keep it apart from "
            "the key."
        ),
        "repeat": N_("Type the passphrase again"),
        "show": N_("Show what I type"),
        "short": N_("The passphrase needs 12 characters or more."),
        "differ": N_("The two passphrases are not the same."),
        "go": N_("Make my key"),
        "working": N_("Making your key and locking it with your passphrase. This takes a few seconds."),
    },
    "first": {
        "title": N_("Save the first part of your key"),
        "lead": N_("Your device has made the first part of your key. Save it now, so that you can go on if this page closes."),
        "later": N_("You will save the finished key later, when all key-holders have done this step."),
        "save": N_("Save the first part"),
        "saved": N_("Look in your downloads for {name}."),
        "single": N_("Save your key"),
        "singleLead": N_("Your device has made your key. Save it now."),
        "go": N_("I have saved it: go on"),
        "unsaved": N_("Save the file first."),
    },
    "unlock": {
        "title": N_("Choose your key file"),
        "lead": N_("The file stays on this device. Its name starts with “ballot” and ends with “.key”."),
        "file": N_("Your key file"),
        "picked": N_("Chosen: {name}. Choose again to change it."),
        "sheet": N_("Use my backup sheet instead"),
        "sheetHint": N_("Scan the square code on your sheet with a phone or scanner, and paste the text here."),
        "sheetLabel": N_("The text from your backup sheet"),
        "passphrase": N_("Your passphrase"),
        "go": N_("Open my key file"),
        "working": N_("Opening your key file. This takes a few seconds."),
        "noFile": N_("Choose your key file."),
        "noPassphrase": N_("Type your passphrase."),
        "notKey": N_("This is not a key file. Its name starts with “ballot” and ends with “.key”."),
        "wrongPassphrase": N_("This passphrase does not open the file. Check capital letters and spaces, and try again."),
        "otherBallot": N_("This is the key of {holder} for another ballot ({election}). Choose the file for this ballot."),
        "otherHolder": N_("This is the key of {holder}, who is key-holder {owner}. This page is for somebody else. Choose your own file."),
    },
    "waiting": {
        "title": N_("Waiting for {names}"),
        "lead": N_(
            "Nothing for you to do just now. This page goes on by itself: keep it open, or come back later with the link in your e-mail "
            "and your key file."
        ),
        "working": N_("Working"),
        "acting": {
            "cert": N_("Sending your first message"),
            "polynomial": N_("Making your part for each of the others"),
            "voutput": N_("Checking what the others sent, and finishing your key"),
            "key": N_("Sending your public key"),
        },
    },
    "prove": {
        "title": N_("Save your key and prove it"),
        "again": N_("Show that you still have your key"),
        "againLead": N_("Voting closes {when}. Please show now that your key still opens, so that there is time to help if it does not."),
        "step1": N_("1. Save the finished key"),
        "step1Lead": N_("This file replaces the first part, which you can delete."),
        "save": N_("Save my key"),
        "saved": N_("Look in your downloads for {name}. Copy it to a second safe place, such as a USB stick."),
        "print": N_("Print a backup sheet"),
        "step2": N_("2. Choose the file that you saved"),
        "step2Lead": N_("This shows that your copy is good and that you know your passphrase."),
        "unfinished": N_("This is only the first part of your key. Choose the finished file: its name ends with your name and “.key”."),
        "step3": N_("Where are your copies?"),
        "step3Hint": N_("Tick at least two. This is a reminder for you: it is not sent or kept."),
        "places": {
            "device": N_("On this device"),
            "stick": N_("On a USB stick or another device"),
            "paper": N_("On paper: the backup sheet"),
            "manager": N_("In a password manager"),
        },
        "few": N_("Tick at least two places. One copy is too easily lost."),
        "go": N_("Prove that I hold my key"),
        "working": N_("Sending the proof."),
    },
    "sheet": {
        "title": N_("Backup sheet"),
        "lead": N_("This sheet is a copy of a key to a ballot box. It is locked with a passphrase. Keep the passphrase somewhere else."),
        "use": N_(
            "To use it: open your key-holder link, press “Use my backup sheet instead”, scan the square code with any scanner and paste "
            "the text. If it does not scan, type the text below."
        ),
        "ballot": N_("Ballot"),
        "holder": N_("Key-holder"),
        "made": N_("Made"),
        "check": N_("Check code"),
        "picture": N_("Square code that holds the locked key"),
        "text": N_("The same as text"),
        "print": N_("Print"),
        "back": N_("Back"),
    },
    "ready": {
        "title": N_("Your key is ready"),
        "lead": N_("The site knows that you hold your key. There is nothing to do until voting has closed."),
        "others": N_("Still to make or prove their key: {names}."),
        "all": N_("All key-holders are ready."),
        "allShown": N_("All key-holders have shown that their keys still open."),
        "notShown": N_("Still to show that their key opens: {names}."),
        "spare": nN_(
            "The keys that were shown are enough to open the box, and {count} of them may still be lost.",
            "The keys that were shown are enough to open the box, and {count} of them may still be lost.",
        ),
        "noneSpare": N_("The keys that were shown are enough to open the box, and none of them may still be lost."),
        "short": nN_(
            "The keys that were shown are not enough yet: {count} more must be found, or nobody can open the box.",
            "The keys that were shown are not enough yet: {count} more must be found, or nobody can open the box.",
        ),
        "closes": N_(
            "Voting closes {when}. After that the returning officer starts the count and you come back here with your key file and "
            "passphrase."
        ),
        "again": N_(
            "Three days before voting closes we ask you once more to show that your key still opens. Keep your file and passphrase safe "
            "until then."
        ),
        "proveAgain": N_("Check my key file again"),
    },
    "lost": {
        "title": N_("I have lost my key or passphrase"),
        "tell": N_("Tell the returning officer today."),
        "keys": nN_(
            "This ballot box has {count} key and {threshold} of them open it.",
            "This ballot box has {count} keys and {threshold} of them open it.",
        ),
        "spare": nN_(
            "So {count} key may be lost in all, and the votes can still be counted.",
            "So {count} keys may be lost in all, and the votes can still be counted.",
        ),
        "single": N_("This key alone opens the ballot box, so without it the votes cannot be counted."),
        "few": nN_(
            "If fewer than {count} key are left, nobody can open the box: not the returning officer, not the host, not the makers of this "
            "software.",
            "If fewer than {count} keys are left, nobody can open the box: not the returning officer, not the host, not the makers of this "
            "software.",
        ),
        "wayOn": N_("The honest way on is to say so, to declare this ballot void, and to run it again with new keys."),
        "report": N_("Report that my key is lost"),
        "ask": N_("Is your key lost?"),
        "askLead": N_("Look in every place where you kept a copy first: the file, the backup sheet, and where you wrote the passphrase."),
        "askMore": N_(
            "Your report goes into the public journal, and the officers and the other key-holders see it. If you find your key later, you "
            "can prove it here and the report is taken back."
        ),
        "yes": N_("Yes, my key is lost"),
        "no": N_("No, go back"),
        "reported": N_("You reported your key lost"),
        "names": N_("Lost: {names}."),
        "left": nN_(
            "{left} of {count} key are left, and {threshold} are needed.", "{left} of {count} keys are left, and {threshold} are needed."
        ),
        "tooFew": N_("That is too few to open the box."),
        "noMore": N_("No more may be lost."),
        "more": nN_("{count} more may be lost.", "{count} more may be lost."),
        "enough": N_("The others can still open the box without you. The returning officer has been told on their page."),
        "over": N_(
            "Unless a key is found again, nobody can open this box. The returning officer will declare the ballot void and run it again "
            "with new keys."
        ),
        "found": N_("I have found my key: prove it"),
        "before": N_("Voting is not locked yet, so nothing is lost: the returning officer can start the key-making again."),
    },
    "wait": {
        "title": N_("The count has not begun"),
        "lead": N_("Voting is closed. The returning officer starts the count; this page goes on by itself."),
    },
    "count": {
        "title": N_("Count day"),
        "lead": N_("Your key file and passphrase open your share of the ballot box. The key stays on this device."),
        "check": N_("Checking the whole ballot box"),
        "checkLead": N_("Your device checks every vote before it does anything. Keep this page open."),
        "steps": {
            "setup": N_("Questions and keys checked"),
            "ballots": nN_("{count} ballot checked", "{count} ballots checked"),
            "tally": N_("Sum of all ballots checked"),
            "shuffles": nN_("{count} shuffle checked", "{count} shuffles checked"),
            "shares": nN_("{count} share checked", "{count} shares checked"),
        },
        "bad": N_("Something is wrong with the ballot box"),
        "badLead": N_(
            "Your device found a fault and stopped. Your key was not used. Tell the returning officer and an auditor, and read this "
            "sentence to them:"
        ),
        "checkAgain": N_("Check it again"),
        "refused": N_("Your key was not used"),
        "compareTitle": N_("Compare aloud"),
        "compare": N_(
            "Read these two aloud to the other key-holders. Everybody must see the same. If not, stop and tell the returning officer."
        ),
        "ballots": N_("Ballots in the box"),
        "code": N_("Total code"),
        "few": nN_("This ballot allows opening as few as {count} ballot.", "This ballot allows opening as few as {count} ballots."),
        "same": N_("The other key-holders see the same number and the same code"),
        "tick": N_("Compare the number and the code first, then tick the box."),
        "shuffle": N_("Shuffle"),
        "shuffleLead": N_("Shuffling mixes the rankings, so that nobody can tell whose is whose."),
        "shuffling": N_("Shuffling and proving that nothing was changed. Keep this page open."),
        "open": N_("Open my share"),
        "openLead": N_("This is the last step. Your share opens the totals, never a single member’s vote."),
        "openRanked": N_(
            "This is the last step. Your share opens the shuffled rankings and the totals. Nobody can tell whose ranking is whose."
        ),
        "opening": N_("Opening your share. Keep this page open."),
        "sending": N_("Sending it. The site checks all of it before it answers."),
        "overtaken": N_("Another key-holder was a moment faster. Checking the box again, then yours is next."),
        "shuffledTitle": N_("Your shuffle was received and checked"),
        # Translators: {names} are of more than so many people, as in "Ann, Bob or Cy".
        "some": nN_(
            "Waiting for {count} more: {names}. This page goes on by itself.",
            "Waiting for {count} more: {names}. This page goes on by itself.",
        ),
        "all": N_("Waiting for {names}. This page goes on by itself."),
        "doneTitle": N_("Received and checked"),
        "done": N_("Your share is in the ballot box."),
        "enough": N_("Enough shares are here. The returning officer can publish the result now."),
        "keep": N_("Keep your key until the result is published and nobody has objected."),
    },
    "published": {
        "title": N_("The result is published"),
        "lead": N_("The box is open and the result is public. There is nothing left to do. Thank you."),
        "link": N_("See the result"),
    },
    "void": {
        "title": N_("This ballot was declared void"),
        "lead": N_("It will not be counted. There is nothing for you to do. Keep your key file until you are told what happens next."),
    },
}
