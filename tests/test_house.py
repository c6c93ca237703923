"""The plan of the house, as far as it can be counted; which room may import which, `lint-imports` checks."""

from __future__ import annotations

import ast
import importlib
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from vpbench.plugins import all_critics, all_tasks

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "vpbench"
FACES = ("vpbench", "vpbench.grade", "vpbench.scoring", "vpbench.generate")
MODULES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = [path for room in ("tasks", "critics") for path in sorted((ROOT / room).glob("*.py"))]
SOURCES = [
    *MODULES,
    *PLUGINS,
    *(path for room in ("tests", "scripts", "benchmarks") for path in (ROOT / room).rglob("*.py")),
]
TEMPLATES = [
    path
    for path in PACKAGE.rglob("*")
    if path.suffix in {".j2", ".html", ".css", ".js", ".json"} and "nano" not in path.parts
]
NAMED = {
    ("scoring/__init__.py", "LikelihoodCritic"): "the method: a public base class, older than the critic of that name",
    ("scoring/likelihood.py", "LikelihoodCritic"): "the method, as above",
    ("scoring/likelihood.py", "likelihood"): "the method, as above",
    ("nano/recipe.py", "orm"): "the kind of model that is trained, and its folder among the checkpoints that ship",
    ("ablate/critics.py", "orm"): "that checkpoint",
    ("ablate/gates.py", "orm"): "that checkpoint",
}
"""Where the package does say a word that is also the name of a critic, and what it means by it."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PLUGINS, ids=relative)
def test_plugins_import_faces_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
            assert not [name for name in modules if name.split(".")[0] in {"vpbench", "tasks", "critics"}]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert node.level == 0 and module.split(".")[0] not in {"tasks", "critics"}
            if module.split(".")[0] == "vpbench":
                assert module in FACES
                assert {alias.name for alias in node.names} <= set(importlib.import_module(module).__all__)


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph("vpbench", cache_dir=None)
    arrows = [(module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module)]
    assert len(arrows) > 500
    assert not [arrow for arrow in arrows if graph.chain_exists(importer=arrow[1], imported=arrow[0])]


def words(path: Path) -> Iterator[str]:
    """File name, identifiers and string literals, the docstrings left out: prose may cite; of a template all text."""
    yield path.stem
    if path.suffix != ".py":
        yield path.read_text()
        return
    tree = ast.parse(path.read_text())
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield node.value
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(identifier := getattr(node, field, None), str):
                yield identifier


def test_nothing_in_the_package_names_a_benchmark_or_a_critic() -> None:
    """A name counts as a whole word, in any case; its parts may be joined by "-", "_", a space or nothing."""
    names = [re.escape(name).replace(r"\-", "[-_ ]?") for name in (*all_tasks(), *all_critics())]
    pattern = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(names)})(?![a-z0-9])", re.IGNORECASE)
    named = set()
    for path in [*MODULES, *TEMPLATES]:
        for text in words(path):
            if pattern.search(text) or pattern.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)):
                named.add((path.relative_to(PACKAGE).as_posix(), text))
    assert named == NAMED.keys()


def test_files_are_short_and_few_are_loose() -> None:
    lines = {relative(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert not {name for name, count in lines.items() if count > 400}
    assert statistics.median(lines[relative(path)] for path in [*MODULES, *PLUGINS]) <= 120
    assert len(list(PACKAGE.glob("*.py"))) <= 14
    assert sum(path.read_text().count("# fmt:" + " skip") for path in SOURCES) <= 10


def test_functions_are_short() -> None:
    lengths = {
        f"{relative(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 1000
    assert not {name: length for name, length in lengths.items() if length > 60}


def test_no_thread_of_a_reader_of_parquet_outlives_it() -> None:
    """Such a thread aborts one process in thirty as it ends, too few to be tested by their exit codes."""
    readers = {"read_table", "read_parquet", "ParquetDataset"}
    for path in MODULES:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call, ast.Attribute) and call.attr in readers], path
