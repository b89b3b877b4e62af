"""The one typed settings object: every address, name and limit that differs between machines.

Values come from `GOVTUNE_*` environment variables; AWS addresses and credentials come from the standard AWS
variables and are read by boto3 itself. `docs/configuration.md` is written from the descriptions below.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from govtune_assets import fiscal_years
from govtune_assets.thresholds import DataThresholds, ModelThresholds
from train.config import CONFIGS

PRICES = Path(__file__).with_name("prices.yaml")

CsvTuple = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Where things are and how much of them is allowed; immutable once built."""

    model_config = SettingsConfigDict(env_prefix="GOVTUNE_", frozen=True, extra="ignore")

    region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("GOVTUNE_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="AWS region of every service.",
    )
    lake_bucket: str = Field("govtune-lake", description="Bucket of raw filings and of the governed tables.")
    work_bucket: str = Field(
        "govtune-work",
        description="Bucket of code, Pipes messages, logs, checkpoints and training artifacts.",
    )

    databricks_host: str = Field("", description="Address of the Databricks workspace, https://….")
    catalog: str = Field("govtune", description="Unity Catalog catalog that holds schemas raw, curated and ml.")
    secret_prefix: str = Field(
        "databricks/", description="Prefix of the Secrets Manager secrets that hold the service principals."
    )
    principal_loader: str = Field("", description="Application id of the loader; grants are made to it.")
    principal_curator: str = Field("", description="Application id of the curator.")
    principal_trainer: str = Field("", description="Application id of the trainer.")
    principal_registrar: str = Field("", description="Application id of the registrar.")
    principal_auditor: str = Field("", description="Application id of the auditor, who reads traces.")
    preflight_role_arn: str = Field(
        "",
        description="Role that may read the secrets of curator and trainer, to ask Unity Catalog before a job is "
        "submitted whether it may do its work; empty: jobs are submitted unasked, and refused inside.",
    )

    emr_application_id: str = Field("", description="EMR Serverless application (Spark, emr-spark-8.0.0).")
    emr_role_arn: str = Field("", description="Execution role of Spark jobs; it has no rights on tables.")
    spark_submit_parameters: str = Field(
        "--conf spark.executor.instances=2 --conf spark.executor.cores=4 --conf spark.executor.memory=14g "
        "--conf spark.driver.cores=4 --conf spark.driver.memory=14g",
        description="Sizes of the Spark job.",
    )
    spark_jars: CsvTuple = Field((), description="S3 addresses of jars that the EMR release lacks.")
    spark_environment: str = Field(
        "",
        description="S3 address of the packed Python environment of Spark jobs, as `govtune package` prints it; empty: "
        "the interpreter that the platform gives them, as on the local cloud.",
    )
    spark_timeout_minutes: int = Field(120, ge=1, description="Execution timeout of a Spark job.")

    sagemaker_role_arn: str = Field("", description="Execution role of training jobs; no rights on tables.")
    training_image: str = Field("", description="Training container; empty: the release pinned in the code.")
    training_configuration_folder: Path = Field(
        CONFIGS, description="Folder of training configurations, one YAML file each."
    )
    base_model_uris: dict[str, str] = Field(
        {},
        description="JSON object: configuration name to the S3 folder of its base weights; others come from the hub.",
    )
    kms_key_arn: str = Field(
        "",
        description="KMS key of training volumes and artifacts. An instance type with local disks has them in the "
        "place of a volume: its hardware encrypts them with keys of its own, and takes none.",
    )
    subnets: CsvTuple = Field((), description="Private subnets of training jobs; with GOVTUNE_SECURITY_GROUPS.")
    security_groups: CsvTuple = Field((), description="Security groups of training jobs; with GOVTUNE_SUBNETS.")
    training_configurations: CsvTuple = Field(
        (), description="Names in train/configs/ to build assets for; empty: all that are enabled."
    )
    training_budget_usd: float | None = Field(
        None,
        ge=0,
        description="Most that a training job may be expected to cost, USD; one that may cost more, or whose price is "
        "unknown, is refused before anything is started. Empty: no limit.",
    )
    training_retries: int = Field(
        2,
        ge=0,
        le=10,
        description="How often a training job is started again where that can help: no capacity, spot capacity that "
        "did not come in time, a failure of SageMaker. Each goes on from the last checkpoint.",
    )
    prices: Path = Field(
        PRICES, description="Price file of SageMaker instances; copy the shipped one and put in your own prices."
    )

    tracking_uri: str = Field(
        "",
        description="Where trainings are recorded as MLflow runs: `databricks` for the workspace's own tracking "
        "server, the http(s) address of another one, or empty for nowhere.",
    )
    tracking_folder: str = Field(
        "/Shared",
        description="Workspace folder of the experiments, where the trainer may make and edit them; used with "
        "GOVTUNE_TRACKING_URI=databricks only.",
    )

    audit_trail: str = Field(
        "",
        description="S3 folder of the trail that logs data events of the lake: s3://BUCKET/AWSLogs/ACCOUNT/CloudTrail.",
    )
    audit_catalog: str = Field(
        "",
        description="S3 folder of the workspace's delivered audit log: s3://BUCKET/PREFIX/workspaceId=ID.",
    )
    audit_hours: float = Field(24.0, gt=0, description="How far back the check every_read_was_granted looks, in hours.")
    audit_delay_hours: float = Field(
        2.0,
        ge=0,
        description="How late either log may be, in hours: CloudTrail delivers within minutes, Databricks within the "
        "hour. What is not delivered or explained after it fails the check every_read_was_granted.",
    )
    storage_role_arn: str = Field(
        "",
        description="Role of the storage credential, whose sessions the catalog vends. Set it where the catalog's "
        "audit log names no access keys: a read by the role then passes where an event vended its table or path at "
        "that time, whoever asked, and no session of another role passes on a job's own word.",
    )

    edgar_www_url: str = Field("https://www.sec.gov", description="Address of EDGAR's archives.")
    edgar_data_url: str = Field("https://data.sec.gov", description="Address of EDGAR's submissions API.")
    edgar_user_agent: str = Field("", description="Name and e-mail address declared to the SEC (required).")
    edgar_requests_per_second: float = Field(
        8.0, gt=0, description="The SEC allows 10 at most; more is accepted for replicas on loopback only."
    )
    edgar_pause_seconds: float = Field(600.0, ge=0, description="Pause after a refusal page of the SEC.")
    edgar_cache: Path = Field(Path(".govtune/edgar/cache"), description="Folder of fetched documents.")
    universe: CsvTuple = Field(
        ("sp500",),
        description="Companies: sp500 (members in the fiscal year), sp500@DATE, sp500@FROM..TO, served (all that the "
        "source lists), file:PATH, tickers, CIKs, with commas between them.",
    )
    include_amendments: bool = Field(
        False, description="Whether 10-K/A and 10-Q/A are collected too, as rows beside those that they amend."
    )

    snapshot_years: CsvTuple = Field(
        (), description="Fiscal years that the training snapshot takes; empty: the materialized ones."
    )
    minimum_coverage: float = Field(
        0.98, ge=0, le=1, description="Least share of the 10-Ks listed for a fiscal year that must be extracted."
    )
    data_thresholds: DataThresholds = Field(
        DataThresholds(), description="JSON object of the thresholds below that differ from their defaults."
    )
    model_thresholds: ModelThresholds = Field(
        ModelThresholds(), description="JSON object of the thresholds of models below that differ from their defaults."
    )
    dataset_description: str = Field(
        "Risk factors of 10-K and 10-Q filings as instruction examples; every label is the issuer's own.",
        description="What the training data is, in words: it stands in each version's manifest.",
    )
    benchmark_filings: CsvTuple = Field(
        (),
        description="Accession numbers of filings that must never train, beside those of spark/benchmark_filings.txt.",
    )
    pii_detector: Literal["presidio", "presidio+comprehend"] = Field(
        "presidio",
        description="What looks for personal data in training text: the project's recognisers, or Amazon Comprehend "
        "beside them (it also takes names in prose and companies' addresses, and bills each request).",
    )
    openlineage_url: str = Field(
        "",
        description="Where Spark jobs send OpenLineage events: an http(s) address, or file:///PATH on the driver's "
        "machine; empty: nowhere.",
    )
    poll_seconds: float = Field(5.0, gt=0, description="Pause between two looks at a running job.")

    @field_validator(
        "spark_jars",
        "subnets",
        "security_groups",
        "training_configurations",
        "universe",
        "snapshot_years",
        "benchmark_filings",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("universe")
    @classmethod
    def _empty_is_unset(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return value or ("sp500",)

    @field_validator("lake_bucket", "work_bucket")
    @classmethod
    def _bucket_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
            raise ValueError(f"{value!r} is not an S3 bucket name")
        return value

    @field_validator("tracking_uri")
    @classmethod
    def _tracking_address(cls, value: str) -> str:
        # Others than the workspace are given no secret, but a job's numbers still go nowhere in the clear.
        local = re.fullmatch(r"http://(127\.0\.0\.1|localhost)(:\d+)?/?", value)
        if value not in {"", "databricks"} and not local and not re.fullmatch(r"https://[\w.:-]+(/[\w./-]*)?", value):
            raise ValueError(f"{value!r} is neither `databricks` nor an https address (http on loopback only)")
        return value.rstrip("/")

    @field_validator("tracking_folder")
    @classmethod
    def _workspace_folder(cls, value: str) -> str:
        if not re.fullmatch(r"(/[^/\x00-\x1f]+)+/?", value):
            raise ValueError(f"{value!r} is no workspace folder such as /Shared")
        return value

    @field_validator("catalog")
    @classmethod
    def _catalog_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_]{1,255}", value):
            raise ValueError(f"{value!r} is not a plain catalog name (letters, digits, underscores)")
        return value

    @model_validator(mode="after")
    def _known_years(self) -> Self:
        unknown = set(self.snapshot_years) - set(fiscal_years.KEYS)
        if unknown:
            raise ValueError(f"GOVTUNE_SNAPSHOT_YEARS names unknown fiscal years: {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _whole_network(self) -> Self:
        given, lacking = ("GOVTUNE_SUBNETS", "GOVTUNE_SECURITY_GROUPS")[:: 1 if self.subnets else -1]
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError(
                f"GOVTUNE_SUBNETS and GOVTUNE_SECURITY_GROUPS go together: set {lacking} too, or neither. With "
                f"{given} alone training jobs would run outside your network."
            )
        return self

    def required(self, field: str) -> str:
        """The value of a field without which a stage cannot run.

        Raises:
            ValueError: the field is empty; the message names its environment variable.
        """
        value = getattr(self, field)
        if not value:
            raise ValueError(
                f"GOVTUNE_{field.upper()} is not set: {type(self).model_fields[field].description} "
                "Set it (docs/configuration.md), or run `make up`, which sets it for the local cloud."
            )
        return str(value)
