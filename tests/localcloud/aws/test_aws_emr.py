"""EMR Serverless: job runs really run. One test uses pyspark; the others a fake spark-submit, for speed."""

from __future__ import annotations

import gzip
import io
import json
import stat
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws import LocalAws, allow, eventually, run_server

FAKE = """#!{python}
import json, os, pathlib, runpy, sys, time
arguments = sys.argv[1:]
properties = pathlib.Path(arguments[arguments.index("--properties-file") + 1]).read_text()
script = next(one for one in arguments if one.endswith("main.py"))
sys.argv = arguments[arguments.index(script):]
os.environ["FAKE_PROPERTIES"] = properties
os.environ["FAKE_ARGUMENTS"] = json.dumps(arguments)
runpy.run_path(script, run_name="__main__")
"""
TERMINAL = ("SUCCESS", "FAILED", "CANCELLED")


class Emr:
    """An application, a role and a bucket on a server."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.bucket = aws.bucket("emr-work")
        self.role = aws.role(
            "emr-job",
            {"Service": "emr-serverless.amazonaws.com"},
            allow("s3:GetObject", f"arn:aws:s3:::{self.bucket}/code/*"),
            allow("s3:PutObject", f"arn:aws:s3:::{self.bucket}/logs/*"),
            allow("logs:*"),
        )
        self.client = aws.client("emr-serverless")
        self.application: str = self.client.create_application(
            name="test", releaseLabel="emr-spark-8.0.0", type="SPARK", clientToken="one"
        )["applicationId"]

    def start(self, script: str, parameters: str = "--name test", **more: Any) -> str:
        """Submit a script; returns the id of the job run."""
        key = f"code/{uuid.uuid4().hex}/main.py"
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=script.encode())
        driver = {"entryPoint": f"s3://{self.bucket}/{key}", "sparkSubmitParameters": parameters}
        arguments = {
            "applicationId": self.application,
            "executionRoleArn": self.role,
            "jobDriver": {"sparkSubmit": driver},
            "clientToken": uuid.uuid4().hex,
        }
        run_id: str = self.client.start_job_run(**(arguments | more))["jobRunId"]
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        """GetJobRun."""
        found: dict[str, Any] = self.client.get_job_run(applicationId=self.application, jobRunId=run_id)["jobRun"]
        return found

    def reached(self, run_id: str, *states: str) -> dict[str, Any]:
        """The job run, once it is in one of `states`."""
        eventually(lambda: self.run(run_id)["state"] in states, seconds=120)
        return self.run(run_id)


@pytest.fixture(scope="module")
def fake_emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emr]:
    """A server whose spark-submit is a small script that runs the entry point."""
    folder = tmp_path_factory.mktemp("emr")
    fake = folder / "spark-submit"
    fake.write_text(FAKE.format(python=sys.executable))
    fake.chmod(stat.S_IRWXU)
    jars = folder / "jars"
    jars.mkdir()
    for server in run_server(folder, LOCALCLOUD_SPARK_SUBMIT=str(fake), LOCALCLOUD_SPARK_JARS=str(jars)):
        yield Emr(server)


def _log(emr: Emr, run_id: str, stream: str) -> str:
    key = f"logs/applications/{emr.application}/jobs/{run_id}/SPARK_DRIVER/{stream}.gz"
    body = emr.aws.client("s3").get_object(Bucket=emr.bucket, Key=key)["Body"].read()
    return gzip.decompress(body).decode()


def _monitoring(emr: Emr) -> dict[str, Any]:
    return {
        "monitoringConfiguration": {
            "s3MonitoringConfiguration": {"logUri": f"s3://{emr.bucket}/logs/"},
            "cloudWatchLoggingConfiguration": {"enabled": True, "logGroupName": "/test/emr"},
        }
    }


def test_fake_spark_job_gets_parameters_role_and_clean_environment(fake_emr: Emr) -> None:
    script = "\n".join(
        (
            "import boto3, json, os",
            "who = boto3.client('sts').get_caller_identity()['Arn']",
            "print(json.dumps({'who': who, 'env': dict(os.environ)}))",
        )
    )
    parameters = (
        "--conf spark.emr-serverless.driverEnv.GREETING='a b=c' --conf spark.executor.instances=2 "
        "--conf spark.driver.memory=64g --conf spark.custom=ü:x"
    )
    run_id = fake_emr.start(script, parameters, configurationOverrides=_monitoring(fake_emr))
    run = fake_emr.reached(run_id, *TERMINAL)
    assert run["state"] == "SUCCESS", run
    told = json.loads(_log(fake_emr, run_id, "stdout"))
    environment = told["env"]
    assert told["who"].endswith(f"assumed-role/emr-job/{run_id}")
    assert environment["GREETING"] == "a b=c"
    assert "A_SECRET_OF_THE_SERVER" not in environment
    assert environment["AWS_ENDPOINT_URL"] == fake_emr.aws.endpoint
    properties = environment["FAKE_PROPERTIES"].splitlines()
    assert "spark.driver.memory=1g" in properties
    assert "spark.custom=\\u00fc:x" in properties
    assert "spark.hadoop.fs.s3.impl=org.apache.hadoop.fs.s3a.S3AFileSystem" in properties
    assert "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension" in properties
    assert "GREETING" not in environment["FAKE_PROPERTIES"]
    assert environment["AWS_SECRET_ACCESS_KEY"] not in environment["FAKE_ARGUMENTS"]
    logs = fake_emr.aws.client("logs")
    stream = f"/applications/{fake_emr.application}/jobs/{run_id}/SPARK_DRIVER/stdout"
    events = logs.get_log_events(logGroupName="/test/emr", logStreamName=stream)["events"]
    assert [json.loads(event["message"])["who"] for event in events] == [told["who"]]


def _archive(links: dict[str, str]) -> bytes:
    """A packed environment: a file, the settings of its interpreter, and links."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in {"note.txt": b"here", "pyvenv.cfg": b"home = /usr/bin\nversion = 3.11\n"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return packed.getvalue()


