"""How long `viceversa inspect` takes for many images, and how much memory: made-up JPEGs, measured in a new process.

python benchmarks/data_doctor.py --pictures 10000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

MEASURED = """
import json, resource, sys, time
from pathlib import Path
from viceversa.preparation.doctor import examine, to_html, to_text
begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
diagnosis = examine(Path(sys.argv[1]))
looked = time.perf_counter() - begun
page = to_html(diagnosis)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "images": len(diagnosis.inspected.pictures),
    "seconds": round(looked, 1),
    "seconds_of_the_page": round(time.perf_counter() - begun - looked, 1),
    "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
    "megabytes_of_python_and_libraries": round(before / 1024),
    "megabytes_at_most": round(usage.ru_maxrss / 1024),
    "page_megabytes": round(len(page) / 1e6, 1),
    "findings": [finding.code for finding in diagnosis.findings],
}))
"""


def write_pictures(root: Path, count: int, side_px: int) -> None:
    """Unlike images of soft colours under grain, half of them in trainA/ and half in trainB/."""
    random = np.random.default_rng(0)
    grain = random.integers(-12, 13, (2 * side_px, 2 * side_px, 3), dtype=np.int16)
    for domain in "AB":
        (root / f"train{domain}").mkdir(parents=True)
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize((side_px, side_px), Image.Resampling.BICUBIC), np.int16)
        top, left = random.integers(0, side_px, 2)
        grained = np.clip(picture + grain[top : top + side_px, left : left + side_px], 0, 255).astype(np.uint8)
        Image.fromarray(grained).save(root / f"train{'AB'[number % 2]}" / f"{number:06}.jpg", quality=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "made-up")
        begun = time.perf_counter()
        write_pictures(root, options.pictures, options.size)
        print(f"wrote {options.pictures} images in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        done = subprocess.run([sys.executable, "-c", MEASURED, root], capture_output=True, text=True, check=True)
    for name, value in json.loads(done.stdout).items():
        print(f"{name.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    main()
