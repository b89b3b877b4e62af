"""Fetch the jars that the Spark payload needs on top of pyspark's own, as `constraints/jars.lock` names them.

What belongs here: reading and renewing that lock, and filling one folder with exactly its jars.

    python tools/jars.py [fetch] [--into .cache/jars]     what `make` runs
    python tools/jars.py lock                             renew the lock after changing ROOTS

Run it with the environment that has pyspark: the download is made by Apache Ivy, which pyspark ships, on the
JDK that Spark needs anyway, so neither Maven nor a client of our own is required. Ivy knows Maven Central; a
mirror is taken from MAVEN_MIRROR_URL, else from the first Maven settings file (the user's, $M2_HOME's,
$MAVEN_HOME's, /etc/maven's) with a <mirror> of `central`. Every jar is checked against the lock's SHA-256
before it gets its name, so a half download or a false mirror never ends on a class path.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "constraints" / "jars.lock"
FOLDER = PROJECT / ".cache" / "jars"
FETCH_SECONDS = 1800

# What the payload asks for by name; the rest of the lock follows from it. hadoop-aws must equal pyspark's
# hadoop-client, and the AWS SDK the one that this hadoop-aws was built with (docs/decisions/spark-jars.md).
ROOTS = (
    "io.delta:delta-spark_4.0_2.13:4.4.0",
    "io.unitycatalog:unitycatalog-client:0.6.0",
    "io.unitycatalog:unitycatalog-hadoop:0.6.0",
    "org.apache.hadoop:hadoop-aws:3.4.1",
    "software.amazon.awssdk:s3:2.29.52",
    "software.amazon.awssdk:s3-transfer-manager:2.29.52",
    "software.amazon.awssdk:sts:2.29.52",
)
# The all-services SDK bundle is 600 MB, of which S3A loads what the three SDK roots bring.
EXCLUDED = ("software.amazon.awssdk:bundle",)

COORDINATE = re.compile(r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+")
SHA256 = re.compile(r"[0-9a-f]{64}")


class JarError(Exception):
    """A jar could not be had or is not what the lock says; the message tells what to do."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock: a Maven coordinate (group:artifact:version) and the jar's SHA-256."""

    coordinate: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name it has in the folder, `artifact-version.jar`."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_lock(path: Path) -> list[Jar]:
    """Return the lock's jars. Raises JarError for a line of another form or a file name that comes twice."""
    jars: dict[str, Jar] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not COORDINATE.fullmatch(words[0]) or not SHA256.fullmatch(words[1]):  # noqa: PLR2004
            raise JarError(f"{path}:{number}: expected 'group:artifact:version sha256', got {line!r}")
        jar = Jar(*words)
        if jars.setdefault(jar.file_name, jar) is not jar:
            raise JarError(f"{path}:{number}: {jar.file_name} comes twice")
    return list(jars.values())


