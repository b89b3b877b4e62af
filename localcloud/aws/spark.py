"""A Spark job run as a command line: what was submitted, staged with the job's role, plus what the platform adds."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.aws.platform import JobCredentials, Platform
from localcloud.aws.staging import StagingError, download_object, extract_environment

DRIVER_ENV = "spark.emr-serverless.driverEnv."
SERVICE_CONF = "spark.emr-serverless."
_FILE_OPTIONS = ("--py-files", "--jars", "--files", "--archives")
_FILE_CONFS = ("spark.jars", "spark.submit.pyFiles", "spark.files")
_SIZE_OPTIONS = (
    "--driver-memory",
    "--driver-cores",
    "--executor-memory",
    "--executor-cores",
    "--num-executors",
    "--master",
    "--deploy-mode",
)
_LOG_LINE = re.compile(
    r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d (INFO|WARN|DEBUG)\b|^\s*$|^WARNING: |^Setting default log level"
)
ERROR_LINES = 12


class SubmitError(Exception):
    """A job that cannot be submitted as it was asked for."""


@dataclass(frozen=True)
class SparkJob:
    """What to run. The environment holds the role's credentials."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


@dataclass
class _Submission:
    """sparkSubmitParameters, taken apart."""

    options: list[str] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    confs: dict[str, str] = field(default_factory=dict)
    driver_environment: dict[str, str] = field(default_factory=dict)


def parse_parameters(parameters: str) -> _Submission:
    """Take sparkSubmitParameters apart. Raises SubmitError when they are no spark-submit options."""
    submission = _Submission()
    try:
        tokens = iter(shlex.split(parameters))
        for token in tokens:
            name, joined, value = token.partition("=")
            if not name.startswith("--"):
                raise SubmitError(f"sparkSubmitParameters: unexpected {token!r}")
            _take(submission, name, value if joined else next(tokens))
    except (ValueError, StopIteration) as error:
        raise SubmitError(f"sparkSubmitParameters cannot be read: {error or 'a value is missing'}") from error
    return submission


def _take(submission: _Submission, name: str, value: str) -> None:
    if name == "--conf":
        key, equals, setting = value.partition("=")
        if not equals:
            raise SubmitError(f"sparkSubmitParameters: --conf {value!r} has no value")
        if key.startswith(DRIVER_ENV):
            submission.driver_environment[key.removeprefix(DRIVER_ENV)] = setting
        elif not key.startswith(SERVICE_CONF):
            submission.confs[key] = setting
    elif name in _FILE_OPTIONS:
        submission.files.setdefault(name, []).extend(filter(None, value.split(",")))
    elif name not in _SIZE_OPTIONS:  # the platform gives every job the size of this machine
        submission.options += [name, value]


def spark_job(run: Any, folder: Path, credentials: JobCredentials, platform: Platform) -> SparkJob:
    """Stage a job run's files into `folder` with the job's role and build its command line.

    Raises SubmitError, or a botocore error when the role may not read a file.
    """
    driver = (run.job_driver or {}).get("sparkSubmit")
    if not driver:
        raise SubmitError("jobDriver.sparkSubmit is required")
    submission = parse_parameters(driver.get("sparkSubmitParameters") or "")
    s3 = credentials.client("s3")
    staged = folder / "staged"
    staged.mkdir()

    def stage(uri: str) -> str:
        return str(download_object(s3, uri, staged)) if uri.startswith(("s3://", "s3a://")) else uri

    try:
        for archive in [*submission.files.pop("--archives", []), *_listed(submission.confs.pop("spark.archives", ""))]:
            _unpack(archive, stage, folder, platform)
        files = {option: ",".join(map(stage, uris)) for option, uris in submission.files.items()}
        entry_point = stage(driver["entryPoint"])
        confs = _configuration(run, submission, credentials, platform, folder)
        for name in _FILE_CONFS:
            if name in confs:
                confs[name] = ",".join(map(stage, _listed(confs[name])))
    except StagingError as error:
        raise SubmitError(str(error)) from error
    properties = folder / "spark.properties"
    properties.write_text(_properties(confs), encoding="ascii")
    argv = [str(platform.settings.spark_submit), "--master", "local[2]", "--properties-file", str(properties)]
    argv += submission.options
    for option, value in files.items():
        argv += [option, value]
    argv += [entry_point, *(driver.get("entryPointArguments") or [])]
    environment = _environment(platform, folder) | submission.driver_environment | credentials.environment()
    return SparkJob(tuple(argv), environment)


