import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

import viceversa
from viceversa import bfloat16
from viceversa.cli import main
from viceversa.data import images
from viceversa.errors import CheckpointError, ConfigError, DataError, MissingExtra
from viceversa.inference.folder import Channels
from viceversa.inference.onnx import engines
from viceversa.inference.onnx import export as exporting
from viceversa.inference.onnx.engines import CONFIG_KEY, EXPORT_KEY, OnnxNetwork
from viceversa.inference.onnx.export import Exported, export
from viceversa.inference.onnx.graph import cut
from viceversa.inference.translator import load, save_translator
from viceversa.networks import ResNetConfig, ResNetGenerator, UNetConfig, UNetGenerator, initialise

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "onnx.md"
DOMAINS = {"a": "women", "b": "men"}
SIZES = [(5, 7), (64, 64), (101, 67), (1, 40)]
PAYS = bfloat16.pays
MEAN = {"fp32": 0.02, "fp16": 0.5, "int8": 6.0}  # int8: of random weights, at sizes far from those of the calibration


@pytest.fixture(autouse=True)
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO computes in bfloat16 where the processor is faster in it; a test of its own looks at that."""
    monkeypatch.setattr(bfloat16, "pays", lambda device: False)


def soft(*shape: int, seed: int = 0) -> np.ndarray:
    """An image like a photograph in that its neighbouring pixels are alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, shape[2]), dtype=np.uint8)
    return images.resize(coarse, (shape[0], shape[1]))


