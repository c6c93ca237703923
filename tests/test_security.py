"""docs/security.md: every test that it names for a promise exists, so that no promise loses its test in silence."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "security.md"


def test_every_promise_has_a_test_that_exists() -> None:
    promises = [
        line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| ---")
    ]
    promises = [line for line in promises if line != "| promised | test |"]
    assert len(promises) > 25
    for promise in promises:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", promise)
        assert named or "`make check`" in promise, promise
        for file, test in named:
            functions = [node.name for node in ast.parse((TESTS / file).read_text()).body if hasattr(node, "name")]
            assert test in functions, f"{file}::{test}"
