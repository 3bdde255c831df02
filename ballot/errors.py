"""Every exception that `ballot` raises on purpose.

Malformed is not false: `MalformedError` says that bytes are not what the text describes, `VerificationError` that
well-formed data does not prove what it claims. Calling functions in the wrong order is a `RuntimeError`: a bug.
"""

from __future__ import annotations


class BallotError(Exception):
    """Root of all that is raised on purpose; its text is one plain sentence for the person at the screen."""


class MalformedError(BallotError):
    """The bytes are not what the text describes."""


class NotSupportedError(MalformedError):
    """Well formed by the v1 text, but outside the subset that this software handles (Lists, weights, other groups)."""


class ConfigurationError(BallotError):
    """A setting is missing or unsafe; the text says what to do."""


class BuildError(ConfigurationError):
    """The booth's scripts could not be bundled; the text says what to do."""


class UnusableInputError(BallotError):
    """A file or address given by the caller cannot be read at all."""


# --- verification -----------------------------------------------------------------------------------------------


class VerificationError(BallotError):
    """Well formed, but not true. `blame` names who is at fault, where that can be known."""

    def __init__(self, message: str, *, blame: str | None = None) -> None:
        super().__init__(message)
        self.blame = blame

    def __reduce__(self) -> tuple[object, ...]:
        # Errors come back from worker processes; by itself Python would make them anew from the message alone.
        return _raised_elsewhere, (type(self), self.args, self.__dict__)


def _raised_elsewhere(kind: type[VerificationError], args: tuple[object, ...], fields: dict[str, object]) -> VerificationError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class InvalidProofError(VerificationError):
    """A zero-knowledge proof does not hold."""


class InvalidBallotError(VerificationError):
    """A ballot is not acceptable in this election."""


class InvalidTrusteeError(VerificationError):
    """A trustee's public key, certificate or threshold message does not hold."""


class InvalidShuffleError(VerificationError):
    """A shuffle, or its proof, does not hold."""


class InvalidPartialDecryptionError(VerificationError):
    """A decryption factor's proof fails: this trustee's key or software is at fault."""

    def __init__(self, message: str, *, trustee: int, question: int, answer: int) -> None:
        super().__init__(message, blame=f"trustee {trustee}")
        self.trustee, self.question, self.answer = trustee, question, answer


class InvalidCompanionError(InvalidPartialDecryptionError):
    """A companion decryption proof is missing or fails."""


class InvalidResultError(VerificationError):
    """The published result is not what the decryptions say."""


class ArchiveRefusedError(VerificationError):
    """The verifier refuses an archive: the id of the broken rule, and the event's height (None: not at one event)."""

    def __init__(self, message: str, *, rule: str, height: int | None = None, blame: str | None = None) -> None:
        super().__init__(message, blame=blame)
        self.rule, self.height = rule, height


# --- the count --------------------------------------------------------------------------------------------------


class CountError(BallotError):
    """The papers, the rule or its settings cannot be counted."""


class InfeasibleConstraintError(CountError):
    """No set of candidates meets these constraints; the text names the smallest unmet set."""


# --- the service ------------------------------------------------------------------------------------------------


class RefusedError(BallotError):
    """Understood, and refused; nothing was recorded. `code` is the machine-readable word for a client."""

    code = "refused"


class NotFoundError(RefusedError):
    """No such meeting, election, object, person or page."""

    code = "not-found"


class NotAllowedError(RefusedError):
    """This person's role does not carry this right."""

    code = "not-allowed"


class PreconditionError(RefusedError):
    """The move is right but too early, too late, or something it needs is missing; the text says what."""

    code = "not-now"


class ApprovalNeededError(PreconditionError):
    """A second person has to confirm this act first."""

    code = "second-person-needed"


class TokenInvalidError(RefusedError):
    """The voting token (or trustee token) is forged, expired, replaced or withdrawn; which one is not told."""

    code = "link-not-valid"


class TypedCodeError(RefusedError):
    """The typed code's proof does not hold, or nobody on this roll has such a code; which one is not told."""

    code = "code-not-valid"


class NotOpenError(RefusedError):
    """Voting has not opened yet."""

    code = "not-open"


class VotingClosedError(RefusedError):
    """Voting closed before the ballot arrived."""

    code = "closed"


class NotInElectorateError(RefusedError):
    """The member is on the roll, but this election is not theirs, or the ballot is signed by somebody else's code."""

    code = "not-in-electorate"


class AlreadyVotedError(RefusedError):
    """Another ballot of this member is in the box; `receipt` is its receipt (`ballot.services.board.Receipt`)."""

    code = "already-voted"

    def __init__(self, message: str, receipt: object) -> None:
        super().__init__(message)
        self.receipt = receipt


class RollError(MalformedError):
    """One place of a roll file cannot be read: `row` (1 is the heading line), `column`, what was `found`, what to `remedy`."""

    def __init__(self, message: str, *, row: int, column: str, found: str, remedy: str) -> None:
        super().__init__(message)
        self.row, self.column, self.found, self.remedy = row, column, found, remedy


class BoardDamagedError(VerificationError):
    """A stored row of the board is not what the chain says; `height` tells where, `object_hash` which."""

    def __init__(self, message: str, *, height: int, object_hash: str = "") -> None:
        super().__init__(message, blame="the server's database")
        self.height, self.object_hash = height, object_hash


class UnavailableError(BallotError):
    """The database did not answer or the disk is full; nothing was recorded and the same request may be sent again."""


class BackupError(BallotError):
    """A backup cannot be opened, or is not whole."""


class WrongPassphraseError(RefusedError):
    """The passphrase does not open the file, or the file was changed."""

    code = "wrong-passphrase"


class SiteRefusedError(RefusedError):
    """The site understood a key-holder's request and said no; the text is the site's own sentence."""

    code = "site-refused"


# --- mail -------------------------------------------------------------------------------------------------------


class MailError(BallotError):
    """A mail did not leave as it should."""


class MailDeferredError(MailError):
    """The mail server will not take this mail now (4xx); it was not sent and is tried again later."""


class MailRefusedError(MailError):
    """The mail server will never take this mail (5xx); it was not sent."""


class MailServerError(MailError):
    """The mail server cannot be reached, or refuses every mail of ours; this one was not sent."""


class MailUnknownError(MailError):
    """The connection was lost after the whole text left and before the answer came: sent or not, nobody can tell."""


# --- the site ---------------------------------------------------------------------------------------------------


class SignInRequiredError(BallotError):
    """The page is for an officer or a trustee who has not shown who they are."""


class SignInFailedError(BallotError):
    """The mailed code, the six digits or the recovery code are wrong, spent or too old."""


class WrongRoleError(BallotError):
    """Signed in, but this role may not open the page."""


class CrossSiteRequestError(BallotError):
    """A request that changes something does not come from our own page."""


class TooManyTriesError(BallotError):
    """A limit shared by all workers is reached; the text says when to try again."""
