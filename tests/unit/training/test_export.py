"""Networks that read only some of what they are given, and that branch."""

import numpy as np
import pyarrow as pa
import pytest

from mlops_cli.errors import ConfigError, StepFailed
from mlops_cli.training import encoder as encoders
from mlops_cli.training import export, score

torch = pytest.importorskip("torch")


class Numbers(torch.nn.Module):
    def forward(self, numeric, codes):
        return torch.nan_to_num(numeric).sum(1)


class Codes(torch.nn.Module):
    def forward(self, numeric, codes):
        return codes.sum(1).float()


class Both(torch.nn.Module):
    """Both inputs are read, though one of them has no column."""

    def forward(self, numeric, codes):
        return torch.nan_to_num(numeric).sum(1) + codes.sum(1)


class Branching(torch.nn.Module):
    def forward(self, numeric, codes):
        return torch.cond(
            numeric.sum() > 0, lambda x: x.sum(1) * 2.0, lambda x: x.sum(1) - 1.0, (numeric,)
        )


TABLE = pa.table(
    {
        "wind": pa.array([1.0, None, 3.0, 5.0]),
        "origin": pa.array(["JFK", "EWR", None, "JFK"]),
        "y": [0, 1, 0, 1],
    }
)
WIND, ORIGIN = {"name": "wind", "dtype": "float"}, {"name": "origin", "dtype": "string"}


@pytest.mark.parametrize(
    ("module", "features"),
    [
        (Both(), [WIND, ORIGIN]),
        (Both(), [WIND]),
        (Both(), [ORIGIN]),
        (Numbers(), [WIND, ORIGIN]),
        (Codes(), [WIND, ORIGIN]),
    ],
)
def test_any_mix_of_columns_and_any_use_of_them_is_exported(module, features):
    encoder = encoders.fit(TABLE, features, "y")
    model = export.export(module, encoder, TABLE, task="regression")
    tensors = encoder.tensors(TABLE)
    expected = module(tensors.numeric, tensors.codes).numpy()
    assert np.allclose(score.score(model, TABLE), expected)


def test_branches_by_torch_cond_are_exported():
    encoder = encoders.fit(TABLE, [WIND, ORIGIN], "y")
    model = export.export(Branching(), encoder, TABLE, task="regression")
    some = TABLE.filter(pa.array([True, False, True, True]))
    assert np.allclose(score.score(model, some), [2, 6, 10])


def test_a_category_too_rare_to_learn_shares_the_unknown_code():
    encoder = encoders.fit(TABLE, [ORIGIN], "y", min_rows=2)
    assert encoder.vocabularies == {"origin": ("JFK",)}
    assert encoder.cardinalities == (2,)
    assert encoder.tensors(TABLE).codes[:, 0].tolist() == [1, 0, 0, 1]


def test_a_feature_may_not_take_the_name_of_the_output_nor_be_absent():
    table = TABLE.rename_columns(["value", "origin", "y"])
    encoder = encoders.fit(table, [{"name": "value", "dtype": "float"}], "y")
    with pytest.raises(ConfigError, match="cannot be called 'value'"):
        export.export(Numbers(), encoder, table, task="regression")
    with pytest.raises(StepFailed, match="no feature 'gust'"):
        encoders.fit(TABLE, [WIND], "y", categorical=["gust"])
