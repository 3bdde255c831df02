"""Every rule that an archive can break, by the step (after Audit, 3.5 of the v1 text) in which it is checked.

A rule's `id` is stable: programs, tests and reports name it. Each has at least one archive in tests/verifier that breaks it.
"""

from __future__ import annotations

from enum import Enum


class Step(Enum):
    """The steps of a verification, in the order of the report."""

    ARCHIVE = (1, "The file")
    CHAIN = (2, "The chain of events")
    SETUP = (3, "The set-up: questions, trustees, credentials")
    BALLOTS = (4, "Every ballot's proofs and signature")
    LAST = (5, "One counted ballot per credential")
    TALLY = (6, "The encrypted tally, recomputed")
    SHUFFLES = (7, "The shuffles")
    DECRYPTIONS = (8, "The partial decryptions")
    RESULT = (9, "The result, recomputed")
    COUNT = (10, "The count by the declared rules, recounted")

    def __init__(self, number: int, title: str) -> None:
        self.number, self.title = number, title


class Rule(Enum):
    """What an honest archive keeps; `id` names it, `statement` says it."""

    ARCHIVE_BYTES = ("archive-bytes", Step.ARCHIVE, "every byte of the file is what the reference tool writes")

    EVENT_FORM = ("event-form", Step.CHAIN, "every event is canonical and of a known type")
    CHAIN_HEIGHT = ("chain-height", Step.CHAIN, "heights count up from 0")
    CHAIN_PARENT = ("chain-parent", Step.CHAIN, "every event names the hash of the event before it")
    CHAIN_GRAMMAR = ("chain-grammar", Step.CHAIN, "events come in the one permitted order, each as often as it may")
    PAYLOAD_MISSING = ("payload-missing", Step.CHAIN, "everything an event refers to stands directly before it")
    PAYLOAD_OUT_OF_PLACE = ("payload-out-of-place", Step.CHAIN, "only events that have a payload name one")
    OBJECT_UNREFERENCED = ("object-unreferenced", Step.CHAIN, "every object belongs to the event that follows it")
    OBJECT_REPEATED = ("object-repeated", Step.CHAIN, "no object occurs twice")
    PIN = ("pin", Step.CHAIN, "the events that the caller has seen before are still there")

    SETUP_FORM = ("setup-form", Step.SETUP, "election, trustees and credentials are canonical and within what is supported")
    TRUSTEES = ("trustees", Step.SETUP, "every trustee's proofs, certificates and signatures hold")
    ELECTION_KEY = ("election-key", Step.SETUP, "the election's key is the product of the trustees' keys")
    CREDENTIALS = ("credentials", Step.SETUP, "public credentials are canonical, distinct and without weights")
    DECLARATIONS = ("declarations", Step.SETUP, "what the election declares about itself is well formed and fits its questions")

    BALLOT_FORM = ("ballot-form", Step.BALLOTS, "every ballot is canonical, and of this election's shape")
    BALLOT_ELECTION = ("ballot-election", Step.BALLOTS, "every ballot was made for this election and these questions")
    BALLOT_CREDENTIAL = ("ballot-credential", Step.BALLOTS, "every ballot's credential is in the election's list")
    BALLOT_PROOF = ("ballot-proof", Step.BALLOTS, "every ballot's proofs and signature hold")
    BALLOT_TWICE = ("ballot-twice", Step.LAST, "no credential votes twice, unless the election lets votes be replaced")

    TALLY_FORM = ("tally-form", Step.TALLY, "the encrypted tally is canonical")
    TALLY = ("tally", Step.TALLY, "the encrypted tally is, to the byte, what the counted ballots come to")

    SHUFFLE_FORM = ("shuffle-form", Step.SHUFFLES, "every shuffle is canonical")
    SHUFFLE_OWNER = ("shuffle-owner", Step.SHUFFLES, "every shuffle is by another of the election's trustees")
    SHUFFLE_MISSING = ("shuffle-missing", Step.SHUFFLES, "every single trustee, and enough of each group, shuffled")
    SHUFFLE_PROOF = ("shuffle-proof", Step.SHUFFLES, "every shuffle keeps the ballots of the one before it")

    DECRYPTION_FORM = ("decryption-form", Step.DECRYPTIONS, "every partial decryption is canonical")
    DECRYPTION_OWNER = ("decryption-owner", Step.DECRYPTIONS, "every partial decryption is by another of the election's trustees")
    DECRYPTION_MISSING = ("decryption-missing", Step.DECRYPTIONS, "every single trustee, and enough of each group, decrypted")
    DECRYPTION_PROOF = ("decryption-proof", Step.DECRYPTIONS, "every partial decryption was made with its trustee's key")
    COMPANION_FORM = ("companion-form", Step.DECRYPTIONS, "the companion file is canonical and of this election")
    COMPANION_MISSING = ("companion-missing", Step.DECRYPTIONS, "where the election requires companion proofs, each decryption has them")
    COMPANION_PROOF = ("companion-proof", Step.DECRYPTIONS, "every companion proof holds for its ciphertext and factor")
    DECRYPTION_AGREEMENT = ("decryption-agreement", Step.DECRYPTIONS, "more shares than needed agree with each other")

    RESULT_FORM = ("result-form", Step.RESULT, "the result is canonical")
    RESULT_VALUE = ("result-value", Step.RESULT, "the result is, to the byte, what the decryptions say")
    RESULT_RANGE = ("result-range", Step.RESULT, "totals fit the number of ballots and each question's limits")

    COUNT_RULE = ("count-rule", Step.COUNT, "every declared counting rule is known and fits its question")
    COUNT_FORM = ("count-form", Step.COUNT, "the file of results is well formed")
    COUNT_VALUE = ("count-value", Step.COUNT, "the file of results is, to the byte, what the recount gives")

    INTERNAL = ("internal", Step.ARCHIVE, "every check comes to an answer")

    def __init__(self, identifier: str, step: Step, statement: str) -> None:
        self.id, self.step, self.statement = identifier, step, statement
