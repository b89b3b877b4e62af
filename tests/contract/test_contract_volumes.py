"""Volumes, external and managed, and the credentials for their files."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from contract_open_client import open_client
from contract_report import Area, Client, contract
from contract_subject import Capability, Subject
from contract_world import World, fresh, refused, split
from databricks.sdk.service import catalog as uc
from unitycatalog.client import CreateVolumeRequestContent, VolumesApi, VolumeType

pytestmark = pytest.mark.integration

NEEDED = (Capability.VOLUMES, Capability.STORAGE, Capability.EXTERNAL_LOCATIONS)
VENDED = (*NEEDED, Capability.VOLUME_CREDENTIALS, Capability.PRINCIPALS)


def external(world: World, name: str | None = None) -> uc.VolumeInfo:
    """A volume under the run's external location."""
    short = name or fresh("v")
    return world.admin.volumes.create(
        world.catalog, "s", short, uc.VolumeType.EXTERNAL, comment="first", storage_location=world.place(short)
    )


@contract(Area.VOLUMES, Client.SDK, *NEEDED)
def test_an_external_volume_lives(world: World) -> None:
    api, made = world.admin.volumes, external(world)
    assert made.full_name == f"{world.schema}.{made.name}"
    assert (made.volume_type, made.comment) == (uc.VolumeType.EXTERNAL, "first")
    assert (made.storage_location or "").rstrip("/") == world.place(str(made.name))
    assert api.update(str(made.full_name), comment="second").comment == "second"
    assert made.name in {entry.name for entry in api.list(world.catalog, "s")}
    with refused("ALREADY_EXISTS"):
        external(world, str(made.name))
    with refused("LOCATION_OVERLAP"):
        world.table(name=str(made.name))
    api.delete(str(made.full_name))
    with refused("VOLUME_DOES_NOT_EXIST"):
        api.read(str(made.full_name))


@contract(Area.VOLUMES, Client.SDK, *NEEDED)
def test_a_managed_volume_lies_in_the_catalogs_storage(world: World) -> None:
    made = world.admin.volumes.create(world.catalog, "s", fresh("v"), uc.VolumeType.MANAGED)
    assert (made.storage_location or "").startswith(f"{world.root}/managed/")


@contract(Area.VOLUMES, Client.UC_CLIENT, *NEEDED)
def test_the_open_client_makes_a_volume(subject: Subject, world: World) -> None:
    name = fresh("v")

    async def act(client: Any) -> None:
        api = VolumesApi(client)
        names = {"catalog_name": world.catalog, "schema_name": "s", "name": name}
        made = await api.create_volume(
            CreateVolumeRequestContent(**names, volume_type=VolumeType.EXTERNAL, storage_location=world.place(name))
        )
        assert made.volume_id == (await api.get_volume(f"{world.schema}.{name}")).volume_id
        assert name in {entry.name for entry in (await api.list_volumes(world.catalog, "s")).volumes}
        await api.delete_volume(f"{world.schema}.{name}")

    open_client(subject, act)


@contract(Area.VOLUMES, Client.SDK, *VENDED)
def test_files_of_a_volume_are_read_and_written_by_privilege(world: World) -> None:
    volume, reader = external(world), world.reader()
    vend = world.subject.client(reader).temporary_volume_credentials.generate_temporary_volume_credentials
    bucket, key = split(str(volume.storage_location))
    with refused("VOLUME_DOES_NOT_EXIST", "PERMISSION_DENIED"):
        vend(operation=uc.VolumeOperation.READ_VOLUME, volume_id=volume.volume_id)
    world.grant("volume", str(volume.full_name), reader, "READ_VOLUME")
    read = world.s3(vend(operation=uc.VolumeOperation.READ_VOLUME, volume_id=volume.volume_id))
    with pytest.raises(ClientError, match="AccessDenied"):
        read.put_object(Bucket=bucket, Key=f"{key}/note", Body=b"1")
    with refused("PERMISSION_DENIED"):
        vend(operation=uc.VolumeOperation.WRITE_VOLUME, volume_id=volume.volume_id)
    world.grant("volume", str(volume.full_name), reader, "WRITE_VOLUME")
    write = world.s3(vend(operation=uc.VolumeOperation.WRITE_VOLUME, volume_id=volume.volume_id))
    write.put_object(Bucket=bucket, Key=f"{key}/note", Body=b"1")
    assert read.get_object(Bucket=bucket, Key=f"{key}/note")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="AccessDenied"):
        write.put_object(Bucket=bucket, Key=f"{key}x/note", Body=b"1")
