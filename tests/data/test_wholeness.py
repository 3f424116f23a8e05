"""Videos of all containers: whole ones are taken, whenever they begin, and cut ones are noticed."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from viceversa.errors import DataError
from viceversa.inference.video.reading import Reader, survey
from viceversa.preparation.videos import Video

av = pytest.importorskip("av")

CODECS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9", ".avi": "mpeg4",
          ".ts": "libx264", ".mpg": "mpeg2video", ".gif": "gif", ".flv": "flv", ".wmv": "wmv2"}  # fmt: skip
FORMATS = {".ts": "mpegts", ".mpg": "mpeg", ".wmv": "asf"}
SOUNDS = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "libopus", ".avi": "mp2", ".ts": "aac"}
EVEN = [Fraction(index, 10) for index in range(20)]


def write(path: Path, times: list[Fraction], sound: tuple[int, int] | None = None, b_frames: int = 0) -> Path:
    """Frames of noise at ``times``, in seconds; ``sound`` is when silence begins, and how long it lasts."""
    codec, voice = CODECS[path.suffix], SOUNDS.get(path.suffix)
    missing = [name for name in (codec, voice if sound else None) if name and name not in av.codecs_available]
    if missing:
        pytest.skip(f"this build of PyAV has no encoder {missing[0]}")
    numbers = np.random.default_rng(0)
    options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}  # the head in front, as on the web
    with av.open(str(path), "w", format=FORMATS.get(path.suffix), options=options) as made:
        stream = made.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "rgb8" if codec == "gif" else "yuv420p"
        if codec not in ("gif", "mpeg2video"):
            stream.codec_context.time_base = Fraction(1, 1000)
        if b_frames:
            stream.codec_context.max_b_frames = b_frames
        tone = made.add_stream(voice, rate=48000, layout="stereo") if sound else None
        for time in times:
            pixels = numbers.integers(0, 256, (32, 48, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=stream.pix_fmt)
            frame.time_base = stream.codec_context.time_base or Fraction(1, 10)
            frame.pts = round(time / frame.time_base)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
        if tone is not None and sound is not None:
            begin, seconds = sound
            size = tone.codec_context.frame_size or 1024
            for start in range(0, 48000 * seconds, size):
                heard = av.AudioFrame.from_ndarray(np.zeros((1, 2 * size), np.int16), "s16", "stereo")
                heard.sample_rate, heard.pts, heard.time_base = 48000, 48000 * begin + start, Fraction(1, 48000)
                made.mux(tone.encode(heard))
            made.mux(tone.encode(None))
    return path


def frames_of(path: Path) -> tuple[int, int]:
    """As many as translate sees, and as prepare does."""
    return sum(1 for _ in Reader(survey(path)).frames()), len(list(Video(path, "key")._decode(1)))


LATE, LONG = [4 + time for time in EVEN], [*EVEN[:-1], Fraction(9)]
WHOLE = {
    "matroska that begins late": (".mkv", LATE, None, 0),
    "webm that begins late": (".webm", LATE, None, 0),
    "wmv that begins late": (".wmv", LATE, None, 0),
    "flv that begins late": (".flv", LATE, None, 0),
    "transport stream that begins late": (".ts", LATE, None, 0),
    "mp4 whose edit list says that it begins late": (".mp4", LATE, None, 0),
    "matroska, sound and images late": (".mkv", LATE, (4, 2), 0),
    "webm of one late frame": (".webm", [Fraction(5)], None, 0),
    "avi of one late frame": (".avi", [Fraction(5)], None, 0),
    "avi whose sound begins late": (".avi", EVEN, (6, 2), 0),
    "mov with sound longer than its images": (".mov", EVEN, (0, 6), 0),
    "matroska whose images begin after its sound": (".mkv", [6 + time for time in EVEN], (0, 2), 0),
    "matroska of one frame": (".mkv", EVEN[:1], None, 0),
    "mp4 with frames that refer to later ones": (".mp4", EVEN, None, 3),
    "transport stream with frames that refer to later ones": (".ts", EVEN, None, 3),
    "mov whose last frame lasts long": (".mov", LONG, None, 0),
    "webm of a varying rate": (".webm", [time * time for time in EVEN], None, 0),
    "mpeg that begins late": (".mpg", LATE, None, 0),
    "gif": (".gif", EVEN, None, 0),
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "times", "sound", "b_frames"), WHOLE.values(), ids=WHOLE)
def test_a_whole_video_is_taken(tmp_path, suffix, times, sound, b_frames):
    path = write(tmp_path / f"x{suffix}", times, sound, b_frames)
    assert frames_of(path) == (len(times), len(times))


@pytest.mark.parametrize("begin", [0, 4], ids=["at once", "late"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv", ".wmv"])
def test_a_cut_one_is_noticed(tmp_path, suffix, begin):
    path = write(tmp_path / f"x{suffix}", [begin + Fraction(index, 10) for index in range(40)])
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(DataError, match="is cut short or damaged: it should "):
        survey(path)
    with pytest.raises(DataError, match="is cut short or damaged: it should "):
        list(Video(path, "key")._decode(1))


def test_an_avi_that_nobody_has_finished_is_taken_by_its_times(tmp_path):
    """A recorder writes the length into the head when it is stopped; one that is switched off does not."""
    path = write(tmp_path / "x.avi", EVEN)
    content = bytearray(path.read_bytes())
    content[4:8] = bytes(4)
    path.write_bytes(content)
    assert frames_of(path)[1] == len(EVEN)


def test_what_is_not_there_is_not_called_damaged(tmp_path):
    for read in (survey, lambda path: Video(path, "key")):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "x.mp4")
        assert "x.mp4 cannot be opened (No such file or directory)" in str(caught.value).replace(": it", "")
        assert "damaged" not in str(caught.value)
