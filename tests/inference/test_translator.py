import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor, nn

from viceversa.data import images
from viceversa.errors import ConfigError, PictureError
from viceversa.inference.conversion import take
from viceversa.inference.translator import Translator, pad_to_multiple
from viceversa.networks import ResNetConfig

DOMAINS = {"a": "women", "b": "men"}
Make = Callable[..., nn.Module]


class Negative(nn.Module):
    """A network that sees one pixel at a time: whatever is padded and cropped, its answer for an image is known."""

    def __init__(self, multiple: int = 16, channels: int = 3):
        super().__init__()
        self.config = ResNetConfig(in_channels=channels, out_channels=channels)
        self.multiple = multiple
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] % self.multiple == x.shape[3] % self.multiple == 0
        if isinstance(x, Tensor):  # not when it is only asked what it does
            self.sizes.append(tuple(x.shape))
        return -x


def one_way(network: nn.Module) -> Translator:
    return Translator({"a2b": network}, domains=DOMAINS, size_px=64)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(767, 1023), (1, 1), (500, 3), (3, 500), (16, 16), (17, 1), (2, 33)])
def test_padding_and_cropping_leave_every_pixel_in_its_place(size: tuple[int, int]) -> None:
    picture = noise(*size, 3)
    assert np.array_equal(one_way(Negative())(picture), 255 - picture)


@pytest.mark.parametrize("size", [(7, 20), (1, 1), (2, 3), (31, 64)])
@pytest.mark.parametrize("multiple", [4, 32])
def test_padding_is_reflection(size: tuple[int, int], multiple: int) -> None:
    x = torch.from_numpy(noise(1, 2, *size)).float()
    padded, top, left = pad_to_multiple(x, multiple)
    rest = [(top, padded.shape[2] - size[0] - top), (left, padded.shape[3] - size[1] - left)]
    assert np.array_equal(padded.numpy(), np.pad(x.numpy(), [(0, 0), (0, 0), *rest], mode="reflect"))
    assert padded.shape[2] < size[0] + max(multiple, 8)
    assert padded.shape[3] < size[1] + max(multiple, 8)


@pytest.mark.parametrize("size", [(1, 1), (3, 100), (127, 95), (64, 64), (5, 4)])
@pytest.mark.parametrize("kind", ["resnet", "resnet-resize", "unet", "unet-batch"])
def test_every_network_takes_every_size(kind: str, size: tuple[int, int], resnet: Make, unet: Make) -> None:
    network = {
        "resnet": lambda: resnet(),
        "resnet-resize": lambda: resnet(upsample="resize"),
        "unet": lambda: unet(),
        "unet-batch": lambda: unet(norm="batch"),
    }[kind]()
    answer = one_way(network)(noise(*size, 3))
    assert answer.shape == (*size, 3)
    assert answer.dtype == np.uint8


def test_a_size_that_fits_goes_through_unpadded(resnet: Make) -> None:
    network = resnet()
    x = torch.rand(2, 3, 20, 36) * 2 - 1
    with torch.inference_mode():
        expected = network(x)
    assert torch.allclose(one_way(network)(x), expected, atol=1e-5)


def test_a_large_odd_picture(resnet: Make) -> None:
    assert one_way(resnet())(Image.fromarray(noise(767, 1023, 3))).size == (1023, 767)


