"""Code of one's own: files that are named, and installed packages that announce what they bring."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import viceversa as vv
from viceversa import plugins
from viceversa.cli import main
from viceversa.errors import ConfigError, ViceversaError
from viceversa.methods import METHODS

METHOD = '''
"""mine: CycleGAN under another name."""
from viceversa.methods.cyclegan import CycleGAN


class Mine(CycleGAN):
    """A subclass."""

    name = "mine"
'''
SMALL = (
    "--size 16 --load-size 16 --width 4 --blocks 1 --discriminator-width 4 --discriminator-layers 2 --images 2 "
    "--samples 1 --sample-pictures 1 --device cpu --precision 32-true --logger none"
)


STRANGE = {"name": "a\x1b[2J", "version": "", "kind": "file", "defines": ["method a"]}


@pytest.fixture
def write(tmp_path: Path, own_code: None) -> Callable[..., Path]:
    def write(text: str, name: str = "my_method.py") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def train(pictures: Path, tmp_path: Path) -> Callable[..., int]:
    def train(code: Path | str, *more: str) -> int:
        folders = [f"--{side}={pictures / side}" for side in "ab"]
        cache = f"--cache={pictures.with_name('cache')}"
        return main(["train", str(code), *folders, cache, f"--out={tmp_path / 'run'}", *SMALL.split(), *more])

    return train


def test_a_run_remembers_its_code_and_says_where_it_is_missing(write, train, tmp_path, capsys):
    code = write(METHOD)
    assert train(code) == 0
    saved = json.loads((tmp_path / "run/config.json").read_text())
    assert saved["method"]["name"] == "mine"
    assert [(entry["name"], entry["defines"]) for entry in saved["imports"]] == [("my_method.py", ["method mine"])]
    assert "imports" not in json.loads((tmp_path / "run/translator/config.json").read_text()), "its networks are ours"

    code.write_text(METHOD + "\n# changed\n")
    capsys.readouterr()
    assert train(code, "--images=3") == 0
    assert "my_method.py has changed since the run was last trained\n" in capsys.readouterr().err
    assert train(code, "--images=4") == 0
    assert "has changed" not in capsys.readouterr().err, "said once"

    plugins._forget(sys.modules[METHODS["mine"].__module__])
    assert main(["evaluate", str(tmp_path / "run"), "--device=cpu"]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path}/run was trained with my_method.py, which defines the method mine" in said
    assert "--import PATH/my_method.py" in said
    assert "mine" not in METHODS, "no folder loads code"
    assert main(["methods", "--import", str(code)]) == 0
    assert "\n  mine " in capsys.readouterr().out
    assert (
        vv.config.read_config(tmp_path / "run/config.json", tmp_path / "run").method.__class__.__name__ == "MineConfig"
    )
    assert vv.load(tmp_path / "run", "cpu").directions == ("a2b", "b2a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "defines no method"),
        ("def f(:\n    pass\n", "my_method.py, line 1: SyntaxError: invalid syntax."),
        ("x = 1\nimport nonsense\n", "my_method.py, line 2: ModuleNotFoundError: No module named 'nonsense'."),
        ("def f():\n    return [][1]\nf()\n", "my_method.py, line 3, then my_method.py, line 2 in f: IndexError: list"),
        (METHOD + METHOD.replace("Mine", "Other").replace("mine", "other"), "my_method.py:Mine or "),
        (METHOD.replace('"mine"', '"cyclegan"'), "There is a method cyclegan already, in viceversa.methods.cyclegan"),
        (METHOD.replace('    name = "mine"\n', ""), "line 6: The class Mine needs a name of its own"),
    ],
)
def test_mistakes_in_a_file_are_one_sentence(text, said, write, train, capsys):
    before = dict(METHODS)
    assert train(write(text)) == 2
    output = capsys.readouterr().err
    assert output.startswith("viceversa: ")
    assert said in output
    assert "Traceback" not in output
    assert before == METHODS or "defines 2 methods" in output, "nothing half loaded stays"


def test_a_file_without_a_docstring_is_listed_by_that_of_the_class(write, capsys):
    code = write(METHOD.replace('"""mine: CycleGAN under another name."""', "") + '    paper = ""\n')
    assert main(["methods", "--import", str(code)]) == 0
    assert "\n  mine        unpaired  A subclass\n" in capsys.readouterr().out


def test_one_of_several_methods_is_named(write):
    code = write(METHOD + METHOD.replace("Mine", "Other").replace("mine", "other"))
    for name in "Other", "other":
        assert vv.configure(f"{code}:{name}", out="run").method.__class__.__name__ == "OtherConfig"
    with pytest.raises(ConfigError, match=r"no such method; name one: .*my_method.py:Mine or .*my_method.py:Other"):
        vv.configure(f"{code}:Third", out="run")


def test_an_error_of_a_step_names_its_line(write, train, capsys):
    step = "\n    def step(self, batch, iteration):\n        yield undefined\n"
    assert train(write(METHOD + step)) == 2
    said = capsys.readouterr().err
    assert "viceversa: my_method.py, line 12 in step: NameError: name 'undefined' is not defined.\n" in said


def test_files_and_modules_that_are_not_there(own_code, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"nowhere\.py cannot be read \(No such file"):
        vv.import_code(tmp_path / "nowhere.py")
    with pytest.raises(ConfigError, match=r"There is no module nonsense\.networks"):
        vv.import_code("nonsense.networks")
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text("import nonsense\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"my_package.nets cannot be imported: .*nets.py, line 1: ModuleNotFoundErr"):
        vv.import_code("my_package.nets")
    (package / "nets.py").write_text(METHOD.replace("mine", "packaged"))
    assert vv.import_code("my_package.nets") is vv.import_code("my_package.nets")
    assert plugins.origin(METHODS["packaged"]).name == "my_package.nets"


def test_a_file_finds_what_lies_beside_it_and_is_imported_again_only_if_it_changed(write):
    write("VALUE = 3\n", "beside_it.py")
    code = write("from beside_it import VALUE\n", "user_code.py")
    first = vv.import_code(code)
    assert first.VALUE == 3
    assert vv.import_code(str(code)) is first
    assert vv.import_code(write("VALUE = 4\n", "user_code.py")).VALUE == 4


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_code: None) -> Callable[..., None]:
    """``install(name, module, code, group="methods")``: a package that announces a method of that name."""

    def install(name: str, module: str, code: str, group: str = "methods") -> None:
        about = tmp_path / f"site/package_{module}-0.3.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package-{module}\nVersion: 0.3\n")
        (about / "entry_points.txt").write_text(f"[viceversa.{group}]\n{name} = {module}\n")
        (about.parent / f"{module}.py").write_text(code)

    monkeypatch.syspath_prepend(tmp_path / "site")
    return install


def test_installed_packages_are_found_by_the_names_they_announce(install, tmp_path, capsys):
    install("mine", "installed_mine", METHOD)
    install("broken", "installed_broken", "x = 1\nimport nonsense\n")
    install("tiny", "installed_tiny", "import nonsense\n", "networks")
    config = vv.configure("mine", out=tmp_path / "run")
    assert "installed_broken" not in sys.modules
    (entry,) = json.loads(vv.config.to_json(config))["imports"]
    assert (entry["name"], entry["version"], entry["kind"]) == ("package-installed_mine", "0.3", "package")
    with pytest.raises(ViceversaError, match="There is no method 'nonsense'"):
        vv.configure("nonsense", out="run")
    broken = "The method broken comes with package-installed_broken 0.3, which cannot be imported: "
    with pytest.raises(ConfigError, match=broken + r".*installed_broken.py, line 2: ModuleNotFoundError"):
        vv.configure("broken", out="run")
    assert main(["methods"]) == 0
    shown = capsys.readouterr()
    assert "\n  mine " in shown.out
    assert shown.err.count("\n") == 2
    assert broken in shown.err
    assert "The network tiny comes with package-installed_tiny 0.3, which cannot be imported: " in shown.err


def test_what_a_package_brought_is_said_where_it_is_missing(install, tmp_path):
    install("mine", "installed_mine", METHOD)
    text = vv.config.to_json(vv.configure("mine", out=tmp_path / "run"))
    missing = text.replace('"method mine"', '"method gone"').replace('"name": "mine"', '"name": "gone"')
    with pytest.raises(ConfigError, match=r"needs the method gone of the package package-installed_mine 0\.3"):
        vv.config.from_json(missing, tmp_path / "run")


def test_a_file_without_its_suffix_is_hinted_at(write, train, monkeypatch, tmp_path, capsys):
    write(METHOD)
    monkeypatch.chdir(tmp_path)
    assert train("my_method") == 2
    assert capsys.readouterr().err.endswith("Perhaps you meant my_method.py.\n")


@pytest.mark.parametrize(
    "imports", [3, [3], [{}], [{"name": 3}], {"name": "x"}, [{"name": "x", "defines": "y"}], [STRANGE]]
)
def test_imports_that_are_damaged_import_nothing(imports):
    assert plugins.missing(imports) == ""
    assert plugins.changed(imports, imports) == []
