"""Officers: who they are, how they sign in, and what stays of it on the server.

Sign-in is a one-time mailed code (a link carries the same code after `#`) and then six digits of an authenticator (TOTP,
RFC 6238), or one of ten recovery codes. A session is a row; its cookie is a random value of which only the hash is kept.
The session gets a new value when the mailed code and again when the second factor is accepted, and logging out deletes the row.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from ballot.errors import MalformedError, SignInFailedError, TooManyTriesError
from ballot.language import phrase
from ballot.models import LoginLink, Officer, OfficerSession, RateLimit
from ballot.services.database import Database
from ballot.services.keys import Keys

ROLES = ("returning-officer", "deputy", "membership-secretary", "observer")

LINK_LIFE = timedelta(minutes=30)
LINK_PAUSE = 60  # seconds between two mails to one officer, whoever asks for them
HALF_WAY_LIFE = timedelta(minutes=30)  # from the mailed code to the second factor
SESSION_LIFE = timedelta(hours=12)
WRONG_CODES = 10  # in one window of a quarter of an hour, then the officer waits
WINDOW = 900  # seconds
RECOVERY_CODES = 10
STEP = 30  # seconds, as every authenticator has it
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no I, O, 0 or 1: these are read aloud and typed


@dataclass(frozen=True)
class Visit:
    """A signed-in browser. `complete` is true once the second factor was accepted."""

    officer: Officer
    id_hash: str
    complete: bool


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _random_code(length: int) -> str:
    """Random capitals and digits in groups of five; five bits a character."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(length))
    return "-".join(text[i : i + 5] for i in range(0, length, 5))


def _typed(text: str) -> str:
    """What a person typed, without blanks, hyphens and small letters, in groups of five."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isascii() and c.isalnum())
    return "-".join(plain[i : i + 5] for i in range(0, len(plain), 5))


def normal_email(email: str) -> str:
    return unicodedata.normalize("NFC", email).strip().casefold()


def add_officer(db: Session, *, name: str, email: str, roles: list[str], now: datetime) -> Officer:
    """The officer with this address, who has these roles from now on. The caller commits.

    Raises:
        MalformedError: the address or a role cannot be used.
    """
    address = normal_email(email)
    if address.count("@") != 1 or any(c.isspace() or not c.isprintable() for c in address) or not 3 <= len(address) <= 254:
        raise MalformedError(phrase("{email!r} is not an e-mail address: write one such as name@example.org.", email=email))
    if not roles or (unknown := set(roles) - set(ROLES)):
        wrong = ", ".join(sorted(unknown)) if roles else "none"
        raise MalformedError(phrase("An officer's roles are some of {roles}; found: {wrong}.", roles=", ".join(ROLES), wrong=wrong))
    officer = db.exec(select(Officer).where(Officer.email == address)).first()
    if officer is None:
        officer = Officer(id=secrets.token_hex(8), email=address, name=name, created_at=now)
    officer.name, officer.roles, officer.active = name, list(roles), True
    db.add(officer)
    db.flush()
    return officer


# --- the mailed code --------------------------------------------------------------------------------------------


def make_login_link(db: Session, *, email: str, now: datetime, pause: int = LINK_PAUSE) -> tuple[Officer, str] | None:
    """An officer and the secret of a new one-time link, or None where no mail is to go out. The caller mails it and commits.

    Older links stay good until they end by themselves, so that a stranger who asks again and again locks nobody out.
    """
    address = normal_email(email)
    window = int(now.timestamp()) // pause if pause else secrets.randbits(30)
    fresh = _count(db, f"sign-in-mail:{_hash(address)}", window) == 1  # written for unknown addresses too: same work
    officer = db.exec(select(Officer).where(Officer.email == address, col(Officer.active))).first()
    if officer is None or not fresh:
        return None
    secret = _random_code(30)  # 150 bits
    db.add(LoginLink(token_hash=_hash(secret), officer_id=officer.id, created_at=now, expires_at=now + LINK_LIFE))
    return officer, secret


def use_login_link(db: Session, *, secret: str, now: datetime) -> tuple[Officer, str]:
    """The officer whose link this is, spent by this call, and the cookie of a session that waits for the second factor.

    Raises:
        SignInFailedError: unknown, spent or too old; one sentence for all three.
    """
    token_hash = _hash(_typed(secret))
    spent = db.execute(
        update(LoginLink)
        .where(col(LoginLink.token_hash) == token_hash, col(LoginLink.used_at).is_(None), col(LoginLink.expires_at) > now)
        .values(used_at=now)
    )
    link = db.get(LoginLink, token_hash)
    officer = db.get(Officer, link.officer_id) if link is not None else None
    if spent.rowcount != 1 or officer is None or not officer.active:  # type: ignore[attr-defined]  # an UPDATE has a count
        raise SignInFailedError(
            phrase("This sign-in code is not known, was used before, or is more than 30 minutes old. Ask for a new one.")
        )
    return officer, _new_session(db, officer, now=now, second_factor_at=None)


# --- sessions ---------------------------------------------------------------------------------------------------


def _new_session(db: Session, officer: Officer, *, now: datetime, second_factor_at: datetime | None) -> str:
    cookie = secrets.token_urlsafe(32)
    life = HALF_WAY_LIFE if second_factor_at is None else SESSION_LIFE
    db.add(
        OfficerSession(
            id_hash=_hash(cookie), officer_id=officer.id, created_at=now, expires_at=now + life, second_factor_at=second_factor_at
        )
    )
    return cookie


def visit_of(db: Session, *, cookie: str, now: datetime) -> Visit | None:
    """The officer behind a cookie, or None where the session ended or never was."""
    row = db.get(OfficerSession, _hash(cookie))
    if row is None or row.expires_at <= now:
        return None
    officer = db.get(Officer, row.officer_id)
    if officer is None or not officer.active:
        return None
    return Visit(officer, row.id_hash, row.second_factor_at is not None)


def sign_out(db: Session, visit: Visit) -> None:
    """The session is over at once, whoever still holds the cookie."""
    db.execute(delete(OfficerSession).where(col(OfficerSession.id_hash) == visit.id_hash))


def forget_old(db: Session, *, now: datetime) -> None:
    """Ended sessions, links and counters are gone."""
    mails = col(RateLimit.key).startswith("sign-in-mail:", autoescape=True)
    db.execute(delete(RateLimit).where(mails, col(RateLimit.window) < int(now.timestamp()) // LINK_PAUSE - 1))
    tries = col(RateLimit.key).startswith("second-factor:", autoescape=True)
    db.execute(delete(RateLimit).where(tries, col(RateLimit.window) < int(now.timestamp()) // WINDOW - 1))
    db.execute(delete(OfficerSession).where(col(OfficerSession.expires_at) <= now))
    db.execute(delete(LoginLink).where(col(LoginLink.expires_at) <= now))


# --- the second factor ------------------------------------------------------------------------------------------


def enrolled(officer: Officer) -> bool:
    """True once the officer has shown six right digits of the secret that is kept."""
    return officer.totp_sealed is not None and officer.totp_last_step > 0


def enrolment_secret(db: Session, keys: Keys, officer: Officer) -> str:
    """The Base32 secret that this officer's authenticator is to learn; the same at every call until it is confirmed.

    Raises:
        RuntimeError: the officer is enrolled already, and the secret is shown no more.
    """
    if enrolled(officer):
        raise RuntimeError("an enrolled officer's secret is never shown again")
    if officer.totp_sealed is not None:
        return keys.unseal(_purpose(officer), officer.totp_sealed).decode()
    secret = pyotp.random_base32()
    officer.totp_sealed = keys.seal(_purpose(officer), secret.encode())
    db.add(officer)
    return secret


def enrolment_address(officer: Officer, secret: str, organisation: str) -> str:
    """The `otpauth:` address that goes into the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=officer.email, issuer_name=organisation)


