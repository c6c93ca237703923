"""The leaderboard: a static page over all results, every figure with its interval, its pool and its grading.

Results on part of a task, and those of the miniature world, are marked as such and never ranked with complete ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.plugins import all_tasks
from vpbench.report.names import names
from vpbench.report.plots import critics_plot
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult, read_result
from vpbench.store import write_atomic
from vpbench.terminal import percent, points

_TEMPLATES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Entry:
    """A result as the page shows it; its `name` tells it from the others of its section."""

    name: str
    folder: Path
    result: BestOfNResult | StepResult


def build_leaderboard(output: Path, site: Path) -> tuple[Path, int]:
    """Write the page for all results under `output`/results; the page and how many results it shows.

    Raises `ConfigError` if there are none, or one that can't be read.
    """
    files = sorted((output / "results").glob("*/result.json"))
    if not files:
        raise ConfigError(f"{output}: no results; `vpbench run ... --output {output}` makes them")
    (site / "plots").mkdir(parents=True, exist_ok=True)
    results = [read_result(path) for path in files]
    tasks = {name: plugin.cls for name, plugin in all_tasks().items()}
    sections = []
    for nano, name in sorted({(stored.result.nano, stored.result.task) for stored in results}):
        entries = _entries([stored for stored in results if (stored.result.nano, stored.result.task) == (nano, name)])
        plots = [_plot(group, site) for group in _comparable(entries)]
        steps = isinstance(entries[0].result, StepResult)
        section = {"name": name, "nano": nano, "task": tasks.get(name), "steps": steps}
        sections.append({**section, "entries": entries, "plots": plots})
    page = _environment().get_template("leaderboard.html.j2").render(sections=sections)
    write_atomic(site / "index.html", page.encode())
    shutil.copyfile(_TEMPLATES / "leaderboard.css", site / "leaderboard.css")
    return site / "index.html", len(results)


def _entries(results: Sequence[StoredResult]) -> list[Entry]:
    ranked = sorted(results, key=_rank)
    called = names([stored.result for stored in ranked])
    return [Entry(name, stored.folder, stored.result) for name, stored in zip(called, ranked, strict=True)]


def _comparable(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Results on the same candidates, questions and grading together; each step result alone."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        result = entry.result
        key: tuple[Any, ...] = (entry.folder,)
        if isinstance(result, BestOfNResult):
            candidates = (result.provenance.pool_sha256, result.policy, result.questions, result.ns)
            key = (*candidates, result.grading, result.judge, result.estimator)
        groups.setdefault(key, []).append(entry)
    return list(groups.values())


def _plot(entries: Sequence[Entry], site: Path) -> dict[str, str]:
    """The picture of results that can be compared, written under `site`: file and description.

    Its lines go by name, so that a critic has one colour on all pictures of the same critics.
    """
    first = entries[0]
    file = f"plots/{first.folder.name}.svg"
    if len(entries) == 1:
        try:
            shutil.copyfile(first.folder / "curve.svg", site / file)
        except OSError as error:
            raise ConfigError(f"{first.folder}: curve.svg can't be read ({error.strerror}); run it again") from error
    else:
        curves = [(entry.name, entry.result) for entry in entries if isinstance(entry.result, BestOfNResult)]
        curves.sort(key=lambda named: (named[0], named[1].selection))
        write_atomic(site / file, critics_plot(curves)["svg"])
    return {"file": file, "alt": f"{', '.join(entry.name for entry in entries)} on {first.result.task}"}


def _rank(stored: StoredResult) -> tuple[bool, str, str, float]:
    """Complete results first; those on one pool and grading stay together, as only they can be compared."""
    result = stored.result
    if isinstance(result, BestOfNResult):
        grading, headline = result.grading, result.curves["critic"][-1].value
    else:
        grading, headline = "", result.headline[0] or 0.0
    return not result.complete, result.policy, grading, -headline


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "points": points}
    return environment
