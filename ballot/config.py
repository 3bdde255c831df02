"""All settings of one installation, in one frozen object made from an environment mapping.

Nothing else reads the environment. Secrets are never settings: they are files (`BALLOT_KEYS`, `BALLOT_SMTP_PASSWORD_FILE`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ballot.errors import ConfigurationError

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"", "0", "false", "no", "off"}


@dataclass(frozen=True)
class SmtpSettings:
    """How to reach the mail server. `tls` is `starttls`, `tls` (from the first byte) or `none`."""

    host: str
    port: int
    user: str
    password_file: Path | None
    tls: str
    sender: str
    reply_to: str
    bounce_address: str = ""  # where delivery reports go, with a tag for each mail; "" sends them to `sender`, without


@dataclass(frozen=True)
class Config:
    """The settings of one installation.

    `public_url` has no trailing slash; every link and the allowed `Host` come from it, never from a request.
    `smtp` is None in development without a mail server: mails then land in the local catcher. `source_url` is where the
    running program's source code can be had, which the licence asks a site to offer; "" leaves the link out. `metrics_token_file` holds
    what opens /metrics from other machines; without it only this machine may ask.
    """

    organisation: str
    public_url: str
    database_url: str
    data: Path
    keys: Path
    development: bool
    smtp: SmtpSettings | None
    token_days: int
    mails_per_minute: int
    source_url: str = ""
    logo: Path | None = None
    colour: str = ""
    metrics_token_file: Path | None = None

    @property
    def public_host(self) -> str:
        """Host and port of the public address, as a browser sends it in `Host`."""
        return urlsplit(self.public_url).netloc

    @classmethod
    def from_environ(cls, env: Mapping[str, str]) -> Config:
        """Read the settings `BALLOT_…`; what is missing gets a default that is safe for a trial on one machine.

        Raises:
            ConfigurationError: a value cannot be used; the sentence names the setting and what to write.
        """
        development = _flag(env, "BALLOT_DEVELOPMENT")
        if not development and env.get("FLASK_DEBUG", "").strip().lower() not in _FALSE:
            raise ConfigurationError("FLASK_DEBUG is set: take it out. Error pages would show the inside of the program to everybody.")
        data = Path(env.get("BALLOT_DATA") or "data").absolute()
        public_url = (env.get("BALLOT_PUBLIC_URL") or "http://127.0.0.1:8000").rstrip("/")
        parts = urlsplit(public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment or parts.username:
            raise ConfigurationError(
                f"BALLOT_PUBLIC_URL is {public_url!r}: write the address members type, such as https://vote.example.org, without a path."
            )
        if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "localhost", "::1"} and not development:
            raise ConfigurationError("BALLOT_PUBLIC_URL must begin with https:// outside development: voting links would travel in clear.")
        smtp = _smtp(env)
        if smtp is None and not development:
            raise ConfigurationError(
                "BALLOT_SMTP_HOST is missing: write your mail server's name, or set BALLOT_DEVELOPMENT=1 for a trial on one machine."
            )
        return cls(
            organisation=env.get("BALLOT_ORGANISATION") or "Sample organisation",
            public_url=public_url,
            database_url=_database_url(env.get("BALLOT_DATABASE_URL") or f"sqlite:///{data / 'ballot.sqlite3'}"),
            data=data,
            keys=Path(env.get("BALLOT_KEYS") or "keys").absolute(),
            development=development,
            smtp=smtp,
            token_days=_number(env, "BALLOT_TOKEN_DAYS", 60, 1, 400),
            mails_per_minute=_number(env, "BALLOT_MAILS_PER_MINUTE", 60, 1, 100_000),
            source_url=_source_url(env),
            logo=_path(env, "BALLOT_LOGO"),
            colour=env.get("BALLOT_COLOUR", "").strip(),
            metrics_token_file=_path(env, "BALLOT_METRICS_TOKEN_FILE"),
        )


def _database_url(url: str) -> str:
    """The address with the driver that this project ships; other databases are refused."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        return f"postgresql+psycopg://{rest}"
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1 and ":memory:" not in rest:
        return url
    raise ConfigurationError(
        "BALLOT_DATABASE_URL must look like sqlite:////var/lib/ballot/ballot.sqlite3 or postgresql://user@host/database."
    )


def _smtp(env: Mapping[str, str]) -> SmtpSettings | None:
    host = env.get("BALLOT_SMTP_HOST", "").strip()
    if not host:
        return None
    sender = env.get("BALLOT_SMTP_FROM", "").strip()
    if "@" not in sender or any(c in sender for c in "\r\n"):
        raise ConfigurationError("BALLOT_SMTP_FROM is missing: write the address mails come from, such as ballots@example.org.")
    tls = env.get("BALLOT_SMTP_TLS", "starttls").strip().lower()
    if tls not in {"starttls", "tls", "none"}:
        raise ConfigurationError(f"BALLOT_SMTP_TLS is {tls!r}: write starttls, tls or none.")
    password_file = env.get("BALLOT_SMTP_PASSWORD_FILE", "").strip()
    return SmtpSettings(
        host=host,
        port=_number(env, "BALLOT_SMTP_PORT", 465 if tls == "tls" else 587, 1, 65535),
        user=env.get("BALLOT_SMTP_USER", "").strip(),
        password_file=Path(password_file).absolute() if password_file else None,
        tls=tls,
        sender=sender,
        reply_to=env.get("BALLOT_SMTP_REPLY_TO", "").strip() or sender,
        bounce_address=_bounce_address(env),
    )


def _bounce_address(env: Mapping[str, str]) -> str:
    """The name before the @ leaves room for a plus sign and a tag of 42 characters: 64 are allowed in all (RFC 5321 4.5.3.1.1)."""
    address = env.get("BALLOT_SMTP_BOUNCE_ADDRESS", "").strip()
    if address and not re.fullmatch(r"[A-Za-z0-9._-]{1,21}@[A-Za-z0-9.-]{1,253}", address):
        raise ConfigurationError(
            f"BALLOT_SMTP_BOUNCE_ADDRESS is {address!r}: write an address such as bounces@example.org, with at most 21 letters, figures, "
            "dots or hyphens before the @. Mail to bounces+anything@example.org must arrive there too."
        )
    return address


def _source_url(env: Mapping[str, str]) -> str:
    url = env.get("BALLOT_SOURCE_URL", "").strip()
    if url and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
        raise ConfigurationError(f"BALLOT_SOURCE_URL is {url!r}: write the address of this program's source code, or leave it out.")
    return url


def _path(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name, "").strip()
    return Path(value).absolute() if value else None


def _flag(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "").strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ConfigurationError(f"{name} is {value!r}: write 1 for yes or 0 for no.")


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
        raise ConfigurationError(f"{name} is {text!r}: write a whole number from {low} to {high}.")
    return int(text)
