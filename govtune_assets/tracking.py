"""Where trainings are recorded as MLflow runs: what a job is told of it, and the link to a run's page."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from govtune_assets.settings import Settings
from train.config import TrainingConfiguration
from train.tracking import DATABRICKS

_DATABRICKS_PAGE = "{host}/ml/experiments/{{experiment_id}}/runs/{{run_id}}"
_MLFLOW_PAGE = "{host}/#/experiments/{{experiment_id}}/runs/{{run_id}}"
"""Addresses of a run's page; the job fills in what is known only once the run is there."""


def parameters(settings: Settings, configuration: TrainingConfiguration) -> dict[str, str] | None:
    """The job's parameter `tracking`, or None where no tracking server is set.

    A workspace keeps experiments in folders; MLflow's own server knows no folders.
    """
    uri = settings.tracking_uri
    if not uri:
        return None
    if uri == DATABRICKS:
        experiment = f"{settings.tracking_folder.rstrip('/')}/{configuration.experiment}"
        page = _DATABRICKS_PAGE.format(host=_address(settings.required("databricks_host")))
    else:
        experiment, page = configuration.experiment, _MLFLOW_PAGE.format(host=_address(uri))
    return {"uri": uri, "experiment": experiment, "run_url_template": page}


def metadata(report: Mapping[str, Any]) -> dict[str, dg.MetadataValue[Any]]:
    """The link to the run's page for the adapter's materialization, or what kept the run from being recorded."""
    if url := report.get("mlflow_run_url"):
        return {"MLflow run": dg.MetadataValue.url(str(url))}
    if problem := report.get("mlflow_problem"):
        return {"MLflow run": dg.MetadataValue.text(f"not recorded: {problem}")}
    return {}


def _address(host: str) -> str:
    address = host if "://" in host else f"https://{host}"
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
