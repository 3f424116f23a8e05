import itertools
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from viceversa.data import formats
from viceversa.errors import ConfigError, DataError
from viceversa.inference.files import translate_files
from viceversa.inference.translator import Translator
from viceversa.inference.video import Outcome, is_video, translate_video
from viceversa.inference.video.ahead import ahead
from viceversa.inference.video.parts import Parts
from viceversa.networks import ResNetConfig

av = pytest.importorskip("av")
Clip = Callable[..., Path]


class Pixelwise(nn.Module):
    """A network whose answer is known: the negative, or the image itself."""

    def __init__(self, factor: float = -1.0, channels: int = 3):
        super().__init__()
        self.config = ResNetConfig(in_channels=channels, out_channels=channels)
        self.multiple, self.frames = 4, 0
        self.register_buffer("factor", torch.tensor(factor))

    def forward(self, x: Tensor) -> Tensor:
        self.frames += len(x)
        return x * self.factor


def through(network: nn.Module, source: Path, out: Path, **settings: Any) -> Outcome:
    translator = Translator({"a2b": network}, domains={"a": "day", "b": "night"}, size_px=64)
    return translate_video(translator.applied(), source, out, **settings)


def pictures(path: Path, kind: str = "rgb24") -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
        return [frame.time for frame in frames], [frame.to_ndarray(format=kind) for frame in frames]


def samples(path: Path) -> tuple[list[float], np.ndarray]:
    with av.open(str(path)) as film:
        frames = list(film.decode(audio=0))
        return [frame.time for frame in frames], np.concatenate([frame.to_ndarray() for frame in frames], 1)


def duration(path: Path) -> float:
    with av.open(str(path)) as film:
        return film.duration / 1e6


