"""viceversa serve."""

from typing import Annotated

import tyro

from viceversa.serving.config import ServeConfig

Served = Annotated[
    tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="MODEL...", help_behavior_hint="(required)")
]
_DEFAULTS = ServeConfig()


def run(
    models: Served,
    /,
    config: Annotated[ServeConfig, tyro.conf.arg(name="")] = _DEFAULTS,
) -> int:
    """Serves a web page at / and an API at /v1/translate, which /docs describes, until Ctrl-C or SIGTERM.

    Args:
        models: Folders of runs or of translators, or exported .onnx files; NAME=PATH gives a name to one.
        config: Where, and how much.
    """
    from viceversa.serving.server import serve

    return serve(models, config)
