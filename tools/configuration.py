"""Writes docs/configuration.md from the settings' own descriptions: `python -m tools.configuration`."""

import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from govtune_assets.settings import Settings
from govtune_assets.thresholds import DataThresholds, ModelThresholds
from tools import training_schema

TARGET = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """# Configuration

One typed object, `govtune_assets/settings.py`, holds every setting; each is an environment variable. Lists are
separated by commas. This page is written from it: `python -m tools.configuration`.

AWS addresses and credentials are read by boto3 itself: `AWS_PROFILE`, `AWS_CONFIG_FILE`,
`AWS_SHARED_CREDENTIALS_FILE`, `AWS_ENDPOINT_URL`, or the role of the machine. No secret is a setting: the service
principals' client ids and secrets are JSON objects `{"client_id": …, "client_secret": …}` in AWS Secrets Manager.

| variable | default | what it is |
|---|---|---|
"""

THRESHOLDS = """
## Thresholds of the data

`GOVTUNE_DATA_THRESHOLDS` is a JSON object such as `{"examples_style": 500}`; what it does not name keeps its default.
Where the defaults come from: [data gates](decisions/data-gates.md). `make up` and `make demo` set lower ones for the
fictional companies, which give some hundreds of examples only: a model trained on so few is a demonstration.

| threshold | default | what it is |
|---|---|---|
"""

MODELS = """
## Thresholds of the models

`GOVTUNE_MODEL_THRESHOLDS` is such an object too. Where the defaults come from: [model gates](decisions/model-gates.md).
`make up` and `make demo` set lower ones for the fictional companies.

| threshold | default | what it is |
|---|---|---|
"""

TAIL = """
## One machine

`make up` and `make demo` write these variables into `settings.env` in the state folder (mode 0600) and set them for
Dagster. Their own options:

| variable | default | what it is |
|---|---|---|
| `GOVTUNE_STATE` | `.govtune` | folder of the local cloud's state |
| `GOVTUNE_AWS_PORT` | 4570 | port of the local AWS |
| `GOVTUNE_DATABRICKS_PORT` | 4571 | port of the local Databricks workspace |
| `GOVTUNE_EDGAR_PORT` | 4572 | port of the EDGAR replica |
| `GOVTUNE_MLFLOW_PORT` | 4573 | port of MLflow's tracking server |
| `GOVTUNE_DAGSTER_PORT` | 3000 | port of the Dagster UI |

`make demo EDGAR=sample` serves the project's fictional companies, `EDGAR=<folder>` any folder in EDGAR's layout,
`EDGAR=live CONTACT='Name name@example.com'` the SEC itself. Without `EDGAR` a state keeps the source that it was made
from; a new one starts with the fictional companies. Sizes and choices that you set in your environment win over the
local cloud's.

Commands typed by hand (`govtune trace …`, `govtune promote …`) read that file by themselves, from `.govtune/` or where
`GOVTUNE_SETTINGS_FILE` says, unless the shell points at a workspace already.

## Production

Set at least: `GOVTUNE_DATABRICKS_HOST`, `GOVTUNE_CATALOG`, `GOVTUNE_LAKE_BUCKET`, `GOVTUNE_WORK_BUCKET`,
`GOVTUNE_EMR_APPLICATION_ID`, `GOVTUNE_EMR_ROLE_ARN`, `GOVTUNE_SAGEMAKER_ROLE_ARN`, `GOVTUNE_KMS_KEY_ARN`,
`GOVTUNE_SUBNETS`, `GOVTUNE_SECURITY_GROUPS`, `GOVTUNE_EDGAR_USER_AGENT`, the five `GOVTUNE_PRINCIPAL_*`,
`GOVTUNE_PREFLIGHT_ROLE_ARN`, and `GOVTUNE_SPARK_JARS` with the S3 addresses of the Unity Catalog jars, which the EMR
release lacks. Then
`govtune access plan` shows how the catalog's grants differ from the declared ones (exit status 2 where they do), and
`govtune access apply` grants what is missing; with `--revoke` it takes away what is too much.
Choose `GOVTUNE_TRAINING_CONFIGURATIONS=ministral-3-3b` for `mistralai/Ministral-3-3B-Instruct-2512`.
"""


def render() -> str:
    """The whole page."""
    rows = [
        f"| `GOVTUNE_{name.upper()}` | {_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    parts = [
        HEAD + _lines(rows),
        THRESHOLDS + _lines(_thresholds(DataThresholds)),
        MODELS + _lines(_thresholds(ModelThresholds)),
        training_schema.render(),
        TAIL,
    ]
    return "".join(parts)


def _lines(rows: list[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def _thresholds(kind: type[DataThresholds | ModelThresholds]) -> list[str]:
    return [
        f"| `{name}` | {_default(field.default)} | {field.description} |" for name, field in kind.model_fields.items()
    ]


def _default(value: object) -> str:
    if value is PydanticUndefined or value in ("", (), {}, None):
        return ""
    if isinstance(value, DataThresholds | ModelThresholds):
        return "see below"
    if isinstance(value, Path) and value.is_absolute():
        return f"`{value.relative_to(TARGET.parent.parent)}`"
    return f"`{value}`"


def main() -> int:
    """Write the page."""
    TARGET.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
