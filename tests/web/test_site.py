"""The built pages on their way to the reader: a copy in a folder, and a server on this machine alone."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from elman.cli.main import main
from elman.errors import UserError
from elman.web import site
from elman.web.server import HOST, SiteServer
from elman.web.site import read_site, write_site

PAGE = b'<!doctype html><meta name="generator" content="elman lecture"><script src="index.js"></script>'
FILES = {"index.html": PAGE, "index.js": b"1", "style.css": b"a{}"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small site in the place of the built one."""
    folder = tmp_path / "site"
    (folder / "lecture").mkdir(parents=True)
    for name, data in FILES.items():
        (folder / "lecture" / name).write_bytes(data)
    (folder / "lecture" / "notes.txt").write_text("no part of the site")
    monkeypatch.setattr(site, "SITE", folder)
    return folder


@pytest.fixture
def server(built: Path) -> Iterator[SiteServer]:
    """The small site, served."""
    with SiteServer("lecture", 0) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server: SiteServer, path: str, method: str = "GET", host: str | None = None) -> tuple[int, bytes, str]:
    """Status, body, and the policy that came with them."""
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=5)
    connection.request(method, path, headers={"Host": host or f"{HOST}:{server.server_port}"})
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.headers["Content-Security-Policy"]
    connection.close()
    return found


def test_a_copy_has_every_file_and_the_first_page_last(built: Path, tmp_path: Path) -> None:
    assert list(read_site("lecture"))[-1] == "index.html"
    page = write_site("lecture", tmp_path / "copy")
    assert page == tmp_path / "copy" / "index.html"
    assert {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()} == FILES
    assert write_site("lecture", tmp_path / "copy") == page  # a copy of ours may be written again


def test_what_is_somebody_elses_is_left_alone(built: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("my own page")
    with pytest.raises(UserError, match="belongs to something else"):
        write_site("lecture", tmp_path)
    assert (tmp_path / "index.html").read_text() == "my own page"
    assert not (tmp_path / "index.js").exists()
    with pytest.raises(UserError, match="is a file"):
        write_site("lecture", tmp_path / "index.html")


def test_an_installation_without_pages_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "SITE", tmp_path)
    with pytest.raises(UserError, match="make web"):
        write_site("lecture", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_the_server_gives_the_sites_files_with_a_strict_policy(server: SiteServer) -> None:
    for path, name in (("/", "index.html"), ("/index.html?x=1", "index.html"), ("/index.js", "index.js")):
        status, body, policy = ask(server, path)
        assert (status, body) == (200, FILES[name])
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy.replace("wasm-unsafe-eval", "")
    assert ask(server, "/", "HEAD")[:2] == (200, b"")


@pytest.mark.parametrize(
    "path", ["/notes.txt", "/../site.py", "/%2e%2e/server.py", "//etc/passwd", "/lecture/index.js"]
)
def test_the_server_gives_nothing_else(server: SiteServer, path: str) -> None:
    assert ask(server, path)[0] == 404


def test_another_sites_name_for_this_machine_is_refused(server: SiteServer) -> None:
    assert ask(server, "/", host="evil.example")[0] == 421
    assert ask(server, "/", host=f"evil.example:{server.server_port}")[0] == 421
    assert ask(server, "/", host=f"localhost:{server.server_port}")[0] == 200
    assert ask(server, "/", "POST")[0] == 501


def test_a_port_that_is_taken(server: SiteServer) -> None:
    with pytest.raises(UserError, match=f"`port` {server.server_port} cannot be listened at"):
        SiteServer("lecture", server.server_port)


def test_the_command_writes_the_site(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lecture", "--out", str(tmp_path / "copy")])
    assert capsys.readouterr().out.strip() == str(tmp_path / "copy" / "index.html")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "FOLDER", "--port", "8000"], "give one of them"),
        (["--port", "70000"], "--port is 70000; it must be from 0"),
    ],
)
def test_mistakes_are_one_line(
    built: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lecture", *words])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
