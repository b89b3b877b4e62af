"""The data card of a version: what a reviewer wants to know of the data, written from its manifest alone."""

from collections.abc import Mapping
from typing import Any

from govtune_assets import markdown
from govtune_assets.dataset_report import changes_table, labels_table, lengths_table, nested_table
from govtune_assets.thresholds import TASK_KINDS, TOKENS_PER_WORD, DataThresholds

TASKS = (
    ("T1", "headline", "a risk factor's body to the subcaption under which it stands", "the subcaption"),
    ("T2", "category", "the body to a class of risk", "the issuer's group heading, mapped by spark/categories.py"),
    (
        "T3",
        "generic or specific",
        "the body to one of the two",
        "whether it stands under the caption General Risk Factors",
    ),
    ("T4", "principal", "the body to yes or no", "whether the section's own summary of principal risks names it"),
)
SPLITS = (
    ("train", "trains"),
    ("validation", "companies that never train, all but the latest fiscal year"),
    ("test_company", "companies that neither train nor validate, all but the latest fiscal year"),
    ("test_year", "companies that train, the latest fiscal year, of which nothing trains"),
    ("test_company_year", "companies that neither train nor validate, the latest fiscal year"),
)


def render(manifest: Mapping[str, Any], thresholds: DataThresholds) -> str:
    """The whole card, in Markdown."""
    measures, snapshot = manifest["measures"], manifest["snapshot"]
    parts = [
        f"# Data card: `{snapshot['table']}`, version {manifest['version']}",
        "Written from the version's manifest by `govtune dataset card`.",
        markdown.text(manifest["description"], longest=2000),
        _identity(manifest),
        "## Tasks",
        "Every label comes out of the filings; no model wrote or chose one. The templates are in `spark/templates.py`.",
        markdown.table(["task", "name", "from what to what", "label"], TASKS),
        nested_table("examples of task", measures["rows_by_task_and_split"]),
        "## Splits",
        markdown.table(["split", "what it holds"], SPLITS),
        nested_table("fiscal year", measures["rows_by_year_and_split"]),
        markdown.table(["form", "examples"], sorted(measures["rows_by_form"].items())),
        "## Labels of the training examples",
        labels_table(measures["labels"]),
        "## Lengths",
        lengths_table(measures["lengths"]),
        "## What was left out",
        f"Of {measures['source_rows']:,} examples of the declared fiscal years, by reason:",
        markdown.table(["reason", "examples"], sorted(measures["dropped"].items())),
        "Near-duplicates are bodies whose word shingles have a Jaccard similarity of at least "
        f"{measures['near_duplicate_jaccard']}; one example of each cluster and task is kept, the earliest.",
        "## What was measured on the table as written",
        markdown.table(["measure", "value", "threshold"], _measured(measures, thresholds)),
        "## Made of",
        markdown.table(["table", "fiscal year", "version"], _sources(manifest["sources"])),
        "## Changed since the version before",
        changes_table(manifest["changes"]),
        "## Limits",
        "- Subcaptions are the issuers' words, good or bad: a model learns how issuers write, not how they should.\n"
        "- Classes of T2 follow issuers' headings, and issuers group alike risks differently. T3 and T4 exist only for "
        "filings with such a caption or summary.\n"
        "- Personal data is found by patterns and context; its measured recall is in docs/decisions/pii.md, and it is "
        "not 1.\n"
        "- Filings are public; their copyright stays with the issuers. Nothing here is advice on an investment.",
    ]
    return "\n\n".join(parts) + "\n"


def _identity(manifest: Mapping[str, Any]) -> str:
    measures, snapshot = manifest["measures"], manifest["snapshot"]
    rows: list[list[markdown.Cell]] = [
        ["made", manifest["created_at"]],
        ["examples", f"{measures['rows']:,} of {measures['companies']:,} companies"],
        ["fiscal years", ", ".join(sorted(measures["rows_by_year"]))],
        ["table", f"{snapshot['table']} at Delta version {snapshot['delta_version']}"],
        ["Merkle root", snapshot["merkle_root"]],
        ["code", manifest["code_version"]],
        ["Dagster run", manifest["run_id"]],
    ]
    return markdown.table(["", ""], rows)


def _measured(measures: Mapping[str, Any], thresholds: DataThresholds) -> list[list[markdown.Cell]]:
    least = {task: thresholds.examples_of(kind) for task, kind in TASK_KINDS.items()}
    trains = {task: counts.get("train", 0) for task, counts in measures["rows_by_task_and_split"].items()}
    rows: list[list[markdown.Cell]] = [
        [f"training examples of {task}", f"{trains.get(task, 0):,}", f"at least {least[task]:,}"] for task in least
    ]
    return [
        *rows,
        ["clusters in two splits", str(measures["clusters_in_two_splits"]), "0"],
        [
            "companies in train and in validation or test of unseen companies",
            str(measures["companies_in_two_splits"]),
            "0",
        ],
        ["known benchmark filings in train", str(measures["benchmark_filings_in_train"]), "0"],
        [
            "largest share of a test body's 13-grams in train",
            f"{measures['worst_13gram_share']:.3f}",
            f"at most {thresholds.shared_grams}",
        ],
        ["spans of personal data left", str(measures["pii_left"]), f"at most {thresholds.pii_spans}"],
        [
            f"longest example, in tokens at {TOKENS_PER_WORD} a word",
            f"{measures['longest_words'] * TOKENS_PER_WORD:.0f}",
            f"at most {thresholds.tokens}",
        ],
    ]


def _sources(sources: list[Mapping[str, Any]]) -> list[list[markdown.Cell]]:
    rows: list[list[markdown.Cell]] = []
    for source in sources:
        if "delta_version" in source:
            rows.append([source["table"], "all", f"Delta version {source['delta_version']}"])
        for year, version in sorted(source.get("delta_versions", {}).items()):
            rows.append([source["table"], year, f"Delta version {version}"])
        for year, digest in sorted(source.get("data_versions", {}).items()):
            rows.append([source["table"], year, f"content {digest}"])
    return rows
