"""What every method keeps to: `check_method` for one of your own, `METHOD_CHECKS` one by one."""

import json
import tempfile
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from viceversa import methods, recipes
from viceversa.config import TrainConfig, from_json, to_json, values
from viceversa.inference.folder import FROM_NOISE, read_translator, save_translator
from viceversa.methods import Batch, Iteration, Update
from viceversa.testing.runs import assert_same_run, make_trainer, small_config, write_images
from viceversa.training import checkpoint
from viceversa.training.trainer import Trainer

Make = Callable[..., TrainConfig[Any]]
"""``make(out, **settings)``: the settings of a small run."""


def check_method(method: str, *, skip: Collection[str] = (), **settings: Any) -> None:
    """Check one method by all of `METHOD_CHECKS`; takes some seconds.

    Args:
        method: Its name, or the file that defines it: ``my_method.py``, ``my_method.py:Name``.
        skip: Names of checks that cannot hold, such as "sums_over_batches" of a method that compares the images of a
            batch with each other.
        settings: As of ``viceversa.configure``: those of the method that are to be checked.

    Raises:
        AssertionError: Something does not hold; the message says what.
    """
    name = recipes.find(method).method
    with tempfile.TemporaryDirectory() as temporary:
        write_images(Path(temporary, "images"))
        for check in METHOD_CHECKS:
            if check.__name__ not in skip:
                own = Path(temporary, check.__name__)
                own.mkdir()
                check(partial(small_config, name, Path(temporary, "images"), **settings), own)


def resumes(make: Make, folder: Path) -> None:
    """A run that is stopped and goes on is equal, to the last bit, to one that is not."""
    batch = make(folder).method.schedule.batch
    config = make(folder, images=6 * batch)

    def log(trainer: Trainer, lines: list[Any]) -> None:
        if trainer.images_seen in (4 * batch, 6 * batch):
            lines.append(trainer.take_means())

    def run(out: Path, stops: set[int]) -> None:
        trainer, lines = make_trainer(config), list[Any]()
        while True:
            trainer.run(lambda trainer: log(trainer, lines) or trainer.images_seen in stops)
            checkpoint.save(trainer, out / "checkpoints", seconds=0, keep=1)
            if trainer.images_seen == 6 * batch:
                break
            trainer = make_trainer(config)
            assert checkpoint.load_newest(trainer, out / "checkpoints") == 0, "the checkpoint is not found again"
        (out / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))

    run(folder / "whole", set())
    run(folder / "parted", {batch, 5 * batch})
    try:
        assert_same_run(folder / "whole", folder / "parted")
    except AssertionError as error:
        raise AssertionError(
            f"A run that was stopped and went on is another one ({error}). All state must be a parameter or a buffer "
            "that state_dict() holds, all randomness must come from iteration.uniform and iteration.normal."
        ) from None


def resumes_in_bfloat16(make: Make, folder: Path) -> None:
    """The same in mixed precision."""
    resumes(partial(make, precision="bf16-mixed"), folder)


def groups_hold_all_weights(make: Make, folder: Path) -> None:
    """Every weight is in exactly one group, those of the generators too."""
    method = make_trainer(make(folder)).method
    grouped = {
        name: group
        for group, members in method.groups().items()
        for name, parameter in method.named_parameters()
        if any(parameter is own for network in members for own in network.parameters())
    }
    listed = [id(p) for members in method.groups().values() for network in members for p in network.parameters()]
    assert len(listed) == len(set(listed)), "groups() names a weight twice; its gradient would be counted twice"
    trained = {name for name, parameter in method.named_parameters() if parameter.requires_grad}
    wrong = trained ^ set(grouped)
    assert not wrong, f"groups() lacks weights that need gradients, or has others: {wrong}"
    generators = method.generators()
    assert generators, "generators() is empty: there is nothing to keep of a run"
    for direction, generator in generators.items():
        own = {id(parameter) for parameter in generator.parameters()}
        assert own <= set(listed), f"the generator {direction} has weights that no group trains"


def updates_train_their_group(make: Make, folder: Path) -> None:
    """An update has finite scalar float32 terms with gradients and changes its group alone; no context leaks."""
    for precision in "32-true", "bf16-mixed":
        trainer = make_trainer(make(folder, precision=precision, batch=2))
        method, updated = trainer.method, set[str]()
        step = method.step

        def weights(method: methods.Method = method) -> dict[str, list[Tensor]]:
            return {
                group: [parameter.detach().clone() for network in members for parameter in network.parameters()]
                for group, members in method.groups().items()
            }

        def watched(
            batch: Batch, iteration: Iteration, step: Any = step, weights: Any = weights, updated: set[str] = updated
        ) -> Iterator[Update]:
            for update in step(batch, iteration):
                assert torch.is_grad_enabled(), f"step yields the update of {update.group} inside torch.no_grad()"
                _check_terms(update)
                before = weights()
                assert update.group in before, f"an update names {update.group}, and groups() does not"
                yield update
                after = weights()
                changed = {group for group in after if not all(map(torch.equal, before[group], after[group]))}
                assert changed == {update.group}, f"the update of {update.group} changed {changed or 'nothing'}"
                updated.add(update.group)

        method.step = watched
        trainer.run(lambda trainer: trainer.images_seen >= 4)
        idle = set(method.groups()) - updated
        assert not idle, f"no update trains {', '.join(idle)}"
        assert all(parameter.grad is None for parameter in method.parameters()), "gradients are left after the steps"
        assert not torch.is_autocast_enabled("cpu"), "autocast leaks out of step: never yield inside it"
        assert torch.is_grad_enabled(), "no_grad leaks out of step: never yield inside it"


