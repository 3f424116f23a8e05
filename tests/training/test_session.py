"""A run from its first command to its last: signals, logs, samples, refusals, and what is left on disk."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from viceversa import load, train
from viceversa.cli import main
from viceversa.config import from_json
from viceversa.errors import ConfigError, TrainingError
from viceversa.methods import METHODS, Method, Update
from viceversa.methods.pix2pix import Pix2Pix, Pix2PixConfig
from viceversa.training import checkpoint, session

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def lines(run: Path, name: str = "metrics.jsonl") -> list[dict]:
    """The lines of a log, but for what was measured of the samples."""
    return [line for line in map(json.loads, (run / name).read_text().splitlines()) if "metrics" not in line]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory) -> Path:
    """A finished run of 12 images, and what is in it, read only."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("session") / "run"
    assert train(tiny("cyclegan", out, samples=3, checkpoint_minutes=0.0, keep=3, log_every=4), quiet=True).finished
    return out


def flags(pictures: Path, out: Path, **more: object) -> list[str]:
    given = {
        "a": pictures / "a", "b": pictures / "b", "cache": pictures.with_name("cache"), "size": 16, "width": 4,
        "blocks": 1, "discriminator-width": 4, "discriminator-layers": 2, "pool": 4, "images": 12, "log-every": 1,
        "samples": 2, "sample-pictures": 1, "ema-images": 10, "device": "cpu", "precision": "32-true", "out": out,
    }  # fmt: skip
    more = {name.replace("_", "-"): value for name, value in more.items()}
    return [text for name, value in {**given, **more}.items() for text in (f"--{name}", str(value))]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_saves_and_ends_in_good_order(number, pictures, tmp_path, stop_at_line, capsys):
    before = [signal.getsignal(each) for each in STOPPING]
    command = ["train", "cyclegan", *flags(pictures, tmp_path / "run", images=40)]
    stop_at_line(tmp_path / "run", number=number)
    assert main(command) == 0
    seen = lines(tmp_path / "run")[-1]["images"]
    assert 1 <= seen < 40
    assert f"stopped; the same command goes on at {seen} images" in capsys.readouterr().err
    assert checkpoint.complete(tmp_path / "run" / "checkpoints") == [f"{seen:08d}"]
    assert (tmp_path / "run" / "translator" / "model.safetensors").exists()
    assert before == [signal.getsignal(each) for each in STOPPING], "handlers are put back"
    assert main(command) == 0
    assert [line["images"] for line in lines(tmp_path / "run")] == list(range(1, 41))
    said = capsys.readouterr().err
    assert f"40 images to see, {seen} seen" in said
    assert "finished at 40 images" in said


@pytest.fixture
def impatient() -> Iterator[type[Method]]:
    """A method during whose third iteration somebody presses Ctrl-C twice."""

    class Impatient(Pix2Pix):
        name = "impatient"
        Config = ImpatientConfig
        iterations = 0

        def step(self, batch, iteration):
            self.iterations += 1
            yield from super().step(batch, iteration)
            if self.iterations == 3:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)

    yield Impatient
    del METHODS["impatient"]


@dataclass(frozen=True, kw_only=True)
class ImpatientConfig(Pix2PixConfig):
    """A class of its own."""


def test_a_run_goes_on_with_the_defaults_that_it_was_begun_with(tiny, tmp_path, capsys):
    """pix2pix once normalised over batches where nothing else was asked for."""
    train(tiny("pix2pix", tmp_path / "run", images=2, norm="batch"), quiet=True)
    train(tiny("pix2pix", tmp_path / "new", images=2), quiet=True)
    for run, norm in ("run", "batch"), ("new", "instance"):
        assert train(tiny("pix2pix", tmp_path / run, images=3)).finished
        said = "goes on with --norm batch, the default when it was begun"
        assert (said in capsys.readouterr().err) == (norm == "batch")
        assert from_json((tmp_path / run / "config.json").read_text(), run).method.networks.norm == norm
    with pytest.raises(ConfigError, match="--norm batch, now none"):
        train(tiny("pix2pix", tmp_path / "run", images=3, norm="none"), quiet=True)
    with pytest.raises(ConfigError, match=r"--norm batch, now instance; --r1-gamma 0\.0, now 1\.0"):
        train(tiny("pix2pix", tmp_path / "run", images=3, r1_gamma=1.0), quiet=True)


