"""Changes of accounts in PostgreSQL, so many a second, as pgbench makes them: each moves an amount.

python tests/bench/change_load.py PORT ACCOUNTS CHANGES_A_SECOND SECONDS
"""

import sys
import time

import numpy as np
import psycopg

CREATE = "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL, changed timestamptz NOT NULL)"
FILL = "INSERT INTO accounts SELECT number, 0, clock_timestamp() FROM generate_series(1, {}) AS number"
CHANGE = "UPDATE accounts SET balance = balance + %s, changed = clock_timestamp() WHERE id = %s"
PER_COMMIT = 10
"""Changes of one transaction."""
TICK_SECONDS = 0.02


def change(connection: psycopg.Connection, accounts: int, rate: int, seconds: float) -> int:
    """As many changes as are due, again and again; how many there were."""
    dice, begun, made = np.random.default_rng(3), time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        while made + PER_COMMIT <= passed * rate:
            amounts = dice.integers(-1000, 1000, PER_COMMIT).tolist()
            ids = sorted(dice.integers(1, accounts + 1, PER_COMMIT).tolist())
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(CHANGE, list(zip(amounts, ids, strict=True)))
            made += PER_COMMIT
        time.sleep(TICK_SECONDS)
    return made


if __name__ == "__main__":
    port, accounts, rate, seconds = (int(word) for word in sys.argv[1:5])
    with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True) as opened:
        print(change(opened, accounts, rate, seconds))
