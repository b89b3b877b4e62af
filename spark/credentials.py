"""How a vended credential reaches S3A: as options of one read or write, never as a property of the session.

Two tables in one bucket need two credentials at once, while Hadoop keeps one file system for a bucket.
`unitycatalog-hadoop` solves that: its file system keeps a client for each credential, and its credential provider
asks the catalog again before a credential expires. The option names below are those that its 0.6.0
(`UCHadoopConfConstants`, pinned in constraints/jars.lock) reads.

Its own entry point, UCCredentialHadoopConfs, is not used: with OAuth it copies the client secret into every
option map, and it vends apart from `unitydoor`, so that refusals and records would be others. Here the catalog's
answer to `unitydoor` is what S3A uses, and renewal has the principal's access token and no secret. The token ends
within the hour, so an action gets no further than its token: `spark.tables` gives each a fresh one. See
docs/decisions/spark-credentials.md.
"""

from __future__ import annotations

import re

from unitydoor.transport import RUN_PRODUCT
from unitydoor.vending import Grant

_PACKAGE = "io.unitycatalog.hadoop.internal"
_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"
_S3A_CONTEXT = "org.apache.hadoop.fs.s3a.S3A"
_REFUSED_RENEWAL = re.compile(
    r"io\.unitycatalog\.client\.ApiException: generateTemporary\w+Credentials call failed with: (40[13])"
    r'(?: - \{[^\n]*?"message" ?: ?"([^"\n]{1,200}))?'
)


def hadoop_options(grant: Grant, *, host: str, token: str, table_id: str | None, run_id: str = "") -> dict[str, str]:
    """Return the options of reads and writes under one grant; they hold secrets and must not be printed.

    Args:
        grant: what the catalog vended.
        host: base URL of the workspace, where the credential is renewed.
        token: access token of the grant's principal.
        table_id: the table's id when the grant is for a table, None when it is for the path `grant.securable`.
        run_id: named in the user agent when the credential is renewed, as the door names it when it is vended.
    """
    life = grant.expires_at - grant.granted_at
    options = {
        "fs.s3a.aws.credentials.provider": f"{_PACKAGE}.auth.AwsVendedTokenProvider",
        "fs.s3a.init.access.key": grant.access_key_id,
        "fs.s3a.init.secret.key": grant.secret_access_key,
        "fs.s3a.init.session.token": grant.session_token,
        "fs.s3a.init.credential.expired.time": str(int(grant.expires_at.timestamp() * 1000)),
        "fs.unitycatalog.uri": host,
        "fs.unitycatalog.auth.type": "static",
        "fs.unitycatalog.auth.token": token,
        # The library's own 30 s, and half the life of a credential that lives less than a minute.
        "fs.unitycatalog.renewal.leadTimeMillis": str(min(30_000, int(life.total_seconds() * 500))),
        # Clients and credentials are cached by this id: one a grant, so that none is used beyond its own.
        "fs.unitycatalog.cred.context.id": grant.access_key_id,
    }
    if run_id:
        options[f"fs.unitycatalog.engine.version.{RUN_PRODUCT}"] = run_id
    for scheme in ("s3", "s3a"):
        options[f"fs.{scheme}.impl"] = f"{_PACKAGE}.fs.CredScopedFileSystem"
        options[f"fs.{scheme}.impl.original"] = _S3A
        options[f"fs.{scheme}.impl.disable.cache"] = "true"
        options[f"fs.AbstractFileSystem.{scheme}.impl"] = f"{_PACKAGE}.fs.CredScopedFs"
        options[f"fs.AbstractFileSystem.{scheme}.impl.original"] = _S3A_CONTEXT
    if table_id is None:
        return options | {
            "fs.unitycatalog.credentials.type": "path",
            "fs.unitycatalog.path": grant.securable,
            "fs.unitycatalog.path.operation": grant.operation,
        }
    return options | {
        "fs.unitycatalog.credentials.type": "table",
        "fs.unitycatalog.table.id": table_id,
        "fs.unitycatalog.table.operation": grant.operation,
    }


def refused_renewal(trace: str) -> str | None:
    """What to say of a Java stack trace in which the catalog refused to renew a credential; None for any other."""
    found = _REFUSED_RENEWAL.search(trace)
    if found is None:
        return None
    return (
        "the catalog refused to renew a credential in the middle of an action "
        f"(HTTP {found[1]}: {found[2] or 'no text'}). An action of Spark cannot outlast the access token that it began "
        "with, an hour on Databricks: give the job less at a time or more executors. If it ran for less, see whether "
        "its principal was disabled or lost a privilege"
    )
