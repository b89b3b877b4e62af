"""The one policy that is no part of `infra/`: that of the user who stands for Databricks' own AWS account."""

from __future__ import annotations

from typing import Any

from localcloud.seed import names


def catalog_user() -> dict[str, Any]:
    """The catalog's own AWS identity: may become the storage credential's role and deliver its audit log."""
    delivered = f"arn:aws:s3:::{names.AUDIT_BUCKET}/{names.CATALOG_AUDIT_PREFIX}/*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": names.role_arn(names.CATALOG_ROLE)},
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": delivered},
        ],
    }
