"""Hold the model against days it has not seen, and against always saying the mean."""

import argparse
import json

import days

parser = argparse.ArgumentParser()
parser.add_argument("source")
parser.add_argument("model")
parser.add_argument("target")
parser.add_argument("--since", required=True)
given = parser.parse_args()

with open(given.model) as handle:
    model = json.load(handle)


def predict(inputs):
    parts = zip(inputs, model["means"], model["spreads"], model["weights"], strict=True)
    return model["intercept"] + sum((x - mean) / spread * w for x, mean, spread, w in parts)


later = [(inputs, y) for date, inputs, y in days.read(given.source) if date >= given.since]
errors = [abs(predict(inputs) - y) for inputs, y in later]
naive = [abs(model["intercept"] - y) for _, y in later]
metrics = {
    "mae": round(sum(errors) / len(errors), 6),
    "mae_of_the_mean": round(sum(naive) / len(naive), 6),
    "days": len(later),
}
with open(given.target, "w") as handle:
    json.dump(metrics, handle, indent=1)
print(metrics)
