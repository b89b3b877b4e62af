"""The catalog as a payload sees it: tables by name, credentials for them, refusals that say what to grant.

Paths are those of the Databricks REST API for Unity Catalog, version 2.1.
"""

import http
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from unitydoor import privileges
from unitydoor.columns import Column
from unitydoor.privileges import Effective, ExternalAccessDisabled, Refused, Requirement
from unitydoor.secrets import ServicePrincipal
from unitydoor.transport import Answer, CatalogError, NotFound, Transport, error_of
from unitydoor.vending import Grant, parse_grant

API = "/api/2.1/unity-catalog"
_MAX_PAGES = 1000
_OF_FILES = frozenset({"EXTERNAL", "MANAGED"})
_FORMATS = frozenset({"DELTA"})
_OBJECT_PATHS = {
    "CATALOG": "catalogs",
    "SCHEMA": "schemas",
    "TABLE": "tables",
    "EXTERNAL LOCATION": "external-locations",
}


class Credentials(Protocol):
    """Bearer tokens of a service principal; `unitydoor.oauth.ClientCredentials` is one."""

    @property
    def principal(self) -> ServicePrincipal:
        """Who the tokens stand for."""

    def token(self) -> str:
        """A valid token."""

    def discard(self, token: str) -> None:
        """Forget a token that was not accepted."""


@dataclass(frozen=True)
class Table:
    """A table as the catalog describes it. `storage_location` is an `s3://` URL."""

    table_id: str
    full_name: str
    storage_location: str
    table_type: str
    data_source_format: str
    owner: str
    filtered_by: str = ""
    """Name of the row filter or masked column, when the table has one: it cannot be vended then."""


