"""Reads what reports need, added up in SQL: by index, and without holding the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from ordersync_cli.domain.decimals import EXACT, ZERO
from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.services.ports.history import ByHand, PendingTrade, Scope, Turnover
from ordersync_cli.store import history_rows
from ordersync_cli.store.context import Context
from ordersync_cli.store.history_measures import Measured, Tests, created, created_in, runs_of, whose
from ordersync_cli.store.sql import Row, Sql
from ordersync_cli.store.trade_columns import read_status
from ordersync_cli.store.values import order_named, whole

_BOTS_OWN = "COALESCE(order_type, 'OTHER') = 'OTHER' AND COALESCE(origin, 'foreign') IN ('foreign', 'imported')"
# the same rule as measures.expected_at_once
AT_ONCE = f"(order_type = 'MARKET' OR ({_BOTS_OWN}))"
_PENDING = (
    "id, bot_id, product_id, order_id, client_order_id, order_type, order_status, "
    f"CASE WHEN {AT_ONCE} THEN 1 ELSE 0 END, created_at, confirmed_at, accepted_at"
)


class History(Measured):
    """The figures of a window, inside one reading transaction (the port `History`)."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.sql)
        self._context = context
        if self._sql.postgres:  # a report may take longer than a statement of every day, and its reader may pause
            self._sql.rows(
                "SELECT set_config('statement_timeout', '300s', true), set_config('work_mem', '64MB', true), "
                "set_config('idle_in_transaction_session_timeout', '0', true)"
            )

    def turnover(self, scope: Scope) -> list[Turnover]:
        """Count and add up the trades created in the window, exactly."""
        rows = self._grouped(scope) if self._sql.postgres else self._walked(scope)
        return sorted(
            (
                Turnover(
                    status=read_status(word),
                    product_id=product_id or "",
                    side=(side or "").upper(),
                    trades=count,
                    filled_value=filled_value or ZERO,
                    total_fees=total_fees or ZERO,
                )
                for word, product_id, side, count, filled_value, total_fees in rows
            ),
            key=lambda t: (t.product_id, t.side, t.status),
        )

    def pending(self, scope: Scope) -> list[PendingTrade]:
        """List what is pending now (whatever the window), oldest first."""
        sql, read = self._sql, self._sql.values
        tests, values = whose(scope)
        tests = [sql.among("id"), *tests]
        text = f"SELECT {_PENDING} FROM trades WHERE {' AND '.join(tests)} ORDER BY created_at, id"
        now = self._context.clock.now()
        return [
            PendingTrade(
                trade_id=row[0],
                bot_id=whole(row[1]),
                product_id=row[2],
                order_id=order_named(row[3]),
                client_order_id=row[4],
                order_type=row[5],
                order_status=row[6] or (OrderStatus.OPEN if order_named(row[3]) else OrderStatus.SUBMITTING).value,
                at_once=bool(row[7]),
                created_at=read.moment(row[8]) or now,
                confirmed_at=read.moment(row[9]) or read.moment(row[10]),
            )
            for row in sql.rows(text, [read.several(_pending_ids(sql)), *values])
        ]

    def by_hand(self, scope: Scope) -> list[ByHand]:
        """List the events that `sync`, `resolve` and `cancel` brought, by trade and time."""
        read = self._sql.values
        tests = ["source = 'sync'", "committed_at >= ?", "committed_at < ?"]
        values: list[Any] = [read.time(scope.since), read.time(scope.until)]
        if scope.bot_id is not None or scope.product_id is not None:
            owned, more = whose(scope)
            tests.append(f"trade_id IN (SELECT id FROM trades WHERE {' AND '.join(owned)})")
            values += more
        text = (
            "SELECT trade_id, kind, order_status, committed_at FROM trade_events "
            f"WHERE {' AND '.join(tests)} ORDER BY trade_id, id"
        )
        return [
            ByHand(trade_id=trade_id, kind=kind, order_status=word, committed_at=read.moment(at) or scope.since)
            for trade_id, kind, word, at in self._sql.rows(text, values)
        ]

    def touched(self, scope: Scope, trade_ids: Sequence[int]) -> set[int]:
        """Tell which of these trades were created or changed in the window; imported ones are left out."""
        read = self._sql.values
        tests, values = whose(scope)
        tests = [
            self._sql.among("id"),
            "COALESCE(origin, 'foreign') <> 'imported'",
            f"({created(self._sql)} >= ? OR updated_at >= ?)",
            f"{created(self._sql)} < ?",
            *tests,
        ]
        since = read.time(scope.since)
        wanted = [read.several(trade_ids), since, since, read.time(scope.until), *values]
        return {i for (i,) in self._sql.rows(f"SELECT id FROM trades WHERE {' AND '.join(tests)}", wanted)}

    def population(self, scope: Scope) -> list[int]:
        """List the trades of the window from which an audit draws: with an order id, not imported."""
        read = self._sql.values
        tests, values = whose(scope)
        tests = [
            f"({created(self._sql)} >= ? OR updated_at >= ?)",
            f"{created(self._sql)} < ?",
            "order_id <> ''",
            "COALESCE(origin, 'foreign') <> 'imported'",
            *tests,
        ]
        since = read.time(scope.since)
        wanted = [since, since, read.time(scope.until), *values]
        text = f"SELECT id FROM trades WHERE {' AND '.join(tests)} ORDER BY id"
        return [i for (i,) in self._sql.stream(text, wanted)]

    def owned(self, scope: Scope, trade_ids: Sequence[int]) -> set[int]:
        """Tell which of these trades are of the bot and product asked for."""
        tests, values = whose(scope)
        if not tests:
            return set(trade_ids)
        text = f"SELECT id FROM trades WHERE {' AND '.join([self._sql.among('id'), *tests])}"
        return {i for (i,) in self._sql.rows(text, [self._sql.values.several(trade_ids), *values])}

    def undelivered(self) -> Mapping[str, int]:
        """Count what waits in the outbox, by sink."""
        text = "SELECT sink, COUNT(*) FROM outbox WHERE delivered_at IS NULL GROUP BY sink"
        return dict(self._sql.rows(text))

    def exported(self, scope: Scope, rows: str) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """Stream the trades created, or the fills traded, in the window: the columns, then the rows."""
        return history_rows.exported(self._sql, scope, rows, *whose(scope))

    # ------------------------------------------------------------------ inside

    def _grouped(self, scope: Scope) -> list[Row]:
        tests, values = self._created(scope)
        return self._sql.rows(
            "SELECT status, product_id, side, COUNT(*), SUM(filled_value), SUM(total_fees) FROM trades "
            f"WHERE {' AND '.join(tests)} GROUP BY 1, 2, 3",
            values,
        )

    def _walked(self, scope: Scope) -> Iterator[Row]:
        """Count and add up each run of equal words in front of the index, within the window."""
        tests, values = self._created(scope)
        text = (
            "SELECT COUNT(*), GROUP_CONCAT(filled_value, ' '), GROUP_CONCAT(total_fees, ' ') FROM trades "
            f"INDEXED BY ix_trades_report WHERE status IS ? AND product_id IS ? AND side IS ? AND {' AND '.join(tests)}"
        )
        for words in runs_of(self._sql, "trades", ("status", "product_id", "side")):
            count, *money = self._sql.rows(text, [*words, *values])[0]
            if count:
                yield (*words, count, *(_added_up(texts) for texts in money))

    def _created(self, scope: Scope) -> Tests:
        (window, times), (tests, values) = created_in(self._sql, scope), whose(scope)
        return [*window, *tests], [*times, *values]


def _pending_ids(sql: Sql) -> list[int]:
    """List what its bot reads as pending, however it is spelt, and whether or not anybody can follow it."""
    if sql.postgres:
        text = "SELECT id FROM trades WHERE status IS NULL OR LOWER(TRIM(status)) NOT IN ('completed', 'failed')"
        return [i for (i,) in sql.rows(text)]
    words = [word for (word,) in runs_of(sql, "trades", ("status",)) if read_status(word) == Status.PENDING.value]
    return [i for word in words for (i,) in sql.rows("SELECT id FROM trades WHERE status IS ?", (word,))]


def _added_up(texts: str | None) -> Decimal:
    """Add decimals up in Python: SQLite holds them as text, and would add them as floats."""
    with localcontext(EXACT):
        return sum(map(Decimal, (texts or "").split()), ZERO)
