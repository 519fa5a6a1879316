"""Threads that do the batches of a voxel run and add them up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread

from RPTDosimetryLib.transport.voxel_batch import BatchWorker

AddBatch = Callable[[int, BatchWorker, tuple[float, float]], None]


class Crew:
    """Threads that take batches from one list; the transport runs outside the interpreter's lock.

    add: called with the number of a batch, its worker and what it booked, by one thread at a time; lock: held then.
    """

    def __init__(
        self,
        workers: Iterable[BatchWorker],
        batches: Iterable[int],
        add: AddBatch,
    ) -> None:
        self.lock = Lock()
        self._waiting = iter(batches)
        self._add = add
        self._stopped = Event()
        self._failures: list[Exception] = []
        self._threads = [Thread(target=self._work, args=(worker,), daemon=True) for worker in workers]

    def start(self) -> None:
        """Set all of them to work."""
        for thread in self._threads:
            thread.start()

    def busy(self) -> bool:
        """Whether any still works."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """End within some 20 ms (0.2 s on a device); batches that are not whole are dropped."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def finish(self) -> None:
        """Wait for all; raises what went wrong in one of them."""
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _work(self, worker: BatchWorker) -> None:
        try:
            while not self._stopped.is_set():
                with self.lock:
                    batch = next(self._waiting, None)
                if batch is None:
                    return
                booked = worker.run(batch, self._stopped.is_set)
                if booked is None:
                    return
                with self.lock:
                    self._add(batch, worker, booked)
        except Exception as error:  # handed to the thread that waits
            self._failures.append(error)
            self._stopped.set()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