def _check_terms(update: Update) -> None:
    assert update.losses, f"the update of {update.group} has no terms"
    for name, term in update.losses.items():
        assert term.shape == (), f"the term {name} must be a scalar; its shape is {tuple(term.shape)}"
        assert term.dtype == torch.float32, f"the term {name} is {term.dtype}; begin it with losses.precise(...)"
        assert torch.isfinite(term), f"the term {name} is {term.item()}"
        assert term.requires_grad, f"the term {name} has no gradient; what is only logged belongs into Update(log=...)"


def exact(config: TrainConfig[Any]) -> dict[str, Any]:
    """Return settings of float64 without what makes a batch more than its images: batch normalization and dropout."""
    plain = {"norm": "instance", "discriminator_norm": "instance", "dropout": False}
    there = values(config)
    return {"precision": "64-true", **{name: value for name, value in plain.items() if name in there}}


def sums_over_batches(make: Make, folder: Path) -> None:
    """Two small batches whose gradients are summed are one large batch, in float64 and without batch normalisation."""
    settings = exact(make(folder))
    states, logs = list[dict[str, Tensor]](), list[dict[str, float]]()
    for parts in {"batch": 2, "accumulate": 1}, {"batch": 1, "accumulate": 2}:
        trainer = make_trainer(make(folder, images=6, **settings, **parts))
        trainer.run(lambda trainer: False)
        assert trainer.images_seen == 6
        states.append(dict(trainer.method.state_dict()))
        logs.append(trainer.take_means())
    for name, value in states[0].items():
        torch.testing.assert_close(
            states[1][name],
            value,
            rtol=1e-9,
            atol=1e-10,
            msg=lambda text, n=name: f"--accumulate 2 gives another {n} than a batch twice as large: {text}",
        )
    for name, mean in logs[0].items():
        assert abs(logs[1][name] - mean) <= 1e-9 * abs(mean), f"--accumulate 2 logs another {name}"


def weights_follow_the_seed(make: Make, folder: Path) -> None:
    """The same seed gives the same weights, another seed others."""
    first, same, other = (dict(make_trainer(make(folder, seed=seed)).method.state_dict()) for seed in (3, 3, 4))
    differ = [name for name in first if not torch.equal(first[name], same[name])]
    assert not differ, f"weights are not a function of the seed: {differ[:3]}"
    assert not all(torch.equal(first[name], other[name]) for name in first), "all seeds give the same weights"


def previews_images(make: Make, folder: Path) -> None:
    """A preview has an image for each of its columns, of 1 or 3 channels in [-1, 1]."""
    trainer = make_trainer(make(folder))
    pictures: Any = trainer.pictures
    with torch.inference_mode():
        preview = trainer.method.preview(trainer.averaged.generators(), pictures.held_out(2))
    for row in preview.rows:
        assert len(row) == len(preview.columns), f"a row of {len(row)} images for {len(preview.columns)} columns"
        for image in row:
            assert image.dim() == 4, f"a preview holds (N, C, H, W); got {tuple(image.shape)}"
            assert image.shape[1] in (1, 3), f"a preview's image has 1 or 3 channels; got {tuple(image.shape)}"
            assert image.abs().max() <= 1, "a preview's images are in [-1, 1]"


def settings_are_kept(make: Make, folder: Path) -> None:
    """The settings come back from config.json as they were."""
    config = make(folder)
    text = to_json(config)
    name = json.loads(text)["method"]["name"]
    assert name == methods.find(name).name
    back = from_json(text, folder)
    assert back == config, "config.json gives other settings back"
    assert type(back.method) is type(config.method)
    assert from_json(to_json(back), folder) == back


def generators_are_kept(make: Make, folder: Path) -> None:
    """The generators come back from a translator folder, and do what they did."""
    config = make(folder)
    trainer = make_trainer(config)
    generators = trainer.method.generators()
    if trainer.method.files(generators, 0):
        return  # it is not a translator that is kept of such a run
    letters = "a" if FROM_NOISE in generators else "ab"
    size_px = config.method.data.size_px
    save_translator(
        folder / "translator", generators, method="test", domains=dict.fromkeys(letters, "x"), size_px=size_px, images=0
    )
    _, networks = read_translator(folder / "translator" / "model.safetensors")
    for direction, network in generators.items():
        network.eval()
        state, back = network.state_dict(), networks[direction].state_dict()
        differ = [key for key in state if not torch.equal(state[key], back[key])]
        assert not differ, f"the translator folder gives {direction} other weights: {differ[:3]}"


METHOD_CHECKS: tuple[Callable[[Make, Path], None], ...] = (
    settings_are_kept,
    groups_hold_all_weights,
    weights_follow_the_seed,
    updates_train_their_group,
    resumes,
    resumes_in_bfloat16,
    sums_over_batches,
    previews_images,
    generators_are_kept,
)
"""Each takes ``make(out, **settings)``, which returns the settings of a small run, and an empty folder."""
