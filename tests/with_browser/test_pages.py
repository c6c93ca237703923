"""The leaderboard's pages as people use them: switch, sort, search, columns, copies, keyboard, narrow and dark."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser_page import THEMES, WIDTHS, opened, serious_faults, wider_than_the_window
from test_report_compare import changed

import vpbench
from vpbench.report.codec import as_json
from vpbench.report.result import StepResult
from vpbench.report.stored import StoredResult
from vpbench.site.leaderboard import build_leaderboard

TASKS = ("mathvista", "mmmu")
CRITICS = ("prm=visualprm", "base=visualprm:pretrained-prm", "self-consistency")
HOSTILE = (
    "</td></table><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    "<svg onload=alert(3)>javascript:alert(4)\x00\x1b[2J\u202eabc{{ 7 * 7 }}"
)
MEAN = "#mean-1"
CONTROLS = ["majority vote", "random pick", "oracle (pass@N)"]


def copied(stored: StoredResult, folder: Path) -> None:
    """A copy of the result with all its files, as `changed` has made it."""
    shutil.copytree(stored.folder, folder)
    (folder / "result.json").write_text(json.dumps(as_json(stored.result)))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[StoredResult]:
    output = tmp_path_factory.mktemp("runs")
    options: Any = {"nano": True, "limit": 12, "resamples": 200, "output": output}
    best_of_n = vpbench.run(TASKS, CRITICS, **options, n=(1, 2, 8, 16))
    steps = vpbench.run("visualprocessbench", CRITICS[:2], **options)
    return [changed(s, complete=True, questions_in_task=s.result.questions) for s in (*best_of_n, *steps)]


@pytest.fixture(scope="module")
def site(results: list[StoredResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for number, stored in enumerate(results):
        copied(stored, folder / "runs" / "results" / str(number))
    return build_leaderboard(folder / "runs", folder / "site")[0].parent


def names(page: Any, ranking: str = MEAN) -> list[str]:
    """The critics shown, in order."""
    rows = page.locator(f"{ranking} .panel:visible tbody:not(.controls) tr:visible th")
    return [text.split("\n")[0].removesuffix(" best").strip() for text in rows.all_inner_texts()]


def column(page: Any, key: str, ranking: str = MEAN) -> list[float]:
    cells = page.locator(f'{ranking} .panel:visible tbody:not(.controls) tr:visible td[data-column="{key}"]')
    return [float(value) for value in cells.evaluate_all("cells => cells.map(cell => cell.dataset.value ?? 'NaN')")]


def test_the_switch_shows_the_table_of_an_n(chromium: Any, site: Path) -> None:
    with opened(chromium, site) as page:
        assert page.locator(f"{MEAN} .panel:visible").get_attribute("data-n") == "8"
        at_8 = column(page, "mean")
        page.locator(f"{MEAN} .switch label", has_text="16").click()
        assert page.locator(f"{MEAN} .panel:visible").get_attribute("data-n") == "16"
        assert column(page, "mean") != at_8
        # other rankings have a switch of their own
        page.locator("#task-1-1 .switch label", has_text="2").click()
        assert page.locator("#task-1-1 .panel:visible").get_attribute("data-n") == "2"
        assert page.locator(f"{MEAN} .panel:visible").get_attribute("data-n") == "16"


def test_a_header_sorts_and_sorts_the_other_way(chromium: Any, site: Path) -> None:
    with opened(chromium, site) as page:
        head = page.locator(f'{MEAN} .panel:visible th[data-column="task_1"]')
        head.get_by_role("button").click()
        values = column(page, "task_1")
        assert values == sorted(values, reverse=True) and head.get_attribute("aria-sort") == "descending"
        head.get_by_role("button").click()
        assert column(page, "task_1") == sorted(values) and head.get_attribute("aria-sort") == "ascending"
        page.locator(f'{MEAN} .panel:visible th[data-column=""]').get_by_role("button").click()
        assert names(page) == sorted(names(page))
        # the order stays when N is switched
        page.locator(f"{MEAN} .switch label", has_text="16").click()
        assert names(page) == sorted(names(page))


def test_search_filter_and_nothing_that_fits(chromium: Any, site: Path) -> None:
    with opened(chromium, site) as page:
        ranking = page.locator(MEAN)
        ranking.get_by_role("searchbox").fill("BASE")
        assert names(page) == ["base"]
        ranking.get_by_role("searchbox").fill("no such critic")
        assert names(page) == [] and ranking.locator(".none:visible").count() == 1
        ranking.get_by_role("button", name="Show all rows").click()
        assert len(names(page)) == 3 and ranking.locator(".none:visible").count() == 0
        ranking.get_by_role("combobox").select_option("failed")
        assert names(page) == []


def test_columns_can_be_chosen(chromium: Any, site: Path) -> None:
    with opened(chromium, site) as page:
        cells = page.locator(f'{MEAN} .panel:visible [data-column="hardware"]')
        assert not cells.first.is_visible()
        page.locator(f"{MEAN} .columns summary").click()
        page.locator(f"{MEAN} .columns").get_by_label("hardware").check()
        assert cells.first.is_visible()
        page.keyboard.press("Escape")
        assert page.locator(f"{MEAN} .columns").get_attribute("open") is None
        page.locator(f"{MEAN} .switch label", has_text="16").click()
        assert cells.first.is_visible()


def test_the_rows_shown_are_copied_in_their_order(chromium: Any, site: Path) -> None:
    with opened(chromium, site) as page:
        page.locator(f'{MEAN} .panel:visible th[data-column=""]').get_by_role("button").click()
        shown = names(page)
        texts = {}
        for style in ("CSV", "Markdown", "LaTeX"):
            page.locator(MEAN).get_by_role("button", name=f"Copy as {style}").click()
            page.locator(f"{MEAN} .said", has_text=f"copied as {style}").wait_for()
            texts[style] = page.evaluate("navigator.clipboard.readText()")
        rows = list(csv.DictReader(io.StringIO(texts["CSV"])))
        assert list(dict.fromkeys(row["name"] for row in rows))[: len(shown)] == shown
        means = [float(row["value"]) for row in rows if row["column"] == "mean" and row["name"] in shown]
        assert means == pytest.approx(column(page, "mean"), abs=1e-6)
        for style, opens in (("Markdown", "| "), ("LaTeX", "")):
            lines = [line.removeprefix(opens) for line in texts[style].splitlines()]
            order = [next(k for k, line in enumerate(lines) if line.startswith(f"{name} ")) for name in shown]
            assert order == sorted(order)
        assert r"\begin{tabular}" in texts["LaTeX"]
        page.locator(MEAN).get_by_role("searchbox").fill("base")
        page.locator(MEAN).get_by_role("button", name="Copy as CSV").click()
        page.locator(f"{MEAN} .said", has_text="4 rows copied").wait_for()
        rows = list(csv.DictReader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
        assert list(dict.fromkeys(row["name"] for row in rows)) == ["base", *CONTROLS]


def test_the_keyboard_reaches_and_works_everything(chromium: Any, site: Path) -> None:
    with opened(chromium, site) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.locator(f"{MEAN} .switch input:checked").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator(f"{MEAN} .panel:visible").get_attribute("data-n") == "16"
        page.locator(f'{MEAN} .panel:visible th[data-column=""] button').focus()
        page.keyboard.press("Enter")
        assert names(page) == sorted(names(page))
        page.locator(f"{MEAN} .panel:visible td a").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/results/*.html")


def test_every_page_is_linked_and_leads_back(chromium: Any, site: Path, results: list[StoredResult]) -> None:
    with opened(chromium, site) as page:
        addresses = page.locator("a[href^='results/']").evaluate_all("links => links.map(link => link.href)")
        assert len(set(addresses)) == len(results)
        for address in dict.fromkeys(addresses):
            page.goto(address)
            assert page.get_by_role("heading", level=1).count() == 1
            assert "vpbench" in page.locator(".command").inner_text()
        page.locator(".crumbs a").click()
        page.wait_for_url("**/index.html#task-*")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways_and_nothing_keeps_people_out(
    chromium: Any, site: Path, results: list[StoredResult], theme: str, width: int
) -> None:
    kinds = {type(stored.result): f"results/{number}.html" for number, stored in enumerate(results)}
    for address in ("index.html", *kinds.values()):
        settings = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
        with opened(chromium, site, address, **settings) as page:
            assert not wider_than_the_window(page), address
            for details in page.locator("details").all():
                details.evaluate("part => part.open = true")
            assert not wider_than_the_window(page), address
            assert serious_faults(page) == [], address
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (background == "rgb(255, 255, 255)") == (theme == "light")


def test_without_a_script_everything_is_there(chromium: Any, site: Path) -> None:
    with opened(chromium, site, java_script_enabled=False) as page:
        assert page.locator(f"{MEAN} .panel:visible").count() == 4
        assert not page.locator(".tools").first.is_visible()
        assert not page.locator("pre[data-style]").first.is_visible()


def test_nothing_moves_while_a_page_loads(chromium: Any, site: Path) -> None:
    watch = """() => new Promise(done => {
        let moved = 0;
        new PerformanceObserver(list => { for (const entry of list.getEntries()) moved += entry.value; })
            .observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(moved), 300);
    })"""
    with opened(chromium, site) as page:
        assert page.evaluate(watch) < 0.01


def test_hostile_words_are_text(chromium: Any, results: list[StoredResult], tmp_path: Path) -> None:
    long = HOSTILE + "x" * 1_000_000
    for number, stored in enumerate(results):
        result = stored.result
        words: dict[str, Any] = {"label": f"{HOSTILE}{result.row}", "notes": (long,), "diagnosis": (HOSTILE,)}
        settings = {"model": HOSTILE, HOSTILE: HOSTILE}
        words["provenance"] = {"critic_settings": settings, "command": ("vpbench", HOSTILE)}
        if isinstance(result, StepResult):
            sources = {f"{HOSTILE}{name}": figures for name, figures in result.step_f1.by_source.items()}
            words["step_f1"] = replace(result.step_f1, by_source=sources)
        else:
            words |= {"policy": HOSTILE, "judge": HOSTILE}
            words["measures"] = tuple(replace(m, category=m.category and HOSTILE) for m in result.measures)
        copied(changed(stored, **words), tmp_path / "runs" / "results" / f"{number}'\"<b>&x")
    site = build_leaderboard(tmp_path / "runs", tmp_path / "site")[0].parent
    for file in (site / "index.html", *(site / "results").glob("*.html")):
        with opened(chromium, site, file.relative_to(site).as_posix()) as page:
            assert page.locator("script").count() == 1 and page.locator("img, iframe, object").count() == 0
            assert page.locator("[onload], [onerror], a[href^='javascript:']").count() == 0
            text = page.locator("body").inner_text()
            assert "<script>alert(1)" in text and "{{ 7 * 7 }}" in text
            assert not any(sign in text for sign in "\x00\x1b\u202e")
            assert not wider_than_the_window(page)
