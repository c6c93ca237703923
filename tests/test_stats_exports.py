"""The package's names: all there, listed once for the type checker and once for loading, and free to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from vpbench import stats


def test_lists_agree_and_every_name_loads_from_its_home() -> None:
    tree = ast.parse(Path(stats.__file__).read_text())
    typed = {
        alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vpbench.stats.")
        for alias in node.names
    }
    assert set(typed) == set(stats.__all__)
    for name, module in typed.items():
        assert getattr(stats, name) is getattr(import_module(module), name), name


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        stats.nothing  # noqa: B018


def test_importing_loads_no_numerics_and_using_no_sklearn() -> None:
    code = (
        "import sys, vpbench.stats as s\n"
        "assert 'numpy' not in sys.modules\n"
        "s.diagnose, s.step_ranking, s.curves, s.cross_fitted_threshold\n"
        "loaded = {'sklearn', 'scipy', 'pandas', 'torch'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
