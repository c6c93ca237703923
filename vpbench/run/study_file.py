"""A study as a file: YAML with the options of `vpbench run` under their names, and a name for every critic and policy.

`read_study` checks the file and gives what the command line would have given; `study-file.schema.json` beside this file
is its schema, for editors. Paths are relative to the file; those of a study that ships, to the working folder, where
they aren't of pools and scores that ship with it.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from vpbench.errors import ConfigError
from vpbench.plugins import builtin_folder
from vpbench.prompts import PromptStyle
from vpbench.records import GradingMode, Selection
from vpbench.run.analysis import OF_A_ROW
from vpbench.run.entries import CriticEntry, PolicyEntry
from vpbench.run.request import ShortPools
from vpbench.run.study_yaml import read_mapping


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError(_NO_NAME)
    return name


_NO_NAME = "no name; a name is printable, without `=`, `:`, comma or slash, and doesn't begin or end with a blank"
Setting = str | bool | int | float | None
Name = Annotated[str, Field(pattern=r"^[^=:,/\\\s]([^=:,/\\\n]*[^=:,/\\\s])?$"), AfterValidator(_printable)]
"""What critics and policies may be called: as on the command line, without `=`, `:`, a comma or a slash."""
PositiveInt = Annotated[int, Field(ge=1)]
Threshold = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class StudyCritic(_Part):
    """A row: a critic with its checkpoint and settings, or a file of scores; and how the scores are used."""

    critic: str | None = Field(None, description="critic name or ./file.py, see `vpbench list`")
    model: str | None = Field(None, description="its checkpoint: a folder or a hub id")
    args: dict[str, Setting] = Field({}, description="its settings, see `vpbench show CRITIC`")
    scores: str | None = Field(None, description="instead of a critic: a file of scores, or a folder of TASK.jsonl")
    aggregate: str | None = Field(None, description="step scores to one score, where not as in the other rows")
    selection: Selection | None = None
    link: Literal["sigmoid"] | None = None
    threshold: Threshold | None = None

    @model_validator(mode="after")
    def _one_source(self) -> StudyCritic:
        if (self.critic is None) == (self.scores is None):
            raise ValueError("give one of `critic` and `scores`")
        if self.scores is not None and (self.model is not None or self.args):
            raise ValueError("scores from a file have no `model` and no `args`")
        return self


class _Sampling(_Part):
    samples: PositiveInt | None = Field(None, description="candidates per question; default: the largest of n, or 128")
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: PositiveInt | None = None
    first_greedy: bool | None = None
    prompt: PromptStyle | None = None


class StudyPolicy(_Sampling):
    """A policy to draw the candidates from, and how."""

    model: str = Field(description="BACKEND:MODEL, or a folder or hub id for transformers")
    args: dict[str, Setting] = Field({}, description="the backend's settings")


class StudyJudge(_Part):
    """The language model that official grading asks where the benchmark's rule asks one."""

    model: str = Field(description="BACKEND:MODEL")
    args: dict[str, Setting] = {}


class StudyFile(_Part):
    """Policies x tasks x critics x N: what `vpbench run FILE` does."""

    name: Name = Field(description="what the study is called")
    tasks: Text | Annotated[list[Text], Field(min_length=1)] = Field(
        description="a task, a list of them, or a suite such as `all`"
    )
    critics: dict[Name, StudyCritic | str] = Field(
        description="by the name of their row; a text is [CRITIC][:MODEL] as --critic takes it", min_length=1
    )
    candidates: str | None = Field(None, description="a pool, or a folder of them: TASK.jsonl.gz")
    policy: StudyPolicy | str | None = Field(None, description="instead of `candidates`: the model to draw them from")
    policies: dict[Name, StudyPolicy | str] | None = Field(
        None, description="instead of `policy`: several, by name", min_length=1
    )
    data: str | None = Field(None, description="a folder with the data sets' own files: TASK/; default: the hub")
    n: PositiveInt | Annotated[list[PositiveInt], Field(min_length=1)] | None = Field(
        None, description="default: powers of two and the pool's size"
    )
    nano: bool = False
    grading: GradingMode | None = None
    judge: StudyJudge | str | None = None
    trust_verdicts: bool | None = None
    allow_mismatch: bool | None = None
    short_pools: ShortPools | None = None
    released_tokenization: bool | None = None
    selection: Selection | None = None
    estimator: Literal["expected", "prefix"] | None = None
    aggregate: str | None = None
    link: Literal["sigmoid"] | None = None
    threshold: Threshold | None = None
    limit: PositiveInt | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    resamples: Annotated[int, Field(ge=100)] | None = None
    max_error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    max_cost: Annotated[float, Field(gt=0)] | None = None
    max_total_tokens: PositiveInt | None = None
    output: str | None = Field(None, description="where runs are kept; default: runs")

    @model_validator(mode="after")
    def _one_source(self) -> StudyFile:
        sources = [name for name in ("candidates", "policy", "policies") if getattr(self, name) is not None]
        if len(sources) > 1:
            raise ValueError(f"candidates come from one place; keep one of {' and '.join(map(repr, sources))}")
        return self


