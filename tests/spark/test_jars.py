"""The tool that fills the jar folder, against a Maven repository on loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools import jars
from tools.jars import Jar, JarError

CONTENT = b"a jar"
GOOD = Jar("org.example:thing:1.0", hashlib.sha256(CONTENT).hexdigest())


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests' output is no access log."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with one jar, named as the user's mirror."""
    root = tmp_path / "repository"
    jar = root / "org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MAVEN_MIRROR_URL", f"http://127.0.0.1:{server.server_port}")
    yield root
    server.shutdown()
    server.server_close()


def test_the_committed_lock_names_what_the_payload_asks_for() -> None:
    coordinates = {jar.coordinate for jar in jars.read_lock(jars.LOCK)}
    assert coordinates >= set(jars.ROOTS)
    assert not [name for name in coordinates if name.startswith(jars.EXCLUDED)]
    shipped = {jars._module_name(path.name) for path in jars.spark_jars().glob("*.jar")}
    assert not [name for name in coordinates if name.split(":")[1] in shipped]


def test_fetches_once_and_mends_what_is_damaged(mirror: Path, tmp_path: Path) -> None:
    into = tmp_path / "jars"
    assert jars.fetch([GOOD], into) == 1
    assert jars.fetch([GOOD], into) == 0
    (into / GOOD.file_name).write_bytes(b"damaged")
    assert jars.fetch([GOOD], into) == 1
    assert (into / GOOD.file_name).read_bytes() == CONTENT
    assert sorted(path.name for path in into.iterdir()) == ["jars.lock", "thing-1.0.jar"]


def test_another_file_is_refused_and_leaves_nothing(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(JarError, match="the lock says 0000"):
        jars.fetch([Jar(GOOD.coordinate, "0" * 64)], tmp_path / "jars")
    assert not list((tmp_path / "jars").iterdir())


def test_an_absent_jar_is_named(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(JarError, match=r"(?s)127\.0\.0\.1.*org\.example#gone;1\.0: not found"):
        jars.fetch([Jar("org.example:gone:1.0", "0" * 64)], tmp_path / "jars")


def test_jars_of_an_older_lock_go_and_foreign_ones_are_an_error(mirror: Path, tmp_path: Path) -> None:
    into = tmp_path / "jars"
    jars.fetch([GOOD], into)
    jars.fetch([], into)
    assert not list(into.glob("*.jar"))
    (into / "mine.jar").write_bytes(b"")
    with pytest.raises(JarError, match=r"mine\.jar is not in the lock"):
        jars.fetch([GOOD], into)
    assert (into / "mine.jar").exists()


@pytest.mark.parametrize(
    "line", ["org.example:thing 00", "org.example:thing:1.0", f"../x:y:1 {'0' * 64}", f"g:a:1 {'0' * 63}"]
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text(f"{GOOD.coordinate} {GOOD.sha256}\n{line}\n")
    with pytest.raises(JarError, match=r"jars\.lock:2: expected"):
        jars.read_lock(lock)


SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>
<mirror><id>a</id><mirrorOf>external:http:*</mirrorOf><url>http://0.0.0.0/</url><blocked>true</blocked></mirror>
<mirror><id>b</id><mirrorOf>*,!central</mirrorOf><url>https://not-central.example/</url></mirror>
<mirror><id>c</id><mirrorOf>{of}</mirrorOf><url>https://${{env.MIRROR_HOST}}/maven2</url></mirror>
</mirrors></settings>"""


@pytest.mark.parametrize("of", ["central", "*", "external:*", "other, central"])
def test_mirror_of_the_users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    monkeypatch.delenv("MAVEN_MIRROR_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MIRROR_HOST", "mirror.example")
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2" / "settings.xml").write_text(SETTINGS.format(of=of))
    assert jars.mirror_url() == "https://mirror.example/maven2"
    monkeypatch.setenv("MAVEN_MIRROR_URL", "https://first.example/")
    assert jars.mirror_url() == "https://first.example/"
