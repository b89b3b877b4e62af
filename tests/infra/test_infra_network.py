"""The network, made by moto's CloudFormation: where packets of a job may go, for each way out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

TEMPLATE = Path(__file__).parents[2] / "infra" / "network.yaml"
WORKSPACE = "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d"
SERVICES = {"s3", "secretsmanager", "sts", "kms", "logs", "monitoring", "sagemaker.api", "emr-serverless"}


@pytest.fixture(params=["nat", "privatelink"])
def network(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any, list[dict[str, Any]]]]:
    """The way out, a client of EC2 and a filter for what is in the VPC."""
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        client = session.client("cloudformation")
        parameters = {
            "WayOut": request.param,
            "Comprehend": "true" if request.param == "privatelink" else "false",
            "WorkspaceEndpointService": WORKSPACE if request.param == "privatelink" else "",
            "FirstZone": "us-east-1a",
            "SecondZone": "us-east-1b",
        }
        client.create_stack(
            StackName="network",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )
        vpc = client.describe_stack_resource(StackName="network", LogicalResourceId="Vpc")["StackResourceDetail"]
        yield request.param, session.client("ec2"), [{"Name": "vpc-id", "Values": [vpc["PhysicalResourceId"]]}]


def test_jobs_leave_the_vpc_by_one_way_alone(network: tuple[str, Any, list[dict[str, Any]]]) -> None:
    way, ec2, inside = network
    endpoints = {one["ServiceName"] for one in ec2.describe_vpc_endpoints(Filters=inside)["VpcEndpoints"]}
    of_aws = {f"com.amazonaws.us-east-1.{service}" for service in SERVICES}
    asked_for = {WORKSPACE, "com.amazonaws.us-east-1.comprehend"} if way == "privatelink" else set()
    assert endpoints == of_aws | asked_for
    tables = ec2.describe_route_tables(Filters=inside)["RouteTables"]
    out = [route for table in tables for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    assert sorted("NatGatewayId" in route for route in out) == ([False, True] if way == "nat" else [])
    groups = ec2.describe_security_groups(Filters=inside)["SecurityGroups"]
    admitted = [rule for group in groups for rule in group["IpPermissions"]]
    assert [(rule["FromPort"], rule["IpRanges"]) for rule in admitted] == [(443, [])]
