"""What every method keeps to, whichever it is."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from viceversa import train
from viceversa.cli import main
from viceversa.config import from_json, to_json
from viceversa.methods import METHODS
from viceversa.training import checkpoint


@pytest.mark.parametrize("method", list(METHODS))
def test_a_run_resumes_to_the_bit(method, tiny, tmp_path, assert_same_run, stop_at_line):
    settings = {"log_every": 3, "images": 10}
    assert train(tiny(method, tmp_path / "whole", **settings), quiet=True).finished
    again = tiny(method, tmp_path / "parted", **settings)
    stop_at_line(again.out, 2)
    stopped = train(again, quiet=True)
    assert 3 <= stopped.images_seen < 10
    finished = train(again, quiet=True)
    assert finished.images_seen == 10
    assert_same_run(tmp_path / "whole", tmp_path / "parted")
    files, same = (made(tmp_path / run) for run in ("whole", "parted"))
    assert files.keys() == same.keys()
    assert {file.suffix for file in files} >= {".jpg", ".safetensors"}
    for file in files:
        assert files[file] == same[file], file


def made(run: Path) -> dict[Path, bytes]:
    """The pictures and the networks that a run has come to."""
    kinds = [path for kind in ("samples/*", "translator/*", "*.safetensors") for path in run.glob(kind)]
    return {path.relative_to(run): path.read_bytes() for path in kinds}


def test_resume_to_the_bit(variant, tiny_variant, tmp_path, make_trainer, assert_same_run):
    batch = tiny_variant(variant, tmp_path).method.schedule.batch
    resumes(tiny_variant(variant, tmp_path, images=6 * batch), tmp_path, make_trainer, assert_same_run)


@pytest.mark.parametrize("method", list(METHODS))
def test_resume_to_the_bit_in_bfloat16(method, tiny, tmp_path, make_trainer, assert_same_run):
    batch = tiny(method, tmp_path).method.schedule.batch
    resumes(tiny(method, tmp_path, images=6 * batch, precision="bf16-mixed"), tmp_path, make_trainer, assert_same_run)


@pytest.mark.parametrize("augment", ["color", "translation", "cutout", "adaptive"])
@pytest.mark.parametrize("method", [name for name in METHODS if hasattr(METHODS[name].Config(), "augmented")])
def test_resume_to_the_bit_where_what_discriminators_see_is_changed(
    method, augment, tiny, tmp_path, make_trainer, assert_same_run
):
    settings = {"augment_d": augment, "augment_d_probability": 0.5, "precision": "bf16-mixed"}
    if augment == "adaptive":
        settings = {"augment_d": ("color", "translation", "cutout")}
        if hasattr(METHODS[method].Config().augmented, "augment_d_adaptive"):
            settings |= {"augment_d_adaptive": True, "augment_d_images": 16}
    batch = tiny(method, tmp_path).method.schedule.batch
    resumes(tiny(method, tmp_path, images=6 * batch, **settings), tmp_path, make_trainer, assert_same_run)


def resumes(config, folder: Path, make_trainer, assert_same_run) -> None:
    """As above without the files around a run, which are the same for all settings."""
    batch = config.method.schedule.batch

    def run(out: Path, stops: set[int]) -> None:
        trainer, lines = make_trainer(config), []
        while True:
            trainer.run(lambda trainer: after_each(trainer, lines) or trainer.images_seen in stops)
            checkpoint.save(trainer, out / "checkpoints", seconds=0, keep=1)
            if trainer.images_seen == 6 * batch:
                break
            trainer = make_trainer(config)
            assert checkpoint.load_newest(trainer, out / "checkpoints") == 0
        (out / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))

    def after_each(trainer, lines) -> None:
        if trainer.images_seen in (4 * batch, 6 * batch):
            lines.append(trainer.take_means())

    run(folder / "whole", set())
    run(folder / "parted", {batch, 5 * batch})
    assert_same_run(folder / "whole", folder / "parted")


def test_every_weight_is_in_exactly_one_group(variant, tiny_variant, tmp_path, make_trainer):
    method = make_trainer(tiny_variant(variant, tmp_path)).method
    grouped = [id(p) for members in method.groups().values() for network in members for p in network.parameters()]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(parameter) for parameter in method.parameters() if parameter.requires_grad}
    assert method.generators()
    for generator in method.generators().values():
        assert {id(parameter) for parameter in generator.parameters()} <= set(grouped)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_an_update_trains_the_group_that_it_names(variant, precision, tiny_variant, tmp_path, make_trainer):
    trainer = make_trainer(tiny_variant(variant, tmp_path, precision=precision, batch=2))
    method, updated = trainer.method, []
    step = method.step

    def weights():
        return {
            group: [parameter.detach().clone() for network in members for parameter in network.parameters()]
            for group, members in method.groups().items()
        }

    def watched(batch, iteration):
        for update in step(batch, iteration):
            assert update.group in method.groups()
            assert update.losses
            for name, term in update.losses.items():
                assert (term.shape, term.dtype) == ((), torch.float32), name
                assert torch.isfinite(term), name
                assert term.requires_grad, name
            before = weights()
            yield update
            after = weights()
            changed = {group for group in after if not all(map(torch.equal, before[group], after[group]))}
            assert changed == {update.group}
            updated.append(update.group)

    method.step = watched
    trainer.run(lambda trainer: trainer.images_seen >= 4)
    assert set(updated) == set(method.groups())
    assert all(parameter.grad is None for parameter in method.parameters())
    assert not torch.is_autocast_enabled("cpu"), "autocast leaked out of the method"
    assert torch.is_grad_enabled()


def test_two_small_batches_are_one_large_one(variant, tiny_variant, tmp_path, make_trainer):
    states, logs = [], []
    for sizes in {"batch": 2, "accumulate": 1}, {"batch": 1, "accumulate": 2}:
        trainer = make_trainer(tiny_variant(variant, tmp_path, exactly_summable=True, images=6, **sizes))
        trainer.run(lambda trainer: False)
        assert trainer.images_seen == 6
        states.append(dict(trainer.method.state_dict()))
        logs.append(trainer.take_means())
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        torch.testing.assert_close(
            states[1][name], value, rtol=1e-9, atol=1e-10, msg=lambda text, n=name: f"{n}: {text}"
        )
    assert logs[0] == pytest.approx(logs[1], rel=1e-9)


def test_the_weights_are_a_function_of_the_seed(variant, tiny_variant, tmp_path, make_trainer):
    first, same, other = (
        dict(make_trainer(tiny_variant(variant, tmp_path, seed=seed)).method.state_dict()) for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_preview_shows_pictures(variant, tiny_variant, tmp_path, make_trainer):
    trainer = make_trainer(tiny_variant(variant, tmp_path))
    with torch.inference_mode():
        preview = trainer.method.preview(trainer.averaged.generators(), trainer.pictures.held_out(2))
    for row in preview.rows:
        assert len(row) == len(preview.columns)
        for picture in row:
            assert picture.dim() == 4
            assert picture.shape[1] in (1, 3)
            assert picture.abs().max() <= 1


def test_the_config_goes_through_json(variant, tiny_variant, tmp_path):
    config = tiny_variant(variant, tmp_path)
    text = to_json(config)
    assert json.loads(text)["method"]["name"] == METHODS[json.loads(text)["method"]["name"]].name
    back = from_json(text, tmp_path)
    assert back == config
    assert type(back.method) is type(config.method)
    assert from_json(to_json(back), tmp_path) == back


@pytest.mark.parametrize("method", list(METHODS))
def test_the_defaults_can_be_and_help_names_every_setting(method, capsys):
    config = METHODS[method].Config()
    with pytest.raises(SystemExit) as end:
        main(["train", method, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    missing = [flag for flag in flags(config) if f"--{flag} " not in shown and f"--{flag}," not in shown]
    assert not missing
    assert method in shown
    assert main(["methods"]) == 0
    assert f" {method} " in capsys.readouterr().out


def flags(config) -> list[str]:
    """The names of all settings on the command line: those of the dataclass, but where it says otherwise."""
    renamed = {"root": "data", "size_px": "size", "load_size_px": "load-size"}
    found = []
    for part in dataclasses.fields(config):
        value = getattr(config, part.name)
        found += (
            flags(value) if dataclasses.is_dataclass(value) else [renamed.get(part.name, part.name).replace("_", "-")]
        )
    return found
