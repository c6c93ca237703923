"""The leaderboard: a static page over all results, every figure with its interval, its pool and its grading.

Results on part of a task, and those of the miniature world, are marked as such and never ranked with complete ones.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.plugins import all_tasks
from vpbench.store import write_atomic

_HERE = Path(__file__).parent


def build_leaderboard(output: Path, site: Path) -> tuple[Path, int]:
    """Write the page for all results under `output`/results; the page and how many results it shows.

    Raises `ConfigError` if there are none.
    """
    found = sorted((output / "results").glob("*/result.json"))
    if not found:
        raise ConfigError(f"{output}: no results; `vpbench run ... --output {output}` makes them")
    (site / "plots").mkdir(parents=True, exist_ok=True)
    entries = []
    for path in found:
        result = json.loads(path.read_text())
        plot = f"plots/{path.parent.name}.svg"
        shutil.copyfile(path.parent / "curve.svg", site / plot)
        entries.append({"result": result, "plot": plot})
    tasks = {name: each.cls for name, each in all_tasks().items()}
    sections = [
        {"name": name, "nano": nano, "task": tasks.get(name), "entries": _ranked(entries, name, nano)}
        for nano in (False, True)
        for name in sorted({entry["result"]["task"] for entry in entries if entry["result"]["nano"] == nano})
    ]
    page = _environment().get_template("leaderboard.html.j2").render(sections=sections)
    write_atomic(site / "index.html", page.encode())
    shutil.copyfile(_HERE / "leaderboard.css", site / "leaderboard.css")
    return site / "index.html", len(entries)


def _ranked(entries: list[dict[str, Any]], task: str, nano: bool) -> list[dict[str, Any]]:
    """Complete results first; those on one pool and grading stay together, as only they can be compared."""
    mine = [entry for entry in entries if entry["result"]["task"] == task and entry["result"]["nano"] == nano]
    return sorted(mine, key=lambda entry: _rank(entry["result"]))


def _rank(result: Mapping[str, Any]) -> tuple[bool, str, str, float]:
    if "curves" in result:
        headline = result["curves"]["critic"][-1]["value"]
    else:
        headline = result["step_f1"]["pooled"]["macro_f1"]
    return not result["complete"], result["policy"], result.get("grading", ""), -headline


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environment.filters["points"] = lambda value: f"{100 * value:+.1f}"
    return environment
