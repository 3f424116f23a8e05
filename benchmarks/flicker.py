"""How much videos flicker: by how much more they change from frame to frame than the first one does.

python benchmarks/flicker.py clip.mp4 new.mp4 smoothed.mp4
"""

import argparse
from pathlib import Path

import av
import numpy as np


def change(path: Path) -> float:
    """The mean absolute difference from frame to frame, in levels of 255."""
    before, found = None, []
    with av.open(str(path)) as video:
        for frame in video.decode(video=0):
            pixels = frame.to_ndarray(format="rgb24").astype(np.int16)
            if before is not None:
                found.append(np.abs(pixels - before).mean())
            before = pixels
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, help="what was translated")
    parser.add_argument("translations", type=Path, nargs="+")
    arguments = parser.parse_args()
    own = change(arguments.video)
    print(f"{arguments.video}: changes by {own:.2f} levels a frame")
    for path in arguments.translations:
        print(f"{path}: changes by {change(path):.2f}, flicker {change(path) - own:+.2f}")


if __name__ == "__main__":
    main()