def test_the_kind_that_comes_in_goes_out(tmp_path: Path) -> None:
    translator = one_way(Negative())
    picture = noise(21, 30, 3)
    images.save(picture, tmp_path / "x.png")
    from_pil = translator(Image.fromarray(picture))
    from_path, from_text = translator(tmp_path / "x.png"), translator(str(tmp_path / "x.png"))
    assert isinstance(from_pil, Image.Image)
    for answer in (from_pil, from_path, from_text):
        assert (answer.mode, answer.size) == ("RGB", (30, 21))
        assert np.array_equal(np.asarray(answer), 255 - picture)
    floats = translator(picture.astype(np.float64) / 255)
    assert floats.dtype == np.float32
    assert floats.shape == picture.shape
    assert np.allclose(floats, 1 - picture / 255, atol=1e-6)
    batch = noise(3, 21, 30, 3)
    assert np.array_equal(translator(batch), 255 - batch)
    assert translator(batch[:0]).shape == (0, 21, 30, 3)
    x = torch.rand(2, 3, 21, 30, dtype=torch.float64) * 2 - 1
    answer = translator(x)
    assert answer.dtype == torch.float64
    assert torch.allclose(answer, -x, atol=1e-6)
    assert translator(x[:0]).shape == (0, 3, 21, 30)
    (answer + 0).requires_grad_()  # an ordinary tensor, not one that autograd refuses


def test_arrays_need_not_lie_in_order_in_memory() -> None:
    picture = noise(20, 30, 3)[::-1, ::2, ::-1]
    assert np.array_equal(one_way(Negative())(picture), 255 - picture)


def test_a_list_keeps_order_and_kinds(tmp_path: Path) -> None:
    a, b, c = noise(20, 20, 3, seed=1), noise(9, 40, 3, seed=2), noise(20, 20, 3, seed=3)
    images.save(c, tmp_path / "c.png")
    network = Negative()
    answers = one_way(network)([a, Image.fromarray(b), tmp_path / "c.png"])
    assert isinstance(answers, list)
    assert np.array_equal(answers[0], 255 - a)
    assert isinstance(answers[1], Image.Image)
    assert np.array_equal(np.asarray(answers[1]), 255 - b)
    assert np.array_equal(np.asarray(answers[2]), 255 - c)
    assert sorted(size[0] for size in network.sizes) == [1, 2], "images of one size go through together"
    assert one_way(network)([]) == []


def test_batches_are_no_larger_than_allowed() -> None:
    network = Negative()
    one_way(network)(noise(7, 16, 16, 3), batch_size=3)
    one_way(network)([noise(16, 16, 3)] * 4, batch_size=3)
    one_way(network)(torch.zeros(4, 3, 16, 16), batch_size=3)
    assert [size[0] for size in network.sizes] == [3, 3, 1, 3, 1, 3, 1]
    network.sizes.clear()
    one_way(network)([noise(2048, 1024, 3)] * 3)
    assert [size[0] for size in network.sizes] == [1, 1, 1], "large images go one by one"
    with pytest.raises(ConfigError, match="batch_size"):
        one_way(network)([noise(8, 8, 3)], batch_size=0)


def test_a_long_list_of_many_sizes_does_not_wait_in_memory() -> None:
    network = Negative()
    pictures = [np.broadcast_to(np.uint8(200), (1024, 1024 + 16 * index, 3)) for index in range(20)]
    seen_when_taken: list[int] = []

    class Watched(list[Any]):
        def __iter__(self) -> Any:
            for picture in pictures:
                seen_when_taken.append(len(network.sizes))
                yield picture

        def __len__(self) -> int:
            return len(pictures)

    answers = one_way(network)(Watched())
    assert all((answer == 55).all() for answer in answers)
    assert max(taken - seen for taken, seen in enumerate(seen_when_taken)) < 17


def test_grey_pictures() -> None:
    colour, grey = one_way(Negative()), one_way(Negative(channels=1))
    flat = noise(11, 13)
    rgb = noise(11, 13, 3)
    luma = np.asarray(Image.fromarray(rgb).convert("L")).astype(int)
    for translator in (colour, grey):
        assert np.abs(translator(flat).astype(int) - (255 - flat.astype(int))).max() <= 1
        assert translator(flat).shape == (11, 13)
        assert translator(flat[:, :, None]).shape == (11, 13, 1)
        assert translator(Image.fromarray(flat)).mode == "L"
    assert translator(Image.fromarray(flat > 127)).mode == "L"
    assert grey(Image.fromarray(rgb)).mode == "L"
    assert grey(rgb).shape == (11, 13, 1)
    assert np.abs(grey(rgb)[:, :, 0] - (255 - luma)).max() <= 1


