"""Unfinished multipart uploads in an S3 store, aborted one by one.

rclone can only clean up a whole bucket; this touches nothing but what it is told to.
boto3 is imported when it is first needed: it takes longer than the rest of the server.
"""

from contextlib import closing
from datetime import datetime
from typing import Any, Final

from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import StoreUnreachable
from cloudcopy.domain.paths import RemotePath

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 20
DEFAULT_REGION: Final = "us-east-1"  # what S3-compatible stores without regions expect


def abort(backend: Backend, below: RemotePath, *, since: datetime) -> int:
    """Abort the uploads of keys in `below` that were begun at or after `since` (aware).

    Blocks. A store that does not know multipart uploads has none.

    Returns:
        How many were aborted.

    Raises:
        StoreUnreachable: the store refused or did not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    bucket, _, key = below.value.partition("/")
    try:
        with closing(_client(backend)) as client:
            ours = [
                each
                for each in _uploads(client, bucket, key)
                if each["Initiated"] >= since and _inside(str(each["Key"]), key)
            ]
            for each in ours:
                client.abort_multipart_upload(
                    Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"]
                )
    except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: a bad endpoint
        raise StoreUnreachable(
            f"Unfinished uploads could not be looked for: {type(error).__name__}.", code="sweep"
        ) from error
    return len(ours)


def _inside(name: str, key: str) -> bool:
    return not key or name == key or name.startswith(f"{key}/")


def _uploads(client: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in client.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Prefix=prefix
    ):
        found += page.get("Uploads") or []
    return found


def _client(backend: Backend) -> Any:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    options = backend.options
    session = boto3.session.Session(
        aws_access_key_id=options["access_key_id"],
        aws_secret_access_key=options["secret_access_key"],
        aws_session_token=options.get("session_token"),
        region_name=options.get("region") or DEFAULT_REGION,
    )
    path_style = options.get("force_path_style", "true") != "false"
    endpoint = options.get("endpoint")
    if endpoint and "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    return session.client(
        "s3",
        endpoint_url=endpoint or None,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"max_attempts": 2},
            s3={"addressing_style": "path" if endpoint and path_style else "auto"},
        ),
    )
