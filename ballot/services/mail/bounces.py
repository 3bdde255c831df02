"""Mail that comes back: the tag in the envelope's sender that names the mail, and reading of delivery reports (RFC 3464).

The tag is the mail's random identifier with a keyed checksum, in base32 (which survives a server that folds case). It means
nothing outside this site, names neither member nor vote, and nobody can make one up. Servers write reports in many ways, and
anybody can send one: so `read_report` takes what it can recognise, and says in a sentence why it can use nothing of the rest.
"""

from __future__ import annotations

import base64
import email
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum

from ballot.errors import MalformedError
from ballot.language import N_, TextEnum, phrase
from ballot.services.keys import Keys

LARGEST_REPORT = 10_000_000  # bytes; what comes after the first part of it is the returned mail's own text
_READ = 1_000_000  # bytes of it that are looked at
_CHECKSUM = 10  # bytes
_PURPOSE = "bounce-tag"


class Action(StrEnum):
    """What a report says has become of the mail (RFC 3464 2.3.3); the three good ends are one here."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"


class Fault(TextEnum):
    """Why a mail did not arrive, in words an officer can act on."""

    NO_ADDRESS = N_("no such address")
    NO_DOMAIN = N_("no such mail domain")
    CLOSED = N_("the mailbox is closed")
    FULL = N_("the mailbox is full")
    UNREACHABLE = N_("their mail server could not be reached")
    REFUSED = N_("their mail server refused it as unwanted")
    OTHER = N_("another reason")


@dataclass(frozen=True)
class Report:
    """What was recognised. `tags` and `message_ids` are candidates, best first; `addresses` the recipients that the report names."""

    action: Action
    status: str
    diagnostic: str
    tags: tuple[str, ...]
    message_ids: tuple[str, ...]
    addresses: tuple[str, ...]

    @property
    def hard(self) -> bool:
        """Whether trying the same address again is in vain."""
        return is_hard(self.status, self.diagnostic)


# --- the tag ------------------------------------------------------------------------------------------------------


def tag_of(keys: Keys, identity: str) -> str:
    """The tag of the mail with this identifier (32 hexadecimal digits)."""
    raw = bytes.fromhex(identity)
    return base64.b32encode(raw + keys.mac(_PURPOSE, raw)[:_CHECKSUM]).decode().rstrip("=").lower()


def mail_of(keys: Keys, tag: str) -> str | None:
    """The identifier in a tag of ours, or None."""
    try:
        raw = base64.b32decode(tag.upper() + "=" * (-len(tag) % 8))
    except ValueError:
        return None
    identity, checksum = raw[:16], raw[16:]
    if len(raw) != 16 + _CHECKSUM or not hmac.compare_digest(checksum, keys.mac(_PURPOSE, identity)[:_CHECKSUM]):
        return None
    return identity.hex()


def tagged(address: str, tag: str) -> str:
    """`bounces@example.org` with the tag: `bounces+TAG@example.org`."""
    name, _, domain = address.rpartition("@")
    return f"{name}+{tag}@{domain}"


# --- reading a report ---------------------------------------------------------------------------------------------

_TAG = re.compile(r"\+([a-z2-7]{42})(?:@|=)", re.IGNORECASE)
_BARE_TAG = re.compile(r"(?<![a-z2-7])([a-z2-7]{42})(?![a-z2-7])", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[0-9a-f]{32}@[^<>@\s]{1,253}>", re.ASCII)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9]")
_FIELD = re.compile(r"^[> \t]*(Action|Status|Final-Recipient|Original-Recipient|Diagnostic-Code):[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_ENVELOPE = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Original-Envelope-Id")


def read_report(data: bytes, *, envelope_to: str = "") -> Report:
    """A delivery report as it arrived by mail, or as somebody copied it out of a mail program.

    `envelope_to` is the address it was delivered to, where the mail server tells that.

    Raises: MalformedError: this is no such report; the sentence says what it seems to be.
    """
    if len(data) > LARGEST_REPORT:
        raise MalformedError(
            phrase("This is larger than {size} MB, and no delivery report is. Nothing was changed.", size=LARGEST_REPORT // 1000000)
        )
    if not data.strip():
        raise MalformedError(phrase("There is nothing here. Paste the whole delivery report."))
    text = data[:_READ].decode("utf-8", "replace").replace("\r\n", "\n").replace("\0", "")
    try:
        message = email.message_from_string(text.lstrip())
        parts = list(_walk(message))
        return _from_mail(message, parts, text, envelope_to) or _from_words(message, text, envelope_to)
    except MalformedError:
        raise
    except Exception as error:  # the standard library's parser trips over hostile MIME in many ways; none may lose a mail's state
        raise MalformedError(phrase("This cannot be read as an e-mail. Nothing was changed.")) from error


def _walk(message: Message, depth: int = 0) -> Iterator[Message]:
    if depth > 20:
        return
    yield message
    for part in _inside(message):
        yield from _walk(part, depth + 1)


def _inside(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _from_mail(message: Message, parts: list[Message], text: str, envelope_to: str) -> Report | None:
    """The report's own fields, where it has the form of RFC 3464; None where it has not."""
    blocks: list[Message] = []
    for part in parts:
        if part.get_content_type() in {"message/delivery-status", "message/global-delivery-status"}:
            blocks += _inside(part) or [email.message_from_string(_decoded(part))]
    recipients = [block for block in blocks if block.get("Action") is not None]
    if not recipients:
        return None
    worst = min(recipients, key=lambda block: _ORDER.get(_action(str(block["Action"])), 9))
    action = _action(str(worst["Action"]))
    diagnostic = _plain(str(worst.get("Diagnostic-Code", "")).partition(";")[2] or str(worst.get("Diagnostic-Code", "")))
    status = next(iter(_STATUS.findall(str(worst.get("Status", "")))), "") or next(iter(_STATUS.findall(diagnostic)), "")
    named = [str(block.get(name, "")) for block in recipients for name in ("Final-Recipient", "Original-Recipient")]
    envelope = [str(block.get("Original-Envelope-Id", "")) for block in blocks]
    return _report(action, status, diagnostic, [envelope_to, *_headers(message), *envelope], text, " ".join(named))


