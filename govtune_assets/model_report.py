"""What the Dagster UI shows of a training and its evaluation: tables and charts of the curve and of the figures.

Only figures are shown: prompts, headings and what a model wrote are governed text, and do not leave the table.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from govtune_assets import evaluations, markdown
from govtune_assets.evaluations import BASE, BASELINES, TUNED, UNSEEN, Figure
from govtune_assets.thresholds import TASK_METRICS

SYSTEMS = (BASE, TUNED, *BASELINES)

SHOWN = 300
"""Rows of the table of all figures; the rest is counted. The table in the catalog has them all."""


def training_tables(report: Mapping[str, Any], figures: Sequence[Figure]) -> dict[str, Any]:
    """What is shown of an adapter: its course, and what it is worth beside the base model."""
    return {
        "Losses": _md(losses_chart(report["curve"])),
        "Gradients": _md(
            markdown.lines("Norms of the gradients", {"gradient norm": _series(report, "gradient_norm")}, 50)
        ),
        "Base and tuned": _md(comparison(report, figures)),
        **charts(figures),
    }


def losses_chart(curve: Iterable[Mapping[str, float]]) -> str:
    """Training and validation loss by optimizer step."""
    report = {"curve": list(curve)}
    return markdown.lines(
        "Losses by step",
        {"training": _series(report, "train_loss"), "validation": _series(report, "validation_loss")},
    )


def comparison(report: Mapping[str, Any], figures: Sequence[Figure]) -> str:
    """Base and tuned model by the metric of each task on companies that train nothing, with the paired difference."""
    rows: list[list[markdown.Cell]] = [
        ["validation loss", f"{float(report['loss_before']):.3f}", f"{float(report['loss_after']):.3f}", ""]
    ]
    for task in sorted({figure.task for figure in figures}):
        for metric in (TASK_METRICS.get(task, ""), "perplexity"):
            base, tuned = (evaluations.find(figures, task, metric, system) for system in (BASE, TUNED))
            if base is not None and tuned is not None:
                paired = _difference(figures, task, metric)
                rows.append([f"{task} {_words(metric)}", _number(base), _number(tuned), paired])
    return markdown.table(["on unseen companies", "base", "tuned", "difference, 95%"], rows)


def charts(figures: Sequence[Figure]) -> dict[str, Any]:
    """For each task a chart of all systems by the task's metric on companies that train nothing."""
    found = {}
    for task in sorted({figure.task for figure in figures}):
        metric = TASK_METRICS.get(task, "")
        named = {system: evaluations.find(figures, task, metric, system) for system in SYSTEMS}
        rows = {
            _words(system): (figure.value, figure.low, figure.high)
            for system, figure in named.items()
            if figure is not None and figure.value is not None
        }
        if rows:
            title = f"{task}: {_words(metric)} on unseen companies"
            found[title] = _md(markdown.interval_bars(title, rows))
    return found


def all_figures(figures: Sequence[Figure]) -> str:
    """Every figure of a system by itself: a row for each split, task and metric, a column for each system."""
    own = [figure for figure in figures if figure.against is None and figure.value is not None]
    names = list(dict.fromkeys((figure.split, figure.task, figure.metric) for figure in own))
    present = [system for system in SYSTEMS if any(figure.system == system for figure in figures)]
    rows: list[list[markdown.Cell]] = []
    for split, task, metric in names:
        found = [evaluations.find(figures, task, metric, system, split) for system in present]
        examples = max((figure.examples for figure in found if figure is not None), default=0)
        cells = ["" if figure is None else f"{_number(figure)}{_interval(figure)}" for figure in found]
        rows.append([split, task, _words(metric), *cells, examples])
    head = ["split", "task", "metric", *(_words(system) for system in present), "examples"]
    return markdown.bounded_table(head, rows, SHOWN)


def differences(figures: Sequence[Figure]) -> str:
    """Every paired difference of two systems, on companies that train nothing."""
    rows: list[list[markdown.Cell]] = [
        [
            figure.task,
            _words(figure.metric),
            f"{_words(figure.system)} less {_words(figure.against)}",
            _number(figure),
            _interval(figure).strip(),
            "yes" if _excludes_zero(figure) else "no",
        ]
        for figure in figures
        if figure.against and figure.split == UNSEEN and figure.value is not None
    ]
    return markdown.bounded_table(["task", "metric", "systems", "difference", "95%", "zero excluded"], rows, SHOWN)


def _difference(figures: Iterable[Figure], task: str, metric: str) -> str:
    for figure in figures:
        key = (figure.split, figure.task, figure.metric, figure.system, figure.against)
        if key == (UNSEEN, task, metric, TUNED, BASE) and figure.value is not None:
            return f"{figure.value:+.3f}{_interval(figure)}"
    return ""


def _excludes_zero(figure: Figure) -> bool:
    return figure.low is not None and figure.high is not None and (figure.low > 0 or figure.high < 0)


def _number(figure: Figure) -> str:
    return "" if figure.value is None else f"{figure.value:.3f}"


def _interval(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f" ({figure.low:.3f} to {figure.high:.3f})"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("rouge ", "ROUGE-").replace("ROUGE-l", "ROUGE-L")


def _series(report: Mapping[str, Any], name: str) -> list[tuple[float, float]]:
    return [(float(point["step"]), float(point[name])) for point in report["curve"] if point.get(name) is not None]


def _md(text: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(text)
