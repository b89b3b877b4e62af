"""The base model in the work bucket, where training jobs take it from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud.seed import names

RECORD = "digest.json"


def upload_base_model(s3: Any, folder: Path) -> str:
    """Uploads the model folder unless the bucket holds the same one; says in one line what it did.

    The record with the digest goes up last, so that an interrupted upload is never taken for a whole one.
    """
    record = folder / RECORD
    if not record.exists():
        return f"no base model in {folder}: training jobs will fail until `make demo` or `make up` has made it"
    digest = _digest(record.read_bytes())
    if digest == _uploaded_digest(s3):
        return "base model is uploaded already"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != record)
    for path in [*files, record]:
        key = names.BASE_MODEL_PREFIX + path.relative_to(folder).as_posix()
        s3.upload_file(str(path), names.WORK_BUCKET, key)
    return f"base model uploaded ({sum(path.stat().st_size for path in files) / 2**20:.0f} MiB)"


def _digest(record: bytes) -> str:
    return str(json.loads(record)["digest"])


def _uploaded_digest(s3: Any) -> str | None:
    try:
        answer = s3.get_object(Bucket=names.WORK_BUCKET, Key=names.BASE_MODEL_PREFIX + RECORD)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return _digest(answer["Body"].read())
