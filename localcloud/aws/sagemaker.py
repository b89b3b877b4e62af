"""SageMaker whose CreateTrainingJob really runs the training container's contract, as the job's execution role.

moto's backend and response classes are extended; `container.py` holds the contract, `training.py` a job's life.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import get_service_model
from moto.sagemaker import models, responses, urls
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError

from localcloud.aws.constraints import violations
from localcloud.aws.platform import Platform
from localcloud.aws.plays import INTERRUPT_TAG, Plays
from localcloud.aws.training import Runner, TrainingJob

LOCAL_STORAGE = re.compile(r"^ml\.(?:g[4-6]|p3dn|p[4-6]|[cmr]\d+[a-z]*d)")
"""Instance types with instance store volumes, by EC2's pages of instance types."""


class LocalSageMakerBackend(models.SageMakerModelBackend):  # type: ignore[misc]
    """Training jobs that run. What runs is kept apart from what is saved."""

    runner: ClassVar[Runner]
    _url_module = urls

    def create_training_job(self, request: dict[str, Any]) -> str:
        """CreateTrainingJob: check the request, note the job and start it; returns its ARN."""
        name = request["TrainingJobName"]
        arn = f"arn:aws:sagemaker:{self.region_name}:{self.account_id}:training-job/{name.lower()}"
        if name in self.training_jobs:
            raise ResourceInUseException(
                message="Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({arn})"
            )
        _check(request)
        job = TrainingJob(request, arn, self.region_name)
        self.training_jobs[name] = job
        self.runner.start(job)
        return arn

    def describe_training_job(self, training_job_name: str) -> dict[str, Any]:
        """DescribeTrainingJob, in the service's words where there is no such job."""
        return self._job(training_job_name).response_object

    def stop_training_job(self, name: str) -> None:
        """StopTrainingJob: SIGTERM now, SIGKILL 120 seconds later."""
        job = self._job(name)
        if job.training_job_status != "InProgress":
            raise ValidationError(
                message=f"The request was rejected because the training job is in status {job.training_job_status}."
            )
        self.runner.stop(job)

    def _job(self, name: str) -> TrainingJob:
        job: TrainingJob | None = self.training_jobs.get(name)
        if job is None:
            raise ValidationError(message="Requested resource not found.")
        return job


def _check(request: dict[str, Any]) -> None:
    """Refuse what the service refuses before a job exists."""
    shape = get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
    problems = list(violations(shape, request))
    stopping, tags = request["StoppingCondition"], request.get("Tags") or []
    if len({tag["Key"] for tag in tags}) < len(tags):
        problems.append("Tags: a key stands there twice")
    if Plays.of(tags).interrupt_at and not request.get("EnableManagedSpotTraining"):
        problems.append(f"tag {INTERRUPT_TAG}: only spot instances are interrupted; set EnableManagedSpotTraining")
    if request.get("EnableManagedSpotTraining") and stopping.get("MaxWaitTimeInSeconds", 0) < stopping.get(
        "MaxRuntimeInSeconds", 0
    ):
        problems.append(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if request["ResourceConfig"].get("InstanceCount", 1) != 1:
        problems.append("the local SageMaker trains on one instance; InstanceCount must be 1")
    if request["ResourceConfig"].get("VolumeKmsKeyId") and LOCAL_STORAGE.match(
        request["ResourceConfig"].get("InstanceType", "")
    ):
        problems.append(
            "ResourceConfig.VolumeKmsKeyId: you can't request one when using an instance type with local storage"
        )
    for channel in request.get("InputDataConfig") or []:
        if (channel.get("InputMode") or "File") != "File" or "S3DataSource" not in channel["DataSource"]:
            problems.append(f"channel {channel['ChannelName']}: the local SageMaker has InputMode File from S3 only")
    if problems:
        raise ValidationError(message="; ".join(problems))


class LocalSageMakerResponse(responses.SageMakerResponse):  # type: ignore[misc]
    """SageMaker answers for training jobs."""

    def create_training_job(self) -> Any:
        """CreateTrainingJob."""
        arn = self.sagemaker_backend.create_training_job(dict(self._get_params()))
        return ActionResult({"TrainingJobArn": arn})

    def stop_training_job(self) -> Any:
        """StopTrainingJob."""
        self.sagemaker_backend.stop_training_job(self._get_param("TrainingJobName"))
        return EmptyResult()


def install(platform: Platform) -> None:
    """Put the extended classes in the places where moto looks for its own."""
    LocalSageMakerBackend.runner = Runner(platform)
    models.sagemaker_backends.backend = LocalSageMakerBackend
    urls.url_paths = dict.fromkeys(urls.url_paths, LocalSageMakerResponse.dispatch)


def fail_interrupted(account: str) -> None:
    """Jobs that were alive when the last server ended are failures now."""
    for backend in list(models.sagemaker_backends[account].values()):
        for job in backend.training_jobs.values():
            if job.training_job_status in ("InProgress", "Stopping"):
                job.fail("InternalServerError: the service was interrupted while the job ran")
