"""The tasks' templates: what the model is asked, and what it should answer. Read and change them here.

Every template has a version; a changed text takes a new one, since the version is part of an example's identity
(`example_id`) and of every row. `{body}` stands for the risk factor's cleaned and scrubbed body.

The labels are the issuer's own: Regulation S-K, Item 105(a) asks that each risk factor stand under a subcaption
that adequately describes the risk (17 CFR 229.105).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

BODY = "{body}"


@dataclass(frozen=True)
class Template:
    """One task: its name, version, and prompt with exactly one `{body}`."""

    task: str
    version: str
    prompt: str

    def parts(self) -> tuple[str, str]:
        """The prompt's text before and after the body. Raises ValueError unless there is exactly one body."""
        before, body, after = self.prompt.partition(BODY)
        if not body or BODY in after:
            raise ValueError(f"template {self.task} {self.version} must have {BODY} exactly once")
        return before, after

    def render(self, body: str) -> str:
        """The prompt for one body, which may itself hold braces."""
        before, after = self.parts()
        return before + body + after


T1 = Template(
    task="T1",
    version="t1-1",
    prompt=(
        "Below is the text of one risk factor from a company's filing with the SEC. "
        "Write the subcaption under which it stands: one sentence or phrase that describes the risk.\n\n"
        "Risk factor:\n{body}\n\n"
        "Subcaption:"
    ),
)

TEMPLATES: Mapping[str, Template] = MappingProxyType({template.task: template for template in (T1,)})
