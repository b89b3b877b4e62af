"""Amazon Comprehend as a second detector: what is asked, what is taken of the answers, and what a refusal says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from spark import comprehend
from spark.comprehend import LONGEST_BYTES, MARGIN, PIECE, Comprehend, findings, pieces
from spark.errors import JobError
from spark.pii import Finding, scrub

if TYPE_CHECKING:
    from tests.conftest import Cloud

WIDE = "\U0001f600"
"""A character that takes four bytes."""


def test_each_piece_fits_in_a_request_and_no_character_is_left_out() -> None:
    text = WIDE * (4 * PIECE)
    made = list(pieces(text))
    assert len(made) == 4
    assert max(len(piece.encode()) for _, piece in made) <= LONGEST_BYTES
    ends = [start + len(piece) for start, piece in made]
    assert made[0][0] == 0
    assert ends[-1] == len(text)
    shared = [end - start for end, (start, _) in zip(ends, made[1:], strict=False)]
    assert shared == [2 * MARGIN] * 3


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_what_is_blank_is_not_sent(text: str) -> None:
    assert list(pieces(text)) == []


def entity(kind: str, start: int, end: int, score: float = 0.99) -> dict[str, object]:
    return {"Type": kind, "Score": score, "BeginOffset": start, "EndOffset": end}


def test_types_without_a_placeholder_and_unsure_entities_are_left() -> None:
    told = [entity("NAME", 0, 3), entity("DATE_TIME", 4, 8), entity("NAME", 4, 8, 0.49), entity("SSN", 4, 8, 0.5)]
    assert findings(told, "Ada 2024") == [Finding(0, 3, "PERSON"), Finding(4, 8, "SSN")]


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (3, 2), (2, 9)])
def test_a_span_outside_of_the_text_fails_the_job(start: int, end: int) -> None:
    with pytest.raises(JobError, match=rf"span from {start} to {end} in a text of 8 characters.*GOVTUNE_PII_DETECTOR"):
        findings([entity("NAME", start, end)], "Ada 2024")


@pytest.fixture
def detector(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Comprehend]:
    """The detector as the account's root, before the local Comprehend."""
    root = json.loads((cloud.state / "credentials" / "aws-root.json").read_text())
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.env["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", root["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", root["secret_access_key"])
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    boto3.setup_default_session()
    comprehend._client.cache_clear()
    yield Comprehend(cloud.env["AWS_REGION"])
    comprehend._client.cache_clear()
    boto3.setup_default_session()


@pytest.mark.integration
def test_findings_lie_where_they_stand_in_a_long_text(detector: Comprehend) -> None:
    name, address = "Dr. Ada Marsh", "ada@marsh.example"
    text = f"{WIDE} {name} " + WIDE * (PIECE - 14) + f" {name} " + WIDE * PIECE + f" {address}"
    found = detector(text)
    assert [(one.type, text[one.start : one.end]) for one in found] == [
        ("PERSON", "Ada Marsh"),
        ("PERSON", "Ada Marsh"),
        ("EMAIL", address),
    ]


@pytest.mark.integration
def test_it_adds_to_the_recognisers_and_takes_nothing_away(detector: Comprehend) -> None:
    text = "Ms. Ada Marsh leads us. Write to ada@marsh.example; SSN 219-09-9999."
    assert scrub(text).text == "Ms. Ada Marsh leads us. Write to [EMAIL]; SSN [SSN]."
    assert scrub(text, detector).text == "Ms. [PERSON] leads us. Write to [EMAIL]; SSN [SSN]."


@pytest.mark.integration
def test_a_service_that_does_not_answer_names_the_endpoint(
    detector: Comprehend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(comprehend, "RETRIES", {"mode": "standard", "max_attempts": 1})
    comprehend._client.cache_clear()
    with pytest.raises(JobError, match=r"cannot be reached.*EndpointConnectionError.*Comprehend=true"):
        detector("Somebody")
