"""The tasks' templates: what the model is asked, and what it should answer. Read and change them here.

Every template has a version; a changed text takes a new one, since the version is part of an example's identity
(`example_id`) and of every row. T2's and T4's hold the version of what reads their labels as well. `{body}` stands for
the risk factor's cleaned and scrubbed body, cut at a sentence end to BODY_WORDS. The model that trains puts its own
chat format around prompt and completion where it has one (`train.data.encode`).

The labels are the issuers' own. Regulation S-K, Item 105 (17 CFR 229.105) asks that risk factors stand under relevant
headings (T2), each under a subcaption that adequately describes the risk (T1); that risks which could apply generically
to any registrant stand at the end under the caption "General Risk Factors" (T3); and, where they exceed fifteen pages,
that a summary of the principal risks precedes them (T4). docs/decisions/tasks.md says how each is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spark.categories import CLASSES, TABLE_VERSION
from spark.principal import ALIGNER_VERSION

BODY = "{body}"

BODY_WORDS = 400
"""Most words of a body in a prompt. With its template, the longest completion and a chat format it fits into 768
tokens, the least `max_length` of `train/configs`, at 1.35 tokens a word: 99 % of the recorded filings' risk factors
need no more, by SmolLM2's tokenizer. A change takes new versions of all templates."""

GENERIC, SPECIFIC = "generic", "specific"
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Template:
    """One task: its name, version, prompt with exactly one `{body}`, and its possible completions.

    Where `answers` is empty the completion is free text: T1's is the risk factor's subcaption.
    """

    task: str
    version: str
    prompt: str
    answers: tuple[str, ...] = ()

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
    version="t1-2",
    prompt=(
        "Below is the text of one risk factor from a company's filing with the SEC. "
        "Write the subcaption under which it stands: one sentence or phrase that describes the risk.\n\n"
        "Risk factor:\n{body}\n\n"
        "Subcaption:"
    ),
)

T2 = Template(
    task="T2",
    version=f"t2-1+{TABLE_VERSION}",
    prompt=(
        "Below is the text of one risk factor from a company's filing with the SEC. "
        f"Name its category. The categories are: {'; '.join(CLASSES)}.\n\n"
        "Risk factor:\n{body}\n\n"
        "Category:"
    ),
    answers=CLASSES,
)

T3 = Template(
    task="T3",
    version="t3-1",
    prompt=(
        "Below is the text of one risk factor from a company's filing with the SEC. "
        "Say whether it is generic, a risk that could apply to any company or any offering, or specific to this "
        f"company. Answer {GENERIC} or {SPECIFIC}.\n\n"
        "Risk factor:\n{body}\n\n"
        "Answer:"
    ),
    answers=(GENERIC, SPECIFIC),
)

T4 = Template(
    task="T4",
    version=f"t4-1+{ALIGNER_VERSION}",
    prompt=(
        "Below is the text of one risk factor from a company's filing with the SEC. "
        "Say whether it is one of the principal risks, which the company names in the summary of its risk factors."
        f" Answer {YES} or {NO}.\n\n"
        "Risk factor:\n{body}\n\n"
        "Answer:"
    ),
    answers=(YES, NO),
)

TEMPLATES: Mapping[str, Template] = MappingProxyType({template.task: template for template in (T1, T2, T3, T4)})
