"""What the guides say to type: their shell commands and their Python, in order, and what a test changes of it."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viceversa import methods, recipes
from viceversa.config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs/guides").glob("*.md")), *sorted((ROOT / "docs/recipes").glob("*.md"))]
RUN, SHOWN = {"bash", "python"}, {"", "text", "ini", "dockerfile"}
"""Languages of blocks that are run, and of those that are not: what is printed, what lies where, files of others."""

NOT_RUN = {
    "pip install": "needs a network; the tests run where all of it is installed",
    "npm install onnxruntime-web": "needs a network; its folder is laid out beforehand",
    "hf auth login": "asks a person for a token; the stand-in's is in HF_TOKEN",
    "--inception download": "fetches 96 MB",
    "--inception pt_inception": "needs those 96 MB; tests/evaluation/test_inception.py draws weights of that layout",
    "fabric run": "tests/training/test_launchers.py starts it this way",
    "torchrun --standalone": "tests/contract/test_processes.py starts processes this way; the guide's next line is run",
    "from ray import serve": "needs ray; test_serving_elsewhere.py runs it where ray is installed",
    "benchmarks/family.py": "trains six methods for half an hour, three times",
    "benchmarks/inference.py": "times eight ways to compute, some of which take long to begin",
}
"""Parts of commands that are not run, and why. One that no guide has any more fails a test."""

EXIT_CODES = {"viceversa inspect faces --strict --json faces.json": 1}  # it warns, rightly, of so few images

SMALL = {
    "size_px": 32, "width": 4, "blocks": 1, "discriminator_width": 4, "discriminator_layers": 2, "hidden": 8,
    "discriminator_hidden": 8, "init_images": 2, "samples": 1, "sample_pictures": 1,
    "device": "cpu", "precision": "32-true",
}  # fmt: skip
"""Of a flag that is given twice the last counts: so a training that takes hours takes a second."""


@dataclass(frozen=True)
class Step:
    """A command, or a block of Python."""

    language: str
    text: str


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def steps(page: Path) -> list[Step]:
    """All that a page says to run, in order."""
    found = []
    for language, text in blocks(page):
        if language == "python":
            found.append(Step(language, text))
        if language == "bash":
            lines = text.replace("\\\n", " ").splitlines()
            found += [Step(language, line) for line in lines if line.strip() and not line.startswith("#")]
    return found


def reason_not_to_run(step: Step) -> str | None:
    return next((why for part, why in NOT_RUN.items() if part in step.text), None)


def shortened(command: str) -> str:
    """A training's command, whoever starts it, with the settings of `SMALL` that its method has."""
    found = re.search(r"\bviceversa train (\S+)", command)
    if not found:
        return command
    method = methods.find(recipes.find(found[1]).method)
    has = _settings(TrainConfig(method=method.Config(), out=Path()))
    flags = [f"--{name.removesuffix('_px').replace('_', '-')} {value}" for name, value in SMALL.items() if name in has]
    if "--minutes" in command:
        return " ".join([command, *flags, "--minutes", "0.005"])
    # Who asks for more images than are planned goes on for longer, and does so here too.
    return " ".join([command, *flags, "--images", "6" if "--images" in command else "4"])


def _settings(config: Any) -> set[str]:
    parts = {part.name: getattr(config, part.name) for part in dataclasses.fields(config)}
    return set(parts).union(*(_settings(value) for value in parts.values() if dataclasses.is_dataclass(value)))