def write_lock(path: Path, jars: Iterable[Jar]) -> None:
    """Write the lock, sorted, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(f"{jar.coordinate} {jar.sha256}\n" for jar in jars), "utf-8")
    part.replace(path)


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _takes_central(mirror_of: str) -> bool:
    """Whether a <mirrorOf> value covers the repository `central` (Maven's guide to mirror settings)."""
    patterns = [pattern.strip() for pattern in mirror_of.split(",")]
    return "!central" not in patterns and any(p in ("*", "central", "external:*") for p in patterns)


def _mirror_in(settings: Path) -> str | None:
    try:
        root = ET.parse(settings).getroot()  # noqa: S314  the user's own settings, as Maven itself reads them
    except ET.ParseError as error:
        raise JarError(f"{settings} is not XML ({error}): mend it, or set MAVEN_MIRROR_URL") from error
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        if mirror.findtext("{*}blocked") != "true" and _takes_central(mirror.findtext("{*}mirrorOf") or ""):
            url = (mirror.findtext("{*}url") or "").strip()
            return re.sub(r"\$\{env\.(\w+)\}", lambda name: os.environ.get(name[1], ""), url)
    return None


def mirror_url() -> str | None:
    """Return the mirror that the user's settings name for Maven Central, or None for Central itself."""
    if url := os.environ.get("MAVEN_MIRROR_URL", "").strip():
        return url
    homes = [os.environ[name] for name in ("M2_HOME", "MAVEN_HOME") if os.environ.get(name)]
    files = [Path.home() / ".m2", *(Path(home) / "conf" for home in homes), Path("/etc/maven")]
    found = (_mirror_in(folder / "settings.xml") for folder in files if (folder / "settings.xml").is_file())
    return next((url for url in found if url), None)


def spark_jars() -> Path:
    """Return the folder of the jars that pyspark ships. Raises JarError where pyspark is not installed."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise JarError(f"{sys.executable} has no pyspark: make the environment first (make env)")
    return Path(spec.origin).parent / "jars"


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME={home}" if home else "PATH"
        raise JarError(f"no java in {where}: install JDK 17 and set JAVA_HOME to it")
    return java


def _ivy_jar() -> Path:
    found = sorted(spark_jars().glob("ivy-*.jar"))
    if not found:
        raise JarError(f"{spark_jars()} holds no Ivy: reinstall pyspark")
    return found[0]


def _settings_xml(*, transitive: bool) -> str:
    mirror = mirror_url()
    root = f" root={quoteattr(mirror.rstrip('/') + '/')}" if mirror else ""
    poms = "true" if transitive else "false"
    return (
        '<ivysettings><settings defaultResolver="maven"/><property name="ivy.checksums" value=""/>'
        f'<resolvers><ibiblio name="maven" m2compatible="true" usepoms="{poms}"{root}/></resolvers>'
        "</ivysettings>"
    )


def _module_xml(coordinates: Iterable[str], *, transitive: bool) -> str:
    """An Ivy module that depends on exactly the coordinates, or also on all that these need to run."""
    conf = "default->master,compile,runtime" if transitive else "default"
    lines = [
        '<ivy-module version="2.0"><info organisation="govtune" module="jars"/>',
        '<configurations><conf name="default"/></configurations><dependencies>',
    ]
    for coordinate in coordinates:
        group, artifact, version = coordinate.split(":")
        flag = "true" if transitive else "false"
        lines.append(f'<dependency org="{group}" name="{artifact}" rev="{version}" conf="{conf}" transitive="{flag}"/>')
    for coordinate in EXCLUDED if transitive else ():
        group, artifact = coordinate.split(":")
        lines.append(f'<exclude org="{group}" module="{artifact}"/>')
    return "\n".join([*lines, "</dependencies></ivy-module>"])


def retrieve(coordinates: Sequence[str], into: Path, *, transitive: bool) -> None:
    """Download jars with Ivy into `into`/group/artifact-version.jar.

    Raises JarError with Ivy's own words when something is missing or the repository does not answer.
    """
    settings, module = into / "ivysettings.xml", into / "ivy.xml"
    settings.write_text(_settings_xml(transitive=transitive), "utf-8")
    module.write_text(_module_xml(coordinates, transitive=transitive), "utf-8")
    pattern = f"{into}/jars/[organisation]/[artifact]-[revision].[ext]"
    command = [_java(), "-jar", str(_ivy_jar()), "-settings", str(settings), "-ivy", str(module)]
    command += ["-cache", str(into / "cache"), "-retrieve", pattern, "-types", "jar", "bundle"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise JarError(f"no end after {FETCH_SECONDS} s: check the network, then try again") from error
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if "::" in line or "ERR" in line]
        where = mirror_url() or "Maven Central"
        raise JarError(
            f"could not get all jars from {where}:\n  "
            + "\n  ".join(said[-12:] or done.stderr.splitlines()[-5:])
            + "\n(a mirror is set by MAVEN_MIRROR_URL or in ~/.m2/settings.xml; a proxy by JAVA_TOOL_OPTIONS)"
        )


def fetch(jars: Sequence[Jar], into: Path) -> int:
    """Make `into` hold exactly these jars; return how many were downloaded.

    The folder keeps a copy of the lock it was filled from, so that jars of an older lock go and jars that
    somebody else put there are an error rather than a surprise on the class path.
    """
    into.mkdir(parents=True, exist_ok=True)
    _clear_outdated(jars, into)
    missing = [jar for jar in jars if not _is_there(jar, into / jar.file_name)]
    if missing:
        with tempfile.TemporaryDirectory(dir=into, prefix=".fetch-") as folder:
            retrieve([jar.coordinate for jar in missing], Path(folder), transitive=False)
            for jar in missing:
                _accept(jar, Path(folder) / "jars" / jar.coordinate.split(":")[0] / jar.file_name, into)
    write_lock(into / LOCK.name, jars)
    return len(missing)


def _is_there(jar: Jar, path: Path) -> bool:
    return path.is_file() and sha256_of(path) == jar.sha256


def _clear_outdated(jars: Sequence[Jar], into: Path) -> None:
    wanted = {jar.file_name for jar in jars}
    ours = wanted | ({jar.file_name for jar in read_lock(into / LOCK.name)} if (into / LOCK.name).is_file() else set())
    for path in into.glob("*.jar"):
        if path.name not in ours:
            raise JarError(f"{path} is not in the lock: move it away, or choose another folder with --into")
        if path.name not in wanted:
            path.unlink()


def _accept(jar: Jar, downloaded: Path, into: Path) -> None:
    if not downloaded.is_file():
        raise JarError(f"{jar.coordinate}: the repository has no such jar: see constraints/jars.lock")
    digest = sha256_of(downloaded)
    if digest != jar.sha256:
        raise JarError(
            f"{jar.coordinate}: SHA-256 is {digest}, the lock says {jar.sha256}: the repository serves another file"
        )
    downloaded.replace(into / jar.file_name)


def _module_name(file_name: str) -> str:
    """The artifact of `artifact-version.jar`, the version being what starts at the first `-<digit>`."""
    return re.sub(r"-\d.*\.jar$", "", file_name)


def renew_lock(path: Path) -> list[Jar]:
    """Resolve ROOTS, leave out what pyspark ships in whatever version, write the lock and return it."""
    shipped = {_module_name(jar.name) for jar in spark_jars().glob("*.jar")}
    with tempfile.TemporaryDirectory(prefix="govtune-jars-") as folder:
        retrieve(ROOTS, Path(folder), transitive=True)
        found = [file for file in (Path(folder) / "jars").glob("*/*.jar") if _module_name(file.name) not in shipped]
        jars = [Jar(f"{file.parent.name}:{_split(file.name)}", sha256_of(file)) for file in found]
    write_lock(path, sorted(jars, key=lambda jar: jar.coordinate))
    return jars


def _split(file_name: str) -> str:
    artifact = _module_name(file_name)
    return f"{artifact}:{file_name[len(artifact) + 1 : -len('.jar')]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description="Fetch the jars of constraints/jars.lock, or renew that lock.")
    parser.add_argument("command", nargs="?", choices=("fetch", "lock"), default="fetch")
    parser.add_argument("--lock", type=Path, default=LOCK, help="the lock file (default: %(default)s)")
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder for the jars (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if options.command == "lock":
            print(f"{options.lock}: {len(renew_lock(options.lock))} jars")
        else:
            jars = read_lock(options.lock)
            got = fetch(jars, options.into.resolve())
            print(f"{options.into}: {len(jars)} jars, {got} downloaded")
    except (JarError, OSError) as error:
        print(f"jars: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
