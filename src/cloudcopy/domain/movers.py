"""Which program moves the files of one copy.

rclone knows every store and every flag. For S3 and what speaks it there is a second one, built on
obstore, which is faster; it is chosen only where all that was asked for is known to mean the same
to it. What it finds out later it says before it has changed anything, and rclone does the copy.
"""

from enum import StrEnum
from typing import Final

from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags


class Mover(StrEnum):
    RCLONE = "rclone"
    OBJECTS = "obstore"


# Options of the backend, all of which it heeds. What is left out changes how objects are stored
# (encryption, class, rights), how requests are signed, or how a store is spoken to.
_OPTIONS: Final = frozenset(
    {
        "provider",
        "endpoint",
        "region",
        "force_path_style",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "no_check_bucket",
    }
)
# Those that take plain paths, list with version 2, and whose tags are MD5 hashes. Only SeaweedFS
# is in our own tests; what rclone treats like no other is left to it.
_PROVIDERS: Final = frozenset(
    {"AWS", "Ceph", "Cloudflare", "Minio", "Other", "SeaweedFS", "Wasabi"}
)
# The comparison is ours, whoever moves the files (`domain.compare`).
_SWITCHES: Final = frozenset(
    {
        "--checksum",
        "--delete-excluded",
        "--ignore-existing",
        "--immutable",
        "--size-only",
        "--update",
    }
)
_VALUED: Final = frozenset({"--bwlimit", "--checkers", "--transfers"})


def chosen(backend: Backend, flags: Flags) -> Mover:
    """For a copy between an instance and that store."""
    fits = _understood(backend) and flags.switches <= _SWITCHES and not flags.rules
    return Mover.OBJECTS if fits and _values(flags) <= _VALUED else Mover.RCLONE


def _values(flags: Flags) -> frozenset[str]:
    return frozenset(name for name, _ in flags.values)


def _understood(backend: Backend) -> bool:
    options = backend.options
    if backend.type != "s3" or not options.keys() <= _OPTIONS:
        return False
    if options.get("provider") not in _PROVIDERS:
        return False
    if options.get("force_path_style", "true") != "true":
        return False
    if not (options.get("access_key_id") and options.get("secret_access_key")):
        return False
    endpoint = options.get("endpoint", "")
    if not endpoint:  # Amazon's own, which has one for each region
        return options["provider"] == "AWS" and bool(options.get("region"))
    return "/" not in endpoint.partition("://")[2].rstrip("/") and not endpoint.startswith("unix")
