"""All settings of `prepare`; the command line is a view of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

import tyro

from viceversa import sizes
from viceversa.data.partners import Pairing
from viceversa.data.reading import Resample
from viceversa.errors import ConfigError
from viceversa.sizes import SizePx

DomainName: TypeAlias = Literal["A", "B"]
Crop: TypeAlias = Literal["center", "tiles", "faces", "none"]
Made: TypeAlias = Literal["edges", "grey", "blurred", "small"]

_SMALLEST_PX = 8


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """What is kept of the sources, how it is cut, and where it goes."""

    domain: DomainName = "A"
    """Which side of the data set this is: A goes to trainA/ and testA/, B to trainB/ and testB/."""

    size_px: Annotated[SizePx, tyro.conf.arg(name="size")] = 256
    """Of the images written: 256 for squares, 256x512 for height x width; with "none" the short side."""

    crop: Crop = "center"
    """What of the size's shape is cut out: the middle, random places ("tiles"), around each face; or "none": all."""

    tiles: int = 4
    """With "tiles": how many for each frame or image."""

    per_scene: int = 6
    """Frames kept of a video's scene, at most."""

    duplicates: float = 0.12
    """Near-duplicates are images whose fingerprints differ in at most this share of their bits."""

    least_brightness: float = 20.0
    """Mean grey level (0 to 255) below which an image is dark."""

    least_sharpness: float = 5.0
    """Variance of the Laplacian below which an image is blurred; in a video, also below 0.2 of its scene's best."""

    keep_text: bool = False
    """Keep credits, titles and other images of nothing but writing."""

    keep_borders: bool = False
    """Do not cut off black bars and plain borders."""

    enlarge: bool = False
    """Use what is smaller than the size too."""

    test_share: float = 0.1
    """Share of the images that goes to the test folder, by whole scenes; 0 for none."""

    balance: Literal["none", "brightness"] = "none"
    """Drop images as dark or bright as this side has too many of, compared with another folder."""

    like: Path | None = None
    """With balance: the folder of images to resemble. Left out: the training folder of the other domain."""

    pair: Made | None = None
    """Make pairs: the images become B, and A is made of them as edges, grey, blurred or coarse ("small")."""

    pair_with: Path | None = None
    """Make pairs: the images become A, and those of this folder with equal names B."""

    pair_suffix: str | None = None
    """With pair-with: what names end in on each side, with a comma between: "_A,_B"."""

    skip_unpaired: bool = False
    """With pair-with: use the pairs that there are, and leave out images without a partner."""

    pair_folders: bool = False
    """Write pairs to two folders of equal names, instead of side by side."""

    resample_a: Resample | None = None
    """How A is resized; left out: by nearest neighbor if it is a label map (few colors of a palette), else bicubic."""

    resample_b: Resample | None = None
    """How B is resized; see --resample-a."""

    seed: int = 0
    """Of what is random: the places of tiles, and which scenes are for testing."""

    workers: int = field(default=0, metadata={"may_differ": True})
    """Threads; 0 takes one for each core. The result does not depend on it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_px", sizes.checked(self.size_px, "--size"))
        if min(sizes.sides(self.size_px)) < _SMALLEST_PX:
            raise ConfigError(f"--size must be at least {_SMALLEST_PX}; got {sizes.words(self.size_px)}.")
        if self.crop == "none" and not isinstance(self.size_px, int):
            raise ConfigError(
                f"--crop none keeps the shape of each image, so --size is its short side, one number; got "
                f"{sizes.words(self.size_px)}."
            )
        for name, flag, least in (("tiles", "tiles", 1), ("per_scene", "per-scene", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"--{flag} must be at least {least}; got {getattr(self, name)}.")
        for name, low, high in (
            ("duplicates", 0, 0.5), ("test_share", 0, 0.5), ("least_brightness", 0, 255), ("least_sharpness", 0, 1e6),
            ("workers", 0, 1024),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                flag = name.replace("_", "-")
                raise ConfigError(f"--{flag} must be between {low} and {high:g}; got {getattr(self, name)}.")
        for name, kind in ("domain", DomainName), ("crop", Crop):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(f"--{name} must be one of {', '.join(get_args(kind))}; got {getattr(self, name)!r}.")
        for name in ("resample_a", "resample_b"):
            if getattr(self, name) not in (None, *get_args(Resample)):
                flag = name.replace("_", "-")
                raise ConfigError(f'--{flag} must be "nearest" or "bicubic"; got {getattr(self, name)!r}.')
        if self.pair is not None and self.pair not in get_args(Made):
            raise ConfigError(f"--pair must be one of {', '.join(get_args(Made))}; got {self.pair!r}.")
        if self.pair is not None and self.pair_with is not None:
            raise ConfigError("--pair makes the other half and --pair-with finds it in a folder. Give one of the two.")
        if self.pair_folders and not self.paired:
            raise ConfigError("--pair-folders says how pairs are written; add --pair or --pair-with, or leave it out.")
        if (self.pair_suffix is not None or self.skip_unpaired) and self.pair_with is None:
            raise ConfigError("--pair-suffix and --skip-unpaired are for --pair-with, which is missing.")
        Pairing(pair_suffix=self.pair_suffix)
        if self.like is not None and self.balance == "none":
            raise ConfigError("--like is the folder to resemble; say in what: --balance brightness.")

    @property
    def paired(self) -> bool:
        """Whether pairs are made."""
        return self.pair is not None or self.pair_with is not None

    @property
    def label(self) -> str:
        """``"A"``, ``"B"`` or ``"pairs"``: what the manifest and the contact sheet are named after."""
        return "pairs" if self.paired else self.domain

    def folders(self, split: Literal["train", "test"]) -> tuple[str, ...]:
        """The folders of the data set that images of ``split`` go to: one, or two for the halves of pairs."""
        if not self.paired:
            return (f"{split}{self.domain}",)
        return (f"{split}A", f"{split}B") if self.pair_folders else (split,)

    def settings(self) -> dict[str, Any]:
        """What the result depends on, as plain JSON values."""
        tree = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        if isinstance(self.size_px, tuple):
            tree["size_px"] = list(self.size_px)  # as JSON gives it back
        del tree["workers"]
        for name in ("pair_suffix", "skip_unpaired", "resample_a", "resample_b"):
            if not tree[name]:  # as in data sets that were prepared before there was a choice
                del tree[name]
        return tree

    def nearest(self, labels: Sequence[bool]) -> tuple[bool, ...]:
        """Which of the sides are resized by nearest neighbor; ``labels`` are those that were stored as label maps."""
        given = (self.resample_a, self.resample_b)
        ways = given if self.pair_with is not None else given[:1] if self.domain == "A" else given[1:]
        return tuple(
            found if way is None else way == "nearest" for found, way in zip(labels, ways[: len(labels)], strict=True)
        )
