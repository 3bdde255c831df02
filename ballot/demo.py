"""`ballot demo`: the sample organisation on this machine, or its whole annual general meeting in one go.

`ballot demo` makes a site (keys/, data/), puts the sample organisation into it, opens the voting, says what to open in a browser,
and serves. `--key-holders` lets the sample's key-holders do their part once an officer has closed the voting and begun the tally.
`--headless` needs no browser: roll, links by mail, sealed ballots, board, key-holders, result, and the verdict of the verifiers.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
from sqlmodel import Session, select

from ballot import sample
from ballot.config import Config
from ballot.errors import PreconditionError, UnusableInputError, VerificationError
from ballot.keyholder import KeyFile, decrypt, read_board, shuffle, write_key
from ballot.models import Election, ElectionState, Meeting, RollEntry
from ballot.protocol import trustees as ceremony
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import Rng, SystemRng
from ballot.protocol.messages import SignedMsg, Vinput
from ballot.protocol.proofs import prove_exponent
from ballot.recount import ranking_of
from ballot.serve import serve
from ballot.services import approvals, board, invitations, lifecycle, mail, mailings, officers, registrar, roll, tally, trustees
from ballot.services.approvals import Need
from ballot.services.clock import Clock, FixedClock, SystemClock, spoken
from ballot.services.database import Database
from ballot.services.journal import Actor
from ballot.services.keys import Keys
from ballot.services.startup import prepare
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive

TURNOUT = 0.9  # of the invented members, in the headless meeting
TO_PLAY_WITH = 3  # members whose links are printed, and who have not voted yet
PASSPHRASE = "sample passphrase"  # noqa: S105 - of the sample key-holders' key files: they protect nothing but a sample


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser("demo", description="A sample organisation with an annual general meeting, to look at and to play with.")
    parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT", help="where the site listens (default: %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--headless", action="store_true", help="run the whole meeting in one go, from roll to verified result, without a browser"
    )
    what.add_argument("--key-holders", action="store_true", help="let the sample's key-holders shuffle and open what is waiting for them")
    what.add_argument("--digits", metavar="EMAIL", help="the six digits that this sample officer's authenticator shows now")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="with --headless: keep the elections' files there")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if args.headless:
        return headless(args.out)
    config = Config.from_environ(os.environ | _defaults(os.environ, args.bind))
    if args.digits is not None:
        return _digits(config, args.digits)
    if args.key_holders:
        return _key_holders(config)
    return _site(config, args.bind)


def _defaults(environ: Mapping[str, str], bind: str) -> dict[str, str]:
    wanted = {"BALLOT_DEVELOPMENT": "1", "BALLOT_ORGANISATION": sample.ORGANISATION, "BALLOT_PUBLIC_URL": f"http://{bind}"}
    return {name: value for name, value in wanted.items() if name not in environ}


# --- setting up ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """The sample organisation in a database, with the people who act in it."""

    config: Config
    database: Database
    keys: Keys
    clock: Clock
    officer: Actor
    second: Actor
    meeting_id: str
    files: Path

    @property
    def now(self) -> datetime:
        """The present moment, UTC."""
        return self.clock.now()

    def agreed(self, need: Need, subject: str, reason: str = "") -> str:
        """A second person has agreed to this act."""
        with self.database.write() as session:
            asked = approvals.ask(session, self.meeting_id, need, subject, reason, self.officer, self.now).id
        with self.database.write() as session:
            approvals.give(session, asked, self.second, self.now)
        return asked

    @property
    def links_end(self) -> datetime:
        """When the links that are printed and used here end, UTC."""
        return max(election.closes_at for election in self.elections()) + timedelta(days=1)

    def elections(self) -> list[Election]:
        """The meeting's elections, in the order of its agenda."""
        with self.database.read() as session:
            return lifecycle.elections_of(session, self.meeting_id)

    def members(self) -> list[RollEntry]:
        """Who can vote, in the order of the membership list."""
        with self.database.read() as session:
            return sorted(roll.members(session, self.meeting_id), key=lambda entry: entry.row)


