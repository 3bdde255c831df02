"""What is wrong with an installation, and what to do about it, one plain sentence each. Nothing is made or changed by looking.

`ballot doctor` asks all of it. Every check takes what it looks at as arguments, so that a test can show it each fault.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel import col, func, select

from ballot.config import Config, SmtpSettings
from ballot.errors import BallotError, ConfigurationError
from ballot.models import Election, ElectionState, Job
from ballot.services import health
from ballot.services.backups import last_backups
from ballot.services.database import Database
from ballot.services.keys import NAMES, Keys, read_private_file
from ballot.services.mail import SmtpTransport

if TYPE_CHECKING:
    from dns.resolver import Resolver

LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
SOON, VERY_SOON = timedelta(days=30), timedelta(days=10)  # before a certificate ends
OFTEN, SELDOM = timedelta(hours=26), timedelta(days=8)  # how old a backup may be while voting is open, and otherwise
WAITED: Final = timedelta(minutes=10)
_TIMEOUT: Final = 15  # seconds for each connection


class State(StrEnum):
    """How a finding stands: in order, worth a look, or to be mended."""

    OK = "ok"
    LOOK = "look"
    MEND = "mend"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. The sentence says what is, and unless it is in order, what to do."""

    about: str
    state: State
    sentence: str


def ok(about: str, sentence: str) -> Finding:
    """In order."""
    return Finding(about, State.OK, sentence)


def look(about: str, sentence: str) -> Finding:
    """Worth a look: the site works, and a person should decide."""
    return Finding(about, State.LOOK, sentence)


def mend(about: str, sentence: str) -> Finding:
    """To be mended."""
    return Finding(about, State.MEND, sentence)


# --- this machine -------------------------------------------------------------------------------------------------


def check_settings(env: Mapping[str, str]) -> tuple[Config | None, list[Finding]]:
    """The settings can be used, and suit a real site."""
    try:
        config = Config.from_environ(env)
    except ConfigurationError as error:
        return None, [mend("settings", str(error))]
    found: list[Finding] = []
    if config.development:
        found.append(mend("settings", "BALLOT_DEVELOPMENT is on: mails are shown on a page. Take it out on a real site."))
    if urlsplit(config.public_url).hostname in LOOPBACK:
        found.append(mend("settings", f"BALLOT_PUBLIC_URL is {config.public_url}: members cannot open that. Write the site's own."))
    if not env.get("BALLOT_ORGANISATION"):
        found.append(look("settings", "BALLOT_ORGANISATION is not set: pages and mails say “Sample organisation”."))
    if not config.source_url:
        found.append(look("settings", "BALLOT_SOURCE_URL is not set: the licence asks a site to say where its source code can be had."))
    return config, found or [ok("settings", "The settings can be used.")]


def check_private(config: Config, *, user: int | None = None) -> list[Finding]:
    """Nobody but the service's own account can read what the service keeps."""
    found: list[Finding] = []
    wanted = [(config.data, "700"), (config.keys, "700")]
    if config.database_url.startswith("sqlite:///"):
        wanted.append((Path(config.database_url.removeprefix("sqlite:///")), "600"))
    for path, mode in wanted:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            found.append(mend("permissions", f"Others on this machine can look into {path}: run `chmod {mode} {path}`."))
    secrets = [path for path in (config.smtp.password_file if config.smtp else None, config.metrics_token_file) if path is not None]
    for path in secrets:
        try:
            read_private_file(path)
        except ConfigurationError as error:
            found.append(mend("permissions", str(error)))
    if (os.geteuid() if user is None else user) == 0:
        found.append(look("permissions", "This runs as root: give the service an account of its own, for its commands too."))
    if config.keys.is_relative_to(config.data):
        found.append(look("permissions", f"The keys are inside {config.data}: a copy of that folder holds keys and database together."))
    return found or [ok("permissions", "Only this account can read keys and database.")]


def check_keys(config: Config) -> Finding:
    """The keys are there and are keys."""
    missing = [name for name in NAMES if not (config.keys / name).exists()]
    if missing:
        return mend("keys", f"In {config.keys} there is no {', '.join(missing)}: run `ballot init`, or restore the backup of the keys.")
    try:
        Keys.open(config.keys)
    except ConfigurationError as error:
        return mend("keys", str(error))
    return ok("keys", "The keys are complete.")


def check_database(config: Config, database: Database, now: datetime) -> list[Finding]:
    """The database can be written, is durable and up to date; the disk has room; the clock is not behind."""
    path = Path(str(database.engine.url.database)) if database.is_sqlite else None
    if path is not None and not path.exists():
        return [mend("database", f"There is no database at {path}: run `ballot init`.")]
    schema = health.check_schema(database, health.schema_head())
    checks = [health.check_disk(config)] if config.data.exists() else []
    checks += [schema] if not schema.ok else [health.check_database(database), schema, health.check_clock(database, now)]
    if not schema.ok:
        try:
            with database.read_connection():
                pass
        except BallotError:
            checks[-1] = health.Check("database", ok=False, sentence="The database does not answer: is it running, and where?")
    return [Finding(check.name, State.OK if check.ok else State.MEND, check.sentence) for check in checks]


