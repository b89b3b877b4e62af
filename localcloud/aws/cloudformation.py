"""CloudFormation of the local account: the resource types of this project's own templates, whole.

moto's engine reads templates (parameters, conditions, functions, updates); its models of resources leave most
properties out, in silence. The models here take every property that a template may give them, refuse the others by
name, and bring what exists already to what the template says.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import yaml
from moto.cloudformation import models, responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import get_model_map, get_name_type_map
from moto.cloudformation.utils import yaml_tag_constructor
from moto.cloudtrail.models import cloudtrail_backends
from moto.core.common_models import CloudFormationModel
from moto.emrserverless.models import emrserverless_backends
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

Properties = Mapping[str, Any]
_PARTITION = "aws"
_TERMINATED = "TERMINATED"


@dataclass(frozen=True)
class Place:
    """Where a stack is."""

    account: str
    region: str


@dataclass
class Deployed:
    """One resource of a stack, as moto's engine wants to see it. Holds no object of a backend, so it can be saved."""

    physical_resource_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    cf_resource_type: str = ""
    logical_resource_id: str = ""

    @property
    def type(self) -> str:
        """The resource's type, by the name that moto's answers read."""
        return self.cf_resource_type

    def get_cfn_attribute(self, name: str) -> str:
        """The value of Fn::GetAtt."""
        return self.attributes[name]

    def is_created(self) -> bool:
        """Resources are made at once."""
        return True

    def delete(self, account_id: str, region_name: str) -> None:
        """What becomes of a resource that leaves its template."""
        KINDS[self.cf_resource_type].remove(self.physical_resource_id, Place(account_id, region_name))


def _kept(_physical_id: str, _place: Place) -> None:
    """Resources with `DeletionPolicy: Retain`, and those that mean nothing without them."""


@dataclass(frozen=True)
class Kind:
    """One resource type: the property with its name, the others that it takes, its attributes, and how it is made."""

    name_property: str
    properties: frozenset[str]
    attributes: frozenset[str]
    ensure: Callable[[Properties, Place], Deployed]
    remove: Callable[[str, Place], None] = _kept


def _document(value: Any) -> str:
    return json.dumps(value)


# --- S3 ---------------------------------------------------------------------------------------------------------


