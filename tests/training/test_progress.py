"""The bar, the logs, TensorBoard, and numbers in words."""

import io
import json
import math
import os
import pty
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from viceversa.errors import TrainingError
from viceversa.training.bar import ProgressBar
from viceversa.training.log import Board, MetricsLog, replace_file
from viceversa.training.units import UNKNOWN_TIME, count, duration, size

LOSSES = {"gan_a2b": 0.5123, "cycle": 3.21}


def on_terminal(work) -> str:
    """What ``work(stream)`` shows on a real (pseudo) terminal."""
    reader, writer = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                piece = os.read(reader, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                return
            if not piece:
                return
            shown.append(piece)

    thread = threading.Thread(target=read)
    thread.start()
    with os.fdopen(writer, "w") as stream:
        work(stream)
    thread.join()
    os.close(reader)
    return b"".join(shown).decode()


def test_bar_on_a_terminal_shows_progress_speed_rest_and_losses(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")

    def work(stream):
        with ProgressBar(2000, done=500, title="[bold] women <-> men", stream=stream) as bar:
            time.sleep(0.05)
            bar.update(600, LOSSES)
            bar.say("a sample was saved")

    shown = on_terminal(work)
    for expected in ("[bold] women <-> men", "30.0 %", "600/2,000 images", "images/s", "left", "cycle 3.21", "━"):
        assert expected in shown
    assert shown.index("a sample was saved") < shown.rindex("30.0 %")
    assert shown.endswith("\x1b[?25h"), "the cursor must be shown again"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_last_batch_does_not_go_beyond_the_whole(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")

    def work(stream):
        with ProgressBar(200, title="vgg", stream=stream) as bar:
            time.sleep(0.05)
            bar.update(224, LOSSES)

    plain = io.StringIO()
    shown = on_terminal(work) if terminal else work(plain) or plain.getvalue()
    assert "100.0 %" in shown
    assert "200/200 images" in shown
    assert UNKNOWN_TIME not in shown


def test_speed_counts_this_session_only(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with ProgressBar(10_000, done=9_000, stream=io.StringIO()) as bar:
        now += 0.5
        bar.update(9_010, {})
        assert bar.images_per_second == 20


def test_without_a_terminal_lines_are_few_and_plain():
    stream = io.StringIO()
    with ProgressBar(1000, title="cyclegan", stream=stream) as bar:
        for images in range(1, 1001):
            bar.update(images, LOSSES)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("cyclegan · 100.0 % · 1,000/1,000 images · ")
    assert lines[0].endswith("gan_a2b 0.512  cycle 3.21")
    assert "\x1b" not in lines[0]


def test_without_a_terminal_a_line_comes_every_thirty_seconds(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stream = io.StringIO()
    with ProgressBar(1000, stream=stream) as bar:
        for second in range(1, 96):
            now = 1000.0 + second
            bar.update(5 * second, LOSSES)
        assert [line.split(" · ")[1] for line in stream.getvalue().splitlines()] == [
            "150/1,000 images",
            "300/1,000 images",
            "450/1,000 images",
        ]
        assert "5 images/s · 1 min 50 s left" in stream.getvalue()


def test_quiet_bar_prints_nothing():
    stream = io.StringIO()
    with ProgressBar(10, quiet=True, stream=stream) as bar:
        bar.update(10, LOSSES)
        bar.say("hello")
    assert stream.getvalue() == ""


def test_update_costs_next_to_nothing_between_drawings():
    """It looks at the clock and calls nothing else: no machine is so slow that this is felt."""
    called: list[str] = []

    def note(frame: Any, event: str, what: Any) -> None:
        if event in ("call", "c_call"):
            called.append(frame.f_code.co_name if event == "call" else what.__name__)

    with ProgressBar(10**9, stream=io.StringIO()) as bar:
        sys.setprofile(note)
        try:
            for images in range(1000):
                bar.update(images, LOSSES)
        finally:
            sys.setprofile(None)
    assert called == [*1000 * ["update", "monotonic"], "setprofile"]


def test_closed_stream_does_not_stop_training():
    stream = io.StringIO()
    with ProgressBar(10, stream=stream) as bar:
        stream.close()
        bar.say("into the void")
        bar.update(10, LOSSES)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_reader_that_left_does_not_stop_training(terminal):
    """Real pipes: stderr's reader is gone before the first line."""
    script = (
        "import os, sys\n"
        "from viceversa.training.bar import ProgressBar\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "stream = os.fdopen(writer, 'w')\n"
        f"stream.isatty = lambda: {terminal}\n"
        "with ProgressBar(10, stream=stream) as bar:\n"
        "    bar.update(5, {'cycle': 1.0})\n"
        "    bar.say('hello')\n"
        "    bar.update(10, {'cycle': 1.0})\n"
        "print('trained')\n"
        "os._exit(0)\n"
    )
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr


def test_an_error_in_training_passes_through_the_bar():
    stream = io.StringIO()

    def train() -> None:
        with ProgressBar(10, stream=stream) as bar:
            bar.update(3, LOSSES)
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        train()
    assert "3/10 images" in stream.getvalue()


def log_undisturbed(run: Path, start: int, stop: int) -> None:
    log = MetricsLog(run)
    for images in range(start, stop, 100):
        losses = {"cycle": 1 / (images + 1), "gan_a2b": 0.1 + images * 1e-9}
        log.losses(images, epoch=images / 459, learning_rate=0.0002, losses=losses)
        log.timing(images, seconds=images / 5.0, images_per_second=5.0, memory_bytes=10**9)
        if images % 300 == 0:
            log.metrics(images, {"l1": 0.5})


def test_log_lines_are_the_agreed_json(tmp_path):
    log_undisturbed(tmp_path, 300, 400)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = {"cycle": 1 / 301, "gan_a2b": 0.1 + 300e-9}
    assert lines == [
        {"images": 300, "epoch": 300 / 459, "learning_rate": 0.0002, "losses": losses},
        {"images": 300, "metrics": {"l1": 0.5}},
    ]
    timing = json.loads((tmp_path / "timing.jsonl").read_text())
    assert timing == {"images": 300, "seconds": 60.0, "images_per_second": 5.0, "memory_bytes": 10**9}


def test_log_takes_numbers_of_numpy_and_writes_no_nan(tmp_path):
    log = MetricsLog(tmp_path)
    losses = {"cycle": np.float32(0.5), "gan": math.nan, "penalty": np.float64(np.inf)}
    log.losses(np.int64(3), epoch=0.1, learning_rate=0.1, losses=losses)

    def refuse(name: str):
        raise AssertionError(f"{name} is not JSON")

    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert repr(line["images"]) == "3"
    assert line["losses"] == {"cycle": 0.5, "gan": None, "penalty": None}


@pytest.mark.parametrize("torn", [b"", b'{"images": 1000, "ep', b'{"images": 400, "epoch": 0.5}', b"\x00\x00\n"])
def test_resumed_log_is_byte_identical_to_an_undisturbed_one(tmp_path, torn):
    undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    for run in (undisturbed, resumed):
        run.mkdir()
    log_undisturbed(undisturbed, 100, 2000)
    log_undisturbed(resumed, 100, 1000)
    with (resumed / "metrics.jsonl").open("ab") as file:
        file.write(torn)
    MetricsLog(resumed).truncate_after(600)
    log_undisturbed(resumed, 700, 2000)
    for name in ("metrics.jsonl", "timing.jsonl"):
        assert (resumed / name).read_bytes() == (undisturbed / name).read_bytes()
    assert sorted(path.name for path in resumed.iterdir()) == ["metrics.jsonl", "timing.jsonl"]


def test_truncating_keeps_all_that_is_earlier_and_wants_no_files(tmp_path):
    log = MetricsLog(tmp_path)
    log.truncate_after(0)
    assert list(tmp_path.iterdir()) == []
    log_undisturbed(tmp_path, 100, 500)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    log.truncate_after(400)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    log.truncate_after(0)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_full_disk_is_told_in_one_sentence(tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(TrainingError, match=r"metrics\.jsonl \(No space left on device\): free some space") as caught:
        MetricsLog(tmp_path).metrics(1, {"l1": 0.5})
    assert "\n" not in str(caught.value)


def test_replacing_a_file_in_a_folder_that_is_gone_is_told_and_leaves_nothing(tmp_path):
    with pytest.raises(TrainingError, match=r"Cannot write .*report\.html"):
        replace_file(tmp_path / "gone" / "report.html", b"x")
    replace_file(tmp_path / "report.html", b"old")
    replace_file(tmp_path / "report.html", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("report.html", b"new")]


def test_what_is_replaced_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Else a power cut could leave an empty summary.json, or a config.json with which no run goes on."""
    done, sync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (done.append("sync"), sync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("name"), replace(*paths)))
    replace_file(tmp_path / "summary.json", b"{}")
    assert done == ["sync", "name"]


def board_values(run: Path, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_board_forgets_what_a_killed_session_wrote_after_its_checkpoint(tmp_path):
    with closing(Board(tmp_path, 0)) as board:
        for images in (0, 100, 200, 300):
            board.scalars(images, {"losses/cycle": 1.0})
    with closing(Board(tmp_path, 200)) as board:
        for images in (300, 400):
            board.scalars(images, {"losses/cycle": 2.0})
    assert board_values(tmp_path, "losses/cycle") == [(0, 1.0), (100, 1.0), (200, 1.0), (300, 2.0), (400, 2.0)]
    assert all(path.name.startswith("events.out.tfevents.") for path in tmp_path.iterdir())


@pytest.mark.parametrize("channels", [1, 3])
def test_board_keeps_pictures_as_they_are(tmp_path, channels):
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    picture = np.arange(4 * 6 * channels, dtype=np.uint8).reshape(4, 6, channels)
    with closing(Board(tmp_path, 0)) as board:
        board.picture(700, picture)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (event,) = events.Images("samples")
    assert event.step == 700
    decoded = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert np.array_equal(decoded.reshape(4, 6, -1)[..., :channels], picture)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (303, "5 min 03 s"),
        (3599.7, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (86_399, "1 d 00 h"),
        (3 * 86_400 + 4 * 3600, "3 d 04 h"),
        (math.inf, UNKNOWN_TIME),
        (math.nan, UNKNOWN_TIME),
        (-1, UNKNOWN_TIME),
    ],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


def test_count():
    numbers = [0, 999, 999.6, 1234, 11_378_179, 12_345_678, 999_999, 9_999_999_999, 10**16]
    words = ["0", "999", "1.00 k", "1.23 k", "11.4 M", "12.3 M", "1.00 M", "10.0 G", "10000 T"]
    assert [count(number) for number in numbers] == words


def test_size():
    numbers = [0, 1023, 1024, 1.2 * 2**30, 812 * 2**20, 2**20 - 1, 2**60]
    assert [size(number) for number in numbers] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.2 GiB",
        "812 MiB",
        "1.0 MiB",
        "1048576 TiB",
    ]


def test_peak_memory_is_that_of_this_process():
    script = (
        "import numpy as np\n"
        "from viceversa.training.units import peak_memory_bytes\n"
        "before = peak_memory_bytes()\n"
        "block = np.ones(100 * 2**20, dtype=np.uint8)\n"
        "print(before, peak_memory_bytes() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, grown = map(int, done.stdout.split())
    assert 5 * 2**20 < before < 2**32
    assert 90 * 2**20 < grown < 200 * 2**20