def make_recovery_codes(db: Session, officer: Officer) -> list[str]:
    """Ten new codes, of which only hashes are kept; older ones are void."""
    codes = [_random_code(20) for _ in range(RECOVERY_CODES)]  # 100 bits each
    officer.recovery_hashes = [_hash(code) for code in codes]
    db.add(officer)
    return codes


def complete_sign_in(database: Database, keys: Keys, visit: Visit, *, code: str, now: datetime) -> str:
    """The cookie of a complete session; the half-way one is over.

    Raises:
        SignInFailedError, TooManyTriesError: see `check_code`.
    """
    check_code(database, keys, visit.officer.id, code=code, now=now)
    with database.write() as db:
        sign_out(db, visit)
        return _new_session(db, visit.officer, now=now, second_factor_at=now)


def check_code(database: Database, keys: Keys, officer_id: str, *, code: str, now: datetime) -> None:
    """Six digits of this moment (or the step before or after), each good once; or a recovery code, good once.

    A transaction of its own, so that a wrong try is counted although it raises.

    Raises:
        SignInFailedError: wrong, or used before.
        TooManyTriesError: too many wrong ones; only someone past the mailed code can cause that.
    """
    window = int(now.timestamp()) // WINDOW
    tries = f"second-factor:{officer_id}"
    with database.write() as db:
        officer = db.get(Officer, officer_id, with_for_update=True)
        row = db.get(RateLimit, (tries, window))
        if row is not None and row.count >= WRONG_CODES:
            raise TooManyTriesError(phrase("Too many wrong codes. Please wait a quarter of an hour and try again."))
        refusal = "no such officer" if officer is None else _spend(db, keys, officer, code, now)
        if refusal:
            _count(db, tries, window)
    if refusal:
        raise SignInFailedError(refusal)


def _spend(db: Session, keys: Keys, officer: Officer, code: str, now: datetime) -> str:
    """Nothing where the code was right and is spent now, else why it is refused. The officer's row is locked."""
    plain = "".join(code.split())
    if plain.isascii() and plain.isdigit() and len(plain) == 6 and officer.totp_sealed is not None:
        secret = keys.unseal(_purpose(officer), officer.totp_sealed).decode()
        step_now = int(now.timestamp()) // STEP
        for step in (step_now - 1, step_now, step_now + 1):
            if hmac.compare_digest(pyotp.HOTP(secret).at(step), plain):
                if step <= officer.totp_last_step:
                    return phrase("That code was used already. Wait for the next 6 digits (up to 30 seconds) and type those.")
                officer.totp_last_step = step
                db.add(officer)
                return ""
    elif enrolled(officer) and _hash(_typed(code)) in officer.recovery_hashes:
        officer.recovery_hashes = [kept for kept in officer.recovery_hashes if kept != _hash(_typed(code))]
        db.add(officer)
        return ""
    return phrase("That code is not right. Type the 6 digits that your authenticator shows now.")


def _purpose(officer: Officer) -> str:
    return f"second-factor|{officer.id}"


def _count(db: Session, key: str, window: int) -> int:
    """One more of `key` in this window, and how many that makes; counted in the database, so shared by all workers."""
    row = db.get(RateLimit, (key, window), with_for_update=True)
    if row is None:
        row = RateLimit(key=key, window=window, count=0)
    row.count += 1
    db.add(row)
    db.flush()
    return row.count
