"""Requests that wait at the same time go through the network together.

One thread computes. It takes the request that has waited longest, and all that wait for the same network with an image
of the same size. None waits for others to come: a lone request is computed at once, and while it is, others gather.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from viceversa.inference.applied import Applied


@dataclass(kw_only=True, eq=False)
class _Job:
    applied: Applied
    tensor: Tensor
    answer: "Future[Tensor]" = field(default_factory=Future)

    @property
    def group_key(self) -> tuple[int, tuple[int, ...]]:
        """Jobs that share it can go through the network together."""
        return id(self.applied), tuple(self.tensor.shape)


Observer = Callable[[Applied, int, float], None]


class Batcher:
    """A queue of images, and the thread that translates them."""

    def __init__(self, batch: int, observe: Observer = lambda applied, pictures, seconds: None):
        """Starts the thread.

        Args:
            batch: The most images that are computed together.
            observe: Called after each batch with its network, its number of images and the seconds it took.
        """
        self.batch = batch
        self.seconds_each = 0.0
        """What an image took lately."""
        self._observe = observe
        self._jobs: list[_Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="viceversa-translate", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Images that nobody computes yet."""
        return len(self._jobs)

    def submit(self, applied: Applied, tensor: Tensor) -> "Future[Tensor]":
        """Puts ``(C, H, W)`` into the queue; the future gives ``(C', H, W)``. One that is cancelled is not computed."""
        job = _Job(applied=applied, tensor=tensor)
        with self._changed:
            if self._closed:
                raise RuntimeError("The batcher is closed.")
            # What was given up would keep its image in memory for as long as the network is at another one.
            self._jobs = [other for other in self._jobs if not other.answer.cancelled()]
            self._jobs.append(job)
            self._changed.notify()
        return job.answer

    def close(self) -> None:
        """Finishes what was submitted, then ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while group := self._next():
            group = [job for job in group if job.answer.set_running_or_notify_cancel()]
            if group:
                self._translate(group)
            # Else the last answers, and the images, would be kept until the next request.
            del group

    def _next(self) -> list[_Job]:
        """What is to be computed next; waits for it. Empty if there will be nothing any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            if not self._jobs:
                return []
            key = self._jobs[0].group_key
            group = [job for job in self._jobs if job.group_key == key][: self.batch]
            taken = set(map(id, group))
            self._jobs = [job for job in self._jobs if id(job) not in taken]
            return group

    def _translate(self, group: list[_Job]) -> None:
        start = time.perf_counter()
        applied = group[0].applied
        try:
            answers = applied.to_tensor(torch.stack([job.tensor for job in group]), len(group))
        except Exception as error:  # whatever it is, it is the answer to a request, and must not end this thread
            if len(group) == 1:
                group[0].answer.set_exception(error)
            else:  # what fails together, for want of memory, may well succeed alone
                for job in group:
                    self._translate([job])
            return
        seconds = time.perf_counter() - start
        self.seconds_each = (
            seconds / len(group) if not self.seconds_each else (0.9 * self.seconds_each + 0.1 * seconds / len(group))
        )
        self._observe(applied, len(group), seconds)
        for job, answer in zip(group, answers, strict=True):
            job.answer.set_result(answer)
