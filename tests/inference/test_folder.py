import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from viceversa import networks
from viceversa.errors import CheckpointError, ConfigError
from viceversa.inference.sampler import Sampler, load_sampler
from viceversa.inference.sampler import load as load_either
from viceversa.inference.translator import Translator, load, save_translator

DOMAINS = {"a": "women", "b": "men"}
Make = Callable[..., nn.Module]


def test_round_trip_is_equal_to_the_bit(folder: Path, resnet: Make) -> None:
    translator = load(folder, device="cpu")
    assert (translator.directions, translator.domains, translator.size_px) == (("a2b", "b2a"), DOMAINS, 64)
    saved = load_file(folder / "model.safetensors")
    for direction, network in translator.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, saved[f"{direction}.{key}"])
    for key, value in resnet(1).state_dict().items():
        assert torch.equal(value, saved[f"a2b.{key}"])
    picture = np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    assert np.array_equal(translator(picture), Translator({"a2b": resnet(1)}, domains=DOMAINS, size_px=64)(picture))
    assert any(key.endswith("num_batches_tracked") and value == 7 for key, value in saved.items())


def test_what_the_folder_holds(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["format"] == "viceversa-translator"
    assert (config["version"], config["method"], config["images"], config["size_px"]) == (1, "cyclegan", 12000, 64)
    assert config["domains"] == DOMAINS
    assert config["directions"]["a2b"]["network"] == "resnet"
    assert config["directions"]["b2a"]["levels"] == 5
    with safe_open(folder / "model.safetensors", "pt") as opened:
        assert opened.metadata()["config"] == (folder / "config.json").read_text()
    assert "women → men and men → women" in (folder / "README.md").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_a_dropout_rate_is_kept_and_one_that_an_old_folder_does_not_name_is_a_half(tmp_path: Path, unet: Make) -> None:
    network = unet(levels=6, dropout=True, dropout_rate=0.25)
    save_translator(tmp_path / "x", {"a2b": network}, method="m", domains=DOMAINS, size_px=64, images=1)

    def rates(folder: Path) -> set[float]:
        return {part.p for part in load(folder).networks["a2b"].modules() if isinstance(part, nn.Dropout)}

    assert rates(tmp_path / "x") == {0.25}
    save_translator(tmp_path / "y", {"a2b": unet()}, method="m", domains=DOMAINS, size_px=64, images=1)
    assert "dropout_rate" not in (tmp_path / "y" / "config.json").read_text(), "programs of before can read it"
    assert rates(changed(tmp_path / "x", lambda config, _: config["directions"]["a2b"].pop("dropout_rate"))) == {0.5}


@pytest.mark.parametrize(
    ("rate", "words"), [(1, "has no dropout_rate = 1"), (1.5, "above 0 and below 1"), (float("nan"), "above 0")]
)
def test_a_dropout_rate_that_cannot_be_is_refused(tmp_path: Path, unet: Make, rate: Any, words: str) -> None:
    save_translator(tmp_path / "x", {"a2b": unet()}, method="m", domains=DOMAINS, size_px=64, images=1)
    with pytest.raises(CheckpointError, match=words):
        load(changed(tmp_path / "x", lambda config, _: config["directions"]["a2b"].update(dropout_rate=rate)))


def test_a_run_folder_leads_to_its_translator(folder: Path) -> None:
    assert load(folder.parent).directions == load(folder / "model.safetensors").directions == ("a2b", "b2a")


def test_saving_leaves_the_network_alone(tmp_path: Path, resnet: Make) -> None:
    network = resnet().train().to(memory_format=torch.channels_last)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for images_seen in (1, 2):
        save_translator(tmp_path, {"a2b": network}, method="m", domains=DOMAINS, size_px=8, images=images_seen)
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert json.loads((tmp_path / "config.json").read_text())["images"] == 2


def test_a_reader_never_sees_a_mixture(tmp_path: Path, resnet: Make) -> None:
    """Two translators of unlike sizes are written in turn while another thread reads: each is always whole."""
    networks = [resnet(1), resnet(2, norm="batch", out_channels=1)]
    shades = {3: networks[0], 1: networks[1]}

    def write(turn: int) -> None:
        save_translator(
            tmp_path, {"a2b": networks[turn % 2]}, method="m", domains=DOMAINS, size_px=8 + turn % 2, images=turn
        )

    write(0)
    stop = threading.Event()

    def write_on() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            write(turn)

    thread = threading.Thread(target=write_on)
    thread.start()
    seen: set[int] = set()
    try:
        for _ in range(40):
            translator = load(tmp_path, device="cpu")
            network: Any = translator.networks["a2b"]
            channels = network.config.out_channels
            seen.add(channels)
            assert translator.size_px == (8 if channels == 3 else 9)
            for key, value in shades[channels].state_dict().items():
                assert torch.equal(network.state_dict()[key], value)
    finally:
        stop.set()
        thread.join()
    assert seen == {1, 3}


def test_a_folder_without_translator_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="holds no translator"):
        load(tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(CheckpointError, match="no translator yet"):
        load(tmp_path)
    (tmp_path / "net_G.pth").touch()
    with pytest.raises(CheckpointError, match="viceversa import"):
        load(tmp_path / "net_G.pth")
    with pytest.raises(CheckpointError, match="could not be written"):
        save_translator(tmp_path / "net_G.pth", {}, method="m", domains=DOMAINS, size_px=8, images=1)


def test_a_run_of_train_vgg_is_no_translator(small_vgg: Path, tmp_path: Path) -> None:
    shutil.copy(small_vgg, tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    for opening in (load, load_either, load_sampler):
        with pytest.raises(CheckpointError, match=r"run of train vgg, a classifier .* train cartoongan --vgg"):
            opening(tmp_path)


def test_an_engine_is_for_onnx_files_alone(folder: Path) -> None:
    for opening in (load, load_either):
        with pytest.raises(ConfigError, match=r"--engine openvino is for \.onnx files.*viceversa export"):
            opening(folder, engine="openvino")


@pytest.mark.parametrize("keep", [0, 4, 50, 0.5, -1])
def test_a_cut_file_is_refused(folder: Path, keep: float) -> None:
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        load(folder)


def changed(folder: Path, change: Callable[[dict[str, Any], dict[str, Tensor]], None]) -> Path:
    """The folder with another config or other weights."""
    file = folder / "model.safetensors"
    with safe_open(file, "pt") as opened:
        config = json.loads(opened.metadata()["config"])
    tensors = load_file(file)
    change(config, tensors)
    save_file(tensors, file, {"config": json.dumps(config)})
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, t: t.pop("a2b.encoder.1.weight"), "a2b.encoder.1.weight should be .* is absent"),
        (lambda c, t: t.update(extra=torch.zeros(1)), "extra should be absent"),
        (lambda c, t: t.update({"a2b.encoder.1.weight": torch.zeros(4, 3, 7, 5)}), r"\(4, 3, 7, 7\) and is \(4, 3, 7"),
        (lambda c, t: c.update(version=2), "newer viceversa .* upgrade"),
        (lambda c, t: c.update(version=True), "version must be a int"),
        (lambda c, t: c.update(format="other"), "no translator of viceversa"),
        (lambda c, t: c.update(size_px="64"), "size_px must be"),
        (lambda c, t: c.update(domains={"a": 1, "b": 2}), "domains must name"),
        (lambda c, t: c.update(directions={}), "directions must be"),
        (lambda c, t: c["directions"].update(c2d=c["directions"]["a2b"]), "c2d"),
        (lambda c, t: c["directions"].update(a2b="resnet"), "no network None"),
        (lambda c, t: c["directions"]["a2b"].update(network="vit"), "no network 'vit'"),
        (lambda c, t: c["directions"]["a2b"].update(network=["resnet"]), "no network"),
        (lambda c, t: c["directions"]["a2b"].update(depth=3), "no depth = 3"),
        (lambda c, t: c["directions"]["a2b"].update(width="4"), "no width = '4'"),
        (lambda c, t: c["directions"]["a2b"].update(width=True), "no width = True"),
        (lambda c, t: c["directions"]["a2b"].update(width=0), "at least 1 channel"),
        (lambda c, t: c["directions"]["a2b"].update(norm="layer"), "no norm = 'layer'"),
        (lambda c, t: c["directions"]["a2b"].update(norm=["batch"]), "no norm"),
        (lambda c, t: c["directions"]["a2b"].update(width=10**9), "does not hold the weights"),
        (lambda c, t: c["directions"]["a2b"].update(width=10**30), "does not hold the weights"),
        (lambda c, t: c["directions"]["a2b"].update(blocks=10**9), "does not hold the weights"),
        (lambda c, t: c["directions"]["b2a"].update(levels=10**9), "2 to 12 levels"),
        (lambda c, t: c["directions"]["b2a"].update(levels=6), "does not hold the weights"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(folder: Path, change: Any, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load(changed(folder, change))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100000, '"x"', "NaN"])
def test_what_is_no_config_is_refused(folder: Path, text: str) -> None:
    (folder / "model.safetensors").write_bytes(save({"x": torch.zeros(1)}, {"config": text}))
    with pytest.raises(CheckpointError, match="no translator of viceversa"):
        load(folder)


def test_safetensors_of_others_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(save({"x": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match="no translator of viceversa"):
        load(folder)


def test_a_field_that_an_older_version_did_not_write_takes_its_default(folder: Path) -> None:
    translator = load(changed(folder, lambda config, _: config["directions"]["a2b"].pop("upsample")))
    network: Any = translator.networks["a2b"]
    assert network.config.upsample == "transposed"


@pytest.fixture
def from_noise_folder(tmp_path: Path, from_noise: Make) -> Path:
    network = from_noise("dcgan", classes=2, codes=1)
    save_translator(
        tmp_path / "z", {"z2a": network}, method="cgan", domains={"a": "pets"}, size_px=16, images=9,
        classes=["cat", "dog"],
    )  # fmt: skip
    return tmp_path / "z"


@pytest.mark.parametrize(("kind", "settings"), [("dcgan", {"hidden": 8, "norm": "instance"}), ("mlp", {"layers": 3})])
def test_a_generator_from_noise_comes_back_to_the_bit(
    tmp_path: Path, from_noise: Make, kind: str, settings: dict[str, Any]
) -> None:
    network = from_noise(kind, prior="uniform", **settings)
    save_translator(tmp_path, {"z2a": network}, method="gan", domains={"a": "x"}, size_px=16, images=9)
    assert "classes" not in json.loads((tmp_path / "config.json").read_text())
    sampler = load_sampler(tmp_path, device="cpu")
    assert sampler.space == network.config
    for key, value in sampler.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[key])
    assert torch.equal(sampler.tensor(3), Sampler(network).tensor(3))


def z2a(**changes: Any) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    return lambda config, _: config["directions"]["z2a"].update(changes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (z2a(latent=10**9), "does not hold the weights"),
        (z2a(latent=7), "does not hold the weights"),
        (z2a(classes=10**30), "does not hold the weights|must name"),
        (z2a(codes=10**12), "does not hold the weights"),
        (z2a(hidden=10**9), "does not hold the weights"),
        (z2a(width=10**9), "does not hold the weights"),
        (z2a(out_channels=10**9), "does not hold the weights"),
        (z2a(size_px=10**9), "take 16 to 128 px"),
        (z2a(size_px=32), "does not hold the weights"),
        (z2a(latent=0), "at least 1 noise dimension"),
        (z2a(latent=6.0), "no latent = 6.0"),
        (z2a(prior="cauchy"), "no prior = 'cauchy'"),
        (z2a(network="resnet"), "no network 'resnet' .*only dcgan, mlp"),
        (z2a(network="mlp"), "no norm = 'batch'"),
        (lambda c, t: c.update(classes=["cat"]), "classes must name the 2 classes .* got \\['cat'\\]"),
        (lambda c, t: c.update(classes=["cat", 2]), "classes must name"),
        (lambda c, t: c.update(classes="ab"), "classes must name"),
        (lambda c, t: c.update(classes={"0": "cat", "1": "dog"}), "classes must name"),
        (lambda c, t: c.update(domains={"a": "pets", "b": "noise"}), "domains must name a; got"),
        (lambda c, t: c.update(domains={}), "domains must name a; got"),
        (lambda c, t: c["directions"].update(a2b=c["directions"]["z2a"]), "a2b, b2a or both, or z2a alone; got"),
        (lambda c, t: c.update(directions={"a2b": c["directions"]["z2a"]}, domains=DOMAINS), "no network 'dcgan'"),
    ],
)
def test_a_config_of_noise_that_does_not_fit_is_refused(from_noise_folder: Path, change: Any, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_sampler(changed(from_noise_folder, change))


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 10**6},
        {"size_px": 10**6, "out_channels": 10**6, "width": 10**6, "latent": 10**6},
        {"size_px": 10**6},
    ],
)
def test_sizes_that_the_file_cannot_hold_end_before_a_network_is_made(tmp_path: Path, settings: Any) -> None:
    """Though a tensor has so large a side: sizes are multiplied, and layers counted."""
    network = {"network": "mlp", "width": 4, "latent": 6, "out_channels": 1, "size_px": 16, "layers": 1, **settings}
    config = {
        "format": "viceversa-translator", "version": 1, "method": "gan", "domains": {"a": "x"}, "size_px": 16,
        "images": 1, "directions": {"z2a": network},
    }  # fmt: skip
    save_file({"z2a.x": torch.zeros(10**6)}, tmp_path / "model.safetensors", {"config": json.dumps(config)})
    with pytest.raises(CheckpointError, match="does not hold the weights"):
        load_sampler(tmp_path)


