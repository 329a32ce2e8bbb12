"""How the clocks of devices drift, from the rows of a result with clocks. In this process, without Java."""

import ast

import pyarrow as pa
from deltalake import DeltaTable

from jobs.decisions.clock_drift import drift_report
from jobs.decisions.clocks import Clocks
from jobs.keeping import ledger
from jobs.lake import table_queries
from jobs.running.errors import Refused
from jobs.running.places import Places


def drift(places: Places, name: str, version: str | None) -> pa.Table:
    """The drift_report of result `name`, as its ledger knows its rows; by the column `version`, too, if one is given.

    Takes about 250 bytes of memory for each row of the table. Raises Refused if there is no such result, or it has no
    clocks, no row for each record, or no such column.
    """
    names = ledger.results(places)
    last = ledger.last(places, name) if name in names else None
    if last is None:
        known = f"there are {', '.join(names)}" if names else "there are none yet"
        raise Refused(f"no result {name} in {places.tables}; {known}.")
    if "clocks" not in last.definition:
        raise Refused(f"{name} has no clocks: its job file does not say Reads(..., decide=Clocks(...)).")
    if last.definition["panes"] != "None":
        raise Refused(f"{name} keeps panes and no row for each record: a drift needs a result without Windows.")
    clocks = Clocks(**ast.literal_eval(last.definition["clocks"]))
    table = DeltaTable(places.table(name), version=last.tables[name]["version"])
    needed = [
        "event_time",
        clocks.device,
        clocks.sent,
        clocks.received,
        "clock_refusal",
        *([version] if version else []),
    ]
    there = [field.name for field in table.schema().fields]
    if version and version not in there:
        raise Refused(f"{name} has no column {version}; it has {', '.join(there)}.")
    columns = ", ".join(f'"{column}"' for column in dict.fromkeys(needed))
    return drift_report(table_queries.query(table, f"select {columns} from it"), clocks, version)