@pytest.fixture
def oddly_named(pictures, tmp_path) -> Path:
    """A folder with a and b, whose names are no valid UTF-8, and those of the images in them are none either."""
    odd = os.fsdecode(b"caf\xe9")
    try:
        for side in "ab":
            (tmp_path / f"{side} {odd}").mkdir()
            for path in (pictures / side).iterdir():
                shutil.copyfile(path, tmp_path / f"{side} {odd}" / f"{odd} {path.name}")
            (tmp_path / f"{side} {odd}" / f"{odd}.png").touch()
    except (OSError, UnicodeError):
        pytest.skip("needs a file system that takes any bytes as a name")
    return tmp_path


def test_names_on_disk_may_be_any_bytes(oddly_named, tiny, capsys):
    a, b = sorted(oddly_named.iterdir())
    for images in 1, 2:
        assert train(tiny("cyclegan", run := oddly_named / "run", a=a, b=b, images=images, hold_out=2)).finished
    assert from_json((run / "config.json").read_text(encoding="utf-8"), run).method.data.a == a, "as it was"
    assert load(run).domains == {"a": r"a caf\xe9", "b": r"b caf\xe9"}
    assert "caf" in (run / "report.html").read_text(encoding="utf-8")
    for file in "config.json", "README.md":
        assert (run / "translator" / file).read_text(encoding="utf-8")
    assert main(["translate", str(run), str(a), "--to", "b", "--out", str(a.with_name("out" + a.name))]) == 1
    assert "7 translated, 1 failed" in capsys.readouterr().err
    assert len(list(a.with_name("out" + a.name).iterdir())) == 7
    with pytest.raises(ConfigError, match=r"a caf\\xe9 is not valid UTF-8.* Name another folder with --out"):
        train(tiny("cyclegan", a), quiet=True)


@pytest.fixture
def masked() -> Iterator[type[Method]]:
    """A method whose loss is over as many pixels as its images have bright ones: sizes that follow from content."""

    class Masked(Pix2Pix):
        name = "masked"
        Config = MaskedConfig

        def step(self, batch, iteration):
            x, y = batch
            yield Update("generator", {"l1": (self.g(x)[y > 0] - y[y > 0]).abs().mean()})

    yield Masked
    del METHODS["masked"]


@dataclass(frozen=True, kw_only=True)
class MaskedConfig(Pix2PixConfig):
    """A class of its own."""


def test_a_method_may_choose_among_its_pixels(masked, tiny, tmp_path):
    assert train(tiny("masked", tmp_path / "run", images=1), quiet=True).finished


def test_it_is_said_once_how_long_it_will_take_and_how_much_memory(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "_FORETELL_SECONDS", 0)
    train(tiny("pix2pix", tmp_path / "run", images=4))
    (said,) = [line for line in capsys.readouterr().err.splitlines() if " to go" in line]
    assert re.fullmatch(r"about \S+ s to go( and \S+ [MG]iB of memory)? \(measured over the first \d+ s\)", said), said


def test_a_second_interrupt_ends_at_once(impatient, tiny, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tiny("impatient", tmp_path, checkpoint_minutes=0.0), quiet=True)
    assert signal.getsignal(signal.SIGINT) is before
    assert checkpoint.complete(tmp_path / "checkpoints") == ["00000001", "00000002"], "what was there stays good"


@dataclass(frozen=True, kw_only=True)
class PoisonedConfig(Pix2PixConfig):
    at: int = 3
    """The sample whose loss is not a number."""


@pytest.fixture
def poisoned() -> Iterator[type[Method]]:
    class Poisoned(Pix2Pix):
        name = "poisoned"
        Config = PoisonedConfig

        def step(self, batch, iteration):
            for update in super().step(batch, iteration):
                poison = torch.where(iteration.positions[0] == self.config.at, torch.nan, 0.0)
                if update.group == "generator":
                    update = Update("generator", {**update.terms, "poison": poison * update.losses["l1"]})
                yield update

    yield Poisoned
    del METHODS["poisoned"]


def finite(run: Path) -> bool:
    newest = run / "checkpoints" / checkpoint.complete(run / "checkpoints")[-1]
    files = [*newest.glob("*.safetensors"), run / "translator" / "model.safetensors"]
    return all(torch.isfinite(value.float()).all() for file in files for value in load_file(file).values())


def test_nan_stops_with_the_terms_name_and_the_last_good_checkpoint(poisoned, tiny, tmp_path):
    config = tiny("poisoned", tmp_path / "run", at=3, checkpoint_minutes=0.0)
    last = tmp_path / "run" / "checkpoints" / "00000003"
    for _ in range(2):  # the same command again comes to the same end
        with pytest.raises(TrainingError) as caught:
            train(config, quiet=True)
        text = str(caught.value)
        assert text.startswith("The loss poison is no longer a finite number after 4 images; ")
        assert f"the last good checkpoint is {last}. " in text
        assert "a smaller --learning-rate" in text
        assert checkpoint.complete(tmp_path / "run" / "checkpoints")[-1] == last.name
        assert finite(tmp_path / "run")
        assert [line["images"] for line in lines(tmp_path / "run")] == [1, 2, 3], "no NaN in the log either"
    assert (tmp_path / "run" / "report.html").exists()


