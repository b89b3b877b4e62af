"""SageMaker: runs the training payload through Pipes, within the budget, and tells what it cost."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.pipes.client import PipesClientCompletedInvocation

from govtune_assets import cost, payloads, provenance, training_job
from govtune_assets.keys import SNAPSHOT, adapter_key
from govtune_assets.pipes.messages import TRAINING_PREFIX
from govtune_assets.pipes.sagemaker import JobName, PipesSageMakerClient, TrainingJobFailed
from govtune_assets.resources.aws import AwsResource
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration


class SageMakerResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs training jobs under the SageMaker role, which may read its code, base weights and one secret.

    Attributes:
        work_bucket: bucket of code, messages, checkpoints and artifacts.
        poll_seconds: seconds between two looks at a job.
        region: region whose prices hold.
        prices: path of the price file.
        budget_usd: most that a job may be expected to cost; None for no limit.
        retries: how often a job is started again where that can help.
        retry_seconds: wait before the first of these; it doubles each time.
    """

    work_bucket: str
    poll_seconds: float
    region: str
    prices: str
    budget_usd: float | None = None
    retries: int = 2
    retry_seconds: float = 60.0
    aws: dg.ResourceDependency[AwsResource]

    @classmethod
    def from_settings(cls, settings: Settings, aws: AwsResource) -> "SageMakerResource":
        """The resource that the settings describe."""
        return cls(
            work_bucket=settings.work_bucket,
            poll_seconds=settings.poll_seconds,
            region=settings.region,
            prices=str(settings.prices),
            budget_usd=settings.training_budget_usd,
            retries=settings.training_retries,
            aws=aws,
        )

    def train(
        self,
        context: dg.AssetExecutionContext,
        settings: Settings,
        configuration: TrainingConfiguration,
        extras: dict[str, Any],
    ) -> PipesClientCompletedInvocation:
        """Start the configuration's training job and follow it to its end.

        The answer's metadata tells the estimated and the billed cost.

        Raises:
            ValueError: the role is not configured.
            CostError: the price file cannot be used.
            dagster.Failure: the job may cost more than the budget; nothing was started.
            TrainingJobFailed: the job did not complete.
            dagster.RetryRequested: it did not complete, and starting it again can help. A retry policy on the asset
                would do as much, but Dagster applies one to a cancelled run too.
        """
        prices = cost.load_prices(Path(self.prices), self.region)
        rows = _training_rows(context.instance)
        expected = self._estimate(context.instance, configuration, prices, rows)
        context.log.info(f"Cost estimate for {configuration.name}: {_in_words(expected)}")
        cost.require_budget(expected, self.budget_usd, f"Training {configuration.name}")

        def told(job: Mapping[str, Any]) -> dict[str, Any]:
            return {
                **cost.basis(configuration, rows),
                **cost.estimate_metadata(expected),
                **cost.billed_metadata(configuration, job, prices),
            }

        s3, payload = self.aws.client("s3"), payloads.train_payload()
        source = payloads.upload(s3, self.work_bucket, payload, "sourcedir.tar.gz", payload.tar_gz())
        name = JobName.of(configuration.name, context)
        request = training_job.TrainingRequest(
            name=str(name),
            source_uri=source,
            run_id=context.run.run_id,
            checkpoints=context.run.root_run_id or context.run.run_id,
        )
        client = PipesSageMakerClient(
            bucket=self.work_bucket,
            prefix=TRAINING_PREFIX,
            client=self.aws.client("sagemaker"),
            s3=s3,
            logs=self.aws.client("logs"),
            poll_interval=self.poll_seconds,
            job_metadata=told,
        )
        try:
            return client.run(
                context=context,
                create_training_job_params=training_job.build(settings, configuration, request),
                extras=extras,
                earlier=name.earlier(context.instance, context.run.root_run_id),
            )
        except TrainingJobFailed as failure:
            if not failure.allow_retries:
                raise
            wait = self.retry_seconds * 2**context.retry_number
            raise dg.RetryRequested(max_retries=self.retries, seconds_to_wait=wait) from failure

    def artifact(self, uri: str) -> bytes:
        """The content of a job's model.tar.gz."""
        body: bytes = self.aws.client("s3").get_object(**_place(uri))["Body"].read()
        return body

    def artifact_bytes(self, uri: str) -> int:
        """The size of a job's model.tar.gz."""
        return int(self.aws.client("s3").head_object(**_place(uri))["ContentLength"])

    def _estimate(
        self, instance: dg.DagsterInstance, configuration: TrainingConfiguration, prices: cost.Prices, rows: int | None
    ) -> cost.Estimate:
        earlier = provenance.find_latest(instance, adapter_key(configuration.name))
        measured = cost.Measured.read(earlier.metadata, configuration) if earlier else None
        tokens = None if rows is None else cost.training_tokens(configuration, rows, measured)
        return cost.estimate(configuration, tokens, prices, measured=measured)


def _training_rows(instance: dg.DagsterInstance) -> int | None:
    """Rows of the newest snapshot's train split; None where nothing says so."""
    snapshot = provenance.find_latest(instance, SNAPSHOT)
    splits = snapshot.metadata.get("rows_by_split") if snapshot else None
    rows = splits.get("train") if isinstance(splits, Mapping) else None
    return None if rows is None else int(rows)


def _in_words(expected: cost.Estimate) -> str:
    return f"{'unknown' if expected.usd is None else f'{expected.usd:.2f} USD'}; {expected.basis}"


def _place(uri: str) -> dict[str, str]:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return {"Bucket": bucket, "Key": key}
