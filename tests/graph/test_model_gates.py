"""Each model gate passes on a good training and fails on a fault; value and threshold stand side by side."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from govtune_assets import evaluations, gates, model_report
from govtune_assets.checks import training
from govtune_assets.checks.common import Verdict
from govtune_assets.evaluations import BASE, TUNED, UNSEEN, Champion, Figure
from govtune_assets.keys import adapter_key
from govtune_assets.provenance import Materialized
from govtune_assets.settings import Settings
from govtune_assets.thresholds import ModelThresholds
from train.config import TrainingConfiguration, load_all

TASKS = ("T1", "T2", "T3", "T4")
LIMITS = ModelThresholds()


def configuration(*tasks: str) -> TrainingConfiguration:
    known = load_all()["smollm2-135m"]
    return known.model_copy(update={"data": known.data.model_copy(update={"tasks": tasks})})


def figure(task: str, metric: str, system: str, value: float | None, split: str = UNSEEN) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.05, value + 0.05)
    return {
        "split": split,
        "task": task,
        "metric": metric,
        "system": system,
        "against": None,
        "value": value,
        "low": low,
        "high": high,
        "examples": 20,
        "companies": 5,
    }


def evaluation(split: str = UNSEEN) -> list[dict[str, Any]]:
    """Every figure of all tasks: the tuned model better than its base, the baselines between them."""
    found = []
    for task in TASKS:
        for metric in training.needed_figures(configuration(*TASKS), task):
            found += [figure(task, metric, BASE, 0.3, split), figure(task, metric, TUNED, 0.6, split)]
            simple = ("lead_sentence", "nearest_heading") if task == "T1" else ("majority", "tfidf_logistic")
            found += [figure(task, metric, simple[0], 0.4, split), figure(task, metric, simple[1], 0.5, split)]
    return found


GOOD: dict[str, Any] = {
    "loss_before": 2.0,
    "loss_after": 1.02,
    "curve": [
        {"step": 0, "validation_loss": 2.0},
        {"step": 1, "train_loss": 2.1, "gradient_norm": 9.0},
        {"step": 2, "train_loss": 1.5, "gradient_norm": 3.0, "validation_loss": 1.0},
        {"step": 3, "train_loss": 1.4, "gradient_norm": 2.0, "validation_loss": 1.02},
    ],
    "device_use": 0.8,
    "rouge_l_base": 0.3,
    "rouge_l_tuned": 0.6,
    "evaluation": evaluation(),
    "merkle_root": "root",
    **{f"rows_{split}": 0 for split in ("validation", "test_year", "test_company_year")},
}


def made(**changed: Any) -> Materialized:
    return Materialized(adapter_key("x"), None, "run", 0.0, "sha256:a", None, GOOD | changed)


def with_figure(task: str, metric: str, system: str, value: float | None) -> list[dict[str, Any]]:
    key = (task, metric, system)
    return [
        figure(task, metric, system, value) if (one["task"], one["metric"], one["system"]) == key else one
        for one in evaluation()
    ]


def without(*systems: str) -> list[dict[str, Any]]:
    return [one for one in evaluation() if one["system"] not in systems]


def base(found: Materialized, limits: ModelThresholds) -> Verdict:
    return training.tasks_not_under_base(found, limits, TASKS)


def baselines(found: Materialized, limits: ModelThresholds) -> Verdict:
    return training.tasks_not_under_baselines(found, limits, TASKS)


def device(found: Materialized, limits: ModelThresholds) -> Verdict:
    return training.device_used(found, limits, on("ml.g6e.2xlarge"))


def on(instance_type: str) -> TrainingConfiguration:
    known = configuration("T1")
    return known.model_copy(update={"compute": known.compute.model_copy(update={"instance_type": instance_type})})


def curve(**last: float) -> list[Mapping[str, float]]:
    return [*GOOD["curve"], {"step": 4, **last}]


FAULTS: list[tuple[Callable[[Materialized, ModelThresholds], Verdict], dict[str, Any], str]] = [
    (training.evaluation_loss_fell, {"loss_after": 2.0}, "from 2.000 to 2.000"),
    (training.evaluation_loss_fell, {"loss_after": math.nan}, "to nan"),
    (training.loss_stays_down, {"curve": curve(validation_loss=1.06)}, "1.060, is 6.0% above the lowest, 1.000"),
    (training.loss_stays_down, {"curve": curve(validation_loss=math.nan)}, "nan"),
    (training.gradients, {"curve": curve(gradient_norm=101.0)}, "is 101 (at most 100)"),
    (training.gradients, {"curve": curve(train_loss=math.inf)}, "1 numbers of the curve are not finite"),
    (training.gradients, {"curve": curve(gradient_norm=math.nan)}, "is nan"),
    (training.gradients, {"curve": []}, "of 0 gradient norms"),
    (device, {"device_use": 0.29}, "29% of the time"),
    (device, {"device_use": None}, "ml.g6e.2xlarge has a GPU, but no use of it was recorded"),
    (training.tuned_beats_base, {"rouge_l_tuned": 0.3}, "0.300, of the base model 0.300"),
    (base, {"evaluation": with_figure("T3", "f1", TUNED, 0.29)}, "T3: f1"),
    (base, {"evaluation": with_figure("T3", "f1", TUNED, None)}, "T3: f1"),
    (base, {"evaluation": without(BASE)}, "4 tasks are too low"),
    (
        baselines,
        {"evaluation": with_figure("T1", "rouge_l", "lead_sentence", 0.66)},
        "T1: rouge_l, against lead sentence",
    ),
    (baselines, {"evaluation": with_figure("T2", "macro_f1", TUNED, 0.44)}, "T2: macro_f1, against tfidf logistic"),
    (baselines, {"evaluation": without("majority", "tfidf_logistic")}, "T4: f1, against nothing"),
]


@pytest.mark.parametrize("decide", dict.fromkeys(decide for decide, _, _ in FAULTS))
def test_a_good_training_passes(decide: Callable[[Materialized, ModelThresholds], Verdict]) -> None:
    verdict = decide(made(), LIMITS)
    assert verdict.passed, verdict.sentence


@pytest.mark.parametrize(("decide", "fault", "words"), FAULTS)
def test_a_fault_fails_and_says_why(
    decide: Callable[[Materialized, ModelThresholds], Verdict], fault: dict[str, Any], words: str
) -> None:
    verdict = decide(made(**fault), LIMITS)
    assert not verdict.passed
    assert words in verdict.sentence, verdict.sentence


def test_every_gate_has_a_fault_that_closes_it() -> None:
    asking = {"evaluation_complete", "not_under_champion"}
    assert len(gates.ADAPTER_GATES) == len({decide for decide, _, _ in FAULTS}) + len(asking)


@pytest.mark.parametrize(
    ("limits", "decide", "fault"),
    [
        ({"loss_rise": 0.07}, training.loss_stays_down, {"curve": curve(validation_loss=1.06)}),
        ({"gradient_norm": 200.0}, training.gradients, {"curve": curve(gradient_norm=101.0)}),
        ({"device_use": 0.2}, device, {"device_use": 0.29}),
        ({"device_use": 0.0}, device, {"device_use": None}),
        ({"rouge_l_gain": -0.1}, training.tuned_beats_base, {"rouge_l_tuned": 0.3}),
        ({"under_base": 0.02}, base, {"evaluation": with_figure("T3", "f1", TUNED, 0.29)}),
        ({"under_baselines": 0.02}, baselines, {"evaluation": with_figure("T2", "macro_f1", TUNED, 0.44)}),
    ],
)
def test_a_threshold_that_is_mended_opens_the_gate(
    limits: dict[str, float], decide: Callable[[Materialized, ModelThresholds], Verdict], fault: dict[str, Any]
) -> None:
    assert decide(made(**fault), ModelThresholds(**limits)).passed


def test_value_and_threshold_are_those_of_the_task_with_the_least_room() -> None:
    verdict = base(made(evaluation=with_figure("T3", "f1", TUNED, 0.4)), LIMITS)
    assert (verdict.passed, verdict.value, verdict.threshold) == (True, 0.4, 0.3)
    assert "T2: macro_f1, against base model: 0.600, at least 0.300" in verdict.sentence


def test_a_baseline_without_an_interval_is_its_own_bound() -> None:
    rows = [{**one, "low": None, "high": None} if one["system"] == "nearest_heading" else one for one in evaluation()]
    closer = [{**one, "value": 0.47} if (one["metric"], one["system"]) == ("rouge_l", TUNED) else one for one in rows]
    assert not baselines(made(evaluation=closer), LIMITS).passed
    assert baselines(made(evaluation=rows), LIMITS).passed


def test_the_use_of_a_gpu_is_judged_where_there_is_one() -> None:
    assert device(made(device_use=0.3), LIMITS).passed
    on_cpu = training.device_used(made(device_use=None), LIMITS, on("ml.c7i.2xlarge"))
    assert on_cpu.passed and "ml.c7i.2xlarge has no GPU" in on_cpu.sentence


def complete(rows: Sequence[Mapping[str, Any]], held: Sequence[Figure] | None = None, **changed: Any) -> Verdict:
    found = made(evaluation=list(rows), **changed)
    return training.evaluation_complete(
        found, training.figures_of(found) if held is None else held, configuration(*TASKS)
    )


def test_an_evaluation_is_complete_with_each_figure_in_report_and_table() -> None:
    assert complete(evaluation()).passed
    figures = evaluations.parse(evaluation())
    assert not complete(evaluation(), figures[1:]).passed
    assert not complete(evaluation(), ()).passed
    assert not complete(evaluation(), (replace(figures[0], value=0.9), *figures[1:])).passed


def test_a_lacking_figure_is_named() -> None:
    assert "Lacking: test_company T3 f1 of tuned." in complete(with_figure("T3", "f1", TUNED, None)).sentence
    assert not complete([one for one in evaluation() if one["task"] != "T4"]).passed
    assert complete(with_figure("T3", "auroc", TUNED, None)).passed  # examples of one label have none
    assert "test_year T1" in complete(evaluation(), rows_test_year=9).sentence
    assert complete([*evaluation(), *evaluation("test_year")], rows_test_year=9).passed


def champion(rouge_1: float | None, root: str = "root") -> Champion:
    rows = evaluations.parse([figure("T1", "rouge_1", TUNED, rouge_1)])
    return Champion("7", "c", root, rows if rouge_1 is not None else ())


def test_the_champion_may_be_five_percent_better_and_no_more() -> None:
    assert training.not_under_champion(made(), LIMITS, champion(0.6 / 0.95 - 1e-9)).passed
    assert not training.not_under_champion(made(), LIMITS, champion(0.64)).passed
    assert "There is no champion" in training.not_under_champion(made(), LIMITS, None).sentence
    without_figures = training.not_under_champion(made(), LIMITS, champion(None))
    assert not without_figures.passed and "no evaluation of the champion, version 7" in without_figures.sentence
    other = training.not_under_champion(made(), LIMITS, champion(0.5, "other"))
    assert other.passed and "another version of the data" in other.sentence


def test_without_a_figure_of_its_own_nothing_passes_the_champion() -> None:
    assert not training.not_under_champion(made(evaluation=without(TUNED)), LIMITS, None).passed
    assert not training.not_under_champion(made(evaluation=without(TUNED)), LIMITS, champion(0.1)).passed


def test_what_an_older_training_did_not_report_is_said() -> None:
    older = Materialized(adapter_key("x"), None, "run", 0.0, "v", None, {"loss_before": 2.0, "loss_after": 1.0})
    for decide in (training.loss_stays_down, device, base):
        with pytest.raises(dg.Failure, match="recorded no"):
            decide(older, LIMITS)


def test_thresholds_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVTUNE_MODEL_THRESHOLDS", '{"loss_rise": 0.5}')
    assert Settings().model_thresholds == ModelThresholds(loss_rise=0.5)
    monkeypatch.setenv("GOVTUNE_MODEL_THRESHOLDS", '{"loss_rises": 0.5}')
    with pytest.raises(ValueError, match="loss_rises"):
        Settings()


def test_charts_are_short_enough_to_be_shown_in_place() -> None:
    long = [{"step": step, "train_loss": 3 / (step + 1), "validation_loss": 3 / (step + 1)} for step in range(400)]
    chart = model_report.losses_chart(long)
    assert len(chart) < 1000
    figures = evaluations.parse(evaluation())
    shown = model_report.charts(figures)
    assert list(shown) == [
        f"{task}: {name} on unseen companies"
        for task, name in (("T1", "ROUGE-L"), ("T2", "macro f1"), ("T3", "f1"), ("T4", "f1"))
    ]
    assert all(len(entry.value) < 1000 for entry in shown.values())
