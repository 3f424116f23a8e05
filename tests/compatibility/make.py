"""Make the files beside it with the code of commit b569b84, whose formats they keep: python make.py."""

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from viceversa import configure, load, train
from viceversa.inference.folder import save_translator
from viceversa.networks import CartoonConfig, CartoonGenerator, initialise

COMMON = {"size_px": 16, "width": 2, "batch": 2, "samples": 1, "log_every": 2, "device": "cpu", "precision": "32-true"}
DISCRIMINATOR = {"discriminator_width": 2, "discriminator_layers": 2}
RUNS = {
    "cyclegan": {"generator": "resnet", "blocks": 1, "images": 4, "pool": 2, **DISCRIMINATOR},
    "pix2pix": {"generator": "unet", "levels": 3, "images": 4, **DISCRIMINATOR},
    "dcgan": {"latent": 3, "discriminator_width": 2, "images": 4},
    "gan": {"latent": 3, "discriminator_width": 2, "images": 4},
}


def images() -> None:
    """Four images of noise for each of two domains, with the same names."""
    for side in "ab":
        Path("images", side).mkdir(parents=True)
        for number in range(4):
            noise = np.random.default_rng([ord(side), number]).integers(0, 256, (18, 18, 3), dtype=np.uint8)
            Image.fromarray(noise).save(f"images/{side}/{number}.png")


def main() -> None:
    """Finished runs, which can go on for more images, and what translators make of an image."""
    images()
    image = np.asarray(Image.open("images/a/0.png"))
    for method, settings in RUNS.items():
        from_noise = method in ("dcgan", "gan")
        data = {"root": "images/a"} if from_noise else {side: f"images/{side}" for side in "ab"}
        train(configure(method, out=method, cache="cache", **data, **COMMON, **settings), quiet=True)
        if not from_noise:
            Image.fromarray(load(method, device="cpu")(image)).save(f"{method}.png")
    cartoon = CartoonGenerator(CartoonConfig(width=2, blocks=1))
    initialise(cartoon, "kaiming", 1.0, torch.Generator().manual_seed(0))
    about = {"domains": {"a": "photos", "b": "cartoons"}, "size_px": 16, "images": 4}
    save_translator("cartoongan/translator", {"a2b": cartoon}, method="cartoongan", **about)
    Image.fromarray(load("cartoongan/translator", device="cpu")(image)).save("cartoongan.png")
    for path in Path().rglob("*"):  # what no later version reads
        if path.name.startswith("events.") or path.name in ("report.html", "timing.jsonl", "README.md"):
            path.unlink()
    shutil.rmtree("cache")
    for folder in Path().glob("*/samples"):
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
