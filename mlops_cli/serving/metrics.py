"""What a server counts, in the words of Prometheus.

A count is a float under the name of its series, labels included: `mlops_requests_total{…}`.
So a snapshot is a plain mapping, and the counts of several workers are added by name.
"""

from __future__ import annotations

import functools
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HELP = {
    "mlops_requests_total": ("counter", "Requests answered, by endpoint and status."),
    "mlops_predictions_total": ("counter", "Rows predicted, by model version and variant."),
    "mlops_request_seconds": ("histogram", "Seconds from a request's last byte to its answer."),
    "mlops_swaps_total": ("counter", "Times the served models were exchanged."),
    "mlops_shadow_errors_total": ("counter", "Predictions that a shadow could not make."),
    "mlops_features_missing_total": ("counter", "Rows whose features the store did not have."),
    "mlops_log_rows_total": ("counter", "Rows written to the prediction log."),
    "mlops_log_stalls_total": ("counter", "Times the disk refused the prediction log."),
    "mlops_model_info": ("gauge", "The models that are served now."),
}
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


@functools.lru_cache(1024)  # a request names a few, always the same
def series(family: str, **labels: str) -> str:
    """Return the name of a series: `family{a="x"}`."""
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{family}{{{inner}}}" if inner else family


class Counters:
    """Counts of one worker; safe to use from several threads."""

    def __init__(self) -> None:
        self._counts: dict[str, float] = {}
        self._seconds: dict[str, list[float]] = {}  # endpoint → a count a bucket, then the sum
        self._lock = threading.Lock()

    def add(self, name: str, amount: float = 1.0) -> None:
        with self._lock:
            self._counts[name] = self._counts.get(name, 0.0) + amount

    def observe(self, endpoint: str, seconds: float) -> None:
        """Put `seconds` into the histogram of `endpoint`."""
        with self._lock:
            buckets = self._seconds.get(endpoint)
            if buckets is None:
                buckets = self._seconds[endpoint] = [0.0] * (len(_BUCKETS) + 2)
            buckets[bisect_left(_BUCKETS, seconds)] += 1
            buckets[-1] += seconds

    def snapshot(self) -> dict[str, float]:
        with self._lock:
            counts = dict(self._counts)
            measured = {endpoint: list(buckets) for endpoint, buckets in self._seconds.items()}
        for endpoint, buckets in measured.items():
            below = 0.0
            for bound, count in zip((*_BUCKETS, "+Inf"), buckets, strict=False):
                below += count
                counts[series("mlops_request_seconds_bucket", endpoint=endpoint, le=str(bound))] = (
                    below
                )
            counts[series("mlops_request_seconds_sum", endpoint=endpoint)] = buckets[-1]
            counts[series("mlops_request_seconds_count", endpoint=endpoint)] = below
        return counts


def add_up(snapshots: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the sum of the counts of several workers."""
    total: dict[str, float] = {}
    for snapshot in snapshots:
        for name, value in snapshot.items():
            total[name] = total.get(name, 0.0) + value
    return total


def asked(counts: Mapping[str, float]) -> int:
    """Return how many requests for predictions were answered, refusals included."""
    family = "mlops_requests_total{"
    found = (v for n, v in counts.items() if n.startswith(family) and '"other"' not in n)
    return int(sum(found))


def render(counts: Mapping[str, float]) -> bytes:
    """Return `counts` in the text format that Prometheus scrapes."""
    lines: list[str] = []
    for family, (kind, text) in _HELP.items():
        parts = (family,) if kind != "histogram" else _parts(family)
        found = [name for name in counts if name.partition("{")[0] in parts]
        if found:
            lines += [f"# HELP {family} {text}", f"# TYPE {family} {kind}"]
            lines += [f"{name} {_number(counts[name])}" for name in found]
    return ("\n".join(lines) + "\n").encode()


def _parts(family: str) -> tuple[str, ...]:
    return (f"{family}_bucket", f"{family}_sum", f"{family}_count")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