def test_grey_to_colour_network_gives_colour(resnet: Make) -> None:
    translator = one_way(resnet(in_channels=1, out_channels=3))
    assert translator(Image.fromarray(noise(11, 13))).mode == "RGB"
    assert translator(noise(11, 13)).shape == (11, 13, 3)


def test_alpha_is_kept_beside_and_put_back() -> None:
    rgba = noise(12, 14, 4)
    rgba[:6, :, 3] = 255
    rgba[6:, :, 3] = 0
    for translator in (one_way(Negative()), one_way(Negative(channels=1))):
        answer = translator(Image.fromarray(rgba))
        assert np.array_equal(np.asarray(answer)[:, :, -1], rgba[:, :, 3])
        other = rgba.copy()
        other[6:, :, :3] = 255 - rgba[6:, :, :3]
        assert np.array_equal(np.asarray(answer), translator(other)), "nothing depends on what lies under them"
        assert answer.mode == ("RGBA" if translator.networks["a2b"].config.in_channels == 3 else "LA")
        assert np.array_equal(translator(rgba), np.asarray(answer))
    answer = one_way(Negative())(Image.fromarray(rgba))
    assert np.array_equal(np.asarray(answer)[:6, :, :3], 255 - rgba[:6, :, :3])
    assert one_way(Negative())(Image.fromarray(noise(5, 5, 2))).mode == "LA"


def test_other_modes_of_pil() -> None:
    translator = one_way(Negative())
    rgb = Image.fromarray(np.asarray(Image.fromarray(noise(3, 3, 3)).resize((14, 12))))
    assert translator(rgb.convert("P")).mode == "RGB"
    assert translator(rgb.convert("1")).mode == "L"
    for mode in ("CMYK", "YCbCr", "HSV"):
        answer = translator(rgb.convert(mode))
        assert answer.mode == mode
        assert np.abs(np.asarray(answer.convert("RGB")).astype(int) - (255 - np.asarray(rgb).astype(int))).max() <= 12
    assert translator(Image.new("LAB", (5, 4))).mode == "LAB"


def test_16_bits_and_floats_keep_their_depth() -> None:
    translator = one_way(Negative())
    deep = np.array([[0, 65535], [257, 32768]], np.uint16)
    assert np.array_equal(translator(deep), 65535 - deep)
    answer = translator(Image.fromarray(deep))
    assert answer.mode == "I;16"
    assert np.array_equal(np.asarray(answer), 65535 - deep)
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, 2)
    assert np.array_equal(translator(every), 65535 - every), "each of the 65536 values"
    floats = translator(Image.fromarray(np.array([[0, 0.25], [0.5, 1]], np.float32)))
    assert floats.mode == "F"
    assert np.allclose(np.asarray(floats), [[1, 0.75], [0.5, 0]])
    for mode, words in (("F", "goes from 0 to 3"), ("I", "32 bits have no usual range")):
        with pytest.raises(PictureError, match=f"This PIL image cannot be used: .*{words}"):
            translator(Image.fromarray(np.array([[0, 3]], np.float32 if mode == "F" else np.int32)))


def test_what_is_no_number_is_black() -> None:
    network = Negative()
    network.forward = lambda x: torch.full_like(x, torch.nan)  # pyright: ignore[reportAttributeAccessIssue]
    for dtype in (np.uint8, np.uint16):
        assert not one_way(network)(noise(16, 16, 3).astype(dtype)).any()


