import subprocess
import sys
from pathlib import Path

import pytest

from mlops_cli import api


@pytest.fixture
def sales(mlops, tmp_path: Path) -> Path:
    mlops("init", "sales", "--template", "minimal", "--name", "sales", cwd=tmp_path, code=0)
    root = tmp_path / "sales"
    for name, value in (("user.name", "Reader"), ("user.email", "reader@example.com")):
        subprocess.run(["git", "config", name, value], cwd=root, check=True)
    return root


def test_tracked_data_opens_at_any_revision(sales: Path, mlops) -> None:
    data = sales / "data/days.csv"
    before = data.read_bytes()
    subprocess.run(["git", "add", "-A"], cwd=sales, check=True)
    subprocess.run(["git", "commit", "-qnm", "start", "--allow-empty"], cwd=sales, check=True)
    data.write_bytes(before + b"\n")
    mlops("add", "data/days.csv", cwd=sales, code=0)
    with api.open("data/days.csv", at=sales) as now:
        assert now.read() == before + b"\n"
    with api.open("data/days.csv", rev="HEAD", at=sales) as then:
        assert then.read() == before


def test_a_path_that_is_not_tracked_is_named(sales: Path) -> None:
    with pytest.raises(api.MlopsError, match=r"data/none\.csv is not tracked"):
        api.open("data/none.csv", at=sales)


def test_importing_the_api_loads_no_heavy_library() -> None:
    code = (
        "import sys, mlops_cli.api; "
        "print([n for n in ('rich','git','fsspec','asyncio','pyarrow','numpy','torch') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_what_the_documents_promise() -> None:
    names = [
        "MlopsError",
        "Model",
        "features",
        "filesystem",
        "model",
        "open",
        "project",
        "read",
        "run",
    ]
    assert sorted(api.__all__) == names
