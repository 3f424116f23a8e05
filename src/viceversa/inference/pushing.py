"""Putting a translator folder on a model hub: weights, config and a card with licence, sample image and figures.

Images of the run's data are never sent: they belong to somebody. What the card shows is made of images that are
given for it, of the built-in portraits, or of noise.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from viceversa import sizes
from viceversa.data import avatars, images
from viceversa.errors import ConfigError, HubError
from viceversa.extras import need
from viceversa.inference import hub
from viceversa.inference.card import Publication, model_card
from viceversa.inference.figures import read_figures
from viceversa.inference.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE, config_to_json, read_translator
from viceversa.inference.sampler import Sampler, load
from viceversa.inference.translator import Translator, find_weights

__all__ = ["Pushed", "push"]

PICTURE_FILE = "sample.jpg"
_MOST_SAMPLES, _LARGEST_PX, _SMALLEST_PX = 8, 256, 64
_FIRST_PORTRAIT = 1_000_000  # far from the seeds of small data sets, whose people the model may know


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What is on the hub now."""

    url: str
    """The page of the repository."""
    files: tuple[str, ...]
    """What was sent."""


def push(
    model: Path | str,
    repo: str,
    *,
    license: str,
    private: bool = False,
    samples: Sequence[Path | str] = (),
    portraits: bool = False,
    to: str | None = None,
    metrics: Path | str | None = None,
    datasets: Sequence[str] = (),
    message: str | None = None,
) -> Pushed:
    """Sends a translator folder to a hub, in one commit; the repository is made if it is not there.

    Args:
        model: The folder of a run, or of a translator.
        repo: ``user/name``.
        license: As the hub abbreviates it: mit, apache-2.0, cc-by-4.0, other.
        private: Only its owner may read it. One that is there and public is refused.
        samples: Images to translate for the card. They are shown there, cut square, small, without what the files
            tell besides.
        portraits: Show built-in portraits instead.
        to: Where the samples are translated to; see :meth:`Translator.direction`.
        metrics: A JSON file of figures, which become a table on the card.
        datasets: The hub's names of the data that it was trained on.
        message: Of the commit.

    Raises:
        ConfigError: Something that was asked for cannot be; nothing has been sent.
        CheckpointError: There is no whole translator.
        HubError: The hub refuses, or cannot be reached.
        MissingExtra: huggingface_hub is not installed.
    """
    repo = repo.removeprefix(hub.PREFIX)
    hub.check_name(repo)
    _check(license, samples, portraits)
    client = need("huggingface_hub", "hub")
    if client.get_token() is None:
        raise HubError(
            f"There is no token for {hub.endpoint()}: make one there, under settings, with the right to write; then: "
            "hf auth login"
        )
    with TemporaryDirectory(prefix="viceversa-") as name:
        folder = Path(name)
        figures = None if metrics is None else read_figures(Path(metrics))
        # A copy: the training that writes this folder may be going on.
        shutil.copyfile(find_weights(Path(model)), folder / WEIGHTS_FILE)
        config, _ = read_translator(folder / WEIGHTS_FILE)
        made = sample_picture(load(folder, "cpu"), samples, portraits=portraits, to=to)
        if made is not None:
            images.save(made[0], folder / PICTURE_FILE)
        publication = Publication(
            repo=repo,
            license=license,
            datasets=datasets,
            picture=None if made is None else (PICTURE_FILE, made[1]),
            figures=figures,
        )
        (folder / CONFIG_FILE).write_text(config_to_json(config), "utf-8", "replace")
        (folder / CARD_FILE).write_text(model_card(config, publication), "utf-8")
        about = message or f"{config.method}, {config.images} images"
        with hub.refusals(repo, writing=True):
            return _send(client, folder, repo, private, about)


def _send(client: Any, folder: Path, repo: str, private: bool, message: str) -> Pushed:
    api = client.HfApi(endpoint=hub.endpoint(), library_name="viceversa")
    api.create_repo(repo, private=private or None, exist_ok=True)
    if private and not api.model_info(repo).private:
        raise HubError(
            f"{repo} is there already and public, and nothing was sent: make it private at "
            f"{hub.endpoint()}/{repo}/settings first."
        )
    files = sorted(path.name for path in folder.iterdir())
    operations = [client.CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name) for name in files]
    if PICTURE_FILE not in files and PICTURE_FILE in api.list_repo_files(repo):
        operations.append(client.CommitOperationDelete(path_in_repo=PICTURE_FILE))  # of a push before this one
    api.create_commit(repo, operations, commit_message=message)
    return Pushed(url=f"{hub.endpoint()}/{repo}", files=tuple(files))


def _check(license: str, samples: Sequence[Path | str], portraits: bool) -> None:
    if not license.strip():
        raise ConfigError(
            "Say what others may do with the model: --license mit, apache-2.0, cc-by-4.0, cc-by-nc-4.0, openrail, other"
        )
    if samples and portraits:
        raise ConfigError("--sample and --avatars are two different images; give one of them.")
    if len(samples) > _MOST_SAMPLES:
        raise ConfigError(f"The card shows at most {_MOST_SAMPLES} images; got {len(samples)}.")


def sample_picture(
    model: Translator | Sampler, samples: Sequence[Path | str], *, portraits: bool, to: str | None
) -> tuple[images.Array, str] | None:
    """The card's image ``(H, W, 3)`` and what it shows; None if nothing was given to translate."""
    side = min(max(*sizes.sides(model.size_px), _SMALLEST_PX), _LARGEST_PX)
    if isinstance(model, Sampler):
        if samples or portraits or to is not None:
            raise ConfigError("This model makes images from noise and translates none: leave --sample, --avatars and "
                              "--to out; the card shows what it makes.")  # fmt: skip
        if model.channels not in (1, 3):
            return None
        made = [images.fit_square(picture, side) for picture in model.arrays(model.latents(4 * _MOST_SAMPLES))]
        return images.grid([made[first : first + 8] for first in range(0, len(made), 8)]), "Images made from noise"
    pairs = list(_portraits(model, side, to) if portraits else _given(model, samples, side, to))
    if not pairs:
        return None
    rows = [[images.fit_square(picture, side) for picture in row] for row in zip(*pairs, strict=True)]
    above = "built-in portraits" if portraits else "what was given"
    return images.grid(rows), f"Above {above}, below what the model made of them"


def _given(
    model: Translator, samples: Sequence[Path | str], side: int, to: str | None
) -> Iterator[tuple[images.Array, images.Array]]:
    model.direction(to)
    for path in samples:
        picture = images.fit_square(images.read(path), side)
        yield picture, _translated(model, picture, to)


def _portraits(model: Translator, side: int, to: str | None) -> Iterator[tuple[images.Array, images.Array]]:
    """Women for domain a, men for b, or whatever portraits a domain has the name of."""
    directions = model.directions if to is None else (model.direction(to),)
    named: dict[str, avatars.Domain] = {"women": "women", "men": "men", "photo": "photo", "anime": "anime"}
    usual: dict[str, avatars.Domain] = {"a": "women", "b": "men"}
    for direction in directions:
        domain = named.get(model.domains[direction[0]], usual[direction[0]])
        for seed in range(_FIRST_PORTRAIT, _FIRST_PORTRAIT + _MOST_SAMPLES // len(directions)):
            picture = np.asarray(avatars.draw(avatars.Identity.from_seed(seed), domain, side))
            yield picture, _translated(model, picture, direction[-1])


def _translated(model: Translator, picture: images.Array, to: str | None) -> images.Array:
    return images.from_pil(model(Image.fromarray(picture), to))
