"""What a transfer costs, by the price list of a remote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GB = 1e9  # as the price lists count


@dataclass(frozen=True, slots=True)
class Price:
    """The price list of one remote, as its settings have it."""

    put: float = 0.0  # 1,000 requests that write or list
    get: float = 0.0  # 1,000 requests that read
    gb_month: float = 0.0
    gb_out: float = 0.0
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Cost:
    """Money: once for the transfer, and each month for what it leaves there."""

    currency: str
    once: float
    monthly: float

    def words(self) -> str:
        """Return it for people: "0.0041 USD, then 0.0230 USD a month"."""
        now = f"{self.once:.4f} {self.currency}"
        return f"{now}, then {self.monthly:.4f} {self.currency} a month" if self.monthly else now


def price_of(options: Mapping[str, Any]) -> Price | None:
    """Return the price list in the settings of a remote, None where there is none."""
    found = {
        name.removeprefix("price."): value
        for name, value in options.items()
        if name.startswith("price.")
    }
    return Price(**found) if found.keys() - {"currency"} else None


def cost_of_push(price: Price | None, size: int, *, reads: int, writes: int) -> Cost | None:
    """Return what it costs to send `size` bytes; a listing is priced as a write."""
    if price is None:
        return None
    asking = (reads * price.get + writes * price.put) / 1000
    return Cost(price.currency, asking, size / GB * price.gb_month)


def cost_of_pull(price: Price | None, size: int, *, reads: int, writes: int) -> Cost | None:
    """Return what it costs to fetch `size` bytes."""
    if price is None:
        return None
    asking = (reads * price.get + writes * price.put) / 1000
    return Cost(price.currency, asking + size / GB * price.gb_out, 0.0)
