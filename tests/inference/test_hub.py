"""Models on a hub: the real client against a stand-in of the hub's HTTP interface on this machine."""

import dataclasses
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from markdown_it import MarkdownIt
from PIL import Image
from torch import nn

import viceversa as vv
from viceversa.cli import main
from viceversa.errors import CheckpointError, ConfigError, HubError
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.translation import Direction, Evaluation, Scores
from viceversa.inference import hub
from viceversa.inference.card import Publication, model_card
from viceversa.inference.figures import _MEASURES, read_figures
from viceversa.inference.folder import TranslatorConfig
from viceversa.inference.translator import load, save_translator
from viceversa.networks import ResNetConfig

from .hub_stand_in import GOOD, READER, Hub, Repository, hub_here

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")

# The client's own, of the library below it.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Hub]:
    """A hub, and a client that knows it."""
    with hub_here(tmp_path / "cache") as served:
        yield served


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.effect_noise((90, 70), 80).convert("RGB").save(tmp_path / "portrait.jpg", exif=exif)
    return tmp_path / "portrait.jpg"


def card(server: Hub, name: str = "ann/swap") -> Any:
    return huggingface_hub.ModelCard(server.repositories[name].files["README.md"].decode())


def test_what_is_pushed_is_loaded_again_to_the_bit(server: Hub, folder: Path, capsys: Any) -> None:
    assert main(["push", str(folder.parent), "ann/swap", "--license", "mit"]) == 0
    said = capsys.readouterr()
    assert f"{server.url}/ann/swap" in said.out
    assert "no image" in said.out
    assert GOOD not in said.out + said.err
    assert len(server.repositories["ann/swap"].commits) == 2  # one commit, after the hub's own
    assert set(server.repositories["ann/swap"].files) == {
        ".gitattributes", "README.md", "config.json", "model.safetensors",
    }  # fmt: skip
    here, there = load(folder, "cpu"), vv.load("hf://ann/swap", "cpu")
    for direction, network in here.networks.items():
        other = there.networks[direction].state_dict()
        assert all(torch.equal(value, other[key]) for key, value in network.state_dict().items())
    picture = np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    for to in ("a", "b"):
        assert np.array_equal(here(picture, to), there(picture, to))


def test_the_command_line_takes_the_address_as_a_model(
    server: Hub, folder: Path, portrait: Path, tmp_path: Path
) -> None:
    assert main(["push", str(folder), "hf://ann/swap", "--license", "mit"]) == 0
    for model, out in ("hf://ann/swap", "there.png"), (str(folder), "here.png"):
        assert main(["translate", model, str(portrait), "--out", str(tmp_path / out), "--device", "cpu"]) == 0
    assert (tmp_path / "there.png").read_bytes() == (tmp_path / "here.png").read_bytes()


def test_a_generator_from_noise_goes_round_too(
    server: Hub, tmp_path: Path, from_noise: Callable[..., nn.Module]
) -> None:
    model = tmp_path / "noise"
    save_translator(model, {"z2a": from_noise()}, method="dcgan", domains={"a": "faces"}, size_px=16, images=5)
    assert main(["push", str(model), "ann/faces", "--license", "mit"]) == 0
    there: Any = vv.load("hf://ann/faces", "cpu")
    here: Any = vv.load(model, "cpu")
    assert torch.equal(there.tensor(4, seed=3), here.tensor(4, seed=3))
    assert card(server, "ann/faces").data.pipeline_tag == "unconditional-image-generation"
    assert "sample.jpg" in server.repositories["ann/faces"].files
    assert main(["sample", "hf://ann/faces", "--out", str(tmp_path / "grid.png"), "--device", "cpu"]) == 0
    assert main(["push", str(model), "ann/faces", "--license", "mit", "--avatars"]) == 2


