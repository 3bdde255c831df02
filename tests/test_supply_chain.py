"""What is installed is locked with hashes, looked up among known vulnerabilities, listed, and built the same way twice."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ballot import __version__
from ballot.web import build
from tests.support.need import ROOT
from tests.support.ports import free_port

CI = ROOT / ".ci"
LOCKS = [CI / "lock" / "service.txt", CI / "lock" / "test.txt"]


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(CI / "audit.py"), *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


def pins(path: Path) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


# --- locks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_hashes(lock: Path) -> None:
    entries = [entry for entry in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines() if "==" in entry.partition("#")[0]]
    assert 20 < len(entries)
    assert [] == [entry for entry in entries if "--hash=sha256:" not in entry]
    assert not re.search(r"https?://|file:|--find-links|--index-url", lock.read_text(encoding="utf-8"))


def test_the_locks_hold_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = {"service.txt": project["project"]["dependencies"] + extras["postgresql"] + extras["build"] + extras["host"]}
    wanted["test.txt"] = wanted["service.txt"] + [one for extra in extras.values() for one in extra if not one.startswith("ballot[")]
    wanted["service.txt"] = wanted["service.txt"] + project["build-system"]["requires"]
    for name, lines in wanted.items():
        names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=;! ]", line)[0]).lower() for line in lines}
        assert set() == names - set(pins(CI / "lock" / name)), f"{name}: run `make lock`"


def test_both_locks_agree() -> None:
    service, test = (pins(lock) for lock in LOCKS)
    assert {} == {name: (version, test.get(name)) for name, version in service.items() if test.get(name) != version}


def test_npm_packages_have_digests() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [] == [place for place, entry in packages.items() if place and not entry.get("integrity", "").startswith("sha512-")]


def test_make_installs_by_hash_and_nothing_beside_it() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install (.*)", recipe)
    assert 3 == len(installs)
    assert [] == [one for one in installs if "--require-hashes" not in one and "--no-deps --no-build-isolation" not in one]


# --- known vulnerabilities -------------------------------------------------------------------------------------------


@contextmanager
def osv(known: dict[str, list[str]], *, status: int = 200) -> Iterator[str]:
    """A service that answers as osv.dev does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            named = [f"{one['package']['ecosystem']}/{one['package']['name']}@{one['version']}" for one in asked]
            results = [{"vulns": [{"id": one} for one in known[name]]} if name in known else {} for name in named]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"results": results}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def old_pins(tmp_path: Path) -> list[str]:
    """A lock with one deliberately old pin of each kind, and no others."""
    (tmp_path / "old.txt").write_text("jinja2==2.10 \\\n    --hash=sha256:0\n", encoding="utf-8")
    (tmp_path / "npm.json").write_text('{"packages": {"": {}, "node_modules/esbuild": {"version": "0.17.0"}}}', encoding="utf-8")
    return ["--lock", str(tmp_path / "old.txt"), "--npm", str(tmp_path / "npm.json")]


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_a_known_vulnerability_fails_the_build_by_the_service(old_pins: list[str]) -> None:
    with osv({"PyPI/jinja2@2.10": ["PYSEC-1"], "npm/esbuild@0.17.0": ["GHSA-2", "GHSA-3"]}) as service:
        done = audit(*old_pins, "--service", service)
    assert 1 == done.returncode
    assert "jinja2 2.10 (PyPI): PYSEC-1" in done.stdout
    assert "esbuild 0.17.0 (npm): GHSA-2; GHSA-3" in done.stdout


def test_a_known_vulnerability_fails_the_build_by_the_snapshot_too(old_pins: list[str]) -> None:
    done = audit(*old_pins, "--service", nowhere())
    assert 1 == done.returncode
    assert "PYSEC-2019-217" in done.stdout
    assert "cannot be asked" in done.stderr


def test_nothing_known_is_nothing_only_where_the_question_was_answered(tmp_path: Path) -> None:
    with osv({}) as service:
        assert 0 == audit("--service", service).returncode
    with osv({}, status=500) as service:
        done = audit("--service", service)
    assert done.returncode in {0, 3}
    assert "NOT ANSWERED IN FULL" in done.stderr
    assert 3 == audit("--live", "--service", nowhere()).returncode
    fresh = json.loads((CI / "advisories.json").read_text(encoding="utf-8")) | {"taken": datetime.now(UTC).isoformat()}
    (tmp_path / "fresh.json").write_text(json.dumps(fresh), encoding="utf-8")
    (tmp_path / "lock.txt").write_text("jinja2==3.1.6\n", encoding="utf-8")
    known = ["--lock", str(tmp_path / "lock.txt"), "--npm", str(tmp_path / "none"), "--service", nowhere()]
    assert "the snapshot was taken" not in audit(*known, "--advisories", str(tmp_path / "fresh.json")).stderr
    (tmp_path / "lock.txt").write_text("jinja2==3.1.6\nnobody-knows-this==1\n", encoding="utf-8")
    unknown = audit(*known, "--advisories", str(tmp_path / "fresh.json"))
    assert (3, True) == (unknown.returncode, "does not know nobody-knows-this" in unknown.stderr)
    (tmp_path / "lock.txt").write_text("", encoding="utf-8")
    assert 2 == audit(*known).returncode


def test_what_is_locked_has_no_known_vulnerability() -> None:
    """By the snapshot, whatever the network says: the build's own step asks the service."""
    done = audit("--service", nowhere())
    assert done.returncode in {0, 3}, done.stdout


# --- the bill, and the scripts -----------------------------------------------------------------------------------------


def test_the_bill_lists_what_is_locked() -> None:
    made = [subprocess.run([sys.executable, str(CI / "sbom.py")], capture_output=True, check=True).stdout for _ in range(2)]
    assert made[0] == made[1]
    bill = json.loads(made[0])
    assert ("CycloneDX", "1.6", __version__) == (bill["bomFormat"], bill["specVersion"], bill["metadata"]["component"]["version"])
    listed = {component["purl"] for component in bill["components"]}
    assert {f"pkg:pypi/{name}@{version}" for name, version in pins(LOCKS[0]).items()} <= listed
    assert any(purl.startswith("pkg:npm/%40noble/curves@") for purl in listed)
    assert len(bill["components"]) == len({component["bom-ref"] for component in bill["components"]})


@pytest.mark.slow
def test_two_builds_in_two_folders_give_the_same_bytes(tmp_path: Path) -> None:
    build.build()  # the libraries are there
    made = []
    for name in ("one", "another and longer"):
        there = tmp_path / name
        shutil.copytree(ROOT / "ballot", there / "ballot", ignore=shutil.ignore_patterns("__pycache__", "dist"))
        for file in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / file, there)
        shutil.copytree(ROOT / "node_modules", there / "node_modules", symlinks=True, ignore=shutil.ignore_patterns("axe-core"))
        env = {**os.environ, "PYTHONPATH": str(there), "HOME": str(there)}
        subprocess.run([sys.executable, "-m", "ballot.web.build", "--force"], cwd=there, env=env, check=True, capture_output=True)
        dist = there / "ballot" / "web" / "static" / "dist"
        made.append({path.name: path.read_bytes() for path in sorted(dist.glob("*.js"))})
    assert made[0] == made[1]
    assert {bundle.file: bundle.integrity for bundle in build.read_manifest().values()} == {
        name: build.integrity(content) for name, content in made[0].items()
    }


def test_a_release_lists_the_scripts_it_serves() -> None:
    if build.RELEASED.exists():
        assert build.released() == {bundle.file: bundle.integrity for bundle in build.build().values()}
    else:
        assert f"## {__version__} (unreleased)" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
