"""Fetching from a server of the test's own: what comes is checked, what is wrong said, nothing half kept."""

import errno
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from elman.data.datasets import download
from elman.data.datasets.cache import cache_folder, cached, fetch
from elman.data.datasets.registry import CATALOGUE, Dataset, Remote
from elman.errors import UserError

BODIES = {"a.txt": b"alpha " * 50_000, "below/b.txt": b"beta"}


class Server(ThreadingHTTPServer):
    """Serves `bodies`; `promised` overrides the length it announces for a file."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = dict(BODIES)
        self.promised = {}
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        file = self.path[1:]
        self.server.asked.append(file)
        body = self.server.bodies.get(file)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.promised.get(file, len(body))))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture
def toy(server, cache, monkeypatch):
    files = tuple(
        Remote(name, server.url + name, hashlib.sha256(body).hexdigest(), len(body)) for name, body in BODIES.items()
    )
    dataset = Dataset("toy", "A toy", "text", files, "none", "", folder="toys")
    monkeypatch.setitem(CATALOGUE, "toy", dataset)
    return dataset


def left_in(cache):
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def test_downloads_once_and_reports_progress(toy, server, cache):
    seen = []
    assert not cached("toy")
    folder = fetch("toy", progress=lambda done, total: seen.append((done, total)))
    assert folder == cache / "toys"
    assert {name: (folder / name).read_bytes() for name in BODIES} == BODIES
    assert cached("toy")
    done = [count for count, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (toy.bytes, toy.bytes)

    server.asked.clear()
    assert fetch("toy") == folder
    assert server.asked == []


def test_what_killed_downloads_left_is_removed(toy, cache):
    """In inner folders too, and by a number that no process has: that of a child which has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    host = re.sub(r"\W", "", socket.gethostname())[:20]
    fetch("toy")
    inner = next(cache.rglob("below"))
    parts = [inner / f".b.txt.{host}-{child.pid}-x.part", inner.parent / f".a.txt.{host}-{child.pid}-x.part"]
    living = inner / f".b.txt.{host}-{os.getpid()}-x.part"
    for path in (*parts, living):
        path.write_bytes(b"half")
    fetch("toy")
    assert not any(path.exists() for path in parts)
    assert living.exists()


def test_downloads_only_what_is_missing(toy, server, cache):
    (cache / "toys").mkdir(parents=True)
    (cache / "toys" / "a.txt").write_bytes(BODIES["a.txt"])
    (cache / "toys" / ".b.txt.0123.part").write_bytes(b"be")  # what a killed download leaves
    fetch("toy")
    assert server.asked == ["below/b.txt"]
    assert (cache / "toys" / "below" / "b.txt").read_bytes() == b"beta"


def test_stand_in_serves(toy, server, cache, monkeypatch):
    other = Remote("other.txt", "", hashlib.sha256(b"repacked").hexdigest(), 8)
    files = (Remote("gone.txt", server.url + "gone.txt", "0" * 64, 1, stand_in=other),)
    monkeypatch.setitem(CATALOGUE, "toy", Dataset("toy", "A toy", "text", files, "none", "", folder="toys"))
    (cache / "toys").mkdir(parents=True)
    (cache / "toys" / "other.txt").write_bytes(b"repacked")
    assert cached("toy")
    assert fetch("toy") == cache / "toys"
    assert server.asked == []


def fails(*parts):
    with pytest.raises(UserError) as caught:
        fetch("toy")
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
    return message


def test_wrong_file_from_the_server_is_not_kept(toy, server, cache):
    server.bodies["below/b.txt"] = b"beto"
    sums = [hashlib.sha256(body).hexdigest() for body in (b"beto", b"beta")]
    fails(server.url + "below/b.txt", *sums, "nothing was kept", cache / "toys/below/b.txt")
    assert "toys/below/b.txt" not in left_in(cache)
    assert not any(name.endswith(".part") for name in left_in(cache))


def test_damaged_file_in_the_cache_is_named_not_replaced(toy, cache):
    fetch("toy")
    path = cache / "toys" / "below" / "b.txt"
    path.write_bytes(b"BETA")
    fails(path, hashlib.sha256(b"BETA").hexdigest(), hashlib.sha256(b"beta").hexdigest(), "delete it")
    assert path.read_bytes() == b"BETA"


def test_missing_on_the_server(toy, server, cache):
    del server.bodies["a.txt"]
    fails(
        "toy is not in the cache",
        "404 Not Found",
        server.url + "a.txt",
        cache / "toys/a.txt",
        "likewise 1 more",
    )


def test_broken_connection_leaves_nothing_half(toy, server, cache):
    server.promised["a.txt"] = len(BODIES["a.txt"]) + 10
    fails("no connection to the server, or it broke", cache / "toys/a.txt")
    assert not any("a.txt" in name for name in left_in(cache))


def test_no_network(toy, server, cache):
    server.server_close()
    fails("toy is not in the cache", "no connection", server.url + "a.txt", cache / "toys/a.txt")
    assert left_in(cache) == []


def test_slow_server_is_given_up(toy, server, cache, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", (1.0, 0.05))
    release = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda self: release.wait(5) and None)
    fails("did not answer in time")
    release.set()


def test_read_only_cache_folder(toy, cache, monkeypatch):
    def refuse(**kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    fails("cannot write", cache / "toys", "read-only file system", "ELMAN_DATA")


def test_full_disk(toy, cache, monkeypatch):
    def refuse(self, count):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download._Meter, "add", refuse)
    fails("cannot write", "no space left on device", "ELMAN_DATA")
    assert left_in(cache) == []


def test_a_file_in_the_cache_folders_place(toy, cache):
    cache.write_text("not a folder")
    fails("cannot write", "ELMAN_DATA")


def test_cache_folder_is_the_systems_where_none_is_named(monkeypatch):
    monkeypatch.delenv("ELMAN_DATA", raising=False)
    assert cache_folder().name == "elman"
    monkeypatch.setenv("ELMAN_DATA", "~/somewhere")
    assert "~" not in str(cache_folder())


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != "flickr8k-pictures"])  # 7,000 files
def test_filled_cache_serves(name):
    if "ELMAN_DATA" not in os.environ:
        pytest.skip("ELMAN_DATA names no filled cache folder")
    assert cached(name)
    assert fetch(name).is_dir()
