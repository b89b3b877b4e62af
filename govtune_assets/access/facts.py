"""What the catalog tells of grants, owners and locations, asked through databricks-sdk as whoever is signed in.

Who may be told: a principal sees its own grants; those of others only the owner of a securable, who has MANAGE on it,
and the metastore's administrator.
"""

import os
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from unitydoor.privileges import Effective, Requirement, effective_of, narrowest

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from unitydoor.secrets import ServicePrincipal

API = "/api/2.1/unity-catalog"
SCIM = "/api/2.0/preview/scim/v2"
EVERYONE = "account users"
"""The group that holds every principal of the account."""
_OBJECTS = {
    "CATALOG": "catalogs",
    "SCHEMA": "schemas",
    "TABLE": "tables",
    "FUNCTION": "models",
    "EXTERNAL LOCATION": "external-locations",
}
_CHILDREN = (("TABLE", "tables", "tables"), ("FUNCTION", "models", "registered_models"))


class Untold(Exception):
    """The catalog does not tell who asks about this securable."""


class Absent(Exception):
    """The securable does not exist, or is hidden from who asks."""


def client(host: str, principal: "ServicePrincipal") -> "WorkspaceClient":
    """databricks-sdk's client, signed in as `principal`; no profile of the home folder takes part."""
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient(
        host=host,
        client_id=principal.client_id,
        client_secret=principal.client_secret,
        auth_type="oauth-m2m",
        config_file=os.devnull,
    )


@dataclass(frozen=True)
class Facts:
    """The catalog's answers. Privileges are spelled with spaces, securables as in a `Requirement`.

    The SDK's own enumerations lack CREATE EXTERNAL METADATA and would drop it, so permissions are asked for by path.
    """

    workspace: "WorkspaceClient"

    def effective(self, kind: str, name: str, principal: str) -> tuple[Effective, ...]:
        """What `principal` has by grant on a securable, inherited grants and those to its groups included.

        Raises:
            Untold: who asks may not see the principal's grants.
            Absent: there is no such securable for who asks.
        """
        assignments = self._pages(
            f"{API}/effective-permissions/{self._place(kind, name)}", "privilege_assignments", principal=principal
        )
        return effective_of(assignments)

    def granted(self, kind: str, name: str, principal: str = "") -> set[tuple[str, Requirement]]:
        """Grants on the securable itself, as (principal, requirement): everyone's, or those of `principal`.

        Raises:
            Untold, Absent: as for `effective`.
        """
        query = {"principal": principal} if principal else {}
        found = self._pages(f"{API}/permissions/{self._place(kind, name)}", "privilege_assignments", **query)
        return {
            (str(assignment["principal"]), Requirement(str(privilege).replace("_", " "), kind, name))
            for assignment in found
            for privilege in assignment.get("privileges", [])
        }

    def change(self, kind: str, name: str, changes: list[dict[str, Any]]) -> None:
        """Change the grants on a securable; all changes hold or none.

        Raises:
            databricks.sdk.errors.DatabricksError: who asks does not own the securable and may not MANAGE it.
        """
        path = f"{API}/permissions/{self._place(kind, name)}"
        self.workspace.api_client.do("PATCH", path, body={"changes": changes, "omit_permissions_in_response": True})

    def owner(self, kind: str, name: str) -> str:
        """Owner of a securable; "" when who asks may not see it, and for the metastore, whose owner has no data."""
        if kind not in _OBJECTS or not name:
            return ""
        try:
            return str(self._get(f"{API}/{_OBJECTS[kind]}/{_segment(name)}").get("owner", ""))
        except (Untold, Absent):
            return ""

    def exists(self, kind: str, name: str) -> bool:
        """Whether who asks knows of the securable."""
        try:
            self._get(f"{API}/{_OBJECTS[kind]}/{_segment(name)}")
        except Absent:
            return False
        except Untold:
            return True
        return True

    def inside(self, schema: str) -> Iterator[tuple[str, str]]:
        """Tables and registered models of a schema that who asks may see, as (type, full name).

        Raises:
            Untold, Absent: who asks may not list the schema.
        """
        catalog, short = schema.split(".")
        for kind, path, key in _CHILDREN:
            for entry in self._pages(f"{API}/{path}", key, catalog_name=catalog, schema_name=short):
                names = (entry.get(part, "") for part in ("catalog_name", "schema_name", "name"))
                yield kind, str(entry.get("full_name") or ".".join(names))

    def groups(self, principal: str) -> tuple[str, ...]:
        """Groups that hold the service principal, as far as who asks is told: `EVERYONE`, and those that it is in
        itself; the service does not say which groups hold these."""
        quoted = principal.replace("\\", "\\\\").replace('"', '\\"')
        try:
            found = self._get(f"{SCIM}/ServicePrincipals", filter=f'applicationId eq "{quoted}"').get("Resources", [])
        except (Untold, Absent):
            found = []
        named = (str(group.get("display", "")) for entry in found for group in entry.get("groups") or [])
        return tuple(dict.fromkeys((EVERYONE, *filter(None, named))))

    def location_over(self, url: str) -> str:
        """Name of the external location that covers `url`, or "" when who asks sees none."""
        return narrowest(url, {str(entry.get("name", "")): str(entry.get("url", "")) for entry in self._locations})

    def external_access(self) -> bool | None:
        """Whether the metastore vends credentials to anyone outside the workspace; None when it does not say."""
        said = self._metastore.get("external_access_enabled")
        return None if said is None else bool(said)

    @cached_property
    def _locations(self) -> list[Mapping[str, Any]]:
        return list(self._pages(f"{API}/external-locations", "external_locations"))

    @cached_property
    def _metastore(self) -> Mapping[str, Any]:
        return self._get(f"{API}/metastore_summary")

    def _place(self, kind: str, name: str) -> str:
        full_name = str(self._metastore.get("metastore_id", "")) if kind == "METASTORE" else name
        return f"{kind.lower().replace(' ', '_')}/{_segment(full_name)}"

    def _pages(self, path: str, key: str, **query: str) -> Iterable[Mapping[str, Any]]:
        """Entries page by page: a page may be empty, the last one has no token."""
        token, seen = "", set[str]()
        while token not in seen:
            seen.add(token)
            answer = self._get(path, **query, **({"page_token": token} if token else {}))
            yield from answer.get(key, [])
            token = str(answer.get("next_page_token") or "")
            if not token:
                return
        raise ValueError(f"the catalog's listing {path} does not end: a page names an earlier one as the next")

    def _get(self, path: str, **query: str) -> Mapping[str, Any]:
        from databricks.sdk.errors import NotFound, PermissionDenied

        try:
            answer: Any = self.workspace.api_client.do("GET", path, query=query)
        except PermissionDenied as error:
            raise Untold(str(error)) from error
        except NotFound as error:
            raise Absent(str(error)) from error
        return dict(answer)


def _segment(name: str) -> str:
    return urllib.parse.quote(name, safe="")
