"""Names and paths that mean something else to the next layer: dots, encodings, SQL, YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest
from databricks.sdk.errors.base import DatabricksError
from pydantic import ValidationError

from govtune_assets.partitions import FISCAL_YEARS
from govtune_assets.settings import Settings
from govtune_assets.trace import NotTraceable, trace
from tests.attacks.conftest import LAKE, NEIGHBOUR, SCHEMA, TABLE, Ground, prefix_of
from tests.attacks.web import ask, ask_s3, bearer
from train.config import load_all
from unitydoor.catalog import Catalog
from unitydoor.columns import from_spark_json
from unitydoor.privileges import Refused
from unitydoor.transport import CatalogError

pytestmark = pytest.mark.integration

OWN, OTHER = prefix_of(TABLE), prefix_of(NEIGHBOUR)
API = "/api/2.1/unity-catalog"

ESCAPES = [
    f"/{LAKE}/{OWN}/../attacked_too/part",
    f"/{LAKE}/{OWN}/%2e%2e/attacked_too/part",
    f"/{LAKE}/{OWN}/..%2fattacked_too/part",
    f"/{LAKE}/{OWN}/%252e%252e/attacked_too/part",
    f"/{LAKE}/{OWN}//../attacked_too/part",
    f"/{LAKE}/raw%2Fdelta%2Fattacked_too%2Fpart",
    f"/{LAKE}/raw/delta/attacked%5ftoo/part",
    f"/{LAKE}//{OTHER}/part",
    f"/{LAKE}/{OTHER}/part%00",
    f"/{LAKE}%2F{OTHER}/part",
    f"//{LAKE}/{OTHER}/part",
    f"/./{LAKE}/{OTHER}/part",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_spelling_of_a_path_reaches_the_neighbour(ground: Ground, path: str) -> None:
    """S3's keys are plain text: a spelling is either the neighbour's key, and refused, or a key that nobody has."""
    grant = ground.door(ground.reader).vend_table(TABLE, "READ")
    assert ask_s3(ground.endpoint, grant, "GET", f"/{LAKE}/{OWN}/part") == (200, b"governed")
    status, body = ask_s3(ground.endpoint, grant, "GET", path)
    assert status in {400, 403, 404}
    assert b"governed" not in body


PLACES = [
    f"s3://{LAKE}/raw/risk",
    f"s3://{LAKE}/raw/risk_factors_too",
    f"s3://{LAKE}/raw/risk_factors/../delta/attacked",
    f"s3://{LAKE}/raw/risk_factors/%2e%2e/delta/attacked",
    f"s3://{LAKE}/raw/risk_factors/..%2fdelta%2fattacked",
    f"s3://{LAKE}/raw/risk_factors/./x",
    f"s3://{LAKE}/raw//risk_factors",
    f"s3://{LAKE}/raw/risk_factors\\..\\delta",
    f"s3://{LAKE}/raw/risk_factors?versionId=1",
    f"s3://{LAKE}/raw/risk_factors#x",
    f"s3://{LAKE}/raw/risk_factors*",
    f"s3://{LAKE}/raw/risk_factors/*",
    f"s3://{LAKE}/raw/risk_factors/${{aws:username}}",
    f"s3://{LAKE}/raw",
    f"s3://{LAKE}",
    f"s3://{LAKE}/",
    f"s3://user@{LAKE}/raw/risk_factors",
    f"s3://{LAKE}:443/raw/risk_factors",
    "s3://govtune-work/code",
    f"S3://{LAKE.upper()}/raw/risk_factors",
    f"file:///{LAKE}/raw/risk_factors",
    f"s3://{LAKE}/raw/risk_factors/\x00",
    "",
]


@pytest.mark.parametrize("place", PLACES)
def test_no_path_beside_the_location_is_vended(ground: Ground, place: str) -> None:
    """The loader may read the location raw/risk_factors, and nothing that only looks like it."""
    door = ground.door(ground.loader)
    assert door.vend_path(f"s3://{LAKE}/raw/risk_factors", "PATH_READ").url == f"s3://{LAKE}/raw/risk_factors"
    with pytest.raises((Refused, CatalogError)) as raised:
        door.vend_path(place, "PATH_READ")
    assert getattr(raised.value, "status", 403) < 500


OVER = [OWN, f"{OWN}/", f"{OWN}/inside", "raw/delta", f"{OWN}//", f"{OWN}/../attacked", f"{OWN}/%2e"]


@pytest.mark.parametrize("place", OVER)
def test_no_table_is_registered_over_another(ground: Ground, place: str) -> None:
    door = ground.door(ground.loader)
    with pytest.raises((Refused, CatalogError)) as raised:
        door.create_external_delta_table("govtune.raw.over", f"s3://{LAKE}/{place}", from_spark_json(SCHEMA, ()))
    assert getattr(raised.value, "status", 403) in {400, 403, 409}
    assert not door.table_exists("govtune.raw.over")
    with pytest.raises((Refused, CatalogError)):
        door.vend_path(f"s3://{LAKE}/{place}", "PATH_CREATE_TABLE")


NAMES = [
    "x' OR '1'='1",
    "x'; DROP TABLE securables; --",
    'x" UNION SELECT * FROM secrets --',
    "../../catalogs/govtune",
    "%2e%2e%2f%2e%2e",
    "x\x00y",
    "x\r\nX-Injected: yes",
    "\u202egnirts",
    "x" * 300,
    "`x`",
    "x.y",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_data(ground: Ground, name: str) -> None:
    """Whatever a name holds, the answer is a refusal that is no failure of the server, and nothing else changed."""
    admin, token = ground.admin, bearer(ground.admin.config.authenticate()["Authorization"].split()[1])
    before = sorted(str(table.full_name) for table in admin.tables.list("govtune", "raw"))
    quoted = quote(name, safe="")
    asks: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", f"{API}/tables/govtune.raw.{quoted}", None),
        ("DELETE", f"{API}/tables/govtune.raw.{quoted}", None),
        ("GET", f"{API}/tables?catalog_name={quoted}&schema_name={quoted}", None),
        ("GET", f"{API}/tables?catalog_name=govtune&schema_name=raw&page_token={quoted}x", None),
        ("POST", f"{API}/schemas", {"name": name, "catalog_name": "govtune"}),
        ("POST", f"{API}/temporary-table-credentials", {"table_id": name, "operation": "READ"}),
        ("GET", f"{API}/effective-permissions/table/{quoted}?principal={quoted}", None),
        ("PATCH", f"{API}/permissions/schema/govtune.raw", {"changes": [{"principal": name, "add": ["SELECT"]}]}),
        ("GET", f"/_localcloud/audit?principal={quoted}", None),
    ]
    statuses = {}
    for method, path, body in asks:
        statuses[f"{method} {path.split('?')[0]}"], _ = ask(ground.host, method, path, body=body, headers=token)
    assert all(status < 500 for status in statuses.values()), statuses
    admin_after = sorted(str(table.full_name) for table in admin.tables.list("govtune", "raw"))
    assert admin_after == before


@pytest.mark.parametrize("name", NAMES)
def test_the_door_sends_no_such_name(ground: Ground, name: str) -> None:
    with pytest.raises((ValueError, Refused, CatalogError)):
        ground.door(ground.reader).vend_table(f"govtune.raw.{name}", "READ")


@pytest.mark.parametrize("filter_", ['displayName eq "x" or 1 eq 1', "'; DROP TABLE principals; --", "a" * 10_000])
def test_a_filter_is_no_query(ground: Ground, filter_: str) -> None:
    try:
        found = list(ground.admin.service_principals.list(filter=filter_))
    except DatabricksError as error:
        assert error.error_code != "INTERNAL_ERROR"
    else:
        assert found == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("catalog", "govtune; DROP CATALOG govtune"),
        ("catalog", "a.b"),
        ("catalog", "../x"),
        ("lake_bucket", "../secrets"),
        ("lake_bucket", "lake/other"),
        ("work_bucket", "LAKE"),
        ("snapshot_years", "2023' OR 1=1"),
    ],
)
def test_a_setting_is_no_expression(field: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Settings(**{field: value})


@pytest.mark.parametrize("key", ["2023' OR 1=1 --", "../2023", "2023/2024", "*", ""])
def test_a_partition_key_is_one_of_the_years(key: str) -> None:
    assert not FISCAL_YEARS.has_partition_key(key)
    with pytest.raises(dg.DagsterError):
        FISCAL_YEARS.validate_partition_key(key, context=None)  # type: ignore[call-arg]


@pytest.mark.parametrize("example", ["' or 1=1 --", "../../x", "0" * 63 + "'", "*"])
def test_an_example_id_is_hexadecimal(example: str) -> None:
    door: Catalog = None  # type: ignore[assignment]  # refused before the catalog is asked
    with pytest.raises(NotTraceable, match="no example id"):
        trace(door, Settings(), example)


def test_yaml_runs_nothing(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    text = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{json.dumps(str(planted))}]]"
    (tmp_path / "evil.yaml").write_text(text)
    with pytest.raises(Exception, match=r"(?i)tag|yaml|constructor"):
        load_all(tmp_path)
    assert not planted.exists()