def test_fake_spark_archive_lies_unpacked_beside_the_job(fake_emr: Emr) -> None:
    s3, address = fake_emr.aws.client("s3"), f"s3://{fake_emr.bucket}/code/environment.tar.gz"
    s3.put_object(
        Bucket=fake_emr.bucket,
        Key="code/environment.tar.gz",
        Body=_archive(dict.fromkeys(("bin/python", "bin/python3"), "/usr/bin/python3.99")),
    )
    script = "import pathlib, sys; here = pathlib.Path('environment'); sys.exit((here / 'note.txt').read_text() + ' '"
    script += " + str((here / 'bin/python').exists()) + ' ' + (here / 'pyvenv.cfg').read_text().splitlines()[0])"
    run = fake_emr.reached(fake_emr.start(script, f"--archives {address}#environment"), *TERMINAL)
    home = Path(sys.executable).resolve().parent
    assert run["stateDetails"].rstrip().endswith(f"here True home = {home}")
    for name in ("../environment", "staged"):
        run = fake_emr.reached(fake_emr.start("", f"--archives {address}#{name}"), *TERMINAL)
        assert "cannot be the name of its folder" in run["stateDetails"]
    s3.put_object(Bucket=fake_emr.bucket, Key="code/bad.tar.gz", Body=_archive({"passwords": "/etc/passwd"}))
    run = fake_emr.reached(fake_emr.start("", f"--archives s3://{fake_emr.bucket}/code/bad.tar.gz#x"), *TERMINAL)
    assert "bad.tar.gz cannot be unpacked" in run["stateDetails"]


def test_fake_spark_job_that_fails_says_its_last_error_lines(fake_emr: Emr) -> None:
    run_id = fake_emr.start("raise RuntimeError('the table is empty')")
    run = fake_emr.reached(run_id, *TERMINAL)
    assert run["state"] == "FAILED"
    assert "ExitCode: 1" in run["stateDetails"]
    assert "RuntimeError: the table is empty" in run["stateDetails"]


def test_fake_spark_job_is_cancelled_with_its_children(fake_emr: Emr, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = "\n".join(
        (
            "import os, subprocess, time",
            "child = subprocess.Popen(['sleep', '600'], start_new_session=True)",
            f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}\\n')",
            "time.sleep(600)",
        )
    )
    run_id = fake_emr.start(script)
    fake_emr.reached(run_id, "RUNNING")
    eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))
    fake_emr.client.cancel_job_run(applicationId=fake_emr.application, jobRunId=run_id)
    assert fake_emr.reached(run_id, *TERMINAL)["state"] == "CANCELLED"
    for pid in pids.read_text().split():
        eventually(lambda pid=pid: not _alive(pid))


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_fake_spark_client_token_starts_one_run(fake_emr: Emr) -> None:
    first = fake_emr.start("print('once')", clientToken="the-same")
    assert fake_emr.start("print('twice')", clientToken="the-same") == first
    again = fake_emr.client.create_application(
        name="test", releaseLabel="emr-spark-8.0.0", type="SPARK", clientToken="one"
    )
    assert again["applicationId"] == fake_emr.application


def test_fake_spark_job_may_read_only_what_its_role_may(fake_emr: Emr) -> None:
    fake_emr.aws.client("s3").put_object(Bucket=fake_emr.bucket, Key="secret/main.py", Body=b"print(1)")
    driver = {"sparkSubmit": {"entryPoint": f"s3://{fake_emr.bucket}/secret/main.py"}}
    run = fake_emr.reached(fake_emr.start("", jobDriver=driver), *TERMINAL)
    assert run["state"] == "FAILED"
    assert "Forbidden" in run["stateDetails"] or "AccessDenied" in run["stateDetails"]


def test_fake_spark_role_must_trust_the_service(fake_emr: Emr) -> None:
    stranger = fake_emr.aws.role("not-for-emr", {"Service": "sagemaker.amazonaws.com"}, allow("s3:*"))
    run = fake_emr.reached(fake_emr.start("print(1)", executionRoleArn=stranger), *TERMINAL)
    assert run["state"] == "FAILED"
    assert "Could not assume role" in run["stateDetails"]


def test_fake_spark_unknown_release_is_refused(fake_emr: Emr) -> None:
    with pytest.raises(ClientError, match="release label"):
        fake_emr.client.create_application(name="x", releaseLabel="spark-latest", type="SPARK")


def test_real_pyspark_job_prints(own_aws: LocalAws) -> None:
    emr = Emr(own_aws)
    script = "\n".join(
        (
            "from pyspark.sql import SparkSession",
            "spark = SparkSession.builder.getOrCreate()",
            "print('sum', spark.range(100).selectExpr('sum(id)').first()[0])",
            "print('partitions', spark.conf.get('spark.sql.shuffle.partitions'))",
        )
    )
    run_id = emr.start(script, "--conf spark.executor.memory=32g", configurationOverrides=_monitoring(emr))
    run = emr.reached(run_id, *TERMINAL)
    assert run["state"] == "SUCCESS", run["stateDetails"]
    assert _log(emr, run_id, "stdout").splitlines() == ["sum 4950", "partitions 2"]
    assert run["totalExecutionDurationSeconds"] > 0
