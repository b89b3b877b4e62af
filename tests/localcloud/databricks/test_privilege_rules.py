"""The pure decision: inheritance, ownership, and what must be granted explicitly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.databricks import privileges
from localcloud.databricks.privileges import ALL, GRANTABLE, NOT_IN_ALL, Kind, Level

ME, OTHER = "me", "other"
PRIVILEGES = sorted(set().union(*GRANTABLE.values()))


def chain(*granted: set[str], owners: tuple[str, ...] = (OTHER,) * 4) -> list[Level]:
    kinds = (Kind.METASTORE, Kind.CATALOG, Kind.SCHEMA, Kind.TABLE)
    names = ("local", "c", "c.s", "c.s.t")
    given_on = [*granted, set(), set(), set(), set()]
    return [
        Level(kind, name, owner, frozenset(what))
        for kind, name, owner, what in zip(kinds, names, owners, given_on, strict=False)
    ]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_grant_is_inherited_by_what_the_container_holds(level: int) -> None:
    grants: list[set[str]] = [set(), set(), set(), set()]
    grants[level] = {"SELECT"}
    assert privileges.has(chain(*grants), ME, "SELECT")
    (found,) = privileges.effective(chain(*grants))
    assert found.source.name == ("c", "c.s", "c.s.t")[level - 1]


def test_a_grant_is_not_inherited_upwards_nor_from_the_metastore() -> None:
    table = chain(set(), set(), set(), {"SELECT"})
    assert not privileges.has(table[:3], ME, "SELECT")
    assert not privileges.has(chain({"CREATE CATALOG"}), ME, "CREATE CATALOG")
    assert privileges.has(chain({"CREATE CATALOG"})[:1], ME, "CREATE CATALOG")


@pytest.mark.parametrize("privilege", sorted(NOT_IN_ALL))
def test_all_privileges_implies_neither_manage_nor_external_use(privilege: str) -> None:
    assert not privileges.has(chain(set(), {ALL}, set(), set()), ME, privilege)
    assert privileges.has(chain(set(), {ALL}, set(), set()), ME, "SELECT")


def test_all_privileges_on_a_table_shows_it_to_nobody_who_may_not_use_its_schema() -> None:
    assert not privileges.has(chain(set(), set(), set(), {ALL}), ME, "BROWSE")
    assert privileges.has(chain(set(), {ALL}), ME, "BROWSE"), "a catalog has BROWSE, which its tables inherit"


def test_an_owner_has_the_object_but_must_be_granted_external_use() -> None:
    owned = chain(owners=(OTHER, OTHER, ME, OTHER))
    assert privileges.has(owned[:3], ME, "USE SCHEMA")
    assert not privileges.has(owned[:3], ME, "EXTERNAL USE SCHEMA")
    assert not privileges.has(owned, ME, "SELECT"), "owning the schema is not reading its tables"
    assert privileges.may_manage(owned, ME), "though their grants may be changed"


@pytest.mark.parametrize(
    ("owners", "may"),
    [
        ((ME, OTHER, OTHER, OTHER), True),
        ((OTHER, ME, OTHER, OTHER), True),
        ((OTHER, OTHER, ME, OTHER), False),
        ((OTHER, OTHER, OTHER, ME), False),
    ],
)
def test_external_use_schema_is_granted_by_the_catalogs_owner(owners: tuple[str, ...], may: bool) -> None:
    assert privileges.may_grant(chain(owners=owners)[:3], ME, "EXTERNAL USE SCHEMA") is may


def test_manage_allows_to_grant_but_not_to_read() -> None:
    managed = chain(set(), set(), {"MANAGE"}, set())
    assert privileges.may_grant(managed, ME, "SELECT")
    assert not privileges.has(managed, ME, "SELECT")


def test_privileges_belong_to_kinds() -> None:
    assert privileges.not_grantable(Kind.TABLE, ["SELECT", "CREATE TABLE", "EXECUTE"]) == ["CREATE TABLE", "EXECUTE"]
    assert privileges.spaced("external_use_schema") == "EXTERNAL USE SCHEMA"


grants = st.lists(st.sets(st.sampled_from(PRIVILEGES), max_size=4), min_size=4, max_size=4)
owners = st.tuples(*[st.sampled_from((ME, OTHER))] * 4)


@given(grants, owners, st.integers(0, 3), st.sampled_from(PRIVILEGES), st.sampled_from(PRIVILEGES))
def test_granting_never_takes_a_privilege_away(
    before: list[set[str]], owned: tuple[str, ...], level: int, added: str, asked: str
) -> None:
    after = [what | {added} if place == level else what for place, what in enumerate(before)]
    had = privileges.has(chain(*before, owners=owned), ME, asked)
    assert not had or privileges.has(chain(*after, owners=owned), ME, asked)


@given(grants, owners, st.sampled_from(sorted(privileges.EXTERNAL_USE)))
def test_external_use_comes_from_a_grant_of_itself_only(
    granted: list[set[str]], owned: tuple[str, ...], asked: str
) -> None:
    has = privileges.has(chain(*granted, owners=owned), ME, asked)
    assert has == any(asked in what for what in granted[1:])


@given(grants, st.sampled_from(PRIVILEGES))
def test_nobody_has_what_neither_grant_nor_ownership_gives(granted: list[set[str]], asked: str) -> None:
    without = [what - {asked, ALL} for what in granted]
    assert not privileges.has(chain(*without), ME, asked)
