"""docs/findings.md shows what its script prints."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from shared_data import shared_files

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"[+-]?\d*\.\d+")


def test_the_page_is_what_the_script_prints() -> None:
    shared_files("steps/processbench.jsonl.gz")
    script = runpy.run_path(str(ROOT / "scripts" / "findings.py"))
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    shown = text[text.index(script["START"]) + len(script["START"]) : text.index(script["END"])].strip()
    printed = script["page"]()
    assert NUMBER.sub("#", shown) == NUMBER.sub("#", printed), "python scripts/findings.py --write"
    for one, other in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        # the last digit of a fit may differ between versions of scikit-learn and processors
        digit = 10.0 ** -len(one.partition(".")[2])
        assert float(one) == pytest.approx(float(other), abs=1.1 * digit), "python scripts/findings.py --write"
