"""Every reader of bytes that others write: no input makes it crash, hang, or raise anything but an error of ours.

A target takes bytes, and raises nothing but `BallotError` for what is wrong with them. What it does accept has one form: it is
written again to the byte (threats 1.4).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from flask import Flask

from ballot import sealed
from ballot.cli_codes import read_list
from ballot.count.blt import read_blt, write_blt
from ballot.count.constraints import parse_constraints
from ballot.errors import BallotError
from ballot.keyholder import KeyFile
from ballot.protocol import messages
from ballot.protocol.archive import read_archive
from ballot.protocol.ballots import check_ballot
from ballot.protocol.declarations import split_description
from ballot.protocol.group import Q, scalar_from_text
from ballot.protocol.messages import Ballot
from ballot.protocol.receipts import Checkpoint, Receipt, make_receipt, open_checkpoint, sign_checkpoint
from ballot.recount import Acts, published_acts, results_file
from ballot.services import backup, tokens
from ballot.services.keys import Keys
from ballot.services.mail.bounces import read_report
from ballot.services.roll import preview
from ballot.simulate import parse_rules, parse_template
from ballot.verifier.rules import Rule
from ballot.verifier.verify import verify_archive
from ballot.web.booth import requests
from tests.elections import honest, society

COUNTS = Path(__file__).parents[1] / "counts"
FLASK = Flask("fuzz")
KEYS = Keys.from_seed(b"fuzz")
NOW = datetime(2026, 3, 2, tzinfo=UTC)
ORIGIN = "vote.example.org/e/1tSX2UxKGVahqZ"


@dataclass(frozen=True)
class Target:
    """A reader, and good inputs to begin with."""

    read: Callable[[bytes], object]
    make_seeds: Callable[[], list[bytes]]

    def seeds(self) -> list[bytes]:
        """Made once: some take a key derivation."""
        return _made(self)


@cache
def _made(target: Target) -> list[bytes]:
    return target.make_seeds()


def _archive(data: bytes) -> None:
    list(read_archive(io.BytesIO(data)))
    report = verify_archive(io.BytesIO(data))
    assert report.refusal is None or report.refusal.rule != Rule.INTERNAL.id, report.sentence


@cache
def _board() -> bytes:
    board = honest()
    del board.acts[4:]
    return board.to_bytes()


def _message(data: bytes) -> None:
    """The first byte says which message; the rest is its text."""
    kinds = _kinds()
    kind = kinds[data[0] % len(kinds)] if data else kinds[0]
    read = kind.parse(data[1:])
    assert read.to_bytes() == data[1:], kind


@cache
def _kinds() -> list[type[messages.Message]]:
    found = [*messages.Message.__subclasses__()]
    return sorted((kind for kind in found if not kind.__name__.startswith("_")), key=lambda kind: kind.__name__)


def _message_seeds() -> list[bytes]:
    kinds, found = _kinds(), []
    texts = {data for act in honest().acts for data in act.objects()} | {honest().companion_bytes() or b"{}"}
    for text in texts:
        for number, kind in enumerate(kinds):
            try:
                kind.parse(text)
            except BallotError:
                continue
            found.append(bytes([number]) + text)
    return found


def _ballot(data: bytes) -> None:
    ballot = Ballot.parse(data)
    assert ballot.to_bytes() == data
    check_ballot(society().election, ballot, None)


def _key(data: bytes) -> None:
    sealed.peek(data)


def _request(data: bytes) -> None:
    """The body of a cast, as the route reads it."""
    with FLASK.test_request_context("/", method="POST", data=data):
        requests._body("token", "ballot")


def _token(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    tokens.read_voting_token(KEYS, text, NOW)


def _checkpoint(data: bytes) -> None:
    open_checkpoint(data.decode("utf-8", "replace"), ORIGIN, KEYS.receipt_public_bytes)


def _receipt(data: bytes) -> None:
    assert Receipt.parse(data).to_bytes() == data


def _blt(data: bytes) -> None:
    written = write_blt(read_blt(data))
    assert written == write_blt(read_blt(written))


def _signed_token() -> bytes:
    from ballot.models import RollEntry

    entry = RollEntry(handle="h" * 22, meeting_id="m" * 14, name="", email="", email_key="", category="", status="", reason="", row=1)
    return tokens.make_voting_token(KEYS, entry, datetime(2030, 1, 1, tzinfo=UTC)).encode()


def _first_ballots() -> list[bytes]:
    return [society().ballot(voter).to_bytes() for voter in range(2)]


def _results() -> list[bytes]:
    election = society().election
    return [results_file(election, [], result_hash="0" * 64, seed="0" * 64, acts=Acts({1: (1, 0)}, {2: (2,)}))]


ROLL = "\ufeffName;E-mail;Membership type;Status;Joined;Groups\nAnn;ann@example.org;Full member;Active;2020-01-01;\"women; young\"\n"
REPORT = (
    b"From: MAILER-DAEMON@example.org\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
    b"Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Message-ID: <0123456789abcdef0123456789abcdef@example.org>\r\n\r\nx\r\n--b--\r\n"
)
QUOTAS = b'{"groups":{"women":["Ann",3]},"rules":[{"group":"women","at_least":"50%","rounding":"up"}]}'
TEMPLATE = b'{"description":"","name":"x","questions":[{"answers":["A"],"min":0,"max":1,"question":"?"}]}'


TARGETS = {
    "archive": Target(_archive, lambda: [_board(), _board()[:3000]]),
    "messages": Target(_message, _message_seeds),
    "ballot": Target(_ballot, _first_ballots),
    "keys": Target(_key, lambda: [KeyFile("1tSX2UxKGVahqZ", 1, "Ann", "single", None, 7).to_bytes("a passphrase of words")]),
    "csv": Target(
        lambda data: preview(data, date(2026, 1, 1)),
        lambda: [ROLL.replace("; ", "/").encode(), ROLL.replace(";", ",").encode("cp1252", "replace")],
    ),
    "blt": Target(_blt, lambda: [(COUNTS / "small" / name).read_bytes() for name in ("42.blt", "513.blt", "weak-surplus.blt")]),
    "tokens": Target(_token, lambda: [_signed_token(), _signed_token() + b"."]),
    "checkpoint": Target(
        _checkpoint,
        lambda: [sign_checkpoint(KEYS.receipt.sign, KEYS.receipt_public_bytes, Checkpoint(ORIGIN, 3, "0" * 64)).encode()],
    ),
    "receipt": Target(
        _receipt,
        lambda: [
            make_receipt(
                KEYS.receipt.sign, election="1tSX2UxKGVahqZ", ballot="A" * 43, height=3, head="0" * 64, time="2026-03-02T12:00:00Z"
            ).to_bytes()
        ],
    ),
    "declarations": Target(
        lambda data: split_description(data.decode("utf-8", "replace")), lambda: [society().election.description.encode()]
    ),
    "template": Target(parse_template, lambda: [TEMPLATE]),
    "rules": Target(parse_rules, lambda: [b'[{"rule":"motion","threshold":"simple-majority","base":"cast"}]']),
    "results": Target(published_acts, _results),
    "constraints": Target(lambda data: parse_constraints(data, ["Ann", "Ben", "Cyd"]), lambda: [QUOTAS]),
    "codes": Target(lambda data: read_list(data, Path("list.csv")), lambda: [b"handle,name,email,link\nabc,Ann,ann@example.org,https://vote.example.org/vote#x.y\n"]),
    "scalar": Target(lambda data: scalar_from_text(data.decode("utf-8", "replace")), lambda: [b"0", str(Q - 1).encode()]),
    "bounce": Target(read_report, lambda: [REPORT]),
    "backup": Target(
        backup.Head.parse, lambda: [backup.Head("keys", NOW, "0.1", "v0001", "https://x", {"name": "scrypt"}).to_bytes()]
    ),
    "request": Target(_request, lambda: [json.dumps({"token": "a", "ballot": "{}"}).encode()]),
}
