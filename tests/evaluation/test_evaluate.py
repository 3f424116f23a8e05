"""Evaluation of translators of which it is known how good they are, from callables up to the command."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import viceversa
from viceversa.cli import main
from viceversa.commands.evaluate import _MARK
from viceversa.data.images import fit_square
from viceversa.data.partners import Pairing
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.errors import CheckpointError, ConfigError, DataError
from viceversa.evaluation import features, translation
from viceversa.evaluation.compared import pairing_of
from viceversa.evaluation.evaluate import _settings
from viceversa.evaluation.frechet import frechet_distance
from viceversa.evaluation.image_sets import ImageSets, image_sets, open_pictures
from viceversa.evaluation.table import as_tables
from viceversa.evaluation.translation import measure, reference_statistics
from viceversa.networks import efficientnet
from viceversa.outputs import check_output

SIDE = 16


def reddish(count: int, seed: int) -> np.ndarray:
    """Blots, red more than blue."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    coarse[..., 2] //= 3
    return np.stack(
        [np.asarray(Image.fromarray(each).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for each in coarse]
    )


def swapped(x: torch.Tensor) -> torch.Tensor:
    """Red becomes blue: the truth, there and back."""
    return x.flip(1)


def same(x: torch.Tensor) -> torch.Tensor:
    return x


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Reddish and bluish images: unpaired in trainA ..., and pairs side by side in pairs/train, pairs/test."""
    folder = tmp_path_factory.mktemp("pictures")
    for part, count, seed in ("train", 40, 0), ("test", 24, 10):
        a, b = reddish(count, seed), reddish(count, seed + 1)[..., ::-1]
        (folder / "pairs" / part).mkdir(parents=True)
        for domain, images in ("A", a), ("B", b):
            (folder / f"{part}{domain}").mkdir()
            (folder / f"{part}{domain}" / "notes.md").touch()
            for index, picture in enumerate(images):
                Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"{part}{domain}" / f"{index:02}.png")
        for index, picture in enumerate(a):
            both = np.concatenate([picture, picture[..., ::-1]], axis=1)
            Image.fromarray(both).save(folder / "pairs" / part / f"{index:02}.png")
    return folder


@pytest.fixture(scope="module")
def unpaired(root):
    sets = image_sets(UnpairedData(root=root, size_px=SIDE, load_size_px=18, enlarge=True).open(0, "cpu"))
    classifier = features.domain_classifier(sets)
    return reference_statistics(sets, classifier, features.by_classifier(classifier))


@pytest.fixture(scope="module")
def run(tiny, root, tmp_path_factory) -> Path:
    """A tiny run that knows its data."""
    out = tmp_path_factory.mktemp("run") / "run"
    config = tiny("cyclegan", out, root=root, a=None, b=None, name_a="red", name_b="blue", load_size_px=16)
    assert viceversa.train(config, quiet=True).finished
    return out


def test_the_truth_is_far_better_than_nothing(unpaired):
    found = measure({"a2b": swapped, "b2a": swapped}, unpaired)
    assert min(found.judge_accuracy.values()) > 0.9
    assert found.judge_pictures == {"a": 40, "b": 40}
    for direction in found.directions:
        good, nothing, real = direction.translated, direction.untranslated, direction.real
        assert (direction.pictures, direction.reference) == (24, 40)
        assert good.frechet.value < 0.1 * nothing.frechet.value
        assert good.frechet.value < 3 * real.frechet.value
        assert good.kernel.value < 0.1 * nothing.kernel.value
        assert good.rate.low > 0.7 > 0.3 > nothing.rate.high
        assert good.cycle.value == 0
        assert good.edges.value > 0.5 > abs(real.edges.value), "other images of the domain keep nothing"
        assert good.truth_l1 is None
        assert nothing.ssim is None
    assert found.score == pytest.approx(np.mean([direction.translated.frechet.value for direction in found.directions]))
    assert measure({"a2b": same, "b2a": same}, unpaired, resamples=0).score > 10 * found.score


def test_noise_is_told_from_a_translation_whatever_its_figures(unpaired):
    def noise(x: torch.Tensor) -> torch.Tensor:
        return torch.rand(x.shape, generator=torch.Generator().manual_seed(3)) * 2 - 1

    def warnings(**translate) -> list[str]:
        return [note for note in measure(translate, unpaired, resamples=0, model="m").notes if "It is noise" in note]

    (one,) = warnings(a2b=noise, b2a=swapped)
    assert one.startswith("m, A to B: what comes out has no more edges in common")
    assert warnings(a2b=swapped, b2a=same) == []


@pytest.mark.skipif(not efficientnet.installed("lite2"), reason="needs pip install 'viceversa[features]'")
def test_what_is_worse_than_doing_nothing_is_called_so(unpaired, capsys, monkeypatch):
    """By features that nothing here was trained with; grain takes blots further from all blots."""
    statistics = reference_statistics(unpaired.sets, unpaired.classifier, features.best_of(unpaired.classifier))

    def grainy(x: torch.Tensor) -> torch.Tensor:
        return (x + 0.5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(3))).clamp(-1, 1)

    found = measure({"a2b": grainy, "b2a": swapped}, statistics, model="m")
    bad, good = found.directions
    assert bad.translated.frechet is None
    assert bad.translated.kernel.low > bad.untranslated.kernel.high
    assert good.translated.kernel.high < 0.2 * good.untranslated.kernel.low
    assert abs(good.real.kernel.value) < 0.1 * good.untranslated.kernel.value
    assert found.score == (bad.translated.kernel.value + good.translated.kernel.value) / 2
    assert found.notes[0].startswith("m, A to B: worse than doing nothing. Translations are further from images of B")
    assert f"(kernel distance {bad.translated.kernel.value:.2f})" in found.notes[0]
    assert not any("B to A: worse" in note or "too few for" in note for note in found.notes)
    monkeypatch.setenv("COLUMNS", "300")
    Console().print(as_tables(found))
    shown = capsys.readouterr().out
    assert "m, A to B: worse than doing nothing." in shown
    assert " * Distances are by features of EfficientNet-Lite2" in shown
    assert "Frechet" not in shown


def test_without_lite2_the_judges_features_do_and_say_so(unpaired, monkeypatch):
    monkeypatch.setattr(efficientnet, "installed", lambda _name: False)
    assert features.best_of(unpaired.classifier).name == "domain classifier"
    notes = measure({"a2b": same}, unpaired, resamples=0).notes
    assert any("pip install 'viceversa[features]'" in note for note in notes)


def test_sets_of_unequal_sizes_are_compared_at_equal_ones():
    """A Frechet distance is the larger the fewer images there are: many real ones would look better than a truth."""
    train = {"a": reddish(200, 0), "b": reddish(200, 1)[..., ::-1].copy()}
    test = {"a": reddish(16, 2), "b": reddish(160, 3)[..., ::-1].copy()}
    sets = ImageSets(train=train, test=test, domains={"a": "red", "b": "blue"}, kind="test", paired=False)
    classifier = features.domain_classifier(sets)
    statistics = reference_statistics(sets, classifier, features.by_classifier(classifier))
    found = measure({"a2b": swapped, "b2a": swapped}, statistics, resamples=0)
    assert (
        frechet_distance(statistics.reference["b"], statistics.test["b"])
        < found.directions[0].translated.frechet.value / 3
    )
    for direction, pictures in zip(found.directions, (16, 160), strict=True):
        assert (direction.pictures, direction.measured) == (pictures, 16)
        assert 0.4 < direction.translated.frechet.value / direction.real.frechet.value < 2.5
    assert any("16 images of each column" in note for note in found.notes)
    # Of what is no distance all images are taken.
    (one,) = measure({"b2a": swapped}, statistics).directions
    assert one.translated.rate.high - one.translated.rate.low < 0.15
    equal = reference_statistics(
        dataclasses.replace(sets, test={"a": test["a"], "b": test["b"][:16]}), classifier, statistics.extractor
    )
    assert not any("of each column" in note for note in measure({"a2b": same}, equal, resamples=0).notes)


@pytest.mark.parametrize("paired", [False, True])
def test_where_nothing_is_held_out_real_pictures_are_not_compared_with_themselves(root, paired):
    data = (PairedData if paired else UnpairedData)(a=root / "trainA", b=root / "trainB", size_px=SIDE, hold_out=0)
    sets = image_sets(data.open(0, "cpu"))
    assert sets.kind == "training"
    for domain in "ab":
        (train, test) = ({each.tobytes() for each in images[domain]} for images in (sets.train, sets.test))
        assert not train & test
        assert (len(train), len(test)) == (20, 20)
    assert [len(images) for images in image_sets(data.open(0, "cpu"), 5).test.values()] == [5, 5]


def test_a_translator_that_gives_no_numbers_is_not_measured(unpaired):
    """Rounded, they would be black images."""
    with pytest.raises(DataError, match="not finite"):
        measure({"a2b": lambda x: x / 0 * 0}, unpaired, resamples=0)


def test_one_way_models_have_no_way_back(unpaired):
    found = measure({"b2a": swapped}, unpaired, resamples=0)
    assert [direction.name for direction in found.directions] == ["b2a"]
    assert found.directions[0].translated.cycle is None
    assert found.directions[0].translated.frechet.low is None


def test_every_output_names_the_features_and_what_is_doubtful(unpaired):
    found = measure({"a2b": same}, unpaired, resamples=0)
    assert not found.published_fid
    assert "domain classifier trained here" in found.features
    assert "not the published FID" in found.features
    assert found.features in found.notes[0]
    assert any("24 images are too few for 64 features" in note for note in found.notes)
    assert json.loads(json.dumps(found.to_dict()))["directions"][0]["translated"]["ssim"]["value"] == pytest.approx(1)


def test_a_judge_that_guesses_is_called_poor():
    """Both domains hold images of one kind."""
    train, test = {"a": reddish(40, 0), "b": reddish(40, 1)}, {"a": reddish(40, 2), "b": reddish(40, 3)}
    sets = ImageSets(train=train, test=test, domains={"a": "one", "b": "other"}, kind="training", paired=False)
    classifier = features.domain_classifier(sets)
    assert 0.0 <= classifier.mean_accuracy < translation._POOR
    found = measure(
        {"a2b": same}, reference_statistics(sets, classifier, features.by_classifier(classifier)), resamples=0
    )
    assert any("classifier is poor" in note for note in found.notes)
    assert any("Nothing is held out" in note for note in found.notes)


def test_pairs_have_a_truth(root):
    sets = image_sets(PairedData(root=root / "pairs", direction="b2a", size_px=SIDE, enlarge=True).open(0, "cpu"))
    assert np.array_equal(sets.test["a"], sets.test["b"][..., ::-1]), "A is on the left, whatever is made of what"
    classifier = features.domain_classifier(sets)
    found = measure(
        {"b2a": swapped}, reference_statistics(sets, classifier, features.by_classifier(classifier)), resamples=0
    )
    (direction,) = found.directions
    assert (direction.translated.truth_l1.value, direction.translated.truth_psnr.value) == (0, 100)
    assert direction.translated.truth_ssim.value == pytest.approx(1)
    assert 0 < direction.mean.truth_l1.value < direction.untranslated.truth_l1.value
    assert found.score == 0


def test_a_run_knows_its_pictures(run, root, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    file = tmp_path / "found.json"
    assert main(["evaluate", str(run), "--resamples", "20", "--pictures", "20", "--out", str(file)]) == 0
    shown, said = capsys.readouterr()
    assert f"skipped {root / 'trainA'}: holds 1 file of another kind, passed over (.md)" in said
    for words in (
        "red → blue",
        "blue → red",
        "not the published FID",
        "The domain classifier names",
        "20 images of the test",
    ):
        assert words in shown
    found = json.loads(file.read_text())
    assert found["format"] == "viceversa-evaluation"
    check_output(file, "evaluate", _MARK, overwrite=False)
    assert found["held_out"] == "test"
    assert found["data"] == str(root)
    assert [(each["name"], each["pictures"]) for each in found["directions"]] == [("a2b", 20), ("b2a", 20)]
    assert 0 <= found["directions"][0]["translated"]["rate"]["value"] <= 1
    again = viceversa.evaluate(run / "translator", resamples=20, pictures=20)
    assert (
        again.to_dict()["directions"]
        == viceversa.evaluate(run, root, resamples=20, pictures=20).to_dict()["directions"]
    )
    assert again.to_dict()["directions"] == json.loads(file.read_text(), object_hook=_tuples)["directions"]


def _tuples(tree: dict) -> dict:
    return {key: tuple(value) if key == "directions" else value for key, value in tree.items()}


def test_a_translator_needs_pictures_and_takes_folders_or_pairs(run, root, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(run / "translator", alone)
    with pytest.raises(ConfigError, match="--data, or two folders"):
        viceversa.evaluate(alone)
    by_folders = viceversa.evaluate(alone, a=root / "trainA", b=root / "trainB", resamples=0)
    assert by_folders.held_out == "held out"
    assert "a tenth of the images" in by_folders.notes[-1]
    assert [direction.pictures for direction in by_folders.directions] == [4, 4]
    pairs = viceversa.evaluate(alone, root / "pairs", resamples=0)
    assert pairs.directions[0].translated.truth_l1 is not None
    by_names = viceversa.evaluate(alone, root, paired=True, resamples=0)
    assert by_names.directions[0].translated.truth_l1 is not None


def test_its_own_pictures_named_once_more_are_held_out_as_in_training(run, root):
    """All others were trained on: a tenth of them would flatter."""
    translator = viceversa.load(run)
    own, given = _settings(run, translator, root, None, None, None)
    assert (own.hold_out, given) == (UnpairedData().hold_out, False)
    other, given = _settings(run, translator, None, root / "trainA", root / "trainB", None)
    assert (other.hold_out, given) == (10**9, True)


@pytest.mark.parametrize("kind", ["test", "held out"])
@pytest.mark.parametrize("paired", [False, True])
def test_reference_and_translated_pictures_go_one_way_to_the_features(tmp_path, kind, paired):
    """Resized once: what is resized twice, to be cut in between, loses what is fine, and a distance would tell so."""
    drawn = np.random.default_rng(0).integers(0, 256, (24, 40, 30, 3), dtype=np.uint8)
    for domain in "AB":
        for part in ("train", "test") if kind == "test" else ("train",):
            (tmp_path / f"{part}{domain}").mkdir()
            for index, picture in enumerate(drawn):
                Image.fromarray(picture).save(tmp_path / f"{part}{domain}" / f"{index:02}.png")
    opened = (PairedData if paired else UnpairedData)(root=tmp_path, size_px=SIDE, load_size_px=18).open(0, "cpu")
    sets = image_sets(opened)
    assert sets.kind == kind
    files = [fit_square(picture, SIDE) for picture in drawn]
    for images in (*sets.train.values(), *sets.test.values()):
        assert {picture.tobytes() for picture in images} <= {picture.tobytes() for picture in files}
    if kind == "test":
        classifier = features.domain_classifier(sets)
        statistics = reference_statistics(sets, classifier, features.by_classifier(classifier))
        translated = classifier.features(translation._translated(same, sets.test["a"]))
        assert torch.equal(translated, statistics.reference["b"])
        (direction,) = measure({"a2b": same}, statistics, resamples=0).directions
        assert direction.translated.frechet.value == pytest.approx(0, abs=1e-6)


def test_mistakes_are_sentences(run, root, tmp_path, capsys):
    with pytest.raises(CheckpointError, match=r"no best translator.*--evaluate-every"):
        viceversa.load(run, best=True)
    with pytest.raises(ConfigError, match="2 or more --pictures"):
        viceversa.evaluate(run, pictures=1)
    with pytest.raises(ConfigError, match="0 to 10000 --resamples"):
        viceversa.evaluate(run, resamples=10**9)
    one = UnpairedData(a=root / "testA", b=root / "trainB", size_px=SIDE, hold_out=1).open(0, "cpu")
    with pytest.raises(DataError, match="two or more held-out"):
        image_sets(one)
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    for words, said in (
        (["--data", str(tmp_path / "nowhere")], "does not exist"),
        (["--inception", str(tmp_path / "nowhere.pth")], "there is no file"),
        (["--out", str(mine / "x.json")], "mine.json is no folder that may be written to (Not a directory)"),
        (["--out", "/proc/x.json"], "cannot be written: /proc is no folder that may be written to"),
        (["--out", str(tmp_path)], "cannot be written: it is a folder"),
        (["--out", str(mine)], "is there already and was not written by viceversa evaluate; name another file"),
    ):
        assert main(["evaluate", str(run), *words]) == 2
        shown = capsys.readouterr().err.splitlines()
        assert said in shown[-1]
        assert "Traceback" not in "".join(shown)
    assert mine.read_text() == "{}"


def test_what_of_the_files_is_not_used_or_changed_is_said_as_before_training(root, tmp_path):
    for number in range(3):
        for side in "ab":
            (tmp_path / side).mkdir(exist_ok=True)
            with Image.open(root / "trainA" / f"0{number}.png") as picture:
                picture.putalpha(90)
                picture.save(tmp_path / side / f"{number}.png")
    said: list[str] = []
    settings = UnpairedData(a=tmp_path / "a", b=tmp_path / "b", size_px=SIDE, cache=tmp_path / "cache", enlarge=True)
    assert open_pictures(settings, 0, said.append).remarks
    assert said[0] == "Of the images (options are those of viceversa train):"
    assert said[1].startswith("  a: 3 images are partly transparent and laid on white")


def test_real_faces(shared_data, tmp_path):
    """The domain classifier tells women from men of a data set that it was not made for, at 32 px."""
    sets = image_sets(UnpairedData(root=shared_data / "faces_lfw", size_px=32, cache=tmp_path).open(0, "cpu"))
    classifier = features.domain_classifier(sets)
    assert min(classifier.accuracy.values()) > 0.7
    found = measure(
        {"a2b": same, "b2a": same},
        reference_statistics(sets, classifier, features.by_classifier(classifier)),
        resamples=0,
    )
    for direction in found.directions:
        assert direction.real.frechet.value < 0.2 * direction.untranslated.frechet.value


def test_pairs_are_found_as_in_training_unless_asked_otherwise():
    run = PairedData(pair_suffix="_A,_B", skip_unpaired=True)
    assert PairedData(**pairing_of(None, run)) == run
    assert PairedData(**pairing_of(Pairing(), run)) == run, "what a command line gives where nothing is said"
    assert PairedData(**pairing_of(Pairing(side_by_side=True), run)) == PairedData(side_by_side=True)
    assert PairedData(**pairing_of(None, None)) == PairedData()
