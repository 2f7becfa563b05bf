"""axe-core looks at a page for everything that keeps people from using it, as far as a program can see that.
https://github.com/dequelabs/axe-core
"""

import json
from pathlib import Path

import pytest

from streams.settings import ROOT
from tests.e2e.chromium import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
ENHANCED = "color-contrast-enhanced"
"""Text at 7:1, level AAA: it is read in sunlight."""


def _source() -> str:
    found = sorted(ROOT.glob(".venv/axe-*/node_modules/axe-core/axe.min.js"))
    if not found:
        pytest.skip(
            "axe-core is not installed: `make axe` with npm on the PATH tests whether everybody can use the pages"
        )
    return Path(found[-1]).read_text()


async def violations(page: Page) -> list[str]:
    """What is wrong with the page as it is now: the rule, the element, why."""
    if not await page.ask("'axe' in window"):
        await page.ask(f"{_source()}; 0")
    options = {"runOnly": {"type": "tag", "values": TAGS}, "rules": {ENHANCED: {"enabled": True}},
               "resultTypes": ["violations"]}  # fmt: skip
    found = await page.ask(
        f"axe.run(document, {json.dumps(options)}).then(({{violations}}) => violations.flatMap(({{id, nodes}}) =>"
        " nodes.map(node => `${id}: ${node.html} ${node.failureSummary}`)))"
    )
    return list(found)
