"""What the SQL of a view may say, and what it hears otherwise: one line, with what to do."""

import pytest
from pyspark.sql.types import (
    BooleanType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.views.view import View
from jobs.running.errors import Mistake

FOLLOWS = StructType(
    [
        StructField("follower", LongType()),
        StructField("followee", LongType()),
        StructField("weight", DoubleType()),
        StructField("paid", DecimalType(10, 2)),
        StructField("close", BooleanType()),
        StructField("change_time", TimestampType()),
        StructField("change_carried", StringType()),
        StructField("revision", IntegerType()),
    ]
)
POSTS = StructType(
    [StructField("id", LongType()), StructField("author", LongType()), StructField("posted", TimestampType())]
)
GIVEN = {"follows": FOLLOWS, "posts": POSTS}

REFUSED = {
    "": "sql takes a SELECT",
    "select 1 as id; select 2 as id": "must be one SELECT and nothing else",
    "insert into posts values (1, 2, null)": "must be one SELECT and nothing else",
    "attach 'x.db'": "must be one SELECT and nothing else",
    "copy posts to 'x.csv'": "must be one SELECT and nothing else",
    "set memory_limit = '100GB'": "must be one SELECT and nothing else",
    "pivot posts on author": "must be one SELECT and nothing else",
    "selec id from posts": 'syntax error at or near "selec"',
    "select folower as id from follows": 'column "folower" not found in FROM clause. Candidate bindings: "follower"',
    "select id from post": 'Table with name post does not exist. Did you mean "posts"?',
    "select summ(author) as id from posts": 'summ does not exist. Did you mean "sum"?',
    "select revision as id from follows": 'column "revision" not found',
    "select change_carried as id from follows": 'column "change_carried" not found',
    "select * from read_csv('/etc/passwd')": 'Cannot access file "/etc/passwd"',
    "select * from read_text('/etc/passwd')": 'Cannot access file "/etc/passwd"',
    "select * from 'secret.parquet'": 'Cannot access file "secret.parquet"',
    "select * from glob('*')": 'Cannot access file "*"',
    "select * from sniff_csv('x.csv')": "reads sniff_csv; a view reads tables of latest rows: follows, posts",
    "select * from information_schema.tables": "a view reads tables of latest rows: follows, posts",
    "select name as id from duckdb_settings()": "reads duckdb_settings",
    "show tables": "in_search_path() has another value each time",
    "describe posts": "has a chunk get",
    "select 1 as id": "reads no table; there are follows, posts",
    "select * from range(3) as r(id)": "reads no table; there are follows, posts",
    "select id, random() as r from posts": "random() has another value each time",
    "select id, now() as r from posts": "now() has another value each time",
    "select id, current_date as r from posts": "current_date() has another value each time",
    "select id, current_timestamp as r from posts": "has another value each time",
    "select id, localtimestamp as r from posts": "current_localtimestamp() has another value each time",
    "select id, age(posted) as r from posts": "age() has another value each time",
    "select id, uuid() as r from posts": "uuid() has another value each time",
    "select id, version() as r from posts": "version() is about DuckDB",
    "select id, getvariable('x') as r from posts where id = nextval('s')": "Sequence with name s does not exist",
    "select id from posts using sample 3": "has a sample",
    "select id from posts positional join follows": "has a positional join",
    "select id from posts limit 3": "a LIMIT without ORDER BY takes any rows",
    "select distinct on (author) id from posts": "DISTINCT ON without ORDER BY takes any rows",
    "select id, row_number() over (partition by author) as r from posts": "row_number() without ORDER BY",
    "select author as id, any_value(posted) as r from posts group by 1": "give it an order, such as any_value(x order",
    "select author as id, list(id) as r from posts group by 1": "give it an order, such as list(x order by id)",
    "select author as id, mode(posted) as r from posts group by 1": "mode() depends on how rows lie",
    "select follower as id, sum(weight) as r from follows group by 1": "sum() adds up numbers of type DOUBLE",
    "select follower as id, stddev(followee) as r from follows group by 1": "stddev() adds up numbers of type DOUBLE",
    "select follower as id, avg(weight) over () as r from follows": "avg() adds up numbers of type DOUBLE",
    "select id, author, author as AUTHOR from posts": "gives two columns author",
    "select id, 1 as revision from posts": "gives a column revision, a name that headrace uses itself",
    "select id, 1 as __x from posts": "gives a column __x, a name that headrace uses itself",
    "select id, interval 1 day as r from posts": "give it in seconds: epoch(x)",
    "select id, posted::timestamp as r from posts": "put it into a time zone: x at",
    "select id, null as r from posts": "give NULL a type: NULL::bigint",
    "select id, [id::uinteger] as r from posts": "cast it to a type that has a sign, such as x::bigint",
    "select author from posts": "key has id, and its SQL gives author",
    "select id::double as id from posts": "key has id, which is double: no key",
}
TAKEN = {
    "select id, sum(paid) as s, avg(paid) as m, count(*) n from follows join posts on author = followee group by id": (
        "id:bigint s:decimal(38,2) m:double n:bigint"
    ),
    "select id, list(paid order by paid, follower) as l from follows join posts on author = followee group by id": (
        "id:bigint l:array<decimal(10,2)>"
    ),
    "from posts select id, posted::date as day, {'a': author} as s;": "id:bigint day:date s:struct<a:bigint>",
    "with p as (select * from posts) select id, (select max(weight) from follows) as w from p -- the heaviest": (
        "id:bigint w:double"
    ),
    "select distinct on (author) author as id, posted from posts order by author, id": "id:bigint posted:timestamp",
    "select id from posts where id not in (select followee from follows) order by posted, id limit 5": "id:bigint",
    "select followee as id, max(change_time) as at, bool_or(close) as c from follows group by all": (
        "id:bigint at:timestamp c:boolean"
    ),
}


@pytest.mark.parametrize("sql", REFUSED)
def test_a_wrong_sql_is_refused_in_one_line(sql: str) -> None:
    with pytest.raises(Mistake) as caught:
        View(sql, ("id",), name="feed").columns(GIVEN)
    text = str(caught.value)
    assert text.startswith("View feed: ") and REFUSED[sql] in text and "\n" not in text


@pytest.mark.parametrize("sql", TAKEN)
def test_a_right_sql_gives_the_columns_of_the_table(sql: str) -> None:
    columns = View(sql, ("id",)).columns(GIVEN)
    assert " ".join(f"{each.name}:{each.dataType.simpleString()}" for each in columns) == TAKEN[sql]


WRONG = {
    "key=(), sql='select 1'": "key takes the columns that tell rows apart",
    "key='id', sql='select id from posts'": "'id' is no tuple of names of columns",
    "key=('id',), sql='select id from posts', touched={'posts': 'select id from changed'}": "by is empty",
    "key=('id',), by=('day',), sql='select id from posts'": "by has day, and its SQL gives id",
    "key=('id',), by=('id',), sql='select id from posts', touched={}": "wrong about posts: the SQL reads posts",
    "key=('id',), by=('id',), sql='select id from posts', touched={'posts': 'select id from changed', "
    "'follows': 'select followee from changed'}": "wrong about follows: the SQL reads posts: leave it out",
    "key=('id',), by=('id',), sql='select id from posts', touched={'posts': 'select id, author from changed'}": (
        "touched['posts'] gives 2 columns, and by has 1: id"
    ),
    "key=('id',), by=('id',), sql='select id from posts', touched={'posts': 'select posted from changed'}": (
        "touched['posts'] gives posted as timestamp[us, tz=UTC], and id is int64: cast it"
    ),
    "key=('id',), by=('id',), sql='select id from posts', touched={'posts': 'select id from posts2'}": (
        "touched['posts']: its SQL is not understood: Table with name posts2 does not exist"
    ),
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_view_is_refused_in_one_line(arguments: str) -> None:
    with pytest.raises(Mistake) as caught:
        eval(f"View({arguments})").columns(GIVEN)
    assert WRONG[arguments] in str(caught.value) and "\n" not in str(caught.value)


def test_no_table_may_have_the_name_of_the_changed_rows() -> None:
    with pytest.raises(Mistake, match="cannot be called changed"):
        View("select id from posts", ("id",)).columns({"posts": POSTS, "Changed": POSTS})
