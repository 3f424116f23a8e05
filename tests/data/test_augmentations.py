import re

import pytest
import torch
from PIL import Image

import viceversa as vv
from viceversa.data.augmentations import AUGMENTATIONS, Plane, augmentation, augmented
from viceversa.errors import ConfigError
from viceversa.testing import check_augmentation

IMAGE, LABELS = Plane(channels=3), Plane(channels=1, is_image=False, nearest=True)
COUNT = 40


def images(count=COUNT, height=24, width=24, channels=3):
    """Smooth ones, all different."""
    noise = torch.randn(count, channels, 6, 6, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(noise, (height, width), mode="bicubic").tanh()


def changed(x, *names, planes=(IMAGE,), seed=1, stream="a"):
    return augmented(x, names, planes=planes, seed=seed, stream=stream, positions=torch.arange(len(x)))


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_what_every_one_keeps_to(name):
    check_augmentation(name)
    x = images()
    assert not torch.equal(changed(x, name), changed(x, name, seed=2))
    assert not torch.equal(changed(x, name), changed(x, name, stream="b")), "A and B are changed each by itself"


def among(y, candidates):
    """Which of the candidates each image of ``y`` is."""
    apart = torch.stack([(y - one).abs().amax((1, 2, 3)) for one in candidates])
    assert (apart.amin(0) < 1e-4).all()
    return apart.argmin(0).tolist()


def test_turns_and_flips_move_pixels_and_leave_them_as_they_are():
    x = images()
    assert set(among(changed(x, "rotate90"), [x.rot90(turns, (2, 3)) for turns in range(4)])) == {0, 1, 2, 3}
    assert set(among(changed(x, "flip"), [x, x.flip(2)])) == {0, 1}
    wide = images(width=32)
    assert set(among(changed(wide, "rotate90"), [wide, wide.flip(2, 3)])) == {0, 1}, "rectangles stay upright"


def test_a_small_turn_keeps_the_middle_and_the_shape_of_things():
    """A disk in the middle of a rectangle stays one, so pixels are square wherever it is turned."""
    rows, columns = torch.meshgrid(torch.arange(24) - 11.5, torch.arange(40) - 19.5, indexing="ij")
    disk = (8 - (rows**2 + columns**2).sqrt()).clamp(-1, 1).expand(COUNT, 3, 24, 40)
    assert (changed(disk, "rotate") - disk).abs().mean() < 0.01
    larger = (changed(disk, "scale") > 0).sum((1, 2, 3)) / (disk > 0).sum((1, 2, 3))
    assert 0.8**2 - 0.05 < larger.min() < 0.8
    assert 1.3 < larger.max() < 1.25**2 + 0.05


def test_all_planes_go_the_same_way_and_labels_get_no_new_values():
    x = images(channels=1)
    labels = (x > 0).float() * 2 - 1
    planes = (Plane(channels=1), Plane(channels=1), LABELS)
    y = changed(torch.cat([x, x, labels], 1), "rotate", "scale", "color", planes=planes)
    assert torch.equal(y[:, 0], y[:, 1]), "both images of a pair alike"
    assert y[:, 2].unique().tolist() == [-1, 1]
    moved = changed(torch.cat([x, x, labels], 1), "rotate", "scale", planes=planes)
    assert torch.equal(y[:, 2], moved[:, 2]), "colors of labels stay"
    agree = (moved[:, 0] > 0) == (moved[:, 2] > 0)
    assert agree.float().mean() > 0.95


def test_several_are_interpolated_once():
    x = images()
    by_one, by_both = changed(x, "scale"), changed(x, "scale", "flip")
    assert set(among(by_both, [by_one, by_one.flip(2)])) == {0, 1}


def test_values_stay_in_range():
    @augmentation("louder", draws=0)
    def louder(x, draws):
        return 3 * x

    try:
        assert changed(images(), "louder").abs().max() == 1
    finally:
        del AUGMENTATIONS["louder"]


def test_check_finds_what_is_wrong():
    wrong = {
        "mixing": (lambda x, draws: x.mean(0, keepdim=True).expand_as(x), "depends on the others"),
        "random": (lambda x, draws: x * torch.rand(()), "randomness of its own"),
        "small": (lambda x, draws: x[:, :, ::2], "fails for"),
        "color only": (lambda x, draws: x * torch.tensor([1.0, 0.5, 1]).view(1, 3, 1, 1), "gives"),
    }
    for name, (function, message) in wrong.items():
        augmentation(name, draws=1)(function)
        try:
            with pytest.raises(AssertionError, match=message):
                check_augmentation(name)
        finally:
            del AUGMENTATIONS[name]
    with pytest.raises(ConfigError, match="No augmentation is called nothing"):
        check_augmentation("nothing")


@pytest.mark.parametrize(
    ("method", "names", "message"),
    [
        ("cyclegan", ["colour"], "--augment colour is unknown; choose from color, rotate, rotate90, scale, flip. "
         "Perhaps you meant color."),
        ("dcgan", ["none", "color"], "--augment none does not go with others"),
    ],
)  # fmt: skip
def test_mistakes_are_told(method, names, message, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(message)):
        vv.configure(method, out=tmp_path, augment=names)


def test_samples_of_folders_are_changed_by_their_position(pictures, tmp_path):
    def batch(positions, **settings):
        config = vv.configure(
            "cyclegan",
            a=pictures / "a",
            b=pictures / "b",
            out=tmp_path,
            size_px=16,
            cache=tmp_path / "cache",
            **settings,
        )
        return config.method.data.open(0, "cpu").batch(positions)

    plain, turned = batch(torch.arange(8)), batch(torch.arange(8), augment=("rotate90",))
    for before, after in zip(plain, turned, strict=True):
        assert len(set(among(after, [before.rot90(turns, (2, 3)) for turns in range(4)]))) > 1
    again = batch(torch.tensor([5, 2]), augment=("rotate90",))
    for all_of_them, two in zip(turned, again, strict=True):
        assert torch.equal(all_of_them[[5, 2]], two)
    noise = vv.configure("dcgan", root=pictures / "a", out=tmp_path, augment=("color",), cache=tmp_path / "cache")
    assert not torch.equal(
        noise.method.data.open(0, "cpu").batch(torch.arange(2))[0],
        vv.configure("dcgan", root=pictures / "a", out=tmp_path, cache=tmp_path / "cache")
        .method.data.open(0, "cpu")
        .batch(torch.arange(2))[0],
    )


def test_label_maps_are_moved_and_not_mixed(tmp_path):
    for index in range(4):
        labels = Image.fromarray(((images(1)[0, 0] > 0).numpy() * 200).astype("uint8")).resize((24, 24), 0)
        for side in "ab":
            (tmp_path / side).mkdir(exist_ok=True)
            labels.save(tmp_path / side / f"{index}.png")
    settings = {"a": tmp_path / "a", "b": tmp_path / "b", "out": tmp_path / "run", "cache": tmp_path / "cache"}
    options = {"size_px": 16, "load_size_px": 24, "channels_a": 1, "channels_b": 1, "resample_a": "nearest"}
    config = vv.configure("pix2pix", **settings, **options, augment=("rotate", "color"))
    a, b = config.method.data.open(0, "cpu").batch(torch.arange(4))
    assert len(a.unique()) == 2
    assert len(b.unique()) > 2
