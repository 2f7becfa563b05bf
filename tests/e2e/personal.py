"""Searches text for the simulated people: by what a person's data look like, then by who they are.

Looking for 20,000 people's fields one by one in megabytes of logs would take hours; so everything that has the shape of
an id, a phone, a name or an address is taken out of the text and looked up. Overlapping finds count too, so nothing
hides inside a longer number or word, and escaped text is unescaped first.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from streams.demo.city import Resident

_SHAPES = (
    re.compile(r"(?=(\d{17}[\dXx]))", re.A),
    re.compile(r"(?=(\d{11}))", re.A),
    re.compile(r"(?=([\u4e00-\u9fff]{2}))"),
    re.compile(r"(?=([\u4e00-\u9fff]{3}))"),
    re.compile(r"(?=(天津市.{1,80}?号楼\d+门\d+))", re.A),
)
_SEPARATED = re.compile(r"(?<=\d)[- ](?=\d)")


class People:
    """Who is looked for."""

    def __init__(self, residents: Iterable[Resident]) -> None:
        self._fields: dict[str, str] = {}
        for person in residents:
            self._fields |= {person.person_id: "person_id", person.name: "name"}
            self._fields |= {person.phone: "phone", person.address: "address"}

    def __len__(self) -> int:
        return len(self._fields)

    def found_in(self, text: str) -> set[tuple[str, str]]:
        """Every (field, value) of theirs in the text, however it is escaped."""
        return {
            (self._fields[word], word)
            for form in _forms(text)
            for shape in _SHAPES
            for word in {match.upper() for match in shape.findall(form)}
            if word in self._fields
        }


def _forms(text: str) -> Iterator[str]:
    """The text as it stands, with the escapes of JSON, Python and URLs read, and with grouped numbers put together."""
    yield text
    if "\\u" in text or "\\x" in text:
        yield re.sub(r"\\+u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
        yield re.sub(
            r"(?:\\+x[0-9a-fA-F]{2})+",
            lambda m: bytes.fromhex(re.sub(r"\\+x", "", m[0])).decode(errors="replace"),
            text,
        )
    if "%" in text:
        yield unquote(text)
    if _SEPARATED.search(text):
        yield _SEPARATED.sub("", text)
