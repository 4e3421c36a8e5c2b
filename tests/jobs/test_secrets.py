import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import BadInputError
from jobs.secrets import fill, mask, masked

S = "s3cr3t-Planted"
ODBC = "mssql+pyodbc:///?odbc_connect"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://user:{S}@host:5432/db", "postgresql://user:***@host:5432/db"),
        (f"postgresql+psycopg2://user:a@b/{S}@host/db", "postgresql+psycopg2://user:***@host/db"),
        (f"redis://:{S}@host", "redis://:***@host"),
        (f"(http://user:{S}@host: refused)", "(http://user:***@host: refused)"),
        (f"https://{S}-{S}@host/path", "https://***@host/path"),
        (f"https://host/x?token={S}&page=2", "https://host/x?token=***&page=2"),
        (f"https://host/x?X-Amz-Signature={S}", "https://host/x?X-Amz-Signature=***"),
        (f"https://a.blob.core.windows.net/c?sv=2&sig={S}", "https://a.blob.core.windows.net/c?sv=2&sig=***"),
        (f"AWS_SECRET_ACCESS_KEY={S}", "AWS_SECRET_ACCESS_KEY=***"),
        (f"{{'AWS_SESSION_TOKEN': '{S}', 'HOME': '/root'}}", "{'AWS_SESSION_TOKEN': '***', 'HOME': '/root'}"),
        (f'{{"hf_token": "{S}"}}', '{"hf_token": "***"}'),
        (f"Authorization: Bearer {S}", "Authorization: Bearer ***"),
        ("key AKIAIOSFODNN7EXAMPLE is refused", "key *** is refused"),
        (f"postgresql://me@srv:{S}@srv.example:5432/db", "postgresql://me@srv:***@srv.example:5432/db"),
        (f"https://me@corp.com:{S}@host:8443/x", "https://me@corp.com:***@host:8443/x"),
        (f"MYSQL_PWD={S}", "MYSQL_PWD=***"),
        (f"{ODBC}=DRIVER={{x y}};PWD={S};SERVER=h", f"{ODBC}=DRIVER={{x y}};PWD=***;SERVER=h"),
        (f"{ODBC}=PWD%3D{S}%3BUID%3Dme&x=1", f"{ODBC}=PWD%3D***%3BUID%3Dme&x=1"),
        (f"{ODBC}=UID%3dme%3bPwd%3d%7B{S}%3B%7D%3BSERVER%3Dh", f"{ODBC}=UID%3dme%3bPwd%3d***%3BSERVER%3Dh"),
        (f"{ODBC}=UID=me;PWD={{a;{S}}};SERVER=h", f"{ODBC}=UID=me;PWD=***;SERVER=h"),
        (f"password=ab,{S}", "password=***"),
        (f"{{password: a,{S}, user: b}}", "{password: ***, user: b}"),
        (f"password={S},user=me", "password=***,user=me"),
        (f"password: {S},", "password: ***,"),
    ],
)
def test_secrets_are_masked(text, shown):
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/#/experiments/1",
        "https://host:8443/folder/name@v2",
        "sqlite:////home/me/mlflow.db",
        "s3://bucket/prefix",
        "abfs://container@account.dfs.core.windows.net/x",
        "postgresql://user:${PGPASS}@host/db",
        "postgresql://user@host/db",
        "hf://timm/resnet18@main",
        "tokens: 12, tokenizer: bert, keys: 3",
        "keys: 12 of 40 tokens per second",
        "failed (bad_input): train net/seed0: no such file",
        '{"key": "95661a1556441098805897313cb729b2"}',
        "https://me@corp.com:8443/folder/name@v2",
        "postgresql://me@srv:${PGPASS}@srv.example/db",
        f"{ODBC}=UID=me;PWD=${{DB_PWD}};SERVER=h",
        f"{ODBC}=UID%3Dme%3BPWD%3D%7B${{DB_PWD}}%7D",
        "mysql://user@host/db?password=${PGPASS}",
        "PWD=/home/me/work",
        "{'OLDPWD': '/home/me', 'PWD': '/home/me/work'}",
    ],
)
def test_what_is_no_secret_stays(text):
    assert mask(text) == text


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"<>\\"), min_size=3))
def test_any_password_of_a_uri_is_masked(password):
    if "***" not in password:
        assert mask(f"see postgresql://user:{password}@host/db there") == "see postgresql://user:***@host/db there"


def test_values_of_secret_variables_are_masked_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", S)
    monkeypatch.setenv("MY_TOKEN", "short")
    assert mask(f"the server says: {S}? short") == "the server says: ***? short"


def test_fields_of_a_record_are_masked_by_name_and_by_content():
    record = {"tracking": f"http://u:{S}@h", "arguments": {"api_key": S, "n": 1}, "list": [f"x?token={S}", None, 2.5]}
    shown = {"tracking": "http://u:***@h", "arguments": {"api_key": "***", "n": 1}, "list": ["x?token=***", None, 2.5]}
    assert masked(record) == shown


def test_a_variable_is_filled_in_quoted_and_never_shown(monkeypatch):
    monkeypatch.setenv("PW", "p@ss/w:rd")
    monkeypatch.setenv("DB", "runs")
    filled = fill("postgresql://me:${PW}@host/${DB}", "tracking")
    assert filled == "postgresql://me:p%40ss%2Fw%3Ard@host/runs"
    assert mask(f"{filled} p@ss/w:rd runs") == "postgresql://me:***@host/runs *** runs"
    assert fill("${DB}", "storage") == "runs"
    monkeypatch.setenv("ALL", f"http://u:{S}@h")
    assert fill("${ALL}", "tracking") == f"http://u:{S}@h"


def test_a_variable_that_is_not_set_and_a_masked_password_say_what_to_do(monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(BadInputError, match=r"tracking: .*has no variable NOWHERE; set it for the driver"):
        fill("http://u:${NOWHERE}@h", "tracking")
    for uri in ("http://u:***@h", f"{ODBC}=UID%3dme%3bpwd%3d***"):
        with pytest.raises(BadInputError, match="passwords are not stored"):
            fill(uri, "tracking")


def test_the_folder_that_a_process_runs_in_is_no_secret(monkeypatch):
    monkeypatch.setenv("PWD", "/home/me/work")
    monkeypatch.setenv("MYSQL_PWD", S)
    assert mask(f"/home/me/work: {S}") == "/home/me/work: ***"
