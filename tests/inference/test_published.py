import io
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from viceversa.errors import CheckpointError, ConfigError
from viceversa.inference.folder import read_translator
from viceversa.inference.published import import_file, import_files, recognise
from viceversa.inference.translator import load
from viceversa.networks import GENERATORS, PatchGAN, PatchGANConfig, ResNetConfig, UNetConfig

from .published_code import made, theirs

State = dict[str, Tensor]


def ours(state: State) -> nn.Module:
    kind, config, renamed = recognise(state)
    network = (GENERATORS | {"patchgan": PatchGAN})[kind](config)
    network.load_state_dict(renamed, strict=True)
    return network.eval()


def assert_equal_but_for_rounding(one: nn.Module, other: nn.Module, *shape: int) -> None:
    """In double precision: what the order of sums makes of it is then far below what any mistake does."""
    x = torch.rand(shape, dtype=torch.float64) * 2 - 1
    with torch.inference_mode():
        assert torch.allclose(one.double()(x), other.double()(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("dropout", [True, False])
def test_resnets_of_every_make(norm: Any, dropout: bool) -> None:
    config = ResNetConfig(in_channels=1, out_channels=2, width=3, blocks=5, norm=norm, dropout=dropout)
    published = theirs(config)
    network = ours(published.state_dict())
    assert network.config == config
    assert_equal_but_for_rounding(network, published.model, 2, 1, 16, 24)


def published_unet(config: UNetConfig) -> State:
    """The names and shapes of a U-Net's weights in the published code."""
    state: State = {}
    widths = [config.width * min(2**level, 8) for level in range(config.levels)]
    last, bias = config.levels - 1, config.norm == "instance"

    def put(key: str, *shape: int, biased: int = 0) -> None:
        state[f"{key}.weight"] = torch.randn(shape)
        if biased:
            state[f"{key}.bias"] = torch.randn(biased)

    for level, c in enumerate(widths):
        inside = "model." + "model.1." * (level > 0) + "model.3." * (level - 1) + "model."
        c_in, c_out = (config.in_channels, config.out_channels) if level == 0 else (widths[level - 1],) * 2
        put(f"{inside}{0 if level == 0 else 1}", c, c_in, 4, 4, biased=c * bias)
        up = 3 if level in (0, last) else 5
        put(f"{inside}{up}", c if level == last else 2 * c, c_out, 4, 4, biased=c_out if level == 0 else c_out * bias)
        if config.norm == "batch" and level:
            places = [(up + 1, c_out)] if level == last else [(2, c), (up + 1, c_out)]
            for index, channels in places:
                layer = nn.BatchNorm2d(channels).state_dict()
                state |= {f"{inside}{index}.{key}": value for key, value in layer.items()}
    return state


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("levels", [5, 8])
def test_unets_of_every_make(norm: Any, levels: int) -> None:
    config = UNetConfig(in_channels=2, out_channels=1, width=2, levels=levels, norm=norm, dropout=norm == "batch")
    kind, found, state = recognise(published_unet(config))
    assert (kind, found) == ("unet", config)
    network = ours(published_unet(config))
    assert network(torch.zeros(1, 2, 2**levels, 2**levels)).shape == (1, 1, 2**levels, 2**levels)
    assert all(not value.any() for key, value in state.items() if norm == "none" and key == "down.0.bias")


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("layers", [0, 1, 4, 6])
def test_discriminators_of_every_make(norm: Any, layers: int) -> None:
    config = PatchGANConfig(in_channels=4, width=2, layers=layers, norm=norm)
    part = "net" if layers == 0 else "model"
    state = {key.replace("body", part): value for key, value in made(PatchGAN(config)).state_dict().items()}
    first = f"{part}.0.bias"
    convolutions = [key for key, value in state.items() if value.dim() == 4]
    for key in convolutions[1:-1] if layers else convolutions[1:]:
        bias = key.replace("weight", "bias")
        state.pop(bias, None)
        if norm == "instance":
            state[bias] = torch.randn(state[key].shape[0])
    assert first in state
    found = ours(state)
    assert found.config == config
    assert found(torch.zeros(1, 4, 256, 256)).shape[:2] == (1, 1)


def test_what_data_parallel_and_old_versions_add_is_dropped() -> None:
    config = ResNetConfig(width=3, blocks=2)
    published = theirs(config)
    state: State = {}
    for key, value in published.state_dict().items():
        state[f"module.{key}"] = value
    for norm in ("model.2", "model.5", "model.10.conv_block.2"):
        for name in ("running_mean", "running_var"):
            state[f"module.{norm}.{name}"] = torch.rand(3)
        state[f"module.{norm}.num_batches_tracked"] = torch.tensor(3)
    assert_equal_but_for_rounding(ours(state), published.model, 1, 3, 16, 16)


def test_batch_norm_that_did_not_count_yet() -> None:
    state = dict(theirs(ResNetConfig(width=3, blocks=1, norm="batch")).state_dict().items())
    older = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(older) < len(state)
    assert ours(older).config.norm == "batch"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("model.10.conv_block.1.weight"), "absent instead of"),
        (lambda s: s.update({"model.99.weight": torch.zeros(1, 1, 1, 1)}), "instead of absent"),
        (lambda s: s.update({"model.4.weight": torch.zeros(6, 3, 5, 5)}), r"\(6, 3, 5, 5\)"),
        (lambda s: s.update({"model.4.weight": torch.zeros(6, 3, 3, 3, dtype=torch.int64)}), "integers"),
        (lambda s: s.update({"model.1.weight": torch.zeros(())}), "not the weights"),
        (lambda s: s.clear(), "not the weights"),
        (lambda s: (s.clear(), s.update({"features.0.weight": torch.zeros(64, 3, 3, 3)})), "not the weights"),
        (lambda s: (s.clear(), s.update({"model.0.weight": torch.zeros(8, 3, 4, 4)})), "not the weights"),
        (lambda s: (s.clear(), s.update({"model.model.0.weight": torch.zeros(8, 3, 4, 4)})), "not the weights"),
    ],
)
def test_other_networks_are_refused(change: Callable[[State], Any], words: str) -> None:
    state = dict(theirs(ResNetConfig(width=3, blocks=1)).state_dict())
    change(state)
    with pytest.raises(CheckpointError, match=words):
        recognise(state)


