"""How long a report takes on a million trades with five million events, beside the raw SQL that it needs.

Run: python tests/benchmarks/bench_report.py [trades] (default 1,000,000). Ends with 1 where the limits are
exceeded: the table under 5 s and under 300 MB, the start of the program included.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from ordersync_cli.clock import SystemChance, SystemClock  # noqa: E402
from ordersync_cli.domain.histogram import bucket_of  # noqa: E402
from ordersync_cli.store import open_store  # noqa: E402

SECONDS, MEGABYTES = 5.0, 300
BEGAN = 1_700_000_000
STEP = 0.0864  # seconds between two trades: a million in a day
TABLES = ("trades", "trade_events", "measures")


def build(path: Path, trades: int) -> None:
    """Write the store by SQL alone: five events and five measures a trade, all in one day."""
    open_store(f"sqlite:///{path}", clock=SystemClock(), chance=SystemChance()).close()
    sql = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous=OFF", "journal_mode=OFF", "cache_size=-400000", "temp_store=MEMORY"):
        sql.execute(f"PRAGMA {pragma}")
    sql.create_function("bucket_of", 1, bucket_of, deterministic=True)
    listed = ", ".join(f"'{t}'" for t in TABLES)
    indices = sql.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({listed})"
    ).fetchall()
    sql.execute("BEGIN")
    for name, _ in indices:
        sql.execute(f"DROP INDEX {name}")
    at = f"strftime('%Y-%m-%d %H:%M:%f000', {BEGAN} + i * {STEP}, 'unixepoch')"
    sql.execute(
        f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {trades})
        INSERT INTO trades (id, bot_id, product_id, side, size, price, order_id, status, created_at, filled_at,
          size_exact, order_type, client_order_id, order_status, venue_status, filled_size, average_filled_price,
          filled_value, total_fees, number_of_fills, fills_verified, submitted_at, accepted_at, closed_at,
          confirmed_at, updated_at, sync_latency_seconds, source, base_size, origin, attempts, awaits_look, fills_due)
        SELECT i, i % 10, CASE i % 3 WHEN 0 THEN 'BTC-USD' WHEN 1 THEN 'ETH-USD' ELSE 'SOL-USD' END,
          CASE i % 2 WHEN 0 THEN 'BUY' ELSE 'SELL' END, 0.01, 100, 'order-' || i, 'completed', {at}, {at},
          '0.01', CASE WHEN i % 4 = 0 THEN 'LIMIT' ELSE 'MARKET' END, 'client-' || i, 'filled', 'FILLED', '0.01',
          '100.12345678', '1.' || (10000000 + (i * 7919) % 90000000), '0.00' || (100000 + (i * 7907) % 900000), 1, 1,
          {at}, {at}, {at}, {at}, {at}, '0.123', 'websocket', '0.01', 'placed', 1, 0, 0 FROM n"""
    )
    sql.execute(
        """INSERT INTO trade_events (id, event_id, trade_id, bot_id, order_id, client_order_id, kind, old_status,
          status, order_status, source, venue_time, seen_at, committed_at, latency_seconds)
        SELECT (t.id - 1) * 5 + k.n, 'event-' || ((t.id - 1) * 5 + k.n), t.id, t.bot_id, t.order_id, t.client_order_id,
          k.kind, k.old, k.status, k.order_status,
          CASE t.id % 5 WHEN 0 THEN 'poll' WHEN 1 THEN 'place' ELSE 'websocket' END,
          t.created_at, t.created_at, t.created_at, CASE WHEN k.n = 4 THEN '0.123456' END
        FROM trades t, (SELECT 1 AS n, 'intent' AS kind, NULL AS old, 'pending' AS status, 'submitting' AS order_status
          UNION ALL SELECT 2, 'attempt', NULL, 'pending', 'submitting'
          UNION ALL SELECT 3, 'status', 'pending', 'pending', 'open'
          UNION ALL SELECT 4, 'status', 'pending', 'completed', 'filled'
          UNION ALL SELECT 5, 'fills', 'completed', 'completed', 'filled') k"""
    )
    sql.execute(
        f"""INSERT INTO measures (measure, at_us, micros, bucket, error_us, trade_id, bot_id, product_id, order_type,
          at_once, source)
        SELECT m.measure, CAST(({BEGAN} + t.id * {STEP}) * 1000000 AS INTEGER),
          100000 + (t.id * 7919) % 900000 * m.factor, bucket_of(100000 + (t.id * 7919) % 900000 * m.factor), 5000,
          t.id, t.bot_id, t.product_id, t.order_type, t.order_type = 'MARKET',
          CASE t.id % 5 WHEN 0 THEN 'poll' WHEN 1 THEN 'place' ELSE 'websocket' END
        FROM trades t, (SELECT 'sync_latency' AS measure, 1 AS factor UNION ALL SELECT 'status:pending', 2
          UNION ALL SELECT 'order:submitting', 1 UNION ALL SELECT 'order:open', 2) m ORDER BY t.id"""
    )
    for _, statement in indices:
        sql.execute(statement)
    sql.execute("COMMIT")
    sql.execute("ANALYZE")
    sql.close()


