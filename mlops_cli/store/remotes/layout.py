"""How a remote is laid out: the file that says so, and the list for those who cannot list."""

from __future__ import annotations

from mlops_cli import encode
from mlops_cli.errors import ConfigError, OutsideWorld
from mlops_cli.store.remotes.remote import Remote

FORMAT = "mlops.remote/1"
FORMAT_FILE = "format.json"
FORMAT_AT_MOST = 1 << 16
LISTING = "listing"


def check_format(remote: Remote, *, create: bool = False, required: bool = True) -> bytes | None:
    """Return what says how `remote` is laid out, which is as this version reads it.

    `create` starts a new one; without `required`, nothing at all is fine too, for now.

    Raises OutsideWorld ("remote-unavailable") where nothing is, ConfigError
    ("remote-format-unknown") where something else is.
    """
    _check_folder(remote, create=create or not required)
    data = remote.read(FORMAT_FILE, 0, FORMAT_AT_MOST)
    if data is None:
        if create:
            start(remote, None)
        elif required:
            raise OutsideWorld(
                f"there is nothing at the remote {remote.url}",
                code="remote-unavailable",
                hint="mlops push from a clone that has the data, or correct the URL: "
                "mlops remote list",
                details={"url": remote.url},
            )
        return None
    value = encode.parse_json(data, source=f"{remote.url}/{FORMAT_FILE}")
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != FORMAT:
        raise ConfigError(
            f"the remote {remote.url} says {schema!r}, and this version reads {FORMAT!r}",
            code="remote-format-unknown",
            hint="update mlops, or choose another folder for the remote",
            details={"url": remote.url, "schema": schema},
        )
    return data


def start(remote: Remote, found: bytes | None) -> None:
    """Write the file that says how the remote is laid out, or once more the one `found` there.

    A push begins with it: whoever may not write learns so before the bytes are sent.
    Raises OutsideWorld ("remote-read-only").
    """
    remote.refuse_if_read_only()
    text = encode.readable_json({"schema": FORMAT, "hash": "sha256"})
    remote.write(FORMAT_FILE, found or text.encode(), replace=False)


def leave_listing(remote: Remote, names: dict[str, int]) -> None:
    """Write the names of the index files where those find them who can read but not list; `names`
    are those, each with its size, that are known to be there.

    Several pushes may do so at once: each looks again after it has written, and whoever wrote
    last has seen all that was there before.
    """
    written: dict[str, int] | None = None
    while names != written:
        lines = [f"{size} index/{name}\n" for name, size in sorted(names.items())]
        remote.write(LISTING, "".join(lines).encode())
        written, names = names, remote.list("index")


def _check_folder(remote: Remote, *, create: bool) -> None:
    base = remote.folder
    if base is None or base.is_dir() or (create and base.parent.is_dir()):
        return
    where = base if not create else base.parent
    raise OutsideWorld(
        f"the folder {where} of the remote does not exist",
        code="remote-unavailable",
        hint="mount the disk or create the folder, then run the same command again",
        details={"url": remote.url},
    )


def parse_listing(data: bytes, folder: str) -> dict[str, int]:
    """Return name → size of the files in `folder` that the listing names."""
    found: dict[str, int] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        size, _, name = line.partition(" ")
        if name.startswith(folder + "/") and size.isdigit():
            found[name.removeprefix(folder + "/")] = int(size)
    return found
