"""Tables that are large: read once, then their columns lie in files of a cache that are mapped into memory.

An entry of the cache: the cells of each column in KEY.N.column, one after the other, or, of texts, as a stream of
Arrow; and KEY.json (`Facts`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from elman.atomic_io import whole_file
from elman.data import entries
from elman.data.digests import check_untouched, content_digest, signature
from elman.data.io.files import file_kind, is_file, is_sampling
from elman.data.io.large.plain_columns import DTYPES, ChangedKindError, Kind, PlainColumn, check_marks
from elman.data.io.large.plain_text import NotPlainError, plain_blocks, plain_header
from elman.data.packed import packed_by
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    import pandas as pd

LARGE_BYTES = 8_000_000
"""A table that has more bytes than this, once it is unpacked, is stored."""
FIT_IN_MEMORY = 64_000_000
"""A large table that has at most so many bytes can be read into memory, too, where the cache cannot be used."""
PACKED_RATIO = 4
"""How many times its own size a packed file is taken to hold."""
_MOST_COLUMNS = 200
_FORMAT = 3  # of entries, and of what is read into them
_KINDS = (".csv", ".tsv")
log = logging.getLogger("elman")


@dataclass(frozen=True)
class Facts:
    """What KEY.json says of a table.

    Attributes:
        plain: whether it was one, so that there are columns.
    """

    plain: bool
    rows: int
    names: list[str]
    kinds: list[Kind]


def stored_table(path: Path, texts: Collection[str], *, thousands: bool = False) -> pd.DataFrame | None:
    """What `elman.data.io.tables.read_table` makes of a large .csv or .tsv file, its columns mapped into memory.

    None where the file is small, or has to be weighed as a whole.

    Arguments:
        texts: columns whose cells stay the texts that they are.
        thousands: whether there are columns whose points stand between thousands where nothing shows otherwise.

    Raises:
        UserError: the file cannot be read, or changes meanwhile; the cache cannot be used, and the file is very large.
    """
    if file_kind(path) not in _KINDS or is_sampling() or not is_file(path):
        return None
    size = path.stat().st_size * (PACKED_RATIO if packed_by(path) else 1)
    if size <= LARGE_BYTES:
        return None
    try:
        return _stored(path, texts, thousands)
    except entries.CacheError as error:
        if size > FIT_IN_MEMORY:
            raise
        log.warning("%s; until then %s is read into memory", error, path)
        return None


def _stored(path: Path, texts: Collection[str], thousands: bool) -> pd.DataFrame | None:
    entries.make_ready()
    before = signature(path)
    form = file_kind(path), packed_by(path), sorted(texts), thousands
    key = entries.key_of("table", _FORMAT, content_digest(path), *form)
    with entries.made_once(key):
        facts, columns = _load(key)
        if facts is None:
            log.info("%s is large: it is read once, and from then on from the cache", path)
            made = _make(key, path, texts, thousands)
            check_untouched(path, before)
            # of texts that are damaged Arrow would look for some where no file is, and be ended
            texts_of = [_ending(number) for number, kind in enumerate(made.kinds) if kind is Kind.TEXT]
            entries.describe(key, made, [_ending(number) for number in range(len(made.kinds))], wholly=texts_of)
            facts, columns = _load(key)
    if facts is None:
        raise UserError(f"the columns in {entries.folder()} vanished; try again")
    return _frame(columns, texts) if facts.plain else None


def _frame(columns: dict[str, Any], texts: Collection[str]) -> pd.DataFrame:
    with optional_imports():
        import pandas as pd

    types = {name: None if name in texts else cells.dtype for name, cells in columns.items()}
    made = {name: pd.Series(cells, dtype=types[name], copy=False) for name, cells in columns.items()}
    return pd.DataFrame(made, copy=False)


def _load(key: str) -> tuple[Facts | None, dict[str, Any]]:
    """What KEY.json says, and the columns; nothing where the entry is missing or not whole."""
    facts = entries.description(key, Facts)
    if facts is None or not facts.plain:
        return facts, {}
    paths = _files(key, len(facts.names))
    read = [
        _read_texts(path) if kind is Kind.TEXT else np.memmap(path, DTYPES[kind], mode="r").view(np.ndarray)
        for path, kind in zip(paths, facts.kinds, strict=True)
    ]
    return facts, dict(zip(facts.names, read, strict=True))


def _ending(column: int) -> str:
    return f".{column}.column"


def _files(key: str, columns: int) -> list[Path]:
    return [entries.folder() / f"{key}{_ending(number)}" for number in range(columns)]


def _read_texts(path: Path) -> Any:
    """(N,) texts and None, each different text once in memory."""
    with optional_imports():
        import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
        cells = stream.read_all().column(0).dictionary_encode().combine_chunks()
    known = np.array([*cells.dictionary.to_pylist(), None], dtype=object)
    return known[cells.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)]


def _make(key: str, path: Path, texts: Collection[str], thousands: bool) -> Facts:
    """Read a table into files."""
    try:
        names, delimiter = plain_header(path)
        if len(names) > _MOST_COLUMNS:
            raise NotPlainError
        kinds = [Kind.WHOLE] * len(names)
        while True:
            columns = [
                PlainColumn(kind, forced=name in texts, commas=delimiter != ",")
                for name, kind in zip(names, kinds, strict=True)
            ]
            try:
                return _written(key, path, names, columns, delimiter, decimal=delimiter == "," and not thousands)
            except ChangedKindError:
                kinds = [column.kind for column in columns]
    except NotPlainError:
        return Facts(False, 0, [], [])


def _written(
    key: str, path: Path, names: list[str], columns: Sequence[PlainColumn], delimiter: str, *, decimal: bool
) -> Facts:
    """Read all rows, and write them; `decimal` as in `check_marks`."""
    rows = 0
    with ExitStack() as whole:
        parts = [whole.enter_context(whole_file(file)) for file in _files(key, len(names))]
        with ExitStack() as open_files:
            files = [open_files.enter_context(open(part, "wb")) for part in parts]
            sinks: list[Any] = [None] * len(files)
            for batch, _ in plain_blocks(path, len(names), delimiter):
                for number, (column, cells) in enumerate(zip(columns, batch.columns, strict=True)):
                    sinks[number] = _append(column.add(cells), files[number], sinks[number], open_files)
                rows += len(batch)
        if not rows:
            raise NotPlainError
        check_marks(columns, decimal=decimal)
        for column in columns:
            column.end()
    return Facts(True, rows, names, [column.kind for column in columns])


def _append(cells: Any, file: IO[bytes], sink: Any, stack: ExitStack) -> Any:
    """Write the cells of a block behind those before; returns the writer of texts."""
    with optional_imports():
        import pyarrow as pa

    if isinstance(cells, np.ndarray):
        file.write(np.ascontiguousarray(cells).view(np.uint8).data)
        return None
    batch = pa.record_batch([cells], names=["texts"])
    if sink is None:
        sink = stack.enter_context(pa.ipc.new_stream(file, batch.schema))
    sink.write_batch(batch)
    return sink
