"""The page at /docs: the OpenAPI schema for people, with nothing in it that comes from another server."""

import json
import re
from collections.abc import Mapping
from typing import Any

from viceversa import pages
from viceversa.serving.config import ROOT_PATH

_CURL = {
    "/v1/translate": "curl -F file=@portrait.jpg -F format=png -o new.png {root}/v1/translate\n"
    "curl -X POST -T portrait.jpg -o new.jpg '{root}/v1/translate?to=b'",
}

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def prefix_of(headers: Mapping[str, str], given: str) -> str:
    """The path under which whoever asks sees the server: the one that was given, or what a proxy says, or none."""
    said = _first(headers, "x-forwarded-prefix").rstrip("/")
    return given or (said if ROOT_PATH.fullmatch(said) else "")


def address_of(headers: Mapping[str, str], scheme: str, server: tuple[str, int | None], prefix: str) -> str:
    """Where whoever asks sees the server, by what he, or a proxy, says of it; what is no address is not repeated."""
    said = _first(headers, "x-forwarded-proto")
    name, port = server
    names = (_first(headers, "x-forwarded-host"), headers.get("host", ""))
    host = next((host for host in names if _HOST.fullmatch(host)), f"{name}:{port}" if port else name)
    return f"{said if said in ('http', 'https') else scheme}://{host}{prefix}"


def _first(headers: Mapping[str, str], name: str) -> str:
    """Of several proxies, the one that was asked."""
    return headers.get(name, "").partition(",")[0].strip()


def reference_page(schema: dict[str, Any], root: str) -> bytes:
    """HTML that describes the routes of an OpenAPI ``schema``; ``root`` is the server's address in the examples."""
    curl = {path: (_CURL.get(path) or "curl {root}" + path).replace("{root}", root) for path in schema["paths"]}
    return pages.render(
        "viceversa.serving", "reference", None, schema=schema, curl=curl, kind_of=_kind,
        content_of=lambda answer: _content(answer, schema),  # pyright: ignore[reportUnknownLambdaType]
    )  # fmt: skip


def _kind(schema: dict[str, Any]) -> str:
    (kind, *_) = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if "enum" in kind:
        return " | ".join(map(str, kind["enum"]))
    limits = f" {kind['minimum']} to {kind['maximum']}" if "minimum" in kind else ""
    default = f", {json.dumps(schema['default'])} if left out" if schema.get("default") is not None else ""
    return f"{kind.get('type', '')}{limits}{default}"


def _content(answer: dict[str, Any], schema: dict[str, Any]) -> str:
    """The media types of an answer, and of JSON the fields of its model."""
    texts: list[str] = []
    for media, content in answer.get("content", {}).items():
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        fields = ", ".join(schema["components"]["schemas"][name]["properties"]) if name else ""
        texts.append(f"{media} {{{fields}}}" if fields else media)
    return ", ".join(texts)