def off(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The mean difference in levels of 255."""
    assert len(one) == len(other)
    return float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(one, other, strict=True)]))


PEOPLE = "people_walk_540x960_9s.mp4"
TIMES = [0, 10, 13, 20, 40, 41, 55, 60, 70, 90, 100, 101, 130]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_times_and_duration_are_kept(clip: Clip, tmp_path: Path, suffix: str) -> None:
    source, out = clip(tmp_path / "x.mp4", frames=len(TIMES), times=TIMES), tmp_path / f"y{suffix}"
    outcome = through(Pixelwise(), source, out, segment=5)
    assert outcome == Outcome(frames=len(TIMES), resumed=0, notes=())
    (times, before), (new_times, after) = pictures(source), pictures(out)
    assert times == pytest.approx([time / 100 for time in TIMES])
    # Matroska has no times below 0, as an encoder's run-up of sound has, so images and sound begin later together.
    later = new_times[0] if suffix == ".mkv" else 0.0
    assert new_times == pytest.approx([time + later for time in times], abs=0.0006 if later else 1e-9)
    assert off([255 - picture for picture in before], after) < 3
    (when, heard), (new_when, new_heard) = samples(source), samples(out)
    assert np.array_equal(heard, new_heard[:, -heard.shape[1] :])
    assert new_when[-1] == pytest.approx(when[-1] + later, abs=0.0011)
    assert duration(out) == pytest.approx(1.4 + later, abs=0.0011)
    with av.open(str(out)) as film:
        context = film.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 48, 32)
        if suffix != ".mkv":
            assert film.streams.video[0].duration * film.streams.video[0].time_base == pytest.approx(1.4)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["x.mp4", out.name])


def test_a_turned_film_stands_upright(clip: Clip, tmp_path: Path) -> None:
    """As telephones store it: the matrix in the track's head turns by a quarter, clockwise."""
    source = clip(tmp_path / "x.mp4", frames=3, sound=None)
    content = bytearray(source.read_bytes())
    place = content.index(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 32 << 16, 0, 1 << 30)
    source.write_bytes(content)
    through(Pixelwise(1.0), source, tmp_path / "y.mp4")
    _, lying = pictures(source)
    _, upright = pictures(tmp_path / "y.mp4")
    assert upright[0].shape == (48, 32, 3)
    assert off([np.rot90(picture, -1) for picture in lying], upright) < 3
    with av.open(str(tmp_path / "y.mp4")) as film:
        assert next(film.decode(video=0)).rotation == 0


@pytest.mark.parametrize("named", [(1, 1, 1), (5, 5, 6), (6, 6, 6), None], ids=["709", "601", "170m", "unnamed"])
@pytest.mark.parametrize("color_range", [1, 2], ids=["limited", "full"])
def test_colours_come_back_as_they_were_named(
    clip: Clip, tmp_path: Path, named: tuple[int, int, int] | None, color_range: int
) -> None:
    patches = np.zeros((32, 64, 3), np.uint8)
    for index, level in enumerate([(210, 30, 30), (30, 200, 40), (40, 40, 220), (128, 128, 128)]):
        patches[:, 16 * index : 16 * index + 16] = level
    given = None if named is None else (5 if named[0] == 6 else named[0], *named[1:])
    source = clip(tmp_path / "x.mp4", pictures=[patches] * 3, sound=None, named=given, color_range=color_range)
    with av.open(str(source)) as film:
        before = next(film.decode(video=0))
    through(Pixelwise(1.0), source, tmp_path / "y.mp4")
    with av.open(str(tmp_path / "y.mp4")) as film:
        after = next(film.decode(video=0))
    for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
        assert getattr(after, name) == getattr(before, name), name
    difference = np.abs(before.to_ndarray().astype(int) - after.to_ndarray())
    assert difference[4:28].reshape(-1, 16)[:, 6:10].max() <= 3  # the numbers themselves, in the middle of a patch


@pytest.mark.parametrize(("named", "made", "says"), [(8, 5, "matrix 8"), (10, 9, "matrix 10"), (12, 5, "matrix 12")])
def test_colours_are_named_by_the_matrix_that_was_used(tmp_path: Path, named: int, made: int, says: str) -> None:
    """Of those that ffmpeg's converter lacks a player would show the translation in false colours."""
    source, red = tmp_path / "x.mp4", np.full((32, 32, 3), (200, 30, 40), np.uint8)
    with av.open(str(source), "w") as film:
        stream = film.add_stream("libx264", rate=10, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = named, 9, 14
        frame = av.VideoFrame.from_ndarray(red, format="rgb24").reformat(format="yuv420p", dst_colorspace=made)
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    outcome = through(Pixelwise(1.0), source, tmp_path / "y.mp4")
    with av.open(str(tmp_path / "y.mp4")) as film:
        after = next(film.decode(video=0))
    assert (after.colorspace, after.color_primaries, after.color_trc) == (made, 9, 14)
    back = after.reformat(format="rgb24", src_colorspace=made, dst_color_range=2).to_ndarray()
    assert back.mean((0, 1)) == pytest.approx([200, 30, 40], abs=4)
    assert [says in note for note in outcome.notes] == [True]


def test_an_rgb_film_keeps_what_it_says_of_its_colours_but_for_the_matrix(tmp_path: Path) -> None:
    source = tmp_path / "x.mkv"
    with av.open(str(source), "w") as film:
        stream = film.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 0, 9, 16
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), (200, 30, 40), np.uint8), format="rgb24")
        film.mux(stream.encode(frame.reformat(format="bgr0")))
        film.mux(stream.encode(None))
    through(Pixelwise(1.0), source, tmp_path / "y.mp4")
    with av.open(str(tmp_path / "y.mp4")) as film:
        after = next(film.decode(video=0))
    assert (after.colorspace, after.color_primaries, after.color_trc) == (1, 9, 16)


def test_the_network_sees_the_colours_that_a_player_shows(clip: Clip, tmp_path: Path) -> None:
    seen: list[Tensor] = []

    class Watching(Pixelwise):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x

    red = np.full((32, 32, 3), (200, 30, 40), np.uint8)
    for index, (named, color_range) in enumerate(itertools.product([(1, 1, 1), (5, 5, 6)], [1, 2])):
        source = clip(tmp_path / f"{index}.mp4", pictures=[red], sound=None, named=named, color_range=color_range)
        through(Watching(), source, tmp_path / f"{index}.new.mp4")
    assert len(seen) == 4
    for x in seen:
        assert ((x.mean((0, 2, 3)).numpy() + 1) * 127.5) == pytest.approx([200, 30, 40], abs=2)