@pytest.mark.skipif(sys.platform != "linux", reason="lists threads as Linux does")
def test_a_picture_is_made_ready_without_threads_of_its_own() -> None:
    # Each thread of a server that decodes would have some, which would wait for the cores that the network has.
    found: list[set[str]] = []

    def convert() -> None:
        found.append(set(os.listdir("/proc/self/task")))
        for dtype in (np.uint8, np.uint16):
            taken = take(noise(256, 256, 3).astype(dtype), 3, 3)
            taken.back(taken.tensor)
        found.append(set(os.listdir("/proc/self/task")))

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        thread = threading.Thread(target=convert)
        thread.start()
        thread.join()
    finally:
        torch.set_num_threads(threads)
    assert found[1] <= found[0]


def test_profile_and_exif_go_with_a_pil_picture(tmp_path: Path) -> None:
    picture = Image.fromarray(noise(12, 20, 3))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    picture.save(tmp_path / "x.png", icc_profile=profile, exif=exif)
    translator = one_way(Negative())
    with Image.open(tmp_path / "x.png") as opened:
        answers = [translator(opened), translator(tmp_path / "x.png")]
    for answer in answers:
        answer.save(tmp_path / "y.png", exif=answer.getexif())
        with Image.open(tmp_path / "y.png") as back:
            assert back.size == (12, 20)
            assert back.info["icc_profile"] == profile
            assert dict(back.getexif()) == {0x010F: "camera"}


def test_half_transparent_pixels_count_as_they_are() -> None:
    """Laid on white they would come back paler, and edges with a rim."""
    rgba = noise(12, 14, 4)
    rgba[:, :, 3] = np.clip(rgba[:, :, 3], 32, 255)
    answer = one_way(Negative())(rgba)
    assert np.array_equal(answer[:, :, :3], 255 - rgba[:, :, :3])
    assert np.array_equal(answer[:, :, 3], rgba[:, :, 3])


def test_edges_of_transparent_parts_get_no_rim() -> None:
    """A red square among transparent pixels: neither what lies under them nor white is mixed into its edges."""
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:, :, 1] = 255  # rubbish
    rgba[10:30, 10:30] = (200, 0, 0, 255)
    rgba[9, 10:30] = (200, 0, 0, 40)
    blur = nn.Conv2d(3, 3, 7, padding=3, padding_mode="replicate", groups=3, bias=False)
    nn.init.constant_(blur.weight, 1 / 49)
    network = nn.Sequential(blur)
    network.config, network.multiple = ResNetConfig(), 1
    answer = one_way(network)(rgba)
    assert np.abs(answer[9:30, 10:30, :3].astype(int) - (200, 0, 0)).max() <= 1
    assert np.array_equal(answer[:, :, 3], rgba[:, :, 3])
    nothing = one_way(Negative())(np.zeros((20, 20, 4), np.uint8))
    assert (nothing == 0).all(), "where nothing shows it is white that is translated"


def test_a_pil_picture_is_set_upright(tmp_path: Path) -> None:
    picture = Image.fromarray(noise(12, 20, 3))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    translator = one_way(Negative())
    with Image.open(tmp_path / "turned.png") as opened:
        answer = translator(opened)
    assert answer.size == (12, 20)
    assert np.array_equal(np.asarray(answer), np.asarray(translator(tmp_path / "turned.png")))
    assert np.array_equal(np.asarray(answer), 255 - np.rot90(np.asarray(picture), 3))


