"""Deliveries that come at the same time are written together: the disk is waited for once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from customer_nlp.serve._store import Arrival

__all__ = ["Intake"]


class Intake:
    """Gathers what arrives while the last transaction is being written, for the next.

    Parameters
    ----------
    write : callable
        ``Store.take_in``; run on a thread, once at a time.

    Notes
    -----
    Belongs to one event loop. A delivery is answered only when it is on the disk; one whose sender
    has gone away meanwhile is written all the same.
    """

    def __init__(self, write: Callable[[Sequence[Arrival]], list[bool]]) -> None:
        self._write = write
        self._waiting: list[tuple[Arrival, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def take_in(self, arrival: Arrival) -> bool:
        """Return whether it is new, once it is kept; the error of its transaction is raised."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting, []
            try:
                found = await asyncio.to_thread(self._write, [one for one, _ in together])
            except Exception as error:  # noqa: BLE001 - each sender is told
                for _, answer in together:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), new in zip(together, found, strict=True):
                if not answer.done():
                    answer.set_result(new)
        self._task = None
