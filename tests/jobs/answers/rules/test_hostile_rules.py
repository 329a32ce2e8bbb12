"""Rules that mean harm, or are wrong: each is a fault of one line with a column, found at once, and nothing runs."""

import sys
import time
from collections.abc import Callable

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.answers.rules import bounds, grammar, predicate
from jobs.answers.rules.rule_fault import RuleFault
from tests.jobs.answers.rules.listings import FIELDS

HOSTILE = {
    "sub-query": "rooms in (select 1)",
    "scalar sub-query": "rooms = (select max(rooms) from adverts)",
    "exists": "exists (select 1)",
    "with": "with t as (select 1) select * from t",
    "statement": "drop table adverts",
    "second statement": "rooms = 1; drop table adverts",
    "union": "rooms = 1 union select 1",
    "java by reflect": "reflect('java.lang.Runtime', 'getRuntime') = 'x'",
    "java by java_method": "java_method('java.lang.System', 'exit', 1) is null",
    "java after an and": "rooms = 1 and try_reflect('java.util.UUID', 'randomUUID') = 'a'",
    "a file": "city in (read_parquet('/etc/passwd'))",
    "a file as a table": "city in '/etc/passwd'",
    "a path as a name": "`/etc/passwd` = 1",
    "like as a function": "like(city, 'a%')",
    "is as a function": "is(city)",
    "in as a function": "in(city, 'a')",
    "between as a function": "between(rooms, 1, 2)",
    "keyword alone": "rooms = 1 and is",
    "number before a letter": "rooms=1and rent=2",
    "another function": "length(city) > 3",
    "a function with the name of a field": "city('a') = 'a'",
    "a function in quotes": "\"contains\"(text, 'a')",
    "a function of a function": "contains(lower(text), 'a')",
    "regular expression": "city rlike '(a+)+$'",
    "regular expression as a sign": "city ~ '(a+)+$'",
    "regular expression of sqlglot": "regexp_like(city, '(a|a)*b')",
    "similar to": "city similar to '(a|b)*'",
    "like with many wildcards": "city like '%a%a%a%a%a%a%a%a%b'",
    "like without a beginning": "city like '%'",
    "like without an end": "city like 'a'",
    "like of any letter": "city like 'a_%'",
    "like with an escape": r"city like 'a\%'",
    "like with escape": "city like 'a!%%' escape '!'",
    "ilike": "city ilike 'a%'",
    "cast": "cast(city as int) = 1",
    "cast by colons": "city::int = 1",
    "case": "case when rooms = 1 then true else false end",
    "arithmetic": "rooms + 1 = 2",
    "subtraction": "rooms -1 = 2",
    "division by zero": "1 / 0 = rooms",
    "two fields": "rooms = rent",
    "field without a term": "furnished",
    "constant": "1 = 1",
    "constant of texts": "'a' = 'a'",
    "true": "true",
    "true or": "rooms = 1 or true",
    "null": "rooms = null",
    "null in a list": "rooms in (1, null)",
    "null between": "rooms between null and 3",
    "is a value": "furnished is true",
    "is distinct": "rooms is distinct from 3",
    "empty list": "rooms in ()",
    "field in a list": "rooms in (rooms)",
    "list after a comparison": "rooms = 1, 2",
    "tuple": "(rooms, rent) = (1, 2)",
    "any": "rooms = any (1, 2)",
    "alias": "rooms = 1 as x",
    "alias without as": "rooms city",
    "chain of comparisons": "1 < rooms < 3",
    "between in parentheses": "rooms between (1 and 2) and 3",
    "dash comment": "rooms = 1 -- and city = 'a'",
    "comment": "rooms /* '*/ = 1",
    "hash comment": "rooms = 1 # and",
    "hint": "/*+ x */ rooms = 1",
    "parameter": "rooms = ?",
    "named parameter": "rooms = :x",
    "variable": "rooms = ${env:HOME}",
    "template": "rooms = {{ x }}",
    "jinja": "{% for a in b %}",
    "dollar quotes": "city = $$a$$",
    "quotes not closed": "city = 'a",
    "quotes of another kind": "city = “a”",
    "name not closed": '"city = 1',
    "quote doubled": "city = 'a''",
    "text without comma": "city in ('a' 'b')",
    "text beside text": "city = 'a' 'b'",
    "bytes": "city = x'00'",
    "unicode escape": "city = U&'\\0061'",
    "national text": "city = N'a'",
    "NUL": "rooms = 1\0",
    "NUL in a text": "city = 'a\0b'",
    "surrogate": "city = '\ud800'",
    "full-width letters": "\uff52ooms = 1",
    "full-width sign": "rooms \uff1d 1",
    "Kelvin sign in a keyword": "rooms li\u212ae 1",
    "dotless i": "rooms \u0131n (1)",
    "Arabic digits": "rooms = \u0663",
    "blank without a break": "rooms\u00a0= 1",
    "no width": "ro\u200boms = 1",
    "right to left": "rooms = \u202e1",
    "byte order mark": "\ufeffrooms = 1",
    "line separator": "rooms = 1\u2028or rooms = 2",
    "other field": "password = 'a'",
    "private field": "__class__ = 'a'",
    "field of a field": "city.name = 'a'",
    "field of a table": "adverts.rooms = 1",
    "item": "city[0] = 'a'",
    "star": "* = 1",
    "nothing": "",
    "blanks": " \n\t",
    "parentheses alone": "()",
    "not closed": "(rooms = 1",
    "closed twice": "rooms = 1)",
    "closed before it is open": ")rooms = 1(",
    "and alone": "rooms = 1 and",
    "and twice": "rooms = 1 and and rooms = 2",
    "text for a number": "rooms = '1'",
    "number for a text": "city = 1",
    "fraction for a whole number": "rooms = 1.0",
    "exponent for a whole number": "rooms = 1e3",
    "number beyond the field": "rooms = 9223372036854775808",
    "number beyond a double": "rent = 1e999",
    "number beyond a float": "size = 1e39",
    "number beyond all": "fee = 1e999999999",
    "small number beyond all": "fee = 1e-999999999",
    "digits without end": f"rooms = {'9' * 5_000}",
    "digits of a decimal": f"fee = 0.{'9' * 5_000}",
    "number for a date": "since = 20240229",
    "no date": "since = '2024-02-30'",
    "week as a date": "since = '2024-W09-4'",
    "time for a date": "since = '2024-02-29 10:00:00'",
    "no time": "seen = '2024-02-29 25:00:00'",
    "time of a name": "seen = 'now'",
    "zone of a name": "seen = '2024-02-29 10:00:00 Europe/Berlin'",
    "number for a boolean": "furnished = 1",
    "boolean for a number": "rooms = true",
    "contains of a number": "contains(rooms, 'a')",
    "contains a number": "contains(text, 1)",
    "contains a field": "contains(text, city)",
    "contains two words": "contains(text, 'two words')",
    "contains no word": "contains(text, '--')",
    "contains a list": "contains(text, 'a', 'b')",
    "contains nothing": "contains()",
    "contains without a text": "contains(text)",
    "contains compared": "contains(text, 'a') = true",
    "contains as a field": "contains = 'a'",
    "phrase without words": "contains_phrase(text, '')",
    "phrase of too many words": f"contains_phrase(text, '{'a ' * (bounds.MOST_WORDS + 1)}')",
    "10,000 terms": " or ".join(["rooms = 1"] * 10_000),
    "10,000 short terms": "or".join(["rooms=1"] * 10_000),
    "terms beyond the bound": " or ".join(["rooms = 1"] * (bounds.MOST_TERMS + 1)),
    "10,000 values": f"rooms in ({','.join(['1'] * 10_000)})",
    "values beyond the bound": f"rooms in ({','.join(['1'] * (bounds.MOST_VALUES + 1))})",
    "depth 1,000": "(" * 1_000 + "rooms = 1" + ")" * 1_000,
    "depth 1,000 without an end": "(" * 1_000,
    "1,000 nots": "not " * 1_000 + "rooms = 1",
    "nots in parentheses": "not (" * 500 + "rooms = 1" + ")" * 500,
    "depth beyond the bound": "(" * (bounds.DEEPEST + 1) + "rooms = 1" + ")" * (bounds.DEEPEST + 1),
    "1,000 ands": "and " * 1_000,
    "1,000 commas": "rooms in (1" + ",," * 1_000,
    "1,000 minus signs": f"rooms = {'-' * 1_000}1",
    "1,000 minus signs apart": f"rooms = {'- ' * 1_000}1",
    "quotes without end": "city = " + "'" * 9_991,
    "quoted names without end": '"' * 9_999,
    "blanks without end": " " * 9_999 + "x",
    "letters without end": "x" * 9_999,
    "a long text": f"city = '{'a' * 10_000}'",
    "a text of ten million": "a" * 10_000_000,
}


