import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from viceversa.cli import main
from viceversa.errors import DataError
from viceversa.inference.video import writing
from viceversa.inference.video.reading import survey

from .. import bombs

av = pytest.importorskip("av")
Clip = Callable[..., Path]


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What a command says that ends in exit code 2."""
    assert main(["translate", *map(str, words), "--device", "cpu"]) == 2
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return " ".join(text.split())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of its own, in which nothing half-written may be found."""
    path = tmp_path / "place"
    path.mkdir()
    return path


def test_what_is_no_film(
    place: Path, folder: Path, clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    assert "text.mp4: it cannot be read as a video (" in said(capsys, folder, text, "--out", place / "y.mp4")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert "it cannot be read as a video (" in said(capsys, folder, empty, "--out", place / "y.mp4")
    song = tmp_path / "song.mp4"
    with av.open(str(clip(tmp_path / "x.mp4"))) as film, av.open(str(song), "w") as made:
        stream = made.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    assert "song.mp4: it has no video stream" in said(capsys, folder, song, "--out", place / "y.mp4")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_film_that_is_cut_short(
    place: Path, folder: Path, clip: Clip, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = clip(tmp_path / f"x{suffix}", frames=80)
    if suffix == ".mp4":  # with its head in front, as on the web: else nothing of it can be read
        whole, source = source, tmp_path / "z.mp4"
        with av.open(str(whole)) as film, av.open(str(source), "w", options={"movflags": "+faststart"}) as made:
            streams = {stream.index: made.add_stream_from_template(stream) for stream in film.streams}
            for packet in film.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    made.mux(packet)
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    sentence = said(capsys, folder, source, "--out", place / "y.mp4")
    assert "it is cut short or damaged: it should last 8." in sentence
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("y.png", "x.mp4 is a video; it becomes one of .mp4 .m4v .mov .mkv .gif .webp."),
        ("y.avi", ".avi is no kind of image or video that can be written; use .jpg"),
        ("y.webm", ".webm is no kind of image or video that can be written"),
    ],
)
def test_names_that_a_film_cannot_have(
    place: Path, folder: Path, clip: Clip, tmp_path: Path, out: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = clip(tmp_path / "x.mp4", frames=2, sound=None)
    assert expected in said(capsys, folder, source, "--out", place / out)
    assert list(place.iterdir()) == []


def test_settings_that_cannot_be(
    place: Path, folder: Path, clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = clip(tmp_path / "x.mp4", frames=2, sound=None), place / "y.mp4"
    picture = tmp_path / "x.png"
    Image.new("RGB", (9, 9)).save(picture)
    assert "only videos and .gif become videos" in said(capsys, folder, picture, "--out", out)
    assert "is one file, but there are several" in said(capsys, folder, picture, source, "--out", out)
    assert "--smooth must be at least 0 and below 1; got 1.5" in said(
        capsys, folder, source, "--out", out, "--smooth", "1.5"
    )
    assert "batch_size must be at least 1" in said(capsys, folder, source, "--out", out, "--batch", "0")
    assert "would replace an input" in said(capsys, folder, source, "--out", source, "--overwrite")
    assert list(place.iterdir()) == []


def test_a_film_that_exists_is_left_as_it_is(
    place: Path, folder: Path, clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = clip(tmp_path / "x.mp4", frames=2, sound=None), place / "y.mp4"
    out.write_text("mine")
    assert main(["translate", str(folder), str(source), "--out", str(out), "--device", "cpu"]) == 0
    assert "1 skipped (exists; --overwrite replaces)" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["translate", str(folder), str(source), "--out", str(out), "--device", "cpu", "--overwrite"]) == 0
    assert out.read_bytes()[4:8] == b"ftyp"
    assert list(place.iterdir()) == [out]


def test_no_encoder_is_said_before_anything_is_written(
    place: Path,
    folder: Path,
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = clip(tmp_path / "x.mp4", frames=2, sound=None)
    monkeypatch.setattr(writing, "_ENCODERS", {"libnothing": {}})
    sentence = said(capsys, folder, source, "--out", place / "y.mp4")
    assert "has no encoder for H.264 (libnothing); install the usual one" in sentence
    assert list(place.iterdir()) == []


def test_without_pyav_the_command_that_installs_it_is_said(
    place: Path,
    folder: Path,
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = clip(tmp_path / "x.mp4", frames=2, sound=None)
    hidden = 'import sys; sys.modules["av"] = None; from viceversa.cli import main; sys.exit(main(sys.argv[1:]))'
    words = ["translate", str(folder), str(source), "--out", str(place / "y.mp4"), "--device", "cpu"]
    done = subprocess.run([sys.executable, "-c", hidden, *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'viceversa[video]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(place.iterdir()) == []


def test_a_full_disk(place: Path, folder: Path, clip: Clip, tmp_path: Path) -> None:
    """On a real file system of 48 kB, mounted in a namespace of its own."""
    source = clip(tmp_path / "x.mp4", frames=200, options={"crf": "20"})
    mount = 'mount -t tmpfs -o size=48k tmpfs "$1"'
    command = '"$2" -m viceversa translate "$3" "$4" --out "$1"/y.mp4 --device cpu'
    inside = f'{mount} && {command}; code=$?; ls -A "$1"; exit $code'
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*apart, "sh", "-c", mount, "sh", str(place)]).returncode:
        pytest.skip("this system lends no mount namespace to make a small disk in")
    words = [str(place), sys.executable, str(folder), str(source)]
    done = subprocess.run([*apart, "sh", "-c", inside, "sh", *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert "The disk is full: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", bombs.VIDEOS)
def test_huge_frames_are_refused_before_they_fill_the_memory(
    place: Path, folder: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / name
    source.write_bytes(bombs.VIDEOS[name]())

    def translate() -> None:
        sentence = said(capsys, folder, source, "--out", place / "y.mp4")
        assert "it has frames of 6000 x 4000 px in" in sentence
        assert "like a decompression bomb; make them smaller." in sentence

    assert bombs.peak(translate) < 300 * bombs.MIB
    assert list(place.iterdir()) == []


def test_a_film_that_names_its_bytes_over_and_over(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(bombs.with_chunks(bombs.film(64, 64), 10_000))
    with pytest.raises(DataError, match="it names its bytes over and over"):
        survey(tmp_path / "x.mp4")


def test_a_film_can_be_given_up_while_it_is_looked_through(clip: Clip, tmp_path: Path) -> None:
    seen: list[None] = []

    def still() -> None:
        seen.append(None)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(clip(tmp_path / "x.mp4", frames=20), still=still)
    assert len(seen) == 5
