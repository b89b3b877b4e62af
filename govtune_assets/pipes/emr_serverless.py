"""Pipes client of EMR Serverless: dagster-aws's, with live messages and failures that say what happened.

It differs from dagster-aws's client in three ways. Messages travel through S3 while the job runs, so that those of a
failed job arrive too. A failure carries the service's state details. The job's dashboard is not asked for, since its
address carries a token (API reference of GetDashboardForJobRun) that would stand in the run's log.
"""

import time
from typing import Any

import dagster as dg
from dagster_aws.pipes import PipesEMRServerlessClient

from govtune_assets.pipes.messages import PrefixedS3MessageReader

TERMINAL = frozenset({"SUCCESS", "FAILED", "CANCELLED"})


class SparkJobFailed(dg.Failure):
    """A Spark job ended in another state than SUCCESS."""


class PipesGovernedSparkClient(PipesEMRServerlessClient):
    """Runs one Spark job of EMR Serverless; build a new client for each run, since message readers keep state.

    Args:
        emr: boto3 client of emr-serverless.
        s3: boto3 client of S3 with rights on the Pipes prefix of `bucket`.
        bucket: name of the work bucket.
        run_id: Dagster run id, used as folder name of the messages.
        poll_interval: seconds between two looks at the job.
    """

    def __init__(self, *, emr: Any, s3: Any, bucket: str, run_id: str, poll_interval: float):
        super().__init__(
            client=emr,
            message_reader=PrefixedS3MessageReader(
                bucket=bucket, client=s3, run_id=run_id, interval=min(poll_interval, 2.0)
            ),
            poll_interval=poll_interval,
        )

    def _read_messages(self, context: Any, session: Any, response: Any) -> None:
        """Messages have arrived through S3 already: nothing is fetched from CloudWatch."""

    def _wait_for_completion(self, context: Any, start_response: Any) -> Any:
        seen = ""
        while True:
            response = self.client.get_job_run(
                applicationId=start_response["applicationId"], jobRunId=start_response["jobRunId"]
            )
            job_run = response["jobRun"]
            if job_run["state"] != seen:
                seen = job_run["state"]
                context.log.info(f"[pipes] Spark job {job_run['jobRunId']}: {seen}")
            if seen == "SUCCESS":
                return response
            if seen in TERMINAL:
                raise _failure(job_run)
            time.sleep(self.poll_interval)


def _failure(job_run: Any) -> SparkJobFailed:
    details = job_run.get("stateDetails") or "the service gave no details"
    return SparkJobFailed(
        f"Spark job {job_run['jobRunId']} ended as {job_run['state']}: {details}",
        metadata={"EMR Serverless job run": job_run["jobRunId"], "State": job_run["state"]},
        allow_retries=job_run["state"] != "CANCELLED",
    )
