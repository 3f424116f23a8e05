import json
import signal

import numpy as np
import pytest
from PIL import Image

from viceversa import demo, load
from viceversa.cli import main
from viceversa.data import avatars
from viceversa.evaluation.truth import measure


def test_the_demo_trains_measures_and_says_what_next(tmp_path, capsys, monkeypatch, stop_at_line):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(demo, "PEOPLE", 12)  # to draw all of them takes most of the test's time
    monkeypatch.setattr(demo, "TEST_PEOPLE", 6)
    out, data = tmp_path / "demo", tmp_path / "demo-avatars"
    command = ["demo", "--out", str(out), "--minutes"]
    stop_at_line(out, number=signal.SIGINT)
    assert main([*command, "0.02"]) == 0
    assert "Stopped. The same command goes on." in capsys.readouterr().out
    assert not (out / "truth.json").exists()

    assert main([*command, "0.02"]) == 0
    said = capsys.readouterr().out
    assert "women to men: what must change is" in said
    assert f"viceversa translate {out} {data / 'testA'} --to b" in said
    assert "must change" in (out / "report.html").read_text()
    assert json.loads((out / "summary.json").read_text())["domains"] == {"a": "women", "b": "men"}
    tables = json.loads((out / "truth.json").read_text())
    assert tables.keys() == {"women to men", "men to women"}
    translator = load(out)
    for name, (side, to) in {"women to men": ("A", "b"), "men to women": ("B", "a")}.items():
        truth = avatars.load_truth(data, side)
        outputs = translator(truth.inputs, to=to)
        report = measure(truth.inputs, outputs, truth.truths)
        assert tables[name]["must change: error, grey levels"] == round(report.changing.error, 1)
        assert tables[name]["must change: error of doing nothing"] == round(report.changing.nothing, 1)
        assert tables[name]["must stay: error, grey levels"] == round(report.staying.error, 1)
        check_result(np.asarray(Image.open(out / "result.png")), name, truth, outputs)

    before = (out / "metrics.jsonl").read_bytes()
    assert main([*command, "0.02"]) == 0  # finished: measured again, not trained again
    assert (out / "metrics.jsonl").read_bytes() == before
    assert "what must change is" in capsys.readouterr().out


def check_result(sheet: np.ndarray, name: str, truth: avatars.Truth, outputs: np.ndarray) -> None:
    """Three rows of input, output and truth, at twice the size: six women, then six men."""
    assert sheet.shape == (3 * 128 + 2 * 2, 12 * 128 + 11 * 2, 3)
    for row, pictures in enumerate((truth.inputs, outputs, truth.truths)):
        for place in (0, 5):
            y, x = 130 * row, 130 * (place + 6 * (name == "men to women"))
            assert np.array_equal(sheet[y : y + 128 : 2, x : x + 128 : 2], pictures[place])


@pytest.mark.parametrize("minutes", ["0.0", "nan", "inf"])
def test_no_time_at_all_is_refused(minutes, tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "demo"), "--minutes", minutes]) == 2
    assert f"--minutes must be above 0; got {minutes}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_several_processes_are_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert "The demo runs in one process. Start it without torchrun." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_portraits_of_another_seed_are_refused_with_both_ways_out(tmp_path, capsys):
    avatars.write_dataset(tmp_path / "demo-avatars", count=2, test=1, size_px=16, seed=0)
    assert main(["demo", "--out", str(tmp_path / "demo"), "--seed", "1"]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'demo-avatars'} holds something else than the portraits of --seed 1" in said
    assert said.endswith("Give that seed to go on with it, or another folder with --out.\n")
    assert not (tmp_path / "demo").exists()
