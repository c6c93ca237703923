"""Threads for requests that nobody waits for when a run is stopped.

A `ThreadPoolExecutor` waits for what is in flight, at the end of its `with` and once more at the interpreter's exit:
Ctrl-C would last as long as the slowest reply. These are daemon threads. A `with` that ends well leaves none behind,
one that is left by an exception leaves the requests in flight to themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

Work = tuple[Future[Any], Callable[[], Any]]


class RequestThreads(Executor):
    """Runs at most `at_once` calls at a time."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._threads: list[threading.Thread] = []
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._ended = False

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Begin with a call, or queue it. Raises `RuntimeError` after `shutdown`."""
        if self._ended:
            raise RuntimeError("no more calls: the threads were shut down")
        future: Future[Any] = Future()
        self._queue.put((future, lambda: call(*arguments, **named)))
        if len(self._threads) < self._at_once:
            thread = threading.Thread(target=self._serve, name="request", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads, with `cancel_futures` before what is queued; with `wait` return when they have ended."""
        self._ended = True
        while cancel_futures:
            try:
                work = self._queue.get_nowait()
            except Empty:
                break
            if work is not None:
                work[0].cancel()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            future, call = work
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as error:  # it is raised where the result is asked for
                    future.set_exception(error)
                else:
                    future.set_result(result)
            del work, future, call
