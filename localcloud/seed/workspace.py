"""The Databricks side: service principals with their secrets, the storage behind the catalog, catalog and schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import AwsIamRoleRequest

from localcloud.seed import names
from localcloud.seed.aws import get_secret, put_secret
from localcloud.seed.credentials import CredentialFiles

SecretsClient = Any


def admin_client(host: str, files: CredentialFiles) -> WorkspaceClient:
    """A client that acts as the metastore admin; nothing of the user's own Databricks profile is read."""
    admin = json.loads(files.admin.read_text())
    return WorkspaceClient(
        host=host,
        client_id=admin["client_id"],
        client_secret=admin["client_secret"],
        auth_type="oauth-m2m",
        config_file="/dev/null",
    )


def seed_workspace(
    workspace: WorkspaceClient, secrets: SecretsClient, trust_catalog: Callable[[str], None]
) -> dict[str, str]:
    """Creates what is missing; returns the application id of each service principal by its name.

    `trust_catalog` is given the storage credential's external id before anything is stored under that credential.
    """
    principals = {name: _seed_principal(workspace, secrets, name) for name in names.PRINCIPALS}
    trust_catalog(_seed_credential(workspace))
    _seed_locations(workspace)
    _seed_catalog(workspace)
    return principals


def _seed_principal(workspace: WorkspaceClient, secrets: SecretsClient, name: str) -> str:
    """One service principal whose client secret lies in Secrets Manager and nowhere else.

    A client secret can be seen only once, when it is made: one that is stored for this principal is kept.
    """
    display = names.display_name(name)
    found = list(workspace.service_principals.list(filter=f'displayName eq "{display}"'))
    principal = found[0] if found else workspace.service_principals.create(display_name=display, active=True)
    application_id, number = principal.application_id, principal.id
    if not application_id or not number:
        raise ValueError(f"The workspace named no id for service principal {display}")
    stored = get_secret(secrets, names.secret_name(name))
    if stored is None or json.loads(stored)["client_id"] != application_id:
        made = workspace.service_principal_secrets_proxy.create(service_principal_id=number)
        content = {"client_id": application_id, "client_secret": made.secret}
        put_secret(secrets, names.secret_name(name), json.dumps(content))
    return application_id


def _seed_credential(workspace: WorkspaceClient) -> str:
    """The storage credential; returns its external id."""
    try:
        credential = workspace.storage_credentials.get(names.STORAGE_CREDENTIAL)
    except NotFound:
        credential = workspace.storage_credentials.create(
            name=names.STORAGE_CREDENTIAL,
            aws_iam_role=AwsIamRoleRequest(role_arn=names.role_arn(names.CATALOG_ROLE)),
            comment="The one role with rights on the lake and on the models.",
        )
    if credential.aws_iam_role is None or not credential.aws_iam_role.external_id:
        raise ValueError(f"The workspace named no external id for storage credential {names.STORAGE_CREDENTIAL}")
    return credential.aws_iam_role.external_id


def _seed_locations(workspace: WorkspaceClient) -> None:
    for name, url in names.EXTERNAL_LOCATIONS.items():
        try:
            workspace.external_locations.get(name)
        except NotFound:
            workspace.external_locations.create(name=name, url=url, credential_name=names.STORAGE_CREDENTIAL)


def _seed_catalog(workspace: WorkspaceClient) -> None:
    try:
        workspace.catalogs.get(names.CATALOG)
    except NotFound:
        workspace.catalogs.create(
            name=names.CATALOG,
            storage_root=names.CATALOG_STORAGE,
            comment="SEC filings, training examples and the models tuned on them.",
        )
    for schema, comment in names.SCHEMAS.items():
        try:
            workspace.schemas.get(f"{names.CATALOG}.{schema}")
        except NotFound:
            workspace.schemas.create(name=schema, catalog_name=names.CATALOG, comment=comment)
