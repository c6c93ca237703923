"""The leaderboard: a static page over all results, every figure with its interval, its pool and its grading.

Only what `vpbench.site.groups` calls comparable is ranked; results on part of a task, and those of the miniature world,
are marked and stand apart. A result that can't be read is named on the page and left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.base import BaseTask, Reference
from vpbench.errors import ConfigError, VpbenchError
from vpbench.plugins import all_tasks
from vpbench.report.kinds import selects_by_vote
from vpbench.report.names import names, without_paths
from vpbench.report.plots import best_of_n_plot, critics_plot, step_plot
from vpbench.report.published import references
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.summary import holm_p
from vpbench.site.groups import Entry, Group, by_chance, groups_of
from vpbench.store import folder_name, write_atomic
from vpbench.terminal import echo, percent, points, printable

_TEMPLATES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Section:
    """A task's groups of comparable results, with the pictures of each; `task` is None where no plugin has the name."""

    name: str
    nano: bool
    task: type[BaseTask] | None
    groups: tuple[tuple[Group, tuple[str, ...]], ...]
    references: tuple[Reference, ...]


def build_leaderboard(output: Path, site: Path) -> tuple[Path, int]:
    """Write the page for all results under `output`/results; the page and how many results it shows.

    A result that can't be read is told on standard error. Raises `ConfigError` if there are none, or none is readable.
    """
    files = sorted((output / "results").glob("*/result.json"))
    if not files:
        raise ConfigError(f"{output}: no results; `vpbench run ... --output {output}` makes them")
    results, left_out = _read(files)
    if not results:
        raise ConfigError(f"{output}: no result that can be read; fix or remove what is named above")
    (site / "plots").mkdir(parents=True, exist_ok=True)
    tasks = {name: plugin.cls for name, plugin in all_tasks().items()}
    sections = []
    for nano, name in sorted({(stored.result.nano, stored.result.task) for stored in results}):
        entries = _entries([stored for stored in results if (stored.result.nano, stored.result.task) == (nano, name)])
        groups = tuple((group, _pictures(group, site)) for group in groups_of(entries))
        task = tasks.get(name)
        published = tuple(references(task)) if task and not nano else ()
        sections.append(Section(name, nano, task, groups, published))
    gains = sum(group.gains for section in sections for group, _ in section.groups)
    pairs = sum(group.pairs for section in sections for group, _ in section.groups)
    page = _environment().get_template("leaderboard.html.j2")
    text = page.render(sections=sections, left_out=left_out, gains=gains, by_chance=by_chance(gains), pairs=pairs)
    write_atomic(site / "index.html", text.encode())
    shutil.copyfile(_TEMPLATES / "leaderboard.css", site / "leaderboard.css")
    return site / "index.html", len(results)


def _read(files: Sequence[Path]) -> tuple[list[StoredResult], list[str]]:
    """The results, and of each that can't be read its folder's name and the reason."""
    results, left_out = [], []
    for file in files:
        try:
            results.append(read_result(file))
        except VpbenchError as error:
            left_out.append(str(error).replace(str(file.parent), file.parent.name))
            echo(f"left out: {error}", err=True)
    return results, left_out


def _entries(results: Sequence[StoredResult]) -> list[Entry]:
    called = names([stored.result for stored in results])
    return [Entry(name, stored.folder.name, stored.result) for name, stored in zip(called, results, strict=True)]


def _pictures(group: Group, site: Path) -> tuple[str, ...]:
    """Draw the group under `site`; the files. Curves share a picture, step results have one each.

    Lines go by name, so that a critic has one colour on all pictures of the same critics.
    """
    curves = [(entry.name, entry.result) for entry in group.entries if isinstance(entry.result, BestOfNResult)]
    if len(curves) > 1:
        curves.sort(key=lambda named: (named[0], named[1].selection))
        drawn = [(group.entries, critics_plot(curves))]
    else:
        drawn = [((entry,), _alone(entry.result)) for entry in group.entries]
    files = []
    for entries, images in drawn:
        name = folder_name(group.first.task, key={"folders": [entry.folder for entry in entries]})
        write_atomic(site / f"plots/{name}.svg", images["svg"])
        files.append(f"plots/{name}.svg")
    return tuple(files)


def _alone(result: BestOfNResult | StepResult) -> dict[str, bytes]:
    return step_plot(result) if isinstance(result, StepResult) else best_of_n_plot(result)


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_public,
    )
    environment.filters |= {"percent": percent, "points": points, "holm_p": holm_p}
    environment.globals["selects_by_vote"] = selects_by_vote
    return environment


def _public(value: Any) -> Any:
    """What the page says of a value: nothing that steers what shows it, no folder of this machine."""
    # what a macro made is markup, and its parts came through here
    return value if hasattr(value, "__html__") else printable(without_paths(str(value)))
