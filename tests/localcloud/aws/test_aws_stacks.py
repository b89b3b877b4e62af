"""The templates of `infra/` in a running local account: deployed, changed, kept, and what their policies refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws import LocalAws, allow, run_server

from localcloud.seed import names, stacks

INFRA = Path(__file__).parents[3] / "infra"
TABLE = {"Bucket": "govtune-lake", "Key": "raw/delta/part-0.parquet"}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """An account with the stacks that the local cloud deploys."""
    for server in run_server(tmp_path_factory.mktemp("stacks")):
        server.client("iam").create_user(UserName=names.CATALOG_USER)
        stacks.deploy(server.client("cloudformation"))
        yield server


def code(call: Callable[[], Any]) -> str:
    """The error code with which a call is refused."""
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


def statements(server: LocalAws, bucket: str) -> dict[str, Any]:
    """The statements of a bucket's policy by their Sid."""
    document = json.loads(server.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    return {one["Sid"]: one for one in document["Statement"]}


def catalog(server: LocalAws) -> Any:
    """S3 as the storage credential."""
    key = server.user("catalogs-stand-in", allow("sts:AssumeRole"))
    iam = server.client("iam")
    role = iam.get_role(RoleName=names.CATALOG_ROLE)["Role"]
    trust = role["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Principal"]["AWS"] = "arn:aws:iam::123456789012:user/catalogs-stand-in"
    iam.update_assume_role_policy(RoleName=names.CATALOG_ROLE, PolicyDocument=json.dumps(trust))
    session = server.client("sts", key).assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    return server.client("s3", session)


def test_buckets_are_versioned_encrypted_and_not_public(deployed: LocalAws) -> None:
    s3 = deployed.client("s3")
    keys = set()
    for bucket in (names.LAKE_BUCKET, names.MODELS_BUCKET, names.WORK_BUCKET, names.AUDIT_BUCKET):
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
        rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert (rule["BucketKeyEnabled"], rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]) == (
            True,
            "aws:kms",
        )
        keys.add(rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])
        owned = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert len(keys) == 2


def test_only_prompts_are_forgotten(deployed: LocalAws) -> None:
    s3 = deployed.client("s3")
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=names.WORK_BUCKET)["Rules"]
    assert (rule["Filter"], rule["Expiration"], rule["Status"]) == ({"Prefix": "prompts/"}, {"Days": 30}, "Enabled")
    for bucket in (names.LAKE_BUCKET, names.MODELS_BUCKET, names.AUDIT_BUCKET):
        assert code(lambda name=bucket: s3.get_bucket_lifecycle_configuration(Bucket=name)) == (
            "NoSuchLifecycleConfiguration"
        )


def test_tables_are_reached_with_the_storage_credential_alone(deployed: LocalAws) -> None:
    s3 = catalog(deployed)
    s3.put_object(**TABLE, Body=b"rows")
    assert s3.get_object(**TABLE)["Body"].read() == b"rows"
    administrator = deployed.client("s3", deployed.user("administrator", allow("*")))
    assert code(lambda: administrator.get_object(**TABLE)) == "AccessDenied"
    assert code(lambda: administrator.list_objects_v2(Bucket=names.LAKE_BUCKET)) == "AccessDenied"
    assert code(lambda: administrator.put_object(**TABLE, Body=b"other")) == "AccessDenied"


def test_what_is_written_lies_under_the_buckets_key(deployed: LocalAws) -> None:
    s3 = deployed.client("s3", deployed.user("writer", allow("s3:PutObject")))
    place = {"Bucket": names.WORK_BUCKET, "Key": "pipes/x"}
    kms = deployed.client("kms")
    key = kms.describe_key(KeyId="alias/govtune")["KeyMetadata"]["Arn"]
    other = kms.describe_key(KeyId="alias/govtune-tables")["KeyMetadata"]["Arn"]
    s3.put_object(**place, Body=b"x")
    s3.put_object(**place, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert code(lambda: s3.put_object(**place, Body=b"x", ServerSideEncryption="AES256")) == "AccessDenied"
    under_other = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other}
    assert code(lambda: s3.put_object(**place, Body=b"x", **under_other)) == "AccessDenied"