SCHEMA = Path(__file__).with_name("study-file.schema.json")


def schema() -> str:
    """The JSON schema of a study file; `SCHEMA` holds it."""
    return json.dumps(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **StudyFile.model_json_schema()}, indent=1
    )


_PARTS: Mapping[int | str, type[BaseModel]] = {
    "critics": StudyCritic,
    "policies": StudyPolicy,
    "policy": StudyPolicy,
    "judge": StudyJudge,
}
_OPTIONS = tuple(name for name in StudyFile.model_fields if name not in ("tasks", "critics", "candidates", "policies"))
_DRAWING = tuple(_Sampling.model_fields)
_ELSEWHERE = {
    **dict.fromkeys(_DRAWING, "it is a key of a policy: `policy: {model: ..., samples: 8}`"),
    **dict.fromkeys(
        ("critic_model", "critic_args"), "it is said of each critic: `NAME: {critic: ..., model: ..., args: {}}`"
    ),
    **dict.fromkeys(("policy_args", "judge_args"), "it is the key `args` of the policy or judge"),
    **dict.fromkeys(("dry_run", "format", "rates", "quiet", "verbose"), "it is an option of the command line alone"),
    "pool": "did you mean candidates?",
    "scores": "they are a critic's: `critics: {NAME: {scores: PATH}}`",
}
"""Options of the command line that a study file says in another place."""
_KIND = "should be a "
MOST_LINES = 10


def read_study(study: str | Path) -> dict[str, Any]:
    """The options of `vpbench run` that a study file, or the study that ships under this name, stands for.

    `task` and `critic` are among them. Raises `ConfigError` naming the file, the key and the remedy.
    """
    path, folder = _find(study)
    content = read_mapping(path)
    try:
        file = StudyFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in _complaints(error, content))) from error
    options = {name: value for name in _OPTIONS if (value := getattr(file, name)) is not None}
    options |= {
        "task": file.tasks,
        "critic": [_critic(name, part, path.parent, folder) for name, part in file.critics.items()],
    }
    if file.candidates is not None:
        options["pool"] = _shipped_or(folder, path.parent, file.candidates)
    if file.policy is not None:
        options["policy"] = [_policy(None, file.policy, folder)]
    elif file.policies is not None:
        options["policy"] = [_policy(name, part, folder) for name, part in file.policies.items()]
    if isinstance(file.judge, StudyJudge):
        options |= {"judge": file.judge.model, "judge_args": _texts(file.judge.args)}
    options |= {name: folder / options[name] for name in ("data", "output") if name in options}
    return options


