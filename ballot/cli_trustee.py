"""`ballot trustee`: a key-holder's acts, on files or with a site.

With a site (`--link`, the whole mailed link; or `--url` and `--token`, its two halves), `make-key` does whatever is next,
step by step, until the key is made and proven; `prove`, `shuffle` and `decrypt` fetch what they need and send what they
make. Without a site the same acts read and write files, for people who work offline or without our server.

The key file never leaves this machine. Before shuffling or opening, the whole archive is verified here (`keyholder.py`).
"""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from ballot import executors, keyholder
from ballot.client import Client, token_subject
from ballot.errors import MalformedError, RefusedError, UnusableInputError
from ballot.keyholder import Act, Board, KeyFile, plain, slug, who, write_key
from ballot.protocol.declarations import MINIMUM_BALLOTS
from ballot.protocol.group import G, Q, SystemRng
from ballot.protocol.messages import (
    UUID,
    CertKeys,
    Message,
    Polynomial,
    SignedMsg,
    Vinput,
    Voutput,
    dumps,
)
from ballot.protocol.proofs import prove_exponent
from ballot.protocol.tally import total_code
from ballot.protocol.trustees import (
    check_certificates,
    find_place,
    gen_seed,
    make_certificate,
    make_polynomial,
    make_public_key,
    make_threshold_parameters,
    make_vinputs,
    make_voutput,
    open_decryption_key,
    possession_statement,
)
from ballot.sealed import check_passphrase, read_file, write_private

M = TypeVar("M", bound=Message)

_WAIT: Final = 5  # seconds between two looks at the site
_MAX_COMPANION: Final = 1 << 31
_ACCEPTED: Final = 202  # HTTP: taken, and not done yet
_LINK: Final = re.compile(r"(?P<site>https?://[^#?]+)/trustee/[0-9A-Za-z]+/[0-9]+#(?P<token>[!-~]+)", re.ASCII)
_RNG: Final = SystemRng()


# --- arguments ------------------------------------------------------------------------------------------------------------


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        "trustee",
        help="a key-holder's acts: make a key, prove it, shuffle, decrypt",
        description="A key-holder's acts, with a site (--link: the whole link from your mail) or on files.",
        epilog="exit status: 0 done, 1 a check failed, 2 refused or not usable",
    )
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)

    make = acts.add_parser("make-key", help="make my key; with a site: go on until it is made and proven")
    _site(make)
    _holder(make)
    make.add_argument("--key", metavar="FILE", type=Path, help="the key file, if it is not where this command put it")
    make.add_argument("--wait", action="store_true", help="wait for the other key-holders and go on by itself")

    step = acts.add_parser("threshold", help="one step of a group's key ceremony, on files")
    step.add_argument("step", type=int, choices=range(1, 7), metavar="STEP",
                      help="1, 3 and 5: each key-holder; 2, 4 and 6: whoever collects the messages")
    _holder(step)
    step.add_argument("--needed", metavar="T", type=int, help="step 1: how many of the group can open the box")
    step.add_argument("--size", metavar="M", type=int, help="step 1: how many key-holders the group has")
    step.add_argument("--key", metavar="FILE", type=Path, help="steps 3 and 5: my key file")
    for name, what in (("certificates", "steps 2 to 6"), ("polynomials", "steps 4 and 6"), ("voutputs", "step 6")):
        step.add_argument(f"--{name}", metavar="FILE", type=Path, help=f"{what}: all {name}, one a line, in the holders' order")
    step.add_argument("--vinput", metavar="FILE", type=Path, help="step 5: what step 4 made for me")

    prove = acts.add_parser("prove", help="show that my key file opens and is the right one; with a site: prove it there")
    _site(prove)
    prove.add_argument("--key", metavar="FILE", type=Path, required=True, help="my key file")
    prove.add_argument("--archive", metavar="FILE.bel", type=Path, help="also check that this election names my key")
    _passphrase(prove)

    for name, what in (("shuffle", "shuffle the ranked ballots"), ("decrypt", "make my share of opening the tally")):
        act = acts.add_parser(name, help=f"{what}, after verifying the whole archive")
        _site(act)
        act.add_argument("--key", metavar="FILE", type=Path, required=True, help="my key file")
        act.add_argument("--archive", metavar="FILE.bel", type=Path, help="without a site: the election's archive")
        act.add_argument("--companion", metavar="FILE", type=Path, help="without a site: the companion proofs so far")
        act.add_argument("--pin", metavar="HEIGHT:HASH", action="append", default=[], type=_pin,
                         help="an event seen before, from a receipt or checkpoint; it must still be there")
        act.add_argument("--out", metavar="DIR", type=Path, default=Path(), help="without a site: where to write (default: here)")
        act.add_argument("--jobs", metavar="N", type=_jobs, default=os.cpu_count() or 1, help="processes (default: all processors)")
        executors.add_argument(act)
        act.add_argument("--yes", action="store_true", help="do not ask whether the total code agrees")
        _passphrase(act)
    return parser


