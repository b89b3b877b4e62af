"""SageMaker: runs the training payload through Pipes."""

from typing import Any

import dagster as dg
from dagster._core.pipes.client import PipesClientCompletedInvocation

from govtune_assets import payloads, training_job
from govtune_assets.pipes.sagemaker import JobName, PipesSageMakerClient
from govtune_assets.resources.aws import AwsResource
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration


class SageMakerResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs training jobs under the SageMaker role, which may read its code, base weights and one secret."""

    work_bucket: str
    poll_seconds: float
    aws: dg.ResourceDependency[AwsResource]

    @classmethod
    def from_settings(cls, settings: Settings, aws: AwsResource) -> "SageMakerResource":
        """The resource that the settings describe."""
        return cls(work_bucket=settings.work_bucket, poll_seconds=settings.poll_seconds, aws=aws)

    def train(
        self,
        context: dg.AssetExecutionContext,
        settings: Settings,
        configuration: TrainingConfiguration,
        extras: dict[str, Any],
    ) -> PipesClientCompletedInvocation:
        """Start the configuration's training job and follow it to its end.

        Raises:
            ValueError: the role is not configured.
            TrainingJobFailed: the job did not complete.
        """
        s3, payload = self.aws.client("s3"), payloads.train_payload()
        source = payloads.upload(s3, self.work_bucket, payload, "sourcedir.tar.gz", payload.tar_gz())
        name = str(JobName(configuration.name, context.run.run_id, context.retry_number))
        request = training_job.TrainingRequest(name=name, source_uri=source, run_id=context.run.run_id)
        client = PipesSageMakerClient(
            bucket=self.work_bucket,
            sagemaker=self.aws.client("sagemaker"),
            s3=s3,
            logs=self.aws.client("logs"),
            poll_interval=self.poll_seconds,
        )
        return client.run(
            context=context,
            create_training_job_params=training_job.build(settings, configuration, request),
            extras=extras,
        )

    def artifact(self, uri: str) -> bytes:
        """The content of a job's model.tar.gz."""
        body: bytes = self.aws.client("s3").get_object(**_place(uri))["Body"].read()
        return body

    def artifact_bytes(self, uri: str) -> int:
        """The size of a job's model.tar.gz."""
        return int(self.aws.client("s3").head_object(**_place(uri))["ContentLength"])


def _place(uri: str) -> dict[str, str]:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return {"Bucket": bucket, "Key": key}