def drawn(network: Any, seed: int) -> Any:
    initialise(network, "xavier", 1.0, torch.Generator().manual_seed(seed))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(torch.linspace(-0.1, 0.1, module.num_features))
            module.running_var.fill_(0.5)
    return network.eval()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Translators: ``both``, a ResNet there and a U-Net with batch norm back, and ``grey``, from grey to colour."""
    root = tmp_path_factory.mktemp("models")
    there = drawn(ResNetGenerator(ResNetConfig(width=4, blocks=1)), 1)
    back = drawn(UNetGenerator(UNetConfig(width=4, levels=4, dropout=True)), 2)
    grey = drawn(ResNetGenerator(ResNetConfig(in_channels=1, width=4, blocks=1, upsample="resize", dropout=True)), 3)
    for name, networks in ("both", {"a2b": there, "b2a": back}), ("grey", {"a2b": grey}):
        save_translator(root / name, networks, method="cyclegan", domains=DOMAINS, size_px=32, images=1000)
    (root / "pictures").mkdir()
    for index in range(18):
        images.save(soft(40, 36, 3, seed=index), root / "pictures" / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def exported(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """One file of each kind of numbers. To export takes seconds, so all tests share these."""
    out = tmp_path_factory.mktemp("exported")
    return {
        "fp32": export(models / "both", out / "fp32.onnx"),
        "fp16": export(models / "grey", out / "new" / "fp16.onnx", dtype="fp16"),
        "int8": export(models / "both", out / "int8.onnx", to="women", dtype="int8", calibrate=models / "pictures"),
    }


@pytest.fixture
def reference(models: Path) -> dict[str, Callable[..., Any]]:
    """What torch makes of an image, for each of the exported files."""
    both, grey = load(models / "both", "cpu"), load(models / "grey", "cpu")
    return {"fp32": lambda x: both(x, "b"), "fp16": grey, "int8": lambda x: both(x, "a")}


def on_its_own(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    session = onnxruntime.InferenceSession(str(file))
    return lambda pictures: session.run(None, {"picture": pictures})[0]


@pytest.mark.parametrize("dtype", MEAN)
def test_the_file_alone_gives_what_torch_gives_at_any_size(dtype, exported, reference):
    run = on_its_own(exported[dtype].file)
    for size in SIZES:
        batch = np.stack([soft(*size, exported[dtype].channels, seed=seed) for seed in range(2)])
        expected, answer = reference[dtype](batch), run(batch)
        assert answer.dtype == np.uint8
        assert answer.shape == expected.shape == (2, *size, 3)
        difference = np.abs(answer.astype(int) - expected)
        assert difference.mean() <= MEAN[dtype], f"{size}"
        assert expected.std() > 2, "else nothing is compared"
    assert run(np.full((1, 1, 1, exported[dtype].channels), 200, np.uint8)).shape == (1, 1, 1, 3)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("dtype", MEAN)
def test_load_gives_a_translator_that_answers_as_torch_does(dtype, engine, exported, reference):
    translator = load(exported[dtype].file, engine=engine)
    gives_pictures = exported[dtype].channels
    for size in [(41, 30), (16, 16), (41, 30)]:  # one that comes again too: OpenVINO compiles it anew
        picture = soft(*size, gives_pictures)
        difference = np.abs(translator(picture).astype(int) - reference[dtype](picture))
        assert difference.mean() <= MEAN[dtype]
        assert dtype == "int8" or difference.max() <= 1
    asked = Image.fromarray(soft(20, 30, 3))
    assert isinstance(translator(asked), Image.Image)
    assert translator(asked).size == (30, 20)


def test_floats_are_not_rounded_on_the_way(exported, models):
    x = torch.from_numpy(soft(24, 20, 3).transpose(2, 0, 1)[None] / 127.5 - 1).float() + 0.0011
    expected = load(models / "both", "cpu")(x, "b")
    for engine in ("onnxruntime", "openvino"):
        assert torch.allclose(load(exported["fp32"].file, engine=engine)(x), expected, atol=1e-4)


def test_bfloat16_on_openvino_differs_by_its_rounding_alone(exported, reference, monkeypatch):
    """Its numbers have 8 bits, so each of the few layers may round by half of 1/256 of what it sums."""
    if not PAYS("cpu"):
        pytest.skip("this processor is not faster in bfloat16, so that is never asked for")
    monkeypatch.setattr(bfloat16, "pays", lambda device: True)
    translator = load(exported["fp32"].file, engine="openvino")
    difference = np.abs(translator(soft(41, 30, 3)).astype(int) - reference["fp32"](soft(41, 30, 3)))
    assert difference.mean() <= 2


def test_a_file_leads_in_its_own_direction_only(exported):
    translator = load(exported["int8"].file)
    assert translator.directions == ("b2a",)
    assert translator.domains == DOMAINS
    assert translator.size_px == 32
    assert translator.direction("women") == translator.direction() == "b2a"
    with pytest.raises(ConfigError, match="leads to a"):
        translator(soft(8, 8, 3), to="men")
    assert not load(exported["fp16"].file).has_noise()


def test_public_load_takes_the_file_too(exported):
    assert viceversa.load(str(exported["fp32"].file)).directions == ("a2b",)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_several_threads_may_call_at_once(exported, engine):
    translator = load(exported["fp32"].file, engine=engine)
    pictures = [soft(20 + seed % 3, 24, 3, seed=seed) for seed in range(12)]
    expected = [translator(picture) for picture in pictures]
    answers: dict[int, Any] = {}

    def work(start: int) -> None:
        for index in range(start, 12, 4):
            answers[index] = translator(pictures[index])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, before in enumerate(expected):
        assert np.abs(answers[index].astype(int) - before).max() <= 1


def test_the_metadata_says_what_it_is_and_how_near(exported):
    model = onnx.load_model(exported["int8"].file)
    found = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert found[CONFIG_KEY]["domains"] == DOMAINS
    assert list(found[CONFIG_KEY]["directions"]) == ["b2a"]
    notes = found[EXPORT_KEY]
    assert (notes["version"], notes["dtype"], notes["multiple"]) == (1, "int8", 16)
    assert notes["calibrated_on_pictures"] == 15  # of 18; every eighth is kept for the check
    difference = notes["difference_from_torch_in_grey_levels"]
    assert 0 < difference["mean"] <= 3
    assert difference["sizes"] == [[32, 32], [69, 9]]
    for value, channels in (model.graph.input[0], 3), (model.graph.output[0], 3):
        kind = value.type.tensor_type
        assert kind.elem_type == TensorProto.UINT8
        assert [dim.dim_param or dim.dim_value for dim in kind.shape.dim] == ["batch", "height", "width", channels]


def test_it_is_smaller_with_fewer_bits_and_tells_nothing_of_the_machine(exported):
    weights = {name: onnx.load_model(one.file).graph.initializer for name, one in exported.items()}
    assert {tensor.data_type for tensor in weights["fp16"] if len(tensor.dims) == 4} == {TensorProto.FLOAT16}
    assert {tensor.data_type for tensor in weights["int8"] if len(tensor.dims) == 4} == {TensorProto.INT8}
    for one in exported.values():
        content = one.file.read_bytes()
        assert b".py" not in content
        assert str(Path(viceversa.__file__).parents[2]).encode() not in content


def test_the_five_lines_of_the_guide(exported, models, tmp_path):
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "onnx" in block]
    assert len([line for line in code.splitlines() if line]) == 5
    assert "viceversa" not in code
    Image.fromarray(soft(33, 21, 3)).save(tmp_path / "portrait.jpg")
    (tmp_path / "model.onnx").write_bytes(exported["fp32"].file.read_bytes())
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = load(models / "both", "cpu")(tmp_path / "portrait.jpg", to="b")
    with Image.open(tmp_path / "new.png") as picture:
        assert np.abs(np.asarray(picture).astype(int) - np.asarray(expected)).max() <= 1


def test_the_commands(exported, models, tmp_path, monkeypatch, capsys):
    graph = cut(onnx.load_model(exported["fp32"].file), (3, 3))
    monkeypatch.setattr(exporting, "network_graph", lambda network: graph)  # the real one, made once
    out = tmp_path / "web" / "model.onnx"
    out.parent.mkdir()
    onnx.save_model(foreign(), out)
    assert main(["export", str(models / "both"), "--out", str(out), "--to", "men"]) == 2
    assert "is there already and was not written by viceversa export" in capsys.readouterr().err
    assert main(["export", str(models / "both"), "--out", str(out), "--to", "men", "--overwrite"]) == 0
    assert main(["export", str(models / "both"), "--out", str(out), "--to", "men"]) == 0, "its own is renewed"
    said = capsys.readouterr().out
    assert f"{out}: women -> men, fp32" in said
    assert "Compared with torch: mean 0.00" in said
    Image.fromarray(soft(33, 21, 3)).save(tmp_path / "portrait.png")
    words = ["translate", str(out), str(tmp_path / "portrait.png"), "--out", str(tmp_path / "new.png")]
    assert main([*words, "--engine", "onnxruntime"]) == 0
    with Image.open(tmp_path / "new.png") as picture:
        expected = load(models / "both", "cpu")(soft(33, 21, 3), to="b")
        assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 1


def test_a_file_that_differs_from_torch_is_not_written(exported, models, tmp_path, monkeypatch):
    other = onnx.load_model(exported["fp32"].file)
    for tensor in other.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 4:
            values = onnx.numpy_helper.to_array(tensor) * np.float32(1.5)
            values[0] = 0
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    monkeypatch.setattr(exporting, "network_graph", lambda network: cut(other, (3, 3)))
    (tmp_path / "model.onnx").write_text("what was there")
    with pytest.raises(CheckpointError, match=r"Nothing was written: as fp32 .* differs too much from torch"):
        export(models / "both", tmp_path / "model.onnx", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "what was there"
    with pytest.raises(CheckpointError) as caught:  # there is none of more bits than float32
        export(models / "both", tmp_path / "model.onnx", overwrite=True)
    assert str(caught.value).endswith("Translate with the folder itself, which torch computes.")
    with pytest.raises(CheckpointError, match=r"as fp16 .* Take more bits: --dtype fp32\.$"):
        export(models / "both", tmp_path / "model.onnx", dtype="fp16", overwrite=True)


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"out": "model.pt"}, ConfigError, r"ends in \.onnx"),
        ({"out": "few/one.png/deep/model.onnx"}, ConfigError, "few/one.png is no folder that may be written to"),
        ({"dtype": "int8"}, ConfigError, "--calibrate FOLDER"),
        ({"dtype": "int4"}, ConfigError, "no dtype 'int4'"),
        ({"to": "dogs"}, ConfigError, "does not lead to 'dogs'"),
        ({"dtype": "int8", "calibrate": "few"}, DataError, "at least 16: add some, or take --dtype fp16"),
        ({"dtype": "int8", "calibrate": "none"}, DataError, "does not exist"),
        ({"model": "nothing"}, CheckpointError, "no folder"),
    ],
)
def test_mistakes_are_said_before_any_work(settings, kind, words, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("few").mkdir()
    images.save(soft(8, 8, 3), "few/one.png")
    monkeypatch.setattr(exporting, "network_graph", lambda network: pytest.fail("it was worked on"))
    given = {"model": models / "both", "out": "model.onnx", **settings}
    with pytest.raises(kind, match=words):
        export(given.pop("model"), given.pop("out"), **given)
    assert {path.name for path in tmp_path.iterdir()} == {"few"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "both", "--out", "m.onnx", "--dtype", "int8"], "--calibrate FOLDER"),
        (["export", "both", "--out", "m.onnx", "--browser", "pictures"], "npm install onnxruntime-web"),
        (["export", "both", "--out", "pictures/0.png/m.onnx"], "cannot be written"),
        (["export", "nothing", "--out", "m.onnx"], "There is no folder nothing"),
        (["export", "broken.onnx", "--out", "m.onnx"], "give the folder of a run"),
        (["translate", "broken.onnx", "pictures/0.png", "--out", "new.png"], "is damaged"),
        (["translate", "foreign.onnx", "pictures/0.png", "--out", "new.png"], "is no translator of viceversa"),
        (["translate", "broken.onnx", "pictures/0.png", "--out", "new.png", "--device", "cuda"], "on the CPU"),
    ],
)
def test_mistakes_end_in_one_sentence_and_exit_code_2(words, said, models, tmp_path, monkeypatch, capsys):
    shutil.copytree(models, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    Path("broken.onnx").write_bytes(b"\x08\x0a not a model")
    onnx.save_model(foreign(), "foreign.onnx")
    before = sorted(Path().rglob("*"))
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("viceversa: ")
    assert said in line
    assert sorted(Path().rglob("*")) == before


def test_generators_from_noise_are_refused(from_noise, tmp_path):
    save_translator(
        tmp_path / "z", {"z2a": from_noise()}, method="dcgan", domains={"a": "digits"}, size_px=16, images=9
    )
    with pytest.raises(CheckpointError, match=r"from noise; .* viceversa sample"):
        export(tmp_path / "z", tmp_path / "model.onnx")


def foreign(**changes: Any) -> onnx.ModelProto:
    """A model of somebody else's."""
    node = helper.make_node("Identity", ["picture"], ["translated"], **changes)
    ends = [helper.make_tensor_value_info(name, TensorProto.UINT8, [1]) for name in ("picture", "translated")]
    return helper.make_model(helper.make_graph([node], "graph", ends[:1], ends[1:]))


