"""The FID's Inception: the published code's own numbers, and files that are not what they should be.

The published weights themselves are not here. These are drawn, in the layout of that file; what the published network
(pytorch-fid 0.3, on torchvision's blocks) makes of them is written below.
"""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.data.sources import UnpairedData
from viceversa.errors import CheckpointError
from viceversa.evaluation import features, inception
from viceversa.evaluation.image_sets import image_sets
from viceversa.evaluation.translation import _translated
from viceversa.networks import vgg_file

EVERY_400TH = [
    [2.607300281524658, 0.5174305438995361, 30.67051887512207, 30.951448440551758, 0.2769413888454437, 0.0],
    [2.8819100856781006, 0.47490158677101135, 31.608240127563477, 31.23198127746582, 0.45049533247947693, 0.0],
]


@pytest.fixture(scope="module")
def drawn() -> dict[str, torch.Tensor]:
    numbers = np.random.default_rng(0)
    state = {}
    with torch.device("meta"):
        expected = inception.InceptionV3().state_dict()
    for key, value in expected.items():
        if not value.is_floating_point():
            continue  # the published file has none of these either way
        weights = numbers.random(tuple(value.shape), dtype=np.float32)
        if key.endswith(("running_var", "bn.weight")):
            weights = weights + 0.5
        elif value.dim() == 4:
            weights = (weights - 0.5) * np.float32((24 / value[0].numel()) ** 0.5)
        else:
            weights = weights - 0.5
        state[key] = torch.from_numpy(weights)
    state["fc.weight"], state["fc.bias"] = torch.zeros(1008, 2048), torch.zeros(1008)
    return state


@pytest.fixture(scope="module")
def file(drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "drawn.pth"
    torch.save(drawn, path)
    return path


def test_it_computes_what_the_published_network_computes(file):
    network, published = inception.read(file)
    assert not published
    pictures = torch.from_numpy(np.random.default_rng(1).random((2, 3, 40, 30), dtype=np.float32))
    with torch.inference_mode():
        found = network(pictures)
    assert found.shape == (2, 2048)
    np.testing.assert_allclose(found[:, ::400], EVERY_400TH, rtol=2e-4, atol=1e-4)
    assert found.mean().item() == pytest.approx(7.89976692199707, rel=1e-4)


def test_as_an_extractor_it_says_that_its_weights_are_others(file):
    extractor = features.by_inception(file)
    assert (extractor.published, extractor.dimensions) == (False, 2048)
    assert "drawn.pth, not the published FID" in extractor.about
    grey = np.random.default_rng(2).integers(0, 256, (2, 20, 20, 1), dtype=np.uint8)
    found = extractor.features(grey)
    assert torch.equal(found, extractor.features(grey.repeat(3, axis=3)))
    network, _ = inception.read(file)
    with torch.inference_mode():
        direct = network(torch.from_numpy(grey.repeat(3, axis=3)).permute(0, 3, 1, 2) / 255)
    np.testing.assert_allclose(found, direct, rtol=1e-3, atol=1e-3)


def test_training_pictures_and_translations_are_seen_as_pytorch_fid_sees_their_files(file, tmp_path):
    """Which opens them with Pillow and divides by 255."""
    drawn = np.random.default_rng(3).integers(0, 256, (2, 20, 20, 3), dtype=np.uint8)
    for folder in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / folder).mkdir()
        for index, picture in enumerate(drawn):
            Image.fromarray(picture).save(tmp_path / folder / f"{index}.png")
    sets = image_sets(UnpairedData(root=tmp_path, size_px=20, cache=tmp_path / "cache").open(0, "cpu"))
    extractor = features.by_inception(file)
    network, _ = inception.read(file)
    files = np.stack([np.asarray(Image.open(tmp_path / "trainB" / f"{index}.png")) for index in range(2)])
    with torch.inference_mode():
        direct = network(torch.from_numpy(files).permute(0, 3, 1, 2).float() / 255)
    reference = extractor.features(sets.train["b"])
    assert torch.equal(reference, extractor.features(_translated(lambda x: x, sets.test["a"])))
    np.testing.assert_allclose(reference, direct, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("Mixed_6c.branch7x7_2.conv.weight"), "Mixed_6c.branch7x7_2.conv.weight is missing"),
        (lambda state: state.update({"Mixed_5b.branch1x1.bn.bias": torch.zeros(3)}), r"has the shape \(3,\)"),
        (lambda state: state["Conv2d_1a_3x3.bn.bias"].fill_(float("nan")), "not finite"),
        (lambda state: state.update(more=torch.zeros(1).expand(10**9)), "more numbers than it holds"),
        (lambda state: state.clear(), "holds no Inception v3"),
    ],
)
def test_a_wrong_file_gets_a_sentence(change, words, drawn, tmp_path):
    state = {key: value.clone() for key, value in drawn.items()}
    change(state)
    torch.save(state, tmp_path / "wrong.pth")
    with pytest.raises(CheckpointError, match=words) as refused:
        inception.read(tmp_path / "wrong.pth")
    assert inception.PUBLISHED in str(refused.value)


def test_what_is_no_file_of_weights_gets_a_sentence(file, tmp_path):
    (tmp_path / "cut.pth").write_bytes(file.read_bytes()[:5000])
    (tmp_path / inception.PUBLISHED).write_bytes(file.read_bytes()[:5000])
    for name, words in ("cut.pth", "no file of PyTorch weights"), (inception.PUBLISHED, "damaged or cut short"):
        with pytest.raises(CheckpointError, match=words):
            inception.read(tmp_path / name)
    with pytest.raises(CheckpointError, match=r"there is no file .*nowhere.*--inception download"):
        inception.find(tmp_path / "nowhere")


def test_nothing_in_a_file_is_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trapped"), "w"))

    torch.save({"Conv2d_1a_3x3.conv.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(CheckpointError):
        inception.read(tmp_path / "trap.pth")
    assert not (tmp_path / "trapped").exists()


def test_a_download_is_held_to_its_hash_and_names_the_right_option(tmp_path):
    (tmp_path / "pt_inception-2015-12-05-6726825d.pth").write_bytes(b"something else")
    url = (tmp_path / "pt_inception-2015-12-05-6726825d.pth").as_uri()
    with pytest.raises(CheckpointError, match=r"6726825d.*--inception") as refused:
        vgg_file.downloaded(tmp_path / "cache", url=url, flag="--inception")
    assert "--vgg" not in str(refused.value)
    assert hashlib.sha256(b"something else").hexdigest()[:8] in str(refused.value)
    assert not list((tmp_path / "cache").iterdir())