def test_nan_before_the_first_checkpoint(poisoned, tiny, tmp_path):
    with pytest.raises(TrainingError, match="after 2 images; there is no checkpoint yet"):
        train(tiny("poisoned", tmp_path / "run", at=1, log_every=100), quiet=True)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_nan_in_the_last_step_is_not_saved(poisoned, tiny, tmp_path):
    with pytest.raises(TrainingError, match="poison"):
        train(tiny("poisoned", tmp_path / "run", at=11, checkpoint_minutes=0.0), quiet=True)
    assert checkpoint.complete(tmp_path / "run" / "checkpoints")[-1] == "00000011"
    assert finite(tmp_path / "run")


def test_a_wild_learning_rate_is_exit_code_2(pictures, tmp_path, capsys):
    command = flags(pictures, tmp_path / "run", learning_rate=1e30, checkpoint_minutes=0.0)
    assert main(["train", "cyclegan", *command]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("viceversa: The loss ")
    assert "no longer a finite number" in said
    assert finite(tmp_path / "run")


def test_another_config_is_refused_and_nothing_changes(finished, pictures, capsys):
    before = content(finished)
    common = {"samples": 3, "checkpoint_minutes": 0.0, "keep": 3, "log_every": 4}
    other = flags(pictures, finished, **{**common, "width": 5, "learning_rate": 0.001})
    assert main(["train", "cyclegan", *other]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"viceversa: {finished} holds a run of other settings (")
    assert "(--learning-rate 0.0002, now 0.001; --width 4, now 5)" in said
    assert "size" not in said, "only what differs is named"
    assert said.endswith(
        "Give the same settings to go on with it, or another folder with --out; to begin a new run with its weights: "
        f"--from {finished} --out NEW."
    )
    assert main(["train", "pix2pix", "--data", str(pictures), "--out", str(finished)]) == 2
    assert "(method cyclegan, now pix2pix)" in capsys.readouterr().err
    assert content(finished) == before


def test_what_may_differ_may(finished, tiny, tmp_path):
    shutil.copytree(finished, tmp_path / "moved")
    config = tiny("cyclegan", tmp_path / "moved", samples=3, log_every=4, checkpoint_minutes=5, keep=1)
    assert train(config, quiet=True).finished


def test_auto_goes_on_in_the_precision_that_the_run_has(tiny, tmp_path):
    """Also where the machine would choose the other one: which one that is does not matter if both are tried."""
    for precision in ("bf16-mixed", "32-true"):
        out = tmp_path / precision
        train(tiny("cyclegan", out, images=2, precision=precision), quiet=True)
        assert train(tiny("cyclegan", out, images=4, precision="auto"), quiet=True).finished
        assert json.loads((out / "config.json").read_text())["precision"] == precision


def test_a_folder_of_other_things_is_refused(tiny, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"photos holds other things and no run\. Name a new folder with --out\."):
        train(tiny("cyclegan", tmp_path / "photos"), quiet=True)
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"file is a file\."):
        train(tiny("cyclegan", tmp_path / "file"), quiet=True)
    assert content(tmp_path) == {"photos/1.jpg": b"mine", "file": b"mine"}


