"""Model gates: on the adapter before it is registered, and on the registered version's lineage.

Four look at the training, by the curve that the job reported; the others at the model's quality, by the figures of
the evaluation. The thresholds are those of `govtune_assets.thresholds`; docs/decisions/model-gates.md says why.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import dagster as dg

from govtune_assets import evaluations, gates, lineage, provenance
from govtune_assets.assets.common import as_list
from govtune_assets.checks.common import (
    CatalogGate,
    Gate,
    Row,
    Verdict,
    build_catalog_gate,
    build_gate,
    judged,
    recorded,
)
from govtune_assets.evaluations import BASE, BASELINES, TUNED, UNSEEN, Champion, Figure
from govtune_assets.gates import DATA_VERSION, MATERIALIZED_BY
from govtune_assets.keys import EVALUATIONS, model_key, model_name, table_name
from govtune_assets.lineage import Node
from govtune_assets.provenance import Materialized
from govtune_assets.registry import ModelRegistry
from govtune_assets.resources.unity_catalog import UnityCatalogResource
from govtune_assets.settings import Settings
from govtune_assets.thresholds import TASK_METRICS, ModelThresholds
from train.config import TrainingConfiguration
from train.instances import accelerator

FIGURES_OF_LABELS: dict[str, tuple[str, ...]] = {"T2": ("macro_f1",), "T3": ("f1", "auroc"), "T4": ("f1", "auroc")}
FIGURES_OF_METRICS: dict[str, tuple[str, ...]] = {
    "rouge": ("rouge_1", "rouge_2", "rouge_l"),
    "bleu": ("bleu",),
    "faithfulness": ("entity_faithfulness", "number_faithfulness"),
    "perplexity": ("perplexity",),
}
"""Figures of each metric that a configuration names. A rank among other headings is not always there: a small split
has not enough of them."""

NOT_ALWAYS_DEFINED = frozenset({"auroc", "entity_faithfulness", "number_faithfulness"})
"""Of some examples these do not exist: of one label alone, or of headings without a name or a number."""

NAMED = 5
"""Lacking figures that a sentence names."""

Decide = Callable[[Materialized, ModelThresholds], Verdict]


def build_training_checks(settings: Settings, configuration: TrainingConfiguration) -> list[dg.AssetChecksDefinition]:
    """The gates of one configuration's adapter and model."""
    thresholds, tasks = settings.model_thresholds, configuration.data.tasks
    simple: dict[str, tuple[str, Decide]] = {
        "evaluation_loss_fell": ("The validation loss fell during training.", evaluation_loss_fell),
        "loss_stays_down": ("The validation loss does not rise again before the training ends.", loss_stays_down),
        "gradients_bounded": ("Every loss and gradient is a finite number, and no gradient is too large.", gradients),
        "device_used": (
            "Where the instance type has a GPU, the GPU worked.",
            lambda made, limits: device_used(made, limits, configuration),
        ),
        "tuned_beats_base": ("The tuned model beats its base by ROUGE-L on companies it never saw.", tuned_beats_base),
        "tasks_not_under_base": (
            "On companies it never saw, the tuned model is at least as good as its base in every task.",
            lambda made, limits: tasks_not_under_base(made, limits, tasks),
        ),
        "tasks_not_under_baselines": (
            "In every task the tuned model reaches the lower bound of the best simple method's 95% interval.",
            lambda made, limits: tasks_not_under_baselines(made, limits, tasks),
        ),
    }
    asking: dict[str, tuple[str, Callable[[Materialized, UnityCatalogResource], Verdict]]] = {
        "evaluation_complete": (
            f"{table_name(settings, EVALUATIONS)} holds every figure of this adapter that the gates need, as reported.",
            lambda made, catalog: evaluation_complete(
                made, evaluations.recorded(catalog.door("auditor"), settings, _digest(made)), configuration
            ),
        ),
        "not_under_champion": (
            "ROUGE-1 is not much under that of the model version in use, the alias `champion`.",
            lambda made, catalog: not_under_champion(made, thresholds, _champion(settings, configuration, catalog)),
        ),
    }
    return [
        *(_gate(key, simple, asking, thresholds) for key in gates.adapter_gates(configuration.name)),
        _lineage_complete(settings, configuration),
    ]


