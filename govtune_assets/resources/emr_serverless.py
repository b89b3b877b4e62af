"""EMR Serverless: submits one of the Spark payload's jobs through Pipes."""

from typing import Any

import dagster as dg
from dagster._core.pipes.client import PipesClientCompletedInvocation

from govtune_assets import payloads, spark_package
from govtune_assets.pipes.emr_serverless import PipesGovernedSparkClient
from govtune_assets.resources.aws import AwsResource
from govtune_assets.settings import Settings

LOG_GROUP = "/aws/emr-serverless"


class EmrServerlessResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs Spark jobs under the EMR role, which may read its code and its one secret, and no table."""

    application_id: str
    role_arn: str
    work_bucket: str
    submit_parameters: str
    jars: list[str]
    environment: str
    timeout_minutes: int
    poll_seconds: float
    aws: dg.ResourceDependency[AwsResource]

    @classmethod
    def from_settings(cls, settings: Settings, aws: AwsResource) -> "EmrServerlessResource":
        """The resource that the settings describe."""
        return cls(
            application_id=settings.emr_application_id,
            role_arn=settings.emr_role_arn,
            work_bucket=settings.work_bucket,
            submit_parameters=settings.spark_submit_parameters,
            jars=list(settings.spark_jars),
            environment=settings.spark_environment,
            timeout_minutes=settings.spark_timeout_minutes,
            poll_seconds=settings.poll_seconds,
            aws=aws,
        )

    def run(self, context: dg.AssetExecutionContext, extras: dict[str, Any]) -> PipesClientCompletedInvocation:
        """Submit the job that `extras["job"]` names and follow it to its end.

        Raises:
            ValueError: no application or role is configured.
            SparkJobFailed: the job did not succeed.
        """
        if not self.application_id or not self.role_arn:
            raise ValueError(
                "GOVTUNE_EMR_APPLICATION_ID and GOVTUNE_EMR_ROLE_ARN are not set: name the EMR Serverless "
                "application and its execution role, or run `make up` for the local cloud."
            )
        client = PipesGovernedSparkClient(
            emr=self.aws.client("emr-serverless"),
            s3=self.aws.client("s3"),
            bucket=self.work_bucket,
            run_id=context.run.run_id,
            poll_interval=self.poll_seconds,
        )
        return client.run(
            context=context.op_execution_context,
            start_job_run_params=self._params(context, extras["job"]),
            extras=extras,
        )

    def _params(self, context: dg.AssetExecutionContext, job: str) -> dict[str, Any]:
        s3, payload = self.aws.client("s3"), payloads.spark_payload()
        entry = dict(payload.files)["spark/entry.py"]
        submit = [
            f"--py-files {payloads.upload(s3, self.work_bucket, payload, 'payload.zip', payload.zip())}",
            *([f"--jars {','.join(self.jars)}"] if self.jars else []),
            *(spark_package.spark_arguments(self.environment) if self.environment else []),
            self.submit_parameters,
        ]
        return {
            "applicationId": self.application_id,
            "executionRoleArn": self.role_arn,
            "name": f"govtune-{job}",
            # A retry of the step must start a new job, a repeated request of the same try must not.
            "clientToken": f"{context.run.run_id}-{job}-{context.retry_number}",
            "executionTimeoutMinutes": self.timeout_minutes,
            "jobDriver": {
                "sparkSubmit": {
                    "entryPoint": payloads.upload(s3, self.work_bucket, payload, "entry.py", entry),
                    "sparkSubmitParameters": " ".join(submit),
                }
            },
            "configurationOverrides": {
                "monitoringConfiguration": {
                    "s3MonitoringConfiguration": {"logUri": f"s3://{self.work_bucket}/logs/emr/"},
                    "cloudWatchLoggingConfiguration": {"enabled": True, "logGroupName": LOG_GROUP},
                }
            },
        }
