"""External lineage in Unity Catalog: raw table -> Spark job runs -> curated tables -> training job -> model version.

One end of each edge must be an external metadata object (external lineage API of Databricks), so jobs stand between
tables. Edges have no version field: table versions, digests and run ids are properties.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service import catalog as uc

MAXIMUM_DEPTH = 12
"""Hops that a walk upstream follows; the chain written here has six."""


@dataclass(frozen=True)
class Node:
    """An end of an edge: kind is table, job or model_version; version is that of a model version."""

    kind: str
    name: str
    version: str = ""


@dataclass(frozen=True)
class Edge:
    """Data flowed from source to target; properties say in which versions."""

    source: Node
    target: Node
    properties: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Job:
    """A job that stands in the lineage as external metadata."""

    node: Node
    system: str
    url: str
    properties: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Chain:
    """Everything that leads to one model version: the jobs and the edges between tables, jobs and the version."""

    jobs: tuple[Job, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Step:
    """One job of the chain: what it read, what it wrote, and in which versions."""

    source: Node
    job: Job
    target: Node
    read: Mapping[str, str] = field(hash=False)
    wrote: Mapping[str, str] = field(hash=False)

    def edges(self) -> tuple[Edge, Edge]:
        """The edge into the job and the edge out of it."""
        return Edge(self.source, self.job.node, self.read), Edge(self.job.node, self.target, self.wrote)


def chain(steps: Iterable[Step]) -> Chain:
    """The chain that the steps make together."""
    steps = tuple(steps)
    return Chain(jobs=tuple(step.job for step in steps), edges=tuple(edge for step in steps for edge in step.edges()))


def write(workspace: "WorkspaceClient", written: Chain) -> None:
    """Write the jobs and edges that the catalog does not hold yet.

    Raises:
        databricks.sdk.errors.PermissionDenied: the principal lacks CREATE EXTERNAL METADATA on the metastore.
    """
    from databricks.sdk.errors import ResourceConflict
    from databricks.sdk.service import catalog as uc

    for job in written.jobs:
        metadata = uc.ExternalMetadata(
            name=job.node.name,
            system_type=uc.SystemType.OTHER,
            entity_type=job.system,
            url=job.url,
            properties=dict(job.properties),
        )
        try:
            workspace.external_metadata.create_external_metadata(metadata)
        except ResourceConflict:
            continue  # another model version was trained from the same job's output
    for edge in written.edges:
        request = uc.CreateRequestExternalLineage(
            source=_object(edge.source), target=_object(edge.target), properties=dict(edge.properties)
        )
        try:
            workspace.external_lineage.create_external_lineage_relationship(request)
        except ResourceConflict:
            continue


def read_upstream(workspace: "WorkspaceClient", start: Node) -> list[Edge]:
    """Every edge that leads to `start`, nearest first."""
    from databricks.sdk.service import catalog as uc

    edges: list[Edge] = []
    seen, frontier = {start}, [start]
    for _ in range(MAXIMUM_DEPTH):
        found = []
        for node in frontier:
            listed = workspace.external_lineage.list_external_lineage_relationships(
                object_info=_object(node), lineage_direction=uc.LineageDirection.UPSTREAM
            )
            found += [_edge(item.external_lineage_info) for item in listed if item.external_lineage_info]
        edges += found
        frontier = list({edge.source for edge in found} - seen)
        seen |= set(frontier)
        if not frontier:
            break
    return edges


def missing(written: Iterable[Edge], found: Iterable[Edge]) -> list[Edge]:
    """Written edges that were not found, or were found with other properties."""
    held = {(edge.source, edge.target, _canonical(edge.properties)) for edge in found}
    return [edge for edge in written if (edge.source, edge.target, _canonical(edge.properties)) not in held]


def as_json(edges: Iterable[Edge]) -> list[dict[str, Any]]:
    """Edges as JSON values; `from_json` takes them back."""
    return [
        {"source": astuple(edge.source), "target": astuple(edge.target), "properties": dict(edge.properties)}
        for edge in edges
    ]


def from_json(values: Iterable[Mapping[str, Any]]) -> list[Edge]:
    """Edges out of `as_json`'s values."""
    return [Edge(Node(*item["source"]), Node(*item["target"]), dict(item["properties"])) for item in values]


def _canonical(properties: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(properties.items()))


def _object(node: Node) -> "uc.ExternalLineageObject":
    from databricks.sdk.service import catalog as uc

    if node.kind == "table":
        return uc.ExternalLineageObject(table=uc.ExternalLineageTable(name=node.name))
    if node.kind == "model_version":
        version = uc.ExternalLineageModelVersion(name=node.name, version=node.version)
        return uc.ExternalLineageObject(model_version=version)
    return uc.ExternalLineageObject(external_metadata=uc.ExternalLineageExternalMetadata(name=node.name))


def _edge(info: "uc.ExternalLineageRelationshipInfo") -> Edge:
    return Edge(_node(info.source), _node(info.target), dict(info.properties or {}))


def _node(item: "uc.ExternalLineageObject") -> Node:
    if item.table is not None:
        return Node("table", item.table.name or "")
    if item.model_version is not None:
        return Node("model_version", item.model_version.name or "", str(item.model_version.version or ""))
    if item.external_metadata is not None:
        return Node("job", item.external_metadata.name or "")
    return Node("path", item.path.url or "" if item.path is not None else "")