def find_or_make(config: Config, database: Database, keys: Keys, clock: Clock, rng: Rng) -> tuple[Sample, bool]:
    """The sample organisation with its voting open, and whether it was there already. What was cut short is finished."""
    files, now = config.data / "sample", clock.now()
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    with database.write() as session:
        people = [
            officers.add_officer(session, name=name, email=email, roles=["returning-officer"], now=now)
            for name, email in (sample.OFFICER, sample.SECOND)
        ]
        first, second = (Actor(person.id, "returning-officer") for person in people)
        found = session.exec(select(Meeting).where(Meeting.name == _meeting_name(now))).first()
        meeting_id = found.id if found is not None else _agenda(session, first, now)
        secrets = {person.email: officers.enrolment_secret(session, keys, person) for person in people if not officers.enrolled(person)}
    if secrets:
        _write_private(files / "officers.json", json.dumps(secrets))
    made = Sample(config, database, keys, clock, first, second, meeting_id, files)
    for election in made.elections():
        if election.state is ElectionState.DRAFT:
            _key_day(made, election.uuid, rng)
            lifecycle.lock(database, keys, election.uuid, first, now, approval=made.agreed(Need.LOCK, election.uuid))
    locked = [election.uuid for election in made.elections() if election.state is ElectionState.LOCKED]
    reason = "This is a sample, made in one go."
    agreements = {uuid: made.agreed(Need.OPEN, uuid, reason) for uuid in locked}
    with database.write() as session:
        for uuid in locked:
            lifecycle.open_voting(session, uuid, first, now, reason=reason, approval=agreements[uuid])
        if locked:
            mailings.send_at_once(session, config, keys, mail.Mailer(config, keys), meeting_id, first, now)
    return made, found is not None


def _agenda(session: Session, officer: Actor, now: datetime) -> str:
    """The meeting with its frozen roll and its elections as drafts; its identifier."""
    meeting = lifecycle.make_meeting(session, _meeting_name(now), officer, now)
    roll.load(session, meeting.id, roll.preview(sample.roll_file(now.date()), now.date() - timedelta(days=28)), officer, now)
    roll.freeze(session, meeting.id, officer, now)
    for place, draft in enumerate(sample.drafts(*sample.times(now))):
        lifecycle.make_election(session, meeting.id, draft, officer, now + timedelta(milliseconds=place))  # the agenda's order
    return meeting.id


def _meeting_name(now: datetime) -> str:
    return f"{now.year} annual general meeting"


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _key_file(made: Sample, uuid: str, number: int) -> Path:
    return made.files / f"{uuid}-{number}.key"


