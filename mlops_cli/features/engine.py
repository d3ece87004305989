"""DuckDB, shut in: no files, no network, no extensions, a bound on threads and memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MissingExtra, StepFailed

if TYPE_CHECKING:
    import pyarrow as pa

THREADS = 2
MEMORY = "2GB"


@contextlib.contextmanager
def connect(*, threads: int = THREADS, memory: str = MEMORY) -> Iterator[Any]:
    """Open a database in memory that sees only the tables registered with it."""
    try:
        import duckdb
    except ImportError as exc:
        raise MissingExtra.of("duckdb", "features") from exc

    settings = {
        "threads": threads,
        "memory_limit": memory,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "enable_external_access": False,
        "python_enable_replacements": False,
        "temp_directory": "",
    }
    connection = duckdb.connect(":memory:", config=settings)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def table(connection: Any, query: str, *, what: str, hint: str) -> pa.Table:
    """Return the rows of `query`; `what` names it in the error (StepFailed, "query-failed")."""
    import duckdb

    try:
        relation = connection.sql(query)
        if relation is None:
            raise StepFailed(
                f"{what} selects nothing",
                code="query-failed",
                hint=hint,
            )
        return relation.to_arrow_table()
    except duckdb.Error as exc:
        raise StepFailed(
            f"{what} failed: {str(exc).splitlines()[0]}",
            code="query-failed",
            hint=hint,
        ) from exc