def with_flags(options: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """A study file's options with those of the command line, which come first.

    A pool takes the place of the file's policies and the reverse; what is said of drawing holds for every policy.
    """
    merged = {**options, **flags}
    if "pool" in flags and "policy" not in flags:
        merged.pop("policy", None)
    if "policy" in flags and "pool" not in flags:
        merged.pop("pool", None)
    if "policy" in merged and "policy" not in flags:
        merged["policy"] = [
            PolicyEntry(
                entry.policy,
                entry.settings,
                entry.name,
                {name: value for name, value in entry.drawing.items() if name not in flags},
            )
            for entry in merged["policy"]
        ]
    if "scores" in flags and "critic" not in flags:
        del merged["critic"]
    return merged


def shipped_studies() -> dict[str, Path]:
    """The studies that come with vpbench, by name."""
    return {path.stem: path for path in sorted(builtin_folder("studies").glob("*.yaml"))}


def _find(study: str | Path) -> tuple[Path, Path]:
    """The file, and the folder its paths are relative to."""
    path = Path(study)
    if path.exists() and not path.is_dir():
        return path, path.parent
    shipped = shipped_studies()
    if str(study) in shipped:
        return shipped[str(study)], Path()
    near = difflib.get_close_matches(str(study), shipped, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(f"study {study}: no such file, and no study that ships; {meant}there are: {', '.join(shipped)}")


def _complaints(error: ValidationError, content: Any) -> list[str]:
    """A line for each key that something is wrong with, the innermost where a part could have been of several kinds."""
    faults: dict[tuple[int | str, ...], list[str]] = {}
    for fault in error.errors():
        path = _keys(fault, content)
        faults.setdefault(path, []).append(_message(fault, path))
    lines = []
    for path, messages in faults.items():
        if any(len(other) > len(path) and other[: len(path)] == path for other in faults):
            continue
        # where a part may be of several kinds, there is a message for each that it isn't
        kinds = [message.removeprefix(_KIND) for message in messages if message.startswith(_KIND)]
        others = [message for message in messages if not message.startswith(_KIND)]
        lines.append(f"{'.'.join(map(str, path)) or 'the study'}: {'; '.join(others) or _KIND + ' or '.join(kinds)}")
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"{more} more keys that can't be taken"]


def _message(fault: ErrorDetails, path: tuple[int | str, ...]) -> str:
    if fault["type"] == "extra_forbidden":
        return f"no such key{_meant(path)}"
    if fault["type"] == "string_pattern_mismatch":
        return _NO_NAME
    message = fault["msg"].removeprefix("Value error, ")
    return re.sub(
        r"valid dictionary( or instance of \w+)?", "mapping of keys", message.replace("Input should be a ", _KIND)
    )


def _keys(fault: ErrorDetails, content: Any) -> tuple[int | str, ...]:
    """The keys of a fault's place that are the file's, without those that pydantic has for kinds of a part."""
    path: list[int | str] = []
    *_, last = where = fault["loc"] or ("",)
    for part in where:
        inside = part in content if isinstance(content, dict) else isinstance(content, list) and isinstance(part, int)
        if inside:
            content = content[part]
            path.append(part)
    if fault["type"] == "missing":
        path.append(last)
    return tuple(path)


def _meant(path: tuple[int | str, ...]) -> str:
    """Where the key belongs, or the keys that a part may have, the nearest alone if there is one."""
    key = str(path[-1])
    if len(path) == 1 and key in _ELSEWHERE:
        return f"; {_ELSEWHERE[key]}"
    kind: type[BaseModel] = _PARTS.get(path[0], StudyFile) if len(path) > 1 else StudyFile
    near = difflib.get_close_matches(key, kind.model_fields, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(kind.model_fields)}"


def _critic(name: str, part: StudyCritic | str, beside: Path, folder: Path) -> CriticEntry:
    if isinstance(part, str):
        critic, _, model = part.partition(":")
        part = StudyCritic.model_validate({"critic": critic or name, "model": model or None})
    settings = _texts(part.args)
    if part.model is not None:
        settings["model"] = _model(part.model, folder)
    analysis = {key: value for key in OF_A_ROW if (value := getattr(part, key)) is not None}
    in_file = part.critic is not None and part.critic.endswith(".py")
    return CriticEntry(
        str(folder / str(part.critic)) if in_file else part.critic,
        settings,
        None if part.scores is None else _shipped_or(folder, beside, part.scores),
        name,
        analysis,
    )


def _shipped_or(folder: Path, beside: Path, path: str) -> Path:
    """What lies there as seen from the study's file, else the path in the folder."""
    return beside / path if (beside / path).exists() else folder / path


def _policy(name: str | None, part: StudyPolicy | str, folder: Path) -> PolicyEntry:
    if isinstance(part, str):
        part = StudyPolicy.model_validate({"model": part})
    drawing = {key: value for key in _DRAWING if (value := getattr(part, key)) is not None}
    return PolicyEntry(_model(part.model, folder), _texts(part.args), name, drawing)


def _model(model: str, folder: Path) -> str:
    """A folder beside the file, or what isn't one: a hub id, BACKEND:MODEL."""
    return str(folder / model) if (folder / model).is_dir() or model.startswith(("./", "../")) else model


def _texts(settings: Mapping[str, Setting]) -> dict[str, str]:
    """Settings as the command line would write them."""
    return {
        name: str(value).lower() if value is None or isinstance(value, bool) else str(value)
        for name, value in settings.items()
    }
