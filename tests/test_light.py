"""A plain installation: what runs without the packages of the extras and without the modules that Windows lacks.

Every command here runs in a process in which neither can be imported, whether they are installed or not. The file is
run a second time in an environment that really is without them (`scripts/light-env`), on another version of Python.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "vpbench" / "nano" / "data"
EXTRAS = "accelerate datasets huggingface_hub openai peft safetensors sentencepiece tensorboard torch transformers vllm"
LIGHT = f"""
import signal, sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in {EXTRAS.split()!r} else find(name, *rest)
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("alarm", "setitimer", "SIGALRM", "SIGPROF"):
    delattr(signal, name)
"""


def light(code: str, *arguments: object) -> tuple[int, str]:
    """Exit code and output of `code` with these arguments."""
    command = [sys.executable, "-P", "-c", LIGHT + code, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def vpbench(*arguments: object) -> tuple[int, str]:
    return light("from vpbench.cli import main; main()", *arguments)


def write_lines(path: Path, rows: Iterable[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool and two files of scores for it, and step scores: three results by the commands that their owner types."""
    folder = tmp_path_factory.mktemp("light")
    with gzip.open(DATA / "mathvista" / "nano-policy.jsonl.gz", "rt") as file:
        lines = [json.loads(next(file)) for _ in range(8)]
    responses = {line["question_id"]: [row["response"] for row in line["candidates"][:4]] for line in lines}
    pool = write_lines(
        folder / "pool.jsonl",
        ({"question_id": id, "candidates": [{"response": text} for text in texts]} for id, texts in responses.items()),
    )
    command = ["run", "--task", "mathvista", "--data", DATA / "mathvista", "--pool", pool, "--output", folder]
    for name, sign in (("long", 1), ("short", -1)):
        scores = write_lines(
            folder / f"{name}.jsonl",
            (
                {"question_id": id, "index": index, "score": sign * len(text)}
                for id, texts in responses.items()
                for index, text in enumerate(texts)
            ),
        )
        code, output = vpbench(*command, "--scores", scores)
        assert code == 0 and f"critic {name}" in output, output
    rows = []
    for number, line in enumerate((DATA / "visualprocessbench" / "test.jsonl").read_text().splitlines()):
        solution = json.loads(line)
        steps = [len(step) / 100 for step in solution["response"]["steps"]]
        rows.append({"question_id": f"{solution['data_source']}/{number}", "step_scores": steps})
    scores = write_lines(folder / "steps.jsonl", rows)
    code, output = vpbench("run", "--nano", "--task", "visualprocessbench", "--scores", scores, "--output", folder)
    assert code == 0 and "critic steps" in output, output
    return folder


def test_the_first_example_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = (ROOT / "README.md").read_text().split("```")[1]
    written, lines, command = re.fullmatch(r"\ncat > (\S+) <<'END'\n(.*)END\nvpbench (.*)\n", block, re.DOTALL).groups()
    (tmp_path / written).write_text(lines)
    monkeypatch.chdir(tmp_path)
    code, output = vpbench(*command.split())
    assert code == 0, output
    assert "gsm8k | critic my-prm" in output and "1 result under runs/results" in output


def test_scores_of_ones_own_are_compared_and_shown(runs: Path) -> None:
    results = {path.name: path for path in (runs / "results").iterdir()}
    assert len(results) == 3 and all((path / "curve.svg").stat().st_size for path in results.values())
    first, second = (path for name, path in sorted(results.items()) if "mathvista" in name)
    code, output = vpbench("compare", first, second)
    assert code == 0 and "long" in output and "short" in output, output
    code, output = vpbench("check", first, first)
    assert code == 0, output
    code, output = vpbench("leaderboard", "--output", runs, "--site", runs / "site")
    assert code == 0 and "steps" in (runs / "site" / "index.html").read_text(), output


def test_the_study_of_real_critics_runs(tmp_path: Path) -> None:
    code, output = vpbench("run", "--study", "real-critics", "--resamples", 100, "--output", tmp_path)
    assert code == 0 and "N = 32: gsm8k" in output, output


def test_plugins_and_data_can_be_looked_at() -> None:
    code, output = vpbench("list")
    assert code == 0 and "visualprm" in output and "mathvista" in output, output
    for name in ("mathvista", "visualprm"):
        assert vpbench("show", name)[0] == 0
    code, output = vpbench("validate", "mathvista", "--data", DATA / "mathvista")
    assert code == 0, output


NANO = ("--nano", "--task", "mathvista", "--output", "runs")


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("models", ("run", "--critic", "visualprm", *NANO)),
        ("models", ("run", "--critic", "visualprm", "--task", "mathvista")),
        ("models", ("run", "--critic", "self-consistency", "--policy", "some/model", *NANO)),
        ("models", ("sample", "--policy", "some/model", *NANO)),
        ("models", ("label", "--policy", "some/model", *NANO)),
        ("models", ("validate", "mathvista")),
        ("models", ("nano", "build")),
        ("models", ("ablate", "nano")),
        ("models", ("ablate", "gates")),
        ("train", ("train", "--critic", "visualprm", "--model", "some/model", "--data", "x", "--output", "y")),
        ("vllm", ("sample", "--policy", "vllm:some/model", *NANO)),
        ("openai", ("sample", "--policy", "openai:some-model", *NANO)),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:3]),
)
def test_a_missing_extra_is_named_with_its_command(
    extra: str, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    code, output = vpbench(*arguments)
    assert code == 2 and "Traceback" not in output, output
    assert f"pip install 'vpbench[{extra}]'" in output and f"pip install -e '.[{extra}]'" in output, output


def test_a_dry_run_needs_none_of_them(tmp_path: Path) -> None:
    code, output = vpbench("run", "--critic", "visualprm", "--task", "mathvista", "--dry-run", "--output", tmp_path)
    assert code == 0 and output.count("data, vpbench[models]") == 2, output


def test_from_python_too_it_is_an_error_of_ours(tmp_path: Path) -> None:
    code = """
import vpbench
from vpbench.scoring import load_step_scorer
nano = {"nano": True, "policy": "m", "output": sys.argv[1]}
for call in (lambda: vpbench.run("mathvista", "self-consistency", **nano), lambda: load_step_scorer("m")):
    try:
        call()
    except vpbench.ConfigError as error:
        print(error)
"""
    status, output = light(code, tmp_path)
    assert status == 0 and output.count("pip install 'vpbench[models]'") == 2, output


def test_extras_have_what_the_code_says_they_have() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    def packages(extra: str) -> set[str]:
        names = set()
        for requirement in extras[extra]:
            name, bracket, inner = requirement.partition("[")
            inside = inner.partition("]")[0].split(",")
            names |= set().union(*map(packages, inside)) if name == "vpbench" and bracket else {name.partition(">")[0]}
        return names

    named = set()
    for path in (ROOT / "vpbench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "require":
                extra, *wanted = [constant.value for constant in node.args if isinstance(constant, ast.Constant)]
                assert set(wanted) <= packages(extra), path
                named.add(extra)
    assert named == extras.keys() - {"all", "dev"}
    assert packages("all") == set().union(*map(packages, named))
