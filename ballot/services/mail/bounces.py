"""Delivery reports."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import cast


def bounced_message_ids(report: bytes) -> list[str]:
    """The Message-IDs of the mails that a delivery report (RFC 3464) returns, in order of appearance; empty if it is no failure report."""
    message = email.message_from_bytes(report, policy=email.policy.default)
    status = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"]
    blocks = [block for part in status for block in cast("list[EmailMessage]", part.get_payload())]
    if not any(str(block.get("Action", "")).strip().lower() == "failed" for block in blocks):
        return []
    returned: list[str] = []
    for part in message.walk():
        if part.get_content_type() == "text/rfc822-headers":
            headers = email.message_from_string(str(part.get_payload()), policy=email.policy.default)
            returned.append(str(headers.get("Message-ID", "")).strip())
        elif part.get_content_type() == "message/rfc822":
            returned.extend(str(inner.get("Message-ID", "")).strip() for inner in cast("list[EmailMessage]", part.get_payload()))
    return [identity for identity in returned if identity]
