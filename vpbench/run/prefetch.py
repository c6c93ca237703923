"""The next question's images are decoded and cut while the present one is scored.

A critic that can do part of its work early says so by `Critic.prefetch`; it is called one question ahead in a thread of
its own. Errors of images, data and critics are left for `Critic.score`, which meets them again on the right question;
an exception of the critic's code is that question's failure.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from vpbench.base import Critic
from vpbench.errors import Boundary, PluginError, VpbenchError
from vpbench.records import Question


class Prefetch:
    """Calls a critic's `prefetch` for one question at a time; a context manager that ends its thread."""

    def __init__(self, critic: Critic) -> None:
        self._critic = critic
        self._used = type(critic).prefetch is not Critic.prefetch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._pending: Future[PluginError | None] | None = None

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def start(self, question: Question) -> None:
        """Begin with `question`, the one to be scored after the present one."""
        if self._used:
            self._pending = self._thread.submit(self._prefetch, question)

    def failure(self) -> PluginError | None:
        """What went wrong in the critic's code for the question begun last; waits until that is done."""
        pending, self._pending = self._pending, None
        return None if pending is None else pending.result()

    def _prefetch(self, question: Question) -> PluginError | None:
        try:
            with Boundary(f"critic {self._critic.name!r}, question {question.id!r}: prefetch"):
                self._critic.prefetch(question)
        except PluginError as error:
            return error
        except VpbenchError:
            # `score` meets it again, on the right question.
            return None
        return None
