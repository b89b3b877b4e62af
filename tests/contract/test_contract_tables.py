"""External Delta tables: declared by each client, written and read by delta-rs with what the catalog vends."""

from __future__ import annotations

from typing import Any

import pytest
from contract_open_client import open_client
from contract_report import Area, Client, contract
from contract_subject import UC, Capability, Subject
from contract_world import ID_COLUMN, World, fresh, refused, rows
from databricks.sdk.service import catalog as uc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from unitycatalog.client import (
    ColumnInfo,
    ColumnTypeName,
    CreateTable,
    DataSourceFormat,
    GenerateTemporaryTableCredential,
    TableOperation,
    TablesApi,
    TableType,
    TemporaryCredentialsApi,
)

pytestmark = pytest.mark.integration

STORED = (Capability.STORAGE, Capability.EXTERNAL_LOCATIONS)
VENDED = (*STORED, Capability.TABLE_CREDENTIALS, Capability.PATH_CREDENTIALS)


@contract(Area.TABLES, Client.SDK)
def test_an_external_table_lives(world: World) -> None:
    made, api = world.table(), world.admin.tables
    assert made.table_id
    assert (made.table_type, made.data_source_format) == (uc.TableType.EXTERNAL, uc.DataSourceFormat.DELTA)
    assert (made.storage_location or "").rstrip("/") == world.place(str(made.name))
    found = api.get(str(made.full_name))
    (column,) = found.columns or []
    assert (column.name, column.type_name, column.comment) == ("id", uc.ColumnTypeName.LONG, "number")
    assert found.properties == {"team": "risk"}
    assert api.exists(str(made.full_name)).table_exists
    assert made.name in {entry.name for entry in api.list(world.catalog, "s")}
    with refused("ALREADY_EXISTS"):
        world.table(name=str(made.name))
    api.delete(str(made.full_name))
    assert not api.exists(str(made.full_name)).table_exists
    with refused("TABLE_DOES_NOT_EXIST"):
        api.get(str(made.full_name))


@contract(Area.TABLES, Client.HTTP)
def test_comments_and_every_column_type_come_back(subject: Subject, world: World) -> None:
    name = fresh("t")
    types = {"BOOLEAN": "boolean", "STRING": "string", "DATE": "date", "TIMESTAMP": "timestamp", "DOUBLE": "double"}
    columns = [ID_COLUMN]
    for position, (kind, text) in enumerate(types.items(), start=1):
        spark = f'{{"name":"c{position}","type":"{text}","nullable":true,"metadata":{{}}}}'
        extra = {"type_name": kind, "type_text": text, "type_json": spark, "position": position}
        columns.append({"name": f"c{position}", "comment": kind.lower(), "nullable": True, **extra})
    body = {
        "name": name,
        "catalog_name": world.catalog,
        "schema_name": "s",
        "table_type": "EXTERNAL",
        "data_source_format": "DELTA",
        "storage_location": world.place(name),
        "columns": columns,
        "comment": "of risk factors",
    }
    assert subject.ask("POST", f"{UC}/tables", body).status == 200
    found = subject.ask("GET", f"{UC}/tables/{world.schema}.{name}").body or {}
    assert found["comment"] == "of risk factors"
    told = [(entry["name"], entry["type_name"], entry["comment"]) for entry in found["columns"]]
    assert told == [(entry["name"], entry["type_name"], entry["comment"]) for entry in columns]


@contract(Area.TABLES, Client.UC_CLIENT)
def test_the_open_client_makes_a_table(subject: Subject, world: World) -> None:
    name = fresh("t")

    async def act(client: Any) -> Any:
        api = TablesApi(client)
        column = ColumnInfo(
            name="id",
            type_name=ColumnTypeName.LONG,
            type_text="bigint",
            type_json=ID_COLUMN["type_json"],
            position=0,
            nullable=True,
            comment="number",
        )
        made = await api.create_table(
            CreateTable(
                name=name,
                catalog_name=world.catalog,
                schema_name="s",
                table_type=TableType.EXTERNAL,
                data_source_format=DataSourceFormat.DELTA,
                columns=[column],
                storage_location=world.place(name),
                comment="c",
                properties={"a": "b"},
            )
        )
        assert made.table_id == (await api.get_table(f"{world.schema}.{name}")).table_id
        assert name in {entry.name for entry in (await api.list_tables(world.catalog, "s")).tables}
        return made

    made = open_client(subject, act)
    assert (made.columns[0].comment, made.comment, made.properties) == ("number", "c", {"a": "b"})


