"""`govtune dataset show | diff | sample | card`: the lines that each prints."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from govtune_assets import data_card
from govtune_assets.dataset import Version, choose, differences, sample, versions
from govtune_assets.settings import Settings
from spark.columns import KINDS

if TYPE_CHECKING:
    from unitydoor.catalog import Catalog

LISTED = 20
"""Examples that `diff` names; it counts them all."""


def show(door: "Catalog", settings: Settings, number: int | None) -> list[str]:
    """Every version on a line, and the chosen one in full."""
    known = versions(door, settings)
    chosen = choose(known, number)
    return [*(_line(version) for version in known), "", *_details(chosen.manifest)]


def diff(door: "Catalog", settings: Settings, before: int | None, after: int | None) -> list[str]:
    """What became of the examples between two versions; without numbers, between the last two."""
    known = versions(door, settings)
    new = choose(known, after)
    old = choose(known, new.number - 1 if before is None else before)
    changes = list(differences(door, settings, old, new))
    counts = Counter(change.kind for change in changes)
    by_task = Counter((change.task, change.kind) for change in changes)
    lines = [f"version {old.number} to version {new.number}: {_counts(counts)}"]
    for task in sorted({task for task, _ in by_task}):
        lines.append(f"  {task}  {_counts({kind: by_task[task, kind] for kind in KINDS})}")
    listed = [
        f"  {change.kind:9} {change.task}  {change.accession_number} risk factor {change.risk_factor_index + 1}  "
        f"{change.example_id}"
        for change in changes[:LISTED]
    ]
    more = [f"  and {len(changes) - LISTED:,} more"] if len(changes) > LISTED else []
    return [*lines, *listed, *more]


def examples(
    door: "Catalog", settings: Settings, number: int | None, *, task: str | None, split: str, rows: int
) -> list[str]:
    """Some examples with their texts; without a task, of each task."""
    chosen = choose(versions(door, settings), number)
    tasks = [task] if task else sorted(chosen.manifest["measures"]["rows_by_task"])
    lines = []
    for name in tasks:
        for row in sample(door, settings, chosen, task=name, split=split, rows=rows):
            lines += [*_example(row), ""]
    return lines[:-1] if lines else [f"Version {chosen.number} has no example of {', '.join(tasks)} in {split}."]


def card(door: "Catalog", settings: Settings, number: int | None) -> str:
    """The data card of a version, in Markdown."""
    return data_card.render(choose(versions(door, settings), number).manifest, settings.data_thresholds)


def _line(version: Version) -> str:
    manifest = version.manifest
    return (
        f"version {version.number:<4} {manifest['created_at']}  {manifest['measures']['rows']:>8,} rows  "
        f"{manifest['snapshot']['merkle_root'][:16]}  {_counts(manifest['changes'])}"
    )


def _details(manifest: Mapping[str, Any]) -> Iterator[str]:
    measures, snapshot = manifest["measures"], manifest["snapshot"]
    yield f"version      {manifest['version']}, made {manifest['created_at']}"
    yield f"description  {printable(manifest['description'])}"
    yield f"table        {snapshot['table']} at Delta version {snapshot['delta_version']}"
    yield f"Merkle root  {snapshot['merkle_root']}"
    yield f"code         {manifest['code_version']}, run {manifest['run_id']}"
    for source in manifest["sources"]:
        yield f"made of      {source['table']} {_versions_of(source)}"
    for name in ("task", "split", "year", "form"):
        yield f"by {name:10}{_listing(measures[f'rows_by_{name}'])}"
    yield f"left out     {_listing(measures['dropped'])}"
    yield f"train labels {'; '.join(f'{task}: {_listing(counts)}' for task, counts in measures['labels'].items())}"
    since, why_not = manifest["changes"]["since"], manifest["changes"].get("not_compared")
    compared = f" since version {since}" if since else f"; not compared: {why_not}" if why_not else ""
    yield f"changed      {_counts(manifest['changes'])}{compared}"


def _versions_of(source: Mapping[str, Any]) -> str:
    if "delta_version" in source:
        return f"at Delta version {source['delta_version']}"
    listing = ", ".join(f"{year} at {version}" for year, version in sorted(source["delta_versions"].items()))
    return f"at Delta versions by fiscal year: {listing}"


def _example(row: Mapping[str, Any]) -> Sequence[str]:
    return [
        f"example      {row['example_id']} ({row['task']}, {row['split']})",
        f"filing       {row['accession_number']}, risk factor {row['risk_factor_index'] + 1}, "
        f"characters {row['char_start']} to {row['char_end']}, {row['source_url']}",
        f"prompt       {printable(row['prompt'])}",
        f"completion   {printable(row['completion'])}",
    ]


def _listing(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{printable(name)} {count:,}" for name, count in sorted(counts.items())) or "none"


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{counts.get(kind, 0):,} {kind}" for kind in KINDS if kind != "same")


def printable(text: str) -> str:
    """A text that cannot move the terminal's cursor: what is neither printable nor a line's end is a blank."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)
