"""Models beside each other: what is on the page, who is called better, and what cannot be compared."""

import base64
import hashlib
import html
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import viceversa
from viceversa import bfloat16
from viceversa.cli import main
from viceversa.data.pictures import hold_out
from viceversa.data.sources import UnpairedData
from viceversa.data.values import Values
from viceversa.errors import ConfigError
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.compared import Compared, differences, open_all
from viceversa.evaluation.comparison_page import clearly_best
from viceversa.evaluation.held_out import Use, by_all
from viceversa.evaluation.image_sets import image_sets
from viceversa.inference.folder import save_translator
from viceversa.networks import (
    DCGANGenerator,
    DCGANGeneratorConfig,
    ResNetConfig,
    ResNetGenerator,
    UNetConfig,
    UNetGenerator,
    initialise,
)

SIDE = 16
HOSTILE = "</script><script>alert(1)</script>{{script}}"


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Reddish and bluish images: unpaired, and as pairs side by side in pairs/."""
    folder = tmp_path_factory.mktemp("pictures")
    for part, count, seed in ("train", 20, 0), ("test", 8, 10):
        coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
        coarse[..., 2] //= 3
        (folder / "pairs" / part).mkdir(parents=True)
        for domain in "AB":
            (folder / f"{part}{domain}").mkdir()
        for index, red in enumerate(coarse):
            a, b = (Image.fromarray(np.ascontiguousarray(one)).resize((SIDE, SIDE)) for one in (red, red[..., ::-1]))
            a.save(folder / f"{part}A" / f"{index:02}.png")
            b.save(folder / f"{part}B" / f"{index:02}.png")
            both = np.concatenate([np.asarray(a), np.asarray(b)], axis=1)
            Image.fromarray(both).save(folder / "pairs" / part / f"{index:02}.png")
    return folder


@pytest.fixture(scope="module")
def runs(tiny, root, tmp_path_factory) -> tuple[Path, Path]:
    """Two tiny runs on the same images, one named anew by its data, that differ in width and cycle weight."""
    out = tmp_path_factory.mktemp("runs")
    common = {"root": root, "a": None, "b": None, "load_size_px": SIDE}
    first = tiny("cyclegan", out / "first", **common, name_a="red", name_b="blue")
    second = tiny("cyclegan", out / "second", **common, width=6, lambda_cycle=5.0)
    for config in first, second:
        assert viceversa.train(config, quiet=True).finished
    return out / "first", out / "second"


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """Translators of nobody knows what: unet/ and resnet/ to b, back/ to a; and noise/, a sampler."""
    out = tmp_path_factory.mktemp("bare")
    unet = UNetGenerator(UNetConfig(width=4, levels=2))
    resnet = ResNetGenerator(ResNetConfig(width=4, blocks=1))
    noise = DCGANGenerator(DCGANGeneratorConfig(size_px=16, width=4, latent=3))
    for name, direction, network, size in (
        ("unet", "a2b", unet, 12),
        ("resnet", "a2b", resnet, SIDE),
        ("back", "b2a", resnet, SIDE),
        ("large", "a2b", resnet, 2 * SIDE),
        ("noise", "z2a", noise, SIDE),
    ):
        initialise(network, "normal", 0.1, torch.Generator().manual_seed(1))
        domains = {"a": "A"} if name == "noise" else {"a": "A", "b": "B"}
        save_translator(out / name, {direction: network}, method="test", domains=domains, size_px=size, images=5)
    return out


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory) -> str:
    """Of the two runs, by the command."""
    before = fingerprint(*runs)
    out = tmp_path_factory.mktemp("page") / "page.html"
    arguments = ["compare", runs[0], f"{HOSTILE}={runs[1]}", "--out", out, "--pictures", "3", "--resamples", "9"]
    assert main([str(argument) for argument in arguments]) == 0
    assert fingerprint(*runs) == before  # the runs are left as they are
    return out.read_text()


def fingerprint(*folders: Path) -> dict[Path, str]:
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def shown(page: str, alt: str) -> np.ndarray:
    (uri,) = re.findall(rf'<img src="data:image/png;base64,([^"]+)"[^>]* alt="{re.escape(alt)}"', page)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))))


def rows(page: str, section: str) -> dict[str, list[str]]:
    """The texts of a section's table by the title of the row."""
    (part,) = re.findall(rf'<section id="{section}">.*?</section>', page, re.DOTALL)
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', part, re.DOTALL)
    plain = {title: re.findall(r"<td[^>]*>(.*?)</td>", cells, re.DOTALL) for title, cells in found}
    return {title: [re.sub(r"<[^>]+>", " ", cell).strip() for cell in cells] for title, cells in plain.items()}


