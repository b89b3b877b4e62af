"""Grants, what follows from them down the hierarchy, and what ownership gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contract_open_client import open_client
from contract_report import UNSUPPORTED, Area, Client, contract
from contract_subject import UC, Capability, Subject
from contract_world import World, fresh, refused
from databricks.sdk.service import catalog as uc
from unitycatalog.client import GrantsApi, PermissionsChange, Privilege, SecurableType, UpdatePermissions

from unitydoor.secrets import ServicePrincipal

pytestmark = pytest.mark.integration

NEEDED = (Capability.SIGN_IN, Capability.PRINCIPALS, Capability.PERMISSIONS)
EFFECTIVE = (*NEEDED, Capability.EFFECTIVE)


def change(principal: ServicePrincipal, *add: uc.Privilege, remove: tuple[uc.Privilege, ...] = ()) -> Any:
    """One change of one principal's grants."""
    return [uc.PermissionsChange(principal=principal.client_id, add=list(add), remove=list(remove))]


@contract(Area.PERMISSIONS, Client.SDK, *NEEDED)
def test_a_grant_is_given_shown_and_taken_away(subject: Subject, world: World) -> None:
    api, who = world.admin.grants, subject.principal()
    given = change(who, uc.Privilege.USE_SCHEMA, uc.Privilege.SELECT)
    for _ in range(2):  # the second grant changes nothing
        api.update("schema", world.schema, changes=given)
    (held,) = api.get("schema", world.schema, principal=who.client_id).privilege_assignments or []
    assert set(held.privileges or []) == {uc.Privilege.USE_SCHEMA, uc.Privilege.SELECT}
    api.update("schema", world.schema, changes=change(who, remove=(uc.Privilege.SELECT,)))
    (held,) = api.get("schema", world.schema, principal=who.client_id).privilege_assignments or []
    assert held.privileges == [uc.Privilege.USE_SCHEMA]


@contract(Area.PERMISSIONS, Client.UC_CLIENT, *NEEDED)
def test_the_open_client_grants(subject: Subject, world: World, record_property: Callable[[str, object], None]) -> None:
    """It spells privileges with spaces, and cannot read the answer of a server that spells them as Databricks."""
    who = subject.principal()

    async def act(client: Any) -> Any:
        granted = PermissionsChange(principal=who.client_id, add=[Privilege.USE_SCHEMA], remove=[])
        return await GrantsApi(client).update(SecurableType.SCHEMA, world.schema, UpdatePermissions(changes=[granted]))

    if Capability.SPACED in subject.missing:
        with pytest.raises(ValueError, match="USE_SCHEMA"):
            open_client(subject, act)
        record_property(UNSUPPORTED, Capability.SPACED.value)
        return
    held = open_client(subject, act).privilege_assignments
    assert [entry.privileges for entry in held if entry.principal == who.client_id] == [[Privilege.USE_SCHEMA]]


@contract(Area.PERMISSIONS, Client.SDK, *EFFECTIVE)
def test_effective_permissions_say_where_a_privilege_comes_from(subject: Subject, world: World) -> None:
    api, who, table = world.admin.grants, subject.principal(), world.table()
    api.update("catalog", world.catalog, changes=change(who, uc.Privilege.USE_CATALOG, uc.Privilege.USE_SCHEMA))
    api.update("schema", world.schema, changes=change(who, uc.Privilege.SELECT))
    api.update("table", str(table.full_name), changes=change(who, uc.Privilege.MODIFY))
    (held,) = api.get_effective("table", str(table.full_name), principal=who.client_id).privilege_assignments or []
    sources = {(entry.privilege, entry.inherited_from_name) for entry in held.privileges or []}
    assert sources == {
        (uc.Privilege.USE_CATALOG, world.catalog),
        (uc.Privilege.USE_SCHEMA, world.catalog),
        (uc.Privilege.SELECT, world.schema),
        (uc.Privilege.MODIFY, None),
    }
    kinds = {entry.inherited_from_type for entry in held.privileges or []}
    assert kinds == {uc.SecurableType.CATALOG, uc.SecurableType.SCHEMA, None}


@contract(Area.PERMISSIONS, Client.SDK, *EFFECTIVE)
def test_a_grant_on_the_catalog_reaches_what_is_made_later(subject: Subject, world: World) -> None:
    who = subject.principal()
    world.grant("catalog", world.catalog, who, "USE_CATALOG", "USE_SCHEMA", "SELECT")
    later = world.table()
    assert subject.client(who).tables.get(str(later.full_name)).table_id == later.table_id
    world.revoke("catalog", world.catalog, who, "USE_SCHEMA")
    with refused("PERMISSION_DENIED"):
        subject.client(who).tables.get(str(later.full_name))


