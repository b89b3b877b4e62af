"""Storage credentials (an IAM role each) and the external locations that use them."""

import re

from localcloud.databricks.access import Access
from localcloud.databricks.errors import exists, in_use, invalid
from localcloud.databricks.locations import Location
from localcloud.databricks.names import object_name
from localcloud.databricks.privileges import Kind
from localcloud.databricks.routes.shapes import UC, common
from localcloud.databricks.store import Securable, new_id
from localcloud.databricks.web import Call, Json, Routes

routes = Routes()

_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")


def covering_location(access: Access, location: Location) -> Securable | None:
    """The narrowest external location that covers a place."""
    covering = [
        (len(place.segments), entry)
        for entry in access.db.securables(Kind.EXTERNAL_LOCATION)
        if (place := Location.parse(entry.details["url"])).covers(location)
    ]
    return max(covering, key=lambda pair: pair[0])[1] if covering else None


def credential_of(access: Access, location: Securable) -> Securable:
    """The storage credential of an external location."""
    credential = access.db.securable(Kind.STORAGE_CREDENTIAL, location.details["credential_name"])
    if credential is None:
        raise invalid(f"external location '{location.name}' has no storage credential")
    return credential


def _role(call: Call) -> str:
    role = call.body.get("aws_iam_role")
    arn = role.get("role_arn") if isinstance(role, dict) else None
    if not isinstance(arn, str) or _ROLE_ARN.fullmatch(arn) is None:
        raise invalid("aws_iam_role.role_arn must be the ARN of an IAM role")
    return arn


@routes.on("POST", f"{UC}/storage-credentials")
def create_storage_credential(call: Call) -> Json:
    """A storage credential over an IAM role."""
    access, name = call.access, object_name(call.text("name"))
    call.notes.securable = name
    access.require(access.metastore, "CREATE STORAGE CREDENTIAL")
    if call.db.securable(Kind.STORAGE_CREDENTIAL, name):
        raise exists("storage credential", name)
    details = {
        "aws_iam_role": {"role_arn": _role(call), "external_id": new_id()},
        "comment": call.text("comment", ""),
        "read_only": call.boolean("read_only"),
    }
    made = call.db.add_securable(Kind.STORAGE_CREDENTIAL, name, access.metastore, call.principal, details)
    return _credential(access, made)


def _credential(access: Access, credential: Securable) -> Json:
    return {**common(access, credential), "id": credential.id, "full_name": credential.full_name}


@routes.on("GET", f"{UC}/storage-credentials")
def list_storage_credentials(call: Call) -> Json:
    """Those the caller may see."""
    access = call.access
    seen = [entry for entry in call.db.securables(Kind.STORAGE_CREDENTIAL) if access.visible(entry)]
    return call.page("storage_credentials", [(entry.full_name, _credential(access, entry)) for entry in seen])


@routes.on("GET", f"{UC}/storage-credentials/{{name}}")
def get_storage_credential(call: Call, name: str) -> Json:
    """By name."""
    return _credential(call.access, call.access.find(Kind.STORAGE_CREDENTIAL, name))


@routes.on("PATCH", f"{UC}/storage-credentials/{{name}}")
def update_storage_credential(call: Call, name: str) -> Json:
    """Another role, comment or owner."""
    access = call.access
    credential = access.find(Kind.STORAGE_CREDENTIAL, name)
    call.notes.securable = credential.full_name
    access.require_managed(credential)
    details = dict(credential.details)
    if "aws_iam_role" in call.body:
        details["aws_iam_role"] = {**details["aws_iam_role"], "role_arn": _role(call)}
    if "comment" in call.body:
        details["comment"] = call.text("comment", "")
    owner = new_owner(call, credential)
    return _credential(access, call.db.update_securable(credential, call.principal, owner=owner, details=details))


@routes.on("DELETE", f"{UC}/storage-credentials/{{name}}")
def delete_storage_credential(call: Call, name: str) -> Json:
    """Only when no external location uses it."""
    access = call.access
    credential = access.find(Kind.STORAGE_CREDENTIAL, name)
    call.notes.securable = credential.full_name
    access.require_managed(credential)
    users = [
        entry.name
        for entry in call.db.securables(Kind.EXTERNAL_LOCATION)
        if entry.details["credential_name"] == credential.name
    ]
    if users:
        raise in_use(f"Storage credential '{name}' is used by external locations: {', '.join(users)}.")
    call.db.remove_securable(credential)
    return {}


