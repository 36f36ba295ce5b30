"""What is remembered of a store names it without a secret."""

from cloudcopy.domain.connection import backend
from cloudcopy.domain.experience import Learnt, place_of, work_of
from cloudcopy.domain.tuning import Sizes


def test_a_store_is_named_by_kind_host_and_region():
    seen = backend(
        "s3",
        {
            "access_key_id": "AKIA-SECRET",
            "secret_access_key": "hush",
            "endpoint": "https://user:pass@s3.example.org/secret-path",
            "region": "eu-1",
        },
    )
    assert place_of(seen) == "s3 s3.example.org eu-1"


def test_a_signed_url_does_not_name_a_store():
    seen = backend("azureblob", {"sas_url": "https://x.blob.core.windows.net/?sig=secret"})
    assert place_of(seen) == "azureblob"


def test_round_trips_are_smoothed():
    learnt = Learnt().measured(0.1)
    assert learnt.round_trip == 0.1
    assert 0.1 < (learnt.measured(0.2).round_trip or 0) < 0.2


def test_small_and_large_files_are_other_work():
    assert work_of(Sizes(files=10, bytes=10), upload=True) == "small up"
    assert work_of(Sizes(files=1, bytes=1 << 30), upload=False) == "large down"