@contract(Area.PERMISSIONS, Client.SDK, *NEEDED)
def test_what_nobody_granted_does_not_exist(subject: Subject, world: World) -> None:
    stranger, table = subject.client(subject.principal()), world.table()
    assert world.catalog not in {entry.name for entry in stranger.catalogs.list()}
    with refused("CATALOG_DOES_NOT_EXIST"):
        stranger.catalogs.get(world.catalog)
    with refused("TABLE_DOES_NOT_EXIST"):
        stranger.tables.get(str(table.full_name))


@contract(Area.PERMISSIONS, Client.SDK, *NEEDED, Capability.STORAGE)
def test_an_owner_grants_on_what_it_owns_only(subject: Subject, world: World) -> None:
    owner, other = world.reader(), world.reader()
    world.grant("schema", world.schema, owner, "CREATE_TABLE")
    world.grant("external_location", world.catalog, owner, "CREATE_EXTERNAL_TABLE", "EXTERNAL_USE_LOCATION")
    table = world.table(owner)
    assert table.owner == owner.client_id
    grants, name = subject.client(owner).grants, str(table.full_name)
    grants.update("table", name, changes=change(other, uc.Privilege.SELECT))
    assert subject.client(other).tables.get(name).table_id == table.table_id
    with refused("PERMISSION_DENIED"):
        grants.update("schema", world.schema, changes=change(other, uc.Privilege.SELECT))
    with refused("PERMISSION_DENIED"):
        subject.client(other).grants.update("table", name, changes=change(owner, uc.Privilege.SELECT))
    subject.client(owner).tables.update(name, owner=other.client_id)
    with refused("PERMISSION_DENIED", "TABLE_DOES_NOT_EXIST"):
        subject.client(owner).tables.delete(name)
    subject.client(other).tables.delete(name)


@contract(Area.PERMISSIONS, Client.SDK, *NEEDED)
def test_manage_grants_but_does_not_read(subject: Subject, world: World) -> None:
    manager, other, table = world.reader(), world.reader(), world.table()
    name = str(table.full_name)
    world.grant("table", name, manager, "MANAGE")
    subject.client(manager).grants.update("table", name, changes=change(other, uc.Privilege.SELECT))
    with refused("PERMISSION_DENIED"):
        subject.client(manager).temporary_table_credentials.generate_temporary_table_credentials(
            operation=uc.TableOperation.READ, table_id=table.table_id
        )


@contract(Area.PERMISSIONS, Client.SDK, *NEEDED)
def test_external_use_is_granted_by_the_catalogs_owner_only(subject: Subject, world: World) -> None:
    manager = world.reader()
    world.grant("schema", world.schema, manager, "MANAGE")
    with refused("PERMISSION_DENIED"):
        subject.client(manager).grants.update(
            "schema", world.schema, changes=change(manager, uc.Privilege.EXTERNAL_USE_SCHEMA)
        )


@contract(Area.PERMISSIONS, Client.SDK, *EFFECTIVE)
def test_all_privileges_leaves_out_manage_and_external_use(subject: Subject, world: World) -> None:
    who, table = subject.principal(), world.table()
    world.grant("catalog", world.catalog, who, "ALL_PRIVILEGES")
    client = subject.client(who)
    assert client.tables.get(str(table.full_name)).table_id == table.table_id
    with refused("PERMISSION_DENIED"):
        client.temporary_table_credentials.generate_temporary_table_credentials(
            operation=uc.TableOperation.READ, table_id=table.table_id
        )
    with refused("PERMISSION_DENIED"):
        client.grants.update("table", str(table.full_name), changes=change(who, uc.Privilege.SELECT))


@contract(Area.PERMISSIONS, Client.HTTP, *NEEDED)
def test_changes_hold_all_or_none(subject: Subject, world: World) -> None:
    who, path = subject.principal(), f"{UC}/permissions/schema/{world.schema}"
    bad = [
        ({"principal": who.client_id, "add": ["CREATE_CATALOG"]}, 400, "INVALID_PARAMETER_VALUE"),
        ({"principal": who.client_id, "add": ["NO_SUCH"]}, 400, "INVALID_PARAMETER_VALUE"),
        ({"principal": fresh("nobody"), "add": ["SELECT"]}, 404, "PRINCIPAL_DOES_NOT_EXIST"),
    ]
    for entry, status, code in bad:
        changes = [{"principal": who.client_id, "add": ["USE_SCHEMA"]}, entry]
        answer = subject.ask("PATCH", path, {"changes": changes})
        assert (answer.status, answer.code) == (status, code)
    held = subject.ask("GET", f"{path}?principal={who.client_id}").body or {}
    assert held.get("privilege_assignments", []) == []
