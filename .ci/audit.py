"""Known vulnerabilities in what is locked: Python packages in .ci/lock/*.txt, npm packages in package-lock.json.

    python .ci/audit.py                       ask osv.dev; where it cannot be reached, the snapshot in .ci/advisories.json
    python .ci/audit.py --live                osv.dev or nothing: for releases
    python .ci/audit.py --snapshot FOLDER     make the snapshot anew from a copy of github.com/pypa/advisory-database

Exit status: 0 nothing known, 1 something known (continuous integration fails), 2 an input cannot be used, 3 the question could not be
answered in full: the service was out of reach, and the snapshot is old or does not know a package. Continuous integration goes on
after 3 and says so loudly; a release does not (.ci/RELEASING.md).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from packaging.version import InvalidVersion, Version

HERE = Path(__file__).resolve().parent
SERVICE = "https://api.osv.dev"
SNAPSHOT = HERE / "advisories.json"
OLD = timedelta(days=90)
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


class Package(NamedTuple):
    """One locked package. `ecosystem` is PyPI or npm."""

    ecosystem: str
    name: str
    version: str


def locked(locks: Iterable[Path], npm: Path) -> list[Package]:
    """Everything that is locked, each once."""
    found: set[Package] = set()
    for path in locks:
        for line in path.read_text(encoding="utf-8").splitlines():
            if pin := _PIN.match(line):
                found.add(Package("PyPI", re.sub(r"[-_.]+", "-", pin[1]).lower(), pin[2]))
    if npm.exists():
        for place, entry in json.loads(npm.read_text(encoding="utf-8"))["packages"].items():
            if place:
                found.add(Package("npm", place.rpartition("node_modules/")[2], entry["version"]))
    return sorted(found)


# --- the service ----------------------------------------------------------------------------------------------------


def ask_service(packages: list[Package], service: str) -> dict[Package, list[str]]:
    """What osv.dev knows of each package. Raises: OSError, ValueError: out of reach, or no answer of its kind."""
    queries = [{"package": {"name": one.name, "ecosystem": one.ecosystem}, "version": one.version} for one in packages]
    found: dict[Package, list[str]] = {}
    for start in range(0, len(queries), 500):
        body = json.dumps({"queries": queries[start : start + 500]}).encode()
        request = urllib.request.Request(f"{service}/v1/querybatch", body, {"Content-Type": "application/json"})  # noqa: S310 - https
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            results = json.loads(answer.read())["results"]
        part = packages[start : start + 500]
        if len(results) != len(part):
            raise ValueError("it answered fewer questions than were asked")
        for package, result in zip(part, results, strict=True):
            if known := [vulnerability["id"] for vulnerability in result.get("vulns", [])]:
                found[package] = known
    return found


# --- the snapshot ---------------------------------------------------------------------------------------------------


def ask_snapshot(packages: list[Package], snapshot: dict[str, Any]) -> tuple[dict[Package, list[str]], list[Package]]:
    """What the snapshot knows of each package, and the packages that it does not cover."""
    found: dict[Package, list[str]] = {}
    for package in packages:
        records = snapshot["advisories"].get(package.ecosystem, {}).get(package.name, [])
        if known := [f"{record['id']} ({record['about']})" for record in records if _affects(record, package)]:
            found[package] = known
    covered = {(ecosystem, name) for ecosystem, names in snapshot["covered"].items() for name in names}
    return found, [package for package in packages if (package.ecosystem, package.name) not in covered]


def _affects(record: dict[str, Any], package: Package) -> bool:
    if package.version in record.get("versions", ()):
        return True
    here = _order(package.version)
    for events in record.get("ranges", ()):
        inside = False
        for event in events:
            if "introduced" in event and (event["introduced"] == "0" or here >= _order(event["introduced"])):
                inside = True
            if "fixed" in event and here >= _order(event["fixed"]):
                inside = False
            if "last_affected" in event and here > _order(event["last_affected"]):
                inside = False
        if inside:
            return True
    return False


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:  # npm's pre-releases: 1.0.0-beta.3
        return Version(re.sub(r"-.*", ".dev0", version))


def take_snapshot(folder: Path, packages: list[Package]) -> dict[str, Any]:
    """The advisories of the locked Python packages, and of those that could come, from a copy of the advisory database."""
    import subprocess  # noqa: PLC0415

    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - only whoever takes a snapshot needs it

    when = subprocess.run(["git", "-C", folder, "log", "-1", "--format=%cI"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607
    advisories: dict[str, list[dict[str, Any]]] = {}
    names = sorted({package.name for package in packages if package.ecosystem == "PyPI"})
    for name in names:
        for path in sorted((folder / "vulns" / name).glob("*.yaml")):
            record = yaml.safe_load(path.read_text(encoding="utf-8"))
            if "withdrawn" in record:
                continue
            about = " ".join((record.get("summary") or record.get("details") or "").split())[:100]
            for affected in record["affected"]:
                ranges = [one["events"] for one in affected.get("ranges", []) if one["type"] == "ECOSYSTEM"]
                entry = {"id": record["id"], "about": about, "ranges": ranges}
                advisories.setdefault(name, []).append(entry if ranges else {**entry, "versions": affected.get("versions", [])})
    return {
        "source": "https://github.com/pypa/advisory-database, CC-BY-4.0",
        "taken": when,
        "covered": {"PyPI": names},
        "advisories": {"PyPI": advisories},
    }


# --- the command ----------------------------------------------------------------------------------------------------


def main() -> int:
    """Ask, print, and tell by the exit status."""
    parser = argparse.ArgumentParser(description="Known vulnerabilities in what is locked.")
    parser.add_argument("--lock", type=Path, action="append", help="a requirements file (default: .ci/lock/*.txt)")
    parser.add_argument("--npm", type=Path, default=HERE.parent / "package-lock.json", help="default: %(default)s")
    parser.add_argument("--service", default=SERVICE, help="default: %(default)s")
    parser.add_argument("--advisories", type=Path, default=SNAPSHOT, help="the snapshot (default: %(default)s)")
    parser.add_argument("--live", action="store_true", help="ask the service or fail")
    parser.add_argument("--snapshot", type=Path, metavar="FOLDER", help="make the snapshot anew")
    args = parser.parse_args()
    packages = locked(args.lock or sorted((HERE / "lock").glob("*.txt")), args.npm)
    if not packages:
        print("audit: nothing is locked.", file=sys.stderr)
        return 2
    if args.snapshot is not None:
        taken = json.dumps(take_snapshot(args.snapshot, packages))
        args.advisories.write_text(taken.replace('{"id"', '\n{"id"') + "\n", encoding="utf-8")
        return 0
    doubts: list[str] = []
    try:
        found, asked = ask_service(packages, args.service), args.service
    except (OSError, ValueError, KeyError) as error:
        why = getattr(error, "reason", error)
        if args.live:
            print(f"audit: {args.service} cannot be asked ({why}).", file=sys.stderr)
            return 3
        doubts.append(f"{args.service} cannot be asked ({why})")
        snapshot = json.loads(args.advisories.read_text(encoding="utf-8"))
        found, unknown = ask_snapshot(packages, snapshot)
        taken = datetime.fromisoformat(snapshot["taken"]).astimezone(UTC)
        asked = f"the snapshot of {taken:%d %B %Y}"
        if datetime.now(UTC) - taken > OLD:
            doubts.append(f"the snapshot was taken on {taken:%d %B %Y}: take a new one")
        if unknown:
            names = sorted({re.sub(r"^@esbuild/.*", "@esbuild/…", package.name) for package in unknown})
            doubts.append(f"the snapshot does not know {', '.join(names)}")
    for package, known in found.items():
        print(f"{package.name} {package.version} ({package.ecosystem}): {'; '.join(known)}")
    print(f"audit: {len(packages)} packages, {len(found)} with known vulnerabilities, by {asked}.")
    for doubt in doubts:
        print(f"audit: NOT ANSWERED IN FULL: {doubt}.", file=sys.stderr)
    return 1 if found else 3 if doubts else 0


if __name__ == "__main__":
    sys.exit(main())
