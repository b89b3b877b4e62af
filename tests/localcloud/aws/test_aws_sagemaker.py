"""SageMaker training jobs run small real scripts under the container's contract."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws import LocalAws, allow, eventually, tar_gz

TERMINAL = ("Completed", "Failed", "Stopped")
LOOP = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "checkpoints"
done = folder / "step"
step = int(done.read_text()) if done.exists() else 0
print(f"started at {step}", flush=True)
def stop(*_):
    asked.append("to stop")
asked = []
signal.signal(signal.SIGTERM, stop)
while step < 100000 and "--once" not in sys.argv:
    step += 1
    done.write_text(str(step))
    print(f"step={step}", flush=True)
    time.sleep(0.1)
    if asked:  # after a whole step, whose line and checkpoint are written
        pathlib.Path(os.environ["SM_MODEL_DIR"], "part").write_text("partial")
        sys.exit(0)
"""


class Training:
    """A role and a bucket on a server."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.bucket = aws.bucket("train-work")
        everything = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        self.role = aws.role(
            "training",
            {"Service": "sagemaker.amazonaws.com"},
            allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], everything),
            allow(["logs:*", "cloudwatch:PutMetricData"]),
        )
        self.client = aws.client("sagemaker")
        self.key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        aws.client("s3").put_object(Bucket=self.bucket, Key="models/base/config.json", Body=b"{}")
        aws.client("s3").put_object(Bucket=self.bucket, Key="models/base/deep/weights", Body=b"w")

    def start(self, script: str, parameters: dict[str, str] | None = None, **more: Any) -> str:
        """Create a job of one script; returns its name."""
        name = f"job-{uuid.uuid4().hex[:8]}"
        key = f"code/{name}/sourcedir.tar.gz"
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=tar_gz(train_py=script))
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/models/base/"}
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": "training:latest",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "train:loss", "Regex": r"loss=([0-9.]+)"}],
            },
            "HyperParameters": {
                "sagemaker_program": json.dumps("train.py"),
                "sagemaker_submit_directory": json.dumps(f"s3://{self.bucket}/{key}"),
                **(parameters or {}),
            },
            "InputDataConfig": [{"ChannelName": "model", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/training", "KmsKeyId": self.key},
            "ResourceConfig": {"InstanceType": "ml.g6e.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
            "EnableInterContainerTrafficEncryption": True,
            "Tags": [{"Key": "run", "Value": "r1"}],
        }
        self.client.create_training_job(**(request | more))
        return name

    def job(self, name: str) -> dict[str, Any]:
        """DescribeTrainingJob."""
        found: dict[str, Any] = self.client.describe_training_job(TrainingJobName=name)
        return found

    def ended(self, name: str) -> dict[str, Any]:
        """The job, once it is over."""
        eventually(lambda: self.job(name)["TrainingJobStatus"] in TERMINAL, seconds=120)
        return self.job(name)

    def log(self, name: str) -> list[str]:
        """The job's lines in CloudWatch so far."""
        logs = self.aws.client("logs")
        group = "/aws/sagemaker/TrainingJobs"
        try:
            found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")
        except logs.exceptions.ResourceNotFoundException:  # no job has written yet
            return []
        streams = found["logStreams"]
        if not streams:
            return []
        assert len(streams) == 1
        got = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True)
        return [event["message"] for event in got["events"]]

    def artifact(self, name: str, archive: str) -> dict[str, str]:
        """The text files in an uploaded archive."""
        key = f"training/{name}/output/{archive}"
        body = self.aws.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            files = [(one.name, tar.extractfile(one)) for one in tar if one.isfile()]
            return {path: file.read().decode() for path, file in files if file is not None}


@pytest.fixture(scope="module")
def training(aws: LocalAws) -> Training:
    """The shared server, set up for training."""
    return Training(aws)


