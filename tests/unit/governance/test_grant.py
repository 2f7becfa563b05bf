"""Grants are read strictly: a grant that says something else than was meant must not be in force."""

import datetime
from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.governance.grant import load_grants

GRANT = """
grants:
  - subscriber: {subscriber}
    event: grid.alert.changed
    purpose: {purpose}
    {extra}
    fields:
      alert_id: {{}}
      person_name: {{mask: {mask}}}
"""


def written(
    tmp_path: Path, subscriber: str = "jinzhitong", purpose: str = "核查", extra: str = "", mask: str = "name"
) -> Path:
    path = tmp_path / "grants.yaml"
    path.write_text(GRANT.format(subscriber=subscriber, purpose=purpose, extra=extra, mask=mask), encoding="utf-8")
    return path


def test_a_grant_names_its_topic_its_fields_and_its_end(tmp_path: Path) -> None:
    extra = "approval: {by: 市大数据管理中心, since: 2026-11-01, until: 2026-12-31}"
    (grant,) = load_grants(written(tmp_path, extra=extra))
    assert grant.name == "to.jinzhitong.grid.alert.changed"
    assert grant.fields["person_name"].mask == "name"
    # The last day ends at midnight in China, eight hours before midnight UTC.
    end = datetime.datetime(2026, 12, 31, 16, tzinfo=datetime.UTC)
    assert grant.ends_ms == int(end.timestamp() * 1000)


def test_a_grant_without_approval_has_no_end(tmp_path: Path) -> None:
    (grant,) = load_grants(written(tmp_path))
    assert grant.ends_ms is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": "porpose: x"}, "unknown key `porpose`.*purpose"),
        ({"subscriber": "jin.zhitong"}, "subscriber"),
        ({"subscriber": "Jinzhitong"}, "subscriber"),
        ({"purpose": "' '"}, "no purpose"),
        ({"mask": "nmae"}, "nmae"),
        ({"extra": "approval: {by: x, since: 2026-11-02, until: 2026-11-01}"}, "ends before"),
        ({"extra": "approval: {by: x, since: 2026-11-02}"}, "until"),
    ],
)
def test_a_grant_that_is_not_in_order_is_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_grants(written(tmp_path, **change))


def test_one_event_type_is_granted_to_a_subscriber_once(tmp_path: Path) -> None:
    path = written(tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.replace("grants:\n", "", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="granted twice"):
        load_grants(path)
