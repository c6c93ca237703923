"""The browser of questions over results of many candidates: seconds and memory to build it, sizes, seconds to open it.

    python benchmarks/site.py [QUESTIONS x CANDIDATES ...]

A result of the miniature world is written at full size: words drawn at random in eight steps, a score for each, a
picture of 640 x 480 per question. Opening is measured in Chromium, from the file system, where Playwright is installed.
"""

from __future__ import annotations

import io
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

import vpbench
from vpbench.report.codec import as_json
from vpbench.report.frames import readable
from vpbench.report.stored import read_result
from vpbench.site.browser import write_browser
from vpbench.store import sha256, table_bytes
from vpbench.terminal import table

SIZES = ((94, 128), (5010, 128))
STEPS, WORDS_IN_STEP = 8, 16
CHROMIUM = "/usr/bin/chromium"
UNTIL_SHOWN = """async (id) => {
  const started = performance.now();
  const address = new URLSearchParams(location.hash.slice(1));
  address.set("question", id);
  location.hash = address;
  const title = () => document.querySelector("article h2")?.textContent;
  while (title() !== `Question ${id}`) await new Promise(requestAnimationFrame);
  return performance.now() - started;
}"""


def main(sizes: list[tuple[int, int]]) -> None:
    rows = []
    for questions, candidates in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(Path(folder), questions, candidates))
    headers = [
        "candidates",
        "texts MB",
        "build s",
        "CPU s",
        "again s",
        "CPU s",
        "peak MB",
        "largest index KB",
        "largest chunk KB",
    ]
    headers += ["site MB", "files", "opens s", "another question s"]
    print(table(rows, headers))


def measured(folder: Path, questions: int, candidates: int) -> list[Any]:
    runs, site = folder / "runs", folder / "site"
    write_run(runs, questions, candidates)
    texts = sum(path.stat().st_size for path in runs.glob("texts/*/*"))
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        command = [sys.executable, __file__, "build", str(runs), str(site)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        seconds += [time.perf_counter() - started, float(said[0])]
    peak = int(said[1]) / 1024
    files = [path for path in site.rglob("*") if path.is_file()]
    largest = {
        name: max(path.stat().st_size for path in files if path.name.startswith(name)) for name in ("index.js", "chunk")
    }
    size = sum(path.stat().st_size for path in files)
    built = [f"{questions * candidates:,}", f"{texts / 1e6:.0f}", *(f"{value:.1f}" for value in seconds), f"{peak:.0f}"]
    sizes = [*(f"{value / 1e3:.0f}" for value in largest.values()), f"{size / 1e6:.0f}", len(files)]
    return [*built, *sizes, *opened(site, questions)]


def build(runs: Path, site: Path) -> None:
    results, _ = readable(sorted((runs / "results").glob("*/result.json")))
    assert write_browser(results, site, public=False)
    # not `resource.ru_maxrss`, in which a process begins with its parent's
    print(time.process_time(), re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])


def write_run(runs: Path, questions: int, candidates: int) -> None:
    """A run's folder with one result of so many questions and candidates."""
    options: Any = {"nano": True, "limit": 2, "n": [1, 2], "resamples": 100, "output": runs}
    stored = read_result(vpbench.run("mathvista", "visualprm", **options)[0].folder)
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(3000)]
    ids = [str(number) for number in range(questions)]
    rows = {"question_id": [id for id in ids for _ in range(candidates)], "index": [*range(candidates)] * questions}
    count = questions * candidates
    steps = np.random.default_rng(0).random((count, STEPS))
    answers = [f"{draw.randint(0, 9)}" for _ in range(count)]
    # too many to stand twice within what a compressor looks back on
    sentences = [" ".join(draw.choices(words, k=WORDS_IN_STEP)) for _ in range(20_000)]
    texts: dict[str, Any] = {
        **rows,
        "response": pa.array((response(draw, sentences, answer) for answer in answers), pa.string()),
        "step_texts": pa.nulls(count, pa.list_(pa.string())),
    }
    asked = [" ".join(draw.choices(words, k=30)) for _ in ids]
    folder = runs / str(stored.result.provenance.texts)
    asked_table = {"question_id": ids, "question": asked, "gold": ["4"] * questions}
    choices = pa.nulls(questions, pa.list_(pa.string()))
    pictures = [[name] for name in write_pictures(runs / "images", questions)]
    details = {"categories": ['{"kind": "drawn"}'] * questions, "pictures": pictures, "missing": [[""]] * questions}
    tables = {
        folder / "questions.parquet": {**asked_table, "choices": choices},
        folder / "candidates.parquet": texts,
        folder / "details.parquet": {"question_id": ids, **details},
        stored.folder / "rows.parquet": {
            **rows,
            "extracted": answers,
            "answer_class": [f"number:{answer}" for answer in answers],
            "correct": [answer == "4" for answer in answers],
            "reason": ["match" if answer == "4" else "different" for answer in answers],
            "value": steps.mean(axis=1),
            "steps": pa.FixedSizeListArray.from_arrays(pa.array(steps.ravel()), STEPS).cast(pa.list_(pa.float64())),
            "score_reason": pa.nulls(count, pa.string()),
        },
    }
    for path, columns in tables.items():
        path.write_bytes(table_bytes(pa.table(columns)))
    files = {**(stored.result.files or {}), "rows.parquet": sha256((stored.folder / "rows.parquet").read_bytes())}
    result = replace(stored.result, questions=questions, candidates=count, pool_size=candidates, files=files)
    (stored.folder / "result.json").write_text(json.dumps(as_json(result)))


def response(draw: random.Random, sentences: list[str], answer: str) -> str:
    return "\n\n".join([*draw.choices(sentences, k=STEPS - 1), f"Answer: {answer}"])


def write_pictures(folder: Path, count: int) -> list[str]:
    """Distinct pictures that cost the same to decode: one JPEG with a comment of its own in each."""
    shades = np.add.outer(np.arange(480), np.arange(640)) + np.random.default_rng(0).integers(0, 60, (480, 640))
    buffer = io.BytesIO()
    Image.fromarray((shades % 256).astype(np.uint8)).convert("RGB").save(buffer, "JPEG", quality=80)
    whole = buffer.getvalue()
    names = []
    for number in range(count):
        data = whole[:2] + b"\xff\xfe\x00\x06" + number.to_bytes(4, "big") + whole[2:]
        names.append(sha256(data))
        (folder / names[-1]).write_bytes(data)
    return names


def opened(site: Path, questions: int) -> list[str]:
    """Seconds from the address to the first question, and from a key to another one in a chunk that isn't loaded."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return ["not measured", "not measured"]
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        started = time.perf_counter()
        page.goto(f"{(site / 'questions.html').as_uri()}")
        page.wait_for_selector("article h2")
        first = time.perf_counter() - started
        seconds = []
        for id in (questions // 2, questions - 1, questions // 3):
            seconds.append(page.evaluate(UNTIL_SHOWN, str(id)) / 1000)
        browser.close()
    return [f"{first:.2f}", f"{max(seconds):.2f}"]


if __name__ == "__main__":
    if sys.argv[1:2] == ["build"]:
        build(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        given = [text.split("x") for text in sys.argv[1:]]
        main([(int(questions), int(candidates)) for questions, candidates in given] or list(SIZES))
