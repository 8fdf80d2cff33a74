"""Plans an order's whole life as steps at given times, from the seed, the request and the moment it was accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.draws import Draws
from ordersync_cli.simulator.intake import is_marketable
from ordersync_cli.simulator.market import Market
from ordersync_cli.simulator.money import ZERO, floor_to, minus, plus, ratio, times
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.products import Product
from ordersync_cli.simulator.times import MILLISECOND, SECOND

_SEARCH_WINDOWS = (60 * SECOND, 600 * SECOND, 3_600 * SECOND)
# The end of both recorded quote-sized market BUYs (2023 by ccxt, 2026 by QuantConnect): normal, no alarm.
QUOTE_BUY_END = "Internal error"


@dataclass(slots=True)
class Step:
    """One future change of one order; `due` is in microseconds."""

    due: int
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planner:
    """What a plan depends on beside the order: the market, the product and the exchange's seed."""

    market: Market
    product: Product
    seed: int

    def draws(self, order: Order) -> Draws:
        """Return the stream for the next plan of this order."""
        order.plans += 1
        return Draws(self.seed, "life", order.order_id, order.plans)


def plan_life(order: Order, planner: Planner) -> list[Step]:
    """Return the steps of a new order, from its acceptance on."""
    draws = planner.draws(order)
    now = order.created_at
    steps = [Step(now + draws.between(1, 8) * MILLISECOND, "open")]
    if order.time_in_force == "GOOD_UNTIL_DATE_TIME" and order.end_time is not None:
        steps.append(Step(order.end_time, "expire"))
    if order.kind == "stop_limit":
        return steps + search_steps(order, planner, now, 0)
    return steps + plan_trading(order, planner, draws, now)


def plan_trading(order: Order, planner: Planner, draws: Draws, now: int) -> list[Step]:
    """Return the fills and the end of an order that the market has reached at `now`, or its search for a price."""
    first = now + draws.between(50, 150) * MILLISECOND
    quote = planner.market.quote(planner.product, now)
    if not is_marketable(order, quote):
        if order.time_in_force in ("IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"):
            return _ended(draws, first, "CANCELLED", "")
        return search_steps(order, planner, now, 0)
    fills = _taker_fills(order, planner, draws, first)
    last = fills[-1].due if fills else first
    wanted = _left(order, planner.product)
    got = plus(*(Decimal(step.data["size"]) for step in fills))
    if order.sized_in_quote or got >= wanted:
        note = QUOTE_BUY_END if order.sized_in_quote and order.is_buy and order.kind == "market" else ""
        return fills + _ended(draws, last, "FILLED", note)
    if order.time_in_force == "FILL_OR_KILL":
        return _ended(draws, first, "CANCELLED", "")
    if order.time_in_force == "IMMEDIATE_OR_CANCEL":
        return fills + _ended(draws, last, "CANCELLED", "")
    rest = _maker_fills(order, planner, draws, last + 2 * SECOND, minus(wanted, got))
    return fills + rest + _ended(draws, rest[-1].due, "FILLED", "")


def search_steps(order: Order, planner: Planner, start: int, tries: int) -> list[Step]:
    """Return what the next stretch of the price path holds for a resting order: fills, a trigger, or a later look."""
    stop_waits = order.trigger_status == "STOP_PENDING"
    price = order.stop_price if stop_waits else order.limit_price
    if price is None or not planner.market.is_reachable(planner.product, price):
        return []
    falling = order.stop_direction == "STOP_DIRECTION_STOP_DOWN" if stop_waits else order.is_buy
    until = start + _SEARCH_WINDOWS[min(tries, len(_SEARCH_WINDOWS) - 1)]
    found = planner.market.first_crossing(planner.product, price, falling=falling, start=start, stop=until)
    if found is None:
        return [Step(until, "search", {"tries": tries + 1})]
    found = max(found, order.created_at + 20 * MILLISECOND)
    if stop_waits:
        return [Step(found, "trigger")]
    draws = planner.draws(order)
    fills = _maker_fills(order, planner, draws, found, _left(order, planner.product))
    return fills + _ended(draws, fills[-1].due if fills else found, "FILLED", "")


