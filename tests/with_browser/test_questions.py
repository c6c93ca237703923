"""The browser of questions in a browser: from the file system, by keyboard, shared by address, hostile text as text."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser_page import THEMES, WIDTHS, opened, serious_faults, wider_than_the_window
from site_data import content

import vpbench
from vpbench.report.stored import StoredResult, read_result
from vpbench.site.leaderboard import build_leaderboard

Look = Callable[..., Any]

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '<img src="x" onerror="window.hacked = 1">',
    '<a href="javascript:window.hacked = 1">here</a>',
    "</td></tr></table></details><svg onload=window.hacked=1>",
    "NUL \x00, ESC \x1b[31m, BEL \x07",
    "\u202egnorw\u202c \u2066isolated\u2069 \u200fmarked",
    "x" * 1_000_000,
]
SHOWN = ["⟨U+0000⟩", "⟨U+001B⟩[31m", "⟨U+202E⟩", "⟨U+2066⟩", "⟨U+200F⟩"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> list[StoredResult]:
    output = tmp_path_factory.mktemp("run")
    results = vpbench.run(
        ["mathvista", "visualprocessbench"],
        ["visualprm", "self-consistency"],
        nano=True,
        limit=24,
        resamples=100,
        output=output,
    )
    return [read_result(result.folder) for result in results]


@pytest.fixture(scope="module")
def site(run: list[StoredResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site with a blank")
    build_leaderboard(run[0].folder.parent.parent, folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site over a run in which everything that can be named is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    pool, scores = folder / "<svg onload=window.hacked=1>.jsonl", folder / "scores.jsonl"
    with pool.open("w") as lines, scores.open("w") as rows:
        for number, text in enumerate(HOSTILE):
            question = {"question_id": str(number), "question": text, "answer": "B", "choices": [text[:5000], "four"]}
            kinds = {"categories": {text[:200]: HOSTILE[0], "kind": text[:200]}, "answer_type": "text"}
            candidates = [{"response": f"{other}\n\nAnswer: B"} for other in HOSTILE]
            lines.write(json.dumps({**question, **kinds, "candidates": candidates}) + "\n")
            for index in range(len(HOSTILE)):
                row = {"question_id": str(number), "index": index, "step_scores": [index / 10, 0.5]}
                rows.write(json.dumps(row) + "\n")
    vpbench.run(["mathvista"], scores=(str(scores),), pool=pool, resamples=100, output=folder / "runs")
    build_leaderboard(folder / "runs", folder / "site")
    return folder / "site"


@pytest.fixture
def look(chromium: Any) -> Iterator[Look]:
    """Opens an address of a site; at the end no page may have done anything wrong."""
    with ExitStack() as pages:
        yield lambda site, address="questions.html", **context: pages.enter_context(
            opened(chromium, site, address, **context)
        )


def critic(run: list[StoredResult], name: str, task: str = "mathvista") -> str:
    return next(s.folder.name for s in run if (s.result.critic, s.result.task) == (name, task))


def where(page: Any) -> str:
    page.wait_for_selector("#q-body[aria-busy=false] article")
    return str(page.inner_text("#q-where"))


def at(page: Any, number: int) -> None:
    """Waits for the question of this number; the page's policy lets nothing poll in it."""
    page.locator("#q-where", has_text=re.compile(rf"^{number} of ")).wait_for()
    where(page)


def title(page: Any) -> str:
    where(page)
    return str(page.inner_text("article h2"))


def test_a_question_opens_from_the_file_system(run: list[StoredResult], site: Path, look: Look) -> None:
    page = look(site)
    assert where(page) == "1 of 24"
    picture = page.locator(".q-pictures img")
    assert picture.evaluate("image => image.naturalWidth") > 0
    assert "Gold answer" in page.inner_text("article")
    assert page.locator(".q-picks tbody tr").count() == 3
    picked = page.locator(".q-candidate.q-picked")
    assert picked.count() == 1 and picked.locator(".q-step").count() > 1
    chips = picked.locator(".q-step .q-chip")
    assert all(0 <= float(text) <= 1 for text in chips.all_inner_texts())
    assert "Read as" in picked.inner_text()


def test_the_keyboard_goes_through_questions(site: Path, look: Look) -> None:
    page = look(site)
    first = title(page)
    page.keyboard.press("j")
    at(page, 2)
    second = title(page)
    page.keyboard.press("ArrowRight")
    at(page, 3)
    third = title(page)
    page.keyboard.press("k")
    at(page, 2)
    assert title(page) == second != first
    page.keyboard.press("/")
    page.keyboard.type("jk")
    assert page.input_value("#q-search") == "jk"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") != "q-search"
    page.go_back()
    at(page, 3)
    assert title(page) == third


