"""The templates of `infra/` in a running local account: deployed, changed, kept, and what their policies refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws import LocalAws, allow, policy, run_server

from localcloud.seed import names, stacks

INFRA = Path(__file__).parents[3] / "infra"
EXTERNAL_ID = "id-of-the-storage-credential"
TABLE = {"Bucket": "govtune-lake", "Key": "raw/delta/part-0.parquet"}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """An account with the stacks that the local cloud deploys."""
    for server in run_server(tmp_path_factory.mktemp("stacks")):
        server.client("iam").create_user(UserName=names.CATALOG_USER)
        stacks.deploy(server.client("cloudformation"))
        stacks.trust_catalog(server.client("cloudformation"), EXTERNAL_ID)
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


@pytest.fixture(scope="module")
def catalogs_key(deployed: LocalAws) -> dict[str, str]:
    """An access key of the user that stands for Databricks' own AWS account."""
    iam = deployed.client("iam")
    iam.put_user_policy(UserName=names.CATALOG_USER, PolicyName="own", PolicyDocument=policy(allow("*")))
    key: dict[str, str] = iam.create_access_key(UserName=names.CATALOG_USER)["AccessKey"]
    return key


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


def test_tables_are_reached_with_the_storage_credential_alone(deployed: LocalAws, catalogs_key: dict[str, str]) -> None:
    given = {"RoleArn": names.role_arn(names.CATALOG_ROLE), "RoleSessionName": "test", "ExternalId": EXTERNAL_ID}
    s3 = deployed.client("s3", deployed.client("sts", catalogs_key).assume_role(**given)["Credentials"])
    s3.put_object(**TABLE, Body=b"rows")
    assert s3.get_object(**TABLE)["Body"].read() == b"rows"
    administrator = deployed.client("s3", deployed.user("administrator", allow("*")))
    assert code(lambda: administrator.get_object(**TABLE)) == "AccessDenied"
    assert code(lambda: administrator.list_objects_v2(Bucket=names.LAKE_BUCKET)) == "AccessDenied"
    assert code(lambda: administrator.put_object(**TABLE, Body=b"other")) == "AccessDenied"


def test_the_catalog_takes_the_role_with_the_external_id_alone(
    deployed: LocalAws, catalogs_key: dict[str, str]
) -> None:
    sts = deployed.client("sts", catalogs_key)
    role = {"RoleArn": names.role_arn(names.CATALOG_ROLE), "RoleSessionName": "test"}
    for other in ({}, {"ExternalId": "0000"}, {"ExternalId": "id-of-another-customer"}):
        assert code(lambda given=other: sts.assume_role(**role, **given)) == "AccessDenied"
    assert sts.assume_role(**role, ExternalId=EXTERNAL_ID)["Credentials"]


def test_an_external_id_is_kept_when_the_stacks_are_deployed_again(own_aws: LocalAws) -> None:
    own_aws.client("iam").create_user(UserName=names.CATALOG_USER)
    cloudformation = own_aws.client("cloudformation")

    def asked() -> str:
        role = own_aws.client("iam").get_role(RoleName=names.CATALOG_ROLE)["Role"]
        return str(role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"])

    stacks.deploy(cloudformation)
    assert asked() == "0000"
    stacks.trust_catalog(cloudformation, EXTERNAL_ID)
    stacks.deploy(cloudformation)
    assert asked() == EXTERNAL_ID


def test_what_is_written_lies_under_the_buckets_key(deployed: LocalAws) -> None:
    s3 = deployed.client("s3", deployed.user("writer", allow("s3:PutObject")))
    place = {"Bucket": names.WORK_BUCKET, "Key": "pipes/spark/x"}
    kms = deployed.client("kms")
    key = kms.describe_key(KeyId="alias/govtune")["KeyMetadata"]["Arn"]
    other = kms.describe_key(KeyId="alias/govtune-tables")["KeyMetadata"]["Arn"]
    s3.put_object(**place, Body=b"x")
    s3.put_object(**place, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert code(lambda: s3.put_object(**place, Body=b"x", ServerSideEncryption="AES256")) == "AccessDenied"
    under_other = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other}
    assert code(lambda: s3.put_object(**place, Body=b"x", **under_other)) == "AccessDenied"


@pytest.mark.parametrize("how", [{"ServerSideEncryption": "AES256"}, {"SSECustomerAlgorithm": "AES256"}])
def test_no_way_of_writing_chooses_another_encryption(deployed: LocalAws, how: dict[str, str]) -> None:
    name = f"chooser-{next(iter(how))}"
    s3 = deployed.client("s3", deployed.user(name, allow(["s3:PutObject", "s3:GetObject"])))
    place, source = {"Bucket": names.WORK_BUCKET, "Key": "pipes/spark/y"}, {"Bucket": names.WORK_BUCKET, "Key": name}
    s3.put_object(**source, Body=b"x")
    own = {**how, "SSECustomerKey": "k" * 32} if "SSECustomerAlgorithm" in how else how
    assert code(lambda: s3.put_object(**place, Body=b"x", **own)) == "AccessDenied"
    assert code(lambda: s3.copy_object(**place, CopySource=source, **own)) == "AccessDenied"
    assert code(lambda: s3.create_multipart_upload(**place, **own)) == "AccessDenied"


def test_the_record_is_neither_forged_nor_deleted(deployed: LocalAws, catalogs_key: dict[str, str]) -> None:
    administrator = deployed.client("s3", deployed.user("cleaner", allow("*")))
    for key in ("AWSLogs/123456789012/x", "databricks/x"):
        place = {"Bucket": names.AUDIT_BUCKET, "Key": key}
        assert code(lambda at=place: administrator.put_object(**at, Body=b"x")) == "AccessDenied"
        assert code(lambda at=place: administrator.delete_object(**at)) == "AccessDenied"
    deliverer = deployed.client("s3", catalogs_key)
    deliverer.put_object(**place, Body=b"x", ACL="bucket-owner-full-control")
    assert code(lambda: deliverer.delete_object(**place)) == "AccessDenied"


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