def test_pictures_are_those_of_the_data_and_of_each_model(page, runs, root):
    given = np.asarray(Image.open(root / "testA" / "00.png"))
    assert (shown(page, "red 1: input") == given).all()
    ours = viceversa.load(runs[0])(given, to="b").astype(int)
    assert np.abs(shown(page, "red 1: first") - ours).max() <= 1  # convolutions of a batch round otherwise
    back = viceversa.load(runs[0])(np.asarray(Image.open(root / "testB" / "07.png")), to="a").astype(int)
    assert np.abs(shown(page, "blue 3: first") - back).max() <= 1
    assert page.count('<img src="data:') == 2 * 3 * 3  # directions, images, columns


def test_what_the_runs_recorded_is_told(page):
    facts = rows(page, "models")
    assert facts["Method"] == ["cyclegan", "cyclegan"]
    assert facts["Images seen in training"] == ["12 (0.6 epochs)"] * 2
    assert "width 4" in facts["Generator"][0]
    assert "width 6" in facts["Generator"][1]
    assert all(re.fullmatch(r"[\d.]+ s 20 images", cell) for cell in facts["Seconds an epoch"])
    assert all("B" in cell for cell in facts["Most memory in training"])
    assert all(cell.endswith("ms") for cell in facts["Translating one image, here"])
    assert "not known" not in str(facts)


def test_speed_in_training_leaves_evaluations_out(tiny, root, runs, tmp_path):
    settings = {"root": root, "a": None, "b": None, "load_size_px": SIDE, "images": 24, "evaluate_every": 12}
    assert viceversa.train(tiny("cyclegan", tmp_path / "run", **settings), quiet=True).finished
    model = open_all([tmp_path / "run", runs[0]], "cpu")[0]
    clock = [json.loads(line) for line in (tmp_path / "run" / "timing.jsonl").read_text().splitlines()]
    steps = np.diff([line["seconds"] for line in clock]) / np.diff([line["images"] for line in clock])
    assert steps.max() > 2 * np.median(steps), "an evaluation is between two lines"
    assert model.images_per_second == pytest.approx(1 / np.median(steps))
    assert model.images_per_second > 24 / model.training_seconds


def test_speed_in_training_is_of_cartoongans_second_phase(tiny, runs, tmp_path):
    assert viceversa.train(tiny("cartoongan", tmp_path / "run", init_images=8), quiet=True).finished
    clock = [{"images": images, "seconds": images if images <= 8 else 8 + 5 * (images - 8)} for images in range(1, 13)]
    (tmp_path / "run" / "timing.jsonl").write_text("".join(json.dumps(line) + "\n" for line in clock))
    model = open_all([tmp_path / "run", runs[0]], "cpu")[0]
    assert model.images_per_second == pytest.approx(1 / 5)


def test_only_settings_that_differ_are_listed(page):
    settings = rows(page, "settings")
    assert settings["--lambda-cycle"] == ["10", "5"]
    assert settings["--width"] == ["4", "6"]
    assert "--batch" not in settings
    assert "--out" not in settings


def test_figures_have_intervals_and_what_they_are_to_be_compared_with(page):
    figures = rows(page, "figures")  # of the second direction, which comes later
    distance = figures["Kernel distance ↓"]
    assert len(distance) == 4
    assert all(re.match(r"-?[\d.]+ ?-?[\d.]+ – -?[\d.]+", cell) for cell in distance)
    assert float(distance[3].split()[0]) < float(distance[2].split()[0])  # real images, doing nothing
    assert "Distances are by features of" in page


def test_names_from_outside_are_text(page):
    assert HOSTILE not in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{script}}" in page
    assert page.count("<script>") == 1
    quoted = re.findall(r'\b(?:src|href)="([^"]*)"', page)
    assert quoted
    assert all(address.startswith("data:") for address in quoted)


def test_bare_translators_on_pairs(bare, root, tmp_path):
    found = viceversa.compare(
        {"U": bare / "unet", "R": bare / "resnet"}, root / "pairs", out=tmp_path / "page.html", pictures=2, resamples=9
    )
    page = (tmp_path / "page.html").read_text()
    (sheet,) = found.sheets
    assert [title for title, _ in sheet.columns] == ["input", "truth", "U", "R"]
    assert (sheet.columns[1][1] == sheet.columns[0][1][..., ::-1]).all()
    assert sheet.columns[0][1].shape == (2, SIDE, SIDE, 3)  # the larger of the two sizes
    assert any("U was trained at 12 px" in text for text in found.warnings)
    assert sum("not known what" in text for text in found.warnings) == 2
    assert rows(page, "models")["Seconds an epoch"] == ["not known"] * 2
    assert rows(page, "models")["Images seen in training"] == ["5"] * 2
    assert "L1 to the truth ↓" in rows(page, "figures")
    assert "none are known" in page


