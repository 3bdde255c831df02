"""Backups: one consistent view of the database, or the keys, in a file that only a passphrase or a private key opens.

A backup is taken while the site runs, from one read transaction, and written sealed: nothing of it is on the disk in clear. It
holds rows, not a database's own pages, so that SQLite and PostgreSQL read each other's. The keys make a file of their own, because
keys and database together can make every member's code.

The file is one line of JSON, then sealed pieces:

    {"ballot_backup":1,"part":"database"|"keys","made":time,"version":…,"schema":…,"site":…,"lock":{…}}

`site` is the hash of the public key that checks receipts: database and keys of two installations are not mixed up. The lock is scrypt
of a passphrase, or X25519 to a public key, so that the machine that makes backups cannot open them. Each piece is
ChaCha20-Poly1305 over `PIECE` bytes of compressed text with the first line's hash as associated data; its nonce is its number, and
whether it is the last one. A file that was cut, reordered or changed does not open.

What a restored database must not bring back: sign-in links, sessions, agreements not yet used and work not yet done are left out;
mailings are paused, and mails that waited count as "unknown", since they may have left after the backup was made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Final

from alembic.util import CommandError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import JSON, BigInteger, Connection, DateTime, Integer, LargeBinary, MetaData, Table, func, inspect, select, text
from sqlalchemy.types import Boolean

from ballot import sealed
from ballot.errors import BackupError, ConfigurationError, MalformedError, UnusableInputError
from ballot.services.clock import iso
from ballot.services.database import Database, translated
from ballot.services.keys import Keys, contents, put_back

VERSION: Final = version("ballot")
PIECE: Final = 1 << 20  # bytes of compressed text in one sealed piece
PUBLIC_PREFIX: Final = "ballot-backup-key:"
PRIVATE_KIND: Final = "backup key"
_TAG: Final = 16
_MAX_HEAD: Final = 4096
_BATCH: Final = 500  # rows inserted at once
_NEVER_BACK: Final = frozenset({"officer_session", "login_link", "rate_limit", "roll_upload", "mail_sender"})
_MAY_HAVE_LEFT: Final = "restored from a backup: it may have left since"


# --- locks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passphrase:
    """Locks and opens with the same words."""

    words: str

    def lock(self) -> tuple[dict[str, Any], bytes]:
        """What the head says of the lock, and the key that it gives. Raises: RefusedError: too short."""
        sealed.check_passphrase(self.words)
        salt = secrets.token_bytes(16)
        return {"name": "scrypt", "n": sealed.SCRYPT_N, "salt": _text(salt)}, self._key(salt, sealed.SCRYPT_N)

    def open(self, lock: Mapping[str, Any]) -> bytes:
        """The key of a file. Raises: UnusableInputError: it has another kind of lock; MalformedError."""
        match lock:
            case {"name": "scrypt", "n": int(n), "salt": str(salt)} if 2 <= n <= 1 << 20 and not n & (n - 1):
                return self._key(_bytes(salt), n)
        raise UnusableInputError("This backup was made for a private key, not for a passphrase: name it with --key.")

    def _key(self, salt: bytes, n: int) -> bytes:
        return Scrypt(salt=salt, length=32, n=n, r=8, p=1).derive(unicodedata.normalize("NFC", self.words).encode())


@dataclass(frozen=True)
class PublicKey:
    """Locks only: whoever has this cannot open what it locked."""

    key: X25519PublicKey

    @classmethod
    def parse(cls, line: str) -> PublicKey:
        """Read `ballot-backup-key:…`. Raises: UnusableInputError."""
        try:
            data = base64.urlsafe_b64decode(line.strip().removeprefix(PUBLIC_PREFIX))
            if not line.strip().startswith(PUBLIC_PREFIX) or len(data) != 32:
                raise ValueError
            return cls(X25519PublicKey.from_public_bytes(data))
        except ValueError as error:
            raise UnusableInputError(f"{line.strip()[:60]!r} is no public key of `ballot backup --make-key` ({PUBLIC_PREFIX}…).") from error

    def lock(self) -> tuple[dict[str, Any], bytes]:
        """As `Passphrase.lock`, by a key agreement that is used once."""
        once = X25519PrivateKey.generate()
        ephemeral, own = _raw(once.public_key()), _raw(self.key)
        return {"name": "x25519", "to": _text(own), "ephemeral": _text(ephemeral)}, _agreed(once.exchange(self.key), ephemeral, own)


@dataclass(frozen=True)
class PrivateKey:
    """Opens what its public key locked."""

    key: X25519PrivateKey

    @property
    def public_line(self) -> str:
        """The public key, as it is given to `ballot backup --to`."""
        return PUBLIC_PREFIX + base64.urlsafe_b64encode(_raw(self.key.public_key())).decode()

    def open(self, lock: Mapping[str, Any]) -> bytes:
        """The key of a file. Raises: UnusableInputError, MalformedError."""
        own = _raw(self.key.public_key())
        match lock:
            case {"name": "x25519", "to": str(to), "ephemeral": str(once)} if _bytes(to) == own:
                try:
                    return _agreed(self.key.exchange(X25519PublicKey.from_public_bytes(_bytes(once))), _bytes(once), own)
                except ValueError as error:
                    raise MalformedError("The backup's lock does not hold.") from error
            case {"name": "x25519"}:
                raise UnusableInputError("This backup was made for another private key.")
        raise UnusableInputError("This backup was made with a passphrase, not for a private key.")


Lock = Passphrase | PublicKey
Opener = Passphrase | PrivateKey


def _agreed(shared: bytes, ephemeral: bytes, own: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=ephemeral + own, info=b"ballot.backup.v1").derive(shared)


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise MalformedError("The backup is damaged: a field is not base64.") from error


# --- the sealed file ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """The backup's first line, which can be read without its secret and is authenticated with the rest."""

    part: str
    made: datetime
    version: str
    schema: str
    site: str
    lock: dict[str, Any]

    def to_bytes(self) -> bytes:
        """The line."""
        fields = {"ballot_backup": 1, "part": self.part, "made": iso(self.made), "version": self.version, "schema": self.schema}
        return json.dumps({**fields, "site": self.site, "lock": self.lock}, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Head:
        """Read the first line. Raises: MalformedError."""
        try:
            match json.loads(line):
                case {
                    "ballot_backup": 1,
                    "part": "database" | "keys" as part,
                    "made": str(made),
                    "version": str(version),
                    "schema": str(schema),
                    "site": str(site),
                    "lock": dict(lock),
                }:
                    return cls(part, datetime.fromisoformat(made).astimezone(UTC), version, schema, site, lock)
                case {"ballot_backup": int(newer)} if newer != 1:
                    raise MalformedError("This backup was made by a newer version of this program.")
        except ValueError as error:
            raise MalformedError("This is no backup of `ballot backup`.") from error
        raise MalformedError("This is no backup of `ballot backup`.")


def _seal_stream(out: BinaryIO, head: Head, key: bytes, lines: Iterable[bytes]) -> None:
    first = head.to_bytes()
    out.write(first)
    cipher, about, number = ChaCha20Poly1305(key), hashlib.sha256(first).digest(), 0
    packer, waiting = zlib.compressobj(1), bytearray()

    def pieces() -> Iterator[bytes]:
        for line in lines:
            waiting.extend(packer.compress(line + b"\n"))
            while len(waiting) > PIECE:
                yield bytes(waiting[:PIECE])
                del waiting[:PIECE]
        waiting.extend(packer.flush())
        while len(waiting) > PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]

    for piece in pieces():
        out.write(cipher.encrypt(_nonce(number, last=False), piece, about))
        number += 1
    out.write(cipher.encrypt(_nonce(number, last=True), bytes(waiting), about))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _open_stream(file: BinaryIO, opener: Opener) -> Iterator[bytes]:
    """The lines of a backup whose head was just read from `file` by `read_head`."""
    file.seek(0)
    first = file.readline(_MAX_HEAD)
    cipher, about = ChaCha20Poly1305(opener.open(Head.parse(first).lock)), hashlib.sha256(first).digest()
    unpacker, rest, number = zlib.decompressobj(), list[bytes](), 0
    block = file.read(PIECE + _TAG)
    while True:
        following = file.read(PIECE + _TAG)
        try:
            plain = unpacker.decompress(cipher.decrypt(_nonce(number, last=not following), block, about))
        except (InvalidTag, ValueError, zlib.error) as error:
            what = "This passphrase or key does not open the backup, or" if number == 0 else f"At piece {number + 1}"
            raise BackupError(f"{what} the file was changed or cut short.") from error
        first_end, *more = plain.split(b"\n")
        rest.append(first_end)
        for part in more:  # a line may be as long as a shuffle of many thousand ballots
            yield b"".join(rest)
            rest = [part]
        if not following:
            break
        block, number = following, number + 1
    if any(rest) or not unpacker.eof:
        raise BackupError("The backup ends before its end.")