_ORDER = {Action.FAILED: 0, Action.DELAYED: 1, Action.DELIVERED: 2}


def _action(word: str) -> Action:
    found = word.strip().casefold()
    return Action.FAILED if found == "failed" else Action.DELAYED if found == "delayed" else Action.DELIVERED


def _from_words(message: Message, text: str, envelope_to: str) -> Report:
    """Reports that are plain words: older servers', and what people copy out of a mail program.

    Raises: MalformedError: nothing says that a mail could not be delivered.
    """
    fields = {name.casefold(): value for name, value in reversed(_FIELD.findall(text))}
    diagnostic = _plain(fields.get("diagnostic-code", "").partition(";")[2]) or _plain(_sentence(text))
    status = next(iter(_STATUS.findall(fields.get("status", ""))), "") or next(iter(_STATUS.findall(diagnostic or text)), "")
    named = " ".join([fields.get("final-recipient", ""), fields.get("original-recipient", ""), str(message.get("X-Failed-Recipients", ""))])
    if _is_automatic(message) and "action" not in fields:
        raise MalformedError(phrase("This is an automatic reply, such as “out of office”, and no delivery report. Nothing was changed."))
    if "action" in fields:
        action = _action(fields["action"])
    elif message.get("X-Failed-Recipients") or _FAILED.search(text):
        action = Action.DELAYED if _DELAYED.search(text) and not _GIVEN_UP.search(text) else Action.FAILED
    else:
        raise MalformedError(phrase("This is not a delivery report. Nothing was changed."))
    return _report(action, status, diagnostic, [envelope_to, *_headers(message)], text, named)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_FAILED = _any(
    r"undeliver(?:able|ed)",
    r"delivery (?:has )?failed|mail delivery failed|failure notice",
    r"delivery (?:status )?notification",
    r"could ?n[o']t be delivered|wasn't delivered|not (?:be )?delivered|unable to deliver",
    r"returned mail|returned to sender",
    r"permanent (?:fatal )?error",
    r"address (?:not found|couldn't be found)",
    r"delivery (?:is )?delayed|message delayed",
)
_DELAYED = _any(r"delayed", r"will (?:retry|be retried|keep trying|continue)", r"still (?:being )?(?:trying|tried|in the queue)")
_GIVEN_UP = _any(r"permanent", r"given up|giving up|this is the last", r"will not be retried|failed permanently")
_SAID = re.compile(r"\b(?:[45]\d\d[ -].{0,200}|[45]\.\d{1,3}\.\d{1,3}\b.{0,200})")


def _sentence(text: str) -> str:
    """The answer of the other mail server, where a line of the text looks like one; else a line that says why."""
    body = text.partition("\n\n")[2] or text
    if found := _SAID.search(body):
        return found[0]
    return next((line for line in body.splitlines() if any(pattern.search(line[:300]) for _, pattern in _WORDS)), "")


