"""docs/python.md runs as it stands, block by block, and prints what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
END = "end of block"


def test_every_block_runs_and_prints_what_the_page_says(tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE)
    assert sum(bool(output) for _, output in blocks) >= 5
    script = tmp_path / "page.py"
    script.write_text("".join(f"{code}print({END!r})\n" for code, _ in blocks))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split(f"{END}\n")
    assert printed == [*(output for _, output in blocks), ""]
