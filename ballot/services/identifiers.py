"""Random names: election identifiers, meetings, roll entries. Base58 characters, so that they read aloud and paste well."""

from __future__ import annotations

import secrets

from ballot.protocol.credentials import ALPHABET


def new_election_uuid() -> str:
    """An election identifier of v1 (4.2): 14 Base58 characters, 82 bits."""
    return _random(14)


def new_meeting_id() -> str:
    """14 Base58 characters."""
    return _random(14)


def new_handle() -> str:
    """A roll entry's meaningless name: 22 Base58 characters, 128 bits."""
    return _random(22)


def new_id() -> str:
    """Any other row's name: 22 Base58 characters."""
    return _random(22)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
