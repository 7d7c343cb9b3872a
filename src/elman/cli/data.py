"""`elman data`: the catalogue of public datasets."""

from __future__ import annotations

from cyclopts import App

from elman.cli.messages import show, show_json, show_rich
from elman.cli.running import Json

EXAMPLE = "Example: elman data fetch shakespeare"
data_app = App(name="data", help="Public datasets: list them, download them.", help_epilogue=EXAMPLE)


@data_app.command(name="list", help_epilogue="Example: elman data list")
def list_datasets(*, json: Json = False) -> None:
    """Show every dataset that has a name, and whether it lies in the cache."""
    from elman.data.datasets.cache import cache_folder, cached
    from elman.data.datasets.registry import CATALOGUE

    if json:
        datasets = [
            {
                "name": name,
                "what": dataset.title,
                "kind": dataset.kind,
                "bytes": dataset.bytes,
                "cached": cached(name),
                "licence": dataset.licence,
            }
            for name, dataset in CATALOGUE.items()
        ]
        show_json({"cache": cache_folder(), "datasets": datasets})
        return
    from rich.table import Table

    table = Table(title=f"datasets (cache: {cache_folder()})", title_justify="left")
    for column in ("name", "what", "MB", "cached", "licence"):
        table.add_column(column, justify="right" if column == "MB" else "left")
    for name, dataset in CATALOGUE.items():
        table.add_row(name, dataset.title, _megabytes(dataset.bytes), "yes" if cached(name) else "no", dataset.licence)
    show_rich(table)


def _megabytes(size: int | None) -> str:
    if size is None:
        return "?"
    return f"{size / 1e6:.1f}" if size >= 50_000 else "<0.1"


@data_app.command
def fetch(name: str, /) -> None:
    """Download a dataset into the cache (the folder that ELMAN_DATA names, if it is set), and check it."""
    from elman.cli.progress import TerminalDisplay
    from elman.data.datasets import cache as fetching

    with TerminalDisplay().downloading(name) as progress:
        folder = fetching.fetch(name, progress=progress)
    show(str(folder))
