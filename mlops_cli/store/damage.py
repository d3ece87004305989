"""What is said of an object whose bytes are not what its name says."""

from __future__ import annotations

from mlops_cli.errors import IntegrityError
from mlops_cli.store.digest import Digest


def damaged(digest: Digest) -> IntegrityError:
    """Return the error for an object whose bytes are not what its name says."""
    return IntegrityError(
        f"the object {digest} is damaged; its bytes were set aside and are not used",
        code="damaged-object",
        hint="mlops verify --repair",
        details={"digest": digest},
    )


def damaged_there(digest: Digest) -> IntegrityError:
    """Return the error for an object whose bytes in a read-only tier are not what it says."""
    return IntegrityError(
        f"the object {digest} is damaged in a read-only tier; its bytes are not used",
        code="damaged-object",
        hint="mlops pull brings a good copy into this cache; tell whoever keeps the tier",
        details={"digest": digest},
    )
