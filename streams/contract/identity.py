"""National identity codes and their check characters: the cheapest way to see a mistyped person or organisation.

GB 11643-1999: citizen id, 17 digits and a check character (ISO 7064, MOD 11-2).
GB 32100-2015: unified social credit code of an organisation, 17 characters and a check character (mod 31).
"""

from operator import mul

_PERSON_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PERSON_CHECK = b"10X98765432"
_ZEROS = sum(_PERSON_WEIGHTS) * ord("0")  # subtracting it once is cheaper than turning 17 bytes into digits

_ORGANISATION_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # no I O S V Z: they look like 1 0 5 U 2
_ORGANISATION_VALUE = {c: i for i, c in enumerate(_ORGANISATION_ALPHABET.encode())}
_ORGANISATION_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))


def person_id_check(first17: str) -> str:
    """The check character of a citizen id's first 17 digits (GB 11643). Raises ValueError for anything else."""
    raw = first17.encode()
    if len(raw) != 17 or not raw.isdigit():
        raise ValueError("a citizen id has 17 digits before its check character")
    return chr(_person_check(raw))


def valid_person_id(person_id: str | bytes) -> bool:
    """17 ASCII digits and the right check character (capital X). Says nothing about whether the person exists."""
    raw = person_id if isinstance(person_id, bytes) else person_id.encode()
    return len(raw) == 18 and raw[:17].isdigit() and _person_check(raw) == raw[17]


def organisation_id_check(first17: str) -> str:
    """The check character of a social credit code's first 17 characters (GB 32100). Raises ValueError."""
    values = [_ORGANISATION_VALUE.get(c, -1) for c in first17.encode()]
    if len(values) != 17 or min(values) < 0:
        raise ValueError("a social credit code has 17 characters of 0-9A-Y without I O S V before its check character")
    return _ORGANISATION_ALPHABET[-sum(map(mul, _ORGANISATION_WEIGHTS, values)) % 31]


def valid_organisation_id(organisation_id: str | bytes) -> bool:
    """18 characters of the alphabet with the right check character (GB 32100)."""
    text = organisation_id.decode("ascii", "replace") if isinstance(organisation_id, bytes) else organisation_id
    try:
        return len(text) == 18 and organisation_id_check(text[:17]) == text[17]
    except ValueError:
        return False


def _person_check(raw: bytes) -> int:
    """Check character, as a byte, over the first 17 of `raw` (ASCII digits)."""
    total: int = sum(map(mul, _PERSON_WEIGHTS, raw))
    return _PERSON_CHECK[(total - _ZEROS) % 11]