def test_candidates_by_answer_and_by_score(site: Path, look: Look) -> None:
    page = look(site)
    where(page)
    assert page.locator(".q-group").count() > 0
    page.keyboard.press("g")
    page.wait_for_selector(".q-group", state="detached")
    scores = [float(text) for text in page.locator(".q-candidate summary .q-chip").all_inner_texts()]
    assert len(scores) == 20 and scores == sorted(scores, reverse=True)
    page.click("text=108 more candidates")
    assert page.locator(".q-candidate").count() == 70


@pytest.mark.parametrize("name", ["missed", "beats-vote", "loses-to-vote", "disagree", "failed"])
def test_filters_leave_what_they_say(name: str, run: list[StoredResult], site: Path, look: Look) -> None:
    slug = critic(run, "visualprm")
    [entry] = [e for e in content(site / "data" / "catalogue.js") if e["slug"] == slug]
    [other] = [e for e in content(site / "data" / "catalogue.js") if e["slug"] == critic(run, "self-consistency")]
    pool, marks, own, vote = (
        content(site / "data" / key / "index.js")
        for key in (entry["pool"], entry["verdicts"], entry["scores"], other["scores"])
    )
    wanted = [
        id
        for k, id in enumerate(pool["ids"])
        if {
            "missed": not own["pickRight"][k] and marks["right"][k],
            "beats-vote": own["pickRight"][k] and marks["voteRight"][k] == 0,
            "loses-to-vote": not own["pickRight"][k] and marks["voteRight"][k],
            "disagree": any(own[key][k] != vote[key][k] for key in ("pickClass", "pickRight")),
            "failed": own["failed"][k] or marks["unread"][k],
        }[name]
    ]
    page = look(site, f"questions.html#result={slug}")
    where(page)
    page.locator(f"#q-filters input[value={name}]").check()
    count = page.locator("#q-count")
    assert f"{len(wanted)} of 24 questions" in count.inner_text()
    assert page.locator("#q-list a b").all_inner_texts() == wanted
    assert page.evaluate("document.activeElement.value") == name
    page.click("#q-clear")
    assert count.inner_text() == "24 questions"


def test_search_category_and_range(site: Path, look: Look) -> None:
    page = look(site)
    where(page)
    page.fill("#q-search", "mean height")
    left = page.locator("#q-list a .q-head").all_inner_texts()
    assert 0 < len(left) < 24 and all("mean height" in text for text in left)
    page.click("#q-clear")
    where(page)
    option = page.locator("#q-category option").nth(1)
    page.select_option("#q-category", option.get_attribute("value"))
    assert page.locator("#q-count").inner_text().endswith("of 24 questions")
    page.click("#q-clear")
    where(page)
    page.fill("#q-min", "2")
    assert page.inner_text("#q-count") == "0 of 24 questions"
    assert "No question is left" in page.inner_text("#q-body")
    assert page.locator("#q-next").is_disabled()


def test_a_view_is_shared_by_its_address(run: list[StoredResult], site: Path, look: Look) -> None:
    page = look(site, f"questions.html#result={critic(run, 'visualprm')}")
    where(page)
    page.select_option("#q-with", critic(run, "self-consistency"))
    page.locator(".q-critic").nth(1).wait_for()
    page.keyboard.press("j")
    at(page, 2)
    seen = title(page)
    link = page.locator(".q-link").get_attribute("href")
    again = look(site, f"questions.html{link}")
    assert title(again) == seen
    assert again.locator(".q-critic").count() == 2
    assert again.inner_text("#q-where") == "2 of 24"
    assert seen.removeprefix("Question ") in again.title()


def test_labels_stand_beside_scores_of_steps(run: list[StoredResult], site: Path, look: Look) -> None:
    slug = critic(run, "visualprm", "visualprocessbench")
    page = look(site, f"questions.html#result={slug}&filter=errs")
    where(page)
    steps = page.locator(".q-step")
    labels = page.locator(".q-step .q-sign:text-matches('^labelled')")
    assert steps.count() == labels.count() == page.locator(".q-step .q-chip").count()
    assert page.locator(".q-step.q-differs").count() > 0