@pytest.mark.parametrize("rule", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_rule_is_a_fault_of_one_line_found_at_once(rule: str) -> None:
    start = time.process_time()
    with pytest.raises(RuleFault) as caught:
        predicate.parse(rule, FIELDS)
    assert time.process_time() - start < 1.0
    message = str(caught.value)
    assert "\n" not in message and message.isascii() and len(message) < 200
    assert 0 <= caught.value.column <= min(len(rule), bounds.MOST_CHARACTERS) + 1
    assert "passwd" not in message and "java" not in message and "drop" not in message


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("rooms = 1 and reflect('a') = 1", "column 15: a function that rules do not have; they have contains and "
         "contains_phrase"),
        ("rooms = 1 and colour = 'red'", "column 15: a name that is no field of a rule. The fields are city, rooms, "
         "rent, size, fee, since, seen, furnished, text"),
        ("rooms = 1 and\n city ~ 'a'", "column 21: a character that rules have in quoted texts only"),
        ("rooms = 'two'", "column 9: the field takes numbers"),
        ("city in ('a', 2)", "column 15: the field takes a text in single quotes"),
        ("city = 'a", "column 8: a ' that is not closed"),
        ("rooms = null", "column 1: the field is compared with null, which no value equals: write is null"),
        ("rooms = rent", "column 9: a value is expected here, or a text in single quotes"),
        ("rooms = 1, 2", "column 12: several values where one is expected"),
        ("city like '%a'", "column 11: like takes a beginning and one % after it, such as 'AB%', and no _ or \\"),
        ("rooms = 1 and and rooms = 2", "column 15: the rule cannot be understood from about here on"),
        ("contains(text, 'two words')", "column 16: contains takes one word, and this has 2: use contains_phrase"),
        ("rooms like 'a%'", "column 1: like takes a field of texts, and rooms is none"),
        ("(" * 11 + "rooms = 1" + ")" * 11, "column 11: more than 10 parentheses and nots within each other"),
        ("a" * 10_001, "it has 10,001 characters, and may have 10,000"),
    ],
)  # fmt: skip
def test_a_fault_says_what_and_where(rule: str, message: str) -> None:
    with pytest.raises(RuleFault) as caught:
        predicate.parse(rule, FIELDS)
    assert str(caught.value) == message


