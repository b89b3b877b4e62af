"""The open-source catalog's own Python client (`unitycatalog-client`), which is asynchronous, in one call each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from contract_subject import UC, Subject
from unitycatalog.client import ApiClient, Configuration

from unitydoor.secrets import ServicePrincipal

T = TypeVar("T")


def open_client(
    subject: Subject, act: Callable[[ApiClient], Awaitable[T]], principal: ServicePrincipal | None = None
) -> T:
    """Do `act` with a client that is signed in as the principal, as the administrator without one."""

    async def run() -> T:
        async with ApiClient(Configuration(host=f"{subject.host}{UC}")) as client:
            if token := subject.bearer(principal):
                client.set_default_header("Authorization", f"Bearer {token}")
            return await act(client)

    return asyncio.run(run())
