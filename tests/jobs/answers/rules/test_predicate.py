"""Rules as their authors write them, and the terms that they are."""

from decimal import Decimal

import pytest

from jobs.answers.rules import predicate
from jobs.answers.rules.terms import Among, Either, Every, Missing, Phrase, Range, Term
from tests.jobs.answers.rules.listings import FIELDS

DAY = 19_782
"""2024-02-29, in days since 1970."""


@pytest.mark.parametrize(
    ("rule", "terms"),
    [
        ("rooms = 3", Range("rooms", 3, 3)),
        ("3 = rooms", Range("rooms", 3, 3)),
        ("Rooms != -3", Range("rooms", -3, -3, is_outside=True)),
        ('"ROOMS" <> 3', Range("rooms", 3, 3, is_outside=True)),
        ("not rooms = 3", Range("rooms", 3, 3, is_outside=True)),
        ("not not rooms = 3", Range("rooms", 3, 3)),
        ("rooms < 3", Range("rooms", high=3, is_high_open=True)),
        ("3 > rooms", Range("rooms", high=3, is_high_open=True)),
        ("rooms <= 3", Range("rooms", high=3)),
        ("rooms > 3", Range("rooms", low=3, is_low_open=True)),
        ("3 <= rooms", Range("rooms", low=3)),
        ("rooms BETWEEN 1 AND 3", Range("rooms", 1, 3)),
        ("rooms not between 1 and 3", Range("rooms", 1, 3, is_outside=True)),
        ("rooms in (1, 2, 1)", Among("rooms", (1, 2))),
        ("rooms in (1)", Range("rooms", 1, 1)),
        ("rooms not in (1, 2)", Among("rooms", (1, 2), is_outside=True)),
        ("rooms = 1 or rooms = 2 or rooms in (2, 3)", Among("rooms", (1, 2, 3))),
        ("not (rooms <> 1 and rooms <> 2)", Among("rooms", (1, 2))),
        ("city like 'AB%'", Range("city", "AB", "AC", is_high_open=True)),
        ("city not like 'AB%'", Range("city", "AB", "AC", is_high_open=True, is_outside=True)),
        ("city like 'a\ud7ff%'", Range("city", "a\ud7ff", "a\ue000", is_high_open=True)),
        ("city like 'a\U0010ffff%'", Range("city", "a\U0010ffff", "b", is_high_open=True)),
        ("city like '\U0010ffff%'", Range("city", "\U0010ffff", None, is_high_open=True)),
        ("city = 'O''Hara, and or not'", Range("city", "O'Hara, and or not", "O'Hara, and or not")),
        ("city in (',', '(')", Among("city", (",", "("))),
        ("city is null", Missing("city")),
        ("city is not null", Range("city")),
        ("not city is not null", Missing("city")),
        ("contains(text, 'CAFÉ')", Phrase("text", ("café",))),
        ("not Contains_Phrase(text, 'Two  words!')", Phrase("text", ("two", "words"), is_outside=True)),
        ("rent = 1e2", Range("rent", 100.0, 100.0)),
        ("size = 0.1", Range("size", 0.10000000149011612, 0.10000000149011612)),
        ("fee >= 1.005", Range("fee", low=Decimal("1.005"))),
        ("since = '2024-02-29'", Range("since", DAY, DAY)),
        ("seen > '2024-02-29'", Range("seen", low=DAY * 86_400_000_000, is_low_open=True)),
        ("seen < '2024-02-29T01:00:00.5+01:00'", Range("seen", high=DAY * 86_400_000_000 + 500_000, is_high_open=True)),
        ("furnished = true", Range("furnished", 1, 1)),
        ("furnished in (TRUE, false)", Among("furnished", (1, 0))),
        ("rooms=1 and(rent<2)", Every((Range("rooms", 1, 1), Range("rent", high=2.0, is_high_open=True)))),
    ],
)  # fmt: skip
def test_a_term(rule: str, terms: Term) -> None:
    assert predicate.parse(rule, FIELDS) == terms


def test_and_binds_closer_than_or_and_not_closer_than_and() -> None:
    one, two, three = (Range("rooms", n, n) for n in (1, 2, 3))
    far = Range("rent", 4.0, 4.0)
    assert predicate.parse("rooms = 1 or rooms = 2 and rent = 4", FIELDS) == Either((one, Every((two, far))))
    assert predicate.parse("(rooms = 1 or rent = 4) and rooms = 3", FIELDS) == Every((Either((one, far)), three))
    not_one = Range("rooms", 1, 1, is_outside=True)
    assert predicate.parse("not rooms = 1 and rent = 4", FIELDS) == Every((not_one, far))
    assert predicate.parse("not (rooms = 1 or not rent = 4)", FIELDS) == Every((not_one, far))


def test_a_field_with_the_name_of_a_keyword_stands_in_quotes() -> None:
    fields = {name: FIELDS["rooms"] for name in ("in", "true", "Date of birth", 'a"b', "contains")}
    assert predicate.parse('"in" = 1', fields) == Range("in", 1, 1)
    assert predicate.parse('"true" in (1, 2)', fields) == Among("true", (1, 2))
    assert predicate.parse('"date of birth" = 1', fields) == Range("Date of birth", 1, 1)
    assert predicate.parse('"a""b" = 1', fields) == Range('a"b', 1, 1)
    assert predicate.parse("contains = 1", fields) == Range("contains", 1, 1)
