"""A run that an earlier vpbench (commit 9d0febd) stored goes on: nothing is drawn or scored a second time.

`stored_run/` holds the candidates and scores of the commands below, each folder named without its key's hash, and in
`key.json` the place of the miniature world as @NANO@, since keys hold absolute paths. After a change to intervals or
p-values `python tests/test_stored_run.py` writes `figures.json` anew, unless anything else differs.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import vpbench.nano
from vpbench.cli import main

STORED = Path(__file__).parent / "stored_run"
RUNS = (
    "run --nano --task mathvista --critic visualprm,self-consistency --limit 3 --n 1,2,4 --resamples 100",
    "run --nano --task visualprocessbench --critic visualprm --limit 4 --resamples 100",
)
DRAW = "sample --nano --task mathvista --policy nano --samples 2 --limit 2"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The stored run as it would lie on this machine."""
    return laid_out(tmp_path)


def laid_out(output: Path) -> Path:
    for key_file in STORED.glob("*/*/key.json"):
        key = json.loads(key_file.read_text().replace("@NANO@", str(Path(vpbench.nano.__file__).parent)))
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:10]
        folder = output / key_file.parent.parent.name / f"{key_file.parent.name}--{digest}"
        shutil.copytree(key_file.parent, folder)
        (folder / "key.json").write_text(json.dumps(key, indent=1, sort_keys=True))
    return output


def rows(output: Path) -> dict[str, bytes]:
    """The content of every sealed part of candidates and scores."""
    parts = [*output.glob("candidates/*/part-*.parquet"), *output.glob("scores/*/part-*.parquet")]
    return {str(path.relative_to(output)): path.read_bytes() for path in parts}


@pytest.mark.parametrize("command", [*RUNS, DRAW])
def test_nothing_is_done_again(command: str, output: Path) -> None:
    before = rows(output)
    assert len(before) == 4
    result = CliRunner().invoke(main, [*command.split(), "--output", str(output)])
    assert result.exit_code == 0, result.output
    assert rows(output) == before
    assert not any(path.stat().st_size for path in output.glob("*/*/journal.jsonl"))


def figures(output: Path) -> dict[str, Any]:
    """The figures of both runs, by the name of the result without its hash."""
    for command in RUNS:
        assert CliRunner().invoke(main, [*command.split(), "--output", str(output)]).exit_code == 0
    results = {}
    for path in sorted(output.glob("results/*/result.json")):
        result = json.loads(path.read_text())
        names = [name for name in ("curves", "gains", "step_f1") if name in result]
        results[path.parent.name.rpartition("--")[0]] = {name: result[name] for name in names}
    return results


def test_figures_are_the_same_to_the_digit(output: Path) -> None:
    assert figures(output) == json.loads((STORED / "figures.json").read_text())


def without_uncertainty(part: Any) -> Any:
    if isinstance(part, dict):
        uncertain = ("low", "high", "p", "p_holm")
        return {name: without_uncertainty(value) for name, value in part.items() if name not in uncertain}
    return [without_uncertainty(value) for value in part] if isinstance(part, list) else part


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        new = figures(laid_out(Path(folder)))
    assert without_uncertainty(new) == without_uncertainty(json.loads((STORED / "figures.json").read_text()))
    (STORED / "figures.json").write_text(json.dumps(new, indent=1) + "\n")
