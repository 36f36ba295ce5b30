"""Addresses: which side of a copy is the instance's, and which the cloud's.

CONNECTION:path     a path in a connection, by its name
s3.101:/path        a path in connection 101, which must be an S3 one
@INSTANCE:/path     a path in an instance, by its label or id; on both sides, if need be
C.123:/path         a path in instance 123
"""

import re
from dataclasses import dataclass
from typing import Final

from cloudcopy.cli.exits import Refused
from cloudcopy.sdk import DirectionName, TransferView

# As the server spells them, by what people write.
CLOUD_TYPES: Final = {
    name: name
    for name in (
        "s3", "hf", "gcs", "azureblob", "b2", "drive", "dropbox", "sftp", "webdav", "local",
    )
} | {"backblaze": "b2", "google": "gcs"}  # fmt: skip

_BY_ID = re.compile(r"([A-Za-z0-9]+)\.([0-9]+)", re.ASCII)
_FORMS: Final = (
    "A cloud store is written CONNECTION:path, e.g. my-s3:bucket/data.",
    "An instance is written @INSTANCE:/path, e.g. @here:/data.",
)


@dataclass(frozen=True)
class Address:
    """One side of a copy.

    Attributes:
        cloud_type: What kind of store the writer takes the connection for, if they said so.
    """

    is_instance: bool
    reference: str
    path: str
    cloud_type: str | None = None


@dataclass(frozen=True)
class Route:
    """A copy's two sides, told apart.

    Attributes:
        source_instance: Of a copy from instance to instance, in the place of a connection.
    """

    instance: str
    connection: str | None
    direction: DirectionName | None
    src: str
    dst: str
    cloud_type: str | None = None
    source_instance: str | None = None


def parse(text: str) -> Address:
    """Read one address.

    Raises:
        Refused: it is in none of the forms.
    """
    reference, colon, path = text.partition(":")
    if not colon:
        raise Refused(
            f"{text!r} names no place: there is no ':' in it.",
            next=(
                *_FORMS,
                "A copy is done by a machine's agent, so a local path needs its instance, too.",
            ),
        )
    if reference.startswith("@"):
        if reference == "@":
            raise Refused(f"{text!r} names no instance after the '@'.", next=_FORMS)
        return Address(is_instance=True, reference=reference[1:], path=path)
    if not reference:
        raise Refused(f"{text!r} names no connection before the ':'.", next=_FORMS)
    if reference.isdigit():
        raise Refused(
            f"{reference} in {text!r} could be an instance or a connection.",
            next=(
                f"For the instance, write C.{reference}:{path}.",
                f"For the connection, put its type before it, e.g. s3.{reference}:{path}.",
            ),
        )
    if match := _BY_ID.fullmatch(reference):
        kind, id = match.groups()
        if kind in ("C", "c"):
            return Address(is_instance=True, reference=id, path=path)
        if known := CLOUD_TYPES.get(kind.lower()):
            return Address(is_instance=False, reference=id, path=path, cloud_type=known)
    return Address(is_instance=False, reference=reference, path=path)


def route(src: str, dst: str) -> Route:
    """Read both addresses of a copy.

    Raises:
        Refused: one cannot be read, or they are two connections.
    """
    source, target = parse(src), parse(dst)
    if source.is_instance and target.is_instance:
        return Route(
            instance=target.reference,
            connection=None,
            direction=None,
            src=source.path,
            dst=target.path,
            source_instance=source.reference,
        )
    if source.is_instance == target.is_instance:
        raise Refused(
            f"{src!r} and {dst!r} are both connections; a copy has an instance at one end, whose "
            "machine does it.",
            next=_FORMS,
        )
    instance, connection = (source, target) if source.is_instance else (target, source)
    return Route(
        instance=instance.reference,
        connection=connection.reference,
        direction="instance_to_cloud" if source.is_instance else "cloud_to_instance",
        src=source.path,
        dst=target.path,
        cloud_type=connection.cloud_type,
    )


def written(transfer: TransferView) -> tuple[str, str]:
    """A transfer's source and destination, in the form that `parse` reads."""
    instance, connection = f"@{transfer.instance_label}:", f"{transfer.connection_name}:"
    if transfer.direction == "instance_to_cloud":
        return f"{instance}{transfer.src}", f"{connection}{transfer.dst}"
    return f"{connection}{transfer.src}", f"{instance}{transfer.dst}"