def _site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--link", metavar="LINK", help="the whole link from my mail, in quotes")
    parser.add_argument("--link-file", metavar="FILE", type=Path, help="the same, from a file (it then shows in no list of processes)")
    parser.add_argument("--url", metavar="URL", help="instead of --link: the site's address, https://…")
    parser.add_argument("--token", metavar="TOKEN", help="with --url: the part of my link after the #")


def _holder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--election", metavar="UUID", help="the ballot's identifier")
    parser.add_argument("--owner", metavar="N", type=int, help="my number among the key-holders, from 1")
    parser.add_argument("--holder", metavar="NAME", help="my name, for the file")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path(), help="where to write (default: here)")
    _passphrase(parser)


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--passphrase-file", metavar="FILE", type=Path, help="its first line is the passphrase (default: ask)")


def _pin(text: str) -> tuple[int, str]:
    height, _, digest = text.partition(":")
    if not (height.isascii() and height.isdigit() and len(height) < 16 and len(digest) == 64 and set(digest) <= set("0123456789abcdef")):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not HEIGHT:HASH, with 64 lower-case hexadecimal digits")
    return int(height), digest


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= 512:
        raise argparse.ArgumentTypeError("the number of processes is from 1 to 512")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Do one act; exit status 0, or an exception with one sentence."""
    acts: dict[str, Callable[[argparse.Namespace], int]] = {
        "make-key": _make_key,
        "threshold": _threshold,
        "prove": _prove,
        "shuffle": _use_key,
        "decrypt": _use_key,
    }
    return acts[args.act](args)


# --- passphrases and files --------------------------------------------------------------------------------------------------


def ask_passphrase(file: Path | None, *, new: bool) -> str:
    """The passphrase, from a file or the terminal; asked twice for a new file. Raises: UnusableInputError, RefusedError."""
    if file is not None:
        try:
            passphrase = read_file(file, 4096).decode().split("\n", 1)[0].rstrip("\r")
        except UnicodeDecodeError as error:
            raise UnusableInputError(f"{file}: the passphrase is not text in UTF-8.") from error
    elif sys.stdin.isatty():
        passphrase = getpass.getpass("A new passphrase for the file: " if new else "Passphrase: ")
        if new and passphrase != getpass.getpass("The same again: "):
            raise RefusedError("the two passphrases differ; nothing was written")
    else:
        raise UnusableInputError("there is no terminal to ask for the passphrase: give --passphrase-file")
    if new:
        check_passphrase(passphrase)
    return passphrase


def _open_key(path: Path, passphrase_file: Path | None) -> tuple[KeyFile, str]:
    try:
        data = read_file(path)
        print(f"This file says it is {who(data)}.", flush=True)
        passphrase = ask_passphrase(passphrase_file, new=False)
        return KeyFile.from_bytes(data, passphrase), passphrase
    except MalformedError as error:
        raise UnusableInputError(f"{path}: {error}.") from error


def _needed(args: argparse.Namespace, *names: str) -> None:
    missing = [f"--{name}" for name in names if getattr(args, name.replace("-", "_")) is None]
    if missing:
        raise UnusableInputError(f"this act needs {', '.join(missing)}")


def _messages(kind: type[M], path: Path) -> list[M]:
    """The messages in a file, one a line."""
    lines = [line for line in read_file(path).replace(b"\r\n", b"\n").split(b"\n") if line]
    try:
        return [kind.parse(line) for line in lines]
    except MalformedError as error:
        raise UnusableInputError(f"{path}: {error}.") from error


def _write_public(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data + b"\n" if not data.endswith(b"\n") else data)
    except FileExistsError as error:
        raise UnusableInputError(f"{path}: this file exists already and is left as it is.") from error
    except OSError as error:
        raise UnusableInputError(f"{path}: {error.strerror or error}.") from error
    print(f"Wrote {path}")


def _new_private_key() -> int:
    return 1 + _RNG.below(Q - 1)


def _keep(key: KeyFile, path: Path, passphrase: str, *, replace_old: bool = False) -> None:
    write_key(path, key, passphrase, replace_old=replace_old)
    print(f"Wrote {path}\nKeep a copy of it somewhere else, and the passphrase apart from both.", flush=True)


# --- the site -----------------------------------------------------------------------------------------------------------------


def _with_site(args: argparse.Namespace) -> bool:
    return not (args.url is args.token is args.link is args.link_file is None)


def _link_in(path: Path) -> str:
    try:
        return read_file(path, 4096).decode("ascii")
    except UnicodeDecodeError as error:
        raise UnusableInputError(f"{path}: the link is not plain text.") from error


class _Place:
    """A key-holder's own place on a site."""

    def __init__(self, args: argparse.Namespace, key: KeyFile | None = None) -> None:
        url, token = args.url, args.token
        link = args.link if args.link_file is None else _link_in(args.link_file)
        if link is not None:
            match = _LINK.fullmatch(link.strip())
            if not match:
                raise UnusableInputError("the link must be the whole one from your mail, https://…/trustee/…#…")
            url, token = match["site"], match["token"]
        if url is None or token is None:
            raise UnusableInputError("a site needs --link, the whole link from your mail (or --url and --token)")
        subject = token_subject(token)
        election = getattr(args, "election", None) or (key.election if key else None) or (subject[0] if subject else None)
        owner = getattr(args, "owner", None) or (key.owner if key else None) or (subject[1] if subject else None)
        if election is None or owner is None:
            raise UnusableInputError("which ballot? Give --election and --owner, as your mail says")
        UUID.decode(election)
        self.client, self.election, self.owner = Client(url, token), str(election), int(owner)

    def view(self) -> dict[str, Any]:
        """What the site wants from us next."""
        view = self.client.get_json(self._path(""))
        if not isinstance(view, dict) or (view.get("election"), view.get("owner")) != (self.election, self.owner):
            raise MalformedError("the site's answer is about another ballot or key-holder")
        for name in ("name", "holder", "kind", "stage", "nonce"):
            if not isinstance(view.get(name), str):
                raise MalformedError(f"the site's answer lacks {name}")
        return view

    def send(self, what: str, data: bytes) -> bool:
        """Whether the site has checked it; of very many ballots it answers before it has."""
        return self.client.post(self._path(f"/{what}"), data) != _ACCEPTED

    def _path(self, rest: str) -> str:
        return f"/api/trustee/{self.election}/{self.owner}{rest}"

    def archive(self, file: BinaryIO) -> bytes | None:
        """Download the archive; the companion proofs so far."""
        base = f"/api/elections/{self.election}"
        self.client.download(f"{base}/archive", file)
        companion = self.client.get(f"{base}/companion", _MAX_COMPANION)
        return None if companion.strip() in {b"", b"[]"} else companion


