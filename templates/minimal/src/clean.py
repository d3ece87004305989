"""Leave out the days of which something is not known."""

import csv
import sys

source, target = sys.argv[1:]
with open(source, newline="") as handle:
    reader = csv.DictReader(handle)
    rows = list(reader)
whole = [row for row in rows if all(row.values())]
with open(target, "w", newline="") as handle:
    writer = csv.DictWriter(handle, reader.fieldnames, lineterminator="\n")
    writer.writeheader()
    writer.writerows(whole)
print(f"kept {len(whole)} of {len(rows)} days")
