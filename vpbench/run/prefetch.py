"""The next question's images are decoded and cut while the present one is scored.

A critic that can do part of its work early says so by `Critic.prefetch`; it is called one question ahead in a thread of
its own. Errors of images, data and critics are left for `Critic.score`, which meets them again on the right question;
any other exception is raised there.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType

from vpbench.base import Critic
from vpbench.errors import VpbenchError
from vpbench.records import Question


class Ahead:
    """Calls a critic's `prefetch` for one question at a time; a context manager that ends its thread."""

    def __init__(self, critic: Critic) -> None:
        self._critic = critic
        self._used = critic.questions_at_once == 1 and type(critic).prefetch is not Critic.prefetch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def start(self, question: Question) -> None:
        """Begin with `question`, the one to be scored after the present one."""
        if self._used:
            self._pending = self._thread.submit(self._prefetch, question)

    def wait(self) -> None:
        """Until what was begun is done; to be called before that question is scored."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _prefetch(self, question: Question) -> None:
        with suppress(VpbenchError):
            self._critic.prefetch(question)