def test_folders_of_translators_do_not_speak_of_classes(folder: Path) -> None:
    assert "classes" not in json.loads((folder / "config.json").read_text())
    load(changed(folder, lambda config, _: config.update(classes=[])))
    with pytest.raises(CheckpointError, match="classes must name the 0 classes"):
        load(changed(folder, lambda config, _: config.update(classes=["cat"])))


def test_names_that_are_too_many_are_not_saved(tmp_path: Path, from_noise: Make, resnet: Make) -> None:
    about: Any = {"method": "m", "size_px": 16, "images": 1, "classes": ["cat", "dog"]}
    with pytest.raises(ConfigError, match="takes 0 classes; got names for 2: cat, dog"):
        save_translator(tmp_path / "z", {"z2a": from_noise()}, domains={"a": "x"}, **about)
    with pytest.raises(ConfigError, match="takes 0 classes"):
        save_translator(tmp_path / "z", {"a2b": resnet()}, domains=DOMAINS, **about)
    assert not (tmp_path / "z").exists()


@dataclass(frozen=True, kw_only=True)
class _TokensConfig:
    """Settings such as the next architectures have."""

    in_channels: int = 3
    out_channels: int = 3
    image_size: int = 256
    timesteps: int = 1000
    patch: tuple[int, int] = (2, 2)
    widths: tuple[int, ...] = ()
    heads: int | None = None
    mode: Literal["sum", 3] | None = "sum"
    scale: float = 0.5


