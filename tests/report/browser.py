# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without a window, through the WebDriver protocol (W3C) and Chromium's own additions to it.

It downloads nothing: browser and driver are programs of the machine, and all addresses but files are unreachable.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chrome")
ADVICE = (
    "Debian: apt-get install --no-install-recommends chromium chromium-driver; elsewhere Chrome and its chromedriver"
)
START_SECONDS = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " "}


class BrowserMissing(Exception):
    """No browser that can be driven is installed."""


def programs() -> tuple[str, str]:
    """Return the paths of browser and driver.

    Ubuntu's package chromium is a stub for a snap, which starts neither as root nor in a container: it does not count.
    """
    driver = shutil.which("chromedriver")
    for name in BROWSERS:
        path = shutil.which(name)
        if path and driver and "snap" not in os.path.realpath(path) and not _is_stub(path):
            return path, driver
    raise BrowserMissing(f"browser: there is no Chromium or Chrome with a chromedriver; install them ({ADVICE})")


def _is_stub(path: str) -> bool:
    with open(path, "rb") as file:
        return b"/snap/bin/" in file.read(4096)


class Browser:
    """One window; use it as a context manager."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="bulwark-browser-", ignore_cleanup_errors=True)
        self._http = requests.Session()
        self._http.trust_env = False
        self._session = ""

    def __enter__(self) -> Browser:
        browser, driver = programs()
        self._log = Path(self._profile.name) / "driver.log"
        with open(self._log, "wb") as log:
            self._driver = subprocess.Popen([driver, "--port=0"], stdout=log, stderr=subprocess.STDOUT)
        try:
            self._address = f"http://127.0.0.1:{self._port()}"
            self._session = self._start(browser)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _port(self) -> int:
        """Return the port that the driver chose, which it prints."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._driver.poll() is None:
            found = re.search(r"started successfully on port (\d+)", self._log.read_text("utf-8", "replace"))
            if found:
                return int(found[1])
            time.sleep(0.05)
        raise BrowserMissing(f"browser: chromedriver did not start: {self._log.read_text('utf-8', 'replace')}")

    def _start(self, browser: str) -> str:
        words = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]
        words += ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
        words += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={self._profile.name}/profile"]
        chrome = {"binary": browser, "args": words}
        wanted = {"browserName": "chrome", "goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL"}}
        return str(self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"])

    def __exit__(self, *_what: object) -> None:
        try:
            if self._session:
                self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(20)
            self._http.close()
            self._profile.cleanup()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        prefix = f"/session/{self._session}" if self._session else ""
        data = {} if body is None and method == "POST" else body
        answer = self._http.request(method, self._address + prefix + path, json=data, timeout=120)
        value = answer.json()["value"]
        if answer.status_code != 200:
            raise AssertionError(f"{method} {path}: {value.get('error')}: {value.get('message')}")
        return value

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Run a command of the developer tools."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a file afresh."""
        self._call("POST", "/url", {"url": "about:blank"})
        self._call("POST", "/url", {"url": path.absolute().as_uri() + fragment})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a piece of JavaScript returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Give the page that many pixels."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def prefer(self, scheme: str = "light", scripts: bool = True, media: str = "") -> None:
        """Choose light or dark, JavaScript or none, screen or print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.cdp("Emulation.setEmulatedMedia", media=media, features=features)
        self.cdp("Emulation.setScriptExecutionDisabled", value=not scripts)

    def find(self, selector: str) -> str:
        """Return the reference of the first element that matches."""
        return str(self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT])

    def click(self, selector: str) -> None:
        """Click an element, which must be visible."""
        self._call("POST", f"/element/{self.find(selector)}/click")
        self._settle()

    def type(self, selector: str, text: str) -> None:
        """Replace the text of a field."""
        element = self.find(selector)
        self._call("POST", f"/element/{element}/clear")
        self._call("POST", f"/element/{element}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        actions = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})
        self._settle()

    def _settle(self) -> None:
        """Wait until the page has answered to what was done; a change of the address is told a little later."""
        script = "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done))"
        self._call("POST", "/execute/async", {"script": script, "args": []})

    def picture(self, path: Path, whole: bool = False) -> None:
        """Save what is seen, or the whole page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        """Return the page as it is printed."""
        return base64.b64decode(self._call("POST", "/print", {}))

    def complaints(self) -> list[str]:
        """Return what the browser's console said since the last time, refused resources and errors included."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]
