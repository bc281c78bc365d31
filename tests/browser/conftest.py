# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real browser without a screen, and report pages to open in it."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import typing as t

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from ansible_collections.day2.codex.plugins.filter.report_page import report_page

_spec = importlib.util.spec_from_file_location("day2_codex_fleet", pathlib.Path(__file__).with_name("fleet.py"))
assert _spec is not None and _spec.loader is not None
fleets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fleets)

#: So that the browser asks nobody for anything by itself.
_QUIET = [
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-gpu", "--disable-quic",
]  # fmt: skip


class Opened:
    """A page in the browser, with all that it asked for and complained of."""

    def __init__(self, page: Page, path: pathlib.Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.said: list[str] = []
        page.on("request", self._asked)
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.url = path.as_uri()
        page.goto(self.url)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _told(self, message: ConsoleMessage) -> None:
        self.said.append(message.text)


class Pages:
    """Opens pages as different readers would."""

    def __init__(self, browser: Browser, folder: pathlib.Path) -> None:
        self.browser = browser
        self.folder = folder
        self.contexts: list[t.Any] = []
        many = {key: value for text in fleets.HOSTILE for key, value in fleets.hostile(text).items()}
        many.update({f"at {moment}": fleets.strange(moment)["x"] for moment in fleets.TIMES})
        self.paths = {name: self._written(name, known) for name, known in (("fleet", fleets.fleet(30)), ("hostile", many), ("empty", {}))}

    def _written(self, name: str, known: dict[str, t.Any]) -> pathlib.Path:
        path = self.folder / f"{name}.html"
        path.write_text(report_page(list(known), known, str(path), 30, fleets.NOW)[1]["content"], "utf-8")
        return path

    def open(self, name: str, *, width: int = 1280, scheme: t.Any = "light", scripts: bool = True) -> Opened:
        """The page *name*, for a reader with a window of that *width* and that *scheme*."""
        context = self.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts)
        self.contexts.append(context)
        return Opened(context.new_page(), self.paths[name])


@pytest.fixture(name="browser", scope="session")
def _browser() -> t.Iterator[Browser]:
    # Chromium's own sandbox does not work as root.
    arguments = [*_QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(name="pages", scope="session")
def _pages(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    kept = os.environ.get("PAGE_FOLDER")
    return Pages(browser, pathlib.Path(kept) if kept else tmp_path_factory.mktemp("pages"))


@pytest.fixture(autouse=True)
def _closed(pages: Pages) -> t.Iterator[None]:
    yield
    while pages.contexts:
        pages.contexts.pop().close()
