"""A stand-in of the hub's HTTP interface on this machine, for the real client."""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")

GOOD, READER = "hf_token_that_may_write", "hf_token_that_may_only_read"
NAME = r"([\w.-]+/[\w.-]+)"


class Repository:
    """Commits, the newest last: id, message, files."""

    def __init__(self, private: bool):
        self.private = private
        self.commits: list[tuple[str, str, dict[str, bytes]]] = []
        self.tags: dict[str, str] = {}
        self.commit("initial commit", {".gitattributes": b"*.safetensors filter=lfs\n"})

    def commit(self, message: str, files: dict[str, bytes]) -> str:
        identity = hashlib.sha1(repr((len(self.commits), message)).encode()).hexdigest()
        self.commits.append((identity, message, files))
        return identity

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1][2]

    def find(self, revision: str) -> tuple[str, str, dict[str, bytes]] | None:
        wanted = self.commits[-1][0] if revision == "main" else self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit[0] == wanted), None)


class Hub(ThreadingHTTPServer):
    """What of the hub's interface the client asks for; ``asked`` is what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.status: int | None = None
        self.code = ""


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {self.path}")
        for (command, pattern), act in ROUTES.items():
            found = re.fullmatch(pattern, self.path)
            if command == self.command and found:
                if self.server.status is not None:
                    return self.give(
                        self.server.status, {"error": "out of order\x1b[31m"}, X_Error_Code=self.server.code
                    )
                return act(self, *found.groups())
        return self.give(404, {"error": f"the stand-in has no {self.command} {self.path}"})

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def give(self, status: int, content: Any, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def may_write(self) -> bool:
        if self.token() not in (GOOD, READER):
            self.give(401, {"error": "Invalid username or password."})
        elif self.token() == READER:
            self.give(403, {"error": "You don't have the rights."}, X_Error_Message="You don't have the rights.")
        return self.token() == GOOD

    def readable(self, name: str) -> Repository | None:
        found = self.server.repositories.get(name)
        if found is None or (found.private and self.token() != GOOD):
            self.give(404 if self.token() else 401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        return found

    def create(self) -> None:
        if self.may_write():
            wanted = json.loads(self.body)
            name = f"{wanted['organization']}/{wanted['name']}"
            if name in self.server.repositories:
                return self.give(409, {"error": "You already created it", "url": f"{self.server.url}/{name}"})
            self.server.repositories[name] = Repository(wanted.get("visibility") == "private")
            self.give(200, {"url": f"{self.server.url}/{name}"})

    def validate(self) -> None:
        license = huggingface_hub.ModelCard(json.loads(self.body)["content"]).data.license
        errors = [] if license in ("mit", "other") else [{"message": '"license" must be one of [mit, other]'}]
        self.give(400 if errors else 200, {"errors": errors, "warnings": []})

    def preupload(self, name: str) -> None:
        if self.may_write():
            files = [file["path"] for file in json.loads(self.body)["files"]]
            modes = ["lfs" if path.endswith((".safetensors", ".jpg")) else "regular" for path in files]
            known = zip(files, modes, strict=True)
            self.give(200, {"files": [{"path": f, "uploadMode": m, "shouldIgnore": False} for f, m in known]})

    def batch(self, name: str) -> None:
        def upload(oid: str) -> dict[str, Any]:
            return {"upload": {"href": f"{self.server.url}/upload/{oid}"}}

        wanted = json.loads(self.body)["objects"]
        self.give(200, {"objects": [{**each, "actions": upload(each["oid"])} for each in wanted]})

    def upload(self, oid: str) -> None:
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.server.stored[oid] = self.body
        self.give(200, {})

    def commit(self, name: str) -> None:
        lines = [json.loads(line) for line in self.body.splitlines()]
        repository = self.server.repositories[name]
        files, message = dict(repository.files), ""
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                message = value["summary"]
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        identity = repository.commit(message, files)
        url = f"{self.server.url}/{name}/commit/{identity}"
        self.give(200, {"success": True, "commitOid": identity, "commitUrl": url})

    def info(self, name: str, revision: str = "main") -> None:
        if repository := self.readable(name):
            commit = repository.find(revision)
            if commit is None:
                return self.give(404, {"error": "no such revision"}, X_Error_Code="RevisionNotFound")
            siblings = [{"rfilename": path} for path in commit[2]]
            self.give(200, {"id": name, "sha": commit[0], "private": repository.private, "siblings": siblings})

    def tree(self, name: str, revision: str) -> None:
        if repository := self.readable(name):
            commit = repository.find(revision)
            assert commit is not None
            about = [{"type": "file", "path": path, **described(path, content)} for path, content in commit[2].items()]
            self.give(200, about)

    def resolve(self, name: str, revision: str, path: str) -> None:
        if repository := self.readable(name):
            commit = repository.find(revision)
            assert commit is not None
            etag = described(path, commit[2][path])
            self.give(200, commit[2][path], ETag=f'"{etag.get("lfs", etag)["oid"]}"', X_Repo_Commit=commit[0])


def described(path: str, content: bytes) -> dict[str, Any]:
    """As git knows a file: by its own hash, or by that of what is stored elsewhere."""
    blob = {"oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(), "size": len(content)}
    if not path.endswith(".safetensors"):
        return blob
    return {**blob, "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}}


ROUTES: dict[tuple[str, str], Callable[..., None]] = {
    ("POST", "/api/repos/create"): Answer.create,
    ("POST", "/api/validate-yaml"): Answer.validate,
    ("POST", f"/api/models/{NAME}/preupload/main"): Answer.preupload,
    ("POST", f"/{NAME}.git/info/lfs/objects/batch"): Answer.batch,
    ("PUT", r"/upload/(\w+)"): Answer.upload,
    ("POST", f"/api/models/{NAME}/commit/main"): Answer.commit,
    ("GET", f"/api/models/{NAME}"): Answer.info,
    ("GET", f"/api/models/{NAME}/revision/(.+)"): Answer.info,
    ("GET", f"/api/models/{NAME}/tree/(.+)"): Answer.tree,
    ("GET", f"/{NAME}/resolve/([^/]+)/(.+)"): Answer.resolve,
    ("HEAD", f"/{NAME}/resolve/([^/]+)/(.+)"): Answer.resolve,
}


@contextlib.contextmanager
def hub_here(cache: Path) -> Generator[Hub]:
    """A hub, and this process's client that knows it, with a cache and a token of its own."""
    from huggingface_hub import constants

    served = Hub()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {"HF_ENDPOINT": served.url, "HF_TOKEN": GOOD, "NO_PROXY": "*", "no_proxy": "*"}.items():
            patch.setenv(key, value)
        # What the client read from the environment when it was imported. Xet is a protocol of the hub's own storage.
        for key, value in {
            "HF_HUB_CACHE": str(cache),
            "HF_TOKEN_PATH": str(cache.with_name("no-token")),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_DISABLE_TELEMETRY": True,
        }.items():
            patch.setattr(constants, key, value)
        huggingface_hub.close_session()
        try:
            yield served
        finally:
            huggingface_hub.close_session()
            served.shutdown()
            served.server_close()
            thread.join()
