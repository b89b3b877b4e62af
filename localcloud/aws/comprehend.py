"""Amazon Comprehend's DetectPiiEntities, played: e-mail addresses, and words with capitals behind Mr., Ms. and Dr.

It is no model, and says nothing of what the service finds or misses. What it keeps to is the contract: languages, the
limit in bytes, offsets in code points, types and scores. moto's own backend answers with the same entities to any text.
"""

from __future__ import annotations

import re
from typing import Any

from moto.comprehend import models, urls
from moto.comprehend.exceptions import TextSizeLimitExceededException

LONGEST_BYTES = 100_000
SHAPES = {
    "EMAIL": re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    "NAME": re.compile(r"(?<=\b(?:Mr|Ms|Dr)\. )[A-Z]\w+(?: [A-Z]\w+)*"),
}
SCORE = 0.99


class LocalComprehendBackend(models.ComprehendBackend):  # type: ignore[misc]
    """Entities of the text that was sent; moto's own would look for its url map beside this module."""

    _url_module = urls

    def detect_pii_entities(self, text: str, language: str) -> list[dict[str, Any]]:
        """DetectPiiEntities: check the request, and find the shapes."""
        super().detect_pii_entities("", language)  # refuses the languages that it does not take
        size = len(text.encode())
        if size > LONGEST_BYTES:
            raise TextSizeLimitExceededException(size)
        return [
            {"Type": kind, "Score": SCORE, "BeginOffset": found.start(), "EndOffset": found.end()}
            for kind, shape in SHAPES.items()
            for found in shape.finditer(text)
        ]


def install() -> None:
    """Put the extended class in the place where moto looks for its own."""
    models.comprehend_backends.backend = LocalComprehendBackend
