"""The request for a SageMaker training job, built from the configuration and the settings.

Always with encryption of volume and artifacts, encryption between containers, private subnets and security groups
where they are configured. Local disks are encrypted by their hardware. Network isolation stays off: it would cut the
job off from Unity Catalog.
"""

from dataclasses import dataclass
from typing import Any

from govtune_assets.settings import Settings
from train.config import ComputeSection, TrainingConfiguration
from train.instances import has_local_storage
from train.metrics import METRIC_DEFINITIONS

PROGRAM = "train.py"
"""The payload's entry point, as SageMaker's training toolkit starts it."""

BASE_MODEL_CHANNEL = "model"


@dataclass(frozen=True)
class TrainingRequest:
    """What differs between two jobs of one configuration.

    `checkpoints` names the folder of checkpoints. It is the run that was executed first: its retries and re-executions
    go on from where it stopped. Empty: the run itself.
    """

    name: str
    source_uri: str
    run_id: str
    checkpoints: str = ""


def build(settings: Settings, configuration: TrainingConfiguration, request: TrainingRequest) -> dict[str, Any]:
    """Parameters of boto3's `create_training_job`.

    Raises:
        ValueError: the training role is not configured.
    """
    work, compute = f"s3://{settings.work_bucket}", configuration.compute
    base_model = settings.base_model_uris.get(configuration.name)
    params: dict[str, Any] = {
        "TrainingJobName": request.name,
        "RoleArn": settings.required("sagemaker_role_arn"),
        "AlgorithmSpecification": {
            "TrainingImage": settings.training_image or pinned_image(settings.region),
            "TrainingInputMode": "File",
            "MetricDefinitions": [dict(definition) for definition in METRIC_DEFINITIONS],
        },
        # The toolkit reads each value as JSON.
        "HyperParameters": {
            **configuration.as_hyperparameters(),
            "sagemaker_program": f'"{PROGRAM}"',
            "sagemaker_submit_directory": f'"{request.source_uri}"',
        },
        "OutputDataConfig": _with_key({"S3OutputPath": f"{work}/training"}, "KmsKeyId", settings),
        "ResourceConfig": _resources(compute, settings),
        "StoppingCondition": {"MaxRuntimeInSeconds": compute.max_runtime_seconds},
        "EnableManagedSpotTraining": compute.spot,
        "EnableInterContainerTrafficEncryption": True,
        "EnableNetworkIsolation": False,
        "CheckpointConfig": {
            "S3Uri": f"{work}/checkpoints/{configuration.name}/{request.checkpoints or request.run_id}/",
            "LocalPath": "/opt/ml/checkpoints",
        },
        "Environment": {"HF_HUB_OFFLINE": "1" if base_model else "0", "TOKENIZERS_PARALLELISM": "false"},
        "Tags": [
            {"Key": "govtune:configuration", "Value": configuration.name},
            {"Key": "govtune:run", "Value": request.run_id},
        ],
    }
    if compute.spot and compute.max_wait_seconds is not None:
        params["StoppingCondition"]["MaxWaitTimeInSeconds"] = compute.max_wait_seconds
    if base_model:
        params["InputDataConfig"] = [_channel(BASE_MODEL_CHANNEL, base_model)]
    if settings.subnets and settings.security_groups:
        params["VpcConfig"] = {
            "Subnets": list(settings.subnets),
            "SecurityGroupIds": list(settings.security_groups),
        }
    return params


def pinned_image(region: str) -> str:
    """Address of the Hugging Face training container that the training environment is pinned to.

    The release is published for GPU instances only; on others it runs as well, on the CPU.
    """
    from sagemaker.core import image_uris

    return str(
        image_uris.retrieve(
            "huggingface",
            region,
            version="5.3.0",
            base_framework_version="pytorch2.9.0",
            py_version="py312",
            image_scope="training",
            instance_type="ml.g6e.2xlarge",
        )
    )


def _resources(compute: ComputeSection, settings: Settings) -> dict[str, Any]:
    resources = {
        "InstanceType": compute.instance_type,
        "InstanceCount": compute.instance_count,
        "VolumeSizeInGB": compute.volume_gib,
    }
    # Local disks take the volume's place; SageMaker refuses a key for them.
    return resources if has_local_storage(compute.instance_type) else _with_key(resources, "VolumeKmsKeyId", settings)


def _with_key(section: dict[str, Any], field: str, settings: Settings) -> dict[str, Any]:
    return {**section, field: settings.kms_key_arn} if settings.kms_key_arn else section


def _channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "InputMode": "File",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }
