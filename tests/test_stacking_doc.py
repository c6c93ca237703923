"""docs/stacking.md shows what its command prints."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"[+-]?\d+\.\d+")


def test_the_page_is_what_the_script_prints() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "stacking.py"))
    text = (ROOT / "docs" / "stacking.md").read_text(encoding="utf-8")
    shown = text[text.index(script["START"]) + len(script["START"]) : text.index(script["END"])].strip()
    printed = script["page"]()
    # the last digit of a fit may differ between versions of scikit-learn and processors
    assert NUMBER.sub("#", shown) == NUMBER.sub("#", printed), "python scripts/stacking.py --write"
    assert list(map(float, NUMBER.findall(shown))) == pytest.approx(
        list(map(float, NUMBER.findall(printed))), abs=0.11
    ), "python scripts/stacking.py --write"


def test_the_best_single_one_is_the_best() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "stacking.py"))
    data = script["Data"]()
    last = {
        f"{model}, {way}": data.picked(data.values(model, way))[:, -1].mean()
        for model in data.steps
        for way in script["WAYS"]
    }
    assert max(last, key=lambda name: last[name]) == script["BEST_SINGLE"] and len(last) == 24