class Catalog:
    """Unity Catalog of one workspace, asked by one service principal."""

    def __init__(self, host: str, credentials: Credentials, *, transport: Transport | None = None) -> None:
        self._credentials = credentials
        self._transport = transport or Transport(host)

    @property
    def principal(self) -> ServicePrincipal:
        """Who asks."""
        return self._credentials.principal

    def table(self, full_name: str) -> Table:
        """Describe a table.

        Raises:
            Refused: the principal may not see it, though it knows of it.
            NotFound: it does not exist, or is hidden from the principal.
        """
        privileges.split_name(full_name)
        answer = self._ask("GET", f"{API}/tables/{_segment(full_name)}")
        needs = (*privileges.usage(full_name), Requirement("SELECT", "TABLE", full_name))
        return _table(self._must(answer, full_name, "to see the table", needs))

    def table_exists(self, full_name: str) -> bool:
        """Whether the principal sees a table of that name."""
        privileges.split_name(full_name)
        answer = self._ask("GET", f"{API}/tables/{_segment(full_name)}")
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return False
        needs = (*privileges.usage(full_name), Requirement("SELECT", "TABLE", full_name))
        self._must(answer, full_name, "to see the table", needs)
        return True

    def vend_table(self, full_name: str, operation: str) -> Grant:
        """A credential for one table; `operation` is READ or READ_WRITE.

        A managed table is read as any other; the catalog alone writes it.

        Raises:
            Refused: names the missing privileges. Also for what no credential serves: a table with a row filter or
                column mask, whose files hold what the filter hides; a view; files that are not Delta.
            NotFound: the table does not exist, or is hidden from the principal.
        """
        needs = privileges.for_table(full_name, operation)
        answer = self._ask("GET", f"{API}/tables/{_segment(full_name)}")
        described = self._must(answer, full_name, operation, needs)
        if reason := _not_by_files(described, operation):
            raise self._refused(full_name, operation, reason=reason)
        table = _table(described)
        answer = self._ask(
            "POST", f"{API}/temporary-table-credentials", {"table_id": table.table_id, "operation": operation}
        )
        body = self._must(answer, full_name, operation, needs)
        return self._grant(body, full_name, operation)

    def vend_path(self, url: str, operation: str) -> Grant:
        """A credential for one path; `operation` is PATH_READ, PATH_READ_WRITE or PATH_CREATE_TABLE.

        Raises:
            Refused: names the missing privileges on the external location that covers the path.
        """
        privileges.for_path("", operation)
        answer = self._ask("POST", f"{API}/temporary-path-credentials", {"url": url, "operation": operation})
        if answer.status == http.HTTPStatus.FORBIDDEN:
            needs = privileges.for_path(self._location_of(url), operation)
            raise self._explain(answer, url, operation, needs)
        return self._grant(self._must(answer, url, operation, ()), url, operation)

    def create_external_delta_table(
        self,
        full_name: str,
        location: str,
        columns: Sequence[Column],
        *,
        comment: str = "",
        properties: Mapping[str, str] | None = None,
    ) -> Table:
        """Register the Delta table at `location` under `full_name`.

        Raises:
            Refused: names the missing privileges.
            CatalogError: the name is taken or the location overlaps another table's.
        """
        catalog, schema, name = privileges.split_name(full_name)
        body = {
            "catalog_name": catalog,
            "schema_name": schema,
            "name": name,
            "table_type": "EXTERNAL",
            "data_source_format": "DELTA",
            "storage_location": location,
            "columns": [column.as_dict() for column in columns],
            "comment": comment,
            "properties": dict(properties or {}),
        }
        answer = self._ask("POST", f"{API}/tables", body, repeatable=False)
        if answer.status == http.HTTPStatus.FORBIDDEN:
            needs = privileges.for_external_table(full_name, self._location_of(location))
            raise self._explain(answer, full_name, "to register the table", needs)
        return _table(self._must(answer, full_name, "to register the table", ()))

    def effective_privileges(self, securable_type: str, name: str) -> frozenset[str] | None:
        """Privileges, spelled with spaces, that the principal holds, inherited ones and those of its groups included;
        None when the catalog will not tell."""
        held = self._effective(securable_type, name)
        return None if held is None else frozenset(entry.privilege for entry in held)

    def _effective(self, securable_type: str, name: str) -> tuple[Effective, ...] | None:
        kind = _segment(securable_type.lower().replace(" ", "_"))
        query = urllib.parse.urlencode({"principal": self.principal.client_id})
        answer = self._ask("GET", f"{API}/effective-permissions/{kind}/{_segment(name)}?{query}")
        if answer.status != http.HTTPStatus.OK:
            return None
        return privileges.effective_of(answer.body.get("privilege_assignments", []))

    def _grant(self, body: Mapping[str, Any], securable: str, operation: str) -> Grant:
        return parse_grant(body, principal=self.principal.client_id, securable=securable, operation=operation)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, repeatable: bool = True) -> Answer:
        """Ask with the principal's token; a token that is not accepted is renewed once."""
        for last in (False, True):
            token = self._credentials.token()
            headers = {"Authorization": f"Bearer {token}"}
            answer = self._transport.request(method, path, body=body, headers=headers, repeatable=repeatable)
            if answer.status != http.HTTPStatus.UNAUTHORIZED or last:
                break
            self._credentials.discard(token)
        return answer

    def _must(self, answer: Answer, securable: str, operation: str, needs: Sequence[Requirement]) -> dict[str, Any]:
        if answer.status < http.HTTPStatus.MULTIPLE_CHOICES:
            return answer.body
        if answer.status == http.HTTPStatus.FORBIDDEN:
            raise self._explain(answer, securable, operation, needs)
        error = error_of(answer, f"{self.principal} asking {operation} on {securable}")
        if isinstance(error, NotFound) and needs:
            listed = ", ".join(str(need) for need in needs)
            raise NotFound(
                f"{error}. It does not exist, or it is hidden from {self.principal}, which needs {listed}.",
                status=error.status,
                error_code=error.error_code,
            )
        raise error

    def _refused(self, securable: str, operation: str, **details: Any) -> Refused:
        kind = details.pop("kind", Refused)
        refusal: Refused = kind(
            who=str(self.principal),
            principal=self.principal.client_id,
            securable=securable,
            operation=operation,
            **details,
        )
        return refusal

    def _explain(self, answer: Answer, securable: str, operation: str, needs: Sequence[Requirement]) -> Refused:
        """Say why: the service's own 403 names no privilege, so what is held is asked for and compared."""
        if self._external_access_is_off():
            reason = (
                "External data access is switched off for the metastore: a metastore administrator switches it "
                "on in the metastore's settings (external_access_enabled)."
            )
            return self._refused(securable, operation, reason=reason, kind=ExternalAccessDisabled)
        missing: list[Requirement] = []
        untold: list[Requirement] = []
        for securable_type, name in dict.fromkeys((need.securable_type, need.name) for need in needs):
            asked = [need for need in needs if (need.securable_type, need.name) == (securable_type, name)]
            held = self._effective(securable_type, name) if name else None
            if held is None:
                untold += asked
                continue
            missing += [need for need in asked if not self._has(need, held)]
        said = str(answer.body.get("message") or "")[:500]
        reason = "" if missing or untold else f"The catalog says: {said}"
        return self._refused(securable, operation, missing=missing, needs=untold, reason=reason)

    def _has(self, need: Requirement, held: Sequence[Effective]) -> bool:
        """Whether a grant or ownership gives what is needed; the owner is asked for only where no grant does."""
        mine = self.principal.client_id
        return bool(
            privileges.given_by(need, mine, held, "")
            or privileges.given_by(need, mine, held, self._owner(need.securable_type, need.name))
        )

    def _owner(self, securable_type: str, name: str) -> str:
        path = _OBJECT_PATHS.get(securable_type)
        if path is None:
            return ""
        answer = self._ask("GET", f"{API}/{path}/{_segment(name)}")
        return str(answer.body.get("owner", "")) if answer.status == http.HTTPStatus.OK else ""

    def _external_access_is_off(self) -> bool:
        answer = self._ask("GET", f"{API}/metastore_summary")
        return answer.status == http.HTTPStatus.OK and answer.body.get("external_access_enabled") is False

    def _location_of(self, url: str) -> str:
        """Name of the narrowest external location over `url` that the principal can see, or ""."""
        listed = self._pages(f"{API}/external-locations", "external_locations")
        return privileges.narrowest(url, {str(entry.get("name", "")): str(entry.get("url", "")) for entry in listed})

    def _pages(self, path: str, key: str) -> Iterable[Mapping[str, Any]]:
        """Entries of a listing, page by page; nothing when the catalog will not list."""
        token = ""
        for _ in range(_MAX_PAGES):
            query = f"?{urllib.parse.urlencode({'page_token': token})}" if token else ""
            answer = self._ask("GET", f"{path}{query}")
            if answer.status != http.HTTPStatus.OK:
                return
            yield from answer.body.get(key, [])
            token = str(answer.body.get("next_page_token") or "")
            if not token:
                return
        raise CatalogError(f"the catalog's listing {path} does not end")


