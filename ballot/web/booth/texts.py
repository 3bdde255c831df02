"""The words of the booth's frame, in one place, so that another language can stand beside this one.

The screens that the browser draws have theirs in static/booth/texts.js.
"""

from __future__ import annotations

from typing import Final

ENGLISH: Final = {
    "vote": "Vote",
    "wait": "One moment…",
    "no_script": {
        "title": "Voting needs JavaScript",
        "why": "Your vote is locked on this device before it is sent, so that nobody else can read it. A web page can only do that with "
        "JavaScript, which is switched off here or is too old in this browser.",
        "ways": "You can still vote:",
        "browser": "Open the same link in another browser, such as Firefox, Chrome, Edge or Safari, or on another device.",
        "address": "The address of this page is {address}. Type it there, then enter the code from your e-mail.",
        "officer": "Ask the returning officer: {contact}. They can help, or tell you about a paper vote.",
        "officer_unknown": "Ask the returning officer: reply to the e-mail with your link. They can help, or tell you about a paper vote.",
    },
    "typed": {
        "title": "Enter the code from your e-mail",
        "lead": "Open the link in your e-mail again, or type the code that is printed below it.",
        "reload": "If you reloaded this page: we keep nothing on this device, so please start again.",
        "nothing": "There is no meeting to vote in just now.",
        "meeting": "Which meeting?",
        "code": "Your code",
        "hint": "22 letters and numbers in 4 groups, like abcde-fghijk-mnopq-rstuvw. Capital letters matter.",
        "go": "Continue",
        "resend": "Send me my link again",
        "email": "Your e-mail address",
        "email_hint": "The address on our membership list.",
        "send": "Send my link",
        "sent": "If that address is on the list, we have sent it.",
        "sent_more": "It can take a few minutes. Look in your junk mail too.",
    },
    "finished": {
        "title": "You have finished",
        "lead": "Nothing of your vote is left on this page. You can close it now.",
        "check": "To see that your vote is still in the ballot box, use your receipt code:",
    },
    "check": {
        "title": "Check my vote",
        "lead": "Your receipt code shows whether your vote is in the ballot box. It does not show how you voted.",
        "code": "Your receipt code",
        "hint": "43 letters, numbers, + and /. It is in your receipt e-mail. Paste it, or type it.",
        "find": "Find it",
        "malformed": "A receipt code has 43 letters, numbers, + and /. Copy the whole of it.",
        "found": "Your vote is in the ballot box",
        "found_lead": "We found this code in {election}, at place {height}.",
        "replaced": "A later vote of the same member took its place, so it is not counted.",
        "missing": "We did not find this code",
        "causes": "It can be one of three things:",
        "typing": "A letter is wrong. Capital and small letters are different. Copy the code from your e-mail rather than typing it.",
        "unsent": "The vote was never sent: the page did not say “Your vote is in the ballot box”. Open your link again and vote.",
        "lost": "We lost it. That must never happen, so please tell us, and somebody outside the office too.",
        "report": "Report a missing vote",
        "board": "See all codes in this ballot box",
        "auditor": "Auditors: candidates and observers hold the same public list. Ask any of them to look for your code.",
    },
}