def test_only_the_files_of_a_translator_are_fetched(server: Hub, folder: Path, tmp_path: Path) -> None:
    main(["push", str(folder), "ann/swap", "--license", "mit"])
    repository = server.repositories["ann/swap"]
    more = {"model.pkl": b"x", "pytorch_model.bin": b"x", "a/model.safetensors": b"x", "../../evil/config.json": b"x"}
    repository.commit("more", {**repository.files, **more})
    hub.fetch("hf://ann/swap")
    fetched = {path.rsplit("/", 1)[-1] for path in server.asked if path.startswith("GET") and "/resolve/" in path}
    assert fetched == {"README.md", "config.json", "model.safetensors"}
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.suffix in (".pkl", ".bin")]
    assert not any("/evil/" in path for path in server.asked)


def test_what_is_in_the_cache_needs_no_hub(server: Hub, folder: Path) -> None:
    main(["push", str(folder), "ann/swap", "--license", "mit"])
    first = hub.fetch("hf://ann/swap")
    server.shutdown()
    server.server_close()
    assert hub.fetch("hf://ann/swap") == first
    assert vv.load("hf://ann/swap", "cpu").domains == {"a": "women", "b": "men"}
    with pytest.raises(HubError, match=r"cannot be reached .*not in the cache"):
        vv.load("hf://ann/other")


def test_a_revision_is_what_it_was(server: Hub, folder: Path, resnet: Callable[..., nn.Module]) -> None:
    main(["push", str(folder), "ann/swap", "--license", "mit"])
    repository = server.repositories["ann/swap"]
    repository.tags["v1.0"] = repository.commits[-1][0]
    names = {"a": "women", "b": "men"}
    save_translator(folder, {"b2a": resnet(9)}, method="cyclegan", domains=names, size_px=64, images=13000)
    main(["push", str(folder), "ann/swap", "--license", "mit", "--message", "Longer"])
    assert repository.commits[-1][1] == "Longer"
    assert load("hf://ann/swap@v1.0", "cpu").directions == ("a2b", "b2a")
    assert load(f"hf://ann/swap@{repository.tags['v1.0']}", "cpu").directions == ("a2b", "b2a")
    assert load(Path("hf://ann/swap"), "cpu").directions == ("b2a",)
    with pytest.raises(HubError, match="no such revision"):
        load("hf://ann/swap@v2")


def test_the_card(server: Hub, folder: Path, portrait: Path, tmp_path: Path) -> None:
    figures = {"fid": {"mean": 12.34567, "range": [11, 13.5]}, "model": "runs/swap", "better": True, "bad": None}
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    words = ["--metrics", str(tmp_path / "figures.json"), "--dataset", "ann/portraits", "--sample", str(portrait)]
    assert main(["push", str(folder), "ann/swap", "--license", "mit", *words]) == 0
    data = card(server).data
    assert (data.license, data.library_name, data.pipeline_tag) == ("mit", "viceversa", "image-to-image")
    assert data.datasets == ["ann/portraits"]
    assert {"gan", "cyclegan"} <= set(data.tags)
    text = card(server).text
    assert re.findall(r"^\| fid.*", text, re.MULTILINE) == ["| fid, mean | 12.35 |", "| fid, range | 11 to 13.5 |"]
    assert 'vv.load("hf://ann/swap")' in text
    assert "sample.jpg)" in text
    sent = server.repositories["ann/swap"].files["sample.jpg"]
    assert b"taken at home" in portrait.read_bytes()
    assert b"taken at home" not in sent
    (tmp_path / "sent.jpg").write_bytes(sent)
    with Image.open(tmp_path / "sent.jpg") as picture:
        assert picture.size == (64, 130)  # the image, and its translation below it
    # Pushed again without: what the card does not show any more is not left behind.
    assert main(["push", str(folder), "ann/swap", "--license", "mit"]) == 0
    assert "sample.jpg" not in server.repositories["ann/swap"].files
    assert "sample.jpg" not in card(server).text


