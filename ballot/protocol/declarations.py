"""What an election declares about itself beyond v1: the last line of its description, and so part of its fingerprint.

v1 gives an election no field for the counting rule, the roll's commitment or our companion proofs. They stand in one
line of text at the end of `election.description`, where every v1 tool hashes them and shows them as they are:

    ballot-declarations:1 {"companion":true,…}

An election without that line is a plain v1 election and declares nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ballot.errors import MalformedError
from ballot.protocol.messages import BOOLEAN, INTEGER, TEXT, Codec, Message, array

_PREFIX: Final = "ballot-declarations:"
_VERSION: Final = "1 "
MINIMUM_BALLOTS: Final = 5  # threats 2, "tally of a chosen few"


def _only_true(value: Any) -> bool:
    """Said or left out, so that there is one way to write it."""
    if value is not True:
        raise MalformedError("declarations: an election that is not advisory does not mention it")
    return True


def _rule(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("rule"), str):
        raise MalformedError("declarations: each question's rule must be an object that names its rule")
    return value


@dataclass(frozen=True)
class Declarations(Message):
    """Part of the hashed text of an election.

    companion: decryptions without companion proofs are refused.
    minimum_ballots: trustees do not open fewer counted ballots than this.
    practice: a rehearsal whose single key the service itself may hold.
    replace: a member may vote again until the close, and the last ballot counts; otherwise one ballot per credential.
    roll: the frozen roll's commitment, in hexadecimal, or "".
    rules: how each question is counted; objects with a "rule" and its settings, one per question or none at all.
    advisory: a consultation, which binds nobody, so that a single key-holder is allowed; left out of the text otherwise.
    """

    companion: bool
    minimum_ballots: int
    practice: bool
    replace: bool
    roll: str
    rules: tuple[dict[str, Any], ...]
    advisory: bool | None = None
    FIELDS = {
        "companion": BOOLEAN,
        "minimum_ballots": INTEGER,
        "practice": BOOLEAN,
        "replace": BOOLEAN,
        "roll": TEXT,
        "rules": array(Codec(_rule, lambda rule: rule)),
        "advisory?": Codec(_only_true, lambda advisory: advisory),
    }


def _declares(text: str) -> bool:
    return any(line.startswith(_PREFIX) for line in text.split("\n"))


def join_description(text: str, declarations: Declarations) -> str:
    """The description of an election that says `text` and declares `declarations`.

    Raises: MalformedError if the text itself has a line that looks like declarations.
    """
    if _declares(text):
        raise MalformedError(f"a description must not itself have a line that starts with {_PREFIX}")
    line = f"{_PREFIX}{_VERSION}{declarations.to_bytes().decode()}"
    return f"{text}\n\n{line}" if text else line


def split_description(description: str) -> tuple[str, Declarations | None]:
    """The text for people, and the declarations if there are any.

    Raises: MalformedError if a line looks like declarations but is not in the one form that `join_description` writes.
    """
    if not _declares(description):
        return description, None
    text, _, line = description.rpartition("\n")
    text = text.removesuffix("\n")
    if not line.startswith(_PREFIX + _VERSION):
        raise MalformedError("the declarations must be the last line of the description, in version 1")
    declarations = Declarations.parse(line.removeprefix(_PREFIX + _VERSION).encode())
    if join_description(text, declarations) != description:
        raise MalformedError("the election's declarations must be the last line of its description, once")
    return text, declarations
