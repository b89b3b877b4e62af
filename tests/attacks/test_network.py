"""The servers of the local cloud from elsewhere: other interfaces, other host names, bodies without end."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.attacks.conftest import Ground
from tests.attacks.web import ask, bearer

pytestmark = pytest.mark.integration

SERVERS = {"aws": "AWS_ENDPOINT_URL", "databricks": "GOVTUNE_DATABRICKS_HOST", "edgar": "GOVTUNE_EDGAR_WWW_URL"}
LISTENING = "0A"
LOOPBACK_IN_PROC = "0100007F"  # 127.0.0.1 as /proc/net/tcp writes it
MIB = 2**20


def listeners(port: int) -> list[str]:
    """Local addresses that listen on a port, as the kernel lists them."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == LISTENING and int(address.rsplit(":", 1)[1], 16) == port:
                found.append(address.rsplit(":", 1)[0])
    return found


def other_addresses() -> list[str]:
    """Addresses of this machine that are not loopback."""
    known = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in known if not str(entry[4][0]).startswith("127.")})


@pytest.mark.parametrize("server", SERVERS)
def test_servers_listen_on_loopback_alone(ground: Ground, server: str) -> None:
    port = urlsplit(ground.cloud.env[SERVERS[server]]).port
    assert port is not None
    assert listeners(port) == [LOOPBACK_IN_PROC]
    for address in other_addresses():
        with pytest.raises(OSError):
            socket.create_connection((address, port), timeout=2)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "169.254.169.254"]
)
@pytest.mark.parametrize(
    ("server", "path"),
    [
        ("aws", "/"),
        ("aws", "/govtune-lake/raw/delta/attacked/part"),
        ("databricks", "/api/2.1/unity-catalog/catalogs"),
        ("databricks", "/oidc/v1/token"),
    ],
)
def test_another_host_name_is_refused(ground: Ground, server: str, path: str, host: str) -> None:
    """A web page can point a name of its own at loopback (DNS rebinding): its Host header gives it away."""
    address = ground.cloud.env[SERVERS[server]]
    headers = {**bearer(ground.token(ground.loader)), "Host": host}
    for method in ("GET", "POST"):
        status, body = ask(address, method, path, headers=headers)
        assert status in {403, 404}
        assert b"govtune" not in body


def test_the_workspace_takes_no_endless_body(ground: Ground) -> None:
    headers = bearer(ground.token(ground.loader))
    status, body = ask(ground.host, "POST", "/api/2.1/unity-catalog/schemas", body=b" " * (5 * MIB), headers=headers)
    assert status == 413, body


@pytest.mark.parametrize("path", ["/", "/govtune-lake/raw/delta/attacked/part"])
def test_aws_takes_no_body_of_somebody_unknown(ground: Ground, path: str) -> None:
    """Refused by its head: an unsigned or oversized request must not fill the server's memory first."""
    parts = urlsplit(ground.endpoint)
    for head in (f"Content-Length: {64 * 1024 * MIB}", "Content-Length: -1", "Content-Length: x"):
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as link:
            link.sendall(f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
            first = link.makefile("rb").readline()
            assert first.split()[1] in {b"400", b"403", b"413"}, first
    assert ask(ground.endpoint, "GET", "/_localcloud/health")[0] == 200