def test_a_run_that_was_killed_before_its_first_file_is_none(tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.json.partial").write_text("{")
    assert train(tiny("pix2pix", tmp_path / "run", images=2), quiet=True).finished
    assert not (tmp_path / "run" / ".config.json.partial").exists()


def test_a_damaged_config_is_refused(finished, tiny, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    for damaged in b"{", b'{"format": "\xff\xfe"}':
        (tmp_path / "run" / "config.json").write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"config\.json is no training config"):
            train(tiny("cyclegan", tmp_path / "run"), quiet=True)


def test_a_finished_run_says_so_and_stays(finished, pictures, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "run")
    before = content(tmp_path / "run")
    again = flags(pictures, tmp_path / "run", samples=3, checkpoint_minutes=0.0, keep=3, log_every=4)
    assert main(["train", "cyclegan", *again]) == 0
    said = capsys.readouterr().err
    assert "12 images to see, 12 seen" in said
    assert "was finished already at 12 images" in said
    after = content(tmp_path / "run")
    same = {name for name in before if before[name] == after.get(name)}
    kinds = ("checkpoints/", "samples/", "translator/", "metrics.jsonl", "timing.jsonl")
    assert {name for name in before if name.startswith(kinds)} <= same


def test_the_log(finished):
    logged = lines(finished)
    assert [line["images"] for line in logged] == [4, 8, 12]
    # Seven images, none held out, make an epoch; the rate is full until half of the run and falls after it.
    assert [line["epoch"] for line in logged] == [images / 7 for images in (4, 8, 12)]
    rates = [2e-4, 2e-4 * (1 - 7 / 12) / 0.5, 2e-4 * (1 - 11 / 12) / 0.5]
    assert [line["learning_rate"] for line in logged] == pytest.approx(rates, rel=1e-12)
    for line in logged:
        assert list(line["losses"])[:2] == ["gan_a2b", "gan_b2a"], "in the method's order"
        assert all(np.isfinite(value) for value in line["losses"].values())
    clock = lines(finished, "timing.jsonl")
    assert [line["images"] for line in clock] == [4, 8, 12]
    assert all(line["images_per_second"] > 0 and line["memory_bytes"] > 0 for line in clock)
    assert clock[0]["seconds"] < clock[1]["seconds"] < clock[2]["seconds"]


def test_log_lines_are_means(tiny, make_trainer, tmp_path):
    fine = tiny("pix2pix", tmp_path / "fine", images=6, log_every=1)
    train(fine, quiet=True)
    train(replace(fine, out=tmp_path / "coarse", log_every=4), quiet=True)
    each, coarse = lines(tmp_path / "fine"), lines(tmp_path / "coarse")
    assert [line["images"] for line in coarse] == [4, 6], "the rest is logged at the end"
    for line, part in zip(coarse, (each[:4], each[4:]), strict=True):
        means = {name: np.mean([one["losses"][name] for one in part]) for name in line["losses"]}
        assert line["losses"] == pytest.approx(means, rel=1e-6)


def test_sample_sheets_come_when_they_are_due(finished):
    """Closer together at the start: 12 (k / 3)^2 images for k = 1, 2, 3."""
    names = sorted(path.name for path in (finished / "samples").iterdir())
    assert names == ["00000001.jpg", "00000005.jpg", "00000012.jpg"]
    with Image.open(finished / "samples" / names[0]) as sheet:
        width, height = sheet.size
    assert width > 3 * 16, "input, output and back again"
    assert height > 2 * 16, "an image of each domain"
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["sample_columns"] == ["input", "output", "back again"]
    assert summary["total_images"] == 12
    assert summary["pictures"] == {"a": 7, "b": 7}
    assert summary["domains"] == {"a": "a", "b": "b"}


def test_checkpoints_while_it_trains(finished):
    assert checkpoint.complete(finished / "checkpoints") == ["00000010", "00000011", "00000012"]
    said = [json.loads((finished / "checkpoints" / f"000000{n}" / "progress.json").read_text()) for n in (10, 11, 12)]
    assert said[0]["seconds"] < said[1]["seconds"] < said[2]["seconds"]


def test_the_translator_is_the_moving_average(finished):
    state = load_file(finished / "checkpoints" / "00000012" / "state.safetensors")
    averaged = {
        name.removeprefix("averaged.averages."): value for name, value in state.items() if name.startswith("averaged.")
    }
    assert load_file(finished / "translator" / "model.safetensors").keys() == averaged.keys()
    for name, value in load_file(finished / "translator" / "model.safetensors").items():
        assert torch.equal(value, averaged[name]), name
        assert not torch.equal(value, state[f"method.{name}"]), "and not the weights of the last step"
    picture = np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    there, back = (
        load(finished, device="cpu")(picture, to="b"),
        load(finished / "translator", device="cpu")(picture, to="a"),
    )
    assert there.shape == back.shape == picture.shape
    assert not np.array_equal(there, back)


def test_without_an_average_the_translator_is_the_generator(tiny, tmp_path):
    train(tiny("pix2pix", tmp_path, images=3, ema_images=0), quiet=True)
    state = load_file(tmp_path / "checkpoints" / "00000003" / "state.safetensors")
    for name, value in load_file(tmp_path / "translator" / "model.safetensors").items():
        assert torch.equal(value, state["method.g." + name.removeprefix("a2b.")]), name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_to_be_compiled_is(tiny, tmp_path, monkeypatch):
    """What looked at the networks before once kept torch.compile from ever compiling them."""
    from torch._dynamo.utils import counters

    compile_ = torch.nn.Module.compile
    # All of torch.compile but its last part, the C++ compiler, which takes half a minute.
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compile_(module, backend="aot_eager"))
    before = counters["frames"]["ok"]
    train(tiny("pix2pix", tmp_path, images=2, compile=True), quiet=True)
    assert counters["frames"]["ok"] > before
