"""The model card: the README.md that a translator folder carries, for whoever is given it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viceversa import sizes
from viceversa.inference.figures import Figures

if TYPE_CHECKING:
    from viceversa.inference.folder import TranslatorConfig

_TRANSLATE = """translator = vv.load({folder}
translator("picture.jpg", to="{to}").save("translated.png")"""
_SAMPLE = """sampler = vv.load({folder}
for number, picture in enumerate(sampler.sample(16, seed=0{label})):
    picture.save(f"{{number}}.png")"""
_MARKUP = re.compile(r"([\\`*_\[\]<>|~#$&:@])")


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What the card of a model on a hub says besides."""

    repo: str
    """``user/name``."""
    license: str
    """As hubs abbreviate it: mit, apache-2.0, cc-by-4.0."""
    datasets: Sequence[str] = ()
    """The hub's data sets that it was trained on: ``user/name``."""
    picture: tuple[str, str] | None = None
    """The file of the sample image, and what it shows."""
    figures: Figures | None = None
    """What was measured."""


def model_card(config: "TranslatorConfig", publication: Publication | None = None) -> str:
    """What it is, what it was trained on, how it is used and what is in it, with the tags that model hubs read."""
    names = {letter: _escaped(name) for letter, name in config.domains.items()}
    folder = f'"hf://{publication.repo}")' if publication else '"FOLDER")  # the folder of this file'
    if "z2a" in config.networks:
        task, title, what = "unconditional-image-generation", names["a"], "A generator of images from noise"
        use = _SAMPLE.format(folder=folder, label=f", label={json.dumps(config.classes[0])}" if config.classes else "")
    else:
        a, b = names["a"], names["b"]
        title = " and ".join(f"{a} → {b}" if name == "a2b" else f"{b} → {a}" for name in config.networks)
        task, what = "image-to-image", "A translator of images"
        use = _TRANSLATE.format(folder=folder, to=next(iter(config.networks))[-1])
    classes = f"\nClasses: {', '.join(map(_escaped, config.classes))}.\n" if config.classes else ""
    networks = "\n".join(f"- {name}: `{network}`" for name, network in config.networks.items())
    trained = f"Trained with {_escaped(config.method)} on {config.images} images of {sizes.words(config.size_px)} px."
    if config.begun_with:
        trained = f"{trained[:-1]}, beginning with the weights of {_escaped(config.begun_with)}."
    origin = "Imported weights." if config.method == "imported" else trained
    return f"""---
library_name: viceversa
pipeline_tag: {task}
tags: [gan, {task}, {_quoted(config.method)}]
{_header(publication)}---

# {title}

{_picture(publication)}{what}, for viceversa. {origin}
{classes}
```python
import viceversa as vv

{use}
```

{_figures(publication)}{networks}

The weights and a copy of `config.json` are in `model.safetensors`, which is the file that is read.
"""


def _header(publication: Publication | None) -> str:
    if publication is None:
        return ""
    datasets = f"datasets: [{', '.join(map(_quoted, publication.datasets))}]\n" if publication.datasets else ""
    return f"license: {_quoted(publication.license)}\n{datasets}"


def _picture(publication: Publication | None) -> str:
    if publication is None or publication.picture is None:
        return ""
    file, shows = publication.picture
    return f"![{shows}]({file})\n\n{shows}.\n\n"


def _figures(publication: Publication | None) -> str:
    if publication is None or publication.figures is None:
        return ""
    head, *rows = (f"| {' | '.join(map(_escaped, row))} |" for row in publication.figures.rows)
    rule = "|---" * len(publication.figures.rows[0]) + "|"
    table = "\n".join([head, rule, *rows])
    return "\n\n".join([table, *map(_escaped, publication.figures.notes)]) + "\n\n"


def _escaped(name: str) -> str:
    """A name that anybody chose, as it is: no markup, no links, no second line."""
    return _MARKUP.sub(r"\\\1", _one_line(name))


def _quoted(text: str) -> str:
    """A JSON string is a YAML string too."""
    return json.dumps(_one_line(text), ensure_ascii=False)


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