def test_the_card_of_an_evaluation(tmp_path: Path) -> None:
    """What `viceversa evaluate --out` writes, made here of its own dataclasses."""
    nothing = Scores()
    direction = Direction(
        name="a2b", source="women", target="m|en", pictures=81, measured=81, reference=459, real=nothing, mean=None,
        translated=Scores(frechet=Figure(value=9.4308, low=5.941, high=13.808), ssim=Figure(value=0.876)),
        untranslated=Scores(frechet=Figure(value=51.3)),
    )  # fmt: skip
    evaluation = Evaluation(
        features="f", published_fid=False, features_digest="d", dimensions=64, judge_accuracy={}, judge_pictures={},
        size_px=64, held_out="test", directions=(direction,), notes=("Mind <b>this</b>.",),
    )  # fmt: skip
    (tmp_path / "figures.json").write_text(json.dumps(evaluation.to_dict()))
    found = read_figures(tmp_path / "figures.json")
    assert found.rows[0] == ("measured", "translated", "untranslated", "real")
    assert found.rows[1:] == (
        ("women → m|en: Frechet distance ↓", "9.431 (5.941 to 13.81)", "51.3", ""),
        ("women → m|en: SSIM with the input", "0.876", "", ""),
    )
    assert set(_MEASURES) == {part.name for part in dataclasses.fields(Scores)}
    config = TranslatorConfig(
        method="m", domains={"a": "x", "b": "y"}, size_px=8, images=1, networks={"a2b": ResNetConfig()}
    )
    text = model_card(config, Publication(repo="ann/swap", license="mit", figures=found))
    shown = MarkdownIt().enable("table").render(text)
    assert (shown.count("<th>"), shown.count("<td>")) == (4, 8)
    assert "&lt;b&gt;this" in shown


@pytest.mark.parametrize("content", ["", "[]", "{}", "[1, 2]", '{"a": "b"}', '{"a": NaN}', "[" * 10000, '{"a": 1e999}'])
def test_figures_that_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "figures.json").write_text(content)
    with pytest.raises(ConfigError, match=r"figures\.json"):
        read_figures(tmp_path / "figures.json")


def test_avatars_of_both_kinds(server: Hub, folder: Path, tmp_path: Path) -> None:
    assert main(["push", str(folder), "ann/swap", "--license", "mit", "--avatars"]) == 0
    (tmp_path / "sent.jpg").write_bytes(server.repositories["ann/swap"].files["sample.jpg"])
    with Image.open(tmp_path / "sent.jpg") as picture:
        assert picture.size == (8 * 66 - 2, 130)


