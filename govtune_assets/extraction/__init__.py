"""Item 1A of a 10-K or 10-Q: its text, status and structure, and the filing's fiscal facts.

Pure functions on bytes. `extract` and `fiscal_facts` accept any input whatever and never raise on it;
a document that holds no Item 1A, or no facts, is a result and not an error.
"""

from govtune_assets.extraction.facts import FiscalFacts, fiscal_facts
from govtune_assets.extraction.files import extract_file
from govtune_assets.extraction.section import (
    EXTRACTOR_VERSION,
    RiskFactor,
    Section,
    Status,
    extract,
    extract_with_facts,
)

__all__ = [
    "EXTRACTOR_VERSION",
    "FiscalFacts",
    "RiskFactor",
    "Section",
    "Status",
    "extract",
    "extract_file",
    "extract_with_facts",
    "fiscal_facts",
]
