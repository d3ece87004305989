"""A small network for delayed flights: embeddings of categories beside standardised numbers.

`mlops run` calls train(train, validate, params, run) with two Arrow tables; the module that comes
back is exported to ONNX with the named columns in front, so forward sees two tensors only:
numeric float32 [rows, k], NaN where a value is missing, and codes int64 [rows, c], 0 for a category
that is missing or was never seen.
"""

import copy

import torch
from torch import nn
from torch.nn import functional

CATEGORIES = ("scheduled_hour", "day_of_week")  # numbers that name something; text always does


class Network(nn.Module):
    def __init__(self, cardinalities, mean, scale, *, width, embedding, dropout):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.embeddings = nn.ModuleList(nn.Embedding(n, embedding) for n in cardinalities)
        inputs = 2 * len(mean) + embedding * len(cardinalities)  # each number and "is missing"
        self.layers = nn.Sequential(
            nn.Linear(inputs, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, width // 2),
            nn.ReLU(),
            nn.Linear(width // 2, 1),
        )

    def logits(self, numeric, codes):
        missing = torch.isnan(numeric)
        scaled = ((numeric - self.mean) / self.scale).clamp(-4, 4)  # a new extreme stays an extreme
        known = torch.where(missing, torch.zeros_like(scaled), scaled)
        embedded = [table(codes[:, i]) for i, table in enumerate(self.embeddings)]
        return self.layers(torch.cat([known, missing.float(), *embedded], dim=1)).squeeze(1)

    def forward(self, numeric, codes):
        return torch.sigmoid(self.logits(numeric, codes))


def train(train, validate, params, run):
    encoder = run.encode(categorical=CATEGORIES, min_rows=params["rare_below"])
    rows, held_out = encoder.tensors(train), encoder.tensors(validate)
    network = Network(
        encoder.cardinalities,
        *moments(rows.numeric),
        width=params["width"],
        embedding=params["embedding"],
        dropout=params["dropout"],
    )
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=params["lr"], weight_decay=params["weight_decay"]
    )
    best, best_loss, waited = None, float("inf"), 0
    for epoch in range(1, params["epochs"] + 1):
        loss = one_epoch(network, optimizer, rows, params["batch"])
        network.eval()
        with torch.no_grad():
            held_out_loss = binary_loss(network, held_out).item()
        run.log(epoch, train_loss=loss, validate_loss=held_out_loss)
        if held_out_loss < best_loss:
            best, best_loss, waited = copy.deepcopy(network.state_dict()), held_out_loss, 0
        elif (waited := waited + 1) >= params["patience"]:
            break
    network.load_state_dict(best)
    return network


def one_epoch(network, optimizer, rows, batch):
    network.train()
    total = 0.0
    for picked in torch.randperm(len(rows.label)).split(batch):
        loss = binary_loss(network, type(rows)(*(part[picked] for part in rows)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(picked)
    return total / len(rows.label)


def binary_loss(network, rows):
    return functional.binary_cross_entropy_with_logits(
        network.logits(rows.numeric, rows.codes), rows.label
    )


def moments(numeric):
    """Return mean and standard deviation of each column, without its missing values."""
    known = ~torch.isnan(numeric)
    count = known.sum(0).clamp(min=1)
    filled = torch.where(known, numeric, torch.zeros_like(numeric))
    mean = filled.sum(0) / count
    spread = torch.where(known, numeric - mean, torch.zeros_like(numeric))
    return mean, (spread.square().sum(0) / count).sqrt().clamp(min=1e-6)