def _timedatectl() -> str | None:
    program = shutil.which("timedatectl")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [program, "show", "-p", "NTPSynchronized", "--value"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def check_time(ask: Callable[[], str | None] = _timedatectl) -> list[Finding]:
    """Something keeps the clock right, and UK time is known."""
    try:
        ZoneInfo("Europe/London")
    except ZoneInfoNotFoundError:
        return [mend("time", "UK time is not known here: install the package tzdata.")]
    match ask():
        case "yes":
            return [ok("time", "A time service keeps the clock right.")]
        case "no":
            return [mend("time", "No time service keeps the clock right: switch on systemd-timesyncd or chrony.")]
    return [look("time", "Whether a time service keeps the clock right cannot be seen here: make sure that one does.")]


def check_work(config: Config, database: Database, now: datetime) -> list[Finding]:
    """Mails leave, long work is done, and backups are made."""
    sender = health.check_sender(database, now)
    found = [Finding("mail", State.OK if sender.ok else State.MEND, sender.sentence)]
    with database.read() as session:
        late = session.exec(select(func.count()).select_from(Job).where(Job.state == "waiting", Job.asked_at < now - WAITED)).one()
        voting = session.exec(select(func.count()).select_from(Election).where(col(Election.state) == ElectionState.OPEN)).one()
    if late:
        found.append(mend("work", "Work that officers asked for waits: is `ballot serve` running? `ballot work` does it now."))
    return [*found, *check_backups(config, now, voting=bool(voting))]


def check_backups(config: Config, now: datetime, *, voting: bool) -> list[Finding]:
    """The database was backed up lately, and the keys at all."""
    known = last_backups(config.data)
    found: list[Finding] = []
    if "database" not in known:
        found.append(mend("backups", "The database was never backed up from here: run `ballot backup` every day (ballot-backup.timer)."))
    else:
        age, most = now - datetime.fromisoformat(str(known["database"]["made"])).astimezone(UTC), OFTEN if voting else SELDOM
        if age > most:
            why = "while voting is open, " if voting else ""
            found.append(mend("backups", f"The last backup is {_span(age)} old: {why}make one at least every {_span(most)}."))
    if "keys" not in known:
        found.append(mend("backups", "The keys were never backed up from here: run `ballot backup --keys`, and store that file elsewhere."))
    return found or [ok("backups", "Database and keys were backed up.")]


def _span(time: timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"


# --- the public address -------------------------------------------------------------------------------------------


def check_public(config: Config, now: datetime, context: ssl.SSLContext | None = None) -> list[Finding]:
    """Members reach the site under its public address, safely, and through a proxy that keeps the Host header."""
    address, about = urlsplit(config.public_url), "public address"
    host, secure = str(address.hostname), address.scheme == "https"
    port = address.port or (443 if secure else 80)
    try:
        if secure:
            trust = context or ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=trust)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        with closing(connection):
            connection.connect()
            found = _certificate(connection.sock, now) if secure else []
            status, body = _get(connection, "/healthz")
            shown, _ = _get(connection, "/metrics")
    except ssl.SSLCertVerificationError as error:
        return [mend(about, f"Browsers refuse the certificate of {host} ({error.verify_message}): get a valid one, with its whole chain.")]
    except socket.gaierror:
        return [mend(about, f"{host} is not known in the DNS: add its address there, or correct BALLOT_PUBLIC_URL.")]
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        return [mend(about, f"{config.public_url} cannot be reached from here ({why}): are the web server running and port {port} open?")]
    if (status, body) == (200, b"ok\n"):
        found.append(ok(about, f"{config.public_url} answers, and the Host header arrives as it was sent."))
    elif status == 400:
        found.append(mend(about, "The web server passes another Host header on than members send: `proxy_set_header Host $host;`."))
    elif status in {502, 503, 504}:
        found.append(mend(about, f"The web server answers, but not the site behind it (status {status}): is `ballot serve` running?"))
    else:
        found.append(mend(about, f"{config.public_url} is answered by something else than this program (status {status})."))
    if shown == 200:
        found.append(mend(about, "Strangers can read /metrics: the web server must send X-Forwarded-For, or keep that page to itself."))
    return found


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path, headers={"User-Agent": "ballot doctor"})
    answer = connection.getresponse()
    return answer.status, answer.read(1000)


