"""Real servers for tests, on loopback and on ports of their own; each is ended by its own handle."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_server(backend_store_uri: str, *arguments: str) -> Iterator[str]:
    """An MLflow server; its address."""
    port = free_port()
    process = start_mlflow(port, backend_store_uri, *arguments)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(90)


@contextmanager
def mortal_mlflow_server(port: int, backend_store_uri: str) -> Iterator[Callable[[], None]]:
    """An MLflow server on a given port; what kills it at once, with all its processes. It is killed at the end too."""
    process = start_mlflow(port, backend_store_uri)

    def kill() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    try:
        _wait_until_up(f"http://127.0.0.1:{port}/health")
        yield kill
    finally:
        kill()


def start_mlflow(port: int, backend_store_uri: str, *arguments: str) -> subprocess.Popen[bytes]:
    """An MLflow server that comes up, leader of a process group of its own."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # its job runners take half a minute
    command += ["--backend-store-uri", backend_store_uri, *arguments]
    return subprocess.Popen(command, env=environment, start_new_session=True)


@contextmanager
def served_model(tracking_uri: str, model_uri: str) -> Iterator[str]:
    """A registered model behind MLflow's own scoring server, in this environment; the address for its inputs."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model_uri, "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where it finds uvicorn
    environment = os.environ | {"MLFLOW_TRACKING_URI": tracking_uri, "PATH": path}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/ping")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # it starts the server as a process of its own
        process.wait(30)


# One request at a time: moto looks whether an object exists and then writes it, which S3 does in one step.
_S3_SERVER = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
"""


@contextmanager
def s3_server(*buckets: str) -> Iterator[dict[str, str]]:
    """An S3 server with empty buckets; the environment variables by which clients find it."""
    import boto3
    from s3fs import S3FileSystem

    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", _S3_SERVER, str(port)], stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_up(f"{address}/moto-api/data.json")
        access = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        client = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)
        yield {"AWS_ENDPOINT_URL": address, **access}
    finally:
        S3FileSystem.clear_instance_cache()  # they remember their server, and are found by bucket and options alone
        process.terminate()
        process.wait(30)


def _wait_until_up(address: str) -> None:
    for _ in range(600):
        try:
            urlopen(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no server at {address} after two minutes")
