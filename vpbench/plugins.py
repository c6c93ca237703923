"""Find tasks and critics: built in, by entry point, by file path.

The built-in ones are the files of `tasks/` and `critics/`, at the top of a checkout or inside an installed package;
other packages add theirs by the entry points `vpbench.tasks` and `vpbench.critics` (each naming a module); and
`--task ./mytask.py` names a file. All three are the same kind of file: a class with a `name` is what counts in it.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, get_args

from vpbench.base import BaseTask, Critic, PublishedPolicy, ReleasedModel, Source
from vpbench.errors import Boundary, ConfigError
from vpbench.records import Selection
from vpbench.settings import parse_settings
from vpbench.terminal import echo

PluginT = TypeVar("PluginT", BaseTask, Critic)

_PACKAGE = Path(__file__).resolve().parent
_DIGEST = "__vpbench_source__"
"""The attribute of a plugin's module that holds the SHA-256 of the source it was loaded from."""

_WARNED: set[Path] = set()
"""The files of plugins of which it was said that they have a shipped one's name."""


_ATTRIBUTES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "name": ("a text", lambda value: isinstance(value, str) and bool(value.strip())),
    "title": ("a text", lambda value: isinstance(value, str)),
    "version": ("a whole number", lambda value: isinstance(value, int)),
    "source": ("a vpbench.Source", lambda value: isinstance(value, Source)),
    "released": ("a vpbench.ReleasedModel", lambda value: isinstance(value, ReleasedModel | None)),
    "published_policy": ("a vpbench.PublishedPolicy", lambda value: isinstance(value, PublishedPolicy | None)),
    "selection": (", ".join(get_args(Selection)), lambda value: value in get_args(Selection)),
    "questions_at_once": ("a whole number from 1", lambda value: isinstance(value, int) and value >= 1),
    "aggregation": ("a text", lambda value: isinstance(value, str)),
    "unbounded": ("true or false", lambda value: isinstance(value, bool)),
    "step_threshold": ("a number", lambda value: isinstance(value, int | float) and math.isfinite(value)),
}
"""What the attributes of plugin classes have to be, in words and as a test."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin(Generic[PluginT]):
    """A plugin class and the file it stands in."""

    cls: type[PluginT]
    path: Path


def builtin_folder(kind: str) -> Path:
    """The folder of the built-in plugins; `kind` is "tasks", "critics", or "results" for the published figures."""
    packaged = _PACKAGE / "_plugins" / kind
    return packaged if packaged.is_dir() else _PACKAGE.parent / kind


def load_file(path: Path) -> ModuleType:
    """Import one plugin file under a name of its own. Raises `ConfigError` naming the file if that fails."""
    path = path.resolve()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: not a Python file that can be loaded ({error.strerror})") from error
    # The content is part of the name, so that a file edited within one process is loaded anew.
    module_name = f"vpbench_plugin_{path.stem}_{hashlib.sha256(str(path).encode() + source).hexdigest()[:16]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: not a Python file that can be loaded")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _DIGEST, hashlib.sha256(source).hexdigest())
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # SystemExit: a script's last line, which would end us without a word
        del sys.modules[module_name]
        raise ConfigError(f"{path}: the plugin fails on import ({type(error).__name__}: {error})") from error
    return module


def _load_point(point: EntryPoint) -> ModuleType:
    """The module that another package's entry point names. Raises `ConfigError` if that fails."""
    try:
        return point.load()  # type: ignore[no-any-return]
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"entry point {point.name} = {point.value}: the plugin fails on import ({type(error).__name__}: {error}); "
            "mend or uninstall its package"
        ) from error


def _classes(module: ModuleType, base: type[PluginT]) -> Iterator[Plugin[PluginT]]:
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, base)
            and value.__module__ == module.__name__
            and not inspect.isabstract(value)
            and "name" in vars(value)
        ):
            path = Path(str(module.__file__))
            _check_attributes(value, path)
            yield Plugin(value, path)


def _check_attributes(cls: type, path: Path) -> None:
    """Raise `ConfigError` where what the class says of itself isn't what is read of it."""
    for name, (expected, fits) in _ATTRIBUTES.items():
        needed = hasattr(cls, name) or (name == "source" and issubclass(cls, BaseTask))
        if needed and not fits(getattr(cls, name, None)):
            raise ConfigError(f"{path}: {cls.__name__}.{name} is {getattr(cls, name, None)!r}, expected {expected}")
    if issubclass(cls, Critic) and not dataclasses.is_dataclass(cls):
        raise ConfigError(
            f"{path}: {cls.__name__} is no dataclass, so it has no settings; write @dataclasses.dataclass(frozen=True) "
            "above it"
        )