def _gate(
    key: dg.AssetCheckKey,
    simple: dict[str, tuple[str, Decide]],
    asking: dict[str, tuple[str, Callable[[Materialized, UnityCatalogResource], Verdict]]],
    thresholds: ModelThresholds,
) -> dg.AssetChecksDefinition:
    if key.name in asking:
        words, ask = asking[key.name]
        return build_catalog_gate(CatalogGate(key, words, ask))
    words, decide = simple[key.name]
    return build_gate(Gate(key, words, lambda made: decide(made, thresholds)))


def evaluation_loss_fell(made: Materialized, thresholds: ModelThresholds) -> Verdict:
    """Loss after training is finite and below the loss before it."""
    before, after = float(recorded(made, "loss_before")), float(recorded(made, "loss_after"))
    return Verdict(
        math.isfinite(after) and after < before,
        after,
        before,
        f"Validation loss went from {before:.3f} to {after:.3f}.",
    )


def loss_stays_down(made: Materialized, thresholds: ModelThresholds) -> Verdict:
    """How far the last validation loss is above the lowest one, as a share of that."""
    losses = validation_losses(made)
    lowest, last, most = min(losses, default=math.nan), losses[-1], thresholds.loss_rise
    rise = (last - lowest) / lowest if lowest > 0 else 0.0
    sentence = (
        f"The last of {len(losses)} validation losses, {last:.3f}, is {rise:.1%} above the lowest, {lowest:.3f} "
        f"(at most {most:.0%})."
    )
    return Verdict(math.isfinite(last) and rise <= most, rise, most, sentence)


def gradients(made: Materialized, thresholds: ModelThresholds) -> Verdict:
    """Numbers of the curve that are not finite, and the largest norm of a step's gradients."""
    norms = _series(made, "gradient_norm")
    broken = sum(
        not math.isfinite(number)
        for name in ("train_loss", "validation_loss", "gradient_norm")
        for number in _series(made, name)
    )
    largest, most = max(norms, default=math.inf, key=_nan_is_largest), thresholds.gradient_norm
    rows: list[Row] = [
        ("numbers that are not finite", broken, 0, broken == 0),
        ("largest norm of a step's gradients", largest, most, largest <= most),
    ]
    verdict = judged(rows, "measure", "measures of the gradients are out of bounds")
    sentence = f"The largest of {len(norms)} gradient norms is {largest:.3g} (at most {most:g}); {broken} numbers of "
    return Verdict(verdict.passed, largest, most, f"{sentence}the curve are not finite.", verdict.details)


def device_used(made: Materialized, thresholds: ModelThresholds, configuration: TrainingConfiguration) -> Verdict:
    """Mean use of the GPU. Without a figure of it a training passes only where its instance type has no GPU, or the
    threshold asks for no use: a job that fell back to the CPU is paid for as one that did not."""
    use, least, instance = recorded(made, "device_use"), thresholds.device_use, configuration.compute.instance_type
    if use is not None:
        shown = f"The GPU worked {float(use):.0%} of the time ({least:.0%})."
        return Verdict(float(use) >= least, float(use), least, shown)
    if accelerator(instance) is None:
        return Verdict(True, 0.0, 0.0, f"{instance} has no GPU: nothing is asked of its use.")
    sentence = (
        f"{instance} has a GPU, but no use of it was recorded: the training ran on the CPU, or nvidia-smi could not "
        "tell. See the job's log."
    )
    return Verdict(least <= 0, math.nan, least, sentence)


def evaluation_complete(made: Materialized, held: Sequence[Figure], configuration: TrainingConfiguration) -> Verdict:
    """Figures that are needed and lacking, and those in which the report and the table differ."""
    reported = figures_of(made)
    lacking = [
        f"{split} {task} {metric} of {system}"
        for split, task in _evaluated(made, reported, configuration)
        for metric in needed_figures(configuration, task)
        for system in (BASE, TUNED)
        if not _is_there(reported, split, task, metric, system)
    ]
    unrecorded = len(set(reported) ^ set(held))
    rows: list[Row] = [
        ("figures that are lacking", len(lacking), 0, not lacking),
        ("figures in which table and report differ", unrecorded, 0, not unrecorded),
    ]
    verdict = judged(rows, "measure", "faults of the evaluation")
    sentence = f"The table holds {len(held)} figures of this adapter, {len(reported)} were reported."
    if lacking:
        more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
        sentence += f" Lacking: {', '.join(lacking[:NAMED])}{more}."
    return Verdict(verdict.passed, len(lacking) + unrecorded, 0, sentence, verdict.details)


