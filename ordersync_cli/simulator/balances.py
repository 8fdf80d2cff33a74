"""What an order blocks on the accounts and what its fills move; every movement is a pair that adds up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ordersync_cli.simulator.intake import Refusal
from ordersync_cli.simulator.market import Quote
from ordersync_cli.simulator.money import ZERO, ceil_to, minus, plus, ratio, times
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.products import Product


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one account: of what is available and of what is held."""

    currency: str
    available: Decimal
    held: Decimal = ZERO


def needed_hold(order: Order, product: Product, quote: Quote) -> tuple[str, Decimal]:
    """Return the currency and the amount that the rest of this order may cost."""
    if order.is_buy:
        if order.quote_size is not None:
            return product.quote, max(minus(order.quote_size, plus(order.filled_value, order.total_fees)), ZERO)
        left = minus(order.base_size or ZERO, order.filled_size)
        price = order.limit_price or times(quote.ask, Decimal("1.05"))
        return product.quote, times(max(left, ZERO), price, plus(Decimal(1), order.taker_rate))
    if order.quote_size is not None:
        price = order.limit_price or times(quote.bid, Decimal("0.95"))
        return product.base, ceil_to(ratio(order.quote_size, price, 18), product.base_increment)
    return product.base, max(minus(order.base_size or ZERO, order.filled_size), ZERO)


def place_hold(order: Order, product: Product, quote: Quote, available: Decimal) -> list[Move]:
    """Block what the order needs; raises Refusal when the account does not have it."""
    currency, amount = needed_hold(order, product, quote)
    if amount > plus(available, order.hold):
        raise Refusal(
            error="INSUFFICIENT_FUND",
            message="Insufficient balance in source account",
            preview="PREVIEW_INSUFFICIENT_FUND",
        )
    change = minus(amount, order.hold)
    order.hold, order.hold_currency = amount, currency
    return [Move(currency, -change, change)]


def release_hold(order: Order) -> list[Move]:
    """Give back what is still blocked."""
    if not order.hold:
        return []
    amount, order.hold = order.hold, ZERO
    return [Move(order.hold_currency, amount, -amount)]


def settle_fill(order: Order, product: Product, size: Decimal, price: Decimal, fee: Decimal) -> list[Move]:
    """Pay for one execution out of the hold first; a negative size gives an execution back."""
    value = times(size, price)
    if order.is_buy:
        cost = plus(value, fee)
        return [*_pay(order, product.quote, cost), Move(product.base, size)]
    return [*_pay(order, product.base, size), Move(product.quote, minus(value, fee))]


def _pay(order: Order, currency: str, cost: Decimal) -> list[Move]:
    held = min(max(cost, ZERO), order.hold) if order.hold_currency == currency else ZERO
    order.hold = minus(order.hold, held)
    return [Move(currency, -minus(cost, held), -held)]
