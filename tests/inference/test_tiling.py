"""Tiles give what the whole gives: on every network, at every size, with statistics of the whole image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.errors import ConfigError, DataError, PictureError
from viceversa.inference import memory, tiling
from viceversa.inference.maps import Given, Window, bytes_whole
from viceversa.inference.published import read_state, recognise
from viceversa.inference.tiling import translate_windows
from viceversa.inference.tracing import trace
from viceversa.inference.translator import Translator, load, save_translator
from viceversa.networks import GENERATORS, ResNetConfig
from viceversa.testing.networks import small

DOMAINS = {"a": "women", "b": "men"}
Make = Callable[..., nn.Module]


def one_way(network: nn.Module) -> Translator:
    return Translator({"a2b": network}, domains=DOMAINS, size_px=64)


def smooth(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    coarse = torch.rand(1, channels, 5, 5, generator=torch.Generator().manual_seed(seed))
    picture = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return picture[0].permute(1, 2, 0).mul(255).round().byte().numpy()


class Plain(nn.Module):
    """A network of the operations that it is given."""

    multiple = 1

    def __init__(self, *layers: nn.Module | Callable[[Tensor], Tensor], takes: int = 3, gives: int = 3):
        super().__init__()
        self.config = ResNetConfig(in_channels=takes, out_channels=gives)
        self.layers = layers
        self.held = nn.ModuleList(layer for layer in layers if isinstance(layer, nn.Module))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def tiled(network: nn.Module, x: Tensor, tile_px: int, **options: Any) -> Tensor:
    answer = torch.full((1, network.config.out_channels, *x.shape[2:]), torch.nan)

    def read(window: Window) -> Tensor:
        return x[:, :, window.top : window.bottom, window.left : window.right].clone()

    for window, part in translate_windows(network, read, tuple(x.shape[1:]), tile_px=tile_px, **options):
        answer[:, :, window.top : window.bottom, window.left : window.right] = part
    return answer


@pytest.mark.parametrize("size", [(200, 264), (67, 301), (130, 64), (64, 3), (1, 1)])
@pytest.mark.parametrize(
    "kind",
    [
        "resnet",
        "resnet-resize",
        "resnet-batch",
        "resnet-attention",
        "unet",
        "unet-deep",
        "unet-batch",
        "unet-2",
        "compact",
        "compact-instance",
        "compact-attention",
    ],
)
def test_every_network_at_every_size(kind: str, size: tuple[int, int], resnet: Make, unet: Make) -> None:
    network = {
        "resnet": lambda: resnet(),
        "resnet-resize": lambda: resnet(upsample="resize", in_channels=1, out_channels=3),
        "resnet-batch": lambda: resnet(norm="batch"),
        "resnet-attention": lambda: resnet(attention=True),
        "compact": lambda: small(GENERATORS["compact"], width=32, norm="group").eval(),
        "compact-instance": lambda: small(GENERATORS["compact"], norm="instance").eval(),
        "compact-attention": lambda: small(GENERATORS["compact"], attention=True, norm="group").eval(),
        "unet": lambda: unet(levels=4),
        "unet-deep": lambda: unet(levels=7),
        "unet-batch": lambda: unet(norm="batch"),
        "unet-2": lambda: unet(levels=2, norm="none"),
    }[kind]()
    translator, picture = one_way(network), smooth(*size)
    whole, parts = translator(picture, tile=0), translator(picture, tile=64)
    if size == (1, 1):  # a flat image has no variance: what comes out of normalisation is rounding noise, magnified
        assert parts.shape == whole.shape
        return
    distance = np.abs(whole.astype(int) - parts)
    assert (distance > 1).mean() <= 0.001
    assert distance.max() <= 4
    assert (distance > 0).mean() <= 0.1


@pytest.mark.parametrize(
    "name", ["resnet_9blocks_instance", "resnet_6blocks_batch", "unet_128_instance", "unet_256_batch"]
)
def test_published_networks(name: str, shared_parity: Path, shared_data: Path) -> None:
    kind, config, state = recognise(read_state(shared_parity / "networks" / f"{name}.pth"))
    network = GENERATORS[kind](config)
    network.load_state_dict(state)
    x = torch.from_numpy(smooth(256, 256, config.in_channels)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        whole = network.eval()(x)
    # Some of these answer with very small numbers only, so a grey level alone would say little of them.
    assert (tiled(network, x, 128) - whole).abs().max() <= 0.01 * whole.abs().max()


def test_statistics_of_each_tile_alone_would_show(resnet: Make) -> None:
    """What the tests here would see if statistics were not shared."""
    translator, picture = one_way(resnet()), smooth(128, 128)
    apart = np.concatenate([translator(picture[:, :64]), translator(picture[:, 64:])], axis=1)
    assert np.abs(apart.astype(int) - translator(picture, tile=64)).max() > 20


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.Conv2d(3, 3, 3, padding=2, dilation=2),
        lambda: nn.Conv2d(3, 3, 5, stride=3, padding=1),
        lambda: nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False),
        lambda: nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1),
        lambda: nn.ConvTranspose2d(3, 3, 5, stride=3, padding=0, output_padding=2),
        lambda: nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1),
        lambda: nn.Upsample(scale_factor=3, mode="nearest"),
        lambda: nn.ReflectionPad2d((1, 2, 3, 4)),
        lambda: nn.BatchNorm2d(3).eval(),
        lambda: lambda x: F.group_norm(x, 3, torch.tensor([1.0, -2, 3]), torch.tensor([0.5, 0, 1]), eps=1e-3),
        lambda: lambda x: F.group_norm(x, 1, torch.tensor([1.0, -2, 3]), torch.tensor([0.5, 0, 1]), eps=1e-3),
        lambda: lambda x: torch.cat([x, x], 1),
        lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
        lambda: nn.Upsample(scale_factor=3, mode="bilinear"),
        lambda: lambda x: x[:, -2:],
        lambda: lambda x: x * 0.5,
        lambda: lambda x: x + 1,
        lambda: lambda x: x - x,
        lambda: torch.tanh,
    ],
)
def test_every_operation_in_every_window(layer: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    made = layer()
    x = torch.randn(1, 3, 23, 31)
    with torch.no_grad():
        whole = made(x)
    windows: list[Window] = []

    def read(window: Window) -> Tensor:
        windows.append(window)
        return x[:, :, window.top : window.bottom, window.left : window.right].clone()

    last = trace(Plain(made), Given((3, 23, 31), read))
    assert last.shape == tuple(whole.shape[1:])
    if hasattr(last, "known"):
        mean = x.double().mean((0, 2, 3))
        last.known(mean, x.double().var((0, 2, 3), correction=0))
    for top in range(0, whole.shape[2], 5):
        for left in range(0, whole.shape[3], 7):
            window = Window(top, min(top + 5, whole.shape[2]), left, min(left + 7, whole.shape[3]))
            with torch.no_grad():
                inputs = [one.make([], last.needs(window)) for one in last.inputs]
                part = last.make(inputs, window)
            expected = whole[:, :, window.top : window.bottom, window.left : window.right]
            assert torch.allclose(part, expected, atol=1e-5), window
    assert max(w.bottom - w.top for w in windows) < 23, "no window takes the whole image"


def test_windows_that_are_read_are_bounded(unet: Make) -> None:
    network = unet(levels=7)
    x = torch.from_numpy(smooth(320, 256)).permute(2, 0, 1)[None] / 127.5 - 1
    sizes: list[int] = []

    def read(window: Window) -> Tensor:
        sizes.append((window.bottom - window.top) * (window.right - window.left))
        return x[:, :, window.top : window.bottom, window.left : window.right].clone()

    for _ in translate_windows(network, read, (3, 320, 256), tile_px=64):
        pass
    assert max(sizes) < (3 * 64) ** 2, "though every pixel depends on the whole image"


def test_maps_that_overflow_half_precision(resnet: Make) -> None:
    network = resnet(norm="none")
    network.encoder[7].weight.data.mul_(1e6)
    network.decoder[0].weight.data.mul_(1e-6)
    x = torch.from_numpy(smooth(128, 128)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        whole = network(x)
        raw = network.blocks(network.encoder(x))
    assert raw.max() > 65504
    assert torch.allclose(tiled(network, x, 64), whole, atol=1e-3)


def test_noise_is_the_same_on_both_sides_of_a_seam(unet: Make) -> None:
    """Dropout is drawn once for each pixel, not again for each window that reads it."""
    conv = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    conv.weight.data[0], conv.weight.data[1] = torch.eye(3)[1].outer(torch.eye(3)[1]), 1.0  # the pixel; its neighbours
    drawn = tiled(Plain(nn.Dropout(0.5), conv, takes=1, gives=2), torch.ones(1, 1, 150, 150), 64)
    assert set(drawn[0, 0].round(decimals=2).unique().tolist()) == {0, 2}
    assert torch.allclose(F.conv2d(drawn[:, :1], torch.ones(1, 1, 3, 3), padding=1), drawn[:, 1:], atol=1e-4)
    translator, picture = one_way(unet(levels=6, dropout=True)), smooth(128, 192)
    noisy = [translator(picture, noise=True, tile=64) for _ in range(2)]
    assert not np.array_equal(*noisy)
    assert not np.array_equal(noisy[0], translator(picture))


def test_both_directions(both_ways: Translator) -> None:
    picture = smooth(100, 140)
    for to in ("a", "b"):
        assert np.abs(both_ways(picture, to=to).astype(int) - both_ways(picture, to=to, tile=64)).max() <= 1


def test_every_kind_of_picture_in_tiles(resnet: Make) -> None:
    translator = one_way(resnet())
    picture = smooth(90, 130)
    for given in (
        picture,
        picture.astype(np.uint16) * 257,
        picture.astype(np.float32) / 255,
        np.concatenate([picture, picture[:, :, :1]], 2),
        picture[:, :, 0],
        torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1,
    ):
        whole, parts = translator(given, tile=0), translator(given, tile=64)
        assert type(whole) is type(parts)
        assert whole.dtype == parts.dtype
        assert whole.shape == parts.shape
        range_ = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(whole.dtype, 1)
        assert abs(np.asarray(whole, np.float64) - np.asarray(parts, np.float64)).max() <= range_ / 100
    pair = translator([picture, picture[:70]], tile=64)
    assert [answer.shape for answer in pair] == [(90, 130, 3), (70, 130, 3)]


def test_what_cannot_be_tiled_is_refused() -> None:
    cases = {
        "softmax": Plain(lambda x: torch.softmax(x, 1)),
        "otherwise than by": Plain(lambda x: x[:, :, ::2]),
        "corners": Plain(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)),
        "no multiple": Plain(lambda x: F.pixel_unshuffle(F.pad(x, (0, 1, 0, 1), mode="reflect"), 2)),
        "constant": Plain(lambda x: F.pad(x, (1, 1, 1, 1))),
        "whole numbers": Plain(lambda x: F.interpolate(x, scale_factor=1.5)),
        "not square": Plain(nn.Conv2d(3, 3, (3, 1))),
        "gaps": Plain(nn.ConvTranspose2d(3, 3, 2, stride=3)),
        "dilated": Plain(nn.ConvTranspose2d(3, 3, 3, dilation=2)),
        "trained": Plain(lambda x: F.batch_norm(x, torch.zeros(3), torch.ones(3), training=True)),
    }
    for words, network in cases.items():
        with pytest.raises(ConfigError, match=f"cannot be applied in tiles: .*{words}"):
            one_way(network)(smooth(100, 100), tile=64)
    with pytest.raises(ConfigError, match="at least 64 px"):
        one_way(cases["softmax"])(smooth(100, 100), tile=10)


def test_too_little_space_is_said_before_anything_is_computed(resnet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    free = tiling.shutil.disk_usage("/")._replace(free=100_000)
    monkeypatch.setattr(tiling.shutil, "disk_usage", lambda _: free)
    reads: list[Window] = []
    with pytest.raises(DataError, match=r"takes 0\.\d GB of space .*0\.0 GB; free some"):
        next(translate_windows(resnet(), lambda window: reads.append(window), (3, 2000, 2000)))
    assert not reads


def test_nothing_is_left_on_disk(tmp_path: Path, resnet: Make) -> None:
    x = torch.zeros(1, 3, 200, 200)

    def read(window: Window) -> Tensor:
        if len(list(tmp_path.iterdir())) or window.top > 100:
            raise PictureError("enough")
        return x[:, :, window.top : window.bottom, window.left : window.right].clone()

    with pytest.raises(PictureError, match="enough"):
        list(translate_windows(resnet(), read, (3, 200, 200), tile_px=64, scratch=tmp_path))
    assert not list(tmp_path.iterdir())


def test_progress_counts_every_window(resnet: Make) -> None:
    calls: list[tuple[int, int]] = []
    tiled(resnet(), torch.zeros(1, 3, 130, 130), 64, progress=lambda done, all_: calls.append((done, all_)))
    total = calls[0][1]
    assert calls == [(number, total) for number in range(1, total + 1)]


def test_statistics_need_no_float64_on_an_apple_gpu(on_apple: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(1, 3, 8, 12, generator=torch.Generator().manual_seed(1))
    moments = tiling._Moments()
    for window in on_apple(x).split(5, dim=3):
        moments.add(window)
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(moments.mean.as_subclass(Tensor), mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(moments.variance.as_subclass(Tensor), variance)


def test_pages_of_files_that_a_container_can_give_back_are_free(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("990000\n")
    (tmp_path / "memory.stat").write_text("anon 90000\ninactive_file 800000\nactive_file 100000\n")
    assert memory._free_of_group(tmp_path) == 810_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._free_of_group(tmp_path) is None


def test_large_pictures_are_tiled_when_memory_is_short(resnet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    network, cpu = resnet(), torch.device("cpu")
    applied = one_way(network).applied()
    last = trace(network, Given((3, 2048, 2048), lambda window: torch.empty(0)))
    assert 2048**2 * 4 * 4 < bytes_whole(last) < 2048**2 * 4 * 40, "some maps of four channels"
    monkeypatch.setattr(memory, "available_bytes", lambda device: bytes_whole(last) * 2)
    assert applied.tile_px(2048, 2048) == 0
    monkeypatch.setattr(memory, "available_bytes", lambda device: bytes_whole(last) * 2 - 2)
    assert applied.tile_px(2048, 2048) == tiling.TILE_PX
    assert applied.tile_px(500, 500) == 0
    monkeypatch.setattr(memory, "available_bytes", lambda device: 2**50)
    assert applied.tile_px(2048, 2048) == 0
    assert applied.tile_px(4096, 4096) == tiling.TILE_PX, "however much is free"
    assert one_way(network).applied(tile=100).tile_px(10, 10) == 100
    assert one_way(Plain(lambda x: torch.softmax(x, 1))).applied().tile_px(9000, 9000) == 0
    monkeypatch.undo()
    found = memory.available_bytes(cpu)
    assert found is None or 2**20 < found < 2**50


def test_a_loaded_translator_is_tiled_too(tmp_path: Path, unet: Make) -> None:
    save_translator(tmp_path / "t", {"a2b": unet()}, method="cyclegan", domains=DOMAINS, size_px=64, images=1)
    translator, picture = load(tmp_path / "t", device="cpu"), smooth(96, 160)
    assert np.abs(translator(picture, tile=64).astype(int) - translator(picture)).max() <= 1
