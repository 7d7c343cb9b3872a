"""`elman data`: the catalogue of public datasets."""

from __future__ import annotations

from cyclopts import App

data_app = App(name="data", help="Public datasets: list them, download them.")


@data_app.command(name="list")
def list_datasets() -> None:
    """Show every dataset that has a name, and whether it lies in the cache.

    Example: elman data list
    """
    from rich.console import Console
    from rich.table import Table

    from elman.data.datasets.cache import cache_folder, cached
    from elman.data.datasets.registry import CATALOGUE

    table = Table(title=f"datasets (cache: {cache_folder()})", title_justify="left")
    for column in ("name", "what", "MB", "cached", "licence"):
        table.add_column(column, justify="right" if column == "MB" else "left", overflow="fold")
    for name, dataset in CATALOGUE.items():
        table.add_row(name, dataset.title, _megabytes(dataset.bytes), "yes" if cached(name) else "no", dataset.licence)
    Console().print(table)


def _megabytes(size: int | None) -> str:
    if size is None:
        return "?"
    return f"{size / 1e6:.1f}" if size >= 50_000 else "<0.1"


@data_app.command
def fetch(name: str, /) -> None:
    """Download a dataset into the cache (the folder that ELMAN_DATA names, if it is set), and check it.

    Example: elman data fetch shakespeare
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from elman.data.datasets import cache as fetching

    console = Console(stderr=True)
    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        folder = fetching.fetch(
            name, progress=lambda done, total: bar.update(task, completed=done, total=total or None)
        )
    print(folder)
