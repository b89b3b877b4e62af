"""The entry point under real Pipes: what of a failure reaches the run's records, and what stays in the driver's log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from dagster_pipes import encode_param
from emr import CONTEXT

PROJECT = Path(__file__).parents[2]
PROGRAM = """
import sys
from dagster_pipes import PipesDefaultContextLoader, PipesDefaultMessageWriter
from spark.entry import run_under
sys.exit(run_under(PipesDefaultContextLoader(), PipesDefaultMessageWriter()))
"""


def test_a_failure_is_one_line_in_the_records_and_a_traceback_in_the_log_alone(tmp_path: Path) -> None:
    extras = {"job": "examples", "catalog_host": "https://workspace.example", "run_id": "run", "secret_id": "curator"}
    file = tmp_path / "messages.jsonl"
    environment = os.environ | {
        "AWS_DEFAULT_REGION": "no region",  # of which boto3 makes an error that is not ours
        "DAGSTER_PIPES_CONTEXT": encode_param({"data": CONTEXT | {"extras": extras}}),
        "DAGSTER_PIPES_MESSAGES": encode_param({"path": str(file), "include_stdio_in_messages": True}),
        "PYTHONPATH": str(PROJECT),
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    messages = [json.loads(line) for line in file.read_text().splitlines()]
    (closed,) = (message["params"]["exception"] for message in messages if message["method"] == "closed")
    assert closed["name"] == "JobFailed"
    assert "InvalidRegionError" in closed["message"]
    assert (closed["cause"], closed["context"]) == (None, None)
    assert "Traceback" not in json.dumps(messages)
    assert "Traceback" in done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == f"job failed: {closed['message'].split(': ', 1)[1].strip()}"