def test_many_channels(resnet: Make) -> None:
    translator = one_way(resnet(in_channels=5, out_channels=2))
    assert translator(noise(9, 10, 5)).shape == (9, 10, 2)
    with pytest.raises(PictureError, match="3 channels and the network takes 5"):
        translator(noise(9, 10, 3))
    with pytest.raises(PictureError, match="3 channels and the network takes 5"):
        translator(Image.fromarray(noise(9, 10, 3)))


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (noise(4, 4, 7), "7 channels"),
        (noise(4), r"\(H, W\)"),
        (noise(0, 4, 3), "at least one pixel"),
        (np.zeros((4, 4, 3), np.int32), "int32"),
        (noise(3, 64, 80), r"80 channels.*Channels come last: array.transpose\(1, 2, 0\)"),
        (np.full((4, 4, 3), 255.0), "goes from 255 to 255"),
        (np.full((4, 4, 3), np.nan), "nan"),
        (torch.zeros(3, 8, 8), "tensor"),
        (torch.zeros(1, 4, 8, 8), "tensor"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "uint8"),
        (None, "NoneType"),
        ("nowhere/x.jpg", "no such file"),
    ],
)
def test_what_is_no_picture_is_refused(picture: Any, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        one_way(Negative())(picture)


def test_a_truncated_pil_picture_is_refused(tmp_path: Path) -> None:
    data = images.encode(noise(64, 64, 3), ".jpg")
    (tmp_path / "x.jpg").write_bytes(data[: len(data) // 2])
    with Image.open(tmp_path / "x.jpg") as opened, pytest.raises(PictureError, match="cannot be decoded"):
        one_way(Negative())(opened)


def test_directions(both_ways: Translator) -> None:
    picture = noise(16, 16, 3)
    to_b, to_a = both_ways(picture, to="b"), both_ways(picture, to="a")
    assert not np.array_equal(to_b, to_a)
    assert np.array_equal(both_ways(picture), to_b)
    assert np.array_equal(both_ways(picture, "men"), to_b)
    assert np.array_equal(both_ways(picture, "women"), to_a)
    assert both_ways.directions == ("a2b", "b2a")
    with pytest.raises(ConfigError, match=r"does not lead to 'dogs'; it leads to b \(men\) or a \(women\)"):
        both_ways(picture, to="dogs")


def test_one_direction_needs_no_to(resnet: Make) -> None:
    translator = Translator({"b2a": resnet()}, domains=DOMAINS, size_px=64)
    picture = noise(16, 16, 3)
    assert np.array_equal(translator(picture), translator(picture, to="women"))
    with pytest.raises(ConfigError, match="does not lead to 'b'"):
        translator(picture, to="b")


def test_ambiguous_names_mean_the_letters(resnet: Make) -> None:
    swapped = Translator({"a2b": resnet(1), "b2a": resnet(2)}, domains={"a": "b", "b": "a"}, size_px=64)
    assert swapped.direction("b") == "a2b"
    same = Translator({"a2b": resnet(1), "b2a": resnet(2)}, domains={"a": "x", "b": "x"}, size_px=64)
    with pytest.raises(ConfigError, match="'x'"):
        same.direction("x")


def test_dropout_is_off_unless_noise_is_asked_for(unet: Make, resnet: Make) -> None:
    network = unet(levels=6, dropout=True, norm="batch")
    network.train()
    translator = one_way(network)
    picture = noise(64, 64, 3)
    still = translator(picture)
    noisy = [translator(picture, noise=True) for _ in range(2)]
    assert np.array_equal(translator(picture), still)
    assert not np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], still)
    torch.manual_seed(5)
    first = translator(picture, noise=True)
    torch.manual_seed(5)
    assert np.array_equal(translator(picture, noise=True), first)
    assert translator.has_noise()
    assert not any(key.endswith("num_batches_tracked") and value for key, value in network.state_dict().items())
    with pytest.raises(ConfigError, match="no noise"):
        one_way(resnet())(picture, noise=True)


def test_threads_do_not_see_each_others_noise(unet: Make) -> None:
    translator = one_way(unet(levels=6, dropout=True))
    picture = noise(64, 64, 3)
    still = translator(picture)
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            translator(picture, noise=True)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        assert all(np.array_equal(translator(picture), still) for _ in range(10))
    finally:
        stop.set()
        thread.join()


def test_an_unknown_device_is_named(resnet: Make) -> None:
    for device in ("warp", "cuda:99"):
        with pytest.raises(ConfigError, match=f"no device '{device}'"):
            Translator({"a2b": resnet()}, domains=DOMAINS, size_px=64, device=device)