def _text(view: dict[str, Any], name: str, kind: type[M]) -> M:
    value = view.get(name)
    if not isinstance(value, str):
        raise MalformedError(f"the site's answer lacks {name}")
    return kind.parse(value.encode())


def _certificates_of(view: dict[str, Any]) -> list[SignedMsg]:
    values = view.get("certificates")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MalformedError("the site's answer lacks certificates")
    return [SignedMsg.parse(value.encode()) for value in values]


# --- make-key -------------------------------------------------------------------------------------------------------------------


def _make_key(args: argparse.Namespace) -> int:
    if _with_site(args):
        return _make_key_with_site(args)
    _needed(args, "election", "holder")
    UUID.decode(args.election)
    key = KeyFile(args.election, args.owner or 1, args.holder, "single", None, _new_private_key())
    passphrase = ask_passphrase(args.passphrase_file, new=True)
    _keep(key, args.out / key.name, passphrase)
    message = make_public_key(key.decryption_key(), _RNG, name=args.holder)
    _write_public(args.out / f"{key.name.removesuffix('.key')}.public.json", message.to_bytes())
    return 0


class _Ceremony:
    """Key day with a site: one stage after another, the key file being written before anything is sent."""

    def __init__(self, args: argparse.Namespace, place: _Place, view: dict[str, Any]) -> None:
        self.args, self.place = args, place
        kind = "threshold" if view["kind"] == "threshold" else "single"
        fresh = KeyFile(place.election, place.owner, plain(view["holder"]), kind, None, None)  # type: ignore[arg-type]
        self.path: Path = args.key or args.out / fresh.name
        if self.path.exists():
            self.key, self.passphrase = _open_key(self.path, args.passphrase_file)
            if (self.key.election, self.key.owner, self.key.kind) != (place.election, place.owner, kind):
                raise RefusedError(f"{self.path} is a key for another ballot or key-holder")
        elif view["stage"] in {"key", "cert"}:
            self.passphrase = ask_passphrase(args.passphrase_file, new=True)
            seed = gen_seed(_RNG) if kind == "threshold" else None
            self.key = KeyFile(
                place.election, place.owner, plain(view["holder"]), fresh.kind, seed, None if seed else _new_private_key()
            )
            _keep(self.key, self.path, self.passphrase)
        else:
            raise UnusableInputError(f"{self.path}: this key file is not here, and the site has its public part already; give --key")

    def do(self, view: dict[str, Any]) -> None:
        """What the site waits for from us."""
        place, key = self.place, self.key
        match view["stage"]:
            case "key":
                place.send("key", make_public_key(key.decryption_key(), _RNG).to_bytes())
                print("Sent: my public key.")
            case "cert":
                size, threshold = view.get("size"), view.get("threshold")
                if not isinstance(size, int) or not isinstance(threshold, int):
                    raise MalformedError("the site's answer lacks the size of the group")
                print(f"{threshold} of {size} key-holders will be needed to open the box.")
                place.send("cert", make_certificate(key.pki, index=place.owner, threshold=threshold, size=size, rng=_RNG).to_bytes())
                print("Sent: my certificate (step 1).")
            case "polynomial":
                certificates = self._own_certificates(view)
                place.send("polynomial", make_polynomial(key.pki, certificates, _RNG).to_bytes())
                print("Checked everybody's certificates, and sent: my part for each of the others (step 3).")
            case "voutput":
                voutput = make_voutput(key.pki, self._own_certificates(view), _text(view, "vinput", Vinput), _RNG)
                self._complete(voutput)
                place.send("voutput", voutput.to_bytes())
                print("Checked everybody's part, and sent: my public key share (step 5).")
            case "possession":
                if key.private_key is None:
                    self._complete(_text(view, "voutput", Voutput))
                _prove_to(place, self.key, view)
            case stage:
                raise MalformedError(f"the site asks for something unknown, {stage[:20]!r}")

    def _own_certificates(self, view: dict[str, Any]) -> list[SignedMsg]:
        certificates = _certificates_of(view)
        if find_place(self.key.pki, check_certificates(certificates)) != self.place.owner:
            raise RefusedError("the site shows our certificate at another holder's place")
        return certificates

    def _complete(self, voutput: Voutput) -> None:
        self.key = self.key.with_private_key(open_decryption_key(self.key.pki, voutput.private_key))
        _keep(self.key, self.path, self.passphrase, replace_old=True)