def _key_day(made: Sample, uuid: str, rng: Rng) -> None:
    """The key ceremony of one election: the sample's key-holders take their turns, and prove that they hold their keys."""
    database, keys, now = made.database, made.keys, made.now
    holders = [trustees.Person(name, email) for name, email in sample.KEY_HOLDERS]
    mailer = mail.Mailer(made.config, keys)
    with database.write() as session:
        for trustee in trustees.name_trustees(session, uuid, holders, sample.THRESHOLD, made.officer, now):
            invitations.send_trustee_link(session, made.config, keys, mailer, trustee, "Please make your key.", now)
    numbers = range(1, len(sample.KEY_HOLDERS) + 1)
    seeds = {n: ceremony.gen_seed(rng) for n in numbers}
    own = {n: ceremony.PkiKeys.from_seed(seed) for n, seed in seeds.items()}
    for n in numbers:
        certificate = ceremony.make_certificate(own[n], index=n, threshold=sample.THRESHOLD, size=len(numbers), rng=rng)
        with database.write() as session:
            trustees.receive_cert(session, uuid, n, certificate.to_bytes(), now)
    for n in numbers:
        with database.write() as session:
            certificates = [SignedMsg.parse(text.encode()) for text in trustees.view(session, keys, uuid, n, now)["certificates"]]
            polynomial = ceremony.make_polynomial(own[n], certificates, rng)
            trustees.receive_polynomial(session, uuid, n, polynomial.to_bytes(), now)
    for n in numbers:
        with database.write() as session:
            vinput = Vinput.parse(str(trustees.view(session, keys, uuid, n, now)["vinput"]).encode())
            voutput = ceremony.make_voutput(own[n], certificates, vinput, rng)
            trustees.receive_voutput(session, uuid, n, voutput.to_bytes(), now)
            secret = ceremony.open_decryption_key(own[n], voutput.private_key)
            nonce = str(trustees.view(session, keys, uuid, n, now)["nonce"])
            proof = prove_exponent(trustees.possession_statement(uuid, n, nonce), secret, rng)
            trustees.receive_possession(session, keys, uuid, n, nonce, proof.to_bytes(), now)
        key = KeyFile(uuid, n, sample.KEY_HOLDERS[n - 1][0], "threshold", seeds[n], secret)
        write_key(_key_file(made, uuid, n), key, PASSPHRASE, replace_old=True)


# --- key-holders --------------------------------------------------------------------------------------------------


def open_boxes(made: Sample, rng: Rng, executor: Executor | None, say: Callable[[str], object]) -> int:
    """As many key-holders as are needed shuffle and open each election whose tally has begun; how many acts that took."""
    acts = 0
    waiting = [election for election in made.elections() if election.state is ElectionState.TALLYING]
    for election in waiting:
        for act in ("shuffle", "decrypt"):
            for number in range(1, sample.THRESHOLD + 1):
                path = _key_file(made, election.uuid, number)
                key = KeyFile.from_bytes(path.read_bytes(), PASSPHRASE)
                steps = tally.steps(made.database, election.uuid)
                if act == "shuffle" and (not steps.ranked or steps.shuffles_ended or number in steps.shuffled):
                    continue
                if act == "decrypt" and number in steps.opened:
                    continue
                pieces = board.stream_archive(made.database, election.uuid)[1]
                with made.database.read() as session:
                    companion = board.companion_bytes(session, election.uuid)
                acts += 1
                seen = read_board(io.BytesIO(b"".join(pieces)), companion=companion, executor=executor)
                if act == "shuffle":
                    data = shuffle(seen, key, path, rng, executor)[1].to_bytes()
                    tally.accept_shuffle(made.database, election.uuid, number, data, made.now, executor=executor)
                    say(f"{key.holder} checked the archive and shuffled: {election.name}")
                else:
                    _, partial, proofs = decrypt(seen, key, path, rng, executor)
                    tally.accept_decryption(
                        made.database, election.uuid, number, partial.to_bytes(), proofs.to_bytes(), made.now, executor=executor
                    )
                    say(f"{key.holder} checked the archive and opened their share: {election.name}")
    return acts


# --- the site -----------------------------------------------------------------------------------------------------


