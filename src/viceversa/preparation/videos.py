"""Videos: decoded by PyAV as a stream of frames, cut into scenes by scenedetect. Only one video is read at a time."""

import bisect
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viceversa.data.colour import on_white
from viceversa.data.images import Array
from viceversa.data.video_changes import ON_WHITE, changes, has_alpha
from viceversa.data.videos import check_frame, opened
from viceversa.data.wholeness import Reach
from viceversa.errors import DataError
from viceversa.extras import need
from viceversa.preparation import borders, crops
from viceversa.preparation.borders import Box, Depths
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.frames import SIDE_PX, Grey, Measures, measured, middle
from viceversa.preparation.parallel import Team
from viceversa.preparation.seen import Seen, Sides, Tick

_BORDERS_EVERY = 6  # frames
_SHORTEST_SCENE_SECONDS = 0.4
_DARK = 20.0  # levels from black, or from white: with a mean nearer to them there is no image to speak of
_BLACK, _WHITE = 10, 245  # mean levels between which a video is when it has not faded out
_HD_PX = 720  # from this height on, videos that do not name their colours mean BT.709
_UNNAMED = 2  # AVCOL_SPC_UNSPECIFIED


@dataclass(frozen=True, slots=True)
class _Look:
    seconds: float
    shape: tuple[int, int]
    measures: Measures
    depths: Depths | None


class Video:
    """A file with a video stream."""

    is_video = True

    def __init__(self, path: Path, key: str) -> None:
        """Opens the file to see that there is something to decode.

        Raises:
            DataError: It is no video, or one without images.
        """
        self.path, self.key = path, key
        self.notes = self._changes = tuple[str, ...]()
        with opened(self.path, "prepare") as (_, stream):
            rate = stream.average_rate or stream.guessed_rate or 25
            self._rate = min(max(float(rate), 1.0), 240.0)
            self._aspect = float(stream.sample_aspect_ratio or 1)
            self._frames = stream.frames

    def expected(self) -> int:
        """The number of frames that the head of the file tells, or that its duration makes."""
        if self._frames:
            return self._frames
        with opened(self.path, "prepare") as (container, _):
            return round((container.duration or 0) / 1e6 * self._rate)

    def scan(self, config: PrepareConfig, team: Team, tick: Tick) -> list[Seen]:
        """See `Source.scan`."""
        cuts = _Cuts(self._rate)
        lens = _Lens(self._aspect)

        def small() -> Iterator[tuple[float, tuple[int, int], Array, Grey | None]]:
            for index, (seconds, frame) in enumerate(self._decode(team.size)):
                picture = lens.small(frame)
                cuts.see(index, picture)
                yield seconds, lens.shape(frame), picture, lens.grey(frame) if index % _BORDERS_EVERY == 0 else None
                tick()

        def look(item: tuple[float, tuple[int, int], Array, Grey | None]) -> _Look:
            seconds, shape, picture, grey = item
            gist = crops.gist(Box(0, 0, picture.shape[1], picture.shape[0]), config).cut(picture)
            return _Look(seconds, shape, measured(gist), None if grey is None else borders.depths(grey))

        looks = list(team.map(look, small()))
        self.notes = (*self._changes, *lens.notes())
        scenes = cuts.scenes([look.measures.brightness for look in looks])
        inner = {} if config.keep_borders else _inner(looks, scenes)
        return [
            Seen(
                index=index,
                scene=scene,
                measures=look.measures,
                inner=inner.get((scene, look.shape), Box(0, 0, look.shape[1], look.shape[0])),
                seconds=round(look.seconds, 3),
            )
            for index, (look, scene) in enumerate(zip(looks, scenes, strict=True))
        ]

    def fetch(self, wanted: Set[int], team: Team, tick: Tick) -> Iterator[tuple[int, Sides]]:
        """See `Source.fetch`."""
        lens, last = _Lens(self._aspect), max(wanted, default=-1)
        if last < 0:
            return
        for index, (_, frame) in enumerate(self._decode(team.size)):
            if index in wanted:
                yield index, (lens.whole(frame),)
            tick()
            if index == last:
                return

    def _decode(self, threads: int) -> Iterator[tuple[float, Any]]:
        """Every frame with its time in seconds.

        Raises:
            DataError: The video ends before it should, or nothing in it can be decoded.
        """
        av = need("av", "prepare")
        with opened(self.path, "prepare") as (container, stream):
            stream.thread_type, stream.codec_context.thread_count = "AUTO", threads
            start = (container.start_time or 0) / 1e6
            count, reach = 0, Reach(container, self.path)
            packets = container.demux()
            while True:
                try:
                    packet = next(packets, None)
                except av.FFmpegError:  # a head that promises more than there is; what is missing is told below
                    break
                if packet is None:
                    break
                reach.see(packet)
                for frame in _frames(packet, stream, av.FFmpegError):
                    check_frame(self.path, frame.width, frame.height)
                    if not count:
                        self._changes = tuple(changes(frame, stream))
                    seconds = count / self._rate if frame.time is None else max(0.0, frame.time - start)
                    yield seconds, frame
                    count += 1
            if not count:
                raise DataError(f"{self.path}: none of its frames can be decoded; replace it or leave it out.")
            reach.check()


