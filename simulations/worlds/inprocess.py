"""The in-process transport: the same bytes, handed over by calling the holders' handlers in threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as FutureTimeout

from privacy.protocol.transport import Handler


class InProcessTransport:
    """Carries bytes to handlers in this process."""

    name = "in-process"

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)

    def holders(self) -> tuple[str, ...]:
        """Ids of the holders, sorted."""
        return tuple(sorted(self._handlers))

    def exchange(
        self,
        requests: Mapping[str, bytes],
        *,
        timeout: float,
        on_reply: Callable[[str], None] | None = None,
    ) -> dict[str, bytes]:
        """See :class:`privacy.protocol.transport.Transport`."""
        replies: dict[str, bytes] = {}
        pool = ThreadPoolExecutor(max_workers=max(len(requests), 1))
        try:
            tasks = {
                pool.submit(self._handlers[holder], request): holder
                for holder, request in requests.items()
                if holder in self._handlers
            }
            try:
                for task in as_completed(tasks, timeout=timeout):
                    if task.exception() is None and task.result():  # an empty reply is none, in every carrier
                        replies[tasks[task]] = task.result()
                        if on_reply is not None:
                            on_reply(tasks[task])
            except FutureTimeout:
                pass  # who has not answered by now counts as absent
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return replies
