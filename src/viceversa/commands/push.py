"""viceversa push."""

from pathlib import Path
from typing import Annotated

import tyro

Samples = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE...", help_behavior_hint="(default: none)")]
Datasets = Annotated[tuple[str, ...], tyro.conf.arg(metavar="USER/NAME...", help_behavior_hint="(default: none)")]


def run(
    model: Annotated[Path, tyro.conf.Positional],
    repo: Annotated[str, tyro.conf.Positional],
    /,
    license: Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="(required)")] = "",
    private: bool = False,
    sample: Samples = (),
    avatars: bool = False,
    to: str | None = None,
    metrics: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None,
    dataset: Datasets = (),
    message: str | None = None,
) -> int:
    """Sends a model to the hub, in one commit: weights, config, and a card that says what it is.

    Images of the training data are never sent: they belong to somebody. The card of a translator shows an image
    only if you give some with --sample, or with --avatars; that of a model from noise shows what it makes.

    Log in first (hf auth login), or set HF_TOKEN.

    Args:
        model: The folder of a run, or of a translator.
        repo: The repository: user/name. It is made if it is not there.
        license: What others may do with it, as the hub calls it: mit, apache-2.0, cc-by-4.0, other ...
        private: Only you may read it.
        sample: Up to 8 images that you may publish. They are shown on the card beside their translations.
        avatars: Show built-in portraits and their translations.
        to: The domain to translate these to: a, b, or its name.
        metrics: Figures for the card, from the JSON of an evaluation.
        dataset: The hub's data sets that it was trained on.
        message: Of the commit.
    """
    from viceversa.inference.pushing import PICTURE_FILE
    from viceversa.inference.pushing import push as send

    done = send(
        model, repo, license=license, private=private, samples=sample, portraits=avatars, to=to, metrics=metrics,
        datasets=dataset, message=message,
    )  # fmt: skip
    print(f"{done.url}: {', '.join(done.files)}")
    if PICTURE_FILE not in done.files:
        print("The card has no image; one is made with --sample FILE... (that you may publish) or --avatars.")
    address = f"hf://{repo.removeprefix('hf://')}"
    print(f'Whoever may read it has it by: viceversa.load("{address}"), or {address} as MODEL of any command')
    return 0