@routes.on("POST", f"{UC}/external-locations")
def create_external_location(call: Call) -> Json:
    """A place in S3 under a storage credential; it overlaps no other external location."""
    access, name = call.access, object_name(call.text("name"))
    call.notes.securable = name
    credential = access.find(Kind.STORAGE_CREDENTIAL, call.text("credential_name"))
    access.require(access.metastore, "CREATE EXTERNAL LOCATION")
    access.require(credential, "CREATE EXTERNAL LOCATION")
    if call.db.securable(Kind.EXTERNAL_LOCATION, name):
        raise exists("external location", name)
    place = Location.parse(call.text("url"))
    _refuse_overlap(call, place)
    details = {
        "url": str(place),
        "credential_name": credential.name,
        "comment": call.text("comment", ""),
        "read_only": call.boolean("read_only"),
    }
    made = call.db.add_securable(Kind.EXTERNAL_LOCATION, name, access.metastore, call.principal, details)
    return _location(access, made)


def _refuse_overlap(call: Call, place: Location) -> None:
    for entry in call.db.securables(Kind.EXTERNAL_LOCATION):
        if Location.parse(entry.details["url"]).overlaps(place):
            raise invalid(f"the url overlaps with that of external location '{entry.name}'")


def _location(access: Access, location: Securable) -> Json:
    body = common(access, location)
    return {**body, "credential_id": credential_of(access, location).id, "browse_only": False}


@routes.on("GET", f"{UC}/external-locations")
def list_external_locations(call: Call) -> Json:
    """Those the caller may see."""
    access = call.access
    seen = [entry for entry in call.db.securables(Kind.EXTERNAL_LOCATION) if access.visible(entry)]
    return call.page("external_locations", [(entry.full_name, _location(access, entry)) for entry in seen])


@routes.on("GET", f"{UC}/external-locations/{{name}}")
def get_external_location(call: Call, name: str) -> Json:
    """By name."""
    return _location(call.access, call.access.find(Kind.EXTERNAL_LOCATION, name))


@routes.on("PATCH", f"{UC}/external-locations/{{name}}")
def update_external_location(call: Call, name: str) -> Json:
    """Another comment or owner; the place itself does not move."""
    access = call.access
    location = access.find(Kind.EXTERNAL_LOCATION, name)
    call.notes.securable = location.full_name
    access.require_managed(location)
    if "url" in call.body and str(Location.parse(call.text("url"))) != location.details["url"]:
        raise invalid("an external location's url cannot be changed; make another one")
    details = dict(location.details)
    if "comment" in call.body:
        details["comment"] = call.text("comment", "")
    owner = new_owner(call, location)
    return _location(access, call.db.update_securable(location, call.principal, owner=owner, details=details))


@routes.on("DELETE", f"{UC}/external-locations/{{name}}")
def delete_external_location(call: Call, name: str) -> Json:
    """Only when no table or volume lies in it."""
    access = call.access
    location = access.find(Kind.EXTERNAL_LOCATION, name)
    call.notes.securable = location.full_name
    access.require_managed(location)
    place = Location.parse(location.details["url"])
    for kind in (Kind.TABLE, Kind.VOLUME):
        for entry in call.db.securables(kind):
            if place.covers(Location.parse(entry.details["storage_location"])):
                raise in_use(f"External location '{name}' holds {kind} '{entry.full_name}'.")
    call.db.remove_securable(location)
    return {}


def new_owner(call: Call, securable: Securable) -> str | None:
    """The owner that an update names, who must exist; None when it names none or the same."""
    owner = call.text("owner", "")
    if not owner or owner == securable.owner:
        return None
    if call.db.row("SELECT 1 FROM principals WHERE application_id = ?", (owner,)) is None:
        raise invalid(f"principal '{owner}' does not exist")
    return owner
