"""A store for the tests that need one."""

from collections.abc import Iterator

import pytest

from demo.seaweed import S3, seaweed


@pytest.fixture(scope="session")
def store() -> Iterator[S3]:
    with seaweed() as started:
        yield started