def _certificate(sock: Any, now: datetime) -> list[Finding]:
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(sock.getpeercert()["notAfter"]), UTC)
    sentence = f"The certificate ends on {ends:%d %B %Y}: see that it is renewed by itself."
    if ends - now < VERY_SOON:
        return [mend("certificate", sentence)]
    return [look("certificate", sentence)] if ends - now < SOON else [ok("certificate", f"The certificate is good until {ends:%d %B %Y}.")]


# --- mail ---------------------------------------------------------------------------------------------------------


def check_mail_server(settings: SmtpSettings, context: ssl.SSLContext | None = None) -> list[Finding]:
    """The mail server takes our mail: connection, encryption, sign-in."""
    about, found = "mail server", list[Finding]()
    if settings.tls == "none" and settings.host not in LOOPBACK:
        found.append(mend(about, "BALLOT_SMTP_TLS is none: every member's link and code would cross the network in clear. Write starttls."))
    try:
        SmtpTransport(settings, timeout=_TIMEOUT, context=context).check()
    except BallotError as error:
        found.append(mend(about, str(error)))
    return found or [ok(about, f"The mail server {settings.host} takes our mail.")]


def check_dns(sender: str, resolver: Resolver, selector: str = "") -> list[Finding]:
    """Other mail servers can see that mail from this address is ours: SPF, DKIM and DMARC."""
    import dns.exception  # noqa: PLC0415 - an extra that not every machine has

    try:
        return _check_records(sender.rpartition("@")[2], resolver, selector)
    except dns.exception.DNSException:
        return [look("mail DNS", "SPF, DKIM and DMARC could not be looked at: the DNS does not answer from here.")]


def _check_records(domain: str, resolver: Resolver, selector: str) -> list[Finding]:
    found: list[Finding] = []
    spf = [text for text in _texts(resolver, domain) if text.startswith("v=spf1")]
    if not spf:
        found.append(mend("mail DNS", f"{domain} has no SPF record: many servers will take our mail for spam. Ask your provider."))
    elif len(spf) > 1:
        found.append(mend("mail DNS", f"{domain} has {len(spf)} SPF records, and so in effect none: put them into one."))
    elif spf[0].rstrip().endswith("+all"):
        found.append(mend("mail DNS", f"The SPF record of {domain} lets everybody send in its name: end it with ~all or -all."))
    parents = [".".join(domain.split(".")[start:]) for start in range(max(1, len(domain.split(".")) - 1))]
    dmarc = [text for parent in parents for text in _texts(resolver, f"_dmarc.{parent}") if text.startswith("v=DMARC1")]
    if not dmarc:
        found.append(mend("mail DNS", f"{domain} has no DMARC record: add _dmarc.{domain} with v=DMARC1; p=quarantine."))
    if selector:
        if not any("p=" in text for text in _texts(resolver, f"{selector}._domainkey.{domain}")):
            name = f"{selector}._domainkey.{domain}"
            found.append(mend("mail DNS", f"There is no DKIM key at {name}: have your mail server sign, and publish its key."))
    else:
        found.append(look("mail DNS", "Whether mail is signed (DKIM) is seen only with its selector: --dkim-selector NAME."))
    return found if any(one.state is State.MEND for one in found) else [*found, ok("mail DNS", f"{domain} has SPF and DMARC records.")]


def _texts(resolver: Resolver, name: str) -> list[str]:
    import dns.resolver  # noqa: PLC0415 - as above

    try:
        return [b"".join(one.strings).decode("utf-8", "replace") for one in resolver.resolve(name, "TXT")]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []


# --- all of it ----------------------------------------------------------------------------------------------------


def examine(env: Mapping[str, str], now: datetime, *, network: bool = True, selector: str = "") -> list[Finding]:
    """Everything, in the order in which one would mend it."""
    config, found = check_settings(env)
    if config is None:
        return found
    found += [*check_private(config), check_keys(config), *check_time()]
    database = Database(config.database_url)
    try:
        about_it = check_database(config, database, now)
        found += about_it
        if all(finding.state is not State.MEND for finding in about_it if finding.about in {"database", "schema"}):
            found += check_work(config, database, now)
    finally:
        database.dispose()
    if network:
        found += check_public(config, now)
        if config.smtp is not None:
            found += check_mail_server(config.smtp)
            found += _dns(config.smtp.sender, selector)
    return found


def _dns(sender: str, selector: str) -> Sequence[Finding]:
    try:
        from dns.resolver import NoResolverConfiguration, Resolver  # noqa: PLC0415 - an extra that not every machine has
    except ImportError:
        return [look("mail DNS", "SPF, DKIM and DMARC were not looked at: pip install 'ballot[host]' for that.")]
    try:
        return check_dns(sender, Resolver(), selector)
    except NoResolverConfiguration:
        return [look("mail DNS", "SPF, DKIM and DMARC were not looked at: this machine has no DNS server set.")]