def test_names_of_strangers_are_only_names(server: Hub, tmp_path: Path, resnet: Callable[..., nn.Module]) -> None:
    names = {"a": 'x\n---\nlicense: "evil"\n# Title', "b": "[here](http://evil) <img src=x> `code`\x1b[31m"}
    save_translator(tmp_path / "m", {"a2b": resnet()}, method='a"]\nlicense: evil', domains=names, size_px=8, images=1)
    assert main(["push", str(tmp_path / "m"), "ann/swap", "--license", "mit"]) == 0
    data, text = card(server).data, card(server).text
    assert data.license == "mit"
    assert data.tags[2] == 'a"] license: evil'
    shown = MarkdownIt().render(text)
    assert shown.count("<h1>") == 1
    assert not any(markup in shown for markup in ("<a ", "<img", "<hr"))
    assert shown.count("<code>") == 3  # the network, config.json, model.safetensors
    assert not any(plain in text for plain in ("\x1b", "http://"))  # nor what is a link without markup
    local = (tmp_path / "m" / "README.md").read_text()
    assert huggingface_hub.ModelCard(local).data.license is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ann/swap"], "Say what others may do"),
        (["swap", "--license", "mit"], "write it as user/name"),
        (["ann/../swap", "--license", "mit"], "write it as user/name"),
        (["ann/swap.git", "--license", "mit"], "write it as user/name"),
        (["ann/" + 96 * "x", "--license", "mit"], "write it as user/name"),
        (["ann/swap", "--license", "mine"], 'must be one of [mit, other]'),
        (["ann/swap", "--license", "mit", "--sample", "nothing.jpg"], "nothing.jpg"),
        (["ann/swap", "--license", "mit", "--sample", *map(str, range(9))], "at most 8"),
        (["ann/swap", "--license", "mit", "--avatars", "--sample", "x.jpg"], "two different"),
        (["ann/swap", "--license", "mit", "--avatars", "--to", "dogs"], "does not lead to 'dogs'"),
        (["ann/swap", "--license", "mit", "--metrics", "nothing.json"], "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_pushed(server: Hub, folder: Path, capsys: Any, words: list[str], says: str) -> None:
    assert main(["push", str(folder), *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert all(len(repository.commits) == 1 for repository in server.repositories.values())


def test_a_public_repository_is_not_filled_as_a_private_one(server: Hub, folder: Path, capsys: Any) -> None:
    assert main(["push", str(folder), "ann/secret", "--license", "mit", "--private"]) == 0
    assert server.repositories["ann/secret"].private
    server.repositories["ann/secret"].private = False
    assert main(["push", str(folder), "ann/secret", "--license", "mit", "--private"]) == 2
    assert "public" in capsys.readouterr().err
    assert len(server.repositories["ann/secret"].commits) == 2


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (None, "There is no token"),
        ("hf_wrong_token", "does not accept your token"),
        (READER, "(403: You don't have the rights.)"),
    ],
)
def test_without_the_right_to_write(
    server: Hub, folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, token: str | None, says: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token or "")
    assert main(["push", str(folder), "ann/swap", "--license", "mit"]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert token is None or token not in said
    assert said.count("\n") == 1
    assert not server.repositories


def test_a_model_that_must_be_asked_for(server: Hub, folder: Path) -> None:
    server.status, server.code = 403, "GatedRepo"
    with pytest.raises(HubError, match=rf"ask for access at {server.url}/ann/swap"):
        load("hf://ann/swap")


def test_a_hub_out_of_order_or_out_of_reach(
    server: Hub, folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 503
    with pytest.raises(HubError, match=r"answered 503 .*; try again later\.$"):
        load("hf://ann/swap")
    server.status = 418
    assert main(["push", str(folder), "ann/swap", "--license", "mit"]) == 2
    said = capsys.readouterr().err
    assert "answered 418 about ann/swap" in said
    assert "try again later" not in said  # it would be refused again
    assert "\x1b" not in said
    with pytest.raises(HubError, match="418"):
        load("hf://ann/swap")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        assert main(["push", str(folder), "ann/swap", "--license", "mit"]) == 2
    said = capsys.readouterr().err
    assert "cannot be reached" in said
    assert said.count("\n") == 1


def test_what_cannot_be_loaded(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("hf://swap", "hf://ann/swap/more", "hf://ann/--x", "hf://../..", "hf://"):
        with pytest.raises(ConfigError, match="write it as user/name"):
            load(wrong)
    with pytest.raises(ConfigError, match="is no revision"):
        load("hf://ann/swap@../../x")
    for wrong in ("http://hub:port", "http://[::1", "hub.example.org", "http://"):
        with monkeypatch.context() as context:
            context.setenv("HF_ENDPOINT", wrong)
            with pytest.raises(ConfigError, match=r"HF_ENDPOINT is .* which is no address"):
                load("hf://ann/swap")
    server.repositories["ann/swap"] = Repository(private=True)
    with pytest.raises(HubError, match=r"holds no model\.safetensors"):
        load("hf://ann/swap")
    monkeypatch.setenv("HF_TOKEN", "")
    for name in ("ann/swap", "ann/nothing"):
        with pytest.raises(HubError, match="that you may read"):
            load(f"hf://{name}@main")
    server.repositories["ann/bad"] = Repository(private=False)
    server.repositories["ann/bad"].commit("bad", {"model.safetensors": b"no weights"})
    with pytest.raises(CheckpointError, match="damaged"):
        load("hf://ann/bad")
