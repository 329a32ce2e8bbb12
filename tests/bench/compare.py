"""Compares a contender's results with DuckDB's, which are exact.

Each row of the one is looked up in the other by its key: a row may be missing, surplus (a key that the exact result
has not, or a key that stands twice) or wrong.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from contenders import Results

MEAN_TOLERANCE = 1e-9
"""Relative; the order in which doubles are added differs."""
DISTINCT_TOLERANCE = 0.05
"""Root mean square of the relative errors of an honest sketch: HyperLogLog at 9 bits has a standard error of 4.6 %."""

FIRST_SEEN_TOLERANCE = 1e-4
"""Share of the users: the rate of false positives that page_rate.py gives its Bloom filters."""


@dataclass(frozen=True)
class Difference:
    """How far the results of one run are from the exact ones; errors are over rows that both have."""

    hopping_rows: int
    hopping_missing: int
    hopping_surplus: int
    hopping_wrong_counts: int
    mean_error: float
    """Largest relative error of a window's mean, over windows whose count is right."""
    distinct_rows: int
    distinct_missing: int
    distinct_surplus: int
    distinct_error_rms: float
    distinct_error_max: float
    first_seen_rows: int
    first_seen_missing: int
    first_seen_surplus: int
    first_seen_error: float
    """Sum over the minutes of |count - exact|, over all users; a missing minute counts with all its users."""


def keyed(table: pd.DataFrame, time: str, *columns: str) -> pd.DataFrame:
    """The table with `time` as whole seconds since 1970, and those columns only."""
    seconds = pd.to_datetime(table[time], utc=True).astype("datetime64[s, UTC]").astype("int64")
    return table.assign(**{time: seconds})[[*columns]]


def joined(found: pd.DataFrame, exact: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, int, int]:
    """Rows of both side by side (outer join), how many are missing and how many surplus."""
    once = found.drop_duplicates(keys)
    both = once.merge(exact, on=keys, how="outer", suffixes=("", "_exact"), indicator=True)
    missing = int((both["_merge"] == "right_only").sum())
    surplus = int((both["_merge"] == "left_only").sum()) + len(found) - len(once)
    return both, missing, surplus


def relative(rows: pd.DataFrame, column: str) -> np.ndarray:
    """Relative errors of a column; one zero if there are no rows."""
    exact = rows[f"{column}_exact"].to_numpy(dtype=float)
    return np.abs(rows[column].to_numpy(dtype=float) - exact) / exact if len(rows) else np.zeros(1)


def compare(found: Results, exact: Results) -> Difference:
    """How far `found` is from `exact`."""
    columns: tuple[str, ...] = ("window_start", "page", "window_start", "count", "mean")
    windows, missing, surplus = joined(
        keyed(found.hopping, *columns), keyed(exact.hopping, *columns), ["page", "window_start"]
    )
    windows = windows[windows["_merge"] == "both"]
    right = windows["count"] == windows["count_exact"]
    columns = ("minute", "page", "minute", "estimate")
    users, users_missing, users_surplus = joined(
        keyed(found.distinct, *columns), keyed(exact.distinct, *columns), ["page", "minute"]
    )
    errors = relative(users[users["_merge"] == "both"], "estimate")
    columns = ("minute", "minute", "count")
    first, first_missing, first_surplus = joined(
        keyed(found.first_seen, *columns), keyed(exact.first_seen, *columns), ["minute"]
    )
    apart = (first["count"].fillna(0) - first["count_exact"].fillna(0)).abs().sum()
    return Difference(
        hopping_rows=len(exact.hopping),
        hopping_missing=missing,
        hopping_surplus=surplus,
        hopping_wrong_counts=int((~right).sum()),
        mean_error=float(relative(windows[right], "mean").max()),
        distinct_rows=len(exact.distinct),
        distinct_missing=users_missing,
        distinct_surplus=users_surplus,
        distinct_error_rms=float(np.sqrt(np.mean(errors**2))),
        distinct_error_max=float(errors.max()),
        first_seen_rows=len(exact.first_seen),
        first_seen_missing=first_missing,
        first_seen_surplus=first_surplus,
        first_seen_error=float(apart / exact.first_seen["count"].sum()),
    )


def check_oracle(exact: Results, records: int) -> None:
    """Laws that the exact results obey: each record is in ten windows, no user is first seen twice."""
    assert exact.hopping["count"].sum() == 10 * records
    assert exact.first_seen["count"].sum() <= records
    assert exact.distinct["estimate"].sum() <= records
    assert not exact.hopping.duplicated(["page", "window_start"]).any()


def check_exact(name: str, difference: Difference) -> None:
    """Assert that nothing is missing, surplus or wrong, and that the estimates are those of an honest sketch."""
    d = difference
    lost = d.hopping_missing + d.distinct_missing + d.first_seen_missing
    surplus = d.hopping_surplus + d.distinct_surplus + d.first_seen_surplus
    assert lost == 0, f"{name}: {lost} rows are missing: {d}"
    assert surplus == 0, f"{name}: {surplus} rows are surplus: {d}"
    assert d.hopping_wrong_counts == 0, f"{name}: {d.hopping_wrong_counts} counts are wrong: {d}"
    assert d.mean_error <= MEAN_TOLERANCE, f"{name}: a mean is off by {d.mean_error}"
    assert d.distinct_error_rms <= DISTINCT_TOLERANCE, f"{name}: distinct users are off by {d.distinct_error_rms}"
    assert d.first_seen_error <= FIRST_SEEN_TOLERANCE, f"{name}: first-seen users are off by {d.first_seen_error}"
