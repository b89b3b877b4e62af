"""What the Dagster UI shows of the training set: tables and a chart made of a snapshot's measures and its manifest.

No row's text is among them: whoever reads the run's records need not have SELECT on the table
(docs/decisions/dataset-versions.md). `govtune dataset sample` shows texts, read as the auditor.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import dagster as dg

from govtune_assets import markdown
from govtune_assets.assets.common import as_dict, as_list, counts_table
from spark.columns import KINDS
from train.data import SPLITS


def year_tables(report: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is shown of a fiscal year's examples, from what their job reported."""
    by_task = as_dict(report["rows_by_task"])
    removed, thinned = as_dict(report["duplicates_by_task"]), as_dict(report["thinned"])
    rows: list[list[markdown.Cell]] = [
        [task, int(by_task.get(task, 0)), int(removed.get(task, 0)), int(thinned.get(task, 0))]
        for task in sorted({*by_task, *removed, *thinned})
    ]
    head = ["task", "examples", "duplicates removed", "left out for the mix"]
    return {
        "Dropped rows": counts_table("reason", as_dict(report["dropped"])),
        "Examples by task": _md(markdown.table(head, rows)),
        "Without a label": _md(nested_table("task", as_dict(report["unlabelled"]))),
        "Headings without a class": counts_table("heading", as_dict(report["headings_left_out"])),
    }


def tables(report: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is shown of a snapshot, from what its job reported."""
    return {
        "Rows by task and split": _md(nested_table("task", as_dict(report["rows_by_task_and_split"]))),
        "Rows by year and split": _md(nested_table("fiscal year", as_dict(report["rows_by_year_and_split"]))),
        "Rows by form": counts_table("form", as_dict(report["rows_by_form"])),
        "Left out": counts_table("reason", as_dict(report["dropped"])),
        "Lengths": _md(lengths_chart(as_dict(report["lengths"]))),
        "Lengths by task": _md(lengths_table(as_dict(report["lengths"]))),
        "Labels": _md(labels_table(as_dict(report["labels"]))),
        "Examples": _md(samples_table(as_list(report["samples"]))),
        "Changes": _md(changes_table(as_dict(as_dict(report["manifest"])["changes"]))),
    }


def nested_table(title: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    """Counts by two names: a row for each outer one, their sum first, then a column for each inner one.

    Splits stand in the order in which a model meets them.
    """
    inner = sorted({name for row in counts.values() for name in row}, key=_place)
    rows: list[list[markdown.Cell]] = [
        [outer, sum(row.values()), *(int(row.get(name, 0)) for name in inner)] for outer, row in sorted(counts.items())
    ]
    return markdown.table([title, "all", *inner], rows)


def lengths_chart(lengths: Mapping[str, Any]) -> str:
    """Prompts by their words, all tasks together: with a part for each task the UI would not show the chart in place.

    Empty bins at both ends are left out.
    """
    totals = [sum(bins) for bins in zip(*lengths["by_task"].values(), strict=True)]
    filled = [place for place, total in enumerate(totals) if total]
    labels = bin_labels(lengths["edges"])
    rows = {labels[place]: [totals[place]] for place in range(filled[0], filled[-1] + 1)} if filled else {}
    return markdown.stacked_bars("Words of the prompts", ["words"], rows)


def lengths_table(lengths: Mapping[str, Any]) -> str:
    """Prompts by their words: a row for each bin, a column for each task."""
    by_task: Mapping[str, Sequence[int]] = lengths["by_task"]
    rows: list[list[markdown.Cell]] = [
        [label, *(int(by_task[task][place]) for task in sorted(by_task))]
        for place, label in enumerate(bin_labels(lengths["edges"]))
    ]
    return markdown.table(["words of the prompt", *sorted(by_task)], rows)


def labels_table(labels: Mapping[str, Mapping[str, int]]) -> str:
    """Labels of the training examples: a row for each task and label."""
    rows: list[list[markdown.Cell]] = [
        [task, label, int(count)] for task, counts in sorted(labels.items()) for label, count in sorted(counts.items())
    ]
    return markdown.table(["task", "label", "examples"], rows)


def bin_labels(edges: Sequence[int]) -> list[str]:
    """Names of the bins that the edges part: `under 50`, `50 to 99`, …, `from 1600`."""
    middle = [f"{low} to {high - 1}" for low, high in pairwise(edges)]
    return [f"under {edges[0]}", *middle, f"from {edges[-1]}"]


def samples_table(samples: Sequence[Mapping[str, Any]]) -> str:
    """Some examples of each task: what they are and where they come from, not what they say."""
    rows: list[list[markdown.Cell]] = [
        [
            sample["task"],
            sample["example_id"],
            sample["label"] or "(free text)",
            int(sample["prompt_words"]),
            int(sample["completion_words"]),
            markdown.Link(sample["accession_number"], sample["source_url"]),
            int(sample["risk_factor_index"]) + 1,
            f"{sample['char_start']} to {sample['char_end']}",
        ]
        for sample in samples
    ]
    head = ["task", "example", "label", "prompt words", "completion words", "filing", "risk factor", "characters"]
    return markdown.table(head, rows)


def changes_table(changes: Mapping[str, Any]) -> str:
    """What became of the examples since the version before, by task."""
    since = f"version {changes['since']}" if changes["since"] is not None else "nothing"
    why_not = changes.get("not_compared")
    said = f"Compared with {since}" + (f": {markdown.text(why_not)}." if why_not else ".")
    rows: list[list[markdown.Cell]] = [
        [task, *(int(counts[kind]) for kind in KINDS)] for task, counts in sorted(as_dict(changes["by_task"]).items())
    ]
    return f"{said}\n\n{markdown.table(['task', *KINDS], rows)}"


def _place(name: str) -> tuple[int, str]:
    return (SPLITS.index(name) if name in SPLITS else len(SPLITS), name)


def _md(text: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(text)
