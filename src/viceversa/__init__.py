"""Turn one kind of image into another, and back: image-to-image translation with GANs.

>>> import viceversa as vv
>>> vv.train(vv.configure("cyclegan", a="women", b="men", out="runs/swap", size_px=64))  # doctest: +SKIP
>>> vv.load("runs/swap")("woman.jpg", to="b")  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viceversa.config import TrainConfig, configure
    from viceversa.errors import ViceversaError
    from viceversa.evaluation.comparison import compare
    from viceversa.evaluation.evaluate import evaluate
    from viceversa.inference.sampler import Sampler, load
    from viceversa.inference.translator import Translator
    from viceversa.plugins import import_code
    from viceversa.training.session import Run, train

__all__ = [
    "Run",
    "Sampler",
    "TrainConfig",
    "Translator",
    "ViceversaError",
    "compare",
    "configure",
    "evaluate",
    "import_code",
    "load",
    "train",
]

_HOMES = {
    "Run": "training.session",
    "Sampler": "inference.sampler",
    "TrainConfig": "config",
    "Translator": "inference.translator",
    "ViceversaError": "errors",
    "compare": "evaluation.comparison",
    "configure": "config",
    "evaluate": "evaluation.evaluate",
    "import_code": "plugins",
    "load": "inference.sampler",
    "train": "training.session",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: ``import viceversa`` alone takes no time."""
    if name not in _HOMES:
        raise AttributeError(f"module 'viceversa' has no attribute {name!r}")
    return getattr(importlib.import_module(f"viceversa.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
