"""Names that the seeded cloud and the product's settings share."""

ACCOUNT = "123456789012"
REGION = "us-east-1"

# The `Name` of the templates in infra/, which make what the names below stand for.
PREFIX = "govtune"
LAKE_BUCKET = f"{PREFIX}-lake"
WORK_BUCKET = f"{PREFIX}-work"
MODELS_BUCKET = f"{PREFIX}-models"
AUDIT_BUCKET = f"{PREFIX}-audit"
CATALOG_AUDIT_PREFIX = "databricks"
AUDIT_TRAIL = f"s3://{AUDIT_BUCKET}/AWSLogs/{ACCOUNT}/CloudTrail"
AUDIT_CATALOG = f"s3://{AUDIT_BUCKET}/{CATALOG_AUDIT_PREFIX}/workspaceId=1"

# What stands for the artifact store of Databricks' tracking server, which is no part of `infra/` either.
TRACKING_BUCKET = f"{PREFIX}-mlflow"
TRACKING_USER = "mlflow"

DAGSTER_USER = "govtune-dagster"
CATALOG_USER = "unity-catalog"
EMR_ROLE = "govtune-emr"
SAGEMAKER_ROLE = "govtune-sagemaker"
CATALOG_ROLE = "govtune-unity-catalog"
PREFLIGHT_ROLE = "govtune-preflight"

EMR_RELEASE = "emr-spark-8.0.0"
# A training job must name where in a network it runs; here it is a process of this machine, so nothing stands
# behind these ids but their shape.
SUBNETS = ("subnet-0000000000000000a",)
SECURITY_GROUPS = ("sg-0000000000000000a",)

CATALOG = "govtune"
STORAGE_CREDENTIAL = "govtune"
SCHEMAS = {
    "raw": "Filings as they were parsed, one row each.",
    "curated": "Training examples, each with its span in a filing.",
    "ml": "Registered models, and the evaluations of their adapters.",
}
CATALOG_STORAGE = f"s3://{MODELS_BUCKET}/govtune"
EXTERNAL_LOCATIONS = {
    "govtune_models": CATALOG_STORAGE,
    "govtune_raw_json": f"s3://{LAKE_BUCKET}/raw/risk_factors",
    "govtune_raw_delta": f"s3://{LAKE_BUCKET}/raw/delta",
    "govtune_curated_delta": f"s3://{LAKE_BUCKET}/curated/delta",
    "govtune_ml_delta": f"s3://{LAKE_BUCKET}/ml/delta",
}
PRINCIPALS = ("loader", "curator", "trainer", "registrar", "auditor")

BASE_MODEL = "smollm2-135m"
BASE_MODEL_PREFIX = f"models/{BASE_MODEL}/"


def display_name(principal: str) -> str:
    """Name of a service principal in the workspace."""
    return f"{PREFIX}-{principal}"


def secret_name(principal: str) -> str:
    """Secrets Manager name of a service principal's client id and secret."""
    return f"databricks/{principal}"


def role_arn(role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{role}"


def user_arn(user: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"