def _site(config: Config, bind: str) -> int:
    _must_be_free(bind)
    os.environ.update(_defaults(os.environ, bind))
    database, keys = prepare(config)
    clock = SystemClock()
    made, known = find_or_make(config, database, keys, clock, SystemRng())
    if not known:
        _some_have_voted(made)
    with database.write() as session:
        links = [officers.make_login_link(session, email=email, now=made.now, pause=0) for _, email in (sample.OFFICER, sample.SECOND)]
    url, me = config.public_url, min(os.path.relpath(sys.argv[0]), sys.argv[0], key=len)
    minutes = int(officers.LINK_LIFE.total_seconds()) // 60
    lines = [f"{config.organisation}: {_meeting_name(made.now)}{' (made earlier)' if known else ', 20 of 60 members have voted'}", ""]
    for (name, email), link in zip((sample.OFFICER, sample.SECOND), links, strict=True):
        if link is not None:
            lines += [
                f"Officer {name} (good once, {minutes} minutes):",
                f"  {url}/officer/sign-in/link#{link[1]}",
                f"  and the six digits: {me} demo --digits {email}",
            ]
    elections = made.elections()
    with database.read() as session:
        for entry in made.members()[:TO_PLAY_WITH]:
            lines += [f"Member {entry.name}:", f"  {registrar.voting_link(session, config, keys, entry, made.links_end).url}"]
    lines += ["The board:", *(f"  {url}/e/{election.uuid}   {election.name}, {election.state}" for election in elections)]
    lines += [
        "The caught mail (nothing leaves this machine):",
        f"  {url}/dev/mail",
        "",
        f"Voting closes {spoken(max(election.closes_at for election in elections))}. After an officer has closed it and begun the",
        f"tally, `{me} demo --key-holders` lets the sample's key-holders open the box. Ctrl-C stops the site; nothing is lost.",
    ]
    print("\n".join(lines), flush=True)
    database.dispose()
    serve(bind)
    return 0


def _some_have_voted(made: Sample) -> None:
    """A third of the members voted early, so that there is a box to look at and enough ballots to open."""
    voters = made.members()[TO_PLAY_WITH : TO_PLAY_WITH + 20]
    with made.database.read() as session:
        found = {entry.email.lower(): registrar.voting_link(session, made.config, made.keys, entry, made.links_end) for entry in voters}
    links = {address: (urlsplit(link.url).fragment.rpartition(".")[0], link.code or "") for address, link in found.items()}
    with ProcessPoolExecutor() as pool:
        _vote(made, voters, links, random.Random(sample.SEED), pool, lambda _: None)


def _must_be_free(bind: str) -> None:
    host, _, port = bind.rpartition(":")
    try:
        with socket.create_server((host, int(port))):
            return
    except (OSError, ValueError, OverflowError) as error:
        raise UnusableInputError(f"{bind} cannot be listened on ({error}): choose another with --bind.") from error


def _digits(config: Config, email: str) -> int:
    path = config.data / "sample" / "officers.json"
    if not path.exists():
        raise UnusableInputError("There is no sample organisation here yet: run `ballot demo` first, in this folder.")
    secret = json.loads(path.read_text(encoding="utf-8")).get(email)
    if secret is None:
        raise UnusableInputError(f"{email} is no sample officer.")
    print(pyotp.TOTP(secret).now())
    return 0


def _key_holders(config: Config) -> int:
    database, keys = prepare(config)
    made, known = find_or_make(config, database, keys, SystemClock(), SystemRng())
    with ProcessPoolExecutor() as pool:
        opened = open_boxes(made, SystemRng(), pool, print)
    database.dispose()
    if not opened:
        hint = "an officer has to close the voting and begin the tally first" if known else "the sample organisation was only made now"
        raise PreconditionError(f"Nothing waits for the key-holders: {hint}.")
    print("Done. An officer can publish the result now.")
    return 0


# --- all in one go ------------------------------------------------------------------------------------------------


