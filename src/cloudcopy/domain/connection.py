"""Connections: named cloud stores, and which of rclone's options each kind may carry.

The options are an allow-list per provider. What is left out on purpose: options that
run a program (sftp `ssh`, webdav `bearer_token_command`), read a file of whichever host
runs rclone (`env_auth`, `service_account_file`, `key_file`, `profile`), or change how
integrity is checked. Names are rclone's own, without the backend's prefix.
Source: `rclone help backend NAME` of rclone 1.75.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, NewType

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import AccountId, checked_label
from cloudcopy.domain.paths import RemotePath

ConnectionId = NewType("ConnectionId", int)

MAX_PARAMETER_BYTES: Final = 16 * 1024  # a service account's JSON is about 2.4 kB
_BUCKET: Final = "bucket"
_NAMESPACE: Final = "namespace"
_PATH: Final = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What we know of one kind of store.

    Attributes:
        backend: rclone's name for it.
        required, optional: Options a caller may give.
        secret: Those of them that are sealed and never shown again.
        obscured: Secrets that rclone wants in its own reversible encoding.
        fixed: Options that are always ours.
        buckets: The first segment of a path is a bucket, unless the connection has one.
    """

    backend: str
    required: frozenset[str]
    optional: frozenset[str]
    secret: frozenset[str]
    obscured: frozenset[str] = frozenset()
    fixed: Mapping[str, str] = field(default_factory=dict)
    buckets: bool = False


def _provider(
    backend: str,
    *,
    required: str = "",
    optional: str = "",
    secret: str = "",
    obscured: str = "",
    fixed: Mapping[str, str] | None = None,
    buckets: bool = False,
) -> Provider:
    words = {"required": required, "optional": optional, "secret": secret, "obscured": obscured}
    sets = {name: frozenset(text.split()) for name, text in words.items()}
    if buckets:
        sets["optional"] |= {_BUCKET}
    return Provider(backend=backend, fixed=fixed or {}, buckets=buckets, **sets)


