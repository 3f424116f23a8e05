"""A new run that begins with the weights of a run, a translator, or of the published code."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from viceversa import load, train
from viceversa.cli import main
from viceversa.config import configure, from_json, to_json
from viceversa.errors import CheckpointError, ConfigError
from viceversa.inference.folder import read_translator
from viceversa.networks import PatchGANConfig, ResNetConfig
from viceversa.training.model import short

from ..inference.published_code import judge, made, theirs

NEW_JUDGES = {"discriminator_width": 4, "discriminator_layers": 1}
"""For models without discriminators: the default is slow."""
JUDGE = PatchGANConfig(width=4, layers=2)
SIZE = {"width": 3, "blocks": 2, "discriminator_width": 5, "discriminator_layers": 1}


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory) -> dict[str, Path]:
    """A finished run of each of the two methods, 3 wide."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    for method in ("cyclegan", "pix2pix"):
        size = {**SIZE, "blocks": None, "norm": "batch"} if method == "pix2pix" else SIZE
        assert train(tiny(method, folder / method, **size, learning_rate=0.01, images=4), quiet=True).finished
    return {method: folder / method for method in ("cyclegan", "pix2pix")}


def begun(tiny, method: str, out: Path, initial: Path | list[Path], **settings):
    """A run that leaves to the model what `tiny` says of networks."""
    config = tiny(method, out)
    data = config.method.data
    told = {
        "a": data.a, "b": data.b, "cache": data.cache, "size_px": 16, "images": 4, "samples": 1, "sample_pictures": 1,
        "device": "cpu", "precision": "32-true", "initial": initial,
    }  # fmt: skip
    return configure(method, out=out, **{**told, **settings})


def translated(run: Path) -> list[np.ndarray]:
    picture = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8).astype(np.float32) / 255
    translator = load(run, "cpu")
    return [translator(picture, to=direction[-1]) for direction in translator.directions]


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())["initial"]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def newest(run: Path) -> dict[str, torch.Tensor]:
    return load_file(max((run / "checkpoints").iterdir()) / "state.safetensors")


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix"])
@pytest.mark.parametrize("part", ["", "translator"])
def test_at_rate_0_the_new_run_translates_as_the_old_one(method, part, runs, tiny, tmp_path):
    before = content(runs[method])
    settings = {"lambda_identity": 0.1} if method == "cyclegan" else {"lambda_l1": 1.0}
    settings |= NEW_JUDGES if part else {}
    train(begun(tiny, method, tmp_path / "new", runs[method] / part, learning_rate=0.0, **settings), quiet=True)
    for ours, old in zip(translated(tmp_path / "new"), translated(runs[method]), strict=True):
        np.testing.assert_array_equal(ours, old)
    assert content(runs[method]) == before, "nothing of the model is written to"


def test_a_run_is_taken_with_its_discriminators(runs, tiny, tmp_path, capsys):
    config = begun(tiny, "cyclegan", tmp_path / "new", runs["cyclegan"], learning_rate=0.0, size_px=32, hold_out=0)
    assert config.method.networks.width == 3
    assert config.method.networks.discriminator_width == 5
    train(config)
    assert f"begins with the weights of {runs['cyclegan']} (4 images): a2b, b2a, d_a, d_b" in capsys.readouterr().err
    old, new = newest(runs["cyclegan"]), newest(tmp_path / "new")
    for name in ("d_a", "d_b"):
        assert torch.equal(old[f"method.{name}.body.0.weight"], new[f"method.{name}.body.0.weight"])
    told = summary(tmp_path / "new")
    assert (told["from"], told["method"], told["images"]) == (str(runs["cyclegan"]), "cyclegan", 4)
    assert told["anew"] == []
    config, _ = read_translator(tmp_path / "new" / "translator" / "model.safetensors")
    assert (config.begun_with, config.images) == ("cyclegan", 4)
    assert "beginning with the weights of cyclegan." in (tmp_path / "new" / "translator" / "README.md").read_text()
    assert "Begun with" in (tmp_path / "new" / "report.html").read_text()


