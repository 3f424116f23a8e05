"""Held-out L1 of a pix2pix run, beside two baselines that anybody has for nothing.

    python benchmarks/paired_l1.py runs/facades

Mean absolute error to the truth over the held-out pairs, in grey levels (0 to 255), of the translator's output, of the
mean of all target images that were trained on, and of the input itself.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from viceversa import load
from viceversa.config import from_json
from viceversa.data.images import to_uint8


def main() -> None:
    """Prints the three errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    config = from_json((run / "config.json").read_text(), run)
    pictures = config.method.data.open(config.seed, "cpu")
    source, target = pictures.held_out()
    outputs = to_uint8(load(run, "cpu")(source))
    truth = to_uint8(target)
    trained_on = [pictures.batch(torch.tensor([position]))[1] for position in range(pictures.epoch_images)]
    mean = to_uint8(torch.cat(trained_on).mean(0, keepdim=True))
    candidates = {"translator": outputs, "mean image": mean, "input itself": to_uint8(source)}
    print(f"{len(truth)} pairs ({pictures.held_out_kind}), mean absolute error in grey levels:")
    for name, guess in candidates.items():
        error = np.abs(guess.astype(np.int16) - truth).mean()
        print(f"  {name:<14}{error:6.2f}")


if __name__ == "__main__":
    main()