def test_a_pool_of_verdicts_alone_shows_scores_and_verdicts(look: Look, tmp_path: Path) -> None:
    verdicts = [{"correct": correct} for correct in (True, False, True)]
    question = {"question_id": "1", "question": "How many?", "answer": "4", "candidates": verdicts}
    rows = [{"question_id": "1", "index": index, "step_scores": [0.1, index / 4]} for index in range(3)]
    (tmp_path / "pool.jsonl").write_text(json.dumps(question))
    (tmp_path / "scores.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    options: Any = {"pool": tmp_path / "pool.jsonl", "scores": (str(tmp_path / "scores.jsonl"),), "resamples": 100}
    vpbench.run(["gsm8k"], **options, trust_verdicts=True, n=(1, 2), output=tmp_path / "runs")
    build_leaderboard(tmp_path / "runs", tmp_path / "site")
    page = look(tmp_path / "site")
    where(page)
    assert page.locator(".q-group").count() == 0
    assert page.locator(".q-candidate summary .q-sign").all_inner_texts() == ["right", "wrong", "right"]
    assert page.locator(".q-picked .q-body .q-chip").all_inner_texts() == ["0.100", "0.500"]
    assert "The pool has no text of this response" in page.inner_text(".q-picked")
    assert page.locator("#q-filters label", has_text="failed").locator(".q-number").inner_text() == "0"


def test_what_cannot_be_shown_says_so(site: Path, look: Look, chromium: Any, tmp_path: Path) -> None:
    look(site, "questions.html#result=gone").wait_for_selector("text=isn't here to be browsed")
    assert where(look(site, "questions.html#question=no-such-question")) == "1 of 24"
    torn = shutil.copytree(site, tmp_path / "torn")
    for chunk in torn.glob("data/scores-*/chunk-0000.js"):
        chunk.unlink()
    with pytest.raises(AssertionError, match="ERR_FILE_NOT_FOUND"), opened(chromium, torn, "questions.html") as page:
        page.wait_for_selector("text=was the folder copied whole?")
        assert page.locator("text=Try again").is_visible()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_never_scrolls_sideways(width: int, theme: str, site: Path, hostile: Path, look: Look) -> None:
    for folder in (site, hostile):
        page = look(folder, viewport={"width": width, "height": 900}, color_scheme=theme)
        where(page)
        page.keyboard.press("o")
        assert not wider_than_the_window(page)


MOVED = """async () => {
  let moved = 0;
  const add = (list) => list.getEntries().forEach((shift) => { moved += shift.value; });
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  await new Promise((done) => setTimeout(done, 100));
  return moved;
}"""


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_moves_while_a_question_comes_in(width: int, site: Path, look: Look) -> None:
    page = look(site, viewport={"width": width, "height": 900})
    where(page)
    assert page.evaluate(MOVED) < 0.005


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("task", ["mathvista", "visualprocessbench"])
def test_nothing_keeps_people_from_using_the_page(
    task: str, theme: str, run: list[StoredResult], site: Path, look: Look
) -> None:
    beside = f"&with={critic(run, 'self-consistency', task)}"
    page = look(site, f"questions.html#result={critic(run, 'visualprm', task)}{beside}", color_scheme=theme)
    where(page)
    assert serious_faults(page) == []


def test_hostile_text_is_text(hostile: Path, look: Look) -> None:
    page = look(hostile, "questions.html#order=score")
    texts = ""
    for number in range(len(HOSTILE)):
        at(page, number + 1)
        page.wait_for_selector("#q-body[aria-busy=false] article")
        page.keyboard.press("o")
        for facts in page.locator(".q-facts").all():
            facts.evaluate("element => { element.open = true; }")
        texts += page.inner_text("body")
        assert page.locator("#q-body script, #q-body svg, #q-body [onerror], #q-body [onload]").count() == 0
        assert page.locator("a[href^='javascript']").count() == 0
        page.keyboard.press("j")
    for shown in (*HOSTILE[:4], *SHOWN):
        assert shown in texts, shown
    assert "\u202e" not in texts and "\x1b" not in texts
    assert "Show all 1,000,000 characters" in texts
    assert page.evaluate("window.hacked") is None


def test_a_megabyte_is_shown_when_it_is_asked_for(hostile: Path, look: Look) -> None:
    page = look(hostile, f"questions.html#question={len(HOSTILE) - 1}")
    where(page)
    page.locator(".q-words > div button").click()
    assert page.evaluate("document.querySelector('.q-words .q-text').textContent.length") == 1_000_000
    assert page.locator(".q-words .q-text").first.evaluate("box => box.clientHeight") < 700