def test_what_cannot_be_taken_is_said(runs, tiny, tmp_path, capsys):
    translator = runs["cyclegan"] / "translator"
    train(begun(tiny, "cyclegan", tmp_path / "one", translator, images=1, **NEW_JUDGES))
    assert f"d_a and d_b start anew: the translator folder {translator} holds none" in capsys.readouterr().err
    train(begun(tiny, "cyclegan", tmp_path / "two", runs["cyclegan"], images=1, discriminator_width=4))
    said = capsys.readouterr().err
    assert f"d_a and d_b start anew: what {runs['cyclegan']} holds is made otherwise" in said
    train(begun(tiny, "cyclegan", tmp_path / "three", runs["pix2pix"], images=1, **NEW_JUDGES))
    said = capsys.readouterr().err
    assert f"b2a starts anew: {runs['pix2pix']} holds a2b alone" in said
    assert f"d_a and d_b start anew: those of {runs['pix2pix']} were trained by pix2pix" in said
    assert summary(tmp_path / "three")["taken"] == ["a2b"]


def test_it_goes_on_without_the_model(runs, tiny, tmp_path):
    model, out = tmp_path / "old", tmp_path / "new"
    shutil.copytree(runs["cyclegan"], model)
    train(begun(tiny, "cyclegan", out, model, images=1), quiet=True)
    told = summary(out)
    shutil.rmtree(model)
    assert train(begun(tiny, "cyclegan", out, model, images=3), quiet=True).finished
    assert summary(out) == told
    with pytest.raises(ConfigError, match=r"holds a run of other settings \(--from .*old, now left out"):
        train(begun(tiny, "cyclegan", out, [], images=3, **SIZE), quiet=True)
    with pytest.raises(CheckpointError, match=r"There is no folder .*old;"):
        begun(tiny, "cyclegan", tmp_path / "third", tmp_path / "old")


def test_a_model_of_values_is_trained_on_with_its_range(tiny, tmp_path, capsys):
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(4):
            values = np.random.default_rng(number).integers(-1000, 1001, (16, 16))
            np.save(tmp_path / side / f"{number}.npy", values.astype(np.int16))
    where = {"a": tmp_path / "a", "b": tmp_path / "b"}
    ranges = {"range_a": (-1000, 1000), "range_b": (-1000, 3000), "nodata_b": -9999}
    old = tiny("pix2pix", tmp_path / "old", **where, **ranges, channels_a=1, channels_b=1)
    train(old, quiet=True)
    for model in (tmp_path / "old", tmp_path / "old" / "translator"):
        data = begun(tiny, "pix2pix", tmp_path / "new", model, **where).method.data
        assert {name: getattr(data, name) for name in ranges} == ranges
    options = ["--from", str(tmp_path / "old"), "--a", str(where["a"]), "--b", str(where["b"]), "--size", "16"]
    options += ["--images", "1", "--samples", "1", "--device", "cpu", "--cache", str(tmp_path / "cache")]
    assert main(["train", "pix2pix", *options, "--out", str(tmp_path / "new")]) == 0
    assert load(tmp_path / "new").values == load(tmp_path / "old").values
    # Another range than the model's is another run's: it may be, and the images may be others.
    train(begun(tiny, "pix2pix", tmp_path / "wide", tmp_path / "old", **where, range_a=(-2000, 2000)), quiet=True)
    capsys.readouterr()
    assert main(["train", "pix2pix", *options, "--range-a", "-2", "2", "--out", str(tmp_path / "new")]) == 2
    assert "--range-a -1000.0 1000.0, now -2.0 2.0" in capsys.readouterr().err