class _Cuts:
    """Where scenes begin: hard cuts by a change of content, fades by the time without an image."""

    def __init__(self, rate: float) -> None:
        detectors = need("scenedetect.detectors", "prepare")
        self._timecode = need("scenedetect", "prepare").FrameTimecode
        self._rate = rate
        shortest = max(1, round(_SHORTEST_SCENE_SECONDS * rate))
        fade = detectors.ThresholdDetector
        self._content = detectors.ContentDetector(min_scene_len=shortest)
        self._fades = (
            fade(threshold=_BLACK, min_scene_len=shortest),
            fade(threshold=_WHITE, min_scene_len=shortest, method=fade.Method.CEILING),
        )
        self._hard, self._soft = set[int](), set[int]()

    def see(self, index: int, picture: Array) -> None:
        # A third of the lines is enough, and makes it nine times as fast. OpenCV means BGR.
        frame = np.ascontiguousarray(middle(picture)[::3, ::3, ::-1])
        timecode = self._timecode(index, self._rate)
        self._hard |= {cut.frame_num for cut in self._content.process_frame(timecode, frame)}
        for detector in self._fades:
            self._soft |= {cut.frame_num for cut in detector.process_frame(timecode, frame)}

    def scenes(self, brightness: list[float]) -> list[int]:
        """The scene of each frame, given its mean grey level."""
        empty = [level < _DARK or level > 255 - _DARK for level in brightness]
        # Noise in the dark has every hue, and the detector takes that for a change of content.
        hard = {cut for cut in self._hard if cut and not (empty[cut - 1] and empty[cut])}
        soft = {cut for cut in self._soft if cut and not hard & _around(cut, empty)}
        cuts = sorted(hard | soft)
        return [bisect.bisect_right(cuts, index) for index in range(len(brightness))]


def _around(cut: int, empty: list[bool]) -> set[int]:
    """Where a time without an image begins and ends: with a hard cut there it is no fade, but a scene by itself."""
    first = last = cut
    while first > 0 and empty[first - 1]:
        first -= 1
    while last < len(empty) and empty[last]:
        last += 1
    return {first, last}


class _Lens:
    """Decoded frames as arrays that stand upright and have square pixels."""

    def __init__(self, aspect: float) -> None:
        """``aspect`` is the width of a pixel by its height."""
        self._aspect = aspect if 0.2 < aspect < 5 else 1.0
        make = need("av.video.reformatter", "prepare").VideoReformatter
        # One for each kind: they keep what they set up for a size and a format.
        self._small, self._grey, self._whole = make(), make(), make()
        self._transparent = False

    def notes(self) -> tuple[str, ...]:
        """What was changed in the frames that it has made."""
        square = () if self._aspect == 1 else ("its pixels are made square",)
        return (*square, *((ON_WHITE,) if self._transparent else ()))

    def shape(self, frame: Any) -> tuple[int, int]:
        """Height and width of what `whole` makes."""
        width, height = self._square(frame)
        return (width, height) if _turns(frame) % 2 else (height, width)

    def small(self, frame: Any) -> Array:
        """RGB with a short side of `SIDE_PX` at most."""
        width, height = self._square(frame)
        scale = min(1.0, SIDE_PX / min(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return self._on_white(self._small, frame, size, "AREA")

    def grey(self, frame: Any) -> Grey:
        """In full size."""
        return _array(self._grey, frame, self._square(frame), "gray", "BICUBIC")

    def whole(self, frame: Any) -> Array:
        """RGB in full size."""
        return self._on_white(self._whole, frame, self._square(frame), "BICUBIC")

    def _on_white(self, reformatter: Any, frame: Any, size: tuple[int, int], filter: str) -> Array:
        if not has_alpha(frame):
            return _array(reformatter, frame, size, "rgb24", filter)
        made = _array(reformatter, frame, size, "rgba", filter)
        self._transparent = self._transparent or bool((made[:, :, 3] < 255).any())
        return on_white(made)

    def _square(self, frame: Any) -> tuple[int, int]:
        """Width and height once pixels are square, before it is turned upright."""
        return max(1, round(frame.width * self._aspect)), frame.height


def _array(reformatter: Any, frame: Any, size: tuple[int, int], kind: str, filter: str) -> NDArray[Any]:
    named = frame.colorspace != _UNNAMED or min(frame.width, frame.height) < _HD_PX
    made = reformatter.reformat(
        frame, *size, kind, src_colorspace=None if named else "ITU709", interpolation=filter, threads=1
    )
    return np.ascontiguousarray(np.rot90(made.to_ndarray(), _turns(frame)))


def _turns(frame: Any) -> int:
    """Quarter turns, anticlockwise."""
    return round((frame.rotation or 0) / 90) % 4


def _frames(packet: Any, stream: Any, damaged: type[Exception]) -> list[Any]:
    if packet.stream is not stream and packet.stream.index != stream.index:
        return []
    try:
        return [frame for frame in packet.decode() if not frame.is_corrupt]
    except damaged:  # a few bad packets are usual in recordings; the decoder goes on at the next key frame
        return []


def _inner(looks: list[_Look], scenes: list[int]) -> dict[tuple[int, tuple[int, int]], Box]:
    """What lies inside the bars, by scene and size of the frame; a video may change its size."""
    found: dict[tuple[int, tuple[int, int]], Box] = {}
    for shape in {look.shape for look in looks}:
        samples = [
            (scene, look.depths)
            for look, scene in zip(looks, scenes, strict=True)
            if look.depths is not None and look.shape == shape
        ]
        boxes = borders.of_video(samples, shape)
        for scene in set(scenes):
            # A scene too short for a sample of its own has the bars of the scene before it.
            near = max((other for other in boxes if other <= scene), default=min(boxes, default=None))
            if near is not None:
                found[scene, shape] = boxes[near]
    return found
