"""Fit a linear model by least squares with a ridge, on the days before a date."""

import argparse
import json

import days

parser = argparse.ArgumentParser()
parser.add_argument("source")
parser.add_argument("target")
parser.add_argument("--until", required=True)
parser.add_argument("--ridge", type=float, required=True)
given = parser.parse_args()

known = [(inputs, target) for date, inputs, target in days.read(given.source) if date < given.until]
count, width = len(known), len(days.INPUTS)
means = [sum(row[i] for row, _ in known) / count for i in range(width)]
spreads = [(sum((row[i] - means[i]) ** 2 for row, _ in known) / count) ** 0.5 for i in range(width)]
mean_target = sum(target for _, target in known) / count
scaled = [[(row[i] - means[i]) / spreads[i] for i in range(width)] for row, _ in known]
rest = [target - mean_target for _, target in known]

# (X'X + ridge) w = X'y, solved by Gaussian elimination
left = [
    [sum(row[i] * row[j] for row in scaled) + given.ridge * (i == j) for j in range(width)]
    for i in range(width)
]
right = [sum(row[i] * y for row, y in zip(scaled, rest, strict=True)) for i in range(width)]
for i in range(width):
    for j in range(i + 1, width):
        share = left[j][i] / left[i][i]
        left[j] = [a - share * b for a, b in zip(left[j], left[i], strict=True)]
        right[j] -= share * right[i]
weights = [0.0] * width
for i in reversed(range(width)):
    later = sum(left[i][j] * weights[j] for j in range(i + 1, width))
    weights[i] = (right[i] - later) / left[i][i]

model = {"inputs": days.INPUTS, "means": means, "spreads": spreads}
model |= {"weights": weights, "intercept": mean_target, "days": count}
with open(given.target, "w") as handle:
    json.dump(model, handle, indent=1)
print(f"fitted {count} days")
