"""The factory of training assets: for each configuration a LoRA adapter and a registered model."""

import io
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from govtune_assets import evaluations, gates, lineage, markdown, model_report, payloads, provenance, tracking
from govtune_assets.access.preflight import require_access
from govtune_assets.assets.common import (
    OWNERS,
    access_table,
    as_dict,
    as_list,
    code_references,
    column_schema,
    job_report,
    training_group,
)
from govtune_assets.assets.evaluations import materialization
from govtune_assets.keys import (
    DATASET_VERSIONS,
    EVALUATIONS,
    SNAPSHOT,
    adapter_key,
    model_key,
    model_name,
    table_location,
    table_name,
)
from govtune_assets.model_lineage import TrainedFrom, model_chain
from govtune_assets.registry import ModelRegistry
from govtune_assets.resources.sagemaker import SageMakerResource
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from train.config import TrainingConfiguration
from train.files import folder_digest

MAXIMUM_ADAPTER_BYTES = 8 * 2**30
"""An unpacked model.tar.gz larger than this is refused: it is not an adapter."""

REGISTERING_SOURCES = tuple(f"govtune_assets/{name}.py" for name in ("registry", "lineage", "model_lineage"))

ADAPTER_FILES = [
    ("adapter_model.safetensors", "file", "Weights of the LoRA update"),
    ("adapter_config.json", "file", "Rank, scale, targets and base model (peft)"),
    ("tokenizer.json", "file", "Tokenizer of the base model"),
    ("metrics.json", "file", "Losses and ROUGE of base and tuned model"),
    ("evaluation.json", "file", "Every figure of base and tuned model and of the baselines, with intervals"),
    ("attestation.json", "file", "Data, code, configuration and environment of the training"),
]


def build_training_assets(settings: Settings, configuration: TrainingConfiguration) -> list[dg.AssetsDefinition]:
    """Adapter and registered model of one configuration."""
    return [_adapter(settings, configuration), _model(settings, configuration)]


def _adapter(settings: Settings, configuration: TrainingConfiguration) -> dg.AssetsDefinition:
    code_version = _code_version(settings, configuration)

    @dg.asset(
        key=adapter_key(configuration.name),
        deps=[SNAPSHOT],
        description=(
            f"LoRA adapter on {configuration.base_model.name}: {configuration.description} A SageMaker job reads the "
            "snapshot through Unity Catalog at one table version. It trains only on years whose gates have passed."
        ),
        group_name=training_group(configuration.name),
        kinds={"sagemaker", "huggingface", "pytorch"},
        owners=OWNERS,
        code_version=code_version,
        tags={"configuration": configuration.name},
        metadata={
            **column_schema(ADAPTER_FILES),
            **code_references("train/train.py", f"train/configs/{configuration.name}.yaml"),
            "base_model": configuration.base_model.name,
            "Base model": dg.MetadataValue.url(f"https://huggingface.co/{configuration.base_model.name}"),
        },
    )
    def lora_adapter(
        context: dg.AssetExecutionContext, sagemaker: SageMakerResource, unity_catalog: UnityCatalogResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        snapshot = provenance.latest(context.instance, SNAPSHOT)
        years = as_dict(snapshot.metadata["source_versions"])
        consumed = [
            *gates.consumed_years(years),
            gates.Consumed(gates.SNAPSHOT_GATES, data_version=snapshot.data_version),
        ]
        gates.require(context.instance, f"Training {configuration.name}", consumed)
        require_access(context, unity_catalog, settings, [configuration])
        extras = {
            "catalog_host": unity_catalog.host,
            "secret_id": unity_catalog.secret_id("trainer"),
            "table": table_name(settings, SNAPSHOT),
            "table_version": int(snapshot.metadata["delta_version"]),
            "evaluations_table": table_name(settings, EVALUATIONS),
            "evaluations_location": table_location(settings, EVALUATIONS),
            "merkle_root": snapshot.metadata["merkle_root"],
            "run_id": context.run.run_id,
            "code_version": code_version,
            "tracking": tracking.parameters(settings, configuration),
        }
        completed = sagemaker.train(context, settings, configuration, extras)
        report, version = job_report(completed)
        figures = evaluations.parse(as_list(report["evaluation"]))
        context.log_event(materialization(settings, configuration, report, version))
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": completed.metadata["model_artifact"],
                "dagster/row_count": int(report["rows_train"]),
                "dagster/size_bytes": sagemaker.artifact_bytes(
                    str(provenance.plain(completed.metadata["model_artifact"]))
                ),
                **model_report.training_tables(report, figures),
                **tracking.metadata(report),
                "Access": access_table(as_list(report["credentials"])),
                "snapshot_version": snapshot.data_version,
                "snapshot_run": snapshot.run_id,
                **_dataset_version(context.instance, snapshot),
                "source_versions": dg.MetadataValue.json(years),
                **completed.metadata,
                **report,
            },
            data_version=dg.DataVersion(version),
        )

    return lora_adapter


