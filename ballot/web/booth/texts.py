"""Every word of the booth, in English; the other languages' are in `ballot/languages/`.

`BOOTH` goes into the page, where the booth's script draws its screens from it. `PAGES` are the server's own. Short words, sentence
case, reading age about 11 (a test computes it): the booth speaks of locking, codes and key-holders, and "How this works" has the full
story.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ballot.language import LANGUAGES, N_, nN_, translated
from ballot.web.texts import TIMES, for_script

BOOTH: Final[Mapping[str, Any]] = {
    "frame": {
        "skip": N_("Skip to the page itself"),
        "site": N_("Site"),
        "how": N_("How this works"),
        "help": N_("Help"),
        "about": N_("About"),
        "limits": N_("Known limits"),
        "audit": N_("How to audit"),
        "source": N_("Source code"),
    },
    "times": TIMES,
    # Translators: the places of a ranking from the first to the thirtieth; plain numbers will do.
    "ordinals": N_(
        "1st, 2nd, 3rd, 4th, 5th, 6th, 7th, 8th, 9th, 10th, 11th, 12th, 13th, 14th, 15th, 16th, 17th, 18th, 19th, 20th, 21st, 22nd, 23rd, "
        "24th, 25th, 26th, 27th, 28th, 29th, 30th"
    ),
    "error": N_("Error: "),
    "problem": N_("There is a problem"),
    "wait": N_("One moment…"),
    "next": N_("Continue"),
    "retry": N_("Try again"),
    "finish": N_("Finish"),
    "practice": N_("PRACTICE"),
    "practiceNotice": N_("This is a practice ballot. It decides nothing."),
    "contact": N_("Questions? Write to {address}."),
    # Translators: the subject of a member's mail to the office.
    "subject": N_("My vote"),
    "subjectCode": N_("My vote, code {code}"),
    "start": {
        "title": N_("Vote at the {meeting}"),
        "personal": N_("This link is for one member only."),
        "closes": N_("Voting closes {when}."),
        "closesFirst": N_("The first ballot closes {when}."),
        "once": nN_(
            "It takes about {count} minute. You can vote once: check your answers before you cast.",
            "It takes about {count} minutes. You can vote once: check your answers before you cast.",
        ),
        "replace": nN_(
            "It takes about {count} minute. You can change your vote until voting closes; only your last vote counts.",
            "It takes about {count} minutes. You can change your vote until voting closes; only your last vote counts.",
        ),
        "secret": N_("Your vote is secret. It is locked on this device before it is sent."),
        "oneKey": N_("But the key of this ballot box is in one hand, and whoever holds it could open single votes."),
        "keys": N_("Opening the ballot box takes {needed} of our {all} key-holders together, and they open the totals, not single votes."),
        "ranked": N_("Rankings are shuffled first, so nobody can tell whose is whose."),  # true of several key-holders only
        "start": N_("Start"),
    },
    "list": {
        "title": N_("Your ballots"),
        "left": nN_("You have {count} ballot left to vote in.", "You have {count} ballots left to vote in."),
        "all": N_("You have voted in every ballot that is open to you."),
        "none": N_("There is no ballot here that you can vote in."),
        "states": {
            "open": N_("Not voted yet"),
            "voted": N_("In the ballot box"),
            "locked": N_("Not open yet"),
            "closed": N_("Closed"),
            "void": N_("Called off"),
        },
        "codeEnds": N_("Your code ends {end}."),
        "opens": N_("Opens {when}."),
        "closes": N_("Closes {when}."),
        "closed": N_("Closed {when}."),
        "vote": N_("Vote|: {name}"),
        "change": N_("Change my vote|: {name}"),
        "receipt": N_("Your receipt|: {name}"),
        "nextBallot": N_("Next ballot: {name}"),
        "back": N_("See all my ballots"),
    },
    "question": {
        "of": N_("Question {number} of {all}"),
        "one": N_("Choose one."),
        "several": N_("Choose up to {max}."),
        "exactly": N_("Choose {max}."),
        "from": N_("Choose {min} to {max}."),
        # Translators: For, Against and Re-open nominations stand in English in the published ballot paper: add it in brackets.
        "for": N_("For"),
        "against": N_("Against"),
        "ron": N_("Re-open nominations"),
        "abstain": N_("Abstain"),
        "blank": N_("Leave this one blank"),
        "atoz": N_("Show A to Z"),
        "mixed": N_("Show mixed order"),
        "mixedHint": N_("The order is mixed differently for each voter."),
        "statement": N_("Read the statement| of {name}"),
        "details": N_("About this ballot"),
        "explain": N_(
            "Choose your 1st choice, then your 2nd, and so on. Rank as many or as few as you like. "
            "A later choice never counts against an earlier one."
        ),
        "candidates": N_("Choices"),
        "yours": N_("Your ranking"),
        "nobody": N_("Nobody yet."),
        # Translators: {rank} is one of the ordinals.
        "chooseAs": N_("Choose| {name}| as {rank}"),
        "ranked": N_("{rank}| choice: {name}| – remove"),
        "up": N_("Up|: move {name} up to {rank}"),
        "top": N_("Up|: {name} is at the top"),
        "down": N_("Down|: move {name} down to {rank}"),
        "bottom": N_("Down|: {name} is at the bottom"),
        "remove": N_("Remove| {name}"),
        "numbers": N_("Type numbers instead"),
        "taps": N_("Use buttons instead"),
        "numberHint": N_("Type 1 for your 1st choice, 2 for your 2nd, and so on."),
        "said": {
            "chosen": N_("{name} is your {rank} choice. {count} ranked."),
            "removed": N_("{name} is not ranked now. {count} ranked."),
            "moved": N_("{name} is now your {rank} choice."),
            "first": N_("{name} is already at the top."),
            "last": N_("{name} is already at the bottom."),
            "atoz": N_("Listed A to Z."),
            "mixed": N_("Listed in mixed order."),
        },
        "problems": {
            "none": N_("Choose an answer."),
            # Translators: {blank} is "Abstain" or "Leave this one blank".
            "noneOrBlank": N_("Choose an answer, or choose “{blank}”."),
            "noneRanked": N_("Choose your 1st choice, or tick “{blank}”."),
            "both": nN_(
                "You made {count} choice and also ticked “{blank}”. Take one of the two away.",
                "You made {count} choices and also ticked “{blank}”. Take one of the two away.",
            ),
            "few": N_("You chose {count}. Choose at least {min}."),
            "many": N_("You chose {count}. Choose {max} at most."),
            "range": N_("{name}: “{text}” is not a number from 1 to {count}."),
            "twice": N_("{name}: you already gave {rank} to {other}."),
            "gap": N_("{name} has {rank}, but nobody has {missing}."),
        },
    },
    "check": {
        "title": N_("Check your vote, then cast it"),
        "unsent": N_("Your vote has not been sent yet."),
        "change": N_("Change|: {question}"),
        "notRanked": nN_("Not ranked: {count} choice", "Not ranked: {count} choices"),
        "notChosen": nN_("Not chosen: {count} choice", "Not chosen: {count} choices"),
        "blank": N_("Left blank"),
        "cast": N_("Cast my vote"),
        "paper": N_("Is this the right ballot paper?"),
        "fingerprint": N_(
            "The fingerprint of this ballot paper is the line below. The same line is in your e-mail and on the public page of the ballot."
        ),
    },
    "sending": {
        "title": N_("Locking and sending your vote"),
        "keep": N_("Keep this page open."),
        "slow": N_("This phone needs a little longer, usually under 20 seconds."),
    },
    "offline": {
        "title": N_("Your vote has NOT been counted yet"),
        "lead": N_("No connection. Keep this page open; we will try again."),
        "busy": N_("The ballot box does not answer just now. Keep this page open; we will try again."),
        "again": nN_("Next try in {count} second.", "Next try in {count} seconds."),
        "trying": N_("Trying again now."),
        "now": N_("Try again now"),
        "same": N_("Trying again is safe: your vote is counted once."),
    },
    "done": {
        "title": N_("Your vote is in the ballot box"),
        "at": N_("Received {when}."),
        "code": N_("Your receipt code"),
        "copy": N_("Copy"),
        "copied": N_("Copied."),
        "save": N_("Save"),
        "print": N_("Print"),
        "explain": N_("This code shows your vote is in the box. It does not show how you voted."),
        "looking": N_("We are looking for your code in the ballot box."),
        "found": N_("We found your code in the ballot box just now."),
        "unseen": N_("We could not look into the ballot box just now. Use “Check my vote” later."),
        "results": N_("Voting closes {when}. Results come after that."),
        "different": N_("Code in your e-mail different from this one?"),
        "tell": N_("Tell us"),
        "reply": N_("Tell us: reply to that e-mail."),
        "check": N_("Check my vote later"),
        "shared": N_("Is this a shared phone or computer? Press Finish: it clears everything from this page."),
        # Translators: the saved file's lines, and its name.
        "file": N_(
            "Your vote is in the ballot box.\n\nBallot: {election}\nReceipt code: {code}\nReceived: {when}\n\n"
            "The ballot box's signed receipt:\n"
        ),
        "fileName": N_("ballot-receipt-{end}.txt"),
    },
    "already": {
        "title": N_("You have already voted"),
        "lead": N_("Your ballot is in the box (code ends {end})."),
        "once": N_("A second vote was not counted. If you did not cast this vote, tell us now."),
    },
    "alarm": {
        "title": N_("Something is wrong"),
        "questions": N_(
            "The questions we were given are not the ones that were published. Nothing was sent. Please do not vote on this page."
        ),
        "election": N_("The ballot paper we were given cannot be right. Nothing was sent. Please do not vote on this page."),
        "receipt": N_("The ballot box gave a receipt for another vote than the one you sent."),
        "board": N_("The ballot box says that it has your vote, but what it shows is not the vote you sent."),
        "tell": N_("Please tell us, and someone outside the office too: this should never happen."),
        "code": N_("The code of the vote you sent:"),
        "random": N_(
            "This browser cannot make safe random numbers, so we stopped. Nothing was sent. Please use another browser or device."
        ),
        "crash": N_("This page stopped working. Nothing was sent. Open the link in your e-mail again."),
        "refused": N_("The ballot box did not take your vote. It was not counted."),
        "electorate": N_("This ballot is for other members. Your vote was not taken."),
        "early": N_("Voting has not opened yet. Your vote was not taken."),
    },
    "waiting": {
        "title": N_("{name}: not open yet"),
        "lead": N_("Voting opens {when}. Your link will work then."),
        "soon": N_("Voting has not opened yet. Your link will work when it does."),
    },
    "closed": {
        "title": N_("Voting has closed"),
        "at": N_("Voting closed on {when}."),
        "received": N_("We received your vote."),
        "nothing": N_("We have no vote from you."),
        "late": N_("Voting closed at {hour}, {duration} before your vote arrived. It was not counted."),
        "before": N_("Voting closed before your vote arrived. It was not counted."),
        "look": N_("See if we have your vote"),
        "results": N_("See the result page"),
        "voidTitle": N_("This ballot was called off"),
        "called": N_("It is not counted. The returning officer can tell you why."),
    },
    "closing": {
        "soon": nN_("Voting closes in about {count} minute.", "Voting closes in about {count} minutes."),
        "now": N_("Voting has closed. A vote sent now is not counted."),
    },
    "link": {
        "broken": N_("This link is not complete. Some mail programs cut long links."),
        "half": N_("Now type your code. It is on the other sheet of your voting card, or in your e-mail."),
        "dead": N_("This link no longer works. We may have sent you a newer one: use the last e-mail from us."),
        "noMeeting": N_("Choose a meeting."),
        "empty": N_("Enter the code from your e-mail."),
        "malformed": N_("That is not a whole code. It has 22 letters and numbers, never 0, capital O, capital I or small l."),
        "unknown": N_("We do not know that code for this meeting. Check each letter: capital letters matter."),
        "noEmail": N_("Enter an e-mail address, like name@example.org."),
    },
    "connection": {
        "title": N_("No connection"),
        "lead": N_("We could not reach the ballot box. Nothing was sent. Check your connection and try again."),
        "busy": N_("The ballot box does not answer just now. Nothing was sent. Please try again."),
    },
    "typed": {
        "title": N_("Enter the code from your e-mail"),
        "lead": N_("Open the link in your e-mail again, or type the code that is printed below it."),
        "reload": N_("If you reloaded this page: we keep nothing on this device, so please start again."),
        "nothing": N_("There is no meeting to vote in just now."),
        "meeting": N_("Which meeting?"),
        "code": N_("Your code"),
        "hint": N_("22 letters and numbers in 4 groups, like abcde-fghijk-mnopq-rstuvw. Capital letters matter."),
        "resend": N_("Send me my link again"),
        "email": N_("Your e-mail address"),
        "emailHint": N_("The address on our membership list."),
        "send": N_("Send my link"),
        "sent": N_("If that address is on the list, we have sent it."),
        "sentMore": N_("It can take a few minutes. Look in your junk mail too."),
    },
}

PAGES: Final[Mapping[str, Any]] = {
    "vote": N_("Vote"),
    "no_script": {
        "title": N_("Voting needs JavaScript"),
        "why": N_(
            "Your vote is locked on this device before it is sent, so that nobody else can read it. A web page can only do that with "
            "JavaScript, which is switched off here or is too old in this browser."
        ),
        "ways": N_("You can still vote:"),
        "browser": N_("Open the same link in another browser, such as Firefox, Chrome, Edge or Safari, or on another device."),
        "address": N_("The address of this page is {address}. Type it there, then enter the code from your e-mail."),
        "officer": N_("Ask the returning officer: {contact}. They can help, or tell you about a paper vote."),
        "officer_unknown": N_(
            "Ask the returning officer: reply to the e-mail with your link. They can help, or tell you about a paper vote."
        ),
    },
    "finished": {
        "title": N_("You have finished"),
        "lead": N_("Nothing of your vote is left on this page. You can close it now."),
        "check": N_("To see that your vote is still in the ballot box, use your receipt code:"),
    },
    "check": {
        "title": N_("Check my vote"),
        "lead": N_("Your receipt code shows whether your vote is in the ballot box. It does not show how you voted."),
        "code": N_("Your receipt code"),
        "hint": N_("43 letters, numbers, + and /. It is in your receipt e-mail. Paste it, or type it."),
        "find": N_("Find it"),
        "malformed": N_("A receipt code has 43 letters, numbers, + and /. Copy the whole of it."),
        "found": N_("Your vote is in the ballot box"),
        "found_lead": N_("We found this code in {election}, at place {height}."),
        "elsewhere": N_("Check on another phone or computer too"),
        "scan": N_("Point a phone’s camera at this square. It opens this page there, with your code filled in."),
        "replaced": N_("A later vote of the same member took its place, so it is not counted."),
        "missing": N_("We did not find this code"),
        "causes": N_("It can be one of three things:"),
        "typing": N_("A letter is wrong. Capital and small letters are different. Copy the code from your e-mail rather than typing it."),
        "unsent": N_("The vote was never sent: the page did not say “Your vote is in the ballot box”. Open your link again and vote."),
        "lost": N_("We lost it. That must never happen, so please tell us, and somebody outside the office too."),
        "report": N_("Report a missing vote"),
        "subject": N_("Missing vote, code {code}"),
        "board": N_("See all codes in this ballot box"),
        "auditor": N_("Auditors: candidates and observers hold the same public list. Ask any of them to look for your code."),
    },
}


@lru_cache
def pages(language: str) -> dict[str, Any]:
    """The words of the server's own pages, those of the booth's frame among them."""
    return translated({**PAGES, **{part: BOOTH[part] for part in ("frame", "typed", "error", "problem", "next")}}, language)


@lru_cache
def catalogue() -> dict[str, Any]:
    """What the booth's script draws its screens from, in every language."""
    return for_script(BOOTH, LANGUAGES)
