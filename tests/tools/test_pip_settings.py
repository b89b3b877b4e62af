"""pip's settings reach uv, and never reach the screen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import pip_settings
from tools.pip_settings import PipSettingsError, parse

MIRROR = "https://someone:s3cret@mirror.example/simple"


def test_every_setting_becomes_uvs_own(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    listing = f"""
        global.index-url='{MIRROR}'
        global.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'
        global.find-links='{wheels} /nonexistent https://links.example/'
        global.trusted-host='mirror.example'
        global.cert='/etc/ssl/own.pem'
        global.client-cert='/etc/ssl/client.pem'
        global.proxy='http://proxy.example:3128'
        global.timeout='60'
        global.disable-pip-version-check='1'
    """
    found = parse(listing).environment({})
    assert found == {
        "UV_DEFAULT_INDEX": MIRROR,
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{wheels},https://links.example/",
        "UV_INSECURE_HOST": "mirror.example",
        "UV_HTTP_TIMEOUT": "60",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "SSL_CLIENT_CERT": "/etc/ssl/client.pem",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }


def test_nothing_set_means_nothing_added() -> None:
    assert parse("").environment({"HOME": "/home/someone"}) == {"HOME": "/home/someone"}


def test_what_is_set_for_uv_itself_wins() -> None:
    settings = parse(f"global.index-url='{MIRROR}'")
    own = {"UV_DEFAULT_INDEX": "https://uv.example/simple"}
    assert settings.environment(own) == own


def test_the_install_section_wins_over_global_and_the_environment_over_both() -> None:
    listing = ":env:.timeout='3'\nglobal.timeout='1'\ninstall.timeout='2'\ndownload.timeout='9'"
    assert parse(listing).environment({})["UV_HTTP_TIMEOUT"] == "3"
    assert parse("install.timeout='2'\nglobal.timeout='1'").environment({})["UV_HTTP_TIMEOUT"] == "2"


@pytest.mark.parametrize(("value", "arguments"), [("true", ["--no-index"]), ("1", ["--no-index"]), ("no", [])])
def test_no_index_is_an_argument(value: str, arguments: list[str]) -> None:
    assert parse(f"global.no-index='{value}'").uv_arguments() == arguments


def test_a_folder_of_certificates_is_a_folder_for_uv(tmp_path: Path) -> None:
    assert parse(f"global.cert='{tmp_path}'").environment({}) == {"SSL_CERT_DIR": str(tmp_path)}


def test_addresses_and_passwords_are_removed_from_output() -> None:
    settings = parse(f"global.index-url='{MIRROR}'\n:env:.trusted-host='inner.example'")
    shown = settings.redact(f"no answer from {MIRROR}/uv/, mirror.example or inner.example; password s3cret")
    assert "example" not in shown
    assert "s3cret" not in shown
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("listing", ["no separator", "index-url='x'", "global.index-url=open('/etc/passwd')"])
def test_an_unknown_listing_is_refused_without_repeating_it(listing: str) -> None:
    with pytest.raises(PipSettingsError) as refusal:
        parse(listing)
    assert listing not in str(refusal.value)


def test_pip_itself_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {MIRROR}\nextra-index-url =\n    https://a.example\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "77")
    found = pip_settings.read(Path(sys.executable)).environment({})
    assert found["UV_DEFAULT_INDEX"] == MIRROR
    assert found["UV_INDEX"] == "https://a.example"
    assert found["UV_HTTP_TIMEOUT"] == "77"


def test_a_broken_configuration_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text("no section here\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    with pytest.raises(PipSettingsError, match="Mend pip's configuration"):
        pip_settings.read(Path(sys.executable))


def test_uv_takes_the_variables(tmp_path: Path) -> None:
    """An index that refuses connections: uv must ask it and no other."""
    settings = parse("global.index-url='http://127.0.0.1:9/simple'")
    uv = Path(sys.executable).parent / "uv"
    command = [str(uv), "pip", "install", "--no-cache", "--dry-run", "--target", str(tmp_path), "idna==3.20"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UV_")}
    done = subprocess.run(
        command,
        env={**settings.environment(environment), "UV_HTTP_RETRIES": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "127.0.0.1:9" in done.stderr
    assert "127.0.0.1" not in settings.redact(done.stderr)