_S3_OPTIONS: Final = (
    "provider endpoint region session_token location_constraint acl server_side_encryption "
    "sse_kms_key_id storage_class requester_pays force_path_style use_accelerate_endpoint "
    "chunk_size upload_cutoff upload_concurrency list_version v2_auth"
)
# Otherwise rclone tries to create the bucket, and a typo would make one.
_NO_BUCKET_CHECK: Final = {"no_check_bucket": "true"}

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        "s3": _provider(
            "s3",
            required="access_key_id secret_access_key",
            optional=_S3_OPTIONS,
            secret="access_key_id secret_access_key session_token",
            fixed=_NO_BUCKET_CHECK,
            buckets=True,
        ),
        "hf": _provider(  # Storage Buckets through their S3 gateway
            "s3",
            required="access_key_id secret_access_key namespace",
            secret="access_key_id secret_access_key",
            fixed={
                **_NO_BUCKET_CHECK,
                "provider": "Other",
                "region": "us-east-1",
                "force_path_style": "true",
            },
            buckets=True,
        ),
        "gcs": _provider(
            "google cloud storage",
            optional="service_account_credentials token access_token client_id client_secret "
            "project_number user_project object_acl bucket_policy_only location storage_class "
            "anonymous endpoint",
            secret="service_account_credentials token access_token client_secret",
            fixed=_NO_BUCKET_CHECK,
            buckets=True,
        ),
        "azureblob": _provider(
            "azureblob",
            optional="account key sas_url connection_string tenant client_id client_secret "
            "endpoint access_tier chunk_size upload_concurrency",
            secret="key sas_url connection_string client_secret",
            fixed={"no_check_container": "true"},
            buckets=True,
        ),
        "b2": _provider(
            "b2",
            required="account key",
            optional="endpoint chunk_size upload_cutoff upload_concurrency download_url",
            secret="account key",
            buckets=True,
        ),
        "drive": _provider(
            "drive",
            optional="token service_account_credentials client_id client_secret scope "
            "root_folder_id team_drive impersonate skip_gdocs",
            secret="token service_account_credentials client_secret",
        ),
        "dropbox": _provider(
            "dropbox",
            required="token",
            optional="client_id client_secret root_namespace impersonate",
            secret="token client_secret",
        ),
        "sftp": _provider(
            "sftp",
            required="host user",
            optional="port pass key_pem key_file_pass host_keys use_insecure_cipher concurrency",
            secret="pass key_pem key_file_pass",
            obscured="pass key_file_pass",
            fixed={"shell_type": "none"},  # else rclone runs commands on the far side
        ),
        "webdav": _provider(
            "webdav",
            required="url",
            optional="vendor user pass bearer_token nextcloud_chunk_size",
            secret="pass bearer_token",
            obscured="pass",
        ),
        "local": _provider("local", required=_PATH),
        "instance": _provider("instance", required="instance"),  # see `domain.between`
    }
)
INSTANCE: Final = "instance"  # another instance in the place of a store; no caller makes one
OFFERED: Final = frozenset(PROVIDERS) - {INSTANCE}
ALIASES: Final[Mapping[str, str]] = MappingProxyType({"backblaze": "b2", "google": "gcs"})
HF_GATEWAY: Final = "https://s3.hf.co"  # Hugging Face Hub docs, "S3 Compatibility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A named cloud store. Its secrets are not here: they stay sealed until a copy needs them.

    Attributes:
        root: Prefix of every path in it: the bucket it is scoped to, or empty.
        shown: The options that are no secret.
    """

    id: ConnectionId
    account: AccountId
    name: str
    cloud_type: str
    root: str
    shown: Mapping[str, str]
    created_at: datetime

    def place(self, path: RemotePath, *, field: str = "path") -> RemotePath:
        """Where `path` lies in the whole store. `field` is what the caller calls it.

        Raises:
            Invalid: the store has buckets, and neither the connection nor the path names one.
        """
        placed = path.below(self.root)
        if PROVIDERS[self.cloud_type].buckets and not placed.value:
            raise Invalid(
                field,
                f"connection {self.id} ({self.name}) holds many buckets; begin the path with one",
                code="no_bucket",
                next=("Write it as BUCKET/path.",),
            )
        return placed


@dataclass(frozen=True, slots=True)
class Backend:
    """A store in rclone's words, with its secrets. Lives in memory only; never log it."""

    type: str
    options: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """A checked wish for a connection. `parameters` holds secrets."""

    name: str
    cloud_type: str
    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, name: str, cloud_type: str, parameters: Mapping[str, object]) -> "NewConnection":
        """Check name, kind and options.

        Raises:
            Invalid: the kind is unknown, or an option is missing, unknown or not plain text.
        """
        checked_label(name, field="name")
        kind = ALIASES.get(cloud_type.lower(), cloud_type.lower())
        provider = PROVIDERS.get(kind) if kind in OFFERED else None
        if provider is None:
            known = ", ".join(sorted(OFFERED))
            raise Invalid("cloud_type", f"{cloud_type[:40]!r} is unknown; known: {known}")
        given = {key: _text(key, value) for key, value in parameters.items() if value is not None}
        unknown = given.keys() - provider.required - provider.optional
        if unknown:
            allowed = ", ".join(sorted(provider.required | provider.optional))
            raise Invalid(
                f"parameters.{min(unknown)[:40]}",
                f"is not accepted for {kind}; accepted: {allowed}",
            )
        missing = sorted(name for name in provider.required if not given.get(name))
        if missing:
            raise Invalid(f"parameters.{missing[0]}", f"is required for {kind}")
        if "/" in given.get(_NAMESPACE, "") or "/" in given.get(_BUCKET, ""):
            raise Invalid("parameters", "bucket and namespace are single names, without '/'")
        return cls(name=name, cloud_type=kind, parameters=given)

    @property
    def root(self) -> str:
        return RemotePath.parse(self.parameters.get(_BUCKET, ""), field="parameters.bucket").value

    @property
    def shown(self) -> dict[str, str]:
        secret = PROVIDERS[self.cloud_type].secret
        return {key: value for key, value in self.parameters.items() if key not in secret}


def backend(cloud_type: str, parameters: Mapping[str, str]) -> Backend:
    """The connection's options as rclone's; ours win."""
    provider = PROVIDERS[cloud_type]
    ours = {_BUCKET, _NAMESPACE, _PATH}
    options = {key: value for key, value in parameters.items() if key not in ours}
    if cloud_type == "hf":
        options["endpoint"] = f"{HF_GATEWAY}/{parameters[_NAMESPACE]}"
    if cloud_type == "s3":
        options.setdefault("provider", "Other" if options.get("endpoint") else "AWS")
    if cloud_type == "local":
        options[_PATH] = parameters[_PATH]
    return Backend(provider.backend, {**options, **provider.fixed})


def _text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise Invalid(f"parameters.{key[:40]}", "must be a string, a whole number or a boolean")
    text = str(value)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise Invalid(f"parameters.{key[:40]}", "has an unpaired surrogate")
    if len(text.encode()) > MAX_PARAMETER_BYTES:
        raise Invalid(f"parameters.{key[:40]}", f"is longer than {MAX_PARAMETER_BYTES} bytes")
    if "\0" in text:
        raise Invalid(f"parameters.{key[:40]}", "has a NUL character")
    return text
