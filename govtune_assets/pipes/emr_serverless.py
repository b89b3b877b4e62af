"""Pipes client of EMR Serverless: dagster-aws's, with live messages and failures that say what happened.

It differs from dagster-aws's client in four ways. Context and messages travel through S3, so that no parameter stands
on a command line and a failed job's messages arrive too. A job that can no longer be followed is cancelled. A failure
carries the service's state details. The job's dashboard is not asked for, since its address carries a token (API
reference of GetDashboardForJobRun) that would stand in the run's log.
"""

import time
from typing import Any

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from dagster_aws.pipes import PipesEMRServerlessClient, PipesS3ContextInjector

from govtune_assets.pipes.messages import SPARK_PREFIX, PrefixedS3MessageReader

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
        prefix = f"{SPARK_PREFIX}/{run_id}"
        super().__init__(
            client=emr,
            context_injector=PipesS3ContextInjector(bucket=bucket, client=s3, key_prefix=f"{prefix}/"),
            message_reader=PrefixedS3MessageReader(
                bucket=bucket, client=s3, prefix=prefix, interval=min(poll_interval, 2.0)
            ),
            poll_interval=poll_interval,
        )

    def _read_messages(self, context: Any, session: Any, response: Any) -> None:
        """Messages have arrived through S3 already: nothing is fetched from CloudWatch."""

    def _wait_for_completion(self, context: Any, start_response: Any) -> Any:
        try:
            return self._follow(context, start_response)
        except (BotoCoreError, ClientError):
            # The service cannot be asked any more: a job that nobody follows must not go on.
            self._terminate(context, start_response)
            raise

    def _follow(self, context: Any, start_response: Any) -> Any:
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