def test_a_contradiction_names_both_values(runs, tiny, tmp_path, capsys):
    with pytest.raises(ConfigError, match=r"are of --width 3 --norm instance, and this run asks for --width 4"):
        train(begun(tiny, "cyclegan", tmp_path / "new", runs["cyclegan"], width=4, norm="batch"), quiet=True)
    with pytest.raises(ConfigError, match=r"--channels-a 3, and this run asks for --channels-a 1\."):
        train(begun(tiny, "pix2pix", tmp_path / "new", runs["pix2pix"], channels_a=1), quiet=True)
    with pytest.raises(ConfigError, match=r"are of --dropout False, and this run asks for --dropout True"):
        train(begun(tiny, "cyclegan", tmp_path / "new", runs["cyclegan"], dropout=True), quiet=True)
    with pytest.raises(ConfigError, match=r"are of --direction a2b, and this run asks for --direction b2a"):
        train(begun(tiny, "pix2pix", tmp_path / "new", runs["pix2pix"], direction="b2a"), quiet=True)
    with pytest.raises(ConfigError, match=r"translates images, which dcgan does not"):
        configure("dcgan", out=tmp_path / "new", initial=runs["pix2pix"])
    with pytest.raises(ConfigError, match=r"are of --generator unet.*asks for --generator cartoon"):
        train(begun(tiny, "cartoongan", tmp_path / "new", runs["pix2pix"], generator="cartoon"), quiet=True)
    assert not (tmp_path / "new").exists()


def test_a_run_does_not_begin_with_itself(runs, pictures, capsys):
    before = content(runs["cyclegan"])
    for part in ("", "translator"):
        command = f"train cyclegan --data {pictures} --out {runs['cyclegan']} --from {runs['cyclegan'] / part}"
        assert main(command.split()) == 2
        assert "lies in the run's own folder" in capsys.readouterr().err
    assert content(runs["cyclegan"]) == before


def test_a_translator_folder_is_called_so(runs, pictures, capsys):
    folder = runs["cyclegan"] / "translator"
    assert main(["train", "cyclegan", "--data", str(pictures), "--out", str(folder)]) == 2
    said = capsys.readouterr().err
    assert f"{folder} is a translator folder, and a run needs a folder of its own." in said
    assert f"add --from {folder}." in said


def test_from_without_a_model_is_no_beginning_with_new_weights(pictures, tmp_path, capsys):
    options = ["--from", "--data", str(pictures), "--out", str(tmp_path / "new"), "--size", "16"]
    options += ["--width", "4", "--discriminator-layers", "1", "--images", "1", "--samples", "1", "--device", "cpu"]
    assert main(["train", "cyclegan", *options, "--cache", str(tmp_path / "cache")]) == 2
    assert "--from needs a model" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_options_are_those_of_the_command_line(runs, pictures, tmp_path, capsys):
    recipe = f"train women-men --a {pictures / 'a'} --b {pictures / 'b'} --size 16 --images 4 --device cpu"
    rest = f"--cache {pictures.with_name('cache')} --samples 1 --from {runs['cyclegan']} --out {tmp_path / 'new'}"
    assert main(f"{recipe} {rest}".split()) == 0
    assert from_json((tmp_path / "new" / "config.json").read_text(), tmp_path).initial == (runs["cyclegan"],)
    assert main(f"{recipe} {rest}".split()) == 0, "the same command goes on"
    assert "was finished already" in capsys.readouterr().err
    assert main(f"{recipe} {rest} --width 7".split()) == 2
    assert "(--width 3, now 7)" in capsys.readouterr().err


def published(folder: Path, **networks: torch.nn.Module) -> Path:
    folder.mkdir(exist_ok=True)
    for name, network in networks.items():
        torch.save(network.state_dict(), folder / f"latest_net_{name}.pth")
    return folder


def test_published_weights_of_both_directions_are_trained_on(tiny, tmp_path):
    config = ResNetConfig(width=3, blocks=2)
    generators = {"G_A": theirs(config), "G_B": made(theirs(config), 1)}
    folder = published(tmp_path / "files", **generators, D_A=judge(JUDGE, 2), D_B=judge(JUDGE, 3))
    settings = begun(tiny, "cyclegan", tmp_path / "new", folder, learning_rate=0.0)
    assert settings.method.networks.blocks == 2
    train(settings, quiet=True)
    assert summary(tmp_path / "new")["taken"] == ["a2b", "b2a", "d_a", "d_b"]
    state = newest(tmp_path / "new")
    assert torch.equal(state["method.d_b.body.0.weight"], torch.load(folder / "latest_net_D_A.pth")["model.0.weight"])
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        expected = generators["G_B"].model(picture)
    torch.testing.assert_close(load(tmp_path / "new", "cpu")(picture, to="a"), expected, atol=1e-4, rtol=1e-4)
    assert short(settings.initial) == "files"