def _shipped(kind: str) -> list[ModuleType]:
    return [load_file(path) for path in sorted(builtin_folder(kind).glob("*.py")) if path.stem != "__init__"]


def _all(kind: str, base: type[PluginT]) -> dict[str, Plugin[PluginT]]:
    modules = _shipped(kind) + [_load_point(point) for point in entry_points(group=f"vpbench.{kind}")]
    plugins: dict[str, Plugin[PluginT]] = {}
    for module in modules:
        for plugin in _classes(module, base):
            name = plugin.cls.name
            if name in plugins:
                raise ConfigError(f"two {kind} are called {name!r}: {plugins[name].path} and {plugin.path}; rename one")
            plugins[name] = plugin
    return plugins


def _tell_shadowing(kind: str, base: type[PluginT], plugin: Plugin[PluginT]) -> None:
    """Say that a file's plugin has the name of a shipped one, as whose its results would be taken; once per file."""
    shipped = {shipped.cls.name: shipped.path for module in _shipped(kind) for shipped in _classes(module, base)}
    name, path = plugin.cls.name, plugin.path.resolve()
    if path not in _WARNED and shipped.get(name, path).resolve() != path:
        _WARNED.add(path)
        echo(f"{path}: its {kind[:-1]} has the name of the shipped {name!r}; rename it to tell results apart", err=True)


def _find(kind: str, base: type[PluginT], wanted: str) -> Plugin[PluginT]:
    if wanted.endswith(".py"):
        classes = list(_classes(load_file(Path(wanted)), base))
        if len(classes) != 1:
            raise ConfigError(f"{wanted}: needs exactly one {base.__name__} class with a `name`, has {len(classes)}")
        _tell_shadowing(kind, base, classes[0])
        return classes[0]
    plugins = _all(kind, base)
    if wanted in plugins:
        return plugins[wanted]
    near = difflib.get_close_matches(wanted, plugins, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(plugins))}."
    raise ConfigError(f"no {kind[:-1]} is called {wanted!r}; {hint} A path to a Python file works too.")


def all_tasks() -> dict[str, Plugin[BaseTask]]:
    """Every task found as a file or by entry point, by name. Raises `ConfigError` for a duplicate name."""
    return _all("tasks", BaseTask)


def all_critics() -> dict[str, Plugin[Critic]]:
    """Every critic found as a file or by entry point, by name. Raises `ConfigError` for a duplicate name."""
    return _all("critics", Critic)  # type: ignore[type-abstract]


def find_task(wanted: str) -> Plugin[BaseTask]:
    """The task called `wanted`, or in the file `wanted`. Raises `ConfigError` with near matches."""
    return _find("tasks", BaseTask, wanted)


def find_critic(wanted: str) -> Plugin[Critic]:
    """The critic called `wanted`, or in the file `wanted`. Raises `ConfigError` with near matches."""
    return _find("critics", Critic, wanted)  # type: ignore[type-abstract]


def make_task(plugin: Plugin[BaseTask]) -> BaseTask:
    """The plugin's task. Raises `PluginError` where its code does."""
    with Boundary(f"task {plugin.cls.name!r}: __init__"):
        return plugin.cls()


def plugin_code(cls: type) -> str | None:
    """16 hexadecimal digits of the file a plugin class stands in; None for one that is shipped.

    Raises `ConfigError` for a class without a file, whose rows couldn't be told from those of an edited one.
    """
    try:
        path = Path(inspect.getfile(cls)).resolve()
        if path.parent in (builtin_folder("tasks").resolve(), builtin_folder("critics").resolve()):
            return None
        loaded = getattr(sys.modules[cls.__module__], _DIGEST, None)
        return (loaded or hashlib.sha256(path.read_bytes()).hexdigest())[:16]
    except (OSError, TypeError) as error:
        raise ConfigError(f"{cls.__name__} stands in no file ({error}); write the plugin into a Python file") from error


def critic_settings(cls: type[Critic]) -> dict[str, Any]:
    """The settings of a critic that was found here (so a dataclass), name to default."""
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    return {field.name: None if field.default is dataclasses.MISSING else field.default for field in fields}


def make_critic(cls: type[Critic], given: Mapping[str, str]) -> Critic:
    """A critic with the settings given as text. Raises `ConfigError` as `parse_settings` does, `PluginError`."""
    with Boundary(f"critic {cls.name!r}: __init__"):
        return parse_settings(cls, f"critic {cls.name!r}", given)
