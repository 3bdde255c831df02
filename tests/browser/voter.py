"""A member with a browser: what they see, press and type, in the words on the screen."""

from __future__ import annotations

import json
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.axe import Axe
from tests.support.chromium import PATIENCE
from tests.support.pictures import take_both

LABEL_OF_FOCUS = "return (document.activeElement.labels?.[0]?.textContent ?? '').trim()"
FOCUS_SEEN = """const e = document.activeElement;
if (e === document.body || /^H1$|^MAIN$/.test(e.tagName) || e.matches('.summary')) return 'seen';
const box = e.getBoundingClientRect(), look = getComputedStyle(e);
if (look.outlineStyle === 'none' || parseFloat(look.outlineWidth) < 2) return `no outline on ${e.outerHTML}`;
const middle = (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2;
const top = document.elementFromPoint(box.x + box.width / 2, middle);
return e === top || e.contains(top) || top?.contains(e) ? 'seen' : `hidden: ${e.outerHTML}`;"""


class Voter:
    """Drives one browser. Elements are found by what a person reads or a screen reader says."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.requests: list[dict[str, Any]] = []
        self.runs_scripts = True

    def open(self, link: str) -> None:
        """Follow a link as from a mail: a page of its own, whatever was shown before."""
        self.driver.get("about:blank")
        self.driver.get(link)

    # --- what is there

    @property
    def heading(self) -> str:
        return self.driver.execute_script("return document.querySelector('h1')?.textContent ?? ''").strip()

    @property
    def title(self) -> str:
        return self.driver.title

    @property
    def text(self) -> str:
        """What can be read on the page now."""
        return self.driver.find_element(By.TAG_NAME, "main").text

    @property
    def spoken(self) -> str:
        """The live region."""
        return self.driver.execute_script("return document.getElementById('live').textContent")

    @property
    def focused(self) -> str:
        """The name of the element that has the focus."""
        return " ".join((self.driver.switch_to.active_element.get_attribute("textContent") or "").split())

    @property
    def receipt_code(self) -> str:
        return self.driver.find_element(By.ID, "code").text

    def wait_for_heading(self, words: str) -> None:
        self._wait(lambda: words in self.heading, f"the heading “{words}”")

    def wait_for(self, words: str) -> None:
        self._wait(lambda: words in self.text, f"“{words}”")

    def wait_until_said(self, words: str) -> None:
        self._wait(lambda: words in self.spoken, f"“{words}” in the live region")

    def _wait(self, holds: Any, what: str) -> None:
        def tried(_driver: Any) -> bool:
            try:
                return bool(holds())
            except WebDriverException:  # between two pages the driver may complain of an element without a document
                return False

        try:
            WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(tried)
        except WebDriverException as error:
            raise AssertionError(f"waited for {what}; the page shows:\n{self.heading}\n{self.text}\n{self.log()}") from error

    def log(self) -> list[str]:
        """The browser's complaints so far."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    # --- what can be done

    def button(self, name: str) -> WebElement:
        """The button or link whose whole text, for a screen reader, is this."""
        found: list[WebElement] = []

        def look() -> bool:
            found[:] = [
                element
                for element in self.driver.find_elements(By.CSS_SELECTOR, "button, a, summary")
                if " ".join((element.get_attribute("textContent") or "").split()) == name
            ]
            return bool(found)

        self._wait(look, f"a button “{name}”")
        return found[0]

    def press(self, name: str) -> None:
        for last_try in (False, True):  # a page that draws itself anew in between has the same button again
            element = self.button(name)
            try:
                self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
                element.click()
                return
            except StaleElementReferenceException:
                if last_try:
                    raise

    def choose(self, label: str) -> None:
        """Tick the box or button with this label."""
        self.field(label).click()

    def field(self, label: str) -> WebElement:
        found: list[str] = []

        def look() -> bool:
            labels = self.driver.find_elements(By.TAG_NAME, "label")
            found[:] = [str(element.get_attribute("for")) for element in labels if element.text.strip() == label]
            return bool(found)

        self._wait(look, f"a field “{label}”")
        return self.driver.find_element(By.ID, found[0])

    def type(self, label: str, words: str) -> None:
        element = self.field(label)
        element.clear()
        element.send_keys(words)

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is; then the focus can be seen."""
        ActionChains(self.driver).send_keys(*keys).perform()
        self.focus_is_seen()

    def tab_to(self, name: str, key: str = Keys.TAB) -> None:
        """Press Tab until the focus is on what has this name; wherever it goes on the way, it can be seen."""
        for _ in range(60):
            self.keys(key)
            if name in {self.focused, self.driver.execute_script(LABEL_OF_FOCUS)}:
                return
        raise AssertionError(f"the keyboard does not reach “{name}”; the page shows:\n{self.text}")

    def focus_is_seen(self) -> None:
        """WCAG 2.2, 2.4.7 and 2.4.11: an outline around what has the focus, and nothing over it, once the page stands still."""
        found = ""

        def look() -> bool:
            nonlocal found
            found = self.driver.execute_script(FOCUS_SEEN)
            return found == "seen"

        try:
            self._wait(look, "a focus that can be seen")
        except AssertionError as error:
            raise AssertionError(f"{found}; {error}") from error

    def offline(self, gone: bool) -> None:
        """Take the network away, or give it back."""
        self.driver.set_network_conditions(offline=gone, latency=0, throughput=-1)  # type: ignore[no-untyped-call]

    def slow_processor(self, times: int) -> None:
        self.driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": times})

    # --- the whole way

    def vote_on(self, *answers: str) -> None:
        """Answer one question after another, each by a label, and come to the page before the cast."""
        for answer in answers:
            self.choose(answer)
            self.press("Continue")

    def cast(self) -> str:
        """Cast, wait for the receipt, and return its code."""
        self.wait_for_heading("Check your vote")
        self.press("Cast my vote")
        self.wait_for_heading("Your vote is in the ballot box")
        self.wait_for("We found your code in the ballot box just now.")
        return self.receipt_code

    # --- what was sent

    def network(self) -> list[dict[str, Any]]:
        """Every request so far, in order: method, address as sent (so without what follows "#"), body. Asked again, it adds what is new."""
        for entry in self.driver.get_log("performance"):  # type: ignore[no-untyped-call]
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                request = message["params"]["request"]
                body = request.get("postData", "")
                if request.get("hasPostData") and not body:
                    body = self.driver.execute_cdp_cmd("Network.getRequestPostData", {"requestId": message["params"]["requestId"]})[
                        "postData"
                    ]
                self.requests.append({"method": request["method"], "url": request["url"], "body": body})
        return self.requests

    # --- what it looks like

    def picture(self, name: str) -> None:
        """Leave pictures of the page as it stands, on a phone and a desk, and have axe-core look at it there."""
        if not self.runs_scripts:
            take_both(self.driver, name)
            return
        axe = Axe(self.driver)
        axe.look(name, journey=True)
        assert not axe.findings, axe.report