def _make_key_with_site(args: argparse.Namespace) -> int:
    place = _Place(args)
    view = place.view()
    print(f"Ballot: {plain(view['name'])}\nKey-holder {place.owner}: {plain(view['holder'])}", flush=True)
    ceremony: _Ceremony | None = None
    waiting_said = ""
    while view["stage"] != "ready":
        if view["stage"] == "waiting":
            words = ", ".join(plain(str(name)) for name in view.get("waiting_for") or [])
            if words != waiting_said:
                print(f"Waiting for {words}.", flush=True)
                waiting_said = words
            if not args.wait:
                print("Give the same command again later, or add --wait.")
                return 0
            time.sleep(_WAIT)
            view = place.view()
            continue
        ceremony = ceremony or _Ceremony(args, place, view)
        ceremony.do(view)
        before, view = view["stage"], place.view()
        if view["stage"] == before:
            raise MalformedError("the site took the message and asks for it again")
    print("My key is made, and the site knows that I hold it.")
    return 0


# --- threshold, on files ------------------------------------------------------------------------------------------------------------


def _threshold(args: argparse.Namespace) -> int:
    steps = {1: _step_1, 2: _step_2, 3: _step_3, 4: _step_4, 5: _step_5, 6: _step_6}
    steps[args.step](args)
    return 0


