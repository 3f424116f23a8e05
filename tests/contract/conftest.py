"""What every method has to keep to is asked of all of `METHODS`, and of these settings of theirs besides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from viceversa.config import TrainConfig
from viceversa.methods import METHODS
from viceversa.testing.methods import exact

SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "cyclegan": {
        "bce": {"objective": "bce"},
        "wide": {"size_px": (16, 32), "fit": "window"},
        "hinge": {"objective": "hinge"},
        "wgan-gp": {"objective": "wgan-gp"},
        "unet": {"generator": "unet", "r1_gamma": 1.0},
        "no identity": {"lambda_identity": 0.0, "channels_b": 1, "pool": 0, "upsample": "resize"},
    },
    "cgan": {"augmented": {"augment_d": ("color", "translation"), "augment_d_adaptive": True, "augment_d_images": 8}},
    "gan": {"minimax": {"objective": "minimax"}},
    "dcgan": {"28 px": {"size_px": 28, "objective": "hinge"}},
    "infogan": {"one code": {"codes": 0, "hidden": 0}, "askew": {"augment_q": True}},
    "pix2pix": {
        "dropout": {"size_px": 64, "width": 1, "discriminator_width": 1},  # deep enough for a U-Net to have dropout
        "resnet": {"generator": "resnet", "direction": "b2a", "norm": "instance", "channels_b": 1},
        "wgan-gp": {"objective": "wgan-gp", "discriminator_norm": "instance", "augment_d": ("translation", "cutout")},
        "upright": {"size_px": (32, 16), "fit": "window"},
    },
    "cartoongan": {"wide": {"size_px": (16, 32), "fit": "window"}},
}
VARIANTS = {
    f"{method} {kind}".strip(): (method, settings)
    for method in METHODS
    for kind, settings in {"": {}, **SETTINGS.get(method, {})}.items()
}
Configure = Callable[..., TrainConfig[Any]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", list(VARIANTS))


@pytest.fixture(scope="session")
def variants() -> list[str]:
    return list(VARIANTS)


@pytest.fixture(scope="session")
def tiny_variant(tiny: Configure) -> Configure:
    """The config of a variant; ``exactly_summable``: in float64, without what makes a batch more than its images."""

    def make(variant: str, out: Path, *, exactly_summable: bool = False, **settings: Any) -> TrainConfig[Any]:
        method, own = VARIANTS[variant]
        if exactly_summable:
            own = {**own, **exact(tiny(method, out, **own))}
        return tiny(method, out, **{**own, **settings})

    return make
