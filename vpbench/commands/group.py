"""How commands end: in one message and an exit code, whatever ended them; tracebacks by `-v` alone."""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import click

from vpbench.errors import VpbenchError, machine_failure, summary
from vpbench.terminal import printable

AGAIN_SECONDS = 0.05

_log = logging.getLogger("vpbench")


def _show(level: int) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(_: click.Context, __: click.Parameter, value: bool) -> None:
        if value:
            _log.setLevel(level)

    return callback


_PREFIX = "VPBENCH_"

_INPUTS = {"study", "pool", "data", "eval_data"}
"""Options of one file each; of others the last counts, as scripts that add to a command expect."""

_OF_TESTS = {"SHARED", "REQUIRE_SHARED", "REQUIRE_BROWSER", "SLOW", "REAL"}
"""Variables, without the prefix, that the tests read."""


def _variables(command: click.Command) -> set[str]:
    """The environment variables that set the options of a command and of those under it."""
    variables = {str(parameter.envvar) for parameter in command.params if parameter.envvar}
    return variables.union(*map(_variables, getattr(command, "commands", {}).values()))


def _warn_of_unknown_variables(command: click.Command) -> None:
    """Name the variables that look like ours and set nothing, as one that is misspelt does."""
    variables = {name.removeprefix(_PREFIX) for name in _variables(command)}
    for name in sorted(name.removeprefix(_PREFIX) for name in os.environ if name.startswith(_PREFIX)):
        if name not in variables | _OF_TESTS:
            near = [_PREFIX + match for match in difflib.get_close_matches(name, variables, n=2)]
            hint = f"; did you mean {' or '.join(near)}?" if near else " (`vpbench run --help` lists the options)"
            click.echo(f"vpbench: the environment variable {_PREFIX}{name} sets nothing{hint}", err=True)


class Command(click.Command):
    """A command with `-q` and `-v`, which refuses an input file that is given twice: the first would go unread."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        shared: dict[str, Any] = {"is_flag": True, "expose_value": False}
        quiet, verbose = _show(logging.WARNING), _show(logging.DEBUG)
        self.params += [
            click.Option(["-q", "--quiet"], callback=quiet, envvar="VPBENCH_QUIET", help="Show no progress.", **shared),
            click.Option(
                ["-v", "--verbose"],
                callback=verbose,
                envvar="VPBENCH_VERBOSE",
                help="Show the tracebacks of failures.",
                **shared,
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            if option.name in _INPUTS and not option.multiple and given.count(option) > 1:
                raise click.UsageError(f"{option.opts[0]} is given {given.count(option)} times; give it once", ctx)
        return super().parse_args(ctx, args)


class CommandGroup(click.Group):
    """Says in one message, without a traceback, what ended a command, and exits with its code.

    That of the project's own errors is theirs; 130 after Ctrl-C and SIGTERM; 2 where the machine failed, and for all
    that `check` could not compare, since its 1 means "regressed"; 1 for a fault of vpbench.
    """

    command_class = Command
    group_class = type

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        logging.basicConfig(format="%(message)s")
        _log.setLevel(logging.INFO)
        if ctx.parent is None:
            _warn_of_unknown_variables(self)
        try:
            with _sigterm_as_interrupt(), _interrupts_that_last(), _threads_without_tracebacks():
                return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            message, code = f"stopped; {_kept(ctx)}", 130
        except Exception as error:
            # What reads our output is free to end early.
            if isinstance(error, BrokenPipeError) and ctx.invoked_subcommand != "check":
                raise
            _log.debug("", exc_info=error)
            message, code = _ending(error, ctx)
            if isinstance(error, VpbenchError) and error.warned:
                ctx.exit(code)
        click.echo(f"vpbench: {printable(message)}", err=True)
        ctx.exit(code)


def _ending(error: Exception, ctx: click.Context) -> tuple[str, int]:
    """What an error that ended a command says, and the exit code."""
    if isinstance(error, VpbenchError):
        return str(error), error.exit_code
    failure = machine_failure(error)
    if failure is not None:
        return f"{failure}; {_kept(ctx)}", 2
    message = f"unexpected {_one_line(error)}, a fault of vpbench; -v shows the traceback; {_kept(ctx)}"
    return message, 2 if ctx.invoked_subcommand == "check" else 1


def _one_line(error: Exception) -> str:
    return " ".join(summary(error).split())


def _kept(ctx: click.Context) -> str:
    return f"what is done is kept, the same command goes on{' by --resume' * (ctx.invoked_subcommand == 'train')}"


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: stages leave their stores, and worker processes are ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _interrupts_that_last() -> Iterator[None]:
    """Send Ctrl-C again where it fell into a finaliser: Python prints and drops what is raised there."""

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            # From a thread and later, since in this hook it would be dropped once more.
            threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            before(dropped)

    before, sys.unraisablehook = sys.unraisablehook, hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def _threads_without_tracebacks() -> Iterator[None]:
    """A thread that fails (a library's: our own hand their errors over) says so in one line too."""

    def hook(failed: threading.ExceptHookArgs) -> None:
        error = failed.exc_value
        if isinstance(error, Exception):
            _log.debug("", exc_info=error)
            click.echo(f"vpbench: {printable(machine_failure(error) or _one_line(error))} (in a thread)", err=True)

    before, threading.excepthook = threading.excepthook, hook
    try:
        yield
    finally:
        threading.excepthook = before