def _stem(key: KeyFile) -> str:
    return key.name.removesuffix(".key")


def _step_1(args: argparse.Namespace) -> None:
    _needed(args, "election", "owner", "holder", "needed", "size")
    UUID.decode(args.election)
    key = KeyFile(args.election, args.owner, args.holder, "threshold", gen_seed(_RNG))
    certificate = make_certificate(key.pki, index=args.owner, threshold=args.needed, size=args.size, rng=_RNG)
    passphrase = ask_passphrase(args.passphrase_file, new=True)
    _keep(key, args.out / key.name, passphrase)
    _write_public(args.out / f"{_stem(key)}.certificate.json", certificate.to_bytes())


def _certificates(args: argparse.Namespace) -> tuple[list[SignedMsg], tuple[CertKeys, ...]]:
    _needed(args, "certificates")
    certificates = _messages(SignedMsg, args.certificates)
    return certificates, check_certificates(certificates)


def _step_2(args: argparse.Namespace) -> None:
    _, bodies = _certificates(args)
    print(f"The certificates of {len(bodies)} key-holders hold; {bodies[0].context.threshold} of them will be needed.")
    for number, body in enumerate(bodies, 1):
        print(f"  {number}  {str(body.verification)[:16]}")


def _step_3(args: argparse.Namespace) -> None:
    _needed(args, "key")
    certificates, _ = _certificates(args)
    key, _ = _open_key(args.key, args.passphrase_file)
    _write_public(args.out / f"{_stem(key)}.polynomial.json", make_polynomial(key.pki, certificates, _RNG).to_bytes())


def _step_4(args: argparse.Namespace) -> None:
    _needed(args, "polynomials")
    certificates, _ = _certificates(args)
    for number, vinput in enumerate(make_vinputs(certificates, _messages(Polynomial, args.polynomials)), 1):
        _write_public(args.out / f"holder-{number}.vinput.json", vinput.to_bytes())


def _step_5(args: argparse.Namespace) -> None:
    _needed(args, "key", "vinput")
    certificates, _ = _certificates(args)
    vinputs = _messages(Vinput, args.vinput)
    if len(vinputs) != 1:
        raise UnusableInputError(f"{args.vinput}: this must be one message, what step 4 made for me.")
    key, passphrase = _open_key(args.key, args.passphrase_file)
    voutput = make_voutput(key.pki, certificates, vinputs[0], _RNG)
    _keep(key.with_private_key(open_decryption_key(key.pki, voutput.private_key)), args.key, passphrase, replace_old=True)
    _write_public(args.out / f"{_stem(key)}.voutput.json", voutput.to_bytes())


def _step_6(args: argparse.Namespace) -> None:
    _needed(args, "polynomials", "voutputs")
    certificates, _ = _certificates(args)
    parameters = make_threshold_parameters(
        certificates, _messages(Polynomial, args.polynomials), _messages(Voutput, args.voutputs)
    )
    _write_public(args.out / "threshold.json", parameters.to_bytes())


# --- prove --------------------------------------------------------------------------------------------------------------------------


def _prove_to(place: _Place, key: KeyFile, view: dict[str, Any]) -> None:
    nonce = view["nonce"]
    statement = possession_statement(place.election, place.owner, nonce)
    proof = prove_exponent(statement, key.decryption_key(), _RNG)
    place.send("possession", dumps({"nonce": nonce, "proof": proof.to_json()}))
    print("Proved to the site that I hold my key.")


def _prove(args: argparse.Namespace) -> int:
    key, _ = _open_key(args.key, args.passphrase_file)
    place = _Place(args, key) if _with_site(args) else None
    view = None if place is None else place.view()
    key = _completed(key, view)
    print(f"The file opens. It is the key of {plain(key.holder)} (key-holder {key.owner}) for ballot {key.election}.")
    print(f"Its public half is {G ** key.decryption_key()}.")
    if args.archive is not None:
        with _opened(args.archive) as file:
            board = keyholder.read_board(file)
        found = board.key_of(key.decryption_key())
        print(f"“{plain(board.election.name)}” names it as the key of key-holder {found.owner}.")
    if place is not None and view is not None:
        _prove_to(place, key, view)
    return 0


