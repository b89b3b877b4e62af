"""The settings that point the product at the local cloud: written for people and shells, read back for processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.seed import names
from localcloud.seed.credentials import CredentialFiles
from localcloud.supervisor import corpus
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import EdgarSource, Layout, Ports
from localcloud.supervisor.private import write_private

if TYPE_CHECKING:
    from localcloud.seed.aws import AwsAccount

SEC_WWW = "https://www.sec.gov"
SEC_DATA = "https://data.sec.gov"
LOCAL_CONTACT = "govtune_assets local@example.com"
# What differs from production for the size of machine and data alone: the base model that two cores can train, its
# weights, and how much data is enough.
BASE_MODEL = "smollm2-135m"
SIZES = {
    "GOVTUNE_TRAINING_CONFIGURATIONS": BASE_MODEL,
    "GOVTUNE_BASE_MODEL_URIS": json.dumps({BASE_MODEL: f"s3://{names.WORK_BUCKET}/{names.BASE_MODEL_PREFIX}"}),
    "GOVTUNE_SPARK_SUBMIT_PARAMETERS": "--conf spark.driver.memory=1g",
    "GOVTUNE_POLL_SECONDS": "0.5",
    # The fictional companies give some hundreds of examples, whose paragraphs are composed of one library of sentences:
    # enough to show each gate, too few and too alike for a model to serve.
    "GOVTUNE_DATA_THRESHOLDS": json.dumps(
        {
            "examples_style": 100,
            "examples_classification": 20,
            "largest_label_share": 0.95,
            "length_distance": 0.5,
            "shared_grams": 0.6,
            "label_drift": 0.5,
        }
    ),
    # The nearest heading of the training rows, a baseline, has a ROUGE-L of 0.51 on paragraphs of one library of
    # sentences; 48 steps on 96 rows reach 0.18, from the base model's 0.12. So that one gate is wide here: it would
    # stop this model on real data, and rightly. The other thresholds stay as they are.
    "GOVTUNE_MODEL_THRESHOLDS": json.dumps({"under_baselines": 0.4}),
}
FICTIONAL = "Risk factors of fictional companies as instruction examples; every label is the made-up issuer's own."
# Sizes and choices, for which the user's environment wins; addresses, names and identities are the local cloud's own.
USER_CHOICES = frozenset(SIZES) | {
    "GOVTUNE_UNIVERSE",
    "GOVTUNE_DATASET_DESCRIPTION",
    "GOVTUNE_BENCHMARK_FILINGS",
    "GOVTUNE_OPENLINEAGE_URL",
    "GOVTUNE_INCLUDE_AMENDMENTS",
    "GOVTUNE_MINIMUM_COVERAGE",
    "GOVTUNE_EDGAR_REQUESTS_PER_SECOND",
    "GOVTUNE_EDGAR_USER_AGENT",
}


def product_settings(
    layout: Layout,
    ports: Ports,
    edgar: EdgarSource,
    account: AwsAccount,
    principals: Mapping[str, str],
) -> dict[str, str]:
    """Environment variables of the product: AWS's own names, and `GOVTUNE_*`; no secret among them."""
    files = CredentialFiles(layout.credentials)
    live = edgar.kind == "live"
    return {
        "AWS_ENDPOINT_URL": ports.url("aws"),
        "AWS_REGION": names.REGION,
        "AWS_DEFAULT_REGION": names.REGION,
        "AWS_SHARED_CREDENTIALS_FILE": str(files.aws_profile),
        "AWS_CONFIG_FILE": str(files.aws_config),
        "AWS_EC2_METADATA_DISABLED": "true",
        "DAGSTER_HOME": str(layout.dagster_home),
        "GOVTUNE_STATE": str(layout.state),
        "GOVTUNE_LAKE_BUCKET": names.LAKE_BUCKET,
        "GOVTUNE_WORK_BUCKET": names.WORK_BUCKET,
        "GOVTUNE_AUDIT_TRAIL": names.AUDIT_TRAIL,
        "GOVTUNE_AUDIT_CATALOG": names.AUDIT_CATALOG,
        "GOVTUNE_DATABRICKS_HOST": ports.url("databricks"),
        "GOVTUNE_CATALOG": names.CATALOG,
        "GOVTUNE_TRACKING_URI": ports.url("mlflow"),
        **{f"GOVTUNE_PRINCIPAL_{name.upper()}": number for name, number in principals.items()},
        "GOVTUNE_PREFLIGHT_ROLE_ARN": names.role_arn(names.PREFLIGHT_ROLE),
        "GOVTUNE_EMR_APPLICATION_ID": account.emr_application_id,
        "GOVTUNE_EMR_ROLE_ARN": names.role_arn(names.EMR_ROLE),
        "GOVTUNE_SAGEMAKER_ROLE_ARN": names.role_arn(names.SAGEMAKER_ROLE),
        "GOVTUNE_KMS_KEY_ARN": account.key_arn,
        "GOVTUNE_SUBNETS": ",".join(names.SUBNETS),
        "GOVTUNE_SECURITY_GROUPS": ",".join(names.SECURITY_GROUPS),
        "GOVTUNE_EDGAR_WWW_URL": SEC_WWW if live else ports.url("edgar"),
        "GOVTUNE_EDGAR_DATA_URL": SEC_DATA if live else ports.url("edgar"),
        "GOVTUNE_EDGAR_USER_AGENT": edgar.contact or LOCAL_CONTACT,
        "GOVTUNE_EDGAR_CACHE": str(layout.service("edgar") / corpus.cache_name(edgar)),
        **({} if live else {"GOVTUNE_EDGAR_REQUESTS_PER_SECOND": "50"}),
        **({} if live else {"GOVTUNE_UNIVERSE": ",".join(corpus.served_companies(edgar)) or "served"}),
        # A folder of recorded filings holds some of those that its submissions files list: the rest is not missing.
        **({"GOVTUNE_MINIMUM_COVERAGE": "0"} if edgar.kind == "folder" else {}),
        **({"GOVTUNE_DATASET_DESCRIPTION": FICTIONAL} if edgar.kind == "sample" else {}),
        **SIZES,
    }


def with_user_choices(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The seeded settings, with the user's environment in place of those in USER_CHOICES; empty ones count as unset."""
    return {**settings, **{name: value for name in sorted(USER_CHOICES) if (value := environment.get(name))}}


def write_settings(path: Path, settings: Mapping[str, str]) -> None:
    """Writes `KEY=VALUE` lines.

    Raises LocalCloudError on a value with a line break or another control character, which such a file cannot hold.
    """
    for name, value in settings.items():
        if not value.isprintable():
            raise LocalCloudError(f"{name} holds a line break or a control character, which {path} cannot carry.")
    write_private(path, "".join(f"{name}={value}\n" for name, value in settings.items()))


def read_settings(path: Path) -> dict[str, str]:
    """The settings out of the file.

    Raises LocalCloudError where there is none.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise LocalCloudError(f"There is no {path}; start the local cloud first (`make up`).") from None
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
