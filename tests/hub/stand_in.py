"""A hub on 127.0.0.1 for tests: repositories in memory, behind the part of the hub's API that its library speaks."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_standin"
USER = "me"


@dataclass
class Repository:
    """The versions of one repository, each all its files; the last is `main`."""

    private: bool = False
    versions: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes]) -> str:
        """Add a version; returns its name."""
        what = "".join(f"{name}{hashlib.sha1(data).hexdigest()}" for name, data in sorted(files.items()))
        sha = hashlib.sha1(f"{len(self.versions)}{what}".encode()).hexdigest()
        self.versions[sha] = files
        return sha

    @property
    def newest(self) -> str:
        return list(self.versions)[-1]

    def resolve(self, revision: str) -> str | None:
        return self.newest if revision == "main" else revision if revision in self.versions else None


class StandIn(ThreadingHTTPServer):
    """The hub: `repositories` by USER/NAME, `log` of all requests, `wrong` answers by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.log: list[str] = []
        self.wrong: dict[str, tuple[int, bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name: str, files: dict[str, bytes], *, private: bool = False) -> str:
        """A version of a repository that somebody else has made."""
        return self.repositories.setdefault(name, Repository(private)).commit(files)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A hub that answers until the end of the block."""
    server = StandIn()
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        self.server.log.append(format % args)

    def answer(self, status: int, body: bytes | dict[str, Any] = b"", **headers: str) -> None:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str = "", message: str = "no") -> None:
        self.answer(status, {"error": message}, **({"X_Error_Code": code} if code else {}), X_Error_Message=message)

    @property
    def authorised(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path in self.server.wrong:
            return self.answer(*self.server.wrong[path])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self.info(found[1], found[2] or "main")
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.file(*found.groups())
        return self.refuse(404)

    def open(self, name: str, revision: str) -> tuple[Repository, str] | None:
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and not self.authorised):
            self.refuse(404 if self.authorised else 401, "RepoNotFound", "Repository not found")
            return None
        commit = repository.resolve(revision)
        if commit is None:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
            return None
        return repository, commit

    def info(self, name: str, revision: str) -> None:
        if (found := self.open(name, revision)) is None:
            return
        repository, commit = found
        files = repository.versions[commit].items()
        siblings = [
            {"rfilename": file, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()} for file, data in files
        ]
        self.answer(
            200, {"id": name, "modelId": name, "sha": commit, "private": repository.private, "siblings": siblings}
        )

    def file(self, name: str, revision: str, file: str) -> None:
        if (found := self.open(name, revision)) is None:
            return
        repository, commit = found
        data = repository.versions[commit].get(file)
        if data is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
            return
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        self.answer(200, data, ETag=tag, X_Repo_Commit=commit, Content_Length=str(len(data)))

    def do_PUT(self) -> None:
        data = self.body()
        oid = self.path.rsplit("/", 1)[-1]
        if hashlib.sha256(data).hexdigest() != oid:
            return self.refuse(400)
        self.server.blobs[oid] = data
        return self.answer(200)

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.body()
        if path in self.server.wrong:
            return self.answer(*self.server.wrong[path])
        if path == "/api/validate-yaml":
            return self.validate(json.loads(body)["content"])
        if not self.authorised:
            return self.refuse(401, message="Invalid username or password.")
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path):
            return getattr(self, found[2])(found[1], body)
        if re.fullmatch(r"/[^/]+/[^/]+\.git/info/lfs/objects/batch", path):
            return self.batch(json.loads(body))
        return self.refuse(404)

    def validate(self, card: str) -> None:
        import yaml

        _, head, text = card.split("---\n", 2)
        good = isinstance(yaml.safe_load(head), dict) and text.strip()
        self.answer(200 if good else 400, {"errors": [] if good else [{"message": "no head"}], "warnings": []})

    def create(self, asked: dict[str, Any]) -> None:
        if asked["organization"] != USER:
            return self.refuse(403, message="You don't have the rights to create a model under this namespace")
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.repositories:
            return self.refuse(409, message="You already created this model repo")
        repository = self.server.repositories[name] = Repository(asked.get("visibility") == "private")
        repository.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return self.answer(200, {"url": f"{self.server.url}/{name}"})

    def preupload(self, name: str, body: bytes) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith((".safetensors", ".png")) else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(body)["files"]
        ]
        self.answer(200, {"files": files})

    def batch(self, asked: dict[str, Any]) -> None:
        objects = [
            one | {"actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}} for one in asked["objects"]
        ]
        self.answer(200, {"transfer": "basic", "objects": objects})

    def commit(self, name: str, body: bytes) -> None:
        repository = self.server.repositories[name]
        files = dict(repository.versions[repository.newest])
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header" and value.get("parentCommit", repository.newest) != repository.newest:
                return self.refuse(412, message="A commit has happened since")
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        commit = repository.commit(files)
        url = f"{self.server.url}/{name}/commit/{commit}"
        return self.answer(200, {"success": True, "commitUrl": url, "commitOid": commit, "hookOutput": ""})
