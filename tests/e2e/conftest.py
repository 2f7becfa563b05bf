"""What the end-to-end tests share: the demo's runs, each of which takes half a minute, and the browser."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.chromium import Page, Program, chromium, device
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


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with chromium(tmp_path_factory.mktemp("chromium")) as program:
        yield program


@pytest.fixture
async def page(browser: Program) -> AsyncIterator[Page]:
    """A phone of its own for each test."""
    async with device(browser) as phone:
        yield phone