def raw(path: Path, since: str, until: str) -> float:
    """Time the same sums written as plainly as SQL can, without this program."""
    sql = sqlite3.connect(path)
    begin = time.perf_counter()
    window = (BEGAN * 1_000_000, (BEGAN + 90_000) * 1_000_000)
    sql.execute(
        "SELECT status, product_id, side, COUNT(*), SUM(filled_value), SUM(total_fees) FROM trades "
        "WHERE created_at >= ? AND created_at < ? GROUP BY 1, 2, 3",
        (since, until),
    ).fetchall()
    for measure in ("sync_latency", "status:pending", "order:submitting", "order:open"):
        sql.execute(
            "SELECT source, bucket, COUNT(*), SUM(micros), MAX(micros) FROM measures "
            "WHERE measure = ? AND at_us >= ? AND at_us < ? GROUP BY 1, 2",
            (measure, *window),
        ).fetchall()
    sql.close()
    return time.perf_counter() - begin


def reported(
    path: Path, since: str, until: str, environment: dict[str, str], form: str = "table"
) -> tuple[float, float, str]:
    """Run the command as a user would; returns seconds, megabytes, and the first lines."""
    command = [
        sys.executable, "-m", "ordersync_cli", "report", "--since", since.replace(" ", "T"), "--until",
        until.replace(" ", "T"), "--database", f"sqlite:///{path}", "--format", form,
    ]  # fmt: skip
    begin = time.perf_counter()
    between = [sys.executable, "-c", _MEASURED, *command]
    done = subprocess.run(between, capture_output=True, text=True, cwd=ROOT, env=environment, check=True, timeout=300)
    took = time.perf_counter() - begin
    return took, int(done.stderr.split()[-1]) / 1024, done.stdout


# A process starts with its parent's peak of memory as its own; this small parent between has none to hand on.
_MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def main() -> int:
    trades = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="ordersync-bench-") as folder:
        path = Path(folder) / "store.db"
        begin = time.perf_counter()
        build(path, trades)
        print(f"{trades:,} trades, {trades * 5:,} events, {path.stat().st_size / 1e9:.1f} GB", end=" ")
        print(f"written in {time.perf_counter() - begin:.0f} s")
        since, until = (datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S") for t in (BEGAN, BEGAN + 86_500))
        environment = {**os.environ, "HOME": folder, "ORDERSYNC_VENUE": "simulator"}
        slowest = min(raw(path, since, until) for _ in range(2))
        seconds, megabytes, shown = min(reported(path, since, until, environment) for _ in range(2))
        assert f"total\t{trades}" in shown, shown[:2000]
        print(f"table {seconds:.2f} s (limit {SECONDS:g} s), {megabytes:.0f} MB (limit {MEGABYTES} MB)")
        print(f"raw SQL of the same sums {slowest:.2f} s")
        for form in ("json", "html", "prometheus"):
            took, peak, _ = reported(path, since, until, environment, form)
            print(f"{form} {took:.2f} s, {peak:.0f} MB")
    return int(trades >= 1_000_000 and (seconds >= SECONDS or megabytes >= MEGABYTES))


if __name__ == "__main__":
    sys.exit(main())