def test_single_published_files_go_where_their_names_say(tiny, tmp_path):
    folder = published(tmp_path / "files", G_B=theirs(ResNetConfig(width=3, blocks=1)), D=judge(JUDGE, 1))
    files = [folder / "latest_net_G_B.pth", folder / "latest_net_D.pth"]
    train(begun(tiny, "cyclegan", tmp_path / "new", files, images=1), quiet=True)
    told = summary(tmp_path / "new")
    assert told["taken"] == ["b2a", "d_b"]
    assert told["anew"][0].startswith("a2b starts anew: ")
    shutil.copy(files[0], tmp_path / "other_net_G_B.pth")
    with pytest.raises(ConfigError, match="Two of the files of --from are the same generator"):
        begun(tiny, "cyclegan", tmp_path / "other", [files[0], tmp_path / "other_net_G_B.pth"])
    with pytest.raises(ConfigError, match=r"--from takes one run or translator, or several \.pth files"):
        begun(tiny, "cyclegan", tmp_path / "other", [files[0], folder])
    with pytest.raises(CheckpointError, match="holds discriminators alone"):
        begun(tiny, "cyclegan", tmp_path / "other", files[1])


def test_weights_that_are_no_numbers_are_refused(tiny, tmp_path):
    network = theirs(ResNetConfig(width=3, blocks=1))
    network.model[1].weight.data[0] = torch.nan
    folder = published(tmp_path / "files", G=network)
    with pytest.raises(CheckpointError, match=r"files holds weights that are no finite numbers \(encoder\.1\.weight\)"):
        begun(tiny, "cyclegan", tmp_path / "new", folder)


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix"])
def test_the_published_codes_own_files_train_and_export(method, shared_parity, tiny, tmp_path):
    pytest.importorskip("onnxruntime")
    folder = tmp_path / "files"
    folder.mkdir()
    source = shared_parity / ("cyclegan_lsgan" if method == "cyclegan" else "pix2pix_vanilla")
    for file in source.glob("initial_net_*.pth"):
        shutil.copy(file, folder / file.name.replace("initial", "latest"))
    size = 24 if method == "cyclegan" else 128
    train(begun(tiny, method, tmp_path / "new", folder, images=1, size_px=size, enlarge=True), quiet=True)
    assert summary(tmp_path / "new")["anew"] == []
    assert translated(tmp_path / "new")[0].shape == (24, 20, 3)
    if method == "cyclegan":  # that U-Nets can be exported is shown in tests/inference/test_export_networks.py
        command = ["export", str(tmp_path / "new"), "--out", str(tmp_path / "model.onnx"), "--to", "b"]
        assert main(command) == 0


@pytest.mark.parametrize("method", ["gan", "cgan", "infogan", "wgan", "cartoongan"])
def test_every_other_method_begins_with_its_own(method, tiny, tmp_path):
    config = tiny(method, tmp_path / "old", images=4)
    train(config, quiet=True)
    tree = json.loads(to_json(config))["method"]
    told = {"batch": config.method.schedule.batch, "images": 4, "samples": 1, "device": "cpu", "initial": config.out}
    told |= {name: value for name, value in tree["data"].items() if name in ("root", "a", "b", "cache")}
    told |= {"vgg": tree["vgg"], "size_px": 16} if "vgg" in tree else {}
    told |= {"learning_rate": 0.0} | ({"generator_learning_rate": 0.0} if method == "infogan" else {})
    new = configure(method, out=tmp_path / "new", precision="32-true", **told)
    train(new, quiet=True)
    old = load_file(config.out / "translator" / "model.safetensors")
    for name, weights in load_file(tmp_path / "new" / "translator" / "model.safetensors").items():
        assert name.endswith("num_batches_tracked") or torch.equal(weights, old[name]), name
    assert summary(tmp_path / "new")["anew"] == []
    assert new.method.networks == config.method.networks
    if method == "cartoongan":
        assert new.method.init_epochs == 0.0
