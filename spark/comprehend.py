"""Amazon Comprehend as a second detector of personal data, beside the recognisers, where a firm asks for it.

What it finds is added to what they find: it never takes a finding away. It is a model: it also takes names in prose
and addresses of companies, and a new version of it may answer otherwise, so that rows made with it carry that in their
cleaner's version. The text goes to the service, in the job's region, under the job's own role.

Facts by the API reference of DetectPiiEntities and PiiEntity: at most 100 KB of UTF-8 a request; offsets count Unicode
code points, as Python's do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from spark.errors import JobError
from spark.pii import Finding

TYPES: Mapping[str, str] = MappingProxyType(
    {
        "EMAIL": "EMAIL",
        "PHONE": "PHONE",
        "SSN": "SSN",
        "CREDIT_DEBIT_NUMBER": "CARD",
        "INTERNATIONAL_BANK_ACCOUNT_NUMBER": "IBAN",
        "NAME": "PERSON",
        "ADDRESS": "ADDRESS",
    }
)
"""Comprehend's types that have a placeholder here. The others, such as DATE_TIME and URL, are in every filing."""
LANGUAGE = "en"
LEAST_SCORE = 0.5
"""Confidence from which on an entity is taken. Low on purpose: who asks for a second detector wants recall."""
LONGEST_BYTES = 100_000
MARGIN = 500
"""Characters by which a piece of a long text reaches into each of its neighbours, so that no entity is cut in two."""
PIECE = LONGEST_BYTES // 4 - 2 * MARGIN
"""Characters of a piece: UTF-8 takes up to four bytes for one."""
RETRIES = MappingProxyType({"mode": "adaptive", "max_attempts": 12})
"""A year of filings is more than the quota of a second: the client waits as the service asks."""
FIRST_RETRIES = MappingProxyType({"mode": "standard", "max_attempts": 2})
FIRST_TIMEOUT = 5
"""Seconds to connect when access is asked for: where there is no way to the service, packets are lost in silence."""


@dataclass(frozen=True)
class Comprehend:
    """The detector. It travels to the executors' processes; each makes a client of its own."""

    region: str

    def require_access(self) -> None:
        """Ask once, before any work. Raises JobError where the role may not, or nothing answers."""
        first = Config(retries=dict(FIRST_RETRIES), connect_timeout=FIRST_TIMEOUT)
        _entities(boto3.client("comprehend", region_name=self.region, config=first), "Nobody is named here.")

    def __call__(self, text: str) -> list[Finding]:
        """The personal data in a text. Raises JobError when the service refuses or answers something impossible."""
        found = set()
        for start, piece in pieces(text):
            entities = _entities(_client(self.region), piece)
            found |= {Finding(start + one.start, start + one.end, one.type) for one in findings(entities, piece)}
        return sorted(found)


def _entities(client: Any, piece: str) -> Iterable[Mapping[str, Any]]:
    """The entities of the service's answer. Raises JobError when there is none."""
    try:
        answer = client.detect_pii_entities(Text=piece, LanguageCode=LANGUAGE)
    except ClientError as error:
        raise JobError(_refusal(error)) from error
    except (ConnectionError, HTTPClientError) as error:
        raise JobError(
            f"Amazon Comprehend cannot be reached from the Spark job ({type(error).__name__}): the job's subnets "
            "need the interface endpoint of infra/network.yaml (Comprehend=true) or a way out"
        ) from error
    except BotoCoreError as error:
        raise JobError(f"the Spark job cannot ask Amazon Comprehend ({type(error).__name__}): {error}") from error
    entities: list[Mapping[str, Any]] = answer["Entities"]
    return entities


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Pieces that one request takes, each with the place of its first character. What is blank needs no request."""
    for start in range(0, len(text), PIECE):
        low = max(0, start - MARGIN)
        piece = text[low : start + PIECE + MARGIN]
        if piece.strip():
            yield low, piece
        if start + PIECE + MARGIN >= len(text):
            return  # a further piece would hold nothing that this one does not


def findings(entities: Iterable[Mapping[str, Any]], text: str) -> list[Finding]:
    """The entities that are taken, as spans of the text. Raises JobError where one lies outside of it."""
    found = []
    for entity in entities:
        kind, start, end = TYPES.get(entity["Type"]), entity["BeginOffset"], entity["EndOffset"]
        if kind is None or entity["Score"] < LEAST_SCORE:
            continue
        if not 0 <= start < end <= len(text):
            raise JobError(
                f"Amazon Comprehend answered with a span from {start} to {end} in a text of {len(text)} characters: "
                "what it found cannot be placed; run the job without it (GOVTUNE_PII_DETECTOR=presidio)"
            )
        found.append(Finding(start, end, kind))
    return found


def _refusal(error: ClientError) -> str:
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("AccessDeniedException", "AccessDenied"):
        return (
            "Amazon Comprehend refused the Spark job's role: allow it comprehend:DetectPiiEntities "
            "(parameter Comprehend=true of infra/access.yaml), or set GOVTUNE_PII_DETECTOR=presidio"
        )
    return f"Amazon Comprehend did not look at a text ({code}): try again, or set GOVTUNE_PII_DETECTOR=presidio"


@lru_cache(maxsize=1)
def _client(region: str) -> Any:
    """One client a process."""
    return boto3.client("comprehend", region_name=region, config=Config(retries=dict(RETRIES)))