def _ended(draws: Draws, after: int, status: str, note: str) -> list[Step]:
    at = after + draws.between(1, 6) * MILLISECOND
    repeats = draws.below(3) if status == "FILLED" else 0  # recorded 2026-08: FILLED three times, 250 ms apart
    return [Step(at, "end", {"status": status, "cancel_message": note, "repeats": repeats})]


def _left(order: Order, product: Product) -> Decimal:
    """Return the base size still to trade, by the order's own terms."""
    if order.base_size is not None:
        return minus(order.base_size, order.filled_size)
    if order.limit_price is not None and order.quote_size is not None:
        money = ratio(minus(order.quote_size, order.filled_value), plus(Decimal(1), order.taker_rate), 12)
        return floor_to(ratio(money, order.limit_price, 18), product.base_increment)
    return ZERO


def _parts(draws: Draws, total: Decimal, increment: Decimal, most: int) -> list[Decimal]:
    """Cut a size into one to `most` parts on the increment's grid."""
    count = draws.between(1, most)
    parts: list[Decimal] = []
    left = total
    for n in range(count, 1, -1):
        share = floor_to(
            times(ratio(left, Decimal(n), 18), Decimal(draws.between(40, 160)), Decimal("0.01")), increment
        )
        if ZERO < share < left:
            parts.append(share)
            left = minus(left, share)
    return [*parts, left] if left > ZERO else parts


def _taker_fills(order: Order, planner: Planner, draws: Draws, first: int) -> list[Step]:
    if order.sized_in_quote:
        return _quote_fills(order, planner, draws, first)
    product, at = planner.product, first
    quote = planner.market.quote(product, first)
    reach = floor_to(ratio(product.depth, quote.ask, 18), product.base_increment)
    steps = []
    for level, size in enumerate(_parts(draws, min(_left(order, product), reach), product.base_increment, 3)):
        steps.append(_fill(at, size, _taker_price(order, planner, at, level), "TAKER"))
        at += draws.between(10, 80) * MILLISECOND
    return steps


def _taker_price(order: Order, planner: Planner, at: int, level: int) -> Decimal:
    """Return a price `level` places down the book, never worse than the order's limit."""
    quote, tick = planner.market.quote(planner.product, at), planner.product.price_increment
    if order.is_buy:
        price = plus(quote.ask, times(tick, Decimal(level)))
        return price if order.limit_price is None else min(price, order.limit_price)
    price = max(minus(quote.bid, times(tick, Decimal(level))), tick)
    return price if order.limit_price is None else max(price, order.limit_price)


def _quote_fills(order: Order, planner: Planner, draws: Draws, first: int) -> list[Step]:
    """Spend (or raise) an amount of quote money; the base sizes are what comes out.

    Half of the BUYs buy in steps of the base increment, so that some quote money is left over, the others with
    fifteen decimals, so that nearly nothing is (both were recorded).
    """
    product, at = planner.product, first
    amount = minus(order.quote_size or ZERO, order.filled_value)
    if order.is_buy:
        amount = ratio(amount, plus(Decimal(1), order.taker_rate), 16)
    grain = product.base_increment if not order.is_buy or draws.chance(50) else Decimal("0.000000000000001")
    steps: list[Step] = []
    count = draws.between(1, 3)
    for level in range(count):
        price = _taker_price(order, planner, at, level)
        size = floor_to(ratio(ratio(amount, Decimal(count - level), 16), price, 18), grain)
        if size > ZERO:
            steps.append(_fill(at, size, price, "TAKER", in_quote=order.is_buy))
            amount = minus(amount, times(size, price))
        at += draws.between(10, 80) * MILLISECOND
    return steps


def _maker_fills(order: Order, planner: Planner, draws: Draws, first: int, size: Decimal) -> list[Step]:
    at, steps = first, []
    price = order.limit_price or planner.market.quote(planner.product, first).bid
    for part in _parts(draws, size, planner.product.base_increment, 4):
        steps.append(_fill(at, part, price, "MAKER"))
        at += draws.between(100, 1500) * MILLISECOND
    return steps


def _fill(at: int, size: Decimal, price: Decimal, liquidity: str, *, in_quote: bool = False) -> Step:
    return Step(at, "fill", {"size": str(size), "price": str(price), "liquidity": liquidity, "in_quote": in_quote})
