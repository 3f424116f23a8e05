"""The model card: the README.md that a translator folder carries, for whoever is given it."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viceversa.inference.folder import TranslatorConfig

_TRANSLATE = """translator = vv.load("FOLDER")  # the folder of this file
translator("picture.jpg", to="{to}").save("translated.png")"""
_SAMPLE = """sampler = vv.load("FOLDER")  # the folder of this file
for number, picture in enumerate(sampler.sample(16, seed=0{label})):
    picture.save(f"{{number}}.png")"""


def model_card(config: "TranslatorConfig") -> str:
    """What it is, what it was trained on, how it is used and what is in it, with the tags that model hubs read."""
    if "z2a" in config.networks:
        task, title, what = "unconditional-image-generation", config.domains["a"], "A generator of pictures from noise"
        use = _SAMPLE.format(label=f", label={json.dumps(config.classes[0])}" if config.classes else "")
    else:
        a, b = config.domains["a"], config.domains["b"]
        title = " and ".join(f"{a} → {b}" if name == "a2b" else f"{b} → {a}" for name in config.networks)
        task, what = "image-to-image", "A translator of pictures"
        use = _TRANSLATE.format(to=next(iter(config.networks))[-1])
    classes = f"\nClasses: {', '.join(config.classes)}.\n" if config.classes else ""
    networks = "\n".join(f"- {name}: `{network}`" for name, network in config.networks.items())
    trained = f"Trained with `{config.method}` on {config.images} images of {config.size_px} px."
    origin = "Imported weights." if config.method == "imported" else trained
    return f"""---
library_name: viceversa
pipeline_tag: {task}
tags: [gan, {task}, {json.dumps(config.method)}]
---

# {title}

{what}, for viceversa. {origin}
{classes}
```python
import viceversa as vv

{use}
```

{networks}

The weights and a copy of `config.json` are in `model.safetensors`, which is the file that is read.
"""