def _listed(text: str) -> list[str]:
    """The addresses in a comma-separated list."""
    return [part for part in text.split(",") if part]


def _unpack(archive: str, stage: Callable[[str], str], folder: Path, platform: Platform) -> None:
    """Unpack `ADDRESS#NAME` as NAME in the working folder of driver and workers, as the service does."""
    address, _, name = archive.partition("#")
    if not address.endswith((".tar.gz", ".tgz")):
        raise SubmitError(f"--archives {archive}: only .tar.gz files are unpacked here")
    name = name or address.rsplit("/", 1)[-1]
    if Path(name).name != name or (folder / name).exists():
        raise SubmitError(f"--archives {archive}: {name!r} cannot be the name of its folder")
    extract_environment(Path(stage(address)), folder / name, platform.settings.spark_python.resolve())


def _environment(platform: Platform, folder: Path) -> dict[str, str]:
    python = str(platform.settings.spark_python)
    return {
        **platform.base_environment(folder),
        **_spark_home(platform.settings.spark_python),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "tmp"),
        "PYTHONUNBUFFERED": "1",
    }


def _spark_home(python: Path) -> dict[str, str]:
    """Where the Spark lies that was installed with this interpreter: a job's own interpreter does not have it."""
    jars = next(python.parent.parent.glob("lib/python3*/site-packages/pyspark/jars"), None)
    return {} if jars is None else {"SPARK_HOME": str(jars.parent)}


def _configuration(
    run: Any, submission: _Submission, credentials: JobCredentials, platform: Platform, folder: Path
) -> dict[str, str]:
    """The platform's defaults, the run's `spark-defaults`, the submitted confs, and what this machine dictates."""
    jars = platform.settings.spark_jars
    confs = _DELTA_DEFAULTS.copy() if jars else {}
    confs |= _SMALL_DEFAULTS
    for block in (run.configuration_overrides or {}).get("applicationConfiguration") or []:
        if block.get("classification") == "spark-defaults":
            confs |= {
                name: value
                for name, value in (block.get("properties") or {}).items()
                if not name.startswith(SERVICE_CONF)
            }
    confs |= submission.confs
    options = confs.get("spark.driver.extraJavaOptions", "")
    confs["spark.driver.extraJavaOptions"] = (
        f"-XX:TieredStopAtLevel=1 -Djava.io.tmpdir={folder / 'tmp'} {options}".strip()
    )
    if jars:
        added = confs.get("spark.driver.extraClassPath", "")
        confs["spark.driver.extraClassPath"] = os.pathsep.join(filter(None, (str(jars / "*"), added)))
    return (
        confs
        | _DICTATED
        | {
            "spark.hadoop.fs.s3a.endpoint": credentials.endpoint,
            "spark.hadoop.fs.s3a.endpoint.region": credentials.region,
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
        }
    )


_SMALL_DEFAULTS = {
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    # Compiling a stage costs more than running it over a few hundred rows.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
_DELTA_DEFAULTS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
_DICTATED = {
    "spark.driver.memory": "1g",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.dynamicAllocation.enabled": "false",
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
}


def _properties(confs: Mapping[str, str]) -> str:
    """`confs` as a Java properties file, in ASCII."""

    def escaped(text: str, extra: str = "") -> str:
        out = []
        for character in text:
            if character in "\\" + extra:
                out.append("\\" + character)
            elif " " <= character <= "~":
                out.append(character)
            else:
                units = character.encode("utf-16-be")
                out += [f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)]
        return "".join(out)

    return "".join(f"{escaped(name, ' :=#!')}={_led(escaped(value))}\n" for name, value in sorted(confs.items()))


def _led(value: str) -> str:
    return "\\" + value if value.startswith(" ") else value


def last_error_lines(stderr: Iterable[str], stdout: Iterable[str]) -> list[str]:
    """The last lines of a driver that are no ordinary log lines; of its output when it wrote no errors."""
    for lines in (stderr, stdout):
        told = [line for line in lines if not _LOG_LINE.search(line)]
        if told:
            return told[-ERROR_LINES:]
    return []