def test_the_parser_sees_nothing_that_a_user_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    parse_one: Callable[[str], sqlglot.exp.Expr] = sqlglot.parse_one
    grammar._tree.cache_clear()

    def watched(text: str) -> sqlglot.exp.Expr:
        seen.append(text)
        return parse_one(text)

    monkeypatch.setattr(sqlglot, "parse_one", watched)
    predicate.parse("CITY in ('drop table x', 'y') and \"rooms\" > -12 or contains(text, 'select')", FIELDS)
    for rule in HOSTILE.values():
        with pytest.raises(RuleFault):
            predicate.parse(rule, FIELDS)
    assert seen[0] == "f0 IN ( 3 ) AND f8 > 10 OR c12 ( f14 , 16 )"
    words = {"AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", *"()=,<>", "<=", ">=", "<>", "!="}
    assert all(word in words or word.lstrip("fc").isdigit() for text in seen for word in text.split())


def test_python_never_runs_out_of_calls() -> None:
    """Neither at the deepest rule that is allowed, nor where little is left."""
    deepest = "not (" * (bounds.DEEPEST // 2) + "rooms = 1" + ")" * (bounds.DEEPEST // 2)
    longest = " or ".join(f"rooms = {n}" for n in range(bounds.MOST_TERMS))
    depth, frame = 0, sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        depth += 1
    usual = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(depth + 400)
        predicate.parse(deepest, FIELDS)
        predicate.parse(longest, FIELDS)
        grammar._tree.cache_clear()
        sys.setrecursionlimit(depth + 80)
        with pytest.raises(RuleFault, match="too deep within each other"):
            predicate.parse("(" * 9 + "rooms = 2" + ")" * 9, FIELDS)
    finally:
        sys.setrecursionlimit(usual)


ALPHABET = st.sampled_from(
    [*("rooms", "city", "text", "=", "<>", "<", "in", "(", ")", ",", "'a'", "1", "-2.5", "and", "or", "not", "between"),
     *("like", "is", "null", "true", "contains", "contains_phrase", "'a%'", '"city"', "select", ";", "--", "\0", "'")]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(ALPHABET, max_size=12).map(" ".join) | st.text(max_size=30))
def test_whatever_is_written_is_a_rule_or_a_fault(rule: str) -> None:
    try:
        predicate.parse(rule, FIELDS)
    except RuleFault as fault:
        assert 0 <= fault.column <= len(rule) + 1
