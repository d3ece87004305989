"""The table of days: what is known in the morning, and the share of late flights."""

import csv

INPUTS = ("flights", "temperature", "wind", "rain", "visibility")
TARGET = "late_share"


def read(path):
    """Return the days as (date, inputs, target)."""
    with open(path, newline="") as handle:
        return [
            (row["date"], [float(row[name]) for name in INPUTS], float(row[TARGET]))
            for row in csv.DictReader(handle)
        ]
