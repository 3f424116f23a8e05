"""The config as JSON, as flat names, and as what a run may go on with."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from viceversa import configure, methods
from viceversa.config import TrainConfig, difference, from_json, read_config, to_json
from viceversa.data.sources import UnpairedData
from viceversa.errors import ConfigError

OUT = Path("runs/x")


def tree(method: str = "cyclegan") -> dict:
    return json.loads(to_json(configure(method, out=OUT, a="women", b="men")))


def read(changed: dict) -> TrainConfig:
    return from_json(json.dumps(changed), OUT, source="runs/x/config.json")


@pytest.mark.parametrize("name", methods.METHODS)
def test_round_trip_of_every_method(name):
    config = TrainConfig(method=methods.find(name).Config(), out=OUT)
    assert from_json(to_json(config), OUT) == config
    changed = dataclasses.replace(config, seed=7, precision="32-true", log_every=3, ema_images=12.5)
    assert from_json(to_json(changed), OUT) == changed
    assert from_json(to_json(changed), OUT) != config


def test_paths_and_names_outlast_the_round_trip():
    config = configure("cyclegan", out=OUT, a=Path("bilder/Männer"), b="b c", load_size_px=300, objective="wgan-gp")
    again = from_json(to_json(config), OUT)
    assert again == config
    assert again.method.data.a == Path("bilder/Männer")
    assert "Männer" in to_json(config)


def test_the_runs_own_folder_is_not_written_so_that_it_can_be_moved():
    assert "out" not in tree()
    assert from_json(to_json(configure("cyclegan", out=OUT)), Path("elsewhere")).out == Path("elsewhere")


def test_a_setting_that_is_left_out_has_its_default():
    changed = tree()
    del changed["seed"], changed["method"]["schedule"]["batch"], changed["method"]["networks"]
    assert read(changed) == configure("cyclegan", out=OUT, a="women", b="men")


@pytest.mark.parametrize(
    ("place", "key", "hint"),
    [
        ((), "sede", "Perhaps you meant 'seed'"),
        (("method",), "lambda_cycl", "Perhaps you meant 'lambda_cycle'"),
        (("method", "schedule"), "bach", "Perhaps you meant 'batch'"),
        (("method", "data"), "sise_px", "Perhaps you meant 'size_px'"),
        ((), "zzz", "Take it out"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_there_is(place, key, hint):
    changed = inner = tree()
    for part in place:
        inner = inner[part]
    inner[key] = 1
    with pytest.raises(ConfigError) as caught:
        read(changed)
    assert "runs/x/config.json" in str(caught.value)
    assert f"unknown key {key!r}" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("method", "schedule", "batch"), "4", "method.schedule.batch: '4' is no whole number"),
        (("method", "schedule", "batch"), 1.5, "method.schedule.batch: 1.5 is no whole number"),
        (("method", "schedule", "batch"), True, "method.schedule.batch: True is no whole number"),
        (("method", "lambda_cycle"), "10", "method.lambda_cycle: '10' is no number"),
        (("method", "lambda_cycle"), None, "method.lambda_cycle: None is no number"),
        (("method", "data", "mirror"), 1, "method.data.mirror: 1 is no true or false"),
        (("method", "data", "a"), 4, "method.data.a: 4 is no path"),
        (("method", "data", "bits"), 12, "method.data.bits: 12 is none of 8, 16"),
        (("method", "data", "channels_a"), True, "method.data.channels_a: True is no whole number"),
        (
            ("method", "adversarial", "objective"),
            "wgangp",
            "is none of lsgan, bce, hinge, relativistic, minimax, wgan-gp",
        ),
        (("method", "data"), "women", "method.data: it is no object of settings"),
        (("precision",), "16", "precision: '16' is none of auto, 32-true, bf16-mixed, 64-true"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(place, value, words):
    changed = inner = tree()
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    with pytest.raises(ConfigError) as caught:
        read(changed)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_whole_number_is_a_number():
    changed = tree()
    changed["method"]["lambda_cycle"] = 10
    assert read(changed).method.lambda_cycle == 10.0


def test_a_value_out_of_range_is_refused_in_a_file_too():
    changed = tree()
    changed["method"]["schedule"]["batch"] = 0
    with pytest.raises(ConfigError, match="--batch must be at least 1; got 0"):
        read(changed)


@pytest.mark.parametrize("name", methods.METHODS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_of_any_method_may_be_infinite_or_none(name, value):
    """Each is refused by a sentence with its flag, from Python and from a file."""
    defaults = TrainConfig(method=methods.find(name).Config(), out=OUT)
    numbers = [key for key, _, kind in settings_of(defaults) if kind is float]
    assert {"learning_rate", "checkpoint_minutes", "epochs"} <= set(numbers)
    for key in numbers:
        with pytest.raises(ConfigError, match=rf"--{key.replace('_', '-')}\b.*; got .*{value}"):
            configure(name, out=OUT, **{key: value})


@pytest.mark.parametrize("name", methods.METHODS)
def test_no_weights_can_be_drawn_with_a_negative_deviation(name):
    with pytest.raises(ConfigError, match=r"--init-gain must not be negative; got -1\.0"):
        configure(name, out=OUT, init_gain=-1.0)
    assert configure(name, out=OUT, init_gain=0.0)


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_bytes(b'{"format": "\xff"}')
    with pytest.raises(ConfigError, match=r"config\.json is no training config: it is no text in UTF-8\."):
        read_config(tmp_path / "config.json", tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"folder cannot be read \("):
        read_config(tmp_path / "folder", tmp_path)


@pytest.mark.parametrize("key", ["format", "method"])
def test_a_missing_key_is_named(key):
    changed = tree()
    del changed[key]
    with pytest.raises(ConfigError, match=rf"runs/x/config\.json is no training config: lacks '{key}'"):
        read(changed)


def test_a_file_of_a_newer_version_is_refused_as_such():
    with pytest.raises(ConfigError, match=r"runs/x/config\.json was written by another version"):
        read(tree() | {"format": 2})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"cyclegan"', '{"format": 1}', "\x00"])
def test_anything_else_is_no_config(text):
    with pytest.raises(ConfigError, match=r"^config\.json is no training config: .+\.$"):
        from_json(text, OUT)


def test_an_unknown_method_is_refused_with_the_nearest():
    changed = tree()
    changed["method"]["name"] = "cyclgan"
    with pytest.raises(ConfigError, match=r"no method 'cyclgan'.*Perhaps you meant cyclegan"):
        read(changed)


def test_difference_names_what_changed_from_what_to_what():
    old = configure("cyclegan", out=OUT, name_a="women", name_b="men")
    new = configure(
        "cyclegan", out=OUT, name_a="women", name_b="my men", batch=4, lambda_cycle=5.0, size_px=64, blocks=3
    )
    found = difference(old, new)
    assert set(found) == {
        "--name-b men, now 'my men'", "--batch 1, now 4", "--lambda-cycle 10.0, now 5.0", "--size 256, now 64",
        "--blocks left out, now 3",
    }  # fmt: skip
    assert difference(old, old) == []


def test_switches_are_named_as_they_are_typed():
    old, new = configure("pix2pix", out=OUT, name_a="x"), configure("pix2pix", out=OUT, name_b="y", mirror=False)
    assert difference(old, new) == ["--name-a x, now left out", "--name-b left out, now y", "--mirror, now --no-mirror"]


def test_another_method_is_a_difference():
    found = difference(configure("cyclegan", out=OUT), configure("pix2pix", out=OUT))
    assert found == ["method cyclegan, now pix2pix"]


def test_what_does_not_touch_the_result_may_differ():
    old = configure("cyclegan", out=OUT)
    new = configure("cyclegan", out="b", keep=9, checkpoint_minutes=1, device="cpu", compile=True, cache="elsewhere")
    assert difference(old, new) == []
    moved = configure("cyclegan", out=OUT, a="women", b="men")
    assert difference(moved, configure("cyclegan", out=OUT, root="pictures")) == [], "see guards.check_pictures"
    assert difference(old, configure("cyclegan", out=OUT, images=5, epochs=7)) == [], "see guards.check_length"


def test_configure_finds_flat_names_wherever_they_belong():
    config = configure("pix2pix", out="runs/x", a="in", b="out", size_px=128, batch=4, objective="hinge", seed=3)
    assert config.out == OUT
    assert config.seed == 3
    assert config.method.data.a == Path("in")
    assert config.method.data.size_px == 128
    assert config.method.schedule.batch == 4
    assert config.method.adversarial.objective == "hinge"
    assert config.method.networks.generator == "unet"


@pytest.mark.parametrize("written", ["256x512", (256, 512), [256, 512]])
def test_a_size_is_one_number_or_height_and_width(written):
    config = configure("cyclegan", out=OUT, size_px=written, load_size_px=(300, 600))
    assert config.method.data.size_px == UnpairedData(size_px=written).size_px == (256, 512)
    assert UnpairedData(size_px=written).load_px == (286, 572)
    assert json.loads(to_json(config))["method"]["data"]["size_px"] == [256, 512]
    assert from_json(to_json(config), OUT) == config
    square = configure("cyclegan", out=OUT, size_px="64x64")
    assert square == configure("cyclegan", out=OUT, size_px=64)
    assert json.loads(to_json(square))["method"]["data"]["size_px"] == 64, "as it always was"
    assert difference(square, configure("cyclegan", out=OUT, size_px=written)) == ["--size 64, now 256x512"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bach": 4}, "cyclegan has no setting 'bach'. Perhaps you meant 'batch'"),
        ({"lambda_l1": 4}, "cyclegan has no setting 'lambda_l1'"),
        ({"name": "pix2pix"}, "cyclegan has no setting 'name'"),
        ({"batch": 0}, "--batch must be at least 1; got 0"),
        ({"batch": "4"}, "schedule.batch: '4' is no whole number"),
        ({"objective": "wgangp"}, "objective: 'wgangp' is none of lsgan, bce, hinge, relativistic, minimax, wgan-gp"),
        ({"generator_options": ("depth",)}, "--generator-options takes NAME=VALUE; got depth"),
        ({"epochs": 0}, "--epochs must be above 0"),
        ({"images": 0}, "--images must be at least 1"),
        ({"learning_rate": -0.1}, "--learning-rate must not be negative; got -0.1"),
        ({"patience": 3}, "--patience counts evaluations: say with --evaluate-every how often there is one."),
        ({"patience": 0, "evaluate_every": 5}, "--patience must be at least 1; got 0"),
        ({"constant": 1.5}, "--constant is a share of the run, 0 to 1; got 1.5"),
        ({"keep": 0}, "--keep must be at least 1; got 0"),
        ({"checkpoint_minutes": -1}, "--checkpoint-minutes must not be negative; got -1"),
        ({"lambda_cycle": -1.0}, "--lambda-cycle must not be negative"),
        ({"channels_a": 1}, "The identity loss needs equal channels on both sides; got 1 and 3"),
        ({"size_px": 64, "load_size_px": 32}, "--load-size 32 is smaller than --size 64"),
        ({"size_px": (64, 96), "load_size_px": 80}, "--load-size 80 is smaller than --size 64x96, which is cut out"),
        ({"size_px": "64"}, "size_px: '64' is no whole number, and no height and width such as [256, 512]"),
        ({"size_px": "64 by 96"}, "size_px: '64 by 96' is no size; write 256 for a square, or 256x512 for height x"),
        ({"size_px": (64, 96, 3)}, "size_px: [64, 96, 3] is no whole number, and no height and width"),
        ({"size_px": (64, 0)}, "--size must be at least 1 pixel, not 64x0"),
        ({"size_px": None}, "size_px: None is no whole number"),
        ({"root": "x", "a": "y"}, "--data and --a or --b were given"),
    ],
)
def test_configure_refuses_what_cannot_be(settings, words):
    with pytest.raises(ConfigError) as caught:
        configure("cyclegan", out=OUT, **settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_configure_refuses_a_method_that_there_is_not():
    with pytest.raises(ConfigError, match=r"There is no method 'pix2pixx'; there are .*Perhaps you meant pix2pix\."):
        configure("pix2pixx", out=OUT)


def test_configs_are_frozen():
    config = configure("cyclegan", out=OUT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # pyright: ignore[reportAttributeAccessIssue]


def settings_of(config: type | object, where: str = "TrainConfig"):
    for part in dataclasses.fields(config):  # pyright: ignore[reportArgumentType]
        inner = getattr(config, part.name)
        if dataclasses.is_dataclass(inner):
            yield from settings_of(inner, f"{where}.{part.name}")
        else:
            yield part.name, where, part.type


@pytest.mark.parametrize("name", methods.METHODS)
def test_no_two_settings_of_a_method_have_one_name(name):
    """The command line and ``configure`` know settings by their last name alone."""
    found = [key for key, *_ in settings_of(TrainConfig(method=methods.find(name).Config(), out=OUT))]
    assert len(found) == len(set(found))


def test_a_config_that_is_none_costs_no_memory(tmp_path: Path):
    for text, words in (("[" * 100_000, "is no training config"), (" " * 2**21, "it is larger than 1,048,576 bytes")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_config(tmp_path / "config.json", OUT)
