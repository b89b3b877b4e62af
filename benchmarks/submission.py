"""Time from the submission of a training job to its first step, beside `python train.py` by hand.

    .venv/bin/python -m benchmarks.submission rows.jsonl

ROWS is what `benchmarks.recorded_rows` writes. Both ways run the same payload in the training environment on the same
rows, model and configuration, in turn. The job goes through the local SageMaker: upload of payload and rows before,
then from CreateTrainingJob (channels with the base model's weights downloaded, code unpacked, process started) until
CloudWatch has the line of the first step. By hand it is from the start of the process to that line. The reading of the
snapshot through the catalog is left out of both. Weights lie in the local S3 beforehand, as they do in a bucket.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.peers import ROOT
from govtune_assets.payloads import train_payload
from tools import bootstrap

sys.path.append(str(ROOT / "tests" / "localcloud" / "aws"))
from local_aws import LocalAws, allow

BUCKET, GROUP, CONFIGURATION = "work", "/aws/sagemaker/TrainingJobs", "first-step"
FIRST_STEP = "step 1/"
LONGEST = 900  # seconds
# Channels become the options of a run by hand.
PROGRAM = """
import os, sys
from train.train import main
given, model = os.environ["SM_CHANNEL_ROWS"], os.environ["SM_CHANNEL_MODEL"]
files = ["--configuration", f"{given}/first-step.yaml", "--rows", f"{given}/rows.jsonl"]
sys.exit(main([*files, "--model", model, "--out", os.environ["SM_MODEL_DIR"]]))
"""


def main() -> None:
    """Take turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="JSON lines of benchmarks.recorded_rows")
    parser.add_argument("--model", type=Path, default=ROOT / ".cache" / "models" / "smollm2-135m")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {"by hand": [], "job": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = prepare(folder, arguments.rows)
        python = bootstrap.environments(ROOT)["training"].python
        aws = LocalAws(folder, {"LOCALCLOUD_TRAINING_PYTHON": str(python)})
        aws.start()
        try:
            role = upload(aws, folder, given, arguments.model)
            for number in range(arguments.rounds):
                found["by hand"].append(by_hand(python, folder, given, arguments.model, number))
                found["job"].append(as_job(aws, role, number))
                print({way: f"{seconds[-1]:.1f} s" for way, seconds in found.items()}, flush=True)
        finally:
            aws.stop()
    hand, job = (median(seconds) for seconds in found.values())
    print(f"to the first step: by hand {hand:.1f} s, as a job {job:.1f} s, {job - hand:.1f} s more")


def prepare(folder: Path, rows: Path) -> Path:
    """Lay out the unpacked payload and the channel `rows`; returns that channel's folder."""
    given, code = folder / "rows", folder / "code"
    given.mkdir()
    values: dict[str, Any] = yaml.safe_load((ROOT / "train" / "configs" / "smollm2-135m.yaml").read_text())
    values["name"] = CONFIGURATION
    values["data"] |= {"max_train_rows": 4, "max_validation_rows": 1, "max_test_rows": 1}
    (given / f"{CONFIGURATION}.yaml").write_text(yaml.safe_dump(values))
    (given / "rows.jsonl").write_bytes(rows.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(archive())) as tar:
        tar.extractall(code, filter="data")
    return given


def archive() -> bytes:
    """The training payload with the program, as a tar.gz."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(train_payload().tar_gz())) as payload,
        tarfile.open(fileobj=buffer, mode="w:gz") as tar,
    ):
        for member in payload:
            tar.addfile(member, payload.extractfile(member))
        program = tarfile.TarInfo("by_hand.py")
        program.size = len(PROGRAM)
        tar.addfile(program, io.BytesIO(PROGRAM.encode()))
    return buffer.getvalue()


def upload(aws: LocalAws, folder: Path, given: Path, model: Path) -> str:
    """Put code, rows and weights into a bucket; returns the role that jobs have."""
    s3 = aws.client("s3")
    aws.bucket(BUCKET)
    s3.put_object(Bucket=BUCKET, Key="code.tar.gz", Body=archive())
    for channel, source in (("rows", given), ("model", model)):
        for path in source.iterdir():
            s3.upload_file(str(path), BUCKET, f"{channel}/{path.name}")
    everything = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    return aws.role(
        "training",
        {"Service": "sagemaker.amazonaws.com"},
        allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], everything),
        allow(["logs:*", "cloudwatch:PutMetricData"]),
    )


def by_hand(python: Path, folder: Path, given: Path, model: Path, number: int) -> float:
    """Seconds from the start of the process to the line of the first step."""
    channels = {"SM_CHANNEL_ROWS": str(given), "SM_CHANNEL_MODEL": str(model), "SM_MODEL_DIR": f"{folder}/out-{number}"}
    began = time.monotonic()
    process = subprocess.Popen(
        [str(python), "by_hand.py"],
        cwd=folder / "code",
        env={**os.environ, **channels, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if line.startswith(FIRST_STEP):
                return time.monotonic() - began
        raise RuntimeError(f"the run by hand ended before its first step:\n{''.join(said)}")
    finally:
        process.kill()
        process.communicate()


def as_job(aws: LocalAws, role: str, number: int) -> float:
    """Seconds from CreateTrainingJob to the line of the first step in CloudWatch."""
    client, name = aws.client("sagemaker"), f"first-step-{number}"
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "RoleArn": role,
        "AlgorithmSpecification": {"TrainingImage": "training:latest", "TrainingInputMode": "File"},
        "HyperParameters": {
            "sagemaker_program": json.dumps("by_hand.py"),
            "sagemaker_submit_directory": json.dumps(f"s3://{BUCKET}/code.tar.gz"),
        },
        "InputDataConfig": [
            {"ChannelName": channel, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
            for channel, uri in (("rows", f"s3://{BUCKET}/rows/"), ("model", f"s3://{BUCKET}/model/"))
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/training"},
        "ResourceConfig": {"InstanceType": "ml.c7i.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    began = time.monotonic()
    client.create_training_job(**request)
    while not any(line.startswith(FIRST_STEP) for line in _log(aws, name)):
        job = client.describe_training_job(TrainingJobName=name)
        if job["TrainingJobStatus"] != "InProgress" or time.monotonic() - began > LONGEST:
            raise RuntimeError(f"no first step: {job['TrainingJobStatus']}, {job.get('FailureReason', 'no reason')}")
        time.sleep(0.2)
    seconds = time.monotonic() - began
    client.stop_training_job(TrainingJobName=name)
    while client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] in ("InProgress", "Stopping"):
        time.sleep(0.2)
    return seconds


def _log(aws: LocalAws, name: str) -> list[str]:
    logs = aws.client("logs")
    try:
        streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    except logs.exceptions.ResourceNotFoundException:  # no job has written yet
        return []
    if not streams:
        return []
    events = logs.get_log_events(logGroupName=GROUP, logStreamName=streams[0]["logStreamName"], startFromHead=True)
    return [event["message"] for event in events["events"]]


if __name__ == "__main__":
    main()
