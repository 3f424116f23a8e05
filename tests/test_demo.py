import json

import numpy as np
from PIL import Image

from viceversa.cli import main


def test_the_demo_trains_measures_and_says_what_next(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command = ["demo", "--out", str(tmp_path / "demo"), "--minutes", "0.02"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "women to men: what must change is" in said
    assert f"viceversa translate {tmp_path / 'demo'}" in said
    truth = json.loads((tmp_path / "demo" / "truth.json").read_text())
    assert truth.keys() == {"women to men", "men to women"}
    assert np.asarray(Image.open(tmp_path / "demo" / "result.png")).std() > 20
    assert "must change" in (tmp_path / "demo" / "report.html").read_text()
    assert json.loads((tmp_path / "demo" / "summary.json").read_text())["domains"] == {"a": "women", "b": "men"}
    before = (tmp_path / "demo" / "metrics.jsonl").read_bytes()
    assert main(command) == 0  # finished: measured again, not trained again
    assert (tmp_path / "demo" / "metrics.jsonl").read_bytes() == before


def test_no_time_at_all_is_refused(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "demo"), "--minutes", "0"]) == 2
    assert "--minutes must be above 0; got 0.0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
