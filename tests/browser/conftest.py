"""A headless Chromium that is told to speak to nobody, for the tests of pages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.invoke import invoke
from tests.support.store import CLASSES, make_store

HARMFUL = "<script>alert(1)</script>"
QUOTED = '"><img src=x onerror=alert(1)>'
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


class Browser:
    """One page at a time, with what the console said and what was asked of the network."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def open(self, path: Path, *, fragment="", width=1280, scripts=True, dark=False, medium="") -> None:
        """Load the page of a file anew, as a reader with that screen, theme and medium."""
        self.driver.get("about:blank")
        self.reported(), self.requests()
        self.command("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media=medium, features=[scheme])
        self.driver.get(path.as_uri() + fragment)
        there = "return document.readyState === 'complete' && location.href.startsWith(arguments[0])"
        self.wait(lambda: self.run(there, path.as_uri()))

    def wait(self, condition) -> None:
        """Until ``condition`` holds. A page that is being replaced answers with an error, which is as good as no."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 30, 0.05, ignored_exceptions=[WebDriverException]).until(lambda _: condition())

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script, *arguments):
        """What the JavaScript ``script`` returns; works where the page's own scripts are off, too."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def every(self, selector):
        return self.driver.find_elements("css selector", selector)

    def reported(self):
        """What the console said since it was last asked."""
        return [line["message"] for line in self.driver.get_log("browser")]

    def requests(self):
        """The addresses that were asked for since it was last asked, but for the file and data within it."""
        events = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "about:"))]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("there is no Chromium with its driver: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    driver.set_page_load_timeout(60)
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="session")
def page(tmp_path_factory) -> Path:
    """The report of a study with a harmful name of a method, one of a class, and one failed cell."""
    folder = tmp_path_factory.mktemp("page")
    store = make_store(
        folder / "store",
        methods=("random", "dm", "rsm_cgs", HARMFUL, QUOTED),
        classes=(QUOTED, *CLASSES[1:]),
        whole=True,
        outcome=lambda c: "failed" if (c.method, c.ipc, c.seed, c.eval_seed) == ("dm", 2, 0, 0) else "ok",
        reason="</script><script>alert(2)</script>",
    )
    done = invoke("report", store.root, "--out", folder / "report.html")
    assert done.returncode == 0, done.stderr
    return folder / "report.html"
