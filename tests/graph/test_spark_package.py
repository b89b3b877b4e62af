"""The packed Python environment of Spark jobs: its bytes, its imports, and the request for a job that uses it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from moto.server import ThreadedMotoServer

from govtune_assets import spark_package
from govtune_assets.resources.aws import AwsResource
from govtune_assets.resources.emr_serverless import EmrServerlessResource
from govtune_assets.settings import Settings

PROJECT = Path(__file__).parents[2]
RELEASE = "emr-spark-8.0.0"
ENVIRONMENT = f"s3://work/{spark_package.PREFIX}/0/environment.tar.gz"


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket="work")
    return client


def tree(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/usr/bin/python3.11")
    for name in ("lib/b.py", "lib/a.so", "lib/__pycache__/b.pyc", "lib/x.dist-info/RECORD"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_an_archive_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "first"), tree(tmp_path / "second")
    os.utime(second / "lib" / "b.py", (0, 0))
    (second / "lib" / "b.py").chmod(0o600)
    (second / "lib" / "__pycache__" / "b.pyc").write_text("another run's")
    packed = []
    for folder in (first, second):
        spark_package.pack(folder, tmp_path / "archive.tar.gz")
        packed.append((tmp_path / "archive.tar.gz").read_bytes())
    assert packed[0] == packed[1]
    listed = subprocess.run(
        ["tar", "tzf", str(tmp_path / "archive.tar.gz")], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["bin/python", "lib/a.so", "lib/b.py"]


def test_a_file_is_sent_once_and_its_address_names_its_content(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "x.jar"
    file.write_bytes(b"content")
    address = spark_package.put(s3, "work", file)
    first = s3.list_object_versions(Bucket="work")["Versions"]
    assert spark_package.put(s3, "work", file) == address
    assert address == f"s3://work/code/spark/packages/{hashlib.sha256(b'content').hexdigest()}/x.jar"
    assert s3.list_object_versions(Bucket="work")["Versions"] == first


def test_the_installed_environment_runs_the_payload(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    base = str(Path(sys.executable).resolve())
    spark_package.install(folder, python=base)
    program = "import boto3, dagster_pipes, numpy, pandas, pyarrow; from spark.pii import scrub"
    program += "; print(scrub('to ir@example.com').text)"
    ran = subprocess.run(
        [str(folder / "bin" / "python"), "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"]},
    )
    assert ran.stdout.strip() == "to [EMAIL]", ran.stderr
    site = folder / "lib" / f"python{spark_package.PYTHON_VERSION}" / "site-packages"
    assert not (site / "bin").exists()
    assert not (site / "pyspark").exists()
    locked = set(re.findall(r"^([a-z0-9-]+)==", spark_package.LOCK.read_text("utf-8"), re.MULTILINE))
    assert len(list(site.glob("*.dist-info"))) == len(locked)


def request(settings: Settings) -> dict[str, Any]:
    resource = EmrServerlessResource.from_settings(settings, AwsResource(region="us-east-1"))
    context: Any = SimpleNamespace(run=SimpleNamespace(run_id="0" * 36), retry_number=0)
    return resource._params(context, "examples")


def faults(shape: Any, value: Any, path: str = "") -> list[str]:
    """Where the value breaks a pattern of the service's model, which botocore does not look at itself."""
    if isinstance(value, dict):
        inner = shape.members.items() if shape.type_name == "structure" else ((key, shape.value) for key in value)
        return [fault for key, member in inner if key in value for fault in faults(member, value[key], f"{path}.{key}")]
    if isinstance(value, list):
        return [fault for item in value for fault in faults(shape.member, item, path)]
    pattern = shape.metadata.get("pattern")
    return [f"{path}: {value!r}"] if pattern and not re.fullmatch(pattern, str(value), re.DOTALL) else []


@pytest.mark.usefixtures("s3")
def test_the_request_with_packages_is_the_services() -> None:
    settings = Settings(
        emr_application_id="00f1abcdefghij01",
        emr_role_arn="arn:aws:iam::123456789012:role/emr",
        work_bucket="work",
        spark_environment=ENVIRONMENT,
        spark_jars=("s3://work/code/spark/packages/0/a.jar",),
    )
    params = request(settings)
    client = boto3.client("emr-serverless", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    model = client.meta.service_model
    shape = model.operation_model("StartJobRun").input_shape
    report = ParamValidator().validate(params, shape)
    assert not report.has_errors(), report.generate_report()
    assert faults(shape, params) == []
    release = model.operation_model("CreateApplication").input_shape.members["releaseLabel"]
    assert re.fullmatch(release.metadata["pattern"], RELEASE)
    submit = params["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]
    assert f"--archives {ENVIRONMENT}#environment" in submit
    for name in ("emr-serverless.driverEnv.PYSPARK_PYTHON", "executorEnv.PYSPARK_PYTHON"):
        assert f"--conf spark.{name}=./environment/bin/python" in submit


@pytest.mark.usefixtures("s3")
def test_without_a_package_the_platforms_python_runs() -> None:
    settings = Settings(emr_application_id="0", emr_role_arn="arn:aws:iam::123456789012:role/emr", work_bucket="work")
    assert "PYSPARK_PYTHON" not in request(settings)["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]


def test_settings_are_printed_for_an_env_file() -> None:
    package = spark_package.Package("s3://work/e.tar.gz", ("s3://work/a.jar", "s3://work/b.jar"))
    assert package.settings() == [
        "GOVTUNE_SPARK_ENVIRONMENT=s3://work/e.tar.gz",
        "GOVTUNE_SPARK_JARS=s3://work/a.jar,s3://work/b.jar",
    ]
