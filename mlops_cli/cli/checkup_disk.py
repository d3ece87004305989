"""What a healthy disk and cache look like, beside the questions of `checkup`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mlops_cli.cli.checkup import Finding
from mlops_cli.cli.render.text import count, size

LITTLE_SPACE = 1 << 30


def disk(cache: Path) -> Iterator[Finding]:
    """Is there space, and how may checkout bring bytes into the workspace?"""
    from mlops_cli.store.links import probe

    folder = next(each for each in (cache, *cache.parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    little = free < LITTLE_SPACE
    yield Finding(
        "disk",
        "space",
        "note" if little else "ok",
        f"{size(free)} free for the cache",
        "mlops config set cache.dir PATH moves it to another disk" if little else None,
        {"free": free, "cache": str(cache)},
    )
    able = probe(folder)
    kinds = ", ".join(kind for kind, can in able.items() if can)
    if not kinds:
        message = f"nothing can be written to {folder}"
        yield Finding("disk", "links", "problem", message, f"chmod u+rwx {folder}")
        return
    yield Finding("disk", "links", "ok", f"the disk can {kinds}", facts={"links": able})


def quarantine(cache: Path, now: datetime) -> Iterator[Finding]:
    """Were damaged bytes set aside?"""
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.care import quarantine as asides

    found = asides.quarantine(open_cache(cache))
    if not found:
        yield Finding("disk", "quarantine", "ok", "no damaged bytes were set aside")
        return
    lost = [one for one in found if not one.replaced]
    message = (
        f"{count(len(found), 'damaged object')} set aside, "
        f"the oldest {count(max((now - found[0].since).days, 0), 'day')} ago"
    )
    facts = {"objects": len(found), "replaced": len(found) - len(lost)}
    if not lost:
        message += "; of each a good copy is here"
        yield Finding("disk", "quarantine", "ok", message, facts=facts)
        return
    yield Finding("disk", "quarantine", "note", message, "mlops verify --repair", facts)
