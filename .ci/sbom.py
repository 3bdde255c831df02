"""The software bill of materials: what is locked for a running site, as CycloneDX 1.6 JSON on standard output.

    python .ci/sbom.py > ballot.cdx.json

Made from the lock files alone, so that the same commit gives the same bytes: Python packages with the hashes of their files, and the
npm packages from which the browser's scripts are bundled.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def python_components(lock: Path) -> list[dict[str, Any]]:
    """Each package of a requirements file with the SHA-256 of every file that may be installed."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    components = []
    for line in text.splitlines():
        pin = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)", line)
        if pin:
            name = re.sub(r"[-_.]+", "-", pin[1]).lower()
            where = f"https://pypi.org/project/{name}/{pin[2]}/"
            digests = sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
            files = [{"type": "distribution", "url": where, "hashes": [{"alg": "SHA-256", "content": one}]} for one in digests]
            components.append(_component(f"pkg:pypi/{name}@{pin[2]}", name, pin[2], "required") | {"externalReferences": files})
    return components


def npm_components(lock: Path) -> list[dict[str, Any]]:
    """Each package that goes into the browser's scripts, or bundles them."""
    components = []
    for place, entry in sorted(json.loads(lock.read_text(encoding="utf-8"))["packages"].items()):
        if not place:
            continue
        name = place.rpartition("node_modules/")[2]
        scope = "excluded" if entry.get("dev") else "required"
        algorithm, _, digest = entry["integrity"].partition("-")
        content = base64.b64decode(digest).hex()
        hashes = [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": content}]
        purl = f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}"
        component = _component(purl, name, entry["version"], scope) | {"hashes": hashes}
        if "license" in entry:
            component["licenses"] = [{"expression": entry["license"]}]
        components.append(component)
    return components


def _component(purl: str, name: str, version: str, scope: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "scope": scope, "purl": purl}


def bill() -> dict[str, Any]:
    """The whole bill."""
    found = re.search(r'__version__ = "([^"]+)"', (ROOT / "ballot" / "__init__.py").read_text(encoding="utf-8"))
    version = found[1] if found else "0"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"ballot@{version}",
                "name": "ballot",
                "version": version,
                "licenses": [{"expression": "AGPL-3.0-or-later"}],
            }
        },
        "components": [*python_components(HERE / "lock" / "service.txt"), *npm_components(ROOT / "package-lock.json")],
    }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
    sys.stdout.write("\n")