def test_completed_job_follows_the_container_contract(training: Training) -> None:
    script = """
import json, os, pathlib, sys, boto3
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
report = {
    "who": boto3.client("sts").get_caller_identity()["Arn"],
    "argv": sys.argv[1:],
    "cwd": os.getcwd(),
    "env": dict(os.environ),
    "channel": sorted(str(p.relative_to(os.environ["SM_CHANNEL_MODEL"])) for p in
                      pathlib.Path(os.environ["SM_CHANNEL_MODEL"]).rglob("*") if p.is_file()),
    "config": {p.name: json.loads(p.read_text()) for p in (base / "input" / "config").iterdir()},
}
for loss in (2.5, 1.25):
    print(f"loss={loss}", flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "adapter").write_text("weights")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "report.json").write_text(json.dumps(report))
"""
    hyperparameters = {"epochs": "3", "name": "plain text", "nested": '{"a": 1}'}
    variables = {"HF_HUB_OFFLINE": "1", "SM_NUM_GPUS": "8"}
    name = training.start(script, hyperparameters, Environment=variables)
    job = training.ended(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    seen = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    assert seen == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert [(one["MetricName"], one["Value"]) for one in job["FinalMetricDataList"]] == [("train:loss", 1.25)]
    assert job["BillableTimeInSeconds"] >= 1
    assert job["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert job["OutputDataConfig"]["KmsKeyId"] == training.key
    assert training.artifact(name, "model.tar.gz") == {"adapter": "weights"}
    report = json.loads(training.artifact(name, "output.tar.gz")["report.json"])
    environment = report["env"]
    assert report["who"].endswith(f"assumed-role/training/{name}")
    assert report["argv"] == ["--epochs", "3", "--name", "plain text", "--nested", '{"a": 1}']
    assert report["channel"] == ["config.json", "deep/weights"]
    assert report["cwd"] == f"{environment['SAGEMAKER_BASE_DIR']}/code"
    assert report["config"]["hyperparameters.json"]["epochs"] == "3"
    assert report["config"]["inputdataconfig.json"]["model"]["TrainingInputMode"] == "File"
    assert report["config"]["resourceconfig.json"]["hosts"] == ["algo-1"]
    assert (environment["SM_HP_EPOCHS"], environment["SM_CHANNELS"]) == ("3", '["model"]')
    assert json.loads(environment["SM_HPS"]) == {"epochs": 3, "name": "plain text", "nested": {"a": 1}}
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["SM_NUM_GPUS"] == "0"
    assert "A_SECRET_OF_THE_SERVER" not in environment
    assert training.log(name)[-2:] == ["loss=2.5", "loss=1.25"]
    head = training.aws.client("s3").head_object(Bucket=training.bucket, Key=f"training/{name}/output/model.tar.gz")
    assert head["SSEKMSKeyId"] == training.key
    metrics = training.aws.client("cloudwatch").list_metrics(Namespace="/aws/sagemaker/TrainingJobs")["Metrics"]
    assert {"Name": "TrainingJobName", "Value": name} in metrics[0]["Dimensions"]
    assert training.client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == [{"Key": "run", "Value": "r1"}]


def test_failed_job_says_why(training: Training) -> None:
    wrote = training.ended(
        training.start(
            "import os, pathlib, sys\n"
            "pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('loss is not finite')\n"
            "sys.exit(7)"
        )
    )
    assert wrote["TrainingJobStatus"] == wrote["SecondaryStatus"] == "Failed"
    assert wrote["FailureReason"] == "AlgorithmError: loss is not finite, exit code: 7"
    raised = training.ended(training.start("raise ValueError('bad row')"))
    assert "ValueError: bad row" in raised["FailureReason"]


def test_stopped_job_keeps_its_checkpoints_and_resumes(training: Training) -> None:
    checkpoints = {"S3Uri": f"s3://{training.bucket}/checkpoints/{uuid.uuid4().hex}"}
    name = training.start(LOOP, CheckpointConfig=checkpoints)
    eventually(lambda: training.job(name)["SecondaryStatus"] == "Training")
    eventually(lambda: "step=3" in training.log(name))
    training.client.stop_training_job(TrainingJobName=name)
    stopped = training.ended(name)
    assert (stopped["TrainingJobStatus"], stopped["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "Stopping" in [one["Status"] for one in stopped["SecondaryStatusTransitions"]]
    assert training.artifact(name, "model.tar.gz") == {"part": "partial"}
    assert training.log(name)[0] == "started at 0"
    last = int(training.log(name)[-1].removeprefix("step="))
    resumed = training.start(LOOP.replace('"--once" not in sys.argv', "False"), CheckpointConfig=checkpoints)
    assert training.ended(resumed)["TrainingJobStatus"] == "Completed"
    assert training.log(resumed) == [f"started at {last}"]


def test_job_that_runs_too_long_is_stopped(training: Training) -> None:
    job = training.ended(training.start(LOOP, StoppingCondition={"MaxRuntimeInSeconds": 2}))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["TrainingTimeInSeconds"] >= 2


def test_job_with_an_empty_channel_fails(training: Training) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{training.bucket}/nothing/here"}
    channels = [{"ChannelName": "model", "DataSource": {"S3DataSource": source}}]
    job = training.ended(training.start("print(1)", InputDataConfig=channels))
    assert job["TrainingJobStatus"] == "Failed"
    assert "No S3 objects found" in job["FailureReason"]


def test_job_name_is_used_once_and_limits_are_kept(training: Training) -> None:
    name = training.start("print(1)")
    with pytest.raises(ClientError, match="ResourceInUse"):
        training.start("print(1)", TrainingJobName=name)
    with pytest.raises(ClientError, match="512"):
        training.start("print(1)", Environment={"LONG": "x" * 513})
    disks = {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10, "VolumeKmsKeyId": "key"}
    with pytest.raises(ClientError, match="with local storage"):
        training.start("print(1)", ResourceConfig=disks)
    training.ended(name)
    with pytest.raises(ClientError, match="Requested resource not found"):
        training.client.describe_training_job(TrainingJobName="no-such-job")
    with pytest.raises(ClientError, match="is in status Completed"):
        training.client.stop_training_job(TrainingJobName=name)


def test_archive_that_leads_out_of_the_folder_is_refused(training: Training) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../escaped"))
    key = "code/evil.tar.gz"
    training.aws.client("s3").put_object(Bucket=training.bucket, Key=key, Body=buffer.getvalue())
    submit = {"sagemaker_submit_directory": json.dumps(f"s3://{training.bucket}/{key}")}
    job = training.ended(training.start("", submit))
    assert job["TrainingJobStatus"] == "Failed"
    assert "cannot be unpacked" in job["FailureReason"]


def test_lost_spot_instance_gives_way_to_another_with_the_checkpoints(training: Training) -> None:
    name = training.start(
        LOOP.replace("step < 100000", "step < 6"),
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
        CheckpointConfig={"S3Uri": f"s3://{training.bucket}/checkpoints/{uuid.uuid4().hex}"},
        Tags=[{"Key": "localcloud:interrupt-at", "Value": "step=3"}],
    )
    job = training.ended(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    seen = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    once = ["Starting", "Downloading", "Training"]
    assert seen == [*once, "Interrupted", *once, "Uploading", "Completed"]
    assert job["BillableTimeInSeconds"] < job["TrainingTimeInSeconds"]
    streams = training.aws.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/"
    )["logStreams"]
    assert len(streams) == 2
    with pytest.raises(ClientError, match="only spot instances are interrupted"):
        training.start(LOOP, Tags=[{"Key": "localcloud:interrupt-at", "Value": "step=3"}])