def needed_figures(configuration: TrainingConfiguration, task: str) -> tuple[str, ...]:
    """What an evaluation of the task measures under the configuration, for base and tuned model alike."""
    metrics = configuration.evaluation.metrics
    if task in FIGURES_OF_LABELS:
        return (*FIGURES_OF_LABELS[task], *(name for name in ("perplexity",) if name in metrics))
    return tuple(figure for metric in metrics for figure in FIGURES_OF_METRICS.get(metric, ()))


def _evaluated(
    made: Materialized, reported: Sequence[Figure], configuration: TrainingConfiguration
) -> list[tuple[str, str]]:
    """Splits and tasks of which figures are needed: each task on unseen companies, and on each other split that had
    rows those tasks that it holds, which is one at least."""
    present = {(figure.split, figure.task) for figure in reported}
    found: list[tuple[str, str]] = [(UNSEEN, task) for task in configuration.data.tasks]
    for split in configuration.evaluation.splits:
        if split != UNSEEN and int(recorded(made, f"rows_{split}")):
            tasks = [task for task in configuration.data.tasks if (split, task) in present]
            found += [(split, task) for task in tasks or configuration.data.tasks[:1]]
    return found


def tuned_beats_base(made: Materialized, thresholds: ModelThresholds) -> Verdict:
    """ROUGE-L of the tuned model exceeds the base model's by more than the least gain."""
    base, tuned, gain = (
        float(made.metadata["rouge_l_base"]),
        float(made.metadata["rouge_l_tuned"]),
        thresholds.rouge_l_gain,
    )
    return Verdict(tuned > base + gain, tuned, base + gain, f"ROUGE-L is {tuned:.3f}, of the base model {base:.3f}.")


def tasks_not_under_base(made: Materialized, thresholds: ModelThresholds, tasks: Iterable[str]) -> Verdict:
    """Each task's metric beside the base model's."""
    figures = figures_of(made)

    def bound(task: str, metric: str) -> tuple[str, float] | None:
        found = evaluations.find(figures, task, metric, BASE)
        return None if found is None or found.value is None else ("base model", found.value - thresholds.under_base)

    return _tasks_against(figures, tasks, bound)


def tasks_not_under_baselines(made: Materialized, thresholds: ModelThresholds, tasks: Iterable[str]) -> Verdict:
    """Each task's metric beside the lower bound of the best baseline: that with the highest figure.

    Where a figure has no interval, since its examples are of one company, the figure itself is the bound.
    """
    figures = figures_of(made)

    def bound(task: str, metric: str) -> tuple[str, float] | None:
        found = [evaluations.find(figures, task, metric, system) for system in BASELINES]
        known = [(figure.value, figure) for figure in found if figure is not None and figure.value is not None]
        if not known:
            return None
        value, best = max(known, key=lambda pair: pair[0])
        low = value if best.low is None else best.low
        return best.system.replace("_", " "), low - thresholds.under_baselines

    return _tasks_against(figures, tasks, bound)


def not_under_champion(made: Materialized, thresholds: ModelThresholds, champion: Champion | None) -> Verdict:
    """ROUGE-1 beside the champion's; without a champion there is nothing to compare with."""
    mine = evaluations.find(figures_of(made), "T1", "rouge_1", TUNED)
    value = mine.value if mine is not None and mine.value is not None else math.nan
    if champion is None:
        return Verdict(
            not math.isnan(value), value, 0.0, f"ROUGE-1 is {value:.3f}. There is no champion to compare with."
        )
    theirs = evaluations.find(champion.figures, "T1", "rouge_1", TUNED)
    who = f"the champion, version {champion.version}"
    if theirs is None or theirs.value is None:
        sentence = f"ROUGE-1 is {value:.3f}, but no evaluation of {who}, is recorded: promote a version that has one."
        return Verdict(False, value, math.nan, sentence)
    least = theirs.value * (1 - thresholds.under_champion)
    sentence = f"ROUGE-1 is {value:.3f}; of {who}, {theirs.value:.3f}, at least {least:.3f} is needed."
    if champion.merkle_root != made.metadata.get("merkle_root"):
        sentence += " The champion was tested on another version of the data."
    return Verdict(value >= least, value, least, sentence)


