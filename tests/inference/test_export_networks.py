"""Every kind of generator as ONNX, and what 8 bits cost a network that has learned something."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from viceversa.data import images
from viceversa.data.folders import find_pictures
from viceversa.inference.onnx.export import export
from viceversa.inference.onnx.graph import network_graph, with_pictures
from viceversa.inference.translator import Translator, load, save_translator
from viceversa.networks import GENERATORS, ResNetConfig, ResNetGenerator, initialise

DOMAINS = {"a": "women", "b": "men"}
KINDS = {
    "resnet": {"width": 4, "blocks": 1, "norm": "batch", "in_channels": 2, "out_channels": 5},
    "unet": {"width": 4, "levels": 3, "norm": "instance", "in_channels": 1, "out_channels": 1},
    "cartoon": {"width": 4, "blocks": 1, "norm": "none", "upsample": "resize"},
    "compact": {"width": 8, "blocks": 1, "norm": "group", "attention": True},
}  # `test_export` has a ResNet with instance norm and a U-Net with batch norm


def test_there_is_a_case_for_every_kind():
    assert KINDS.keys() == GENERATORS.keys(), "a new generator needs a case here"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_generator_gives_what_torch_gives(kind):
    cls: Any = GENERATORS[kind]
    network = cls(cls.Config(**KINDS[kind]))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(1))
    with torch.no_grad():
        network.train()(torch.rand(4, network.config.in_channels, 32, 32))  # batch norm has met something
    translator = Translator({"a2b": network}, domains=DOMAINS, size_px=32)
    whole = with_pictures(network_graph(network), network)
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    for size in (32, 32), (1, 3), (37, 50):
        batch = np.random.default_rng(0).integers(0, 256, (3, *size, network.config.in_channels), dtype=np.uint8)
        expected = translator(batch)
        (answer,) = session.run(None, {"picture": batch})
        assert answer.shape == expected.shape == (3, *size, network.config.out_channels)
        assert np.abs(answer.astype(int) - expected).max() <= 1
        assert expected.std() > 2, "else nothing is compared"


@pytest.fixture(scope="module")
def trained(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator that has learned something of real faces in seconds: to make them warm and dark."""
    files = find_pictures(shared_data / "faces_lfw" / "trainA", "trainA")[:64]
    faces = images.to_tensor(np.stack([images.fit_square(images.read(file, 3), 48) for file in files]))
    wanted = (faces * torch.tensor([1.0, 0.7, 0.3])[:, None, None] - 0.2).clamp(-1, 1)
    generator = torch.Generator().manual_seed(0)
    network = ResNetGenerator(ResNetConfig(width=12, blocks=2))
    initialise(network, "normal", 0.02, generator)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(80):
        some = torch.randint(len(faces), (8,), generator=generator)
        optimizer.zero_grad()
        loss = (network(faces[some]) - wanted[some]).abs().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.15, "it must have learned, else it says nothing of trained networks"
    folder = tmp_path_factory.mktemp("trained")
    save_translator(folder, {"a2b": network.eval()}, method="cyclegan", domains=DOMAINS, size_px=48, images=640)
    return folder


def test_int8_of_a_trained_network_is_near_on_pictures_that_it_was_not_calibrated_on(trained, shared_data, tmp_path):
    faces = shared_data / "faces_lfw"
    done = export(trained, tmp_path / "m.onnx", dtype="int8", calibrate=faces / "trainA")
    assert done.parity.mean <= 2
    reference = load(trained, "cpu")
    files = find_pictures(faces / "testA", "testA")[:16]
    for engine in ("onnxruntime", "openvino"):
        translator = load(done.file, engine=engine)
        for size in (48, 48), (61, 40):
            batch = np.stack([images.resize(images.fit_square(images.read(file, 3), 48), size) for file in files])
            differences = np.abs(translator(batch).astype(int) - reference(batch))
            assert differences.mean() <= 2, f"{engine}, {size}"
            assert np.percentile(differences, 99.9) <= 16
