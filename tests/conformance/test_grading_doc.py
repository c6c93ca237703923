"""The generated part of docs/grading.md is what `vpbench conformance` prints now.

Sections are compared file by file, for the files whose content is the one the page was made from.
"""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner
from shared_data import missing, shared_files

from vpbench.cli import main
from vpbench.plugins import load_file

ROOT = Path(__file__).resolve().parent.parent.parent


def sections(text: str) -> dict[tuple[str, str], str]:
    """The sections of a page by (file, its sha256)."""
    parts = re.split(r"(?m)^(?=### )", text)
    heads = [re.match(r"### (\S+)\n\n[\d,]+ rows, sha256 (\w+)\n", part) for part in parts]
    return {(head[1], head[2]): part.strip() for head, part in zip(heads, parts, strict=True) if head}


def test_the_page_shows_what_the_command_prints() -> None:
    script = load_file(ROOT / "scripts" / "grading_doc.py")
    written = sections(script.generated((ROOT / "docs" / "grading.md").read_text(encoding="utf-8")))
    assert written
    (folder,) = shared_files("conformance")
    done = CliRunner().invoke(main, ["conformance", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    printed = sections(done.stdout)
    same = written.keys() & printed.keys()
    if not same:
        missing("the page was made from other files")
    stale = [name for name, sha256 in same if written[name, sha256] != printed[name, sha256]]
    assert not stale, f"{', '.join(stale)}: not as docs/grading.md has it; run `make grading-doc`"