def test_odd_sides_become_even_and_it_is_said(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:31, :43]
    frames = [Image.fromarray(((rows * 4 + columns + index) % 250).astype(np.uint8)) for index in range(6)]
    source = tmp_path / "x.gif"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=[50, 100, 50, 200, 70, 130])
    outcome = through(Pixelwise(1.0), source, tmp_path / "y.mp4")
    assert outcome.notes == ("43 x 31 px became 44 x 32: H.264 has even sides",)
    times, after = pictures(tmp_path / "y.mp4")
    assert times == pytest.approx([0, 0.05, 0.15, 0.2, 0.4, 0.47])
    assert duration(tmp_path / "y.mp4") == pytest.approx(0.6)
    _, before = pictures(source)
    assert off(before, [picture[:31, :43] for picture in after]) < 4
    assert after[0].shape == (32, 44, 3)


@pytest.mark.parametrize("smooth", [0.0, 0.8])
def test_a_killed_one_goes_on_and_ends_equal_to_the_last_byte(clip: Clip, tmp_path: Path, smooth: float) -> None:
    source, whole, out = clip(tmp_path / "x.mp4", frames=23), tmp_path / "whole.mp4", tmp_path / "y.mp4"
    settings: dict[str, Any] = {"smooth": smooth, "segment": 5, "batch_size": 2}
    through(Pixelwise(), source, whole, **settings)

    def copy(done: int, total: int) -> None:
        assert total == 23
        if done == 14:  # what a kill leaves is what is on the disk at some moment
            shutil.copytree(tmp_path / "y.mp4.parts", tmp_path / "left")

    through(Pixelwise(), source, out, progress=copy, **settings)
    assert out.read_bytes() == whole.read_bytes()
    left = sorted(path.name for path in (tmp_path / "left").iterdir())
    assert [name for name in left if name.endswith(".nut")] == ["00000.nut", "00001.nut"]
    (tmp_path / "left" / ".00002.nut.partial").write_bytes(b"what it was at")
    out.unlink()
    (tmp_path / "left").rename(tmp_path / "y.mp4.parts")
    network = Pixelwise()
    assert through(network, source, out, **settings) == Outcome(frames=23, resumed=10, notes=())
    assert network.frames == 13
    assert out.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "y.mp4.parts").exists()


