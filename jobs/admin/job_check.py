"""All mistakes of a job file at once: those that Python meets in its statements, and what Spark says of its transforms.

A file that is run stops at its first mistake. Here each statement is executed by itself, and what only follows from an
earlier mistake, a name that is not there, is left out.
"""

import __future__

import ast
import builtins
import difflib
import dis
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType

from pyspark.sql import SparkSession

from jobs.admin.catalogue import why_not_loaded
from jobs.answers.delivery import Topic
from jobs.answers.result import Result
from jobs.events import fast_decoder
from jobs.keeping import delivery_topics, ledger, result_tables
from jobs.running import mistakes, spark_plan
from jobs.running.errors import Refused, explain
from jobs.running.places import Places


@dataclass
class JobCheck:
    """What was found in one job file."""

    results: dict[str, Result] = field(default_factory=dict)
    """Its results, by name."""
    tables: dict[str, list[str]] = field(default_factory=dict)
    """Of each result without a mistake the names of its tables, but for the ledger."""
    faults: list[str] = field(default_factory=list)
    """File, line and what is wrong, each once."""
    earlier: Mapping[str, Result] = field(default_factory=dict)
    """By name, the results of job files that were looked at before this one."""
    _missing: set[str] = field(default_factory=set)
    """Names that a mistake has left undefined. Where an import misspells a name, the others have it right."""

    _unbound: set[str] = field(default_factory=set)
    """Names in functions that are in `faults` already."""

    def load(self, file: Path) -> None:
        """Execute the file, statement by statement."""
        module = ModuleType(f"job_{file.stem}")
        module.__file__ = str(file)
        sys.modules[module.__name__] = module
        try:
            tree = ast.parse(file.read_bytes(), str(file))
        except (SyntaxError, ValueError) as error:
            self._note(error)
            return
        flags = _future_flags(tree)
        for statement in _statements(tree):
            code = compile(ast.Module([statement], []), str(file), "exec", flags, dont_inherit=True)
            try:
                exec(code, vars(module))
            except (Exception, SystemExit) as error:
                self._note(error)
                self._missing |= _bound_names(statement)
        self._note_unbound(file, module)
        found = [value for value in vars(module).values() if isinstance(value, Result)]
        self.results = {result.name: result for result in found}

    def _note_unbound(self, file: Path, module: ModuleType) -> None:
        """Names that functions of the file read and nothing defines: main, for one, is not called here."""
        defined = {*vars(module), *vars(builtins)}
        for function in list(vars(module).values()):
            if not isinstance(function, FunctionType) or function.__code__.co_filename != str(file):
                continue  # of another file, a decorator's maybe
            for step in dis.get_instructions(function):
                name = step.argval
                if step.opname != "LOAD_GLOBAL" or name in {*defined, *self._missing, *self._unbound}:
                    continue
                if not difflib.get_close_matches(name, self._missing):
                    self._unbound.add(name)
                    close = difflib.get_close_matches(name, sorted(defined), n=1)
                    meant = f"; did you mean {close[0]}?" if close else ""
                    line = step.positions.lineno if step.positions else function.__code__.co_firstlineno
                    self.faults.append(f"{file}, line {line}: name '{name}' is not defined{meant}")

    def analyse(self, spark: SparkSession, result: Result) -> None:
        """Let Spark look at the transforms of a result, and compare their columns with its answers."""
        schemas, before = [], len(self.faults)
        for reading in result.readings:
            try:
                with mistakes.note_location(reading.transform):
                    events = spark_plan.empty_relation(spark, fast_decoder.event_columns(reading.topic))
                    transformed = reading.transform(events)
                    reading.check_transformed(transformed)
                    schemas.append(transformed.schema)
            except Exception as error:
                self._note(error, explain)
        if len(self.faults) > before or len(schemas) < len(result.readings):
            return
        names: dict[str, None] = {}
        for one in [replace(result, answers=answer) for answer in result.event_answers] or [result]:
            try:
                with mistakes.note_location(one.transform):
                    names |= dict.fromkeys(table.name for table in result_tables.tables_from(one, *schemas))
            except Exception as error:
                self._note(error, explain)
        if len(self.faults) == before:
            self.tables[result.name] = list(names)

    def compare_deliveries(self, result: Result, find_places: Callable[[], Places] | None) -> None:
        """Does another result of the job files, or of the folder of tables, deliver to a topic of this one?"""
        topics = [each.topic for each in result.deliver if isinstance(each, Topic)]
        before = takewhile(lambda other: other is not result, self.results.values())
        for other in (*self.earlier.values(), *before):
            for topic in sorted({each.topic for each in other.deliver if isinstance(each, Topic)} & set(topics)):
                self._note(
                    Refused(
                        f"{other.name} and {result.name} both deliver to topic {topic}: nothing would tell their "
                        "records apart. Give each a topic of its own"
                    )
                )
        if topics and find_places:
            try:
                places = find_places()
                delivery_topics.check_free(places, result, ledger.last(places, result.name))
            except Refused as error:
                self._note(error)

    def compare_names(self, file: Path) -> None:
        """Has a job file before this one a result of the same name?"""
        for name in self.results.keys() & self.earlier.keys():
            self.faults.append(
                f"{file}: {name} is the name of a result in another of these job files, too, and both would keep the "
                "same tables. Give one of them another name"
            )

    def _note(self, error: BaseException, words: Callable[[BaseException], str] = why_not_loaded) -> None:
        if isinstance(error, NameError) and error.name in self._unbound:
            return
        if isinstance(error, NameError) and difflib.get_close_matches(error.name or "", self._missing):
            return
        text = words(error)
        if text not in self.faults:
            self.faults.append(text)


def check(
    file: Path,
    open_session: Callable[[], SparkSession],
    find_places: Callable[[], Places] | None = None,
    earlier: Mapping[str, Result] = MappingProxyType({}),
) -> JobCheck:
    """What is wrong with a job file; with `find_places` also whether another result delivers to a topic of its own.
    `earlier`: by name, the results of job files that were looked at before. A session is opened only if there is a
    result in it. Raises Refused if there is no such file.
    """
    if not file.is_file():
        raise Refused(f"there is no job file {file}.")
    found = JobCheck(earlier=earlier)
    with search_path_of(file):
        found.load(file)
        found.compare_names(file)
        spark = open_session() if found.results else None
        for result in found.results.values():
            assert spark
            found.analyse(spark, result)
            found.compare_deliveries(result, find_places)
    return found


@contextmanager
def search_path_of(file: Path) -> Iterator[None]:
    """Python looks for modules beside the file first, as when it is run, and in the current folder."""
    before = list(sys.path)
    sys.path[:] = [str(file.absolute().parent), *before, str(Path.cwd())]
    try:
        yield
    finally:
        sys.path[:] = before


def _future_flags(tree: ast.Module) -> int:
    """Of the imports from __future__, which hold for all statements."""
    names = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"
             for alias in node.names]  # fmt: skip
    flags = 0
    for name in names:
        flags |= getattr(__future__, name).compiler_flag
    return flags


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a file; an import of several names is one statement for each."""
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                one = ast.ImportFrom(statement.module, [alias], statement.level)
                yield ast.copy_location(one, alias)
        else:
            yield statement


def _bound_names(statement: ast.stmt) -> set[str]:
    """The names that a statement would have defined."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names
