"""The training container's contract: the files under /opt/ml, the SM_* variables, the command to run.

Sources: "How Amazon SageMaker AI provides training information"
(https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html) and
ENVIRONMENT_VARIABLES.md of the SageMaker Training Toolkit, which sets SM_* in the framework containers. Locally
/opt/ml is a private folder, named by SAGEMAKER_BASE_DIR and the SM_* variables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.aws.staging import StagingError, download_object, download_prefix, extract_source

HOST = "algo-1"
NETWORK_INTERFACE = "lo"
_PRIVATE_HYPERPARAMETERS = "sagemaker_"


@dataclass(frozen=True)
class OptMl:
    """The folder that stands for /opt/ml."""

    base: Path

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    @property
    def data(self) -> Path:
        return self.base / "input" / "data"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def output_data(self) -> Path:
        return self.output / "data"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    @property
    def code(self) -> Path:
        return self.base / "code"

    def create(self) -> None:
        """Make every folder of the contract."""
        for folder in (self.config, self.data, self.model, self.output_data, self.checkpoints, self.code):
            folder.mkdir(parents=True)

    def failure(self) -> str:
        """What the job wrote about its failure, or ""."""
        path = self.output / "failure"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def decoded(value: str) -> Any:
    """A hyperparameter's value: JSON where it is JSON, else the text, as the toolkit reads it."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def write_configuration(ml: OptMl, request: Mapping[str, Any]) -> None:
    """The three files of /opt/ml/input/config."""
    files = {
        "hyperparameters.json": request.get("HyperParameters") or {},
        "inputdataconfig.json": _input_data_config(request),
        "resourceconfig.json": _resource_config(request),
    }
    for name, content in files.items():
        (ml.config / name).write_text(json.dumps(content), encoding="utf-8")


def _input_data_config(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode") or "File",
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get("S3DataDistributionType")
            or "FullyReplicated",
            "RecordWrapperType": channel.get("RecordWrapperType") or "None",
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in request.get("InputDataConfig") or []
    }


def _resource_config(request: Mapping[str, Any]) -> dict[str, Any]:
    instance = request["ResourceConfig"].get("InstanceType", "")
    return {
        "current_host": HOST,
        "current_instance_type": instance,
        "current_group_name": "homogeneousCluster",
        "hosts": [HOST],
        "instance_groups": [{"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": [HOST]}],
        "network_interface_name": NETWORK_INTERFACE,
    }


def download_channels(ml: OptMl, request: Mapping[str, Any], s3: Any) -> None:
    """Bring every input channel into place. Raises StagingError for a channel without objects."""
    for channel in request.get("InputDataConfig") or []:
        folder = ml.data / channel["ChannelName"]
        folder.mkdir()
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        if download_prefix(s3, uri, folder) == 0:
            raise StagingError(
                f'No S3 objects found under S3 URL "{uri}" given in input data source. '
                "Please ensure that the bucket exists and the role has permission."
            )


def command(ml: OptMl, request: Mapping[str, Any], python: Path, s3: Any) -> list[str]:
    """What the container runs: its own entry point, or in script mode the submitted program.

    Script mode brings and unpacks the submit directory. Raises StagingError when either is missing.
    """
    algorithm = request["AlgorithmSpecification"]
    if entry := algorithm.get("ContainerEntrypoint"):
        given = [*entry, *(algorithm.get("ContainerArguments") or [])]
        return [str(python) if one in ("python", "python3") else one for one in given]
    parameters = {name: decoded(value) for name, value in (request.get("HyperParameters") or {}).items()}
    program, source = parameters.get("sagemaker_program"), parameters.get("sagemaker_submit_directory")
    if not isinstance(program, str) or not isinstance(source, str):
        raise StagingError("script mode needs the hyperparameters sagemaker_program and sagemaker_submit_directory")
    extract_source(download_object(s3, source, ml.base), ml.code)
    entry_file = (ml.code / program).resolve()
    if not entry_file.is_relative_to(ml.code.resolve()) or not entry_file.is_file():
        raise StagingError(f"sagemaker_program {program!r} is not in {source}")
    return [str(python), str(entry_file), *user_arguments(parameters)]


def user_arguments(parameters: Mapping[str, Any]) -> list[str]:
    """The script's hyperparameters as `--name value`, in the order of their names."""
    arguments: list[str] = []
    for name, value in sorted(parameters.items()):
        if not name.startswith(_PRIVATE_HYPERPARAMETERS):
            arguments += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return arguments


def environment(ml: OptMl, request: Mapping[str, Any], name: str, arn: str, region: str, cpus: int) -> dict[str, str]:
    """The variables that the service and the toolkit set. GPUs are 0: the platform is this machine's processors."""
    parameters = {key: decoded(value) for key, value in (request.get("HyperParameters") or {}).items()}
    own = {key: value for key, value in parameters.items() if not key.startswith(_PRIVATE_HYPERPARAMETERS)}
    channels = sorted(channel["ChannelName"] for channel in request.get("InputDataConfig") or [])
    program = str(parameters.get("sagemaker_program", ""))
    variables: dict[str, Any] = {
        "SM_MODEL_DIR": ml.model,
        "SM_INPUT_DIR": ml.base / "input",
        "SM_INPUT_CONFIG_DIR": ml.config,
        "SM_OUTPUT_DIR": ml.output,
        "SM_OUTPUT_DATA_DIR": ml.output_data,
        "SM_OUTPUT_INTERMEDIATE_DIR": ml.output / "intermediate",
        "SM_CHANNELS": channels,
        "SM_HPS": own,
        "SM_USER_ARGS": user_arguments(parameters),
        "SM_USER_ENTRY_POINT": program,
        "SM_MODULE_NAME": Path(program).stem,
        "SM_MODULE_DIR": parameters.get("sagemaker_submit_directory", ""),
        "SM_HOSTS": [HOST],
        "SM_CURRENT_HOST": HOST,
        "SM_NUM_CPUS": cpus,
        "SM_NUM_GPUS": 0,
        "SM_NUM_NEURONS": 0,
        "SM_CURRENT_INSTANCE_TYPE": request["ResourceConfig"].get("InstanceType", ""),
        "SM_NETWORK_INTERFACE_NAME": NETWORK_INTERFACE,
        "SM_RESOURCE_CONFIG": _resource_config(request),
        "SM_INPUT_DATA_CONFIG": _input_data_config(request),
        "SM_LOG_LEVEL": 20,
        "SM_FRAMEWORK_PARAMS": {key: value for key, value in parameters.items() if key not in own},
    }
    variables |= {f"SM_CHANNEL_{channel.upper()}": ml.data / channel for channel in channels}
    variables |= {f"SM_HP_{key.upper()}": value for key, value in own.items()}
    variables["SM_TRAINING_ENV"] = {
        "channel_input_dirs": {channel: str(ml.data / channel) for channel in channels},
        "current_host": HOST,
        "hosts": [HOST],
        "hyperparameters": own,
        "job_name": name,
        "model_dir": str(ml.model),
        "output_data_dir": str(ml.output_data),
        "user_entry_point": program,
    }
    return {key: _as_variable(value) for key, value in variables.items()} | {
        "SAGEMAKER_BASE_DIR": str(ml.base),
        "SAGEMAKER_JOB_NAME": name,
        "SAGEMAKER_REGION": region,
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": arn,
        "PYTHONPATH": str(ml.code),
        "PYTHONUNBUFFERED": "1",
    }


def _as_variable(value: Any) -> str:
    if isinstance(value, str | Path):
        return str(value)
    return json.dumps(value)
