"""Parquet written so that the same rows give the same bytes, on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli import fsio

if TYPE_CHECKING:
    import pyarrow as pa


def parquet(table: pa.Table, path: Path) -> None:
    """Write `table` to `path` at once: zstd, dictionaries for text, deltas for long integers.

    No times and no metadata of the caller go in; the bytes depend on the rows and on the
    version of the Parquet writer alone.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    steady = [
        field.name
        for field in table.schema
        if pa.types.is_int64(field.type) or pa.types.is_timestamp(field.type)
    ]
    coded = [field.name for field in table.schema if field.name not in steady]
    with fsio.translated(path), fsio.replacing(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(None).combine_chunks(),
            temporary,
            compression="zstd",
            compression_level=3,
            use_dictionary=coded,
            column_encoding=dict.fromkeys(steady, "DELTA_BINARY_PACKED"),
            row_group_size=1 << 20,
            write_page_index=False,
            # pages end where the rows say so: rows put in between change few bytes, and
            # those around them need not be stored or sent again. Where a group of rows ends
            # they do not say, so groups are large (docs/formats/chunks.md)
            use_content_defined_chunking=True,
        )
