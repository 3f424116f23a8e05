"""What every augmentation of the images that are trained on keeps to: `check_augmentation` for one of your own."""

import torch

from viceversa.data.augmentations import AUGMENTATIONS, Plane, augmented
from viceversa.errors import ConfigError, check


def check_augmentation(name: str) -> None:
    """Check an augmentation by the name that ``--augment`` gives it, on images of 1, 3 and 4 channels and two shapes.

    Raises:
        AssertionError: Something does not hold; the message says what.
        ConfigError: There is no such augmentation.
    """
    check(name in AUGMENTATIONS, f"No augmentation is called {name}; register it first, with @augmentation.")
    for channels, height, width in (1, 16, 16), (3, 16, 24), (4, 24, 16):
        random = torch.Generator().manual_seed(channels)
        x = torch.rand(6, channels, height, width, generator=random) * 2 - 1
        labels = torch.randint(0, 3, (6, 1, height, width), generator=random).float() - 1
        shape = f"images {tuple(x.shape)}"

        def change(rows: list[int], x: torch.Tensor = x, labels: torch.Tensor = labels) -> torch.Tensor:
            planes = (Plane(channels=x.shape[1]), Plane(channels=1, is_image=False, nearest=True))
            both = torch.cat([x, labels], 1)[rows].clone()
            positions = torch.tensor(rows)
            return augmented(both, (name,), planes=planes, seed=0, stream="check", positions=positions)

        try:
            y = change([0, 1, 2, 3, 4, 5])
        except (RuntimeError, ValueError, IndexError, ConfigError) as error:
            raise AssertionError(f"{name} fails for {shape}: {error}") from error
        assert y.shape == (6, channels + 1, height, width), f"{name} gives {tuple(y.shape)} for {shape}"
        assert y.dtype == torch.float32, f"{name} gives {y.dtype}; what is trained on is float32"
        assert y.isfinite().all(), f"{name} gives values that are not finite"
        assert torch.equal(y, change([0, 1, 2, 3, 4, 5])), f"{name} has randomness of its own, so no run resumes equal"
        apart = (change([4, 1]) - y[[4, 1]]).abs().max()
        assert apart < 1e-5, f"{name}: an image depends on the others of its batch (by {apart:.2g}), not on its draws"
        values = y[:, channels:].unique().tolist()
        assert set(values) <= {-1.0, 0.0, 1.0}, f"{name} gives labels new values: {values}"
