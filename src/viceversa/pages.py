"""HTML pages from Jinja templates: files that open from disk and fetch nothing.

Style, script and data are in the page itself, so it can be copied, mailed and kept. Whatever is filled in is escaped,
and a content security policy with the hash of our own script makes sure that nothing else in the page can run.
"""

import base64
import hashlib
import json
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
    "form-action 'none'"
)


def render(package: str, name: str, data: Any, **values: Any) -> bytes:
    """Fill in the template ``name.html`` of ``package``, beside which lie ``name.css`` and maybe ``name.js``.

    Args:
        package: Such as "viceversa.training".
        name: The template's name without suffix.
        data: What the script finds as JSON in the element "data".
        values: What the template names, besides ``policy``, ``style``, ``script`` and ``data``.
    """
    environment = _environment(package)
    style = _source(environment, f"{name}.css")
    script = _source(environment, f"{name}.js") if f"{name}.js" in environment.list_templates() else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(f"{name}.html").render(
        policy=Markup(_POLICY.format(digest=digest)),
        style=Markup(style),
        script=Markup(script),
        data=Markup(_json(data)),
        **values,
    )
    return page.encode(errors="replace")


@lru_cache
def _environment(package: str) -> Environment:
    loader = PackageLoader(package, "")
    return Environment(autoescape=True, loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _json(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