def _bucket(properties: Properties, place: Place) -> Deployed:
    name, backend = properties["BucketName"], s3_backends[place.account][_PARTITION]
    if name not in backend.buckets:
        backend.create_bucket(name, place.region)
    backend.put_bucket_versioning(name, properties["VersioningConfiguration"]["Status"])
    backend.put_public_access_block(name, properties["PublicAccessBlockConfiguration"])
    backend.put_bucket_ownership_controls(name, properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"])
    backend.put_bucket_encryption(name, _encryption(properties["BucketEncryption"]))
    rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
    backend.put_bucket_lifecycle_configuration(name, [_lifecycle(rule) for rule in rules])
    return Deployed(name, {"Arn": f"arn:aws:s3:::{name}"})


def _encryption(given: Properties) -> dict[str, Any]:
    """In the words of PutBucketEncryption."""
    rule = given["ServerSideEncryptionConfiguration"][0]
    default = rule["ServerSideEncryptionByDefault"]
    key = {"SSEAlgorithm": default["SSEAlgorithm"], "KMSMasterKeyID": default["KMSMasterKeyID"]}
    enabled = str(rule["BucketKeyEnabled"]).lower()
    return {"Rule": {"ApplyServerSideEncryptionByDefault": key, "BucketKeyEnabled": enabled}}


def _lifecycle(rule: Properties) -> dict[str, Any]:
    """In the words of PutBucketLifecycleConfiguration."""
    return {
        "ID": rule["Id"],
        "Status": rule["Status"],
        "Filter": {"Prefix": rule["Prefix"]},
        "Expiration": {"Days": str(rule["ExpirationInDays"])},
        "NoncurrentVersionExpiration": {
            "NoncurrentDays": str(rule["NoncurrentVersionExpiration"]["NoncurrentDays"]),
        },
    }


def _bucket_policy(properties: Properties, place: Place) -> Deployed:
    document = _document(properties["PolicyDocument"]).encode()
    s3_backends[place.account][_PARTITION].put_bucket_policy(properties["Bucket"], document)
    return Deployed(properties["Bucket"])


def _remove_bucket_policy(bucket: str, place: Place) -> None:
    s3_backends[place.account][_PARTITION].delete_bucket_policy(bucket)


# --- KMS and secrets --------------------------------------------------------------------------------------------


def _key(properties: Properties, place: Place) -> Deployed:
    """A new key; which one a stack has, it knows by its id alone. `_update_key` is for one that exists."""
    key = kms_backends[place.account][place.region].create_key(
        policy=_document(properties["KeyPolicy"]),
        key_usage="ENCRYPT_DECRYPT",
        key_spec="SYMMETRIC_DEFAULT",
        description=properties["Description"],
        tags=[],
    )
    key.key_rotation_status = properties["EnableKeyRotation"]
    return Deployed(key.id, {"Arn": key.arn})


def _alias(properties: Properties, place: Place) -> Deployed:
    backend, name = kms_backends[place.account][place.region], properties["AliasName"]
    taken = any(name in key.aliases for key in backend.keys.values())
    (backend.update_alias if taken else backend.create_alias)(properties["TargetKeyId"], name)
    return Deployed(name)


def _secret(properties: Properties, place: Place) -> Deployed:
    """An empty secret; one that is there keeps its value."""
    backend, name = secretsmanager_backends[place.account][place.region], properties["Name"]
    if name not in backend.secrets:
        backend.create_secret(
            name=name,
            secret_string=None,
            secret_binary=None,
            description=properties["Description"],
            tags=[],
            kms_key_id=properties["KmsKeyId"],
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
    secret = backend.secrets[name]
    secret.description, secret.kms_key_id = properties["Description"], properties["KmsKeyId"]
    return Deployed(secret.arn, {"Id": secret.arn})


# --- IAM --------------------------------------------------------------------------------------------------------


def _role(properties: Properties, place: Place) -> Deployed:
    backend, name = iam_backends[place.account][_PARTITION], properties["RoleName"]
    trust = _document(properties["AssumeRolePolicyDocument"])
    try:
        backend.update_assume_role_policy(name, trust)
    except NotFoundException:
        backend.create_role(name, trust, "/", None, properties["Description"], [], "3600")
    for policy in properties.get("Policies", []):
        backend.put_role_policy(name, policy["PolicyName"], _document(policy["PolicyDocument"]))
    return Deployed(name, {"Arn": backend.get_role(name).arn})


def _remove_role(name: str, place: Place) -> None:
    backend = iam_backends[place.account][_PARTITION]
    for policy in list(backend.get_role(name).policies):
        backend.delete_role_policy(name, policy)
    backend.delete_role(name)


def _user(properties: Properties, place: Place) -> Deployed:
    backend, name = iam_backends[place.account][_PARTITION], properties["UserName"]
    if name not in backend.users:
        backend.create_user(place.region, name)
    return Deployed(name, {"Arn": backend.users[name].arn})


def _policy(properties: Properties, place: Place) -> Deployed:
    backend, name = iam_backends[place.account][_PARTITION], properties["PolicyName"]
    document = _document(properties["PolicyDocument"])
    for role in properties["Roles"]:
        backend.put_role_policy(role, name, document)
    for user in properties["Users"]:
        backend.put_user_policy(user, name, document)
    return Deployed(name)


# --- EMR Serverless and CloudTrail ------------------------------------------------------------------------------


def _application(properties: Properties, place: Place) -> Deployed:
    backend, name = emrserverless_backends[place.account][place.region], properties["Name"]
    named = [one for one in backend.applications.values() if one.name == name and one.state != _TERMINATED]
    application = (
        named[0]
        if named
        else backend.create_application(
            name=name,
            release_label=properties["ReleaseLabel"],
            application_type=properties["Type"],
            client_token=f"stack-{name}",
            initial_capacity={},
            maximum_capacity={},
            tags={},
            auto_start_configuration={},
            auto_stop_configuration={},
            network_configuration=None,
        )
    )
    application.release_label = properties["ReleaseLabel"]
    application.maximum_capacity = _camel(properties["MaximumCapacity"])
    application.auto_start_configuration = _camel(properties["AutoStartConfiguration"])
    application.auto_stop_configuration = _camel(properties["AutoStopConfiguration"])
    application.network_configuration = _camel(properties.get("NetworkConfiguration", {}))
    return Deployed(application.id, {"ApplicationId": application.id, "Arn": application.arn})


def _camel(properties: Properties) -> dict[str, Any]:
    """CloudFormation's names of properties in the spelling of the service's own API."""
    return {name[0].lower() + name[1:]: value for name, value in properties.items()}


def _trail(properties: Properties, place: Place) -> Deployed:
    backend, name = cloudtrail_backends[place.account][place.region], properties["TrailName"]
    multi_region, is_global = properties["IsMultiRegionTrail"], properties["IncludeGlobalServiceEvents"]
    validation, key = properties["EnableLogFileValidation"], properties["KMSKeyId"]
    bucket = properties["S3BucketName"]
    # Both calls take: bucket, prefix, topic, then switches, log group and its role, and the key.
    if name in backend.trails:
        backend.update_trail(name, bucket, "", "", is_global, multi_region, validation, False, "", "", key)
    else:
        backend.create_trail(name, bucket, "", "", is_global, multi_region, validation, False, "", "", key, [])
    backend.put_event_selectors(name, properties["EventSelectors"], [])
    if properties["IsLogging"]:
        backend.start_logging(name)
    return Deployed(name, {"Arn": backend.trails[name].arn})


# --- the types --------------------------------------------------------------------------------------------------


def _kind(
    ensure: Callable[[Properties, Place], Deployed],
    name_property: str,
    properties: str,
    attributes: str = "",
    remove: Callable[[str, Place], None] = _kept,
) -> Kind:
    return Kind(name_property, frozenset(properties.split()), frozenset(attributes.split()), ensure, remove)


KINDS: Mapping[str, Kind] = {
    "AWS::S3::Bucket": _kind(
        _bucket,
        "BucketName",
        "VersioningConfiguration OwnershipControls PublicAccessBlockConfiguration BucketEncryption "
        "LifecycleConfiguration",
        "Arn",
    ),
    "AWS::S3::BucketPolicy": _kind(_bucket_policy, "", "Bucket PolicyDocument", "", _remove_bucket_policy),
    "AWS::KMS::Key": _kind(_key, "", "Description EnableKeyRotation KeyPolicy", "Arn"),
    "AWS::KMS::Alias": _kind(_alias, "", "AliasName TargetKeyId"),
    "AWS::SecretsManager::Secret": _kind(_secret, "Name", "KmsKeyId Description", "Id"),
    "AWS::IAM::Role": _kind(_role, "RoleName", "Description AssumeRolePolicyDocument Policies", "Arn", _remove_role),
    "AWS::IAM::User": _kind(_user, "UserName", "", "Arn"),
    "AWS::IAM::Policy": _kind(_policy, "PolicyName", "Roles Users PolicyDocument"),
    "AWS::EMRServerless::Application": _kind(
        _application,
        "Name",
        "Type ReleaseLabel AutoStartConfiguration AutoStopConfiguration MaximumCapacity NetworkConfiguration",
        "ApplicationId Arn",
    ),
    "AWS::CloudTrail::Trail": _kind(
        _trail,
        "TrailName",
        "S3BucketName KMSKeyId IsLogging EnableLogFileValidation IsMultiRegionTrail IncludeGlobalServiceEvents "
        "EventSelectors",
        "Arn",
    ),
}


def _update_key(original: Deployed, properties: Properties, place: Place) -> Deployed:
    key = kms_backends[place.account][place.region].keys[original.physical_resource_id]
    key.policy, key.description = _document(properties["KeyPolicy"]), properties["Description"]
    key.key_rotation_status = properties["EnableKeyRotation"]
    return Deployed(key.id, {"Arn": key.arn})


def _given(kind: Kind, resource: Properties) -> Properties:
    """A resource's properties, without what AWS::NoValue left. Raises ValidationError for one that is not taken."""
    properties = _without_nothing(resource["Properties"])
    if unknown := sorted(set(properties) - kind.properties - {kind.name_property}):
        raise ValidationError(message=f"{resource['Type']} of the local account does not take {', '.join(unknown)}")
    return dict(properties)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nothing(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nothing(one) for one in value if one is not None]
    return value


def _model(kind_type: str, kind: Kind) -> type[CloudFormationModel]:
    """The class through which moto's engine makes and changes resources of one type."""

    class Model(CloudFormationModel):  # type: ignore[misc]
        @staticmethod
        def cloudformation_type() -> str:
            return kind_type

        @staticmethod
        def cloudformation_name_type() -> str:
            return kind.name_property

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return attr in kind.attributes

        @classmethod
        def create_from_cloudformation_json(
            cls, _name: str, cloudformation_json: Properties, account_id: str, region_name: str, **_: Any
        ) -> Deployed:
            return kind.ensure(_given(kind, cloudformation_json), Place(account_id, region_name))

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Deployed,
            new_resource_name: str,
            cloudformation_json: Properties,
            account_id: str,
            region_name: str,
        ) -> Deployed:
            properties, place = _given(kind, cloudformation_json), Place(account_id, region_name)
            if kind_type == "AWS::KMS::Key":
                return _update_key(original_resource, properties, place)
            return kind.ensure(properties, place)

    return Model


class _TemplateLoader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short functions. moto's own loader would build any Python object that a tag names."""


_TemplateLoader.add_multi_constructor("!", lambda loader, tag, node: yaml_tag_constructor(loader, f"!{tag}", node))


def _load_template(text: str, Loader: type[yaml.SafeLoader]) -> Any:  # noqa: N803 - yaml.load's own name
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - always the safe loader above
    except yaml.constructor.ConstructorError as error:
        raise ValidationError(message=f"Template format error: {error.problem}") from error


@functools.cache
def install() -> None:
    """Put these models and the safe loader in the place of moto's own."""
    models.yaml = responses.yaml = SimpleNamespace(
        load=_load_template, Loader=_TemplateLoader, add_multi_constructor=lambda *_: None
    )
    for kind_type, kind in KINDS.items():
        get_model_map()[kind_type] = _model(kind_type, kind)
        get_name_type_map()[kind_type] = kind.name_property
