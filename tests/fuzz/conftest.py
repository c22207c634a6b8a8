"""One site for all fuzzers of its doors."""

from collections.abc import Iterator

import pytest

from tests.fuzz.site import Running, running


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("site")) as one:
        yield one
