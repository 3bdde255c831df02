"""Which role may make which move. What is not in the table is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from ballot.errors import NotAllowedError
from ballot.language import phrase
from ballot.services.journal import Actor


class Move(StrEnum):
    """Everything that an officer does to a meeting or an election."""

    MAKE = "make"
    EDIT = "edit"
    ROLL = "roll"
    TRUSTEES = "trustees"
    LOCK = "lock"
    OPEN = "open"
    CLOSE = "close"
    TALLY = "tally"
    PUBLISH = "publish"
    VOID = "void"
    HELP_MEMBER = "help a member"
    TIDY = "tidy"


_NOT_FOR_A_DEPUTY: Final = {Move.ROLL, Move.TIDY}

RIGHTS: Final[Mapping[str, frozenset[Move]]] = {
    "returning-officer": frozenset(Move),
    "deputy": frozenset(Move) - _NOT_FOR_A_DEPUTY,
    "membership-secretary": frozenset({Move.ROLL, Move.HELP_MEMBER}),
    "observer": frozenset(),
    "service": frozenset({Move.CLOSE, Move.TIDY}),  # the clock closes when the hour has come, and deletes when the day has
}


def require(actor: Actor, move: Move) -> None:
    """The actor's role carries this right. Raises: NotAllowedError."""
    if move not in RIGHTS.get(actor.role, frozenset()):
        raise NotAllowedError(phrase("The role “{role}” may not do this ({move}).", role=actor.role, move=move))