class _Tokens(nn.Module):
    """Picks up what its settings say, with fewer weights than the numbers in them."""

    Config = _TokensConfig

    def __init__(self, config: _TokensConfig):
        super().__init__()
        self.config, self.multiple = config, config.patch[0]
        self.mix = nn.utils.parametrizations.weight_norm(nn.Conv2d(config.in_channels, config.out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x)


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> type[_Tokens]:
    monkeypatch.setitem(networks.GENERATORS, "tokens", _Tokens)
    return _Tokens


@pytest.mark.parametrize(
    "settings", [{}, {"patch": (4, 2), "widths": (8, 16, 32), "heads": 4, "mode": 3}, {"mode": None}]
)
def test_settings_may_be_larger_than_any_weight_and_of_any_type_of_json(
    tmp_path: Path, tokens: type[_Tokens], settings: Any
) -> None:
    network = tokens(_TokensConfig(**settings))
    save_translator(tmp_path, {"a2b": network}, method="x", domains=DOMAINS, size_px=16, images=1)
    loaded = load(tmp_path, device="cpu").networks["a2b"]
    assert loaded.config == network.config
    assert torch.equal(loaded.state_dict()["mix.bias"], network.state_dict()["mix.bias"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch": [2]}, {"patch": [2, "2"]}, {"patch": 2}, {"widths": [1.0]}, {"heads": 2.0}, {"heads": True},
        {"mode": "3"}, {"mode": 3.0}, {"mode": []}, {"scale": None}, {"image_size": None},
    ],
)  # fmt: skip
def test_settings_of_another_type_are_refused(tmp_path: Path, tokens: type[_Tokens], wrong: Any) -> None:
    save_translator(tmp_path, {"a2b": tokens(_TokensConfig())}, method="x", domains=DOMAINS, size_px=16, images=1)
    with pytest.raises(CheckpointError, match=f"a tokens network has no {next(iter(wrong))} = "):
        load(changed(tmp_path, lambda config, _: config["directions"]["a2b"].update(wrong)))


@pytest.mark.parametrize("length", [2**30, 2**62])
def test_a_header_that_is_far_too_long_is_not_read(folder: Path, tmp_path: Path, length: int) -> None:
    place = shutil.copytree(folder, tmp_path / "x")
    (place / "model.safetensors").write_bytes(length.to_bytes(8, "little") + b"{" * 1000)
    with pytest.raises(CheckpointError, match=rf"is damaged or cut short \(its header would take {length:,} bytes\)"):
        load(place)
