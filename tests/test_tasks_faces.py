"""Task and critic files import faces alone, so that a user's own file can do whatever a shipped one does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from vpbench.plugins import all_critics, all_tasks

FACES = {"vpbench", "vpbench.generate", "vpbench.grade", "vpbench.scoring"}
FILES = sorted({plugin.path for plugins in (all_tasks(), all_critics()) for plugin in plugins.values()})


def imported(path: Path) -> set[str]:
    """The modules of this package that a file imports, at its top or within a function."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name for name in names if name.split(".")[0] == "vpbench"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_plugins_import_faces_only(path: Path) -> None:
    assert imported(path) and imported(path) <= FACES


def test_there_are_plugins_of_both_kinds() -> None:
    assert {"tasks", "critics"} <= {path.parent.name for path in FILES}