def noted(model: onnx.ModelProto, key: str, **changes: Any) -> onnx.ModelProto:
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = json.dumps({**json.loads(entry.value), **changes})
    return model


def with_outer_data(model: onnx.ModelProto) -> onnx.ModelProto:
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    return model


def with_loop(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.node.append(helper.make_node("If", ["zero"], ["x"], then_branch=foreign().graph))
    return model


def without_network(model: onnx.ModelProto) -> onnx.ModelProto:
    node = next(node for node in model.graph.node if "network_input" in node.input)
    node.input[0] = "floats"
    return model


def with_nonsense(model: onnx.ModelProto) -> onnx.ModelProto:
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type = "Reluu"
    return model


def with_domain(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.node[-1].domain = "com.evil"
    return model


def with_channels(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    return noted(model, CONFIG_KEY, directions={"a2b": {"in_channels": 3, "out_channels": count}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: foreign(), "is no translator of viceversa"),
        (with_outer_data, "uses data of other files"),
        (with_loop, "uses operations that no export"),
        (with_domain, "uses operations that no export"),
        (without_network, "is damaged"),
        (with_nonsense, "is damaged"),
        (lambda model: noted(model, EXPORT_KEY, version=9), "newer viceversa"),
        (lambda model: noted(model, EXPORT_KEY, version=[]), "notes on its export are damaged"),
        (lambda model: noted(model, EXPORT_KEY, multiple=0), "multiples of 0"),
        (lambda model: noted(model, CONFIG_KEY, directions={}), "directions must be"),
        (lambda model: noted(model, CONFIG_KEY, directions={"a2b": []}), "in_channels must be"),
        (lambda model: with_channels(model, 0), "must be at least 1"),
        (lambda model: with_channels(model, 2**70), "is damaged"),
        (lambda model: noted(model, CONFIG_KEY, format="?"), "no translator of viceversa"),
    ],
)
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_files_that_are_not_ours_or_not_plain_are_refused(change, words, engine, exported, tmp_path):
    file = tmp_path / "model.onnx"
    onnx.save_model(change(onnx.load_model(exported["fp32"].file)), file)
    with pytest.raises(CheckpointError, match=words) as caught:
        load(file, engine=engine)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_channels_must_be_those_that_it_tells_of(exported, tmp_path):
    file = tmp_path / "model.onnx"
    model = onnx.load_model(exported["fp32"].file)
    (entry,) = (entry for entry in model.metadata_props if entry.key == CONFIG_KEY)
    entry.value = entry.value.replace('"in_channels": 3', '"in_channels": 1')
    onnx.save_model(model, file)
    with pytest.raises(CheckpointError, match="is damaged"):
        load(file, engine="openvino")


def test_what_one_engine_cannot_compute_names_the_other(exported, monkeypatch):
    """The file is whole, so it is not called damaged and nothing else."""

    def lacking(model: bytes) -> None:
        raise RuntimeError("no plug-in for the device CPU")

    monkeypatch.setattr(engines, "on_openvino", lacking)
    with pytest.raises(CheckpointError) as caught:
        load(exported["fp32"].file, engine="openvino")
    assert "cannot be computed by openvino (no plug-in for the device CPU)" in str(caught.value)
    assert "--engine onnxruntime" in str(caught.value)


def test_files_that_are_no_model_at_all(exported, tmp_path):
    whole = exported["fp32"].file.read_bytes()
    for content in b"", b"hello", whole[: len(whole) // 2], bytes(1000):
        (tmp_path / "x.onnx").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"x\.onnx"):
            load(tmp_path / "x.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(CheckpointError, match=r"folder\.onnx cannot be read \(Is a directory\)"):
        load(tmp_path / "folder.onnx")
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(CheckpointError, match="larger than 1 GiB"):
        load(tmp_path / "huge.onnx")
    with pytest.raises(CheckpointError, match="no file"):
        load(tmp_path / "absent.onnx")


def test_settings_that_cannot_be(exported):
    with pytest.raises(ConfigError, match="no engine 'tensorrt'"):
        load(exported["fp32"].file, engine="tensorrt")
    with pytest.raises(ConfigError, match="on the CPU"):
        load(exported["fp32"].file, "cuda")


@pytest.mark.parametrize(
    ("module", "engine"), [("onnx", "auto"), ("openvino", "openvino"), ("onnxruntime", "onnxruntime")]
)
def test_what_is_not_installed_is_named(module, engine, exported, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"needs {module}.*viceversa\[export\]"):
        load(exported["fp32"].file, engine=engine)


def test_without_openvino_onnxruntime_is_taken(exported, monkeypatch):
    expected = load(exported["fp32"].file, engine="onnxruntime")(soft(9, 9, 3))
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert np.array_equal(load(exported["fp32"].file)(soft(9, 9, 3)), expected)


def test_tiles_and_memory_end_in_words(exported):
    with pytest.raises(ConfigError, match="tiles"):
        load(exported["fp32"].file)(soft(64, 64, 3), tile=64)

    def full(x: np.ndarray) -> np.ndarray:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 1")

    with pytest.raises(MemoryError):
        OnnxNetwork(Channels(3, 3), 4, full)(torch.zeros(1, 3, 8, 8))
