"""The commands of docs/recipes/photo-anime.md, as written, from a film and a folder to the page; only smaller."""

import re
import shlex
from pathlib import Path

import pytest

from viceversa.cli import main

PAGE = Path(__file__).parents[2] / "docs/recipes/photo-anime.md"
SHORT = "--samples 1 --sample-pictures 1 --device cpu --precision 32-true"
SMALL = f"--size 32 --width 2 --blocks 1 --discriminator-width 2 {SHORT}"
SMALLER = {
    "prepare": "--size 32",
    "vgg": f"--size 32 --width 2 --images 64 {SHORT}",
    "photo-anime": f"{SMALL} --images 4",
    "photo-anime-cartoongan": f"{SMALL} --images 6 --init-images 2",
    "compare": "--pictures 2 --resamples 4 --device cpu",
}


def test_from_a_film_to_the_comparison(tmp_path, film_writer, make_view, monkeypatch):
    pytest.importorskip("torchmetrics", reason="needs the extra evaluate")
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for seed in range(24):
        Image.fromarray(make_view(1000 + seed)).save(tmp_path / f"photos/{seed}.png")
    frames = [make_view(seed)[:, 2 * step :][:, :200] for seed in range(16) for step in range(12)]
    film_writer(tmp_path / "film.mkv", frames)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (block,) = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    lines = [shlex.split(line)[1:] for line in block.splitlines()]
    assert [words[0] for words in lines] == ["prepare", "prepare", "train", "train", "train", "compare"]
    for words in lines:
        kind = words[1] if words[0] == "train" else words[0]
        assert main([*words, *SMALLER[kind].split()]) == 0, words
    page = Path("page.html").read_text()
    assert "cyclegan" in page
    assert "cartoongan" in page
    assert not re.search(r"(src|href)=.http", page)
