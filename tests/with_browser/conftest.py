"""Tests of the leaderboard's pages in a browser: Chromium, as Debian packages it, driven by Playwright.

They are skipped where there is no Chromium on the path or no Playwright; `.ci/run` says that both have to be there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("VPBENCH_REQUIRE_BROWSER") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacking = [] if CHROMIUM else ["no Chromium on the path (scripts/browser installs Debian's)"]
    lacking += [] if importlib.util.find_spec("playwright") else ["no Playwright (it is in the extra dev)"]
    for item in items:
        if lacking and not REQUIRED and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="; ".join(lacking)))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # a container has no user but root, under whom Chromium's sandbox doesn't start
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
