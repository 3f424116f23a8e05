"""What the documents say is so: links lead somewhere, commands are taken, code runs, tables hold the real defaults."""

import dataclasses
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tyro
from PIL import Image

from viceversa import methods, recipes
from viceversa.cli import COMMANDS, main
from viceversa.config import TrainConfig
from viceversa.testing import check_generator, check_method

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LAUNCHERS = {
    "--standalone", "--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-endpoint",  # torchrun
    "--accelerator", "--devices",  # fabric run
    "--logdir",  # tensorboard
}  # fmt: skip


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every viceversa command in a page's shell blocks, after ``viceversa``, whoever starts it."""
    for line in "".join(blocks(page, "bash")).splitlines():
        words = shlex.split(line, comments=True)
        places = [index for index, word in enumerate(words) if word.rsplit("/", 1)[-1] == "viceversa"]
        if places:
            yield words[places[0] + 1 :]


ALL_COMMANDS = [(name(page), words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{name(page)} leads to {target}, which is not there"
        assert not anchor or anchor in headings(there), f"{name(page)} leads to {target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_are_there(page):
    """In backticks, with a folder: src/viceversa/ may be left out."""
    for path in re.findall(r"`((?:[\w.-]+/)+[\w.-]*\.(?:py|md|json))`", page.read_text()):
        if path.startswith("runs/") or "NAME" in path:
            continue
        assert (ROOT / path).exists() or (ROOT / "src" / "viceversa" / path).exists(), f"{name(page)} names {path}"


def test_there_are_commands_of_every_kind():
    assert {words[0] for _, words in ALL_COMMANDS} >= {"train", "translate", "import"}


@pytest.mark.parametrize(("page", "words"), ALL_COMMANDS, ids=[f"{p}: {' '.join(w)}" for p, w in ALL_COMMANDS])
def test_every_command_is_taken_by_the_command_line(page, words, capsys, own_code, tmp_path, monkeypatch):
    command, *arguments = words
    assert command in COMMANDS
    code = blocks(ROOT / "CONTRIBUTING.md", "python")
    if any(word.endswith(".py") for word in arguments):
        (tmp_path / "l1.py").write_text(code[0])
        (tmp_path / "my_method.py").write_text(blocks(ROOT / "docs/guides/own-methods.md", "python")[0])
        monkeypatch.chdir(tmp_path)
    if command == "train":
        data = parsed(arguments).method.data
        assert data.root or getattr(data, "builtin", None) or (data.a and data.b)
        return
    known = flags_in(shown(command, capsys=capsys))
    assert {word for word in arguments if word.startswith("--")} <= known


def parsed(arguments: list[str]) -> Any:
    if "--import" in arguments:  # done before the options are read
        place = arguments.index("--import")
        arguments = arguments[:place] + arguments[place + 2 :]
    method = methods.find(recipes.find(arguments[0]).method)
    flat = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
    return tyro.cli(TrainConfig[method.Config], args=arguments[1:], config=flat, console_outputs=False)


def shown(*command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    return capsys.readouterr().out


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text))


def test_no_page_mentions_a_flag_that_there_is_not(capsys):
    known = LAUNCHERS | {"--help", "--version", "--randomly-seed"}  # the last is of the tests
    for command in COMMANDS:
        known |= flags_in(shown(command, capsys=capsys)) if command != "train" else set()
    for method in methods.METHODS:
        known |= flags_in(shown("train", method, capsys=capsys))
    for benchmark in Path(__file__).parents[1].glob("benchmarks/*.py"):
        known |= set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', benchmark.read_text()))
    for page in PAGES:
        # The page on adding a method invents one, with flags of its own.
        text = re.sub(r"```python.*?```", "", page.read_text(), flags=re.DOTALL)
        assert flags_in(text) <= known, f"{name(page)}: {sorted(flags_in(text) - known)}"


def settings(config: Any) -> dict[str, Any]:
    """Every setting of a method by its name, with its default."""
    found: dict[str, Any] = {}
    for part in dataclasses.fields(config):
        value = getattr(config, part.name)
        found |= settings(value) if dataclasses.is_dataclass(value) else {part.name: value}
    return found


def words(value: Any) -> str:
    """A value as it is typed."""
    several = value if isinstance(value, tuple) else ()
    text = " ".join(one if isinstance(one, str) else f"{one:g}" for one in several)
    return text or ("none" if several == value else str(value))


# Where there is no default, and not any number will do.
CHOICES = {"bits": "8", "builtin": "digits", "channels": "1", "discriminator_norm": "none", "levels": "5"}
CHOICES |= {"pages": "first", "resample_a": "nearest", "resample_b": "nearest", "range_a": "-9 9", "range_b": "-9 9"}
CHOICES |= {"pair_suffix": "_A,_B", "generator_options": "depth=3", "discriminator_options": "depth=3"}
NEEDED = {"augment_d_adaptive": ["--augment-d", "color"]}
"""What else has to be given with a setting."""


@pytest.mark.parametrize("method", methods.METHODS)
def test_a_methods_page_lists_every_setting_with_its_default(method):
    page = ROOT / "docs" / "methods" / f"{method}.md"
    rows = re.findall(r"^\| `--([\w-]+)` \| `(\w+)` \| (\S+) \|", page.read_text(), re.MULTILINE)
    config = methods.find(method).Config()
    defaults = {key: words(value) for key, value in settings(config).items()}
    assert {key: default for _, key, default in rows} == defaults
    for flag, key, default in rows:
        switch = default in ("True", "False")
        given = "True" if switch else CHOICES.get(key, "999") if default == "None" or "_options" in key else default
        config = parsed([method, "--out", "x", *NEEDED.get(key, []), f"--{flag}", *([] if switch else given.split())])
        value = words(settings(config.method)[key])
        assert value.removesuffix(".0") == given.removesuffix(".0"), f"--{flag} does not set {key}"


@pytest.fixture
def women_and_men(tmp_path, monkeypatch) -> Path:
    for folder in ("women", "men"):
        (tmp_path / folder).mkdir()
        for index in range(3):
            pixels = np.random.default_rng([index, len(folder)]).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{index}.jpg")
    Image.new("RGB", (33, 21), "tan").save(tmp_path / "portrait.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_readmes_python_runs(women_and_men):
    (code,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line]) == 5
    small = "size_px=32, enlarge=True, images=4, width=4, discriminator_width=4, discriminator_layers=2, samples=1, "
    assert code.count("out=") == 1
    exec(compile(code.replace("out=", f"{small}out="), "README.md", "exec"), {})
    with Image.open(women_and_men / "new.jpg") as picture:
        assert picture.size == (33, 21)
    (code,) = blocks(ROOT / "docs" / "guides" / "own-pictures.md", "python")
    names: dict[str, Any] = {}
    exec(compile(code, "own-pictures.md", "exec"), names)
    assert np.array_equal(names["array"], np.asarray(names["picture"]))
    assert [picture.size for picture in names["several"]] == [(33, 21)] * 2


def test_the_readmes_commands_run(women_and_men):
    train_words, translate_words = list(commands(ROOT / "README.md"))
    small = "--size 32 --enlarge --images 4 --width 4 --discriminator-width 4 --discriminator-layers 2 --samples 1"
    assert main([*train_words, *small.split()]) == 0  # of a flag that is given twice, the last counts
    assert main(translate_words) == 0
    assert (women_and_men / "new.jpg").exists()


def test_the_make_targets_of_the_readme_exist():
    named = re.findall(r"^make (\w+)", "".join(blocks(ROOT / "README.md", "bash")), re.MULTILINE)
    assert named == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


def test_the_method_of_contributing_is_used_as_the_page_says(own_code, women_and_men, capsys):
    code, _ = blocks(ROOT / "CONTRIBUTING.md", "python")
    Path("l1.py").write_text(code)
    words, translate, *_ = commands(ROOT / "CONTRIBUTING.md")
    assert words[:2] == ["train", "l1.py"]
    small = [
        "--size=16", "--load-size=16", "--width=8", "--blocks=1", "--learning-rate=0.002", "--device=cpu",
        "--samples=1", "--log-every=6", "--no-mirror", "--hold-out=0",
    ]  # fmt: skip
    assert main([*words, *small, "--images=30"]) == 0
    assert main([*words, *small, "--images=60"]) == 0
    out = Path(words[words.index("--out") + 1])
    lines = [line for line in (out / "metrics.jsonl").read_text().splitlines() if "losses" in line]
    first, last = (float(re.findall(r'"l1": ([\d.e-]+)', line)[0]) for line in (lines[0], lines[-1]))
    assert last < 0.8 * first
    assert main(translate) == 0
    assert "--lambda-l1" in shown("train", "l1.py", capsys=capsys)
    assert main(["methods", "--import", "l1.py"]) == 0
    assert "paired translation by distance alone" in capsys.readouterr().out
    check_method("l1.py", skip=["updates_train_their_group", "resumes_in_bfloat16"])  # shown of a subclass elsewhere


def test_the_generator_of_contributing_is_used_as_the_page_says(own_code, women_and_men):
    _, code = blocks(ROOT / "CONTRIBUTING.md", "python")
    Path("plain.py").write_text(code)
    *_, words, translate = commands(ROOT / "CONTRIBUTING.md")
    small = "--size=16 --load-size=16 --width=4 --discriminator-layers=1 --device=cpu --samples=1 --images=2"
    assert main([*words, *small.split()]) == 0
    assert main(translate) == 0
    with Image.open("new.jpg") as image:
        assert image.size == (33, 21)
    check_generator("plain", skip=["is_kept_and_applied"])  # it was just now


def test_the_code_of_contributing_follows_the_house_style(tmp_path):
    for number, code in enumerate(blocks(ROOT / "CONTRIBUTING.md", "python")):
        (tmp_path / f"code_{number}.py").write_text(code)
    ruff = [sys.executable, "-m", "ruff"]
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [*ruff, *words, "--config", ROOT / "pyproject.toml", tmp_path], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