class Sayer:
    """Says what happened, with the seconds since the beginning."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def __call__(self, sentence: str) -> None:
        print(f"{time.monotonic() - self._begin:6.1f} s  {sentence}", flush=True)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="ballot-demo-") as name:
            yield Path(name)
        return
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise UnusableInputError(f"{out} is not empty; nothing was written.")
    yield out.resolve()


def headless(out: Path | None) -> int:
    """The whole meeting: exit status 0 if every verifier that is here accepts every election and the results equal the choices.

    Raises: VerificationError otherwise.
    """
    say, rng, luck = Sayer(), SystemRng(), random.Random(sample.SEED)  # luck: only for what the invented members choose
    with _folder(out) as folder, ProcessPoolExecutor() as pool:
        clock = FixedClock(datetime.now(UTC).replace(microsecond=0))
        config = Config.from_environ(
            _defaults({}, "127.0.0.1:8000") | {"BALLOT_DATA": str(folder / "data"), "BALLOT_KEYS": str(folder / "keys")}
        )
        database, keys = prepare(config)
        made, _ = find_or_make(config, database, keys, clock, rng)
        _tell_roll(made, say)
        sender = mail.Sender(database, mail.Mailer(config, keys), mail.Catcher(database, clock), clock)
        say(f"{sender.send_due()} mails sent, one to each member and key-holder, and caught on this machine")

        clock.advance(days=1)
        with database.read() as session:
            links = _mailed_links(session)
        voters = [entry for entry in made.members() if luck.random() < TURNOUT]
        chosen = _vote(made, voters, links, luck, pool, say)
        say(f"{sender.send_due()} receipts sent")
        _count_day(made, clock, rng, pool, say)
        for election in made.elections():
            _compare(made, election, chosen[election.uuid])
        say("Each published result equals what the invented members chose")
        asked = _verify(made, folder, pool, say)
        database.dispose()
        print(f"VERIFIED: {len(chosen)} elections, from the roll to the published result, by {asked}.")
    return 0


def _tell_roll(made: Sample, say: Sayer) -> None:
    with made.database.read() as session:
        found = registrar.frozen_roll(session, made.meeting_id)
    reasons = "; ".join(f"{number} {reason}" for reason, number in found.counts.items())
    say(f"Roll frozen: {found.included} full members can vote. Left out: {reasons}")
    say(f"{len(sample.KEY_HOLDERS)} key-holders, {sample.THRESHOLD} needed, made and proved their keys; locked by two people:")
    for election in made.elections():
        say(f"  {election.name}, fingerprint {election.fingerprint}")


Votes = dict[str, list[list[list[int]]]]  # what was chosen: election → ballot → question → answer


def _mailed_links(session: Session) -> dict[str, tuple[str, str]]:
    """Address → (token, code), out of the caught mails: members vote by what they were sent."""
    found: dict[str, tuple[str, str]] = {}
    for letter in mail.caught(session, limit=1000):
        for line in letter.text.splitlines():
            if line.strip().startswith("http") and (fragment := urlsplit(line.strip()).fragment):
                token, _, code = fragment.rpartition(".")
                found[letter.recipient.lower()] = (token, code)
    return found


def _vote(
    made: Sample,
    voters: Sequence[RollEntry],
    links: Mapping[str, tuple[str, str]],
    luck: random.Random,
    pool: Executor,
    say: Callable[[str], object],
) -> Votes:
    """These members vote in every election, by their links; what they chose."""
    chosen: Votes = {}
    for election in made.elections():
        setup = board.load_setup(made.database, election.uuid)
        draft = lifecycle.draft_of(election)
        chosen[election.uuid] = [sample.choices(draft, luck) for _ in voters]
        codes = [links[entry.email.lower()] for entry in voters]
        sealed = pool.map(_seal, [setup.election.to_bytes()] * len(voters), [code for _, code in codes], chosen[election.uuid])
        for entry, (token, _), ballot in zip(voters, codes, sealed, strict=True):
            receipt = board.cast(made.database, made.keys, election.uuid, token, ballot, made.now, also=_receipt_mail(made))
            if receipt != board.cast(made.database, made.keys, election.uuid, token, ballot, made.now):
                raise VerificationError(f"{entry.name}'s ballot, sent again, got another receipt")
        say(f"{len(voters)} of {len(made.members())} members cast a sealed ballot: {election.name}")
    return chosen


def _seal(election: bytes, code: str, answers: Sequence[Sequence[int]]) -> bytes:
    from ballot.protocol.messages import Election as ElectionText

    return create_ballot(ElectionText.parse(election), code, answers, SystemRng()).to_bytes()


def _receipt_mail(made: Sample) -> board.Also:
    mailer = mail.Mailer(made.config, made.keys)
    return lambda accepted: invitations.queue_receipt(made.config, mailer, accepted)


def _count_day(made: Sample, clock: FixedClock, rng: Rng, pool: Executor, say: Sayer) -> None:
    elections = made.elections()
    clock.moment = max(election.closes_at for election in elections)
    closed = lifecycle.close_due(made.database, made.now)
    say(f"The hour has come: {len(closed)} elections closed by the clock")
    for election in elections:
        sized = tally.begin(made.database, election.uuid, made.officer, made.now, executor=pool)
        say(f"{sized.num_tallied} ballots checked again and added up, still sealed: {election.name}")
    open_boxes(made, rng, pool, say)
    for election in elections:
        agreed = made.agreed(Need.PUBLISH, election.uuid)
        tally.publish(made.database, election.uuid, made.officer, made.now, approval=agreed, executor=pool)
        from ballot.web.board.report import quotas_of
        from ballot.web.board.result import published_result

        for question in published_result(made.database, election.uuid):
            say(f"{question.title.splitlines()[0]}: {question.verdict}")
            quotas = quotas_of(question.record) if question.record is not None else None
            if quotas is not None:
                say(f"  {quotas.beside}")


def _compare(made: Sample, election: Election, chosen: Sequence[Sequence[Sequence[int]]]) -> None:
    """Raises: VerificationError if the published result is not what was chosen."""
    found = tally.outcome(made.database, election.uuid)
    for number, question in enumerate(found.questions):
        answers = [ballot[number] for ballot in chosen]
        if question.totals:
            right = [sum(column) for column in zip(*answers, strict=True)] == [question.blank, *question.totals]
        else:
            right = Counter(ranking_of(answer) for answer in answers) == Counter(question.rankings) + Counter({(): question.blank})
        if not right:
            raise VerificationError(f"the result of {election.name}, question {number + 1}, is not what the members chose")


def _verify(made: Sample, folder: Path, pool: Executor, say: Sayer) -> str:
    """Write each election's files and ask every verifier that is here; which those were. Raises: VerificationError."""
    tool = belenios_tool()
    for election in made.elections():
        archive = folder / f"{election.uuid}.bel"
        with archive.open("wb") as file:
            file.writelines(board.stream_archive(made.database, election.uuid)[1])
        with made.database.read() as session:
            companion = board.companion_bytes(session, election.uuid)
        results = tally.outcome(made.database, election.uuid).file
        archive.with_suffix(".companion.json").write_bytes(companion)
        archive.with_suffix(".results.json").write_bytes(results)
        with archive.open("rb") as file:
            report = verify_archive(file, companion=companion, results=results, executor=pool)
        say(f"ballot verify, {election.name}: {report.verdict()}")
        if report.outcome is not Outcome.VERIFIED:
            raise VerificationError(report.verdict())
        if tool is None:
            continue
        with tempfile.TemporaryDirectory() as alone:  # the tool wants one archive in a folder
            shutil.copy(archive, alone)
            done = subprocess.run([tool, "election", "verify", "--dir", alone], capture_output=True, text=True, check=False)  # noqa: S603
        last = (done.stderr + done.stdout).strip().splitlines()[-1:]
        say(f"belenios-tool election verify, {election.name}: {' '.join(last)}")
        if done.returncode:
            raise VerificationError(f"belenios-tool refuses the archive of {election.name}")
    return "ballot verify" + (" and belenios-tool" if tool else " alone (belenios-tool is not installed here)")


def belenios_tool() -> str | None:
    """Belenios's own command line: BALLOT_BELENIOS_TOOL, the PATH, or .tools/ where `.ci/belenios-tool` puts it."""
    named = os.environ.get("BALLOT_BELENIOS_TOOL", "").partition(":")[0] or shutil.which("belenios-tool")
    return named or next((str(path) for path in sorted(Path.cwd().glob(".tools/*/belenios-tool"))), None)
