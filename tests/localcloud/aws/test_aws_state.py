"""State survives an orderly stop and SIGKILL; jobs do not survive their server."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws import LocalAws, allow, eventually, tar_gz

from localcloud.aws.journal import Journal

LARGE = b"z" * (12 << 20)


def _fill(aws: LocalAws) -> dict[str, Any]:
    s3 = aws.client("s3")
    aws.bucket("kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    for number in range(20):
        s3.put_object(Bucket="kept", Key=f"k{number}", Body=b"x" * number, Metadata={"n": str(number)})
    s3.put_object(Bucket="kept", Key="k1", Body=b"second")
    s3.delete_object(Bucket="kept", Key="k2")
    s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "k3"}]})
    s3.upload_fileobj(io.BytesIO(LARGE), "kept", "large")
    aws.client("secretsmanager").create_secret(Name="databricks/x", SecretString="a secret value")
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    role = aws.role("kept", {"AWS": "arn:aws:iam::123456789012:root"}, allow("s3:ListAllMyBuckets"))
    user = aws.user("kept", allow("sts:AssumeRole"))
    session = aws.client("sts", user).assume_role(RoleArn=role, RoleSessionName="kept")["Credentials"]
    application = aws.client("emr-serverless").create_application(
        name="kept", releaseLabel="emr-spark-8.0.0", type="SPARK"
    )["applicationId"]
    return {"sealed": sealed, "user": user, "session": session, "application": application}


def _check(aws: LocalAws, facts: dict[str, Any]) -> None:
    s3 = aws.client("s3")
    listed = [one["Key"] for one in s3.list_objects_v2(Bucket="kept")["Contents"]]
    assert sorted(listed) == sorted([f"k{number}" for number in range(20) if number not in (2, 3)] + ["large"])
    assert s3.get_object(Bucket="kept", Key="k1")["Body"].read() == b"second"
    assert len(s3.list_object_versions(Bucket="kept", Prefix="k1")["Versions"]) == 11 + 1
    assert s3.head_object(Bucket="kept", Key="k5")["Metadata"] == {"n": "5"}
    body = s3.get_object(Bucket="kept", Key="large")["Body"].read()
    assert hashlib.sha256(body).digest() == hashlib.sha256(LARGE).digest()
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="kept", Key="k1", Body=b"", IfNoneMatch="*")
    value = aws.client("secretsmanager").get_secret_value(SecretId="databricks/x")["SecretString"]
    assert value == "a secret value"
    assert aws.client("kms").decrypt(CiphertextBlob=facts["sealed"])["Plaintext"] == b"hello"
    assert aws.client("sts", facts["user"]).get_caller_identity()["Arn"].endswith("user/kept")
    assert aws.client("s3", facts["session"]).list_buckets()["Buckets"][0]["Name"] == "kept"
    application = aws.client("emr-serverless").get_application(applicationId=facts["application"])["application"]
    assert application["releaseLabel"] == "emr-spark-8.0.0"


def test_an_orderly_stop_keeps_everything(own_aws: LocalAws) -> None:
    facts = _fill(own_aws)
    vpc = own_aws.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    assert own_aws.stop() == 0
    own_aws.start()
    _check(own_aws, facts)
    vpcs = own_aws.client("ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert [one["CidrBlock"] for one in vpcs] == ["10.9.0.0/16"]


def test_what_was_answered_survives_a_kill(own_aws: LocalAws) -> None:
    facts = _fill(own_aws)
    own_aws.stop(signal.SIGKILL)
    own_aws.start()
    _check(own_aws, facts)
    own_aws.client("s3").put_object(Bucket="kept", Key="after", Body=b"the first kill")
    own_aws.stop(signal.SIGKILL)
    own_aws.start()
    _check_after(own_aws)


def _check_after(aws: LocalAws) -> None:
    assert aws.client("s3").get_object(Bucket="kept", Key="after")["Body"].read() == b"the first kill"
    versions = aws.client("s3").list_object_versions(Bucket="kept")["Versions"]
    assert len(list((aws.state / "objects").iterdir())) == len(versions)


def test_only_this_user_can_read_the_state(own_aws: LocalAws) -> None:
    own_aws.bucket("private")
    own_aws.client("s3").put_object(Bucket="private", Key="x", Body=b"x")
    own_aws.client("secretsmanager").create_secret(Name="databricks/x", SecretString="a secret value")
    own_aws.stop()
    for path in [own_aws.state, *own_aws.state.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    secret = [path for path in own_aws.state.rglob("*") if path.is_file() and b"a secret value" in path.read_bytes()]
    assert [path.name.split(".")[0] for path in secret] == ["secretsmanager"]
    assert "a secret value" not in own_aws.log


def test_a_state_file_that_others_could_write_is_not_read(own_aws: LocalAws) -> None:
    own_aws.user("someone")
    own_aws.stop()
    (own_aws.state / "backends" / "iam.123456789012.aws.pickle").chmod(0o666)
    with pytest.raises(AssertionError, match="it will not be read"):
        own_aws.start()


def test_a_journal_gives_back_what_it_took_and_drops_a_torn_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "s3")
    journal.append(b"one")
    second = journal.begin()
    journal.append(b"two")
    journal.append(b"three")
    journal.close()
    last = max(tmp_path.iterdir())
    last.write_bytes(last.read_bytes()[:-1])
    again = Journal(tmp_path, "s3")
    assert list(again.replay(0)) == [b"one", b"two"]
    again.append(b"four")
    assert list(again.replay(second)) == [b"two", b"four"]
    again.forget_before(second + 1)
    assert list(again.replay(0)) == [b"four"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_jobs_end_with_their_server_and_are_failures_after_it(own_aws: LocalAws, number: signal.Signals) -> None:
    pids = own_aws.folder / "pids"
    _start_stubborn_job(own_aws, pids)
    eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))
    own_aws.stop(number)
    for pid in map(int, pids.read_text().split()):
        eventually(lambda pid=pid: not _alive(pid))
    if number == signal.SIGTERM:
        assert list((own_aws.state / "jobs").iterdir()) == []
    own_aws.start()
    job = own_aws.client("sagemaker").describe_training_job(TrainingJobName="interrupted")
    assert job["TrainingJobStatus"] == "Failed"
    assert "interrupted while the job ran" in job["FailureReason"]
    assert list((own_aws.state / "jobs").iterdir()) == []


def _start_stubborn_job(aws: LocalAws, pids: Path) -> None:
    """A job that ignores SIGTERM and has a child; it writes its own, the child's and the supervisor's pid."""
    script = "\n".join(
        (
            "import os, signal, subprocess, sys, time",
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(900)'])",
            f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} {{os.getppid()}}\\n')",
            "time.sleep(900)",
        )
    )
    aws.bucket("job-work")
    aws.client("s3").put_object(Bucket="job-work", Key="source.tar.gz", Body=tar_gz(train_py=script))
    role = aws.role("job", {"Service": "sagemaker.amazonaws.com"}, allow("s3:*"))
    aws.client("sagemaker").create_training_job(
        TrainingJobName="interrupted",
        RoleArn=role,
        AlgorithmSpecification={"TrainingImage": "x", "TrainingInputMode": "File"},
        HyperParameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": "s3://job-work/source.tar.gz",
        },
        OutputDataConfig={"S3OutputPath": "s3://job-work/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 800},
    )


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent starts a server and is killed; the server follows."""
    root = tmp_path / "root.json"
    root.touch(mode=0o600)
    root.write_text(json.dumps({"access_key_id": "AKIATEST", "secret_access_key": "x"}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--state", str(tmp_path / "state"), "--root-credentials", str(root)]
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-m', 'localcloud.aws', *{options!r}])\n"
        "print(child.pid, flush=True)\ntime.sleep(900)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    eventually(lambda: _listens(port))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not _alive(server))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_taken_port_and_a_taken_folder_are_said(own_aws: LocalAws, tmp_path: Path) -> None:
    other = LocalAws(tmp_path / "other", port=own_aws.port)
    other.folder.mkdir()
    same = LocalAws(own_aws.folder)
    for second, message in ((other, f"cannot serve on 127.0.0.1:{own_aws.port}"), (same, "another server uses")):
        second.launch()
        assert second.process is not None
        assert second.process.wait(60) == 1
        assert message in second.log
