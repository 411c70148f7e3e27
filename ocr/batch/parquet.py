"""Images in a column of a Parquet file (extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocr.batch.items import Item, SourceError, failing
from ocr.batch.pages import held

PARQUETS = (".parquet", ".pq")
# of a Parquet file at once: their images are held together
_ROWS = 16


def rows_of(path: Path) -> Iterator[Item]:
    """Rows of a column of encoded images: bytes, or the struct {bytes, path} of Hugging Face."""
    pq = _pyarrow_parquet(path)
    import pyarrow

    try:
        # buffered before, the column would be held as a whole
        with pq.ParquetFile(path, pre_buffer=False) as file:
            column = _image_column(file.schema_arrow, path)
            number = 0
            for rows in file.iter_batches(batch_size=_ROWS, columns=[column]):
                for row in rows.column(0):
                    number += 1
                    value = row.as_py()
                    data = value.get("bytes") if isinstance(value, dict) else value
                    name = f"{path}#{number}"
                    # never anything else: a text would be taken for the path of a file
                    if isinstance(data, bytes):
                        yield from held(name, data)
                    else:
                        yield failing(name, "the row holds no image")
    except (OSError, pyarrow.ArrowException) as error:
        yield failing(str(path), f"not a readable Parquet file: {error}")


def check_parquet(path: Path) -> None:
    """Raises SourceError where no column can hold images, or the extra is missing."""
    pq = _pyarrow_parquet(path)
    try:
        schema = pq.read_schema(path)
    except Exception:  # a broken file is one item that fails
        return
    _image_column(schema, path)


def row_count(path: Path) -> int:
    """Rows of the file, by its footer; 0 of a broken one."""
    try:
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    except Exception:  # said by `expand`
        return 0


def _pyarrow_parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise SourceError(f"{path}: Parquet needs pyarrow: install the extra `parquet`") from None
    return pq


def _image_column(schema: Any, path: Path) -> str:
    import pyarrow.types as kinds

    def holds_bytes(kind: Any) -> bool:
        return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))

    def holds_images(kind: Any) -> bool:
        if kinds.is_struct(kind):
            place = kind.get_field_index("bytes")
            return place >= 0 and holds_bytes(kind.field(place).type)
        return holds_bytes(kind)

    columns = [field.name for field in schema if holds_images(field.type)]
    if not columns:
        raise SourceError(f"{path}: no column of images (bytes, or a struct with bytes)")
    return "image" if "image" in columns else columns[0]
