"""axe-core in the page that a browser shows. It enters through the debugger, so no page has to serve or allow it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ballot.web.build import install_libraries
from tests.support.chromium import DESK, PHONE
from tests.support.need import ROOT
from tests.support.pictures import WANTED, take

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Levels A and AA of WCAG 2.0, 2.1 and 2.2, and what axe-core's authors advise beside them.
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
EVERYTHING: dict[str, Any] = {"runOnly": {"type": "tag", "values": TAGS}, "rules": {"target-size": {"enabled": True}}}
WIDE_WITH = """const root = document.documentElement; root.style.fontSize = arguments[0];
const wide = root.scrollWidth; root.style.fontSize = ''; return wide;"""
COLOURS: dict[str, Any] = {"runOnly": {"type": "rule", "values": ("color-contrast", "link-in-text-block")}}
RUN = """axe.run(document, %s).then((result) => JSON.stringify(result.violations.map((found) =>
  [found.id, found.help, found.nodes.map((node) => [node.target.join(" "), node.failureSummary])])))"""


@dataclass
class Axe:
    """Looks at pages and keeps what it finds, so that one run tells all of it."""

    driver: Chrome
    findings: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    source: str = field(default="", repr=False)

    def look(self, page: str, *, journey: bool = False) -> None:
        """The page as it stands now: every rule at both widths, and the rules about colour in the dark too.

        Along a journey, where nobody wants pictures, a phone in the light is enough.
        """
        self.pages.append(page)
        brief = journey and not WANTED
        for width, height in (PHONE,) if brief else (PHONE, DESK):
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for theme, options in (("light", EVERYTHING),) if brief else (("light", EVERYTHING), ("dark", COLOURS)):
                media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
                self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
                for rule, told, elements in self._run(options):
                    lines = "".join(f"\n    {element}\n      {' '.join(why.split())}" for element, why in elements)
                    self.findings.append(f"{page}, {width} px, {theme}: {rule}: {told}{lines}")
                if (theme == "light" or width == PHONE[0]) and not self.driver.current_url.startswith("data:"):
                    take(self.driver, page, width, "" if theme == "light" else theme)
            if (wide := self.driver.execute_script("return document.documentElement.scrollWidth")) > width:
                self.findings.append(f"{page}, {width} px: the page is {wide} px wide and scrolls sideways")
        self._reflow(page)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def _reflow(self, page: str) -> None:
        """WCAG 2.2, 1.4.10 and 1.4.4: 320 pixels are wide enough, and text of twice the size needs no more than a phone."""
        for width, size in ((320, "100%"), (PHONE[0], "200%")):
            metrics = {"width": width, "height": PHONE[1], "deviceScaleFactor": 1, "mobile": True}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            wide = self.driver.execute_script(WIDE_WITH, size)
            if wide > width:
                self.findings.append(f"{page}: {wide} px wide on a screen of {width} px with text of {size}")

    def get(self, address: str, page: str) -> None:
        """Go there and look."""
        self.driver.get(address)
        self.look(page)

    @property
    def report(self) -> str:
        return f"{len(self.findings)} findings on {len(self.pages)} pages:\n" + "\n".join(self.findings)

    def _run(self, options: dict[str, Any]) -> Any:
        if not self._evaluate("typeof axe === 'object'"):
            self._evaluate(f"{self._script()}; true")
        return json.loads(self._evaluate(RUN % json.dumps(options)))

    def _script(self) -> str:
        if not self.source:
            install_libraries()
            self.source = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
        return self.source

    def _evaluate(self, expression: str) -> Any:
        given = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self.driver.execute_cdp_cmd("Runtime.evaluate", given)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"]["value"]
