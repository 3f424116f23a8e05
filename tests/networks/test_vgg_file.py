"""Files of VGG-19's weights: what is taken, what is refused in one sentence, and the download."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from viceversa.errors import CheckpointError, ConfigError
from viceversa.networks import vgg_file
from viceversa.networks.vgg import content_layers


def torchvision_state(width: int = 4) -> dict[str, torch.Tensor]:
    """Weights in the layout of the published file, its three linear layers among them."""
    generator = torch.Generator().manual_seed(3)
    state = {}
    for name, shape in content_layers(width).items():
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * 0.2
        state[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.2
    return {**state, "classifier.0.weight": torch.zeros(5, 7), "classifier.0.bias": torch.zeros(5)}


@pytest.fixture
def pth(tmp_path) -> Path:
    path = tmp_path / "vgg.pth"
    torch.save(torchvision_state(), path)
    return path


def named_by_its_hash(path: Path) -> Path:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(path.with_name(f"vgg19-{digest[:8]}.pth"))


def test_a_pth_and_a_safetensors_are_read(pth, small_vgg):
    content = vgg_file.read_content(pth)
    state = torchvision_state()
    assert torch.equal(content.weight_11, state["features.25.weight"])
    assert torch.equal(content.bias_0, state["features.0.bias"])
    assert content.digest.numpy().tobytes() == hashlib.sha256(pth.read_bytes()).digest()
    assert vgg_file.read_content(named_by_its_hash(pth))(torch.zeros(1, 3, 16, 16)).shape == (1, 32, 2, 2)
    assert vgg_file.read_content(small_vgg)(torch.zeros(1, 3, 16, 16)).shape == (1, 32, 2, 2)
    assert vgg_file.find(small_vgg.parent) == small_vgg, "a run's folder is as good as the file"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def of_another_shape(path: Path) -> None:
    torch.save({**torchvision_state(), "features.7.weight": torch.zeros(8, 8, 1, 1)}, path)


def without_a_layer(path: Path) -> None:
    torch.save({k: v for k, v in torchvision_state().items() if k != "features.25.bias"}, path)


def of_numbers_that_are_not_there(path: Path) -> None:
    torch.save({**torchvision_state(), "classifier.0.weight": torch.zeros(1).expand(10**12)}, path)


def not_finite(path: Path) -> None:
    torch.save({**torchvision_state(), "features.0.bias": torch.full((4,), torch.nan)}, path)


def a_picture(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0 no weights")


def a_list(path: Path) -> None:
    torch.save([1, 2], path)


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def a_program(path: Path) -> None:
    torch.save({"features.0.weight": Evil()}, path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "no file of PyTorch weights"),
        (of_another_shape, r"features.7 has the shape \(8, 8, 1, 1\)"),
        (without_a_layer, "features.25 is missing"),
        (of_numbers_that_are_not_there, "more numbers than it holds"),
        (not_finite, "not finite"),
        (a_picture, "no file of PyTorch weights"),
        (a_list, "no weights by name"),
        (a_program, "no file of PyTorch weights"),
    ],
)
def test_a_wrong_pth_is_refused_in_words(pth, capsys, spoil, words):
    spoil(pth)
    with pytest.raises(CheckpointError, match=words) as refused:
        vgg_file.read_content(pth)
    assert str(pth) in str(refused.value)
    assert "viceversa train vgg" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "executed" not in capsys.readouterr().out


def test_a_name_that_tells_the_hash_is_held_to_it(pth):
    published = pth.rename(pth.with_name("vgg19-dcbb9e9d.pth"))
    with pytest.raises(CheckpointError, match="by its name it should begin with dcbb9e9d"):
        vgg_file.read_content(published)


def test_other_safetensors_are_refused(tmp_path, small_vgg):
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="no VGG of viceversa"):
        vgg_file.read_content(path)
    path.write_bytes(small_vgg.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        vgg_file.read_content(path)


def test_without_a_file_both_ways_are_told(tmp_path):
    for given in (None, tmp_path / "nowhere.pth", tmp_path):
        with pytest.raises(ConfigError) as refused:
            vgg_file.find(given)
        for words in (
            "vgg19-dcbb9e9d.pth",
            "575 MB",
            "--vgg download",
            "viceversa train vgg --a PHOTOS",
            "--vgg runs/vgg",
        ):
            assert words in str(refused.value)


@pytest.fixture
def server(tmp_path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine: its address, and the folder that it serves."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def copyfile(self, source, outputfile):
            if (folder / "cut").exists():  # less than its headers tell
                outputfile.write(source.read(1000))
            else:
                super().copyfile(source, outputfile)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}", folder
        served.shutdown()
        thread.join()


def test_the_download_is_kept_once_its_hash_is_right(pth, server, tmp_path, capfd):
    url, web = server
    file = named_by_its_hash(pth)
    content = file.read_bytes()
    file.rename(web / file.name)
    got = vgg_file.downloaded(tmp_path / "kept", url=f"{url}/{file.name}", quiet=False)
    assert got.read_bytes() == content
    assert file.name in capfd.readouterr().err
    (web / file.name).unlink()
    assert vgg_file.downloaded(tmp_path / "kept", url=f"{url}/{file.name}") == got, "it is there already"
    assert list((tmp_path / "kept").iterdir()) == [got]


def test_a_download_that_is_another_file_is_not_kept(pth, server, tmp_path):
    url, web = server
    (web / "vgg19-dcbb9e9d.pth").write_bytes(pth.read_bytes())
    with pytest.raises(CheckpointError, match="instead of dcbb9e9d"):
        vgg_file.downloaded(tmp_path / "kept", url=f"{url}/vgg19-dcbb9e9d.pth")
    assert not list((tmp_path / "kept").iterdir())


def test_a_download_that_breaks_off_is_not_kept(pth, server, tmp_path):
    url, web = server
    file = named_by_its_hash(pth)
    (web / file.name).write_bytes(file.read_bytes())
    (web / "cut").touch()
    with pytest.raises(CheckpointError, match="connection broke after 1,000 of"):
        vgg_file.downloaded(tmp_path / "kept", url=f"{url}/{file.name}")
    assert not list((tmp_path / "kept").iterdir())


def test_without_a_network_the_other_ways_are_told(server, tmp_path):
    url, _ = server
    for address in (f"{url}/vgg19-dcbb9e9d.pth", "http://127.0.0.1:1/vgg19-dcbb9e9d.pth"):  # not there; nobody answers
        with pytest.raises(CheckpointError, match="cannot be fetched") as refused:
            vgg_file.downloaded(tmp_path / "kept", url=address)
        assert "viceversa train vgg" in str(refused.value)
    assert not list((tmp_path / "kept").iterdir())
