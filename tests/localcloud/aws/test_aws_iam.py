"""IAM at the door of a running server: who is let in, and for what."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from local_aws import ROOT_KEY, LocalAws, allow, deny, policy

ROOT = "arn:aws:iam::123456789012:root"


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """The error code and HTTP status of a call that is refused."""
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_root_is_the_key_of_the_credentials_file(aws: LocalAws) -> None:
    assert aws.client("sts").get_caller_identity()["Arn"] == ROOT


def test_unknown_keys_and_wrong_secrets_are_refused(aws: LocalAws) -> None:
    stranger = {"AccessKeyId": "AKIANOBODYKNOWSTHIS0", "SecretAccessKey": "x"}
    assert refused(lambda: aws.client("sts", stranger).get_caller_identity()) == ("InvalidClientTokenId", 403)
    unrecognized = ("UnrecognizedClientException", 400)
    assert refused(lambda: aws.client("secretsmanager", stranger).list_secrets()) == unrecognized
    assert refused(lambda: aws.client("s3", stranger).list_buckets()) == ("InvalidAccessKeyId", 403)
    forged = {"AccessKeyId": ROOT_KEY["access_key_id"], "SecretAccessKey": "guessed"}
    for service, method in (("s3", "list_buckets"), ("iam", "list_users"), ("secretsmanager", "list_secrets")):
        call = getattr(aws.client(service, forged), method)
        assert refused(call) == ("SignatureDoesNotMatch", 403)


def test_unsigned_and_administrative_requests_are_refused(aws: LocalAws) -> None:
    aws.bucket("public-bucket")
    aws.client("s3").put_object(Bucket="public-bucket", Key="x", Body=b"x", ACL="public-read")
    for path, status in (("/public-bucket/x", 403), ("/moto-api/data.json", 404), ("/latest/meta-data/iam", 404)):
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(aws.endpoint + path)
        assert raised.value.code == status
    reset = urllib.request.Request(aws.endpoint + "/moto-api/reset", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(reset)


def test_another_host_name_is_refused(aws: LocalAws) -> None:
    request = urllib.request.Request(f"{aws.endpoint}/x", headers={"Host": "lake.s3.amazonaws.com"})
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(request)


def test_identity_policies_inline_attached_and_through_a_group(aws: LocalAws) -> None:
    s3, iam = aws.client("s3"), aws.client("iam")
    aws.bucket("policies")
    for key in ("inline", "attached", "grouped", "denied"):
        s3.put_object(Bucket="policies", Key=key, Body=b"x")

    def read(name: str) -> dict[str, Any]:
        return allow("s3:GetObject", f"arn:aws:s3:::policies/{name}")

    everything = deny("s3:GetObject", "arn:aws:s3:::policies/denied")
    mine = aws.user("layers", read("inline"), read("denied"), everything)
    arn = iam.create_policy(PolicyName="attached", PolicyDocument=policy(read("attached")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="layers", PolicyArn=arn)
    iam.create_group(GroupName="readers")
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=policy(read("grouped")))
    iam.add_user_to_group(GroupName="readers", UserName="layers")
    client = aws.client("s3", mine)
    for key in ("inline", "attached", "grouped"):
        assert client.get_object(Bucket="policies", Key=key)["Body"].read() == b"x"
    assert refused(lambda: client.get_object(Bucket="policies", Key="denied")) == ("AccessDenied", 403)
    assert refused(lambda: client.put_object(Bucket="policies", Key="inline", Body=b"y")) == ("AccessDenied", 403)
    assert refused(lambda: client.list_objects_v2(Bucket="policies")) == ("AccessDenied", 403)
    iam.detach_user_policy(UserName="layers", PolicyArn=arn)
    assert refused(lambda: client.get_object(Bucket="policies", Key="attached")) == ("AccessDenied", 403)


def test_a_listing_is_limited_to_its_prefix(aws: LocalAws) -> None:
    aws.bucket("listing")
    condition = {"StringLike": {"s3:prefix": ["mine/*"]}}
    key = aws.user("lister", allow("s3:ListBucket", "arn:aws:s3:::listing", Condition=condition))
    client = aws.client("s3", key)
    assert client.list_objects_v2(Bucket="listing", Prefix="mine/")["KeyCount"] == 0
    assert refused(lambda: client.list_objects_v2(Bucket="listing", Prefix="yours/")) == ("AccessDenied", 403)
    assert refused(lambda: client.list_objects_v2(Bucket="listing")) == ("AccessDenied", 403)


def test_copying_needs_the_source_too(aws: LocalAws) -> None:
    aws.bucket("copying")
    aws.client("s3").put_object(Bucket="copying", Key="secret/x", Body=b"x")
    key = aws.user("copier", allow(["s3:PutObject", "s3:GetObject"], "arn:aws:s3:::copying/open/*"))
    source = {"Bucket": "copying", "Key": "secret/x"}
    copy = aws.client("s3", key).copy_object
    assert refused(lambda: copy(Bucket="copying", Key="open/x", CopySource=source)) == ("AccessDenied", 403)


def test_secrets_are_limited_by_name(aws: LocalAws) -> None:
    secrets = aws.client("secretsmanager")
    for name in ("databricks/curator", "databricks/trainer"):
        secrets.create_secret(Name=name, SecretString=name)
    mine = allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:databricks/curator-??????")
    client = aws.client("secretsmanager", aws.user("curator", mine))
    assert client.get_secret_value(SecretId="databricks/curator")["SecretString"] == "databricks/curator"
    code = ("AccessDeniedException", 400)
    assert refused(lambda: client.get_secret_value(SecretId="databricks/trainer")) == code
    assert refused(lambda: client.get_secret_value(SecretId="databricks/absent")) == code
    both = ["databricks/curator", "databricks/trainer"]
    assert refused(lambda: client.batch_get_secret_value(SecretIdList=both)) == code


def test_a_request_with_two_readings_is_refused(aws: LocalAws) -> None:
    """moto would take SecretId from the query string, the door from the body: neither may win."""
    aws.client("secretsmanager").create_secret(Name="two/mine", SecretString="mine")
    aws.client("secretsmanager").create_secret(Name="two/yours", SecretString="yours")
    mine = allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:two/mine-*")
    key = aws.user("two", mine)

    def post(target: str, query: str, content_type: str = "application/x-amz-json-1.1") -> int:
        body = json.dumps({"SecretId": "two/mine"})
        request = AWSRequest("POST", f"{aws.endpoint}/{query}", data=body)
        request.headers["Content-Type"] = content_type
        request.headers["X-Amz-Target"] = f"secretsmanager.{target}"
        credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        SigV4Auth(credentials, "secretsmanager", "us-east-1").add_auth(request)
        sent = urllib.request.Request(request.url, body.encode(), dict(request.headers), method="POST")
        try:
            with urllib.request.urlopen(sent) as answer:
                assert json.load(answer)["SecretString"] == "mine"
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert post("GetSecretValue", "") == 200
    assert post("GetSecretValue", "?SecretId=two/yours") == 400
    assert post("ListSecrets", "?Action=GetSecretValue&SecretId=two/yours") == 400
    assert post("GetSecretValue", "", "application/x-www-form-urlencoded") == 400


def test_sessions_need_trust_and_permission(aws: LocalAws) -> None:
    alice = "arn:aws:iam::123456789012:user/alice"
    mine = aws.role("for-alice", {"AWS": alice}, allow("s3:ListAllMyBuckets"))
    account = aws.role("for-the-account", {"AWS": ROOT}, allow("s3:ListAllMyBuckets"))
    service = aws.role("for-a-service", {"Service": "sagemaker.amazonaws.com"})
    alice_sts = aws.client("sts", aws.user("alice"))
    bob_sts = aws.client("sts", aws.user("bob", allow("sts:AssumeRole")))

    def assume(client: Any, role: str) -> Callable[[], Any]:
        return lambda: client.assume_role(RoleArn=role, RoleSessionName="test")

    assert assume(alice_sts, mine)()["AssumedRoleUser"]["Arn"].endswith("assumed-role/for-alice/test")
    assert refused(assume(bob_sts, mine)) == ("AccessDenied", 403)
    assert refused(assume(alice_sts, account)) == ("AccessDenied", 403)
    assert assume(bob_sts, account)()
    for client in (alice_sts, bob_sts):
        assert refused(assume(client, service)) == ("AccessDenied", 403)
        assert refused(assume(client, "arn:aws:iam::123456789012:role/absent")) == ("AccessDenied", 403)


def test_a_session_is_what_its_role_is_now(aws: LocalAws) -> None:
    role = aws.role("changing", {"AWS": ROOT}, allow("s3:ListAllMyBuckets"))
    user = aws.user("changer", allow("sts:AssumeRole", role))
    session = aws.client("sts", user).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    client = aws.client("s3", session)
    assert client.list_buckets()["Buckets"] is not None
    assert aws.client("sts", session).get_caller_identity()["Arn"].endswith("assumed-role/changing/test")
    aws.client("iam").delete_role_policy(RoleName="changing", PolicyName="own")
    assert refused(client.list_buckets) == ("AccessDenied", 403)
    stolen = {**session, "SessionToken": "x" * 50}
    assert refused(lambda: aws.client("s3", stolen).list_buckets()) == ("InvalidToken", 400)
    keys_only = {name: session[name] for name in ("AccessKeyId", "SecretAccessKey")}
    assert refused(lambda: aws.client("s3", keys_only).list_buckets()) == ("InvalidToken", 400)


def test_session_length_and_session_policy_are_checked(aws: LocalAws) -> None:
    role = aws.role("limits", {"AWS": ROOT})
    assume = aws.client("sts", aws.user("limiter", allow("sts:AssumeRole"))).assume_role
    long = {"RoleArn": role, "RoleSessionName": "test", "DurationSeconds": 3601}
    assert refused(lambda: assume(**long))[0] == "ValidationError"
    broken = policy({"Effect": "Perhaps", "Action": "*", "Resource": "*"})
    answer = refused(lambda: assume(RoleArn=role, RoleSessionName="test", Policy=broken))
    assert answer[0] == "MalformedPolicyDocument"


def test_an_expired_session_is_refused(own_aws: LocalAws) -> None:
    """The saved session is made older while the server is down: waiting for one would take 15 minutes."""
    role = own_aws.role("brief", {"AWS": ROOT}, allow("s3:*"))
    user = own_aws.user("owner", allow("sts:AssumeRole"))
    session = own_aws.client("sts", user).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    assert own_aws.client("s3", session).list_buckets()["Buckets"] == []
    own_aws.stop()
    saved = own_aws.state / "backends" / "sts.123456789012.aws.pickle"
    with saved.open("rb") as file:
        form, content = pickle.load(file), pickle.load(file)
    for one in content[3]["assumed_roles"]:
        one.expiration -= dt.timedelta(hours=2)
    with saved.open("wb") as file:
        pickle.dump(form, file)
        pickle.dump(content, file)
    own_aws.start()
    assert refused(lambda: own_aws.client("s3", session).list_buckets()) == ("ExpiredToken", 400)
    assert refused(lambda: own_aws.client("sts", session).get_caller_identity())[0] == "ExpiredToken"


def test_a_role_must_be_passed(aws: LocalAws) -> None:
    role = aws.role("passed", {"Service": ["sagemaker.amazonaws.com", "emr-serverless.amazonaws.com"]})
    application = aws.client("emr-serverless").create_application(
        name="pass", releaseLabel="emr-spark-8.0.0", type="SPARK"
    )["applicationId"]
    start = allow(["emr-serverless:StartJobRun", "sagemaker:CreateTrainingJob"])
    to_training = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    without = aws.user("without", start)
    training_only = aws.user("training-only", start, allow("iam:PassRole", role, Condition=to_training))

    def submit(key: dict[str, str]) -> Callable[[], Any]:
        driver = {"sparkSubmit": {"entryPoint": "s3://nowhere/x.py"}}
        client = aws.client("emr-serverless", key)
        return lambda: client.start_job_run(
            applicationId=application, executionRoleArn=role, jobDriver=driver, clientToken="x"
        )

    def train(key: dict[str, str]) -> Callable[[], Any]:
        return lambda: aws.client("sagemaker", key).create_training_job(
            TrainingJobName="pass",
            RoleArn=role,
            AlgorithmSpecification={"TrainingImage": "x", "TrainingInputMode": "File"},
            OutputDataConfig={"S3OutputPath": "s3://nowhere/x"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )

    assert refused(submit(without)) == ("AccessDeniedException", 403)
    assert refused(submit(training_only)) == ("AccessDeniedException", 403)
    assert refused(train(without)) == ("AccessDeniedException", 400)
    assert "TrainingJobArn" in train(training_only)()


def test_a_bucket_policy_with_principals_and_conditions(aws: LocalAws) -> None:
    s3 = aws.client("s3")
    aws.bucket("with-policy")
    s3.put_object(Bucket="with-policy", Key="x", Body=b"x")
    friend = aws.user("friend")
    owner = aws.user("owner-of-all", allow("s3:*"))
    tls_only = {"Bool": {"aws:SecureTransport": "false"}}
    where = ["arn:aws:s3:::with-policy", "arn:aws:s3:::with-policy/*"]
    named = {"AWS": "arn:aws:iam::123456789012:user/friend"}
    document = policy(
        deny("s3:*", where, Condition=tls_only, Principal="*"),
        allow("s3:GetObject", where[1], Principal=named),
        deny("s3:DeleteObject", where[1], Principal="*"),
    )
    s3.put_bucket_policy(Bucket="with-policy", Policy=document)
    assert aws.client("s3", friend).get_object(Bucket="with-policy", Key="x")["Body"].read() == b"x"
    assert aws.client("s3", owner).get_object(Bucket="with-policy", Key="x")["Body"].read() == b"x"
    delete = aws.client("s3", owner).delete_object
    assert refused(lambda: delete(Bucket="with-policy", Key="x")) == ("AccessDenied", 403)


def test_a_permissions_boundary_narrows_a_role(aws: LocalAws) -> None:
    aws.bucket("bounded")
    iam, s3 = aws.client("iam"), aws.client("s3")
    s3.put_object(Bucket="bounded", Key="in/x", Body=b"x")
    inside = policy(allow("s3:GetObject", "arn:aws:s3:::bounded/in/*"))
    boundary = iam.create_policy(PolicyName="in-only", PolicyDocument=inside)["Policy"]["Arn"]
    role = aws.role("bounded", {"AWS": ROOT}, allow("s3:*"))
    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=boundary)
    user = aws.user("bounded-user", allow("sts:AssumeRole", role))
    session = aws.client("sts", user).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    client = aws.client("s3", session)
    assert client.get_object(Bucket="bounded", Key="in/x")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="no permissions boundary allows"):
        client.put_object(Bucket="bounded", Key="in/x", Body=b"y")


def test_a_boundary_of_a_user_is_refused_by_name(aws: LocalAws) -> None:
    """The local account keeps none, so it must not say that it did."""
    iam = aws.client("iam")
    boundary = iam.create_policy(PolicyName="of-users", PolicyDocument=policy(allow("s3:GetObject")))["Policy"]["Arn"]
    iam.create_user(UserName="unbounded")
    for call in (
        lambda: iam.create_user(UserName="bounded-from-birth", PermissionsBoundary=boundary),
        lambda: iam.put_user_permissions_boundary(UserName="unbounded", PermissionsBoundary=boundary),
        lambda: iam.delete_user_permissions_boundary(UserName="unbounded"),
    ):
        with pytest.raises(ClientError, match="boundar") as raised:
            call()
        assert raised.value.response["Error"]["Code"] == "NotImplemented"
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_user(UserName="bounded-from-birth")


def test_a_key_policy_decides_whether_identity_policies_count(aws: LocalAws) -> None:
    kms = aws.client("kms")
    whole = policy(allow("kms:*", Principal={"AWS": ROOT}))
    key_id = kms.create_key(Policy=whole)["KeyMetadata"]["KeyId"]
    client = aws.client("kms", aws.user("key-user", allow("kms:*")))
    assert client.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    someone = policy(allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:role/someone"}))
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=someone)
    assert refused(lambda: client.encrypt(KeyId=key_id, Plaintext=b"x"))[0] == "AccessDeniedException"


def test_a_secret_has_a_policy_of_its_own(aws: LocalAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="guarded", SecretString="x")
    reader = aws.client("secretsmanager", aws.user("guarded-reader", allow("secretsmanager:GetSecretValue")))
    assert reader.get_secret_value(SecretId="guarded")["SecretString"] == "x"
    closed = policy(deny("secretsmanager:GetSecretValue", Principal="*"))
    secrets.put_resource_policy(SecretId="guarded", ResourcePolicy=closed)
    assert refused(lambda: reader.get_secret_value(SecretId="guarded"))[0] == "AccessDeniedException"


def test_tags_of_a_principal_are_policy_variables(aws: LocalAws) -> None:
    aws.bucket("teams")
    for team in ("red", "blue"):
        aws.client("s3").put_object(Bucket="teams", Key=f"{team}/x", Body=b"x")
    key = aws.user("member", allow("s3:GetObject", "arn:aws:s3:::teams/${aws:PrincipalTag/team}/*"))
    client = aws.client("s3", key)
    assert refused(lambda: client.get_object(Bucket="teams", Key="red/x")) == ("AccessDenied", 403)
    aws.client("iam").tag_user(UserName="member", Tags=[{"Key": "team", "Value": "red"}])
    assert client.get_object(Bucket="teams", Key="red/x")["Body"].read() == b"x"
    assert refused(lambda: client.get_object(Bucket="teams", Key="blue/x")) == ("AccessDenied", 403)


def test_what_is_not_implemented_is_said_once(aws: LocalAws) -> None:
    client = boto3.client(
        "sagemaker",
        endpoint_url=aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ROOT_KEY["access_key_id"],
        aws_secret_access_key=ROOT_KEY["secret_access_key"],
    )
    with pytest.raises(ClientError, match="does not implement") as raised:
        client.list_inference_components()
    assert raised.value.response["ResponseMetadata"]["RetryAttempts"] == 0
