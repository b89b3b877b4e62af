"""Submits the payload to the local EMR Serverless as the orchestrator would, and reads back what it said."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from dagster_pipes import encode_param

from govtune_assets import payloads

END_STATES = ("SUCCESS", "FAILED", "CANCELLED")

CONTEXT = {
    "asset_keys": ["it"],
    "code_version_by_asset_key": {"it": None},
    "provenance_by_asset_key": {"it": None},
    "partition_key": None,
    "partition_key_range": None,
    "partition_time_window": None,
    "run_id": "run",
    "job_name": None,
    "retry_number": 0,
}
"""What Dagster tells a Pipes process of a run, but for the extras."""


@dataclass(frozen=True)
class Finished:
    """How a job ended: its state, the service's words, its Pipes messages by method, and all that it logged."""

    state: str
    details: str
    messages: list[dict[str, Any]]
    logs: str

    @property
    def materialization(self) -> dict[str, Any]:
        """The parameters of its one report. Raises ValueError when it made none or several."""
        (found,) = (item["params"] for item in self.messages if item["method"] == "report_asset_materialization")
        return dict(found)

    @property
    def metadata(self) -> dict[str, Any]:
        """The reported metadata as raw values."""
        return {name: item["raw_value"] for name, item in self.materialization["metadata"].items()}


class Emr:
    """The local EMR Serverless, asked by the orchestrator's user."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        session = boto3.Session(
            aws_access_key_id=_profile(env)[0], aws_secret_access_key=_profile(env)[1], region_name=env["AWS_REGION"]
        )
        endpoint = env["AWS_ENDPOINT_URL"]
        self._emr = session.client("emr-serverless", endpoint_url=endpoint)
        self.s3 = session.client("s3", endpoint_url=endpoint)
        self._bucket = env["GOVTUNE_WORK_BUCKET"]

    def run(self, extras: Mapping[str, Any], *, submit: str = "") -> Finished:
        """Run one job to its end."""
        payload, prefix = payloads.spark_payload(), f"pipes/spark/{uuid.uuid4()}"
        archive = payloads.upload(self.s3, self._bucket, payload, "payload.zip", payload.zip())
        entry = dict(payload.files)["spark/entry.py"]
        context = CONTEXT | {"extras": dict(extras)}
        messages = {"bucket": self._bucket, "key_prefix": prefix, "include_stdio_in_messages": True}
        where = {"bucket": self._bucket, "key": f"{prefix}-context.json"}
        self.s3.put_object(Bucket=where["bucket"], Key=where["key"], Body=json.dumps(context).encode())
        variables = {"DAGSTER_PIPES_CONTEXT": where, "DAGSTER_PIPES_MESSAGES": messages}
        parameters = [f"--py-files {archive}", submit]
        for name, value in variables.items():
            parameters.append(f"--conf spark.emr-serverless.driverEnv.{name}={encode_param(value)}")
        job = {
            "applicationId": self._env["GOVTUNE_EMR_APPLICATION_ID"],
            "jobRunId": self._emr.start_job_run(
                applicationId=self._env["GOVTUNE_EMR_APPLICATION_ID"],
                executionRoleArn=self._env["GOVTUNE_EMR_ROLE_ARN"],
                clientToken=str(uuid.uuid4()),
                jobDriver={
                    "sparkSubmit": {
                        "entryPoint": payloads.upload(self.s3, self._bucket, payload, "entry.py", entry),
                        "sparkSubmitParameters": " ".join(parameters),
                    }
                },
                configurationOverrides={
                    "monitoringConfiguration": {
                        "s3MonitoringConfiguration": {"logUri": f"s3://{self._bucket}/logs/emr/"}
                    }
                },
            )["jobRunId"],
        }
        while True:
            run = self._emr.get_job_run(**job)["jobRun"]
            if run["state"] in END_STATES:
                return self._finished(run, prefix, job["jobRunId"])
            time.sleep(0.5)

    def _finished(self, run: Mapping[str, Any], prefix: str, job_run_id: str) -> Finished:
        chunks = sorted(self._objects(f"{prefix}/"), key=lambda item: int(item[0].rsplit("/", 1)[1].split(".")[0]))
        messages = [json.loads(line) for _, text in chunks for line in text.splitlines() if line]
        logs = "\n".join(text for key, text in self._objects("logs/emr/") if job_run_id in key)
        return Finished(run["state"], run.get("stateDetails", ""), messages, logs)

    def _objects(self, prefix: str) -> list[tuple[str, str]]:
        found = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                body = self.s3.get_object(Bucket=self._bucket, Key=item["Key"])["Body"].read()
                found.append((item["Key"], _text(body)))
        return found


def _text(body: bytes) -> str:
    import gzip

    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode(errors="replace")


def _profile(env: Mapping[str, str]) -> tuple[str, str]:
    import configparser

    parser = configparser.ConfigParser()
    parser.read(env["AWS_SHARED_CREDENTIALS_FILE"])
    return parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"]