def test_the_record_cannot_be_rewritten(deployed: LocalAws) -> None:
    administrator = deployed.client("s3", deployed.user("cleaner", allow("*")))
    place = {"Bucket": names.AUDIT_BUCKET, "Key": "AWSLogs/x"}
    administrator.put_object(**place, Body=b"x")
    assert code(lambda: administrator.delete_object(**place)) == "AccessDenied"


def test_a_parameter_brings_the_rules_for_tls_and_the_endpoint(deployed: LocalAws) -> None:
    own = {"Name": "elsewhere", "RequireTls": "true", "VpcEndpointIds": "vpce-1,vpce-2"}
    deployed.client("cloudformation").create_stack(
        StackName="elsewhere",
        TemplateBody=(INFRA / "storage.yaml").read_text(),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {**own, "CatalogAddresses": "192.0.2.0/24"}.items()
        ],
    )
    for bucket in ("elsewhere-lake", "elsewhere-models", "elsewhere-work"):
        assert set(statements(deployed, bucket)) >= {"OnlyTls", "OnlyThroughTheEndpoint"}
    condition = statements(deployed, "elsewhere-lake")["OnlyThroughTheEndpoint"]["Condition"]
    assert condition["StringNotEqualsIfExists"] == {"aws:SourceVpce": ["vpce-1", "vpce-2"]}
    outside = deployed.client("s3", deployed.user("outside", allow("s3:*")))
    assert code(lambda: outside.put_object(Bucket="elsewhere-work", Key="x", Body=b"x")) == "AccessDenied"
    assert not rules_left_out(deployed)


def test_deploying_again_changes_nothing_and_survives_a_restart(own_aws: LocalAws) -> None:
    own_aws.client("iam").create_user(UserName=names.CATALOG_USER)
    first = stacks.deploy(own_aws.client("cloudformation"))
    secrets = own_aws.client("secretsmanager")
    secrets.put_secret_value(SecretId="databricks/loader", SecretString="kept")
    own_aws.stop()
    own_aws.start()
    assert stacks.deploy(own_aws.client("cloudformation")) == first
    secrets = own_aws.client("secretsmanager")
    assert secrets.get_secret_value(SecretId="databricks/loader")["SecretString"] == "kept"


def rules_left_out(server: LocalAws) -> set[str]:
    """The statements that need TLS or a VPC endpoint, in the policies of the local cloud's own buckets."""
    found: set[str] = set()
    for bucket in (names.LAKE_BUCKET, names.MODELS_BUCKET, names.WORK_BUCKET, names.AUDIT_BUCKET):
        found |= set(statements(server, bucket)) & {"OnlyTls", "OnlyThroughTheEndpoint"}
    return found


def test_a_changed_template_changes_what_it_made(deployed: LocalAws) -> None:
    client = deployed.client("cloudformation")
    body = (INFRA / "audit.yaml").read_text()
    assert "ReadWriteType: All" in body
    current = client.describe_stacks(StackName="govtune-audit")["Stacks"][0]["Parameters"]
    client.update_stack(
        StackName="govtune-audit", TemplateBody=body.replace("Type: All", "Type: WriteOnly"), Parameters=current
    )
    selectors = deployed.client("cloudtrail").get_event_selectors(TrailName="govtune")["EventSelectors"]
    assert [one["ReadWriteType"] for one in selectors] == ["WriteOnly"]


def test_a_property_that_is_not_taken_is_refused_by_name(deployed: LocalAws) -> None:
    body = {"Resources": {"User": {"Type": "AWS::IAM::User", "Properties": {"UserName": "x", "LoginProfile": {}}}}}
    with pytest.raises(ClientError, match="does not take LoginProfile"):
        deployed.client("cloudformation").create_stack(StackName="unknown", TemplateBody=json.dumps(body))


@pytest.mark.parametrize("verb", ["create_stack", "validate_template"])
def test_a_template_builds_no_objects_of_its_choice(deployed: LocalAws, tmp_path: Path, verb: str) -> None:
    made = tmp_path / "made"
    body = f"Description: !!python/object/apply:os.mkdir ['{made}']\nResources: {{}}\n"
    given = {"StackName": "evil", "TemplateBody": body} if verb == "create_stack" else {"TemplateBody": body}
    with pytest.raises(ClientError):
        getattr(deployed.client("cloudformation"), verb)(**given)
    assert not made.exists()