def read_head(file: BinaryIO) -> Head:
    """What a backup says of itself. Raises: MalformedError."""
    file.seek(0)
    return Head.parse(file.readline(_MAX_HEAD))


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A new file of mode 0600 that appears whole and on the disk, or not at all."""
    if path.exists():
        raise UnusableInputError(f"{path}: this file exists already and is left as it is.")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        sealed.sync_folder(path.parent)
    except FileExistsError as error:
        raise UnusableInputError(f"{path}: this file exists already and is left as it is.") from error
    finally:
        draft.unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- what is in it ------------------------------------------------------------------------------------------------


def site_mark(keys: Keys) -> str:
    """What tells two installations apart in public: the hash of the key that checks receipts."""
    return hashlib.sha256(keys.receipt_public_bytes).hexdigest()


def back_up(database: Database, keys: Keys, path: Path, lock: Lock, now: datetime) -> dict[str, int]:
    """The database as it stands at one moment is in the file `path`, sealed; how many rows of each table. Casting goes on meanwhile.

    Raises: UnusableInputError: the file exists or cannot be written; UnavailableError.
    """
    if database.is_sqlite and not Path(str(database.engine.url.database)).exists():
        raise UnusableInputError("There is nothing to back up: there is no database (`ballot init` makes one).")
    about, key = lock.lock()
    counts: dict[str, int] = {}
    with translated(), database.engine.connect() as plain:
        connection = plain if database.is_sqlite else plain.execution_options(isolation_level="REPEATABLE READ")
        if not inspect(connection).has_table("alembic_version"):
            raise UnusableInputError("There is nothing to back up: this database has no tables (`ballot init` makes them).")
        schema = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
        head = Head("database", now, VERSION, schema, site_mark(keys), about)
        with _private(path) as file:
            _seal_stream(file, head, key, _rows(connection, counts))
    return counts


def back_up_keys(keys: Keys, folder: Path, path: Path, lock: Lock, now: datetime) -> int:
    """The secrets under `keys/` are in the file `path`, sealed; how many files that were."""
    about, key = lock.lock()
    files = contents(folder)
    lines = [json.dumps({"file": name, "text": words}).encode() for name, words in files.items()]
    with _private(path) as file:
        _seal_stream(file, Head("keys", now, VERSION, "", site_mark(keys), about), key, [*lines, b'{"end":%d}' % len(files)])
    return len(files)


def _tables(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name != "alembic_version")
    return found


def _rows(connection: Connection, counts: dict[str, int]) -> Iterator[bytes]:
    for table in _tables(connection).sorted_tables:
        if table.name in _NEVER_BACK:
            continue
        yield json.dumps({"table": table.name, "columns": [column.name for column in table.columns]}).encode()
        counts[table.name] = 0
        for row in connection.execution_options(yield_per=_BATCH).execute(select(table)):
            counts[table.name] += 1
            yield json.dumps([_out(column.type, value) for column, value in zip(table.columns, row, strict=True)]).encode()
    yield json.dumps({"end": counts}).encode()


def _out(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, JSON):
        return {"json": value}
    if isinstance(value, bytes | memoryview):
        return {"bytes": _text(bytes(value))}
    if isinstance(value, datetime):
        return {"time": (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()}
    if isinstance(value, str | int | float):
        return value
    raise RuntimeError(f"a backup cannot hold a value of type {type(value).__name__}")


def _in(value: Any) -> Any:
    match value:
        case {"bytes": str(data)}:
            return _bytes(data)
        case {"time": str(moment)}:
            return datetime.fromisoformat(moment)
        case {"json": inner}:
            return inner
        case dict() | list():
            raise MalformedError("The backup holds a value that is none.")
    return value


# --- restoring ----------------------------------------------------------------------------------------------------


def check(path: Path, opener: Opener) -> tuple[Head, dict[str, int]]:
    """The backup opens to its end; what it says of itself, and how many rows of each table (or files) it has.

    Raises: BackupError, MalformedError, UnusableInputError.
    """
    with path.open("rb") as file:
        head = read_head(file)
        counts: dict[str, int] = {}
        for name, _, batch in _batches(_open_stream(file, opener)):
            counts[name] = counts.get(name, 0) + len(batch)
    return head, counts


def restore_keys(path: Path, opener: Opener, folder: Path) -> int:
    """The secrets stand under `keys/` again, mode 0600; how many. Raises: ConfigurationError: there are keys already; as `check`."""
    with path.open("rb") as file:
        if read_head(file).part != "keys":
            raise UnusableInputError(f"{path} holds a database, not keys.")
        found: dict[str, str] = {}
        for line in _open_stream(file, opener):
            match json.loads(line):
                case {"file": str(name), "text": str(words)}:
                    found[name] = words
                case {"end": int(number)} if number == len(found):
                    put_back(folder, found)
                    return number
    raise BackupError("The backup of the keys ends before its end.")


def restore(database: Database, keys: Keys, path: Path, opener: Opener) -> tuple[Head, dict[str, int]]:
    """The database is as it was when the backup was made, but for what must not come back; then at this version's schema.

    All of it or nothing: the rows arrive in one transaction.

    Raises:
        ConfigurationError: these keys are another installation's.
        UnusableInputError: the database is not empty, or the backup is newer than this program.
        BackupError, MalformedError: the file does not open, or ends before its end.
    """
    with path.open("rb") as file:
        head = read_head(file)
        if head.part != "database":
            raise UnusableInputError(f"{path} holds keys, not a database.")
        if head.site != site_mark(keys):
            raise ConfigurationError(
                "The keys here are not those of the backup's installation: restore the backup of the keys first (BALLOT_KEYS empty)."
            )
        check(path, opener)  # to its end, before anything is touched
        _must_be_empty(database)
        try:
            database.migrate(head.schema)
        except CommandError as error:
            raise UnusableInputError(f"This backup was made by a newer version of this program: restore it with {head.version}.") from error
        with database.write_connection() as connection:
            counts = _insert_all(connection, _batches(_open_stream(file, opener)), head.made)
            _go_on_counting(connection, database)
    database.migrate()
    return head, counts


def _must_be_empty(database: Database) -> None:
    """Empty tables, of whatever version, go; a database with a single row in it stays as it is. Raises: UnusableInputError."""
    if database.is_sqlite and not Path(str(database.engine.url.database)).exists():
        return
    with database.write_connection() as connection:
        found = _tables(connection)
        if any(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in found.sorted_tables):
            raise UnusableInputError("This database is not empty, and is left as it is: restore into a new one (BALLOT_DATABASE_URL).")
        found.drop_all(connection)
        if inspect(connection).has_table("alembic_version"):
            connection.execute(text("DROP TABLE alembic_version"))


Batch = tuple[str, Sequence[str], list[list[Any]]]


def _batches(lines: Iterator[bytes]) -> Iterator[Batch]:
    """Rows of one table at a time, with the table's name and columns; the count at the end is compared. Raises: BackupError."""
    name, columns, batch = "keys", list[str](), list[list[Any]]()
    seen: dict[str, int] = {}
    for line in lines:
        match json.loads(line):
            case list(row):
                batch.append(row)
                seen[name] = seen.get(name, 0) + 1
                if len(batch) == _BATCH:
                    yield name, columns, batch
                    batch = []
            case {"table": str(following), "columns": list(names)}:
                if batch:
                    yield name, columns, batch
                name, columns, batch = following, [str(column) for column in names], []
                seen[name] = 0
            case {"file": str(), "text": str()}:
                yield name, ("file",), [[]]
                seen[name] = seen.get(name, 0) + 1
            case {"end": ends}:
                if batch:
                    yield name, columns, batch
                if ends != (seen if isinstance(ends, dict) else seen.get("keys", 0)):
                    break
                return
            case _:
                break
    raise BackupError("The backup ends before its end.")