def _is_automatic(message: Message) -> bool:
    replied = str(message.get("Auto-Submitted", "")).casefold().startswith("auto-replied")
    return replied and message.get("X-Failed-Recipients") is None and message.get_content_type() != "multipart/report"


def _headers(message: Message) -> list[str]:
    return [str(value) for name in _ENVELOPE for value in message.get_all(name, [])]


def _report(action: Action, status: str, diagnostic: str, envelope: list[str], text: str, named: str) -> Report:
    """Candidates in the order in which they are trusted: the envelope's tag, tags anywhere in the text, then Message-IDs."""
    first = " ".join(envelope)
    tags = [*_TAG.findall(first), *_BARE_TAG.findall(first), *_TAG.findall(text)]
    return Report(
        action,
        status,
        diagnostic,
        tuple(dict.fromkeys(tag.lower() for tag in tags))[:20],
        tuple(dict.fromkeys(_MESSAGE_ID.findall(text)))[:20],
        tuple(dict.fromkeys(_MAILBOX.findall(named)))[:20],
    )


def _plain(words: str) -> str:
    return " ".join("".join(c if c.isprintable() or c.isspace() else " " for c in words).split())[:300]


def _decoded(part: Message) -> str:
    raw = part.get_payload(decode=True)
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(part.get_payload())


# --- what it means ------------------------------------------------------------------------------------------------

_CODES = {
    "1.1": Fault.NO_ADDRESS,
    "1.2": Fault.NO_DOMAIN,
    "1.3": Fault.NO_ADDRESS,
    "1.6": Fault.NO_ADDRESS,
    "1.10": Fault.NO_ADDRESS,
    "2.1": Fault.CLOSED,
    "2.2": Fault.FULL,
    "4.4": Fault.NO_DOMAIN,
    "4.310": Fault.NO_DOMAIN,
}
_WORDS = (
    (Fault.FULL, _any(r"mailbox (?:is )?full", r"over ?quota|quota exceeded", r"insufficient (?:storage|space)|out of storage")),
    (Fault.CLOSED, _any(r"(?:account|mailbox|user)\b.{0,40}\b(?:disabled|inactive|suspended|deactivated|closed)")),
    (Fault.NO_DOMAIN, _any(r"host (?:or domain name )?not found", r"domain .{0,60}not (?:found|exist)|no such domain|unrouteable")),
    (
        Fault.NO_ADDRESS,
        _any(
            r"(?:user|recipient|mailbox|address|account|alias)\b.{0,60}\b(?:unknown|not found|not exist|no longer|invalid)",
            r"(?:user|recipient|mailbox|address|account)\b.{0,60}\b(?:unavailable|rejected)",
            r"no such (?:user|recipient|mailbox|address|person)",
            r"unknown (?:user|recipient|local part|mailbox|address)",
            r"invalid (?:recipient|mailbox|address)",
            r"recipientnotfound|doesn't exist|couldn't be found",
        ),
    ),
    (Fault.REFUSED, _any(r"spam|unsolicited", r"block(?:ed|list)|blacklist|reputation", r"policy|not accepted", r"dmarc|\bspf\b|\bdkim\b")),
    (Fault.UNREACHABLE, _any(r"timed? ?out|expired|retry timeout", r"connection refused|could ?n[o']t connect|unreachable")),
)


def fault_of(status: str, diagnostic: str) -> Fault:
    """Why, by the status code where it says enough (RFC 3463), else by the other server's words."""
    detail = status.partition(".")[2]
    if detail in _CODES:
        return _CODES[detail]
    if detail.startswith("7."):
        return Fault.REFUSED
    by_words = next((fault for fault, pattern in _WORDS if pattern.search(diagnostic)), None)
    if by_words is not None:
        return by_words
    if detail.startswith("1."):
        return Fault.NO_ADDRESS
    if detail.startswith("4."):
        return Fault.UNREACHABLE
    return Fault.OTHER


def is_hard(status: str, diagnostic: str) -> bool:
    """A wrong address stays wrong; a full mailbox, an unreachable server and every 4.x.x may be better tomorrow."""
    fault = fault_of(status, diagnostic)
    if fault in {Fault.FULL, Fault.UNREACHABLE} or status.startswith("4."):
        return False
    return fault in {Fault.NO_ADDRESS, Fault.NO_DOMAIN, Fault.CLOSED} or bool(status) or re.search(r"\b5\d\d\b", diagnostic) is not None


def status_in(words: str) -> str:
    """The status code in a mail server's answer, or nothing."""
    return next(iter(_STATUS.findall(words)), "")
