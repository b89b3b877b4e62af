"""The policies that are no part of `infra/`: those of the users who stand for Databricks' own AWS account."""

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


def tracking_user() -> dict[str, Any]:
    """MLflow's server: reads and writes the artifacts of runs, and nothing else."""
    bucket = f"arn:aws:s3:::{names.TRACKING_BUCKET}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{bucket}/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
        ],
    }
