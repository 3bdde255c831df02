"""Settings that cannot work are refused with the setting's name and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from ballot.config import Config
from ballot.errors import ConfigurationError

LIVE = {
    "BALLOT_PUBLIC_URL": "https://vote.example.org/",
    "BALLOT_SMTP_HOST": "mail.example.org",
    "BALLOT_SMTP_FROM": "ballots@example.org",
}


def test_a_trial_needs_one_setting() -> None:
    config = Config.from_environ({"BALLOT_DEVELOPMENT": "1"})
    assert config.development
    assert config.smtp is None
    assert config.database_url.startswith("sqlite:////")


def test_a_live_site() -> None:
    config = Config.from_environ(LIVE | {"BALLOT_DATABASE_URL": "postgres://ballot@db/ballot", "BALLOT_KEYS": "/etc/ballot/keys"})
    assert ("https://vote.example.org", "vote.example.org") == (config.public_url, config.public_host)
    assert "postgresql+psycopg://ballot@db/ballot" == config.database_url
    assert Path("/etc/ballot/keys") == config.keys
    assert config.smtp is not None
    assert ("mail.example.org", 587, "starttls", "ballots@example.org") == (
        config.smtp.host, config.smtp.port, config.smtp.tls, config.smtp.reply_to,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BALLOT_PUBLIC_URL", "vote.example.org"),
        ("BALLOT_PUBLIC_URL", "https://vote.example.org/path"),
        ("BALLOT_PUBLIC_URL", "https://u:p@vote.example.org"),
        ("BALLOT_PUBLIC_URL", "http://vote.example.org"),
        ("BALLOT_DATABASE_URL", "mysql://x/y"),
        ("BALLOT_DATABASE_URL", "sqlite://"),
        ("BALLOT_DATABASE_URL", "sqlite:///:memory:"),
        ("BALLOT_DEVELOPMENT", "maybe"),
        ("BALLOT_SMTP_HOST", ""),
        ("BALLOT_SMTP_FROM", ""),
        ("BALLOT_SMTP_FROM", "a@example.org\r\nBcc: b@example.org"),
        ("BALLOT_SMTP_TLS", "ssl"),
        ("BALLOT_SMTP_PORT", "0"),
        ("BALLOT_SMTP_PORT", "smtp"),
        ("BALLOT_TOKEN_DAYS", "-1"),
        ("BALLOT_MAILS_PER_MINUTE", "1e3"),
        ("BALLOT_SOURCE_URL", "javascript:alert(1)"),
    ],
)
def test_a_setting_that_cannot_work_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Config.from_environ(LIVE | {name: value})
