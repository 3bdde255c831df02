"""Every word that the page "verify in your browser" says by itself. Steps, rules and reasons are the verifier's, in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ballot.language import N_, nN_
from ballot.web.texts import TIMES

VERIFY: Final[Mapping[str, Any]] = {
    "times": TIMES,
    "error": N_("Error: "),
    "problem": N_("There is a problem"),
    "start": N_("Start"),
    "cancel": N_("Cancel"),
    "again": N_("Check again"),
    "atWork": nN_(
        "Checking with {count} worker on this device. You can use other pages meanwhile; keep this one open.",
        "Checking with {count} workers on this device. You can use other pages meanwhile; keep this one open.",
    ),
    "working": N_("Checking the ballot box"),
    "ballots": nN_("{number} ballot checked so far", "{number} ballots checked so far"),
    "percent": N_("{percent} %"),
    "mark": {
        "holds": N_("Holds"),
        "working": N_("At work"),
        "waiting": N_("Not yet"),
        "failed": N_("Refused"),
        "none": N_("Nothing there yet"),
        "unreached": N_("Not reached"),
    },
    "steps": N_("The checks, one by one"),
    "verified": N_("Verified"),
    "codeMissing": N_("Your receipt code is not in this ballot box"),
    "refused": N_("Refused"),
    "unfinished": N_("Good so far, not finished yet"),
    "unusable": N_("This file cannot be used"),
    "cancelled": N_("Cancelled"),
    "cancelledLead": N_("The check was stopped. Nothing was found out."),
    "download": N_("The ballot box could not be downloaded"),
    "downloadLead": N_("Look at your connection, then try again. Or check a file that you have."),
    "failed": N_("The check stopped"),
    "failedLead": N_(
        "Something went wrong in this browser, so nothing was found out. Try again, use another browser, or the commands below."
    ),
    "rule": N_("Rule"),
    "where": N_("Where"),
    "event": N_("Event {height} of the chain"),
    "fault": N_("At fault"),
    "nobody": N_("This cannot be known from the file"),
    "tell": N_(
        "Keep the file, and tell the returning officer and an auditor. The commands below check the same file with two other programs."
    ),
    # Translators: {reason} is a sentence of the verifier's, without its full stop.
    "notUsable": N_("{reason}. Choose the .bel file of an election."),
    "facts": {"name": N_("Ballot"), "uuid": N_("Address"), "fingerprint": N_("Fingerprint"), "head": N_("Last event")},
    "compare": N_("Compare the fingerprint with the one in your e-mail."),
    "results": N_("What the ballots say"),
    "recounted": N_("Counted again here, by the rule “{title}”."),
    "noRule": N_(
        "No rule of counting is declared for this question: the totals or rankings are checked, and nothing is counted from them."
    ),
    "noResults": N_("No published file of results was at hand, so the counts were compared with nothing."),
    "sameResults": N_("The published file of results is, to the byte, what the count here gives."),
    "votes": N_("Votes"),
    "answer": N_("Answer"),
    "blank": N_("Abstained or left blank"),
    # Translators: the next two texts.
    "papers": N_("{rankings}, {invalid}."),
    "rankings": nN_("{number} ranking", "{number} rankings"),
    "invalid": nN_("{number} invalid paper", "{number} invalid papers"),
    "notes": N_("What to know about this"),
    "found": N_("The receipt code {code} is in this ballot box, at place {height}."),
    "notFound": N_("The receipt code {code} is NOT in this ballot box."),
    "notFoundWhy": N_(
        "It may belong to another ballot of the same meeting, or be mistyped. If it is right and for this ballot, tell the returning "
        "officer and an auditor: your receipt is signed, and proves that a vote is missing."
    ),
    "pinned": nN_("The event that you had noted is still in the chain.", "The events that you had noted are still in the chain."),
    "took": N_("This took {time}."),
    "pinWrong": N_("What you noted must be a receipt code of 43 characters, a height and hash (HEIGHT:HASH), or the text of a checkpoint."),
    "noFile": N_("Choose the .bel file of a ballot box. The companion proofs and the file of results can be chosen with it."),
    "manyFiles": N_("Choose one ballot box at a time."),
    "otherBallot": N_("This file is of another ballot than this page’s: “{name}”."),
    "otherCheckpoint": N_("This checkpoint is of another ballot."),
}