def test_files_become_a_translator(tmp_path: Path) -> None:
    config = ResNetConfig(width=3, blocks=2)
    published = theirs(config)
    torch.save(published.state_dict(), tmp_path / "latest_net_G_A.pth")
    torch.save(published.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    import_files(
        {"a2b": tmp_path / "latest_net_G_A.pth", "b2a": str(tmp_path / "old.pth")},
        tmp_path / "both",
        domains={"a": "horse", "b": "zebra"},
    )
    translator = load(tmp_path / "both", device="cpu")
    assert (translator.directions, translator.domains["b"], translator.size_px) == (("a2b", "b2a"), "zebra", 256)
    x = torch.rand(1, 3, 16, 24) * 2 - 1
    with torch.inference_mode():
        expected = published.model(x)
    assert torch.allclose(translator(x, "zebra"), expected, atol=1e-5)
    assert torch.allclose(translator(x, "a"), expected, atol=1e-5)


def test_one_file_leads_one_way(tmp_path: Path) -> None:
    torch.save(published_unet(UNetConfig(width=2, levels=5)), tmp_path / "latest_net_G.pth")
    import_file(tmp_path / "latest_net_G.pth", tmp_path / "b")
    import_file(tmp_path / "latest_net_G.pth", tmp_path / "a", to="a", size_px=100)
    assert load(tmp_path / "b").directions == ("a2b",)
    assert load(tmp_path / "a").directions == ("b2a",)
    assert read_translator(tmp_path / "b" / "model.safetensors")[0].size_px == 32
    assert read_translator(tmp_path / "a" / "model.safetensors")[0].size_px == 100
    assert load(tmp_path / "b")(np.zeros((50, 70, 3), np.uint8)).shape == (50, 70, 3)
    with pytest.raises(ConfigError, match="already holds a translator"):
        import_file(tmp_path / "latest_net_G.pth", tmp_path / "b")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match=r"project holds a README\.md of other origin"):
        import_file(tmp_path / "latest_net_G.pth", tmp_path / "project")
    assert [path.read_text() for path in (tmp_path / "project").iterdir()] == ["mine"]
    with pytest.raises(ConfigError, match="a or b"):
        import_file(tmp_path / "latest_net_G.pth", tmp_path / "c", to="men")
    with pytest.raises(ConfigError, match="a2b and b2a"):
        import_files({"a2c": tmp_path / "latest_net_G.pth"}, tmp_path / "c")


class Malicious:
    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.victim),)


def write_malicious(path: Path) -> None:
    torch.save({"model.1.weight": Malicious(path.parent / "executed")}, path)


def write_malicious_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Malicious(path.parent / "executed")))


def write_expanded(path: Path) -> None:
    state = dict(theirs(ResNetConfig(width=3, blocks=1)).state_dict())
    state["model.1.weight"] = torch.zeros(1).expand(10**6, 3, 7, 7)
    torch.save(state, path)


def write_cut(path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(theirs(ResNetConfig(width=3, blocks=1)).state_dict(), buffer)
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_malicious, "no file of PyTorch weights"),
        (write_malicious_pickle, "no file of PyTorch weights"),
        (write_cut, "cut short"),
        (write_zip, "no file of PyTorch weights"),
        (write_expanded, "more numbers than it holds"),
        (lambda path: path.write_bytes(b""), "no file of PyTorch weights"),
        (lambda path: path.write_text("hello"), "no file of PyTorch weights"),
        (lambda path: path.mkdir(), "is a folder|no file of PyTorch weights"),
        (lambda path: None, "There is no file"),
        (lambda path: torch.save([1, 2], path), "no weights by name"),
        (lambda path: torch.save({"epoch": 3}, path), "no weights by name"),
        (lambda path: torch.save({"x": torch.zeros(1, device="meta")}, path), "no weights by name"),
        (lambda path: torch.save({"x": torch.eye(3).to_sparse()}, path), "no weights by name|no file of"),
        (lambda path: torch.save({"x": torch.zeros(1)}, path), "not the weights of a published"),
        (
            lambda path: torch.save(
                {
                    key.replace("body", "model"): v
                    for key, v in PatchGAN(PatchGANConfig(norm="batch")).state_dict().items()
                },
                path,
            ),
            "is a discriminator",
        ),
    ],
)
def test_what_is_no_such_file_ends_in_one_sentence(tmp_path: Path, write: Callable[[Path], Any], words: str) -> None:
    path = tmp_path / "net.pth"
    write(path)
    with pytest.raises(CheckpointError, match=words) as caught:
        import_file(path, tmp_path / "out")
    assert str(path) in str(caught.value)
    assert len(re.findall(r"[.!?](\s|$)", str(caught.value))) == 1
    assert not (tmp_path / "executed").exists()
    assert not (tmp_path / "out").exists()
