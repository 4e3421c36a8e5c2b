import pytest
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory) -> bytes:
    """A migrated database: making one takes seconds, copying it does not."""
    folder = tmp_path_factory.mktemp("database")
    MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return (folder / "mlflow.db").read_bytes()


@pytest.fixture
def uri(tmp_path, empty_database) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    return f"sqlite:///{tmp_path}/mlflow.db"