def test_the_number_of_processors_does_not_change_a_byte(clip: Clip, tmp_path: Path) -> None:
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("only one processor to choose from")
    y, x = np.mgrid[:360, :640]
    moving = [
        np.stack([(3 * x + 7 * n) % 256, (2 * y + x * y // 99) % 256, 0 * x], 2).astype(np.uint8) for n in range(8)
    ]
    source = clip(tmp_path / "x.mp4", pictures=moving, sound=None)
    there, made = os.sched_getaffinity(0), list[bytes]()
    try:
        for usable in (there, {min(there)}):
            os.sched_setaffinity(0, usable)
            through(Pixelwise(), source, tmp_path / "y.mp4", overwrite=True)
            made.append((tmp_path / "y.mp4").read_bytes())
    finally:
        os.sched_setaffinity(0, there)
    assert made[0] == made[1]


@pytest.mark.usefixtures("files_of_windows")
def test_a_segment_can_be_finished_on_windows(tmp_path: Path) -> None:
    kept = Parts(tmp_path / "out.mp4", {}, overwrite=False)
    kept.beside(kept.path(0).name).write_bytes(b"frames")
    kept.finish({})
    assert Parts(tmp_path / "out.mp4", {}, overwrite=False).finished == [kept.path(0)]


def test_ctrl_c_keeps_finished_segments_only(clip: Clip, tmp_path: Path) -> None:
    source, out = clip(tmp_path / "x.mp4", frames=12), tmp_path / "y.mp4"

    def interrupt(at: int) -> Callable[[int, int], None]:
        def progress(done: int, _: int) -> None:
            if done >= at:
                raise KeyboardInterrupt

        return progress

    with pytest.raises(KeyboardInterrupt):
        through(Pixelwise(), source, out, segment=4, batch_size=2, progress=interrupt(2))
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]
    with pytest.raises(KeyboardInterrupt):
        through(Pixelwise(), source, out, segment=4, batch_size=2, progress=interrupt(10))
    assert sorted(path.name for path in (tmp_path / "y.mp4.parts").iterdir()) == [
        "00000.nut", "00001.nut", "settings.json",
    ]  # fmt: skip
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]
    assert through(Pixelwise(), source, out, segment=4, batch_size=2).resumed == 8


def test_it_can_be_given_up_while_the_sound_is_copied(clip: Clip, tmp_path: Path) -> None:
    """Which may last for days where the images last for seconds."""
    source, out = clip(tmp_path / "x.mp4", frames=12), tmp_path / "y.mp4"
    told: list[int] = []

    def progress(done: int, _: int) -> None:
        told.append(done)
        if told.count(12) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        through(Pixelwise(), source, out, segment=4, batch_size=2, progress=progress)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.mp4", "y.mp4.parts"]
    assert through(Pixelwise(), source, out, segment=4, batch_size=2).resumed == 12


def test_parts_of_another_translation_are_not_mixed_in(clip: Clip, tmp_path: Path) -> None:
    source, out = clip(tmp_path / "x.mp4", frames=8, sound=None), tmp_path / "y.mp4"

    def stop(done: int, _: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    def begin() -> None:
        with pytest.raises(KeyboardInterrupt):
            through(Pixelwise(), source, out, segment=4, batch_size=2, progress=stop)

    begin()
    before = {path: path.read_bytes() for path in (tmp_path / "y.mp4.parts").iterdir()}
    with pytest.raises(ConfigError, match=r"parts holds parts of another translation \(its smooth differs\)"):
        through(Pixelwise(), source, out, segment=4, batch_size=2, smooth=0.5)
    with pytest.raises(ConfigError, match=r"its model differs"):
        through(Pixelwise(1.0), source, out, segment=4, batch_size=2)
    clip(source, frames=9, sound=None)
    with pytest.raises(ConfigError, match=r"its video differs"):
        through(Pixelwise(), source, out, segment=4, batch_size=2)
    assert {path: path.read_bytes() for path in (tmp_path / "y.mp4.parts").iterdir()} == before
    outcome = through(Pixelwise(), source, out, segment=4, batch_size=2, overwrite=True)
    assert (outcome.frames, outcome.resumed) == (9, 0)


def test_a_folder_of_parts_that_is_somebody_elses_is_left_alone(clip: Clip, tmp_path: Path) -> None:
    source = clip(tmp_path / "x.mp4", frames=2, sound=None)
    (tmp_path / "y.mp4.parts").mkdir()
    (tmp_path / "y.mp4.parts" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="move them away"):
            through(Pixelwise(), source, tmp_path / "y.mp4", overwrite=overwrite)
    assert (tmp_path / "y.mp4.parts" / "thesis.txt").read_text() == "mine"


def test_what_is_killed_before_it_began_is_begun_anew(clip: Clip, tmp_path: Path) -> None:
    source, out = clip(tmp_path / "x.mp4", frames=2, sound=None), tmp_path / "y.mp4"
    for begun in (False, True):
        (tmp_path / "y.mp4.parts").mkdir()
        if begun:
            (tmp_path / "y.mp4.parts" / ".settings.json.partial").write_text('{"form')
        assert through(Pixelwise(), source, out) == Outcome(frames=2, resumed=0, notes=())
        out.unlink()


def test_a_list_of_other_films_does_not_show_them(clip: Clip, tmp_path: Path) -> None:
    secret, films = clip(tmp_path / "secret.mp4", frames=4), tmp_path / "films.m3u8"
    films.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\n{secret}\n#EXT-X-ENDLIST\n")
    with pytest.raises(DataError, match="it is a list of other files"):
        through(Pixelwise(), films, tmp_path / "y.mp4")
    assert not (tmp_path / "y.mp4").exists()


def test_a_film_may_begin_with_a_damaged_frame(clip: Clip, tmp_path: Path) -> None:
    source = clip(tmp_path / "x.avi", frames=8, sound=None, codec="png", pix_fmt="rgb24", options={})
    data = bytearray(source.read_bytes())
    start = data.index(b"\x89PNG")
    data[start : start + 64] = bytes(64)
    source.write_bytes(data)
    outcome = through(Pixelwise(), source, tmp_path / "y.mp4")
    assert outcome.notes == ("1 damaged frame left out",)
    assert outcome.frames >= 6


def test_memory_does_not_grow_with_the_length(clip: Clip, tmp_path: Path) -> None:
    still = np.tile(np.arange(160, dtype=np.uint8)[None, :, None], (120, 1, 3))

    def most(frames: int) -> int:
        source = clip(tmp_path / f"{frames}.mp4", pictures=[still] * frames, sound=None)
        tracemalloc.start()
        try:
            through(Pixelwise(), source, tmp_path / f"{frames}.new.mp4", smooth=0.5, batch_size=2, segment=10)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(10)  # what is loaded and set up once
    assert most(80) - most(20) < 10 * still.nbytes


def test_sound_that_mp4_players_do_not_know_is_encoded_anew(clip: Clip, tmp_path: Path) -> None:
    source = clip(tmp_path / "x.mkv", sound="pcm_s16le")
    outcome = through(Pixelwise(), source, tmp_path / "y.mp4")
    assert outcome.notes == ("pcm_s16le sound is encoded anew as AAC, since mp4 players do not take it",)
    (_, heard), (when, again) = samples(source), samples(tmp_path / "y.mp4")
    start = round(when[0] * 16000)
    count = min(heard.shape[1], again.shape[1] + start) - start
    assert count > 0.9 * heard.shape[1]
    assert np.corrcoef(heard[0, start : start + count], again[0, :count])[0, 1] > 0.99
    assert through(Pixelwise(), source, tmp_path / "y.mkv").notes == ()
    assert np.array_equal(samples(tmp_path / "y.mkv")[1], heard)


def test_subtitles_are_left_out_and_it_is_said(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "x.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    sources = [av.open(str(path)) for path in (clip(tmp_path / "x.mp4"), tmp_path / "x.srt")]
    with av.open(str(tmp_path / "z.mkv"), "w") as both, sources[0], sources[1]:
        streams = {stream: both.add_stream_from_template(stream) for source in sources for stream in source.streams}
        for packet in (packet for source in sources for packet in source.demux() if packet.dts is not None):
            packet.stream = streams[packet.stream]
            both.mux(packet)
    assert through(Pixelwise(), tmp_path / "z.mkv", tmp_path / "y.mkv").notes == ("1 subtitle stream left out",)


def test_a_film_becomes_a_gif_and_a_gif_a_film(clip: Clip, tmp_path: Path, both_ways: Translator) -> None:
    source = clip(tmp_path / "x.mp4", frames=5, times=[0, 10, 30, 40, 70])
    for suffix in (".gif", ".webp"):
        out = tmp_path / f"y{suffix}"
        assert through(Pixelwise(1.0), source, out).notes == ("without its sound",)
        animation = formats.read_frames(out)
        assert animation is not None
        frames = list(animation.frames)
        assert [frame.about.duration_ms for frame in frames] == [100, 200, 100, 300, 100]
        assert off(pictures(source)[1], [frame.pixels[:, :, :3] for frame in frames]) < 12
    summary = translate_files(both_ways, tmp_path / "y.gif", tmp_path / "z.mp4", progress=False)
    assert str(summary) == "1 translated"
    assert pictures(tmp_path / "z.mp4")[0] == pytest.approx([0, 0.1, 0.3, 0.4, 0.7])
    summary = translate_files(both_ways, tmp_path / "y.gif", tmp_path / "z.gif", smooth=0.5, progress=False)
    assert str(summary) == "1 translated"


def test_a_folder_may_hold_films_beside_pictures(clip: Clip, tmp_path: Path, both_ways: Translator) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    clip(tmp_path / "in" / "x.MOV", frames=2)
    clip(tmp_path / "in" / "sub" / "x.avi", frames=2, codec="mpeg4", options={}, sound="mp3")
    Image.new("RGB", (9, 9), "tan").save(tmp_path / "in" / "x.png")
    summary = translate_files(both_ways, tmp_path / "in", tmp_path / "out", suffix="webp", progress=False)
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in summary.done)
    assert written == ["sub/x.mp4", "x.MOV", "x.webp"]
    assert str(summary) == "3 translated"
    again = translate_files(both_ways, tmp_path / "in", tmp_path / "out", suffix="webp", progress=False)
    assert len(again.skipped) == 3


def test_a_film_is_known_by_its_contents_too(clip: Clip, tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".avi"):
        path = clip(tmp_path / f"x{suffix}", frames=2, sound=None)
        assert is_video(path)
        assert is_video(path.rename(path.with_suffix("")))
    Image.new("RGB", (9, 9)).save(tmp_path / "picture", "PNG")
    (tmp_path / "text").write_text("ftyp")
    assert not is_video(tmp_path / "picture")
    assert not is_video(tmp_path / "text")
    assert not is_video(tmp_path / "nothing")


def test_grey_translators_take_films(clip: Clip, tmp_path: Path) -> None:
    through(Pixelwise(channels=1), clip(tmp_path / "x.mp4", frames=2), tmp_path / "y.mp4")
    _, (picture, _) = pictures(tmp_path / "y.mp4")
    assert np.ptp(picture.astype(int), axis=2).max() <= 2
    assert np.ptp(picture) > 50


def test_work_is_done_ahead_but_not_far() -> None:
    made: list[int] = []

    def pieces() -> Any:
        for index in range(100):
            made.append(index)
            yield index

    with_care = ahead(pieces(), 3)
    assert next(with_care) == 0
    for _ in range(200):
        time.sleep(0.005)
        if len(made) == 5:
            break
    time.sleep(0.02)
    assert len(made) == 5, "one given, three waiting, one more in hand"
    with_care.close()
    assert len(made) <= 6

    def failing() -> Any:
        yield 1
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        list(ahead(failing(), 3))
    assert list(ahead(range(50), 2)) == list(range(50))


def test_the_real_films(shared_data: Path, tmp_path: Path) -> None:
    """The start of the video of people is enough here."""
    start = start_of(shared_data / "video" / PEOPLE, tmp_path / "people.mp4", 1)
    for source in (start, shared_data / "video" / "plant_320x240_1s.mp4"):
        through(Pixelwise(), source, tmp_path / "y.mp4", overwrite=True, segment=20)
        assert judged(tmp_path / "y.mp4") == judged(source)
        assert np.array_equal(samples(tmp_path / "y.mp4")[1], samples(source)[1])
    assert duration(tmp_path / "y.mp4") == duration(source)


def test_a_real_film_in_flat_memory(shared_data: Path, tmp_path: Path) -> None:
    """Each frame, each sample of sound; the process takes for all of it what it takes for the first half."""
    whole, half = (start_of(shared_data / "video" / PEOPLE, tmp_path / f"{seconds}.mp4", seconds) for seconds in (4, 2))
    peaks = {path: peak_bytes(path, path.with_suffix(".new.mp4")) for path in (half, whole)}
    assert peaks[whole] < peaks[half] + 32 * 2**20, "a frame is 1.5 MB, so half of the video is 90 MB"
    made = whole.with_suffix(".new.mp4")
    assert frame_times(made) == frame_times(whole)
    assert len(frame_times(made)) > 100
    assert np.array_equal(samples(made)[1], samples(whole)[1])


def start_of(source: Path, out: Path, seconds: float) -> Path:
    """The packets of the first ``seconds``, as they are."""
    with av.open(str(source)) as film, av.open(str(out), "w") as made:
        streams = {stream.index: made.add_stream_from_template(stream) for stream in film.streams}
        for packet in film.demux():
            if packet.dts is not None and packet.dts * packet.time_base < seconds:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return out


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as film:
        return [frame.time for frame in film.decode(video=0)]


def peak_bytes(source: Path, out: Path) -> int:
    """The most memory that a process takes that translates a video by a network that costs next to nothing."""
    program = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(1); "
        "from viceversa.training.units import peak_memory_bytes; "
        "from test_video import Pixelwise, through; through(Pixelwise(), *map(Path, sys.argv[1:]), segment=50); "
        "print(peak_memory_bytes())"
    )
    command = [sys.executable, "-c", program, str(source), str(out)]
    # What is freed goes back to the system at once: else the peak is as much of the allocator's making.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent, env=environment
    )
    return int(done.stdout)


def judged(path: Path) -> Any:
    """What kind each stream is of, and the times of all that is in it."""
    with av.open(str(path)) as film:
        kinds = [(stream.type, stream.codec.name) for stream in film.streams]
        picture = film.streams.video[0]
        size = (picture.width, picture.height, picture.pix_fmt)
        times = sorted((packet.stream.type, frame.time) for packet in film.demux() for frame in packet.decode())
    return kinds, size, times