def _insert_all(connection: Connection, batches: Iterator[Batch], made: datetime) -> dict[str, int]:
    tables, counts = _tables(connection), dict[str, int]()
    for name, columns, batch in batches:
        if name not in tables.tables:
            raise BackupError(f"The backup has a table {name[:40]!r} that its own version does not know.")
        table = tables.tables[name]
        for column in table.columns:  # a reflected type reads and writes as the models' do
            if isinstance(column.type, JSON):
                column.type.none_as_null = bool(column.nullable)
            elif isinstance(column.type, DateTime) and not connection.dialect.name.startswith("sqlite"):
                column.type.timezone = True
        rows = [dict(zip(columns, map(_in, row), strict=True)) for row in batch]
        kept = [changed for row in rows if (changed := _after(name, _fitted(table, row), made)) is not None]
        if kept:
            connection.execute(table.insert(), kept)
        counts[name] = counts.get(name, 0) + len(kept)
    return counts


def _fitted(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """SQLite keeps truth as 0 and 1, and bytes in whatever column; the other database is told what is meant."""
    for name, value in row.items():
        kind = table.c[name].type
        if isinstance(kind, Boolean) and value is not None:
            row[name] = bool(value)
        elif isinstance(kind, LargeBinary) and isinstance(value, str):
            row[name] = value.encode()
    return row


def _after(table: str, row: dict[str, Any], made: datetime) -> dict[str, Any] | None:
    """A row as it comes back, or None if it must not."""
    unused = (table == "approval" and row.get("used_at") is None) or (table == "job" and row.get("active") is not None)
    if unused or table in _NEVER_BACK:
        return None
    if table == "outbox" and row.get("state") in {"waiting", "sending"}:
        return {**row, "state": "unknown", "detail": _MAY_HAVE_LEFT, "claimed_by": ""}
    if table == "mailing" and row.get("stage") != "done":
        return {**row, "paused_at": made, "paused_why": _MAY_HAVE_LEFT}
    return row


def _go_on_counting(connection: Connection, database: Database) -> None:
    """PostgreSQL's own counters go on after the highest number that was restored."""
    if database.is_sqlite:
        return
    for table in _tables(connection).sorted_tables:
        for column in table.primary_key:
            if isinstance(column.type, Integer | BigInteger):
                sequence = connection.execute(
                    text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": f'"{table.name}"', "column": column.name}
                ).scalar()
                if sequence is not None:
                    highest = connection.execute(select(func.max(column))).scalar()
                    if highest is not None:
                        connection.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})
