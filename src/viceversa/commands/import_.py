"""viceversa import."""

from pathlib import Path
from typing import Annotated, Literal

import tyro


def run(
    file: Annotated[Path, tyro.conf.Positional],
    /,
    out: Annotated[Path, tyro.conf.arg(metavar="MODEL")],
    to: Literal["a", "b"] = "b",
    back: Path | None = None,
    a: str = "A",
    b: str = "B",
) -> int:
    """Makes a translator folder from a published .pth; the network is recognised from its keys and shapes.

    Args:
        file: A generator's weights, such as latest_net_G_A.pth.
        out: The translator folder to make.
        to: The domain that FILE translates to.
        back: The weights of the other direction, if you have them, such as latest_net_G_B.pth.
        a: A name for domain A, such as horses.
        b: A name for domain B, such as zebras.
    """
    from viceversa.inference.published import import_files
    from viceversa.inference.translator import load

    files = {"a2b": file} if to == "b" else {"b2a": file}
    if back is not None:
        files["b2a" if to == "b" else "a2b"] = back
    import_files(files, out, domains={"a": a, "b": b})
    for direction, network in load(out, "cpu").networks.items():
        print(f"{direction}: {network.config}")
    print(f"Written to {out}; use it with: viceversa translate {out} PICTURE --out FOLDER")
    return 0
