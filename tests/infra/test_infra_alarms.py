"""The alarms, made by moto's CloudFormation: what is watched, and that each of them reaches the topic.

moto's CloudFormation makes the topic and the rules. Of the others it knows the APIs alone, whose parameters have the
template's own names: those resources are given to them as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.infra.test_infra_templates import parameters, resources

TEMPLATE = Path(__file__).parents[2] / "infra" / "alarms.yaml"
ACCOUNT = "123456789012"
DEFAULTS = {name: one["Default"] for name, one in parameters("alarms.yaml").items() if "Default" in one}
GIVEN = {
    "JobKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b2c3d",
    "ApplicationId": "00f1abcd",
    "Recipient": "who@example.com",
    "MonthlyBudget": "500",
}


@dataclass(frozen=True)
class Alarms:
    """The stack's topic, and the account that it is in."""

    topic: str
    session: Any

    def resource(self, name: str) -> dict[str, Any]:
        """The properties of one resource of the template, with its parameters filled in."""
        values = {**DEFAULTS, **GIVEN, "EndpointName": "govtune-serving", "Topic": self.topic}
        values["AWS::AccountId"] = ACCOUNT
        filled: dict[str, Any] = _filled(resources(TEMPLATE.name)[name]["Properties"], values)
        return filled


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    match value:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Sub": text}:
            return text.replace("${Name}", values["Name"])
        case dict():
            return {key: _filled(one, values) for key, one in value.items()}
        case list():
            return [_filled(one, values) for one in value]
    return value


@pytest.fixture
def alarms() -> Iterator[Alarms]:
    """The deployed template."""
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        client = session.client("cloudformation")
        given = {**GIVEN, "EndpointName": "govtune-serving"}
        client.create_stack(
            StackName="alarms",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        )
        (output,) = client.describe_stacks(StackName="alarms")["Stacks"][0]["Outputs"]
        yield Alarms(output["OutputValue"], session)


def test_the_topic_is_encrypted_and_heard_by_the_recipient(alarms: Alarms) -> None:
    sns = alarms.session.client("sns")
    attributes = sns.get_topic_attributes(TopicArn=alarms.topic)["Attributes"]
    assert attributes["KmsMasterKeyId"] == GIVEN["JobKeyArn"]
    (heard,) = sns.list_subscriptions_by_topic(TopicArn=alarms.topic)["Subscriptions"]
    assert (heard["Protocol"], heard["Endpoint"]) == ("email", GIVEN["Recipient"])


def test_alarms_of_this_account_alone_may_publish(alarms: Alarms) -> None:
    sns, given = alarms.session.client("sns"), alarms.resource("TopicPolicy")
    assert given["Topics"] == [alarms.topic]
    document = json.dumps(given["PolicyDocument"])
    sns.set_topic_attributes(TopicArn=alarms.topic, AttributeName="Policy", AttributeValue=document)
    kept = json.loads(sns.get_topic_attributes(TopicArn=alarms.topic)["Attributes"]["Policy"])
    (statement,) = kept["Statement"]
    publishers = {f"{one}.amazonaws.com" for one in ("cloudwatch", "events", "budgets")}
    assert set(statement["Principal"]["Service"]) == publishers
    assert (statement["Action"], statement["Resource"]) == ("sns:Publish", alarms.topic)
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_failed_jobs_reach_the_topic(alarms: Alarms) -> None:
    events = alarms.session.client("events")
    rules = {rule["Name"]: json.loads(rule["EventPattern"]) for rule in events.list_rules()["Rules"]}
    assert rules["govtune-training-failed"]["detail"] == {"TrainingJobStatus": ["Failed"]}
    assert rules["govtune-spark-failed"]["detail"] == {"state": ["FAILED"], "applicationId": [GIVEN["ApplicationId"]]}
    for name in rules:
        assert [one["Arn"] for one in events.list_targets_by_rule(Rule=name)["Targets"]] == [alarms.topic]


def test_errors_and_latency_of_an_endpoint_reach_the_topic(alarms: Alarms) -> None:
    client = alarms.session.client("cloudwatch")
    assert all(resources(TEMPLATE.name)[name]["Condition"] == "Serves" for name in ("ServerErrors", "SlowAnswers"))
    for name in ("ServerErrors", "SlowAnswers"):
        given = alarms.resource(name)
        client.put_metric_alarm(**{**given, "Threshold": float(given["Threshold"])})
    found = {one["AlarmName"]: one for one in client.describe_alarms()["MetricAlarms"]}
    assert set(found) == {"govtune-5xx", "govtune-p99"}
    errors, slow = found["govtune-5xx"], found["govtune-p99"]
    assert (errors["MetricName"], errors["Statistic"], errors["Threshold"]) == ("Invocation5XXErrors", "Sum", 1.0)
    assert {one["Name"]: one["Value"] for one in errors["Dimensions"]}["EndpointName"] == "govtune-serving"
    measured = {one["Id"]: one for one in slow["Metrics"]}
    assert measured["latency"]["MetricStat"]["Stat"] == "p99"
    assert (measured["milliseconds"]["Expression"], slow["Threshold"]) == ("latency / 1000", 10000.0)
    for alarm in found.values():
        assert (alarm["AlarmActions"], alarm["TreatMissingData"]) == ([alarms.topic], "notBreaching")


def test_the_budget_is_one_that_the_service_takes(alarms: Alarms) -> None:
    given = alarms.resource("Cost")
    budgets = alarms.session.client("budgets")
    budgets.create_budget(AccountId=ACCOUNT, **given)
    (budget,) = budgets.describe_budgets(AccountId=ACCOUNT)["Budgets"]
    assert (float(budget["BudgetLimit"]["Amount"]), budget["TimeUnit"]) == (500.0, "MONTHLY")
    told = [one["Address"] for alert in given["NotificationsWithSubscribers"] for one in alert["Subscribers"]]
    assert told == [alarms.topic, alarms.topic]
