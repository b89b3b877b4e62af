"""External metadata, and the edges between it and objects of the catalog."""

from __future__ import annotations

import pytest
from contract_report import Area, Client, contract
from contract_subject import Capability, Subject
from contract_world import World, fresh, refused
from databricks.sdk.service import catalog as uc

pytestmark = pytest.mark.integration

NEEDED = (Capability.METADATA, Capability.EXTERNAL_LINEAGE)
GRANTED = (*NEEDED, Capability.PRINCIPALS, Capability.PERMISSIONS)


def job(world: World, name: str | None = None) -> uc.ExternalMetadata:
    """External metadata of a job run."""
    return world.admin.external_metadata.create_external_metadata(
        uc.ExternalMetadata(
            name=name or f"{world.catalog}-{fresh('run')}",
            system_type=uc.SystemType.OTHER,
            entity_type="SageMaker training job",
            description="first",
            properties={"run": "1"},
            columns=["loss"],
        )
    )


def of_table(table: uc.TableInfo) -> uc.ExternalLineageObject:
    """A table as one end of an edge."""
    return uc.ExternalLineageObject(table=uc.ExternalLineageTable(name=str(table.full_name)))


def of_job(made: uc.ExternalMetadata) -> uc.ExternalLineageObject:
    """External metadata as one end of an edge."""
    return uc.ExternalLineageObject(external_metadata=uc.ExternalLineageExternalMetadata(name=made.name))


@contract(Area.LINEAGE, Client.SDK, Capability.METADATA)
def test_external_metadata_lives(world: World) -> None:
    api, made = world.admin.external_metadata, job(world)
    try:
        assert (made.description, made.properties, made.columns) == ("first", {"run": "1"}, ["loss"])
        with refused("ALREADY_EXISTS"):
            job(world, made.name)
        made.description = "second"
        assert api.update_external_metadata(made.name, made, "description").description == "second"
        assert made.name in {entry.name for entry in api.list_external_metadata(page_size=1)}
    finally:
        api.delete_external_metadata(made.name)
    with refused("EXTERNAL_METADATA_DOES_NOT_EXIST"):
        api.get_external_metadata(made.name)


@contract(Area.LINEAGE, Client.SDK, *NEEDED, Capability.MAKE_VERSIONS)
def test_edges_from_a_table_over_a_job_to_a_model(world: World) -> None:
    api, table, made, model = world.admin.external_lineage, world.table(), job(world), str(world.model().full_name)
    version = uc.ExternalLineageModelVersion(name=model, version=str(world.version(model)))
    target = uc.ExternalLineageObject(model_version=version)
    for source, end in ((of_table(table), of_job(made)), (of_job(made), target)):
        edge = uc.CreateRequestExternalLineage(source=source, target=end, properties={"run": "1"})
        assert api.create_external_lineage_relationship(edge).properties == {"run": "1"}
        with refused("ALREADY_EXISTS"):
            api.create_external_lineage_relationship(edge)
    (up,) = api.list_external_lineage_relationships(of_job(made), uc.LineageDirection.UPSTREAM)
    assert up.table_info is not None
    assert (up.table_info.catalog_name, up.table_info.name) == (world.catalog, table.name)
    (down,) = api.list_external_lineage_relationships(of_job(made), uc.LineageDirection.DOWNSTREAM)
    assert down.model_info is not None
    assert (down.model_info.model_name, down.model_info.version) == (model, 1)
    (back,) = api.list_external_lineage_relationships(target, uc.LineageDirection.UPSTREAM)
    assert back.external_metadata_info is not None
    assert back.external_metadata_info.name == made.name
    changed = uc.UpdateRequestExternalLineage(source=of_job(made), target=target, properties={"run": "2"})
    assert api.update_external_lineage_relationship(changed, "properties").properties == {"run": "2"}
    api.delete_external_lineage_relationship(uc.DeleteRequestExternalLineage(source=of_job(made), target=target))
    assert list(api.list_external_lineage_relationships(target, uc.LineageDirection.UPSTREAM)) == []
    world.admin.external_metadata.delete_external_metadata(made.name)
    assert list(api.list_external_lineage_relationships(of_table(table), uc.LineageDirection.DOWNSTREAM)) == []


@contract(Area.LINEAGE, Client.SDK, *GRANTED)
def test_an_edge_needs_both_its_ends(subject: Subject, world: World) -> None:
    who, table, made = world.reader(), world.table(), job(world)
    api = subject.client(who)
    edge = uc.CreateRequestExternalLineage(source=of_table(table), target=of_job(made))
    for kind, name, privilege in (
        ("table", str(table.full_name), "SELECT"),
        ("external_metadata", made.name, "MODIFY"),
    ):
        with refused("PERMISSION_DENIED", "EXTERNAL_METADATA_DOES_NOT_EXIST", "TABLE_DOES_NOT_EXIST"):
            api.external_lineage.create_external_lineage_relationship(edge)
        world.grant(kind, name, who, privilege)
    assert api.external_lineage.create_external_lineage_relationship(edge).id
    with refused("PERMISSION_DENIED"):
        api.external_metadata.create_external_metadata(
            uc.ExternalMetadata(name=fresh("run"), system_type=uc.SystemType.OTHER, entity_type="job")
        )
    world.admin.external_metadata.delete_external_metadata(made.name)


@contract(Area.LINEAGE, Client.SDK, *NEEDED)
def test_edges_that_make_no_sense_are_refused(world: World) -> None:
    api, table, other = world.admin.external_lineage, world.table(), world.table()
    made = job(world)
    with refused("INVALID_PARAMETER_VALUE"):
        api.create_external_lineage_relationship(
            uc.CreateRequestExternalLineage(source=of_table(table), target=of_table(other))
        )
    with refused("INVALID_PARAMETER_VALUE"):
        api.create_external_lineage_relationship(
            uc.CreateRequestExternalLineage(source=of_job(made), target=of_job(made))
        )
    absent = uc.ExternalLineageObject(table=uc.ExternalLineageTable(name=f"{world.schema}.{fresh()}"))
    with refused("TABLE_DOES_NOT_EXIST"):
        api.create_external_lineage_relationship(uc.CreateRequestExternalLineage(source=absent, target=of_job(made)))
    world.admin.external_metadata.delete_external_metadata(made.name)
