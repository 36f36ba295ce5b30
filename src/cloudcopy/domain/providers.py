"""What is known of each kind of store that decides how it is best used, and where it is written.

Sizes are bytes. Kinds are rclone's backends, as in `connection.Backend.type`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MIB: Final = 1024**2
GIB: Final = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One kind of store.

    Attributes:
        listed_hashes: What a listing tells without reading a file or asking for each one.
        head_for_time: The time of a file's own content costs one request for each object.
        files: Small files in flight to begin with; where that ends is found by trying.
        most_files: Never more, however far away or fast it is.
        min_part, max_part: Of a file that is sent in parts; 0 where it is not.
        max_parts: Of one file.
        parts_at_once: Parts of one file may be sent side by side.
        requests_per_second: The lowest rate that is documented; None for no number.
        options: Of rclone's backend, those that a copy may set: they change how much is in
            flight and never what is compared.
        source: Titles of the pages.
    """

    listed_hashes: tuple[str, ...] = ()
    head_for_time: bool = False
    files: int
    most_files: int
    min_part: int = 0
    max_part: int = 0
    max_parts: int = 0
    parts_at_once: bool = False
    requests_per_second: int | None = None
    options: frozenset[str] = frozenset()
    source: str


_PARTS: Final = frozenset({"chunk_size", "upload_concurrency"})

FACTS: Final[Mapping[str, Facts]] = MappingProxyType(
    {
        "s3": Facts(
            listed_hashes=("md5",),  # the ETag of an object that was sent in one piece
            head_for_time=True,
            files=64,
            most_files=128,
            min_part=5 * MIB,
            max_part=5 * GIB,
            max_parts=10_000,
            parts_at_once=True,
            requests_per_second=3_500,  # writes, of each prefix; 5,500 reads
            options=_PARTS | {"no_head", "disable_checksum"},
            source="Amazon S3 User Guide, 'Amazon S3 multipart upload limits' and 'Best practices "
            "design patterns: optimizing Amazon S3 performance'; rclone docs, 'Amazon S3', "
            "'Modification times and hashes'",
        ),
        "google cloud storage": Facts(
            listed_hashes=("md5",),
            files=64,
            most_files=128,
            min_part=256 * 1024,
            max_part=5 * GIB,
            requests_per_second=1_000,  # writes of a new bucket, which then scales
            source="Cloud Storage docs, 'Request rate and access distribution guidelines' and "
            "'Resumable uploads'; rclone docs, 'Google Cloud Storage'",
        ),
        "azureblob": Facts(
            listed_hashes=("md5",),
            files=64,
            most_files=128,
            min_part=1 * MIB,
            max_part=4_000 * MIB,
            max_parts=50_000,
            parts_at_once=True,
            requests_per_second=20_000,  # of each account
            options=_PARTS,
            source="Azure Storage docs, 'Scalability and performance targets for Blob storage'",
        ),
        "b2": Facts(
            listed_hashes=("sha1",),
            files=32,
            most_files=64,
            min_part=5 * MIB,
            max_part=5 * GIB,
            max_parts=10_000,
            parts_at_once=True,
            requests_per_second=500,  # of each account
            options=_PARTS,
            source="Backblaze docs, 'Rate Limits' and 'Large Files'; rclone docs, 'Backblaze B2', "
            "'Transfers', for 32",
        ),
        "drive": Facts(
            listed_hashes=("md5", "sha1", "sha256"),
            files=4,
            most_files=8,
            requests_per_second=10,  # rclone's own pace, 100 ms between two requests
            source="rclone docs, 'Google drive', 'Limitations' and --drive-pacer-min-sleep",
        ),
        "dropbox": Facts(
            listed_hashes=("dropbox",),
            files=4,
            most_files=8,
            requests_per_second=100,  # rclone's own pace, 10 ms between two requests
            source="rclone docs, 'Dropbox', 'Batch mode uploads' and --dropbox-pacer-min-sleep",
        ),
        "sftp": Facts(
            files=8,
            most_files=16,
            source="sshd_config(5), MaxStartups 10:30:100 and MaxSessions 10; rclone opens a "
            "connection for each file in flight",
        ),
        "webdav": Facts(
            files=8,
            most_files=16,
            source="rclone docs, 'WebDAV': many servers are one small process; no limit written",
        ),
        "local": Facts(
            files=8,
            most_files=32,
            source="no request and no limit: only the disk and the CPU count",
        ),
    }
)
UNKNOWN: Final = Facts(files=4, most_files=8, source="rclone docs, --transfers: its default")


def facts(kind: str) -> Facts:
    """Of rclone's backend `kind`; careful ones where we know nothing."""
    return FACTS.get(kind, UNKNOWN)
