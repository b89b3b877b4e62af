"""The Java connector in Spark: `unitycatalog-hadoop` signs in with a client secret, asks for credentials and renews."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from contract_report import Area, Client, contract
from contract_subject import Capability, Subject
from contract_world import World, fresh, rows
from databricks.sdk.service import catalog as uc
from deltalake import DeltaTable, write_deltalake

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("spark_reader.py")
JARS = PROJECT / ".cache" / "jars"
SECONDS = 240


@contract(
    Area.TABLES,
    Client.SPARK,
    Capability.SIGN_IN,
    Capability.STORAGE,
    Capability.TABLE_CREDENTIALS,
    Capability.PATH_CREDENTIALS,
)
def test_spark_reads_and_appends_with_credentials_that_the_connector_asks_for(
    subject: Subject, world: World, tmp_path: Path
) -> None:
    admin, name = world.admin, fresh("t")
    place = world.place(name)
    first = admin.temporary_path_credentials.generate_temporary_path_credentials(
        place, uc.PathOperation.PATH_CREATE_TABLE
    )
    write_deltalake(place, rows(1, 2), storage_options=world.delta(first))
    table = world.table(name=name)
    assert subject.admin is not None
    order = {
        "jars": [str(jar) for jar in sorted(JARS.glob("*.jar"))],
        "host": subject.host,
        "client_id": subject.admin.client_id,
        "client_secret": subject.admin.client_secret,
        "table_id": table.table_id,
        "place": place,
        "s3": world.storage.endpoint,
        "region": world.storage.region,
    }
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"before": [1, 2], "after": [1, 2, 3], "refused": True}
    read = admin.temporary_table_credentials.generate_temporary_table_credentials(
        operation=uc.TableOperation.READ, table_id=table.table_id
    )
    assert DeltaTable(place, storage_options=world.delta(read)).version() == 1
