"""Threads that nobody has to wait for: one that hangs does not keep the process from ending."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 32  # at work at once

T = TypeVar("T")


class Daemons(ThreadPoolExecutor):
    """An executor for an event loop (`set_default_executor`, which takes no other type).

    The pool of the standard library joins its threads when the process ends, so that a server or a disk that does not
    answer would decide when that is. Here each call has a daemon thread, which ends with the process.
    """

    def __init__(self) -> None:
        """Begin without threads."""
        super().__init__(max_workers=1)  # of its own it never starts one
        self._slots = threading.BoundedSemaphore(MOST)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call a function in a thread."""
        future: Future[T] = Future()

        def work() -> None:
            with self._slots:
                if not future.set_running_or_notify_cancel():
                    return
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:  # noqa: BLE001 - it is handed to who waits for it
                    future.set_exception(error)
                else:
                    future.set_result(result)

        threading.Thread(target=work, name="reconciler", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for nothing."""
