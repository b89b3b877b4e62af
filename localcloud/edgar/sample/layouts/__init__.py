"""HTML layouts as filers and their agents make them: one class a layout."""

from __future__ import annotations

from typing import Final

from localcloud.edgar.sample.layouts.base import Layout
from localcloud.edgar.sample.layouts.paragraphs import BoldParagraphs, FontTags, RunInCaptions
from localcloud.edgar.sample.layouts.spans import HeadingTables, SpacelessItems, StyledSpans
from localcloud.edgar.sample.layouts.stylesheets import NamedStyles, PlainHeadings

LAYOUTS: Final[tuple[Layout, ...]] = (
    StyledSpans(),
    BoldParagraphs(),
    HeadingTables(),
    NamedStyles(),
    FontTags(),
    SpacelessItems(),
    RunInCaptions(),
    PlainHeadings(),
)

__all__ = ["LAYOUTS", "Layout", "StyledSpans"]
