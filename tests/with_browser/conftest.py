"""Tests in Debian's Chromium by Playwright: skipped where either isn't there; `.ci/run` runs them."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = CHROMIUM is None or importlib.util.find_spec("playwright") is None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason="Playwright or Chromium isn't here: pip install playwright, apt install chromium")
    for item in items:
        if Path(__file__).parent in item.path.parents and MISSING:
            item.add_marker(missing)


@dataclass
class Opened:
    """A page, and what went wrong in it: errors on its console, and requests that leave its folder."""

    page: Any
    problems: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens an address in a page of its own; at the end nothing may have gone wrong in it."""
    pages: list[Opened] = []

    def open_page(folder: str, address: str, width: int = 1280, theme: str = "light") -> Opened:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        view = Opened(page)
        pages.append(view)
        page.on("console", lambda line: view.problems.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: view.problems.append(str(error)))
        page.on("request", lambda asked: view.problems.append(asked.url) if not inside(asked.url, folder) else None)
        page.goto(folder + address)
        return view

    yield open_page
    for view in pages:
        view.page.close()
    assert [problem for view in pages for problem in view.problems] == []


def inside(url: str, folder: str) -> bool:
    return url.startswith((folder, "data:"))
