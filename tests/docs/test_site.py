"""The site: every page in its table of contents, every package with an API page, every link leading somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import elman

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAVIGATION = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]


def test_every_page_is_in_the_table_of_contents() -> None:
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert pages == set(re.findall(r"[\w/-]+\.md", NAVIGATION))


def test_every_package_has_an_api_page() -> None:
    packages = {path.parent.name for path in (ROOT / "src" / "elman").glob("*/__init__.py")} - {"cli"}
    for name in packages:
        assert f"::: elman.{name}\n" in (DOCS / "api" / f"{name}.md").read_text(encoding="utf-8")
    described = (DOCS / "api" / "elman.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in described for name in elman.__all__ if name not in packages | {"__version__"})


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
