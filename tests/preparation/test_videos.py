"""Videos: scenes, bars and faults are exactly those that were planted; frames come upright, in their colours."""

import shutil
import struct
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from viceversa.errors import DataError
from viceversa.preparation.borders import Box
from viceversa.preparation.choose import choose
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.parallel import team
from viceversa.preparation.videos import Video

pytest.importorskip("av")
pytest.importorskip("scenedetect")

ALLOWED = {
    "good": {None, "duplicate", "enough"},
    "blurred": {"blurred"},
    "fade": {"fading", "dark"},
    "dark": {"dark"},
    "again": {"duplicate"},
    "credits": {"text"},
}


def nothing() -> None:
    pass


def scanned(path, config=None, workers=1):
    with team(workers) as crew:
        return Video(path, "key").scan(config or PrepareConfig(size_px=64), crew, nothing)


def fetched(path, wanted):
    with team(1) as crew:
        return {index: sides[0] for index, sides in Video(path, "key").fetch(wanted, crew, nothing)}


@pytest.fixture(scope="module")
def seen(planted):
    return scanned(planted.path)


def test_exactly_the_planted_faults_are_found(planted, seen):
    assert [frame.scene for frame in seen] == list(planted.scenes)
    choice = choose(seen, PrepareConfig(size_px=64), is_video=True)
    for frame, label in zip(seen, planted.labels, strict=True):
        assert choice.dropped.get(frame.index) in ALLOWED[label], (frame.index, label)
    kept = Counter(planted.scenes[index] for index in choice.kept)
    assert kept == {0: 6, 1: 6, 2: 6, 3: 6}
    assert choice.links == {(0, 4)}
    assert choice.kept.keys() | choice.dropped.keys() == set(range(len(seen)))
    # Of the best of a scene the first is its sharpest.
    for scene in kept:
        best = max((f for f in seen if f.scene == scene and planted.labels[f.index] == "good"), key=_sharpness)
        assert choice.kept[best.index].startswith("the sharpest of ")


def _sharpness(frame):
    return frame.measures.sharpness


def test_bars_are_cut_off_and_kept_on_demand(planted, seen):
    assert {frame.inner for frame in seen} == {Box(0, 26, 256, 166)}
    kept = scanned(planted.path, PrepareConfig(size_px=64, keep_borders=True))
    assert {frame.inner for frame in kept} == {Box(0, 0, 256, 192)}


def test_the_number_of_workers_changes_nothing(planted, seen):
    assert scanned(planted.path, workers=3) == seen


def test_frames_that_are_fetched_are_those_that_were_seen(planted, film_writer, tmp_path):
    marked = [np.full((32, 48, 3), 10 * number, np.uint8) for number in range(20)]
    path = film_writer(tmp_path / "marked.mp4", marked)
    found = fetched(path, {3, 11, 19})
    assert list(found) == [3, 11, 19]
    for number, picture in found.items():
        assert picture.mean() == pytest.approx(10 * number, abs=2)
    assert [frame.seconds for frame in scanned(path)] == pytest.approx([n / 12 for n in range(20)], abs=1e-3)


def test_a_film_that_was_held_upright_stands_upright(film_writer, tmp_path):
    half = np.zeros((64, 96, 3), np.uint8)
    half[:, 48:] = 200  # its right half is light
    path = film_writer(tmp_path / "phone.mp4", [half] * 4)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # shown turned by 90 degrees clockwise
    data[matrix : matrix + 36] = quarter
    path.write_bytes(data)
    picture = fetched(path, {0})[0]
    assert picture.shape == (96, 64, 3)
    assert picture[:40].mean() < 20
    assert picture[56:].mean() > 180  # which is now its lower one
    assert {(frame.inner.width, frame.inner.height) for frame in scanned(path)} == {(64, 96)}


def test_pixels_that_are_not_square_become_square(tmp_path):
    import av

    path = tmp_path / "anamorphic.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), "rgb24")))
        container.mux(stream.encode())
    assert fetched(path, {0})[0].shape == (64, 128, 3)


# As any player has it: what does not name its matrix means BT.601 up to 576 lines, and BT.709 from 720 on.
@pytest.mark.parametrize(
    ("name", "number", "side"), [("ITU601", 6, 64), ("ITU709", 1, 64), ("ITU601", 2, 64), ("ITU709", 2, 720)]
)
def test_colours_are_those_that_the_film_names(tmp_path, name, number, side):
    import av

    path = tmp_path / "colour.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        stream.codec_context.colorspace = number
        frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), (200, 30, 40), np.uint8), "rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=name)))
        container.mux(stream.encode())
    assert fetched(path, {0})[0].mean((0, 1)) == pytest.approx((200, 30, 40), abs=4)


def test_an_animated_gif_is_a_film(tmp_path, make_view):
    frames = [Image.fromarray(make_view(seed, 80, 100)) for seed in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    assert len(scanned(tmp_path / "a.gif")) == 4


@pytest.mark.parametrize(("codec", "name"), [("libx264", "f.mkv"), ("mpeg4", "f.avi"), ("libx264", "f.ts")])
def test_other_containers(film_writer, tmp_path, make_view, codec, name):
    path = film_writer(tmp_path / name, [make_view(1, 64, 96)] * 6, codec)
    assert len(scanned(path)) == 6


def sound(path):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for start in range(0, 8000, 1000):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), "fltp", "mono")
            frame.rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_film_without_a_video_stream(tmp_path):
    with pytest.raises(DataError, match=r"sound\.mp4: it has no video stream"):
        Video(sound(tmp_path / "sound.mp4"), "key")


def test_what_is_no_film(tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video")
    with pytest.raises(DataError, match=r"notes\.mp4: it cannot be read as a video"):
        Video(tmp_path / "notes.mp4", "key")


def test_a_list_of_other_films_is_refused(planted, tmp_path):
    (tmp_path / "films.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\n{planted.path}\n#EXT-X-ENDLIST\n"
    )
    shutil.copy(planted.path, tmp_path / "x.mp4")
    (tmp_path / "films.mp4").write_text("ffconcat version 1.0\nfile x.mp4\n")
    for name in ("films.m3u8", "films.mp4"):
        with pytest.raises(DataError, match="it is a list of other files"):
            Video(tmp_path / name, "key")


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_truncated_film(film_writer, tmp_path, make_view, name):
    wide = make_view(1, 96, 400)
    frames = [wide[:, 2 * step : 2 * step + 128] for step in range(60)]
    path = film_writer(tmp_path / name, frames, movflags="faststart")  # the head is at the front, as on the web
    assert len(scanned(path)) == 60
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(
        DataError, match=r"it is cut short or damaged: it should last 5\.0 s and ends after [0-3]\.\d s"
    ):
        scanned(path)


def test_a_film_without_its_end_has_no_head(planted, tmp_path):
    path = shutil.copy(planted.path, tmp_path / "cut.mp4")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"cut\.mp4: it cannot be read as a video"):
        Video(path, "key")


def test_names_with_odd_characters(film_writer, tmp_path, make_view):
    path = film_writer(tmp_path / "plain.mp4", [make_view(1, 64, 96)] * 3)
    for name in ("naïve café 画像 #1%.mp4", "-rf.mp4", "http:x.mp4", "a b'c\".mp4"):
        assert len(scanned(shutil.copy(path, tmp_path / name))) == 3
