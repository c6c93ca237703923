"""A result as JSON, and back: the file's keys are the attributes of the dataclasses in `vpbench.report.result`.

Its last key, `sha256`, is a checksum of all others, so that a changed digit is noticed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from vpbench.errors import ConfigError
from vpbench.report.bounds import bounds_of
from vpbench.report.result import GAINS, BestOfNResult, Gain, MeasurePoint, Point, Result, StepResult
from vpbench.report.units import CURVES, ROUNDING

Record = TypeVar("Record")
_Decoder = Callable[[Any, str, str], Any]
"""Takes a JSON value, what messages call its file, and its key."""

_LAST = ("errors", "notes", "steps_per_response", "diagnosis", "provenance", "files")
"""The keys that follow those of the kind of result, in order."""
_OF_STEPS = ("held_out_threshold", "first_errors")
"""What a step report may be without."""
_CHECKSUM = "sha256"


def as_json(result: Result) -> dict[str, Any]:
    """The content of `result.json`; what a result may be without isn't in it as null."""
    content = dataclasses.asdict(result)
    content |= {name: content.pop(name) for name in _LAST}
    optional = [
        (content, name) for name in ("judge", "link", "steps_per_response", "files", "label", "distinct_answers")
    ]
    for part, name in (*optional, *((content.get("step_f1", {}), name) for name in _OF_STEPS)):
        if part.get(name, ...) is None:
            del part[name]
    return {**content, _CHECKSUM: checksum(content)}


def checksum(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a result's keys and values, whatever their order and the spaces between them."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def from_json(content: Mapping[str, Any], where: object) -> BestOfNResult | StepResult:
    """The result of a file's content. Raises `ConfigError` naming the file, `where`, and the key that is wrong."""
    keys = {name: value for name, value in content.items() if name != _CHECKSUM}
    kind = BestOfNResult if "curves" in keys else StepResult
    result: BestOfNResult | StepResult = _record(kind, keys, str(where), "")
    if isinstance(result, BestOfNResult):
        _check_ns(result, where)
    else:
        _check_folds(result, where)
    # last, because a key that is wrong says more than that something is; earlier versions wrote no checksum
    if _CHECKSUM in content and content[_CHECKSUM] != checksum(keys):
        raise ConfigError(f"{where}: damaged or edited, key {_CHECKSUM!r} isn't that of the others; run it again")
    return result


def record_from_json(kind: type[Record], content: Any, where: object) -> Record:
    """The dataclass `kind` out of a file's content. Raises `ConfigError` as `from_json` does."""
    record: Record = _record(kind, content, str(where), "")
    return record


def _check_ns(result: BestOfNResult, where: object) -> None:
    """Raises `ConfigError` unless every curve, gain and measure has a point for every N, as readers rely on."""
    points: dict[str, Sequence[Point | Gain | MeasurePoint]] = {
        **{f"curves.{name}": result.curves.get(name, ()) for name in CURVES},
        **{f"gains.{name}": result.gains.get(name, ()) for name in GAINS},
        **{f"measures[{number}].points": measure.points for number, measure in enumerate(result.measures)},
    }
    if (result.curves.get("vote"), result.gains.get("over_vote")) == ((), ()):  # the pool has no answers to vote on
        del points["curves.vote"], points["gains.over_vote"]
    ns = [point.n for point in points["curves.critic"]]
    if ns != sorted(set(ns)):
        raise ConfigError(f"{where}: key 'curves.critic' hasn't every N once and in order; run it again")
    for key, given in points.items():
        if not ns or [point.n for point in given] != ns:
            raise ConfigError(f"{where}: key {key!r} hasn't a point for every N; run it again")


def _check_folds(result: StepResult, where: object) -> None:
    """Raises `ConfigError` unless there is a held-out threshold for every fold, where there are any."""
    held_out = result.step_f1.held_out_threshold
    if held_out is not None and len(held_out.thresholds) != held_out.folds:
        key = "step_f1.held_out_threshold.thresholds"
        raise ConfigError(f"{where}: key {key!r} hasn't one for each of {held_out.folds} folds; run it again")


@functools.cache
def _decoders(kind: type) -> tuple[dict[str, _Decoder], tuple[str, ...]]:
    """How each field of a record is decoded, and those that have to be there."""
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    required = tuple(field.name for field in fields if field.default is dataclasses.MISSING)
    return {field.name: _decoder(hints[field.name]) for field in fields}, required


def _record(kind: type, value: Any, where: str, key: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(value, "an object", where, key)
    decoders, required = _decoders(kind)
    for name in value:
        if name not in decoders:
            raise ConfigError(f"{where}: unknown key {_inner(key, name)!r}; a newer vpbench may read it")
    for name in required:
        if name not in value:
            raise ConfigError(f"{where}: key {_inner(key, name)!r} is missing; run it again")
    parts = {name: decoders[name](part, where, _inner(key, name)) for name, part in value.items()}
    _check_bounds(kind, parts, where, key)
    return kind(**parts)


def _check_bounds(kind: type, parts: Mapping[str, Any], where: str, key: str) -> None:
    for name, (least, most) in bounds_of(kind).items():
        part = parts.get(name)
        numbers = part.values() if isinstance(part, dict) else part if isinstance(part, tuple) else (part,)
        for number in numbers:
            if number is not None and not least - ROUNDING <= number <= most + ROUNDING:
                raise _wrong(number, f"at least {least:g} and at most {most:g}", where, _inner(key, name))
    low, high = parts.get("low"), parts.get("high")
    if low is not None and high is not None and low > high:
        raise _wrong(low, f"at most the upper end {high!r}", where, _inner(key, "low"))


# A file holds thousands of values of a dozen types: what is to be done is found out once for a type, not for a value.
@functools.cache
def _decoder(hint: Any) -> _Decoder:
    """From a JSON value to what the type hint says. Values are kept as they are: no number is converted."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value, where, key: value
    if origin in (Union, types.UnionType):
        rest = _decoder(next(kind for kind in inner if kind is not type(None)))
        return lambda value, where, key: None if value is None else rest(value, where, key)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return functools.partial(_record, hint)
    if origin is Literal:
        return functools.partial(_one_of, inner)
    if origin is tuple:
        return functools.partial(_items, _decoder(inner[0]))
    if origin is Mapping:
        return functools.partial(_values, _decoder(inner[1]))
    return functools.partial(_plain, hint)


def _one_of(choices: tuple[Any, ...], value: Any, where: str, key: str) -> Any:
    if value not in choices:
        raise _wrong(value, f"one of {', '.join(map(str, choices))}", where, key)
    return value


def _items(decode: _Decoder, value: Any, where: str, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(value, "a list", where, key)
    return tuple(decode(item, where, f"{key}[{number}]") for number, item in enumerate(value))


def _values(decode: _Decoder, value: Any, where: str, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(value, "an object", where, key)
    return {name: decode(item, where, _inner(key, name)) for name, item in value.items()}


def _plain(kind: Any, value: Any, where: str, key: str) -> Any:
    # a whole number stands for a float, but true and false, which Python takes for numbers, stand for themselves only
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise _wrong(value, f"a value of type {kind.__name__}", where, key)
    if kind is float and not abs(value) <= sys.float_info.max:
        raise _wrong(value, "a finite number", where, key)
    # half of a surrogate pair, which a policy's name may bring, can't be in a frame or a file
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _inner(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _wrong(value: Any, expected: str, where: str, key: str) -> ConfigError:
    return ConfigError(f"{where}: key {key or 'of the whole'!r} is {value!r:.60}, expected {expected}; run it again")