def test_pictures_are_enlarged_for_a_model_that_is_larger_than_the_runs(runs, bare, root, tmp_path):
    found = viceversa.compare([runs[0], bare / "large"], root, out=tmp_path / "page.html", to="b", resamples=0)
    assert found.sheets[0].columns[0][1].shape == (8, 2 * SIDE, 2 * SIDE, 3)
    assert f"first was trained at {SIDE} px, and is used at {2 * SIDE} px." in found.warnings


def test_an_onnx_file_takes_part(bare, root, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra export")
    pytest.importorskip("onnx", reason="needs the extra export")
    from viceversa.inference.onnx.export import export

    export(bare / "resnet", tmp_path / "resnet.onnx")
    found = viceversa.compare(
        [bare / "resnet", tmp_path / "resnet.onnx"], root / "pairs", out=tmp_path / "page.html", resamples=0
    )
    one, other = (dict(found.sheets[0].columns)[name].astype(int) for name in ("resnet", "resnet.onnx"))
    assert np.abs(one - other).max() <= (12 if bfloat16.pays("cpu") else 2)
    assert [model.generator_weights is None for model in found.models] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{bare}/unet"], "takes two or more models; got 1"),
        (["{bare}/unet", "{bare}/noise", "--data", "{root}"], "use: viceversa sample"),
        (["{bare}/unet", "{bare}/back", "--data", "{root}"], "no direction in common (unet: a2b; back: b2a)"),
        (["{bare}/unet", "{first}", "--to", "a"], "unet: This translator does not lead to 'a'"),
        (["{bare}/unet", "{bare}/resnet"], "--data, or two folders with --a and --b"),
        (["{bare}/unet", "{bare}/resnet", "--data", "{root}/none"], "none"),
        (["{bare}/unet", "{bare}/none"], "There is no folder"),
        (["{bare}/unet", "{first}", "--pictures", "0"], "1 or more --pictures"),
    ],
)
def test_mistakes_are_sentences_and_nothing_is_written(bare, root, runs, tmp_path, capsys, arguments, says):
    places = {"bare": bare, "root": root, "first": runs[0]}
    arguments = [argument.format(**places) for argument in arguments]
    assert main(["compare", *arguments, "--out", str(tmp_path / "page.html")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("viceversa: ")
    assert says in said.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_page_that_is_there_is_kept(runs, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("mine")
    with pytest.raises(ConfigError, match=r"is there already and was not written by viceversa compare; .*--overwrite"):
        viceversa.compare(runs, out=page)
    with pytest.raises(ConfigError, match=r"cannot be written: .*page.html is no folder"):
        viceversa.compare(runs, out=page / "page.html")
    assert page.read_text() == "mine"


def test_runs_on_different_pictures_need_to_be_told_on_which(runs, root, tiny, tmp_path):
    other = tiny("cyclegan", tmp_path / "other")
    assert viceversa.train(other, quiet=True).finished
    with pytest.raises(ConfigError, match=r"trained on different images \(first: .*; other: "):
        viceversa.compare([runs[0], tmp_path / "other"], out=tmp_path / "page.html")


def test_pictures_by_another_path_may_have_been_trained_on(runs, root, tmp_path):
    folders = {"a": root / "trainA", "b": root / "trainB"}
    found = viceversa.compare(runs, **folders, out=tmp_path / "page.html", pictures=2, resamples=0)
    assert sum("if on these too, its figures flatter" in text for text in found.warnings) == 2
    shutil.copytree(root, tmp_path / "copy")
    found = viceversa.compare(runs, tmp_path / "copy", out=tmp_path / "other.html", pictures=2, resamples=0)
    assert sum("another folder than those it is measured on." in text for text in found.warnings) == 2


def test_names_are_made_unique_and_given_ones_are_taken(bare, runs):
    models = [bare / "unet", runs[0] / "translator", f"mine={runs[0]}", runs[0], runs[0]]
    names = [model.name for model in open_all(models, "cpu")]
    assert names[0] == "unet"
    assert names[2] == "mine"
    assert len(set(names)) == 5
    assert all("first" in name for name in (names[1], names[3], names[4]))


def test_settings_that_a_method_has_not_are_dashes(bare):
    translator = viceversa.load(bare / "unet")
    one, two, three = (
        Compared(name=name, path=bare, translator=translator, settings=settings)
        for name, settings in (("x", {"--batch": 1, "--pool": 50}), ("y", {"--batch": 1}), ("z", {}))
    )
    assert differences([one, two, three]) == {"--pool": ["50", "—", None]}


def test_only_who_is_surely_better_is_called_better():
    low, near, high = (Figure(value=v, low=v - 1, high=v + 1) for v in (3.0, 4.5, 9.0))
    assert clearly_best([high, low], lower=True) == 1
    assert clearly_best([high, low], lower=False) == 0
    assert clearly_best([low, near, high], lower=True) is None  # those of low and near overlap
    assert clearly_best([low, near, high], lower=False) == 2
    assert clearly_best([Figure(value=1), Figure(value=2)], lower=True) is None
    assert clearly_best([low], lower=True) is None


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    """40 images a domain without a test folder, the last third, as runs hold them out, smaller than others."""
    folder = tmp_path_factory.mktemp("mixed")
    names = [f"{index:02}.png" for index in range(40)]
    small = [name for name, kept in zip(names, hold_out(names, 26), strict=True) if not kept]
    drawn = np.random.default_rng(5).integers(0, 256, (80, 4, 4, 3), dtype=np.uint8)
    for domain, images in ("A", drawn[:40]), ("B", drawn[40:]):
        (folder / f"train{domain}").mkdir()
        for name, picture in zip(names, images, strict=True):
            side = SIDE if name in small else 2 * SIDE
            Image.fromarray(picture).resize((side, side)).save(folder / f"train{domain}" / name)
    return folder


def test_none_of_the_runs_has_trained_on_what_all_are_measured_on(mixed):
    """At another size a run holds out others: there are more images that are large enough."""
    small = UnpairedData(root=mixed, size_px=SIDE)
    large = UnpairedData(root=mixed, size_px=2 * SIDE)
    settings = UnpairedData(root=mixed, size_px=2 * SIDE, enlarge=True)
    opened = settings.open(0, "cpu")
    uses = [Use.of(each) for each in (small, large)]
    trained_on = uses[0].trained_on | uses[1].trained_on

    def held_out(pictures) -> list[Path]:
        """Of both domains, found by what is in them."""
        files = [(path, np.asarray(Image.open(path).resize((2 * SIDE,) * 2))) for path in sorted(mixed.rglob("*.png"))]
        kept = [picture for images in image_sets(pictures).test.values() for picture in images]
        return [min(files, key=lambda file: np.abs(file[1].astype(int) - one).sum())[0].resolve() for one in kept]

    assert trained_on.intersection(held_out(opened)), "else this shows nothing"
    shown, seen = by_all(opened, settings, {"small": small, "large": large})
    kept = held_out(shown)
    assert min(len(dataset.kept_rows) for dataset in (shown.a, shown.b)) >= 2
    assert not trained_on.intersection(kept)
    assert set(kept) <= uses[0].held_out | uses[1].held_out
    assert seen == {"small": 0, "large": 0}
    assert not {picture.tobytes() for picture in image_sets(shown).train["a"]} & {
        picture.tobytes() for picture in image_sets(shown).test["a"]
    }


def test_if_runs_held_out_nothing_in_common_the_page_says_who_was_trained_on_how_many(mixed, tiny, tmp_path):
    """Pairs are told apart by other names than single images, so a run on pairs holds out others."""
    common = {"root": mixed, "a": None, "b": None, "load_size_px": None, "size_px": SIDE, "hold_out": 2}
    configs = [tiny(method, tmp_path / method, **common) for method in ("cyclegan", "pix2pix")]
    for config in configs:
        assert viceversa.train(config, quiet=True).finished
    data = {method: config.method.data for method, config in zip(("cyclegan", "pix2pix"), configs, strict=True)}
    uses = {method: Use.of(given) for method, given in data.items()}
    pairs = {tuple(sorted(each for each in uses["pix2pix"].held_out if each.stem == stem)) for stem in
             {each.stem for each in uses["pix2pix"].held_out}}  # fmt: skip
    known = sum(not uses["cyclegan"].trained_on.isdisjoint(pair) for pair in pairs)
    assert known, "else this shows nothing"
    found = viceversa.compare([config.out for config in configs], out=tmp_path / "page.html", to="b", resamples=0)
    (said,) = [text for text in found.warnings if "was trained on" in text]
    assert said.startswith(f"cyclegan was trained on {known} of the 2 images that all are measured on")
    assert said in html.unescape((tmp_path / "page.html").read_text())


def test_models_of_different_ranges_of_values_are_not_compared(tmp_path, root):
    network = UNetGenerator(UNetConfig(width=4, levels=2))
    for name, values in ("ct", {"a": Values(low=-1000, high=1000)}), ("usual", None):
        save_translator(
            tmp_path / name, {"a2b": network}, method="test", domains={"a": "A", "b": "B"}, size_px=SIDE, images=5,
            values=values,
        )  # fmt: skip
    with pytest.raises(ConfigError, match="different ranges of values"):
        viceversa.compare([tmp_path / "ct", tmp_path / "usual"], root, out=tmp_path / "page.html")
