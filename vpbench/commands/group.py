"""How commands end: in one message and an exit code, whatever ended them; tracebacks by `-v` alone."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import click

from vpbench.errors import VpbenchError, machine_failure, summary
from vpbench.terminal import printable


def _show(level: int) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(_: click.Context, __: click.Parameter, value: bool) -> None:
        if value:
            logging.getLogger("vpbench").setLevel(level)

    return callback


class Command(click.Command):
    """A command with `-q` and `-v`."""

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


class Group(click.Group):
    """Says in one message, without a traceback, what ended a command, and exits with its code.

    That of the project's own errors is theirs; 130 after Ctrl-C and SIGTERM; 2 where the machine failed, and for all
    that `check` could not compare, since its 1 means "regressed"; 1 for a fault of vpbench.
    """

    command_class = Command
    group_class = type

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        logging.basicConfig(format="%(message)s")
        logging.getLogger("vpbench").setLevel(logging.INFO)
        try:
            with _sigterm_as_interrupt():
                return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            message, code = f"stopped; {_kept(ctx)}", 130
        except Exception as error:
            # What reads our output is free to end early.
            if isinstance(error, BrokenPipeError) and ctx.invoked_subcommand != "check":
                raise
            logging.getLogger("vpbench").debug("", exc_info=error)
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
    words = " ".join(summary(error).split())
    message = f"unexpected {words}, a fault of vpbench; -v shows the traceback; {_kept(ctx)}"
    return message, 2 if ctx.invoked_subcommand == "check" else 1


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
