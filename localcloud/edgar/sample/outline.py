"""A filing as a sequence of blocks in reading order: what a layout turns into HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from localcloud.edgar.sample.document import BULLET, Filing, Section, Status
from localcloud.edgar.sample.templates import fill

RISK_ITEM = "1A"


class Kind(Enum):
    """What a block is."""

    PART = auto()
    ITEM = auto()
    HEADING = auto()
    GROUP = auto()
    SUBCAPTION = auto()
    PARAGRAPH = auto()
    BULLET = auto()
    TABLE = auto()


@dataclass(frozen=True)
class Block:
    """One block. `number` is an item's number (`1A`); `rows` are a table's cells, the first row its head."""

    kind: Kind
    text: str = ""
    number: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


class Item(BaseModel):
    """An item of the form with its (short) text; the risk factor item has none, its text is the company's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str = Field(pattern=r"^\d{1,2}[A-C]?$")
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


class Part(BaseModel):
    """A part of the form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    items: tuple[Item, ...]


class Form(BaseModel):
    """A form: what stands before Part I, and the parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preface: tuple[str, ...]
    parts: tuple[Part, ...]


class Forms(BaseModel):
    """The whole of `items.yaml`: forms by name, and the line labels of each table by the table's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    forms: Mapping[str, Form]
    tables: Mapping[str, tuple[str, ...]]
    amendment: tuple[str, ...]


def load_forms() -> Forms:
    """Read `items.yaml`; raises ValueError where it is wrong."""
    return Forms.model_validate(yaml.safe_load(files(__package__).joinpath("items.yaml").read_text("utf-8")))


def outline(filing: Filing, forms: Forms) -> list[Block]:
    """Every block of a 10-K or 10-Q, cover and table of contents apart."""
    form = forms.forms[filing.form]
    blocks = [Block(Kind.HEADING, "Cautionary Note Regarding Forward-Looking Statements")]
    blocks += _paragraphs(form.preface, filing, "preface")
    for part in form.parts:
        blocks.append(Block(Kind.PART, part.title))
        for item in part.items:
            is_risk = item.number == RISK_ITEM
            if is_risk and filing.section.status is Status.ABSENT:
                continue
            blocks.append(Block(Kind.ITEM, item.title, item.number))
            blocks += risk_blocks(filing.section) if is_risk else _item_blocks(item, filing, forms)
    return blocks


def risk_blocks(section: Section) -> Iterator[Block]:
    """The blocks of the risk factor item."""
    yield from (Block(Kind.PARAGRAPH, text) for text in section.introduction)
    if section.summary:
        yield Block(Kind.HEADING, section.summary_heading)
        yield from (text_block(text) for text in section.summary)
    group: str | None = None
    for factor in section.factors:
        if factor.group is not None and factor.group != group:
            yield Block(Kind.GROUP, factor.group)
        group = factor.group
        yield Block(Kind.SUBCAPTION, factor.subcaption)
        yield from (text_block(text) for text in factor.paragraphs)


def text_block(text: str) -> Block:
    """A paragraph, or a list entry where the text starts with a bullet."""
    if text.startswith(BULLET):
        return Block(Kind.BULLET, text.removeprefix(BULLET).lstrip())
    return Block(Kind.PARAGRAPH, text)


def _item_blocks(item: Item, filing: Filing, forms: Forms) -> Iterator[Block]:
    yield from _paragraphs(item.paragraphs, filing, item.number)
    yield from (Block(Kind.TABLE, rows=_table(forms.tables[name], filing, name)) for name in item.tables)


def _paragraphs(templates: tuple[str, ...], filing: Filing, place: str) -> list[Block]:
    facts = {**filing.company.facts, "year": str(filing.fiscal_year), "period_end": filing.period_text}
    dice = filing.company.dice.under("items", place)
    return [
        text_block(fill(template, facts, filing.fiscal_year, dice.under(index)))
        for index, template in enumerate(templates)
    ]


def _table(labels: tuple[str, ...], filing: Filing, name: str) -> tuple[tuple[str, ...], ...]:
    years = (filing.fiscal_year, filing.fiscal_year - 1)
    dice = filing.company.dice.under("table", name)
    rows = [("(in thousands)", *map(str, years))]
    for label in labels:
        rows.append((label, *(f"{dice.integer(12_000, 980_000, f'{label}/{year}'):,}" for year in years)))
    return tuple(rows)
