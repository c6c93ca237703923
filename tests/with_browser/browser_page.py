"""A page of a site in Chromium, which must neither complain nor ask for anything outside of the site's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

THEMES = ("light", "dark")
WIDTHS = (390, 1280, 1920)


@contextmanager
def opened(browser: Any, site: Path, address: str = "index.html", **context: Any) -> Iterator[Any]:
    """The page at `address` within the site, from the file system; what it did wrong fails the test at the end."""
    settings = {"viewport": {"width": 1280, "height": 900}, **context}
    with browser.new_context(**settings, permissions=["clipboard-read", "clipboard-write"]) as session:
        page = session.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        root = site.resolve().as_uri()
        page.on("request", lambda ask: None if ask.url.startswith((f"{root}/", "data:")) else wrong.append(ask.url))
        page.goto(f"{root}/{address}")
        yield page
        assert not wrong, wrong


def wider_than_the_window(page: Any) -> bool:
    """Whether the page as a whole would scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def serious_faults(page: Any) -> list[str]:
    """What axe-core finds that keeps people from using the page, with where it is."""
    from axe_core_python import sync_playwright as axe

    found = axe.Axe().run(page)
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:5]
    ]
