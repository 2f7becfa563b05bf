"""The demo's runs that the end-to-end tests share: each takes half a minute."""

from pathlib import Path

import pytest

from tests.e2e.demo_run import Ran, demo


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def first(home: Path) -> Ran:
    return demo(home)


@pytest.fixture(scope="session")
def second(home: Path, first: Ran) -> Ran:
    """On the data that the first has left, with kills."""
    return demo(home, "--chaos")
