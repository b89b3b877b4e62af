"""The tasks' labels on recorded filings: how many headings have a class, and how well summaries are aligned.

    python -m benchmarks.tasks FOLDER [--verbose]

FOLDER holds filings in EDGAR's layout with `manifest.json`. For each task it prints how many risk factors have a label,
and why the others have none, before duplicates go and the mix is made. The alignment of T4 is compared with
`benchmarks/labels/principal.json`; labels that are marked as doubtful count for nothing. --verbose quotes the headings
without a class, and what the aligner gets wrong in filings that are not held out.
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from govtune_assets.extraction.section import Section, Status, extract
from spark import categories, principal
from spark.cleaning import clean, clean_line, reason_to_drop
from spark.cut import cut
from spark.labels import LABELLED, Unlabelled, labels
from spark.templates import BODY_WORDS

LABELS = Path(__file__).parent / "labels" / "principal.json"


@dataclass
class Alignment:
    """Risk factors by what the aligner says and what the label says."""

    found: int = 0
    missed: int = 0
    wrong: int = 0
    rightly_not: int = 0

    def __str__(self) -> str:
        precision, recall = self.found / (self.found + self.wrong), self.found / (self.found + self.missed)
        total = self.found + self.missed + self.wrong + self.rightly_not
        return f"precision {precision:.3f}, recall {recall:.3f} on {total} risk factors, {self.rightly_not} rightly not"

    def add(self, said: bool, label: bool) -> None:
        self.found += said and label
        self.missed += label and not said
        self.wrong += said and not label
        self.rightly_not += not said and not label


def sections(folder: Path) -> Iterator[tuple[Mapping[str, Any], Section]]:
    """The filings with a full section, and that section."""
    for filing in json.loads((folder / "manifest.json").read_text()):
        section = extract((folder / filing["path"]).read_bytes(), filing["form"])
        if section.status is Status.FULL:
            yield filing, section


def compare(labelled: Mapping[str, Any], section: Section, *, verbose: bool) -> Alignment:
    """The aligner's answers for one labelled filing. Raises ValueError where its text is not the labelled one."""
    factors = section.risk_factors
    said = principal.named(section.summary, [f.subcaption for f in factors], [f.group for f in factors])
    if said is None:
        raise ValueError(f"{labelled['id']}: the summary was not aligned at all")
    outcome = Alignment()
    for label in labelled["labels"]:
        factor = factors[label["index"]]
        if hashlib.sha256((factor.subcaption or "").encode()).hexdigest() != label["subcaption_sha256"]:
            raise ValueError(f"{labelled['id']}, risk factor {label['index']}: not the one that was labelled")
        if not label.get("doubt"):
            outcome.add(said[label["index"]], label["principal"])
            if verbose and not labelled["held_out"] and said[label["index"]] != label["principal"]:
                print(f"  {labelled['id']} says {said[label['index']]}: {factor.subcaption}")
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    filings = list(sections(arguments.folder))
    usable = _print_labels([section for _, section in filings], verbose=arguments.verbose)
    print(f"{usable} usable risk factors of {sum(len(section.risk_factors) for _, section in filings)}")
    _print_alignment({filing["id"]: section for filing, section in filings}, verbose=arguments.verbose)


def _print_labels(found: list[Section], *, verbose: bool) -> int:
    by_task: dict[str, Counter[str]] = {task: Counter() for task in LABELLED}
    headings: Counter[str] = Counter()
    usable = shortened = words_cut = 0
    for section in found:
        factors = section.risk_factors
        rows = labels([f.group for f in factors], [f.subcaption for f in factors], section.summary)
        for factor, row in zip(factors, rows, strict=True):
            body = clean(factor.body)
            if reason_to_drop(body, clean_line(factor.subcaption or ""), clean_line(factor.group or "")):
                continue
            usable += 1
            _, lost = cut(body, BODY_WORDS)
            shortened, words_cut = shortened + (lost > 0), words_cut + lost
            for task, label in zip(LABELLED, row, strict=True):
                by_task[task][label.value or f"({label.reason})"] += 1
            if row[0].reason in (Unlabelled.AMBIGUOUS_HEADING, Unlabelled.UNMAPPED_HEADING):
                headings[f"{row[0].reason}: {factor.group}"] += 1
    for task, counts in by_task.items():
        print(f"{task}: {', '.join(f'{name} {count}' for name, count in counts.most_common())}")
    mapped = sum(by_task["T2"][name] for name in categories.CLASSES)
    headed = usable - by_task["T2"][f"({Unlabelled.NO_HEADING})"]
    print(f"T2: {mapped} of {headed} risk factors under a heading have a class ({mapped / headed:.1%})")
    print(f"cut to {BODY_WORDS} words: {shortened} of {usable} bodies, {words_cut} words")
    if verbose:
        for heading, count in headings.most_common():
            print(f"  {count:4} {heading}")
    return usable


def _print_alignment(found: Mapping[str, Section], *, verbose: bool) -> None:
    totals = {"tuned": Alignment(), "held out": Alignment()}
    for labelled in json.loads(LABELS.read_text())["filings"]:
        outcome = compare(labelled, found[labelled["id"]], verbose=verbose)
        total = totals["held out" if labelled["held_out"] else "tuned"]
        for name, value in vars(outcome).items():
            setattr(total, name, getattr(total, name) + value)
    print(f"T4: threshold {principal.THRESHOLD}, margin {principal.MARGIN}")
    for part, total in totals.items():
        print(f"T4, {part}: {total}")


if __name__ == "__main__":
    main()
