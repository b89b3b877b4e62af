"""Carries the package client's own settings over to uv, so that a mirror configured for pip is used by both.

Reads what `pip config list` reports (its files and `PIP_*` variables), and gives uv's variables for the same.
Values may hold passwords: they are never printed, never put on a command line, and are removed from output.
"""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PRECEDENCE = ("global", "install", ":env:")
FALSE_WORDS = {"", "0", "false", "no", "off", "n", "f"}


class PipSettingsError(Exception):
    """pip could not report its settings."""


@dataclass(frozen=True)
class PipSettings:
    """pip's effective settings by option name, for example `index-url`; hidden in repr."""

    options: Mapping[str, str] = field(repr=False)

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` and uv's variables for the settings; what the user set for uv itself is left as it is."""
        return {**self._uv_variables(), **base}

    def uv_arguments(self) -> list[str]:
        """The settings for which uv has no variable."""
        return ["--no-index"] if self._flag("no-index") else []

    def redact(self, text: str) -> str:
        """`text` without the addresses, hosts and paths that the settings name."""
        secrets: set[str] = set()
        for name in ("index-url", "extra-index-url", "find-links", "proxy", "trusted-host"):
            for value in self._words(name):
                parts = urlsplit(value if "//" in value else f"//{value}")
                secrets |= {value, parts.netloc, parts.hostname or "", parts.password or ""}
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, "<configured>")
        return text

    def _uv_variables(self) -> dict[str, str]:
        extra = self._words("extra-index-url")
        links = [link for link in self._words("find-links") if "://" in link or Path(link).exists()]
        proxy = self.options.get("proxy", "")
        found = {
            "UV_DEFAULT_INDEX": self.options.get("index-url", ""),
            "UV_INDEX": " ".join(extra),
            # pip takes the best match of all its indexes; uv by default looks no further than the first that
            # knows the name.
            "UV_INDEX_STRATEGY": "unsafe-best-match" if extra else "",
            "UV_FIND_LINKS": ",".join(links),
            "UV_INSECURE_HOST": " ".join(self._words("trusted-host")),
            "UV_HTTP_TIMEOUT": self.options.get("timeout", "") or self.options.get("default-timeout", ""),
            "UV_KEYRING_PROVIDER": "subprocess" if self.options.get("keyring-provider") == "subprocess" else "",
            "UV_NO_CACHE": "1" if self._flag("no-cache-dir") else "",
            "SSL_CLIENT_CERT": self.options.get("client-cert", ""),
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
            **self._certificates(),
        }
        return {name: value for name, value in found.items() if value}

    def _certificates(self) -> dict[str, str]:
        cert = self.options.get("cert", "")
        return {"SSL_CERT_DIR" if cert and Path(cert).is_dir() else "SSL_CERT_FILE": cert}

    def _words(self, name: str) -> list[str]:
        return self.options.get(name, "").split()

    def _flag(self, name: str) -> bool:
        return self.options.get(name, "").strip().lower() not in FALSE_WORDS


def parse(listing: str) -> PipSettings:
    """Settings out of `pip config list`: lines such as `global.index-url='https://…'`, later sections win.

    Raises PipSettingsError on a line of another shape.
    """
    by_section: dict[str, dict[str, str]] = {section: {} for section in PRECEDENCE}
    for line in filter(None, map(str.strip, listing.splitlines())):
        key, separator, value = line.partition("=")
        section, dot, option = key.partition(".")
        if not separator or not dot:
            raise PipSettingsError("`pip config list` printed a line that is not section.option=value")
        if section in by_section:
            by_section[section][option] = _literal(value)
    merged: dict[str, str] = {}
    for section in PRECEDENCE:
        merged.update(by_section[section])
    return PipSettings(merged)


def _literal(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (SyntaxError, ValueError):
        raise PipSettingsError("`pip config list` printed a value that is not a quoted string") from None


def read(python: Path) -> PipSettings:
    """The settings of the pip that belongs to `python`.

    Raises PipSettingsError where pip cannot tell them.
    """
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise PipSettingsError(f"`pip config list` failed: {reason[0]}. Mend pip's configuration first")
    return parse(done.stdout)
