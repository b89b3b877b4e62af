"""What every securable's JSON has in common."""

from localcloud.databricks.access import Access
from localcloud.databricks.store import Securable
from localcloud.databricks.web import Json

UC = "/api/2.1/unity-catalog"
UC20 = "/api/2.0/unity-catalog"


def common(access: Access, securable: Securable) -> Json:
    """Owner, names and times; empty details are left out."""
    return {
        "name": securable.name,
        "owner": securable.owner,
        "metastore_id": access.metastore.id,
        "created_at": securable.created_at,
        "created_by": securable.created_by,
        "updated_at": securable.updated_at,
        "updated_by": securable.updated_by,
        **{key: value for key, value in securable.details.items() if value not in ("", None, {}, [])},
    }
