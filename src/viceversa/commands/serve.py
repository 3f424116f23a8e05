"""viceversa serve."""

from typing import Annotated

import tyro

from viceversa.commands._call import call

Served = Annotated[
    tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="MODEL...", help_behavior_hint="(required)")
]


def serve(arguments: list[str]) -> int:
    """Offer translators as a web page and an HTTP API."""
    from viceversa.serving.config import ServeConfig

    defaults = ServeConfig()

    def run(
        models: Served,
        /,
        config: Annotated[ServeConfig, tyro.conf.arg(name="")] = defaults,
    ) -> int:
        """Serves a web page at / and an API at /v1/translate, which /docs describes, until Ctrl-C or SIGTERM.

        Args:
            models: Folders of runs or of translators, or exported .onnx files; NAME=PATH gives a name to one.
            config: Where, and how much.
        """
        from viceversa.serving.server import serve

        return serve(models, config)

    return call("serve", run, arguments, imports=True)
