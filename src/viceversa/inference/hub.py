"""Translator folders on a model hub: ``hf://user/name``, fetched by the client of huggingface_hub into its cache.

What the client raises becomes one sentence here. It finds the hub, the token and the cache as it always does
(HF_ENDPOINT, HF_TOKEN or ``hf auth login``, HF_HOME).
"""

import json
import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from viceversa.errors import ConfigError, HubError
from viceversa.extras import need
from viceversa.inference.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE

PREFIX = "hf://"
_DEFAULT = "https://huggingface.co"
# Names as the hub takes them; two parts, since a name without its owner leads to nobody's model.
_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*(?<![.-])(?<!\.git)", re.ASCII)
_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][\w./-]*", re.ASCII)
_LONGEST_NAME = 96


def is_address(model: Path | str) -> bool:
    """Whether ``model`` is an address such as hf://user/name; a Path has made one slash of the two."""
    return f"{Path(model).as_posix()}/".startswith("hf:/")


def parse(address: Path | str) -> tuple[str, str | None]:
    """The repository and the revision of hf://user/name or hf://user/name@revision.

    Raises:
        ConfigError: No hub has such names.
    """
    repo, at, revision = Path(address).as_posix().removeprefix("hf:").lstrip("/").partition("@")
    check_name(repo)
    if at and not _REVISION.fullmatch(revision):
        raise ConfigError(f"{_line(revision)!r} is no revision; write {PREFIX}{repo}@ and a branch, a tag or a commit.")
    return repo, revision or None


def check_name(repo: str) -> None:
    """Raises ConfigError if ``repo`` cannot be the name of a repository with its owner."""
    if not _NAME.fullmatch(repo) or len(repo) > _LONGEST_NAME:
        raise ConfigError(
            f"{_line(repo)!r} is no name of a model on the hub; write it as user/name, of letters, digits and - _ ."
        )


def fetch(address: Path | str) -> Path:
    """The model.safetensors of hf://user/name, in the client's cache; the cached one if the hub cannot be reached.

    Only the three files of a translator folder are fetched, whatever else the repository holds.

    Raises:
        ConfigError: It is no address.
        HubError: The hub has no such model, or it cannot be reached and the model is not in the cache.
        MissingExtra: huggingface_hub is not installed.
    """
    repo, revision = parse(address)
    client = need("huggingface_hub", "hub")
    with refusals(repo, writing=False):
        folder = client.snapshot_download(
            repo,
            revision=revision,
            allow_patterns=[WEIGHTS_FILE, CONFIG_FILE, CARD_FILE],
            endpoint=endpoint(),
            library_name="viceversa",
        )
    file = Path(folder) / WEIGHTS_FILE
    if not file.is_file():
        raise HubError(f"{PREFIX}{repo} holds no {WEIGHTS_FILE}: it is no model of viceversa; name another.")
    return file


def endpoint() -> str:
    """Where the hub is. The client reads HF_ENDPOINT when it is imported; here it is what it is now.

    Raises:
        ConfigError: HF_ENDPOINT is no address.
    """
    url = (os.environ.get("HF_ENDPOINT") or _DEFAULT).rstrip("/")
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its port is none
        whole = False
    if not whole:
        raise ConfigError(f"HF_ENDPOINT is {_line(url)!r}, which is no address; write it like {_DEFAULT}, or unset it.")
    return url


@contextmanager
def refusals(repo: str, *, writing: bool) -> Generator[None]:
    """Within it, whatever the client raises becomes a HubError of one sentence."""
    transport: Any = need("huggingface_hub.errors", "hub").HTTPError  # httpx's, under whichever name it is installed
    try:
        yield
    except (transport, OSError, ValueError, RuntimeError, KeyError, AssertionError) as error:
        chain: list[Any] = list(_chain(error))
        if any(isinstance(each, OSError) and each.errno is not None and each.filename for each in chain):
            raise  # a full disk, a cache that may not be written: the command line has words for that
        raise HubError(_sentence(chain, repo, writing)) from None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _sentence(chain: list[Any], repo: str, writing: bool) -> str:
    errors = need("huggingface_hub.errors", "hub")
    where = endpoint()
    first = chain[0]
    if isinstance(first, json.JSONDecodeError | KeyError | AssertionError):
        return f"What {where} answers is no hub's answer; check HF_ENDPOINT."
    if isinstance(first, ValueError) and not isinstance(first, OSError):  # what the client checks, or has checked
        return f"{where} does not take {repo} as it is: {_line(str(first))}"
    if isinstance(first, errors.RevisionNotFoundError):
        return f"{repo} has no such revision; name a branch, a tag or a commit that {where}/{repo} shows."
    response = next((each.response for each in chain if isinstance(each, errors.HfHubHTTPError)), None)
    status = 0 if response is None else response.status_code
    said = next((each.server_message for each in chain if getattr(each, "server_message", None)), "")
    said = _line(said) if said else ""
    if isinstance(first, errors.GatedRepoError):
        return f"{repo} is given to those who ask for it: ask for access at {where}/{repo}, then: hf auth login"
    if not writing and (status in (401, 403, 404) or isinstance(first, errors.RepositoryNotFoundError)):
        return (
            f"{where} has no model {repo} that you may read: check the name or, if it is private, log in first: "
            "hf auth login"
        )
    if status == 401:
        return (
            f"{where} does not accept your token (401): it is wrong or has expired. Make a new one there, under "
            "settings, then: hf auth login"
        )
    if status == 403:
        return (
            f"{where} does not let your token write to {repo} (403{f': {said}' if said else ''}): name a repository of "
            "your own, or use a token with the right to write."
        )
    if status == 429:
        return f"{where} has had too many requests from you (429); try again in some minutes."
    if response is not None:
        then = "try again later." if status >= 500 else "check the name, and upgrade huggingface-hub if it is right."
        return f"{where} answered {status} about {repo}{f' ({said})' if said else ''}; {then}"
    kind = _line(str(chain[-1])) or type(chain[-1]).__name__
    if any(isinstance(each, errors.HTTPError | OSError) for each in chain):
        cached = "" if writing else f", and {repo} is not in the cache"
        return f"{where} cannot be reached ({kind}){cached}: check the network and HF_ENDPOINT, then try again."
    return f"The client of the hub failed with {repo} ({kind}); try again, or upgrade huggingface-hub."


def _line(text: str) -> str:
    """Text of strangers for a terminal: one line, not too long, nothing that steers."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:200]
