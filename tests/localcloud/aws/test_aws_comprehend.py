"""The played Comprehend keeps to the contract that a client meets."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from local_aws import LocalAws, allow


def test_entities_are_of_the_text_that_was_sent_in_code_points(aws: LocalAws) -> None:
    text = "\U0001f600 Ask Mr. Joel Park, or joel@park.example."
    found = aws.client("comprehend").detect_pii_entities(Text=text, LanguageCode="en")["Entities"]
    assert {(one["Type"], text[one["BeginOffset"] : one["EndOffset"]]) for one in found} == {
        ("NAME", "Joel Park"),
        ("EMAIL", "joel@park.example"),
    }


@pytest.mark.parametrize(
    ("text", "language", "code"),
    [
        ("€" * 33_334, "en", "TextSizeLimitExceededException"),
        ("fine", "xx", "ValidationException"),
    ],
)
def test_what_the_service_refuses_is_refused(aws: LocalAws, text: str, language: str, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        aws.client("comprehend").detect_pii_entities(Text=text, LanguageCode=language)
    assert refused.value.response["Error"]["Code"] == code


def test_iam_decides_who_may_ask(aws: LocalAws) -> None:
    without, with_right = aws.user("asks-in-vain"), aws.user("asks", allow("comprehend:DetectPiiEntities"))
    with pytest.raises(ClientError, match=r"not authorized to perform: comprehend:DetectPiiEntities"):
        aws.client("comprehend", without).detect_pii_entities(Text="x", LanguageCode="en")
    assert aws.client("comprehend", with_right).detect_pii_entities(Text="x", LanguageCode="en")["Entities"] == []
