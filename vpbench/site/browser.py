"""The browser of questions: a page that shows every candidate of every question, and what critics and the vote picked.

The page and its scripts are the same for all results; what they show lies beside them as data in pieces, loaded as it
is asked for (`vpbench.site.chunks`): texts once per pool, verdicts once per grading, scores once per result.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpbench.base import BaseTask
from vpbench.errors import VpbenchError
from vpbench.plugins import all_tasks
from vpbench.report.names import names, without_paths
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult
from vpbench.report.texts import stored_texts
from vpbench.site.addresses import slug
from vpbench.site.browser_pool import PoolTexts, picture_stems, read_pool, write_pool
from vpbench.site.browser_rows import rows_of_pool, write_rows
from vpbench.site.chunks import forget_others, script
from vpbench.site.step_texts import fitting_rule
from vpbench.store import write_atomic
from vpbench.terminal import echo

_ASSETS = Path(__file__).parent / "browse"
_SAMPLE = 500
"""Scored responses from which it is told how a critic cuts steps."""


def write_browser(results: Sequence[StoredResult], site: Path, public: bool) -> set[str]:
    """Write the page, its data and pictures into the folder `site`; the slugs of the results that it can show.

    Left out is what has no texts, as results of earlier versions, and for a `public` page all that the licence of the
    data isn't known to allow. A result whose files are damaged is told on standard error and left out.
    """
    (site / "data").mkdir(parents=True, exist_ok=True)
    tasks = {name: plugin.cls for name, plugin in all_tasks().items()}
    pools: dict[Path, list[StoredResult]] = {}
    for stored in results:
        folder = stored_texts(stored)
        if folder is not None and "texts" in shown(stored, tasks, public):
            pools.setdefault(folder, []).append(stored)
    catalogue: list[dict[str, Any]] = []
    pictures: set[str] = set()
    for folder, members in pools.items():
        with_pictures = "pictures" in shown(members[0], tasks, public)
        try:
            pool = read_pool(folder)
        except VpbenchError as error:
            echo(f"not to be browsed: {error}", err=True)
            continue
        catalogue += _write_pool(pool, members, site, with_pictures, tasks.get(members[0].result.task))
        pictures |= picture_stems(pool) if with_pictures else set()
    forget_others(site, {entry[part] for entry in catalogue for part in ("pool", "verdicts", "scores")}, pictures)
    catalogue.sort(key=lambda entry: (entry["nano"], entry["task"], entry["policy"], entry["name"]))
    write_atomic(site / "data" / "catalogue.js", script("catalogue", catalogue))
    _write_assets(site)
    return {entry["slug"] for entry in catalogue}


def shown(stored: StoredResult, tasks: dict[str, type[BaseTask]], public: bool) -> tuple[str, ...]:
    """What a page may show of a result's questions: "texts", "pictures"."""
    if not public or stored.result.nano:
        return ("texts", "pictures")
    task = tasks.get(stored.result.task)
    return () if task is None else task.source.shown_publicly


def _write_pool(
    pool: PoolTexts, members: Sequence[StoredResult], site: Path, pictures: bool, task: type[BaseTask] | None
) -> list[dict[str, Any]]:
    """Write a pool and the results on it; what the catalogue says of them."""
    rows: list[tuple[StoredResult, str, Any]] = []
    called = names([stored.result for stored in members])
    for stored, name in zip(members, called, strict=True):
        try:
            rows.append((stored, name, rows_of_pool(stored, pool)))
        except VpbenchError as error:
            echo(f"not to be browsed: {error}", err=True)
    if not rows:
        return []
    steps = isinstance(rows[0][0].result, StepResult)
    sources = rows[0][2].column("source").to_pylist() if steps else None
    limits = {stored.result.provenance.critic_settings.get("max_steps") for stored, _, _ in rows}
    scored = [row for _, _, table in rows for row in _scored(pool, table)]
    rule = fitting_rule(scored, sorted(limit for limit in limits if isinstance(limit, int) and limit > 0))
    key = write_pool(pool, rule, sources, site, pictures)
    return [_entry(stored, name, table, pool, site, key, pictures, task) for stored, name, table in rows]


def _scored(pool: PoolTexts, table: Any) -> list[tuple[str, int]]:
    """Some responses and how many steps of them have scores."""
    texts, steps = pool.candidates.column("response"), table.column("steps")
    stride = max(1, len(steps) // _SAMPLE)
    pairs = [(texts[row].as_py(), steps[row].as_py()) for row in range(0, len(steps), stride)]
    return [(text, len(values)) for text, values in pairs if text and values]


def _entry(
    stored: StoredResult,
    name: str,
    table: Any,
    pool: PoolTexts,
    site: Path,
    key: str,
    pictures: bool,
    task: type[BaseTask] | None,
) -> dict[str, Any]:
    result = stored.result
    written = write_rows(stored, table, pool, site)
    best = isinstance(result, BestOfNResult)
    return {
        "slug": slug(stored.folder.name),
        "name": without_paths(name),
        "task": result.task,
        "title": result.task if task is None else task.title,
        "policy": without_paths(result.policy),
        "nano": result.nano,
        "kind": "best" if best else "steps",
        "setting": _setting(result),
        "size": result.size,
        "threshold": result.step_f1.threshold if isinstance(result, StepResult) else None,
        "pool": key,
        "verdicts": written.verdicts,
        "scores": written.scores,
        "range": written.range,
        "pictures": pictures,
        "source": None if task is None or result.nano else f"{task.source.hub_id}, licence {task.source.licence}",
    }


def _setting(result: BestOfNResult | StepResult) -> str:
    """What decides, beside the scores, what the page says of the result, in words."""
    if isinstance(result, StepResult):
        return f"steps above {result.step_f1.threshold:g} are called correct"
    picks = {"best": "picks the highest score", "vote": "takes the vote's answer"}
    how = picks.get(result.selection, "takes the answer with the highest sum of scores")
    return f"{how}, {result.aggregate} of step scores, {result.graded}"


def _write_assets(site: Path) -> None:
    (site / "assets").mkdir(exist_ok=True)
    for path in sorted(_ASSETS.iterdir()):
        target = site / path.name if path.suffix == ".html" else site / "assets" / path.name
        shutil.copyfile(path, target)
