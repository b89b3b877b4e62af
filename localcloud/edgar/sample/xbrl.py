"""Inline XBRL: the document and entity information that a cover page carries, visible and hidden.

Element names and their meaning: SEC, EDGAR Filer Manual, 6.5.19 to 6.5.21, and the DEI taxonomy.
"""

from __future__ import annotations

from html import escape
from typing import Final

from localcloud.edgar.sample.document import Filing

NAMESPACES: Final = (
    'xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL" '
    'xmlns:ixt="http://www.xbrl.org/inlineXBRL/transformation/2020-02-12" '
    'xmlns:link="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:dei="http://xbrl.sec.gov/dei/2023" xml:lang="en-US"'
)


def fact(name: str, inner_html: str, number: int, form: str = "") -> str:
    """One non-numeric fact around HTML that is already escaped."""
    transformation = f' format="{form}"' if form else ""
    return (
        f'<ix:nonNumeric contextRef="c-1" name="dei:{name}"{transformation} id="f-{number}">'
        f"{inner_html}</ix:nonNumeric>"
    )


def hidden_header(filing: Filing, *, year_on_cover: bool) -> str:
    """The hidden part: facts that no reader sees, the context and the schema reference."""
    facts = [
        fact("EntityCentralIndexKey", filing.company.cik, 1),
        fact("DocumentFiscalPeriodFocus", filing.fiscal_period, 2),
        fact("AmendmentFlag", "true" if filing.form.endswith("/A") else "false", 3),
    ]
    if not year_on_cover:
        facts.append(fact("DocumentFiscalYearFocus", str(filing.fiscal_year), 4))
    schema = filing.primary_document.removesuffix(".htm") + ".xsd"
    return (
        f'<div style="display:none"><ix:header><ix:hidden>{"".join(facts)}</ix:hidden>'
        f'<ix:references><link:schemaRef xlink:type="simple" xlink:href="{schema}"/></ix:references>'
        '<ix:resources><xbrli:context id="c-1"><xbrli:entity>'
        f'<xbrli:identifier scheme="http://www.sec.gov/CIK">{filing.company.cik}</xbrli:identifier></xbrli:entity>'
        f"<xbrli:period><xbrli:endDate>{filing.period_end}</xbrli:endDate></xbrli:period></xbrli:context>"
        "</ix:resources></ix:header></div>"
    )


def registrant(filing: Filing) -> str:
    """The registrant's name as on the cover."""
    return fact("EntityRegistrantName", escape(filing.company.profile.name.upper()), 5)


def document_type(filing: Filing) -> str:
    """The form's name as on the cover."""
    return fact("DocumentType", filing.form, 6)


def period_end(filing: Filing, *, year_on_cover: bool) -> str:
    """The period's end in words.

    With `year_on_cover` the fiscal year is marked up inside the date, one fact nested in the other, as some filers
    do. That needs a date whose year is the fiscal year.
    """
    day, _, year = filing.period_text.rpartition(" ")
    shown = f"{day} {fact('DocumentFiscalYearFocus', year, 4) if year_on_cover else year}"
    return fact("DocumentPeriodEndDate", shown, 7, "ixt:date-monthname-day-year-en")


def trading_symbol(ticker: str, number: int) -> str:
    """A ticker as on the cover."""
    return fact("TradingSymbol", ticker, number)