def figures_of(made: Materialized) -> tuple[Figure, ...]:
    """The figures that the adapter's job reported.

    Raises:
        dagster.Failure: it reported none, since an older version of the project trained it.
    """
    return evaluations.parse(as_list(recorded(made, "evaluation")))


def validation_losses(made: Materialized) -> list[float]:
    """Every validation loss in order: before the training, at the steps that measured it, and after it."""
    measured = _series(made, "validation_loss")
    return measured or [float(recorded(made, "loss_before")), float(recorded(made, "loss_after"))]


def _tasks_against(
    figures: Sequence[Figure], tasks: Iterable[str], bound: Callable[[str, str], tuple[str, float] | None]
) -> Verdict:
    """Each task's metric beside its bound; value and threshold are those of the task with the least room."""
    rows: list[Row] = []
    for task in tasks:
        metric = TASK_METRICS[task]
        mine, least = evaluations.find(figures, task, metric, TUNED), bound(task, metric)
        value = mine.value if mine is not None and mine.value is not None else math.nan
        against, number = least if least is not None else ("nothing: no figure of it", math.nan)
        rows.append((f"{task}: {metric}, against {against}", value, number, value >= number))
    _, value, number, _ = min(rows, key=lambda row: -math.inf if math.isnan(row[1] - row[2]) else row[1] - row[2])
    shown = "; ".join(f"{name}: {mine:.3f}, at least {least:.3f}" for name, mine, least, _ in rows)
    verdict = judged(rows, "measure", "tasks are too low")
    sentence = f"{shown}." if verdict.passed else f"{verdict.sentence} {shown}."
    return Verdict(verdict.passed, value, number, sentence, verdict.details)


def _is_there(figures: Iterable[Figure], split: str, task: str, metric: str, system: str) -> bool:
    for figure in figures:
        if (figure.split, figure.task, figure.metric, figure.system, figure.against) == (
            split,
            task,
            metric,
            system,
            None,
        ):
            return figure.examples > 0 and (figure.value is not None or metric in NOT_ALWAYS_DEFINED)
    return False


def _series(made: Materialized, name: str) -> list[float]:
    """What the curve holds of one measure, in order of the steps."""
    points = as_list(recorded(made, "curve"))
    return [float(point[name]) for point in points if point.get(name) is not None]


def _nan_is_largest(number: float) -> float:
    return math.inf if math.isnan(number) else number


def _digest(made: Materialized) -> str:
    return evaluations.digest_of(made.data_version)


def _champion(
    settings: Settings, configuration: TrainingConfiguration, catalog: UnityCatalogResource
) -> Champion | None:
    """The registrar, who owns the models, is told of the alias; the auditor reads the table."""
    registry = ModelRegistry(catalog.workspace("registrar"), settings.region)
    found = registry.champion(model_name(settings, configuration))
    return evaluations.champion(catalog.door("auditor"), settings, found) if found is not None else None


def _lineage_complete(settings: Settings, configuration: TrainingConfiguration) -> dg.AssetChecksDefinition:
    key, name = model_key(configuration.name), model_name(settings, configuration)

    @dg.asset_check(
        asset=key,
        name="lineage_complete",
        description="Unity Catalog holds every edge from the raw table to the model version, with its versions.",
        blocking=True,
    )
    def lineage_complete(
        context: dg.AssetCheckExecutionContext, unity_catalog: UnityCatalogResource
    ) -> dg.AssetCheckResult:
        model = provenance.latest(context.instance, key)
        version = str(model.metadata["model_version"])
        # What was written then, not what the newest data would give: the check must hold for the version for ever.
        expected = lineage.from_json(model.metadata["lineage"])
        found = lineage.read_upstream(unity_catalog.workspace("registrar"), Node("model_version", name, version))
        absent = lineage.missing(expected, found)
        return dg.AssetCheckResult(
            passed=not absent,
            description=f"{len(expected) - len(absent)} of {len(expected)} edges are in the catalog.",
            metadata={
                "value": len(expected) - len(absent),
                "threshold": len(expected),
                "Missing": ", ".join(f"{edge.source.name} -> {edge.target.name}" for edge in absent) or "none",
                DATA_VERSION: model.data_version,
                MATERIALIZED_BY: model.run_id,
            },
        )

    return lineage_complete
