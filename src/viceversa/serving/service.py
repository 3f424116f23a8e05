"""A request's way: a place in the queue, decoding, the network, encoding. The API and the page both take it."""

import asyncio
import math
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from viceversa.data.picture import Picture
from viceversa.errors import PictureError
from viceversa.inference.applied import Applied
from viceversa.inference.conversion import Taken, take
from viceversa.inference.memory import is_out_of_memory
from viceversa.serving import pictures
from viceversa.serving.batching import Batcher
from viceversa.serving.config import ServeConfig
from viceversa.serving.disk import Disk
from viceversa.serving.memory_limit import MemoryLimit, Share
from viceversa.serving.metrics import Metrics
from viceversa.serving.models import Model, Models
from viceversa.serving.problems import Problem, busy, too_large

T = TypeVar("T")

_MOST_SECONDS = 60
_DECODED_AT_ONCE = 4  # times the largest image that is taken
_HELD_AT_ONCE = 8  # times the largest file
FORM_BYTES = 2**16
"""Of a form, around the file."""
_USUAL_BYTES = 3  # of a pixel
_COMPUTED_BYTES = 24  # of a pixel: what goes into the network and what comes out, three floats each


@dataclass(frozen=True, kw_only=True, eq=False)
class Translated:
    """What became of an image."""

    before: Picture
    """What came in, upright."""
    after: Picture
    """Its translation, of the same size and depth."""
    kind: str
    """The kind of file: "PNG", "JPEG", ..."""
    data: bytes
    """The file."""

    @property
    def note(self) -> str:
        """What of the file that came in was not used; empty where all was."""
        return "the file holds several images, and only the first was translated" if self.before.about.several else ""


class Service:
    """The models, the thread that computes, the threads that decode, and how much of it is in use.

    Everything but `close` is called from one event loop.
    """

    def __init__(self, models: Models, config: ServeConfig):
        self.models = models
        self.config = config
        self.metrics = Metrics()
        self.accepted = 0
        self.held = 0
        """Bytes of requests' bodies in memory."""
        self.stopping = False
        self.videos = asyncio.Semaphore(1)
        self.videos_at_work = 0
        """Videos that are translated or wait for it."""
        self._labels = {id(one): (model.name, way[-1]) for model in models for way, one in model.ready.items()}
        self.batcher = Batcher(config.batch, self._observe)
        self.memory = MemoryLimit(_DECODED_AT_ONCE * config.max_pixels * (_USUAL_BYTES + _COMPUTED_BYTES))
        self._pool = ThreadPoolExecutor(min(4, (os.cpu_count() or 1) + 1), thread_name_prefix="viceversa-pictures")
        self._folder = tempfile.TemporaryDirectory(prefix="viceversa-serve-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.disk = Disk(self.folder / "page", config.max_disk_bytes)
        """Where the page's files lie."""
        self.metrics.watch("accepted", lambda: self.accepted)
        self.metrics.watch("queue_depth", lambda: self.batcher.waiting)

    def close(self) -> None:
        """Finishes what runs, and removes what lies on disk."""
        self.batcher.close()
        self._pool.shutdown()
        self._folder.cleanup()

    def check_place(self) -> None:
        """Sees that a request would be accepted now; to be asked before anything of it is read.

        Raises:
            Problem: 429, all places are taken; 503, the server is being stopped.
        """
        if self.stopping:
            raise busy(503, "stopping", "The server is being stopped.", 5)
        self._check_full()

    @contextmanager
    def place(self) -> Generator[None]:
        """A place among the requests that are accepted; to be taken when all of a request is there.

        Raises:
            Problem: 429, all are taken.
        """
        self._check_full()
        self.accepted += 1
        try:
            yield
        finally:
            self.accepted -= 1

    def _check_full(self) -> None:
        if self.accepted >= self.config.queue:
            raise busy(429, "busy", f"{self.accepted} requests are waiting already.", self.retry_seconds())

    def hold(self, count: int) -> None:
        """Counts so many more bytes of bodies in memory; fewer, if it is below 0.

        Raises:
            Problem: 429, it would be too many.
        """
        if count > 0 and self.held + count > _HELD_AT_ONCE * (self.config.max_bytes + FORM_BYTES):
            raise busy(429, "busy", "The server has no room for another file now.", self.retry_seconds())
        self.held += count

    def retry_seconds(self) -> int:
        """When half of what waits will be done, at the speed of late."""
        return min(max(1, math.ceil(self.accepted / 2 * self.batcher.seconds_each)), _MOST_SECONDS)

    @asynccontextmanager
    async def request(self) -> AsyncGenerator[None]:
        """The time that a request may take; a `place` is to be taken in it.

        Raises:
            Problem: As of `check_place`; 503, it took longer. What still waits is given up then.
        """
        self.check_place()
        try:
            async with asyncio.timeout(self.config.timeout_seconds):
                yield
        except TimeoutError:
            seconds = self.config.timeout_seconds
            raise busy(503, "timeout", f"It took more than {seconds:g} s.", self.retry_seconds()) from None

    async def translate(self, model: Model, data: bytes, to: str | None, asked: str | None, quality: int) -> Translated:
        """Translates the file ``data``; inside of a `request` and a `place`.

        Args:
            model: What translates.
            data: The bytes of an image's file.
            to: See :meth:`viceversa.inference.translator.Translator.direction`.
            asked: One of `pictures.FORMATS`; None is the kind that came in, or PNG.
            quality: 1 to 100, of lossy kinds.

        Raises:
            Problem: It cannot be translated, or cannot be written so.
        """
        applied = model.applied(to)
        pixels, decoded = await self.in_pool(lambda: pictures.size_of(data, self.folder, self.config.max_pixels))
        async with self.memory.take(decoded + _COMPUTED_BYTES * pixels) as share:
            before, taken = await self.in_pool(lambda: self._prepare(data, applied), share)
            try:
                computed = self.batcher.submit(applied, taken.tensor)
                share.work.append(computed)
                answer = await asyncio.wrap_future(computed)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                raise too_large("There is not enough memory for an image of this size; make it smaller.") from error
            kind = pictures.kind_for(asked, before)

            def finish() -> Translated:
                after: Picture = taken.back(answer)
                return Translated(before=before, after=after, kind=kind, data=pictures.encode(after, kind, quality))

            return await self.in_pool(finish, share)

    async def in_pool(self, work: Callable[[], T], share: Share | None = None) -> T:
        """Runs what computes in a thread, off the event loop; it keeps ``share`` until it has ended."""
        running = self._pool.submit(work)
        if share is not None:
            share.work.append(running)
        return await asyncio.wrap_future(running)

    def _prepare(self, data: bytes, applied: Applied) -> tuple[Picture, Taken]:
        picture = pictures.decode(data, self.folder, self.config.max_pixels)
        if applied.valued:
            raise Problem(
                422, "unfit_picture",
                "This model was trained on a range of values, which images sent here do not have; use viceversa "
                "translate on TIFF or .npy files.",
            )  # fmt: skip
        try:
            return picture, take(picture, applied.takes, applied.gives)
        except PictureError as error:
            raise Problem(422, "unfit_picture", str(error)) from error

    def _observe(self, applied: Applied, count: int, seconds: float) -> None:
        labels = self._labels[id(applied)]
        self.metrics.batches.labels(*labels).observe(count)
        self.metrics.model_seconds.labels(*labels).inc(seconds)
