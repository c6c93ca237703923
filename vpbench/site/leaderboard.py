"""The leaderboard: a static page over all results, every figure with its interval, its pool and its grading.

Results on part of a task, and those of the miniature world, are marked as such and never ranked with complete ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.plugins import all_tasks
from vpbench.report.plots import critics_plot
from vpbench.report.stored import read_json
from vpbench.report.summary import measure_name
from vpbench.store import write_atomic

_HERE = Path(__file__).parent


def build_leaderboard(output: Path, site: Path) -> tuple[Path, int]:
    """Write the page for all results under `output`/results; the page and how many results it shows.

    Raises `ConfigError` if there are none, or one of a version that can't be read.
    """
    found = sorted((output / "results").glob("*/result.json"))
    if not found:
        raise ConfigError(f"{output}: no results; `vpbench run ... --output {output}` makes them")
    (site / "plots").mkdir(parents=True, exist_ok=True)
    results = [{**read_json(path), "folder": path.parent} for path in found]
    tasks = {name: each.cls for name, each in all_tasks().items()}
    sections = []
    for nano in (False, True):
        for name in sorted({result["task"] for result in results if result["nano"] == nano}):
            mine = _named(sorted((each for each in results if (each["task"], each["nano"]) == (name, nano)), key=_rank))
            plots = [_plot(group, site) for group in _comparable(mine)]
            sections.append({"name": name, "nano": nano, "task": tasks.get(name), "results": mine, "plots": plots})
    page = _environment().get_template("leaderboard.html.j2").render(sections=sections)
    write_atomic(site / "index.html", page.encode())
    shutil.copyfile(_HERE / "leaderboard.css", site / "leaderboard.css")
    return site / "index.html", len(results)


def _named(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The results with a `name`: the critic, and by which settings it differs from the same critic's other results."""
    named = []
    for result in results:
        mine = _settings(result)
        others = [_settings(each) for each in results if each["critic"] == result["critic"]]
        differ = [name for name in mine if any(other.get(name, mine[name]) != mine[name] for other in others)]
        parts = ", ".join(f"{name} {mine[name]}" for name in differ)
        named.append({**result, "name": f"{result['critic']} ({parts})" if parts else result["critic"]})
    return named


def _settings(result: Mapping[str, Any]) -> dict[str, Any]:
    aggregate = {"aggregate": result["aggregate"]} if "aggregate" in result else {}
    return {**aggregate, **result["provenance"]["critic_settings"]}


def _comparable(results: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Results on the same candidates, questions and grading together; each step result alone."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for result in results:
        key: Any = result["folder"]
        if "curves" in result:
            pool = result["provenance"].get("pool_sha256")
            ns = tuple(point["n"] for point in result["curves"]["critic"])
            same = ("policy", "questions", "grading", "judge", "estimator")
            key = (pool, ns, *(result.get(name) for name in same))
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def _plot(results: Sequence[Mapping[str, Any]], site: Path) -> dict[str, str]:
    """The picture of results that can be compared, written under `site`: file and description.

    Its lines go by name, so that a critic has one colour on all pictures of the same critics.
    """
    first = results[0]
    file = f"plots/{first['folder'].name}.svg"
    if len(results) == 1:
        shutil.copyfile(first["folder"] / "curve.svg", site / file)
    else:
        by_name = sorted(results, key=lambda result: (result["name"], result["selection"]))
        write_atomic(site / file, critics_plot(by_name)["svg"])
    return {"file": file, "alt": f"{', '.join(result['name'] for result in results)} on {first['task']}"}


def _rank(result: Mapping[str, Any]) -> tuple[bool, str, str, float]:
    """Complete results first; those on one pool and grading stay together, as only they can be compared."""
    if "curves" in result:
        headline = result["curves"]["critic"][-1]["value"]
    else:
        headline = result["step_f1"]["pooled"]["macro_f1"]
    return not result["complete"], result["policy"], result.get("grading", ""), -headline


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: "n/a" if value is None else f"{100 * value:.1f}"
    environment.filters["points"] = lambda value: f"{100 * value:+z.1f}"
    environment.filters["measure_name"] = measure_name
    return environment
