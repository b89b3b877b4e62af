"""Packs what a Spark job needs beyond its EMR release and puts it into S3: jars, and a Python environment.

The environment is an archive that Spark unpacks beside the job (`--archives`, see `spark_arguments`): the wheels of
constraints/spark.txt, unpacked, and a link to the release's own Python. The installer is told the target platform,
so that any machine packs the same. Bytes depend on the locked wheels alone (fixed order, times, modes and owners);
each file's address in S3 has its content's digest.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from govtune_assets.payloads import PROJECT_ROOT

LOCK = PROJECT_ROOT / "constraints" / "spark.txt"
JARS = PROJECT_ROOT / ".cache" / "jars"
PYTHON_VERSION, PLATFORM = "3.11", "x86_64-manylinux_2_28"
"""What emr-spark-8.0.0 brings on Amazon Linux 2023: glibc 2.34, and Python 3.11 beside the system's own."""
RELEASE_PYTHON = f"/usr/bin/python{PYTHON_VERSION}"
FOLDER = "environment"
"""The name under which Spark unpacks the archive in each process's working folder."""
PYTHON_IN_JOB = f"./{FOLDER}/bin/python"
PREFIX = "code/spark/packages"
"""Where packages lie in the work bucket: under what the EMR role may read."""
LACKING = ("unitycatalog-", "jackson-databind-nullable-", "jackson-datatype-jdk8-", "javax.annotation-api-")
"""Jars of the lock that the EMR release lacks, by the start of their names; the others it brings itself."""
UNUSED = frozenset({"__pycache__", "tests", "RECORD", "direct_url.json", "uv_cache.json", ".lock"})
"""Names of files and folders that no job imports; RECORD holds digests of scripts, which name their interpreter."""
INSTALL_SECONDS = 1200
COMPRESSION = 4
"""Of gzip's 1 to 9: the higher levels take minutes for a few MiB."""


class NotPackaged(Exception):
    """The package could not be made; the message says what to do."""


@dataclass(frozen=True)
class Package:
    """Where the parts lie: S3 addresses of the environment and of the jars."""

    environment: str
    jars: tuple[str, ...]

    def settings(self) -> list[str]:
        """The settings that make jobs use it, as lines of a shell or an env file."""
        return [f"GOVTUNE_SPARK_ENVIRONMENT={self.environment}", f"GOVTUNE_SPARK_JARS={','.join(self.jars)}"]


def spark_arguments(environment: str) -> list[str]:
    """The spark-submit parameters with which a job on EMR Serverless runs in the archive's Python.

    Source: EMR Serverless user guide, "Using Python libraries with EMR Serverless".
    """
    variables = (
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON",
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON",
        "spark.executorEnv.PYSPARK_PYTHON",
    )
    return [f"--archives {environment}#{FOLDER}", *(f"--conf {name}={PYTHON_IN_JOB}" for name in variables)]


def package(s3: Any, bucket: str) -> Package:
    """Pack and upload everything; what lies in the bucket already is not sent again.

    Raises:
        NotPackaged: the jars are not there, or a wheel could not be had.
    """
    jars = sorted(path for path in JARS.glob("*.jar") if path.name.startswith(LACKING))
    if not jars:
        raise NotPackaged(f"{JARS} holds no jars: run `python tools/jars.py` first")
    with tempfile.TemporaryDirectory(prefix="govtune-package-") as folder:
        tree, archive = Path(folder, FOLDER), Path(folder, f"{FOLDER}.tar.gz")
        install(tree)
        pack(tree, archive)
        environment = put(s3, bucket, archive)
        return Package(environment, tuple(put(s3, bucket, jar) for jar in jars))


def install(tree: Path, python: str = RELEASE_PYTHON) -> None:
    """Make the environment's folder: site-packages out of the lock, and a link to the interpreter.

    `python` is the interpreter's path on the machine where the environment will run. Raises NotPackaged.
    """
    command = [
        _uv(),
        "pip",
        "install",
        "--quiet",
        "--target",
        str(tree / "lib" / f"python{PYTHON_VERSION}" / "site-packages"),
    ]
    command += ["--python-version", PYTHON_VERSION, "--python-platform", PLATFORM, "--python", sys.executable]
    command += ["--only-binary", ":all:", "--no-deps", "--require-hashes", "--link-mode", "copy", "-r", str(LOCK)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotPackaged(
            f"the wheels of {LOCK.name} could not be installed: {last}. Check the package index, then retry"
        )
    shutil.rmtree(tree / "lib" / f"python{PYTHON_VERSION}" / "site-packages" / "bin", ignore_errors=True)
    binaries = tree / "bin"
    binaries.mkdir()
    for name in ("python", "python3", f"python{PYTHON_VERSION}"):
        (binaries / name).symlink_to(python)
    home = PurePosixPath(python).parent
    (tree / "pyvenv.cfg").write_text(
        f"home = {home}\ninclude-system-site-packages = false\nversion = {PYTHON_VERSION}\n", "utf-8"
    )


def pack(tree: Path, archive: Path) -> None:
    """Write the folder as a gzipped tar whose bytes depend on names and contents alone."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0, compresslevel=COMPRESSION) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in _files(tree):
            entry = tarfile.TarInfo(path.relative_to(tree).as_posix())
            entry.mode = 0o755 if path.suffix == ".so" or ".so." in path.name else 0o644
            if path.is_symlink():
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
                tar.addfile(entry)
                continue
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)


def put(s3: Any, bucket: str, file: Path) -> str:
    """Upload a file under its content's SHA-256 unless it is there, and return its address."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    key = f"{PREFIX}/{digest}/{file.name}"
    try:
        there = s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == file.stat().st_size
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (403, 404):  # 403: no right to list
            raise
        there = False
    if not there:
        s3.upload_file(str(file), bucket, key)
    return f"s3://{bucket}/{key}"


def _files(tree: Path) -> Iterator[Path]:
    """Every file and link, sorted by its path in the archive, less what no job imports."""
    found = []
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if name not in UNUSED]
        found += [Path(folder, name) for name in files if name not in UNUSED]
    return iter(sorted(found, key=lambda path: path.relative_to(tree).as_posix()))


def _uv() -> str:
    """The installer that stands beside this interpreter, or on PATH."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise NotPackaged("uv is not installed: run `make`, or pip install uv")
    return found
