"""Brings the catalog's grants to what the product declares, by the product's own command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from localcloud.seed.credentials import CredentialFiles
from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import PROJECT_ROOT


def apply_declared_grants(environment: Mapping[str, str], files: CredentialFiles) -> str:
    """Runs `govtune access apply` as the metastore admin; returns its last line.

    Raises LocalCloudError with its output when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "govtune_assets.cli", "access", "apply"],
        cwd=PROJECT_ROOT,
        env={**environment, "GOVTUNE_ADMIN_CREDENTIALS_FILE": str(files.admin)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    lines = done.stdout.strip().splitlines() or ["(no output)"]
    if done.returncode != 0:
        raise LocalCloudError("Granting the declared privileges failed:\n" + "\n".join(lines))
    return lines[-1]