def _completed(key: KeyFile, view: dict[str, Any] | None) -> KeyFile:
    """The key with its decryption key, which a copy of the file from before step 5 lacks and the site still has, sealed to us."""
    if key.private_key is None and view is not None and isinstance(view.get("voutput"), str):
        return key.with_private_key(open_decryption_key(key.pki, _text(view, "voutput", Voutput).private_key))
    return key


# --- shuffle, decrypt -----------------------------------------------------------------------------------------------------------------


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnusableInputError(f"{path}: {reason}.") from error


@contextmanager
def _executor(jobs: int, address: str | None) -> Iterator[Executor | None]:
    if address is not None:
        print("Note: what is secret of this work goes to the Dask workers; they must be yours alone.", file=sys.stderr)
        with executors.dask(address) as workers:
            yield workers
        return
    if jobs == 1:
        yield None
        return
    with executors.processes(jobs) as pool:
        yield pool


def _companion_file(args: argparse.Namespace) -> bytes | None:
    beside = args.archive.with_name(args.archive.name.removesuffix(".bel") + ".companion.json")
    path = args.companion or (beside if beside.exists() else None)
    return None if path is None else read_file(path, _MAX_COMPANION)


@contextmanager
def _archive(args: argparse.Namespace, place: _Place | None) -> Iterator[tuple[BinaryIO, bytes | None]]:
    """The archive, readable twice, and the companion proofs so far."""
    if place is None:
        if args.archive is None:
            raise UnusableInputError("give a site (--link) or an --archive")
        with _opened(args.archive) as file:
            yield file, _companion_file(args)
        return
    with tempfile.TemporaryFile() as file:
        companion = place.archive(file)
        file.seek(0)
        yield file, companion


def _agreed(args: argparse.Namespace, board: Board, act: Act) -> None:
    size = board.size
    if size is None:  # prepare() refuses first
        raise RefusedError("the encrypted tally is not there yet")
    print(f"Verified: “{plain(board.election.name)}”, fingerprint {board.election.fingerprint}.")
    if board.minimum < MINIMUM_BALLOTS:
        print(f"Note: this election's own text allows opening as few as {max(board.minimum, 1)} ballots.")
    print(f"Ballots counted: {size.num_tallied}. Total code: {total_code(size)}.", flush=True)
    if sys.stdin.isatty() and not args.yes:
        answer = input(f"Do the other key-holders read out the same number and code? Type yes to {act}: ")
        if answer.strip().lower() != "yes":
            raise RefusedError("stopped, and nothing was sent")


def _use_key(args: argparse.Namespace) -> int:
    act: Act = args.act
    key, _ = _open_key(args.key, args.passphrase_file)
    place = _Place(args, key) if _with_site(args) else None
    key = _completed(key, None if place is None or key.private_key is not None else place.view())
    with _executor(args.jobs, args.executor) as executor:
        with _archive(args, place) as (file, companion):
            print("Verifying the whole archive …", flush=True)
            board = keyholder.read_board(file, companion=companion, executor=executor, pins=args.pin)
        owner = keyholder.prepare(board, key, act).key.owner
        if place is not None and owner != place.owner:
            raise RefusedError(f"this key is key-holder {owner}'s, and the link is key-holder {place.owner}'s")
        _agreed(args, board, act)
        if act == "shuffle":
            _, shuffled = keyholder.shuffle(board, key, args.key, _RNG, executor)
            parts = {"shuffle": shuffled.to_bytes()}
        else:
            _, partial, companion_proofs = keyholder.decrypt(board, key, args.key, _RNG, executor)
            parts = {"decryption": partial.to_bytes(), "companion": companion_proofs.to_bytes()}
    if place is not None:
        checked = place.send(act.replace("decrypt", "decryption"), b"\n".join(parts.values()))
        print("Received and checked by the site." if checked else "Received. The site still checks it: its journal will say how that ends.")
        return 0
    for name, data in parts.items():
        path = args.out / f"{board.election.uuid}-{name}-{owner}-{slug(key.holder)}.json"
        write_private(path, data, replace=True)
        print(f"Wrote {path}")
    return 0
