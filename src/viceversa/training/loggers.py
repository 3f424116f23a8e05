"""Where curves and sample sheets are shown besides the report: TensorBoard, Weights & Biases, both, or nowhere."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viceversa import privacy
from viceversa.config import TrainConfig, to_json
from viceversa.errors import ConfigError
from viceversa.extras import need
from viceversa.training.log import Board, replace_file

WANDB_FILE = "wandb.json"
"""Of a run folder: which run of Weights & Biases it is, so that a resumed run is shown as the same one."""
_PROJECT = "viceversa"


class Loggers:
    """Hands what it gets to several loggers, or to none."""

    def __init__(self, *loggers: "Board | WeightsAndBiases") -> None:
        self._loggers = loggers

    def __enter__(self) -> "Loggers":
        return self

    def __exit__(self, *_: object) -> None:
        for logger in self._loggers:
            logger.close()

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        """One point on each curve; a name such as ``losses/cycle`` puts it under a heading."""
        for logger in self._loggers:
            logger.scalars(images, values)

    def picture(self, images: int, picture: NDArray[np.uint8], name: str = "samples") -> None:
        """A sample sheet, uint8 ``(H, W, C)``."""
        for logger in self._loggers:
            logger.picture(images, picture, name)


class WeightsAndBiases:
    """A run of Weights & Biases, online or as ``WANDB_MODE`` says; a run folder has one, also when it is resumed.

    It gets the settings, the curves and the sample sheets, and nothing else of this machine.
    """

    def __init__(self, config: TrainConfig[Any]) -> None:
        """Begin the run, or go on with the one that the run folder names.

        Raises:
            ConfigError: It cannot be begun: there is no account, or no network.
            MissingExtra: The package is not installed.
        """
        wandb = _wandb()
        settings = wandb.Settings(
            console="off", disable_git=True, disable_code=True, x_disable_meta=True, x_disable_stats=True,
            x_save_requirements=False,
        )  # fmt: skip
        known = _known(config)
        try:
            self._run: Any = wandb.init(
                project=os.environ.get("WANDB_PROJECT", _PROJECT),
                name=config.out.resolve().name,
                id=known,
                resume="allow",
                dir=str(config.out),
                config=json.loads(to_json(config)),
                settings=settings,
            )
        except (wandb.errors.Error, OSError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise ConfigError(
                f"Weights & Biases cannot be logged to ({reason}). Run wandb login first, set WANDB_MODE=offline to "
                "upload later by wandb sync, or choose another --logger."
            ) from None
        if known is None:
            replace_file(config.out / WANDB_FILE, (json.dumps({"id": self._run.id}) + "\n").encode())
        self._image = wandb.Image
        self._run.define_metric("images")
        self._run.define_metric("*", step_metric="images")

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        """One point on each curve."""
        # By images, not by wandb's own steps, which only grow: a resumed run may log some of them a second time.
        self._run.log({"images": images, **values})

    def picture(self, images: int, picture: NDArray[np.uint8], name: str = "samples") -> None:
        """An image, uint8 ``(H, W, C)``."""
        self._run.log({"images": images, name: self._image(picture)})

    def close(self) -> None:
        """Wait until all is handed over."""
        self._run.finish()


def check(config: TrainConfig[Any]) -> None:
    """Look before anything is computed whether the logger that is asked for is installed.

    Raises:
        MissingExtra: It is not.
    """
    if config.logger in ("wandb", "both"):
        _wandb()


def opened(config: TrainConfig[Any], images: int) -> Loggers:
    """Open the loggers of ``config``, for a run that stands at ``images``; close them by leaving the context.

    Raises:
        ConfigError: Weights & Biases cannot be logged to.
    """
    wandb = [WeightsAndBiases(config)] if config.logger in ("wandb", "both") else []
    return Loggers(*wandb, *([Board(config.out, images)] if config.logger in ("tensorboard", "both") else []))


def _wandb() -> Any:
    os.environ.setdefault("WANDB_CACHE_DIR", str(privacy.user_folder() / "wandb"))
    return need("wandb", "wandb")


def _known(config: TrainConfig[Any]) -> str | None:
    try:
        name = json.loads((config.out / WANDB_FILE).read_bytes())["id"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) and name else None