def _segment(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _table(body: Mapping[str, Any]) -> Table:
    wanted = ("table_id", "storage_location")
    if not all(isinstance(body.get(key), str) and body[key] for key in wanted):
        raise CatalogError("the catalog described a table without its id or location; is it a view?")
    names = [str(body.get(key, "")) for key in ("catalog_name", "schema_name", "name")]
    return Table(
        table_id=body["table_id"],
        full_name=str(body.get("full_name") or ".".join(names)),
        storage_location=body["storage_location"],
        table_type=str(body.get("table_type", "")),
        data_source_format=str(body.get("data_source_format", "")),
        owner=str(body.get("owner", "")),
        filtered_by=_filter_of(body),
    )


def _not_by_files(body: Mapping[str, Any], operation: str) -> str:
    """Why a table cannot be used through its files, or ""."""
    kind, form = str(body.get("table_type") or "EXTERNAL"), str(body.get("data_source_format") or "DELTA")
    if filtered_by := _filter_of(body):
        return (
            f"The table has {filtered_by}: files cannot be filtered, so no credential "
            "of it is given out. Publish an unfiltered table for this use."
        )
    if kind not in _OF_FILES:
        what = kind.lower().replace("_", " ") + ("" if kind.endswith(("VIEW", "TABLE")) else " table")
        return f"It is a {what}, which has no files to read. Publish it as a Delta table."
    if form not in _FORMATS:
        return f"Its files are {form}, and only Delta is read here. Publish it as a Delta table."
    if kind == "MANAGED" and operation != "READ":
        return "It is a managed table, whose files only Databricks writes. Write to an external table instead."
    return ""


def _filter_of(body: Mapping[str, Any]) -> str:
    row_filter = body.get("row_filter")
    if row_filter:
        name = row_filter.get("function_name", "") if isinstance(row_filter, Mapping) else ""
        return f"the row filter {name}".rstrip()
    for column in body.get("columns") or []:
        if isinstance(column, Mapping) and (column.get("mask") or column.get("masks")):
            return f"a mask on its column {column.get('name', '')}".rstrip()
    return ""
