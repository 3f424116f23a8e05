"""Videos for the page: one at a time, and their frames in the same queue as everybody's images."""

import asyncio
import errno
import importlib.util
import logging
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from viceversa.data.videos import FramesTooLarge
from viceversa.errors import ViceversaError
from viceversa.inference.applied import Applied
from viceversa.serving.problems import Problem, busy, too_large
from viceversa.serving.service import Service

Progress = Callable[[int, int], None]

_LONGER = 10
"""So many times the seconds of an image's request may a video take."""
_SHARE = 4
"""Such a part of the page's disk may a video take, with what is beside it while it is made."""
_MOST_VIDEOS = 3  # one that runs, and those that wait for it


def can_translate_videos() -> bool:
    """Whether what reads and writes videos is installed."""
    return importlib.util.find_spec("av") is not None


@contextmanager
def _counted(service: Service) -> Generator[None]:
    service.videos_at_work += 1
    try:
        yield
    finally:
        service.videos_at_work -= 1


class _Queued(Applied):
    """A network whose images wait in the server's queue, so that a video does not keep others from it."""

    def __init__(self, applied: Applied, service: Service):
        super().__init__(applied.network, applied.device, applied.tile)
        self._applied = applied
        self._service = service

    def __call__(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C', H, W)``."""
        waiting = [self._service.batcher.submit(self._applied, picture) for picture in x]
        return torch.stack([one.result() for one in waiting])


async def translate_upload(
    service: Service, name: str, to: str, source: Path, folder: Path, progress: Progress
) -> Path:
    """Translates a video with the model called ``name`` into ``folder``; gives the file.

    Raises:
        Problem: It cannot be translated, or it took too long.
    """
    from viceversa.inference.video import translate_video

    service.check_place()
    if service.videos_at_work >= _MOST_VIDEOS:
        raise busy(429, "busy", "Other videos are waiting already.", 60)
    with service.place(), _counted(service):
        model = service.models.find(name)
        applied = _Queued(model.applied(to), service)
        made = folder / f"{source.stem[:80]}-{to}.mp4"
        most_bytes = service.disk.most // _SHARE
        gone = False

        def still() -> None:
            if gone or service.stopping:
                raise Problem(503, "stopping", "The video was given up.")

        def go_on(done: int, total: int) -> None:
            still()
            if service.disk.bytes_in(folder) > most_bytes:
                raise too_large(f"The translation takes more than {most_bytes / 1e6:.3g} MB; take a shorter video.")
            progress(done, total)

        def work() -> None:
            try:
                translate_video(
                    applied, source, made, batch_size=service.config.batch, most_pixels=service.config.max_pixels,
                    progress=go_on, still=still,
                )  # fmt: skip
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)  # nobody will go on with its parts
                raise

        try:
            async with (
                asyncio.timeout(_LONGER * service.config.timeout_seconds), service.videos,
                service.disk.space(most_bytes),
            ):  # fmt: skip
                await asyncio.to_thread(work)
        except TimeoutError:
            raise busy(503, "timeout", "The video took too long; take a shorter one.", 60) from None
        except FramesTooLarge as error:
            raise too_large(f"The video is too large: {str(error).removeprefix(f'{source}: ')}") from error
        except ViceversaError as error:
            raise Problem(422, "unfit_video", str(error).removeprefix(f"{source}: ")) from error
        except (OSError, MemoryError) as error:
            if isinstance(error, MemoryError) or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM):
                raise busy(503, "no_room", "The server has no room for this video now.", 60) from error
            logging.getLogger("uvicorn.error").exception("A video could not be translated.")
            raise Problem(500, "internal", "The video could not be translated; the server's log says why.") from error
        finally:
            gone = True  # whoever asked may have left: the thread must not go on without a place
        return made
