import pytest
from pydantic import ValidationError

from jobs.spec.data import DataSpec

COMMIT = "0123456789" * 4


def test_data_on_the_hub_is_named_by_its_commit():
    assert DataSpec(dataset="huggingface", root=f"hf://lab/ants@{COMMIT}").root == f"hf://lab/ants@{COMMIT}"
    for dataset, root in (
        ("huggingface", "hf://lab/ants@main"),
        ("huggingface", "hf://lab/ants"),
        ("imagefolder", f"hf://lab/ants@{COMMIT}"),
    ):
        with pytest.raises(ValidationError, match="`dataset: huggingface` at a commit"):
            DataSpec(dataset=dataset, root=root)
    with pytest.raises(ValidationError, match="is no reference to the hub"):
        DataSpec(dataset="huggingface", root="hf://ants")
