"""Pipes client of EMR Serverless: dagster-aws's, with failures that say what happened.

dagster-aws's client reads results from CloudWatch after success only, so that a failed job's messages are lost;
here messages travel through S3 while the job runs, and a failure carries the service's state details.
"""

from typing import Any

import dagster as dg
from dagster_aws.pipes import PipesEMRServerlessClient

from govtune_assets.pipes.messages import PrefixedS3MessageReader


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
        try:
            return super()._wait_for_completion(context, start_response)
        except RuntimeError as error:
            raise self._failure(start_response) from error

    def _failure(self, start_response: Any) -> SparkJobFailed:
        job_run = self.client.get_job_run(
            applicationId=start_response["applicationId"], jobRunId=start_response["jobRunId"]
        )["jobRun"]
        details = job_run.get("stateDetails") or "the service gave no details"
        return SparkJobFailed(
            f"Spark job {job_run['jobRunId']} ended as {job_run['state']}: {details}",
            metadata={"EMR Serverless job run": job_run["jobRunId"], "State": job_run["state"]},
            allow_retries=job_run["state"] != "CANCELLED",
        )