def _code_version(settings: Settings, configuration: TrainingConfiguration) -> str:
    """What decides an adapter beside its data: the payload's code, this configuration, image and base weights."""
    decisive = [
        payloads.train_payload().without("train/configs/").digest,
        configuration.as_parameters(),
        settings.training_image,
        settings.base_model_uris.get(configuration.name, ""),
    ]
    return provenance.digest(decisive)[:16]


def _model(settings: Settings, configuration: TrainingConfiguration) -> dg.AssetsDefinition:
    name = model_name(settings, configuration)

    @dg.asset(
        key=model_key(configuration.name),
        deps=[adapter_key(configuration.name)],
        description=(
            f"A version of {name} in Unity Catalog with the adapter's files, tags that name what it was made of, and "
            "external lineage back to the raw table. Each materialization makes a new version; the alias "
            "`champion` moves only by `govtune promote`."
        ),
        group_name=training_group(configuration.name),
        kinds={"databricks", "mlflow"},
        owners=OWNERS,
        code_version=payloads.source_digest(*REGISTERING_SOURCES),
        tags={"configuration": configuration.name},
        metadata={
            **column_schema(ADAPTER_FILES),
            **code_references("govtune_assets/registry.py", "govtune_assets/lineage.py"),
            "registered_model": name,
        },
    )
    def risk_factor_model(
        context: dg.AssetExecutionContext, sagemaker: SageMakerResource, unity_catalog: UnityCatalogResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        adapter = provenance.latest(context.instance, adapter_key(configuration.name))
        gates.require(context.instance, f"Registration of {name}", [gates.of_adapter(configuration.name, adapter)])
        require_access(context, unity_catalog, settings, [configuration])
        trained_from = TrainedFrom.read(context.instance, adapter)
        workspace = unity_catalog.workspace("registrar")
        registry = ModelRegistry(workspace, settings.region)
        registry.ensure_model(name, f"Risk factor headlines: LoRA adapters on {configuration.base_model.name}.")
        tags = _tags(configuration, trained_from, context.run.run_id)
        artifact = str(adapter.metadata["model_artifact"])
        with tempfile.TemporaryDirectory() as folder:
            size = unpack(sagemaker.artifact(artifact), Path(folder))
            refuse_changed(Path(folder), adapter)
            version, grant = registry.register(
                name,
                Path(folder),
                source=artifact,
                description=_description(adapter.metadata),
                tags=tags,
                complete=lambda made: lineage.write(workspace, model_chain(settings, trained_from, name, made.version)),
            )
        chain = model_chain(settings, trained_from, name, version.version)
        return dg.MaterializeResult(
            metadata={
                "model": name,
                "model_version": int(version.version),
                "dagster/uri": version.location,
                "dagster/size_bytes": size,
                "Model": dg.MetadataValue.url(
                    f"{unity_catalog.host}/explore/data/models/{name.replace('.', '/')}/version/{version.version}"
                ),
                "Tags": _tags_table(tags),
                "adapter_version": adapter.data_version,
                "lineage_edges": len(chain.edges),
                "lineage": dg.MetadataValue.json(lineage.as_json(chain.edges)),
                "Lineage": _lineage_table(chain),
                "Access": access_table([grant.record()]),
                "credentials": dg.MetadataValue.json([grant.record()]),
            },
            data_version=dg.DataVersion(provenance.digest({"adapter": adapter.data_version, "model": name})),
        )

    return risk_factor_model


def unpack(archive: bytes, folder: Path) -> int:
    """Unpack a job's model.tar.gz into `folder`; return the bytes unpacked.

    Only plain files inside the folder are taken (tarfile's `data` filter, PEP 706).

    Raises:
        dagster.Failure: the archive is broken, unsafe, empty or too large.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            size = sum(member.size for member in tar.getmembers())
            if not 0 < size <= MAXIMUM_ADAPTER_BYTES:
                raise dg.Failure(f"The adapter's archive unpacks to {size} bytes: it is empty or no adapter.")
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise dg.Failure(f"The adapter's archive is refused: {error}. Materialize the adapter again.") from error
    return size


def refuse_changed(folder: Path, adapter: provenance.Materialized) -> None:
    """Refuse a model folder whose files are not those that the training job reported.

    Every file counts, since every file is registered: figures and attestation can be forged as well as weights, and
    code can be added.

    Raises:
        dagster.Failure: a file was changed, added or removed, or the adapter's materialization has no digest of them.
    """
    reported, found = adapter.metadata.get("model_digest"), folder_digest(folder)
    if reported is None:
        raise dg.Failure(
            f"{adapter.key.to_user_string()} recorded no model_digest: materialize it again.", allow_retries=False
        )
    if found != reported:
        raise dg.Failure(
            f"The model folder in {adapter.metadata['model_artifact']} has the digest {found}, the training job "
            f"reported {reported}: somebody changed the artifact. Materialize the adapter again.",
            allow_retries=False,
        )


def _tags(configuration: TrainingConfiguration, trained_from: TrainedFrom, run_id: str) -> dict[str, str]:
    """What the version was made of: tables with versions, digests, runs and code."""
    return {
        "configuration": configuration.name,
        "base_model": configuration.base_model.name,
        "base_model_license": configuration.base_model.license,
        "adapter_sha256": trained_from.adapter.data_version,
        "snapshot_table_version": str(trained_from.snapshot.metadata["delta_version"]),
        "snapshot_merkle_root": str(trained_from.snapshot.metadata["merkle_root"]),
        "fiscal_years": ",".join(sorted(trained_from.examples)),
        "training_job": str(trained_from.adapter.metadata["training_job"]),
        "training_code": trained_from.adapter.code_version or "",
        "curation_code": trained_from.snapshot.code_version or "",
        "dagster_run": run_id,
    }


def _description(metadata: Mapping[str, Any]) -> str:
    return (
        f"Validation loss {float(metadata['loss_before']):.3f} -> {float(metadata['loss_after']):.3f}; "
        f"ROUGE-L {float(metadata['rouge_l_base']):.3f} -> {float(metadata['rouge_l_tuned']):.3f} on unseen companies."
    )


def _dataset_version(instance: dg.DagsterInstance, snapshot: provenance.Materialized) -> dict[str, Any]:
    """Number of the version of the training set, where the newest one is of this very content."""
    made = provenance.find_latest(instance, DATASET_VERSIONS)
    if made is None or made.metadata.get("merkle_root") != snapshot.metadata["merkle_root"]:
        return {}
    return {"dataset_version": int(made.metadata["version"])}


def _tags_table(tags: Mapping[str, str]) -> dg.MarkdownMetadataValue:
    rows = [[key, value[:24]] for key, value in sorted(tags.items())]
    return dg.MetadataValue.md(markdown.table(["tag", "value"], rows))


def _lineage_table(chain: Any) -> dg.MarkdownMetadataValue:
    rows = [[edge.source.name, edge.target.name] for edge in chain.edges]
    return dg.MetadataValue.md(markdown.table(["from", "to"], rows))