@contract(Area.TABLES, Client.DELTA, *VENDED)
def test_delta_rs_writes_and_reads_with_vended_credentials(subject: Subject, world: World) -> None:
    admin, name = world.admin, fresh("t")
    place = world.place(name)
    first = admin.temporary_path_credentials.generate_temporary_path_credentials(
        place, uc.PathOperation.PATH_CREATE_TABLE
    )
    write_deltalake(place, rows(1, 2), storage_options=world.delta(first))
    table = world.table(name=name)
    vend = admin.temporary_table_credentials.generate_temporary_table_credentials
    write = vend(operation=uc.TableOperation.READ_WRITE, table_id=table.table_id)
    write_deltalake(place, rows(3), mode="append", storage_options=world.delta(write))
    read = vend(operation=uc.TableOperation.READ, table_id=table.table_id)
    found = DeltaTable(str(read.url), storage_options=world.delta(read))
    assert (found.version(), found.to_pyarrow_table().num_rows) == (1, 3)
    with pytest.raises(DeltaError, match="AccessDenied"):
        write_deltalake(place, rows(4), mode="append", storage_options=world.delta(read))

    async def act(client: Any) -> Any:
        return await TemporaryCredentialsApi(client).generate_temporary_table_credentials(
            GenerateTemporaryTableCredential(table_id=str(table.table_id), operation=TableOperation.READ)
        )

    by_open_client = open_client(subject, act)
    assert DeltaTable(place, storage_options=world.delta(by_open_client)).version() == 1


@contract(Area.TABLES, Client.HTTP, *STORED)
def test_a_table_does_not_lie_over_another(subject: Subject, world: World) -> None:
    taken = str(world.table().storage_location).rstrip("/")
    for place, code in (
        (taken, "LOCATION_OVERLAP"),
        (f"{taken}/deeper", "LOCATION_OVERLAP"),
        (world.place("")[:-1], "LOCATION_OVERLAP"),
        (f"{world.root}/managed/t", "LOCATION_OVERLAP"),
        (f"{world.root}/data/../data/t", "INVALID_PARAMETER_VALUE"),
        ("s3://somewhere-else/t", "PERMISSION_DENIED"),
    ):
        name = fresh("t")
        names = {"name": name, "catalog_name": world.catalog, "schema_name": "s", "storage_location": place}
        body = {**names, "table_type": "EXTERNAL", "data_source_format": "DELTA", "columns": [ID_COLUMN]}
        assert subject.ask("POST", f"{UC}/tables", body).code == code, place
    beside = f"{taken}x"
    body |= {"storage_location": beside, "name": fresh("t")}
    assert subject.ask("POST", f"{UC}/tables", body).status == 200


@contract(Area.TABLES, Client.SDK, *STORED, Capability.FILTERS, Capability.TABLE_CREDENTIALS)
@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ({"row_filter": {"function_name": "c.s.own", "input_column_names": ["id"]}}, "row filter 'c.s.own'"),
        ({"column_masks": {"id": "c.s.hide"}}, "column mask on 'id'"),
    ],
)
def test_row_filters_and_masks_are_shown_and_stop_vending(world: World, declared: dict[str, Any], named: str) -> None:
    admin, table = world.admin, world.table()
    admin.api_client.do("PATCH", f"{UC}/tables/{table.full_name}", body=declared)
    found = admin.tables.get(str(table.full_name))
    if "row_filter" in declared:
        assert found.row_filter is not None
        assert (found.row_filter.function_name, found.row_filter.input_column_names) == ("c.s.own", ["id"])
    else:
        assert found.columns is not None
        assert found.columns[0].mask is not None
        assert found.columns[0].mask.function_name == "c.s.hide"
    for operation in uc.TableOperation:
        with refused("PERMISSION_DENIED", says=named):
            admin.temporary_table_credentials.generate_temporary_table_credentials(
                operation=operation, table_id=table.table_id
            )
