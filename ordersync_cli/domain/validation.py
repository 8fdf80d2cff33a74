"""What is wrong with a request before anything is sent, in words that say what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from ordersync_cli.domain.decimals import (
    EXACT,
    canonical,
    is_multiple,
    nearest_down,
    plain,
)
from ordersync_cli.domain.decimals import (
    product as times,
)
from ordersync_cli.domain.orders import OrderRequest, OrderType, Product, Side, StopDirection, TimeInForce

RESTING = (TimeInForce.GTC, TimeInForce.GTD)


def problems(request: OrderRequest, product: Product, *, now: datetime) -> list[str]:
    """List everything that is wrong with a request, in sentences; ``now`` is the venue's clock."""
    unreadable = list(_numbers(request))
    found = unreadable or [
        *_trading(request, product),
        *_shape(request),
        *_life(request, now),
        *_sizes(request, product),
        *_prices(request, product),
        *_stop(request),
    ]
    return [f"{text[0].upper()}{text[1:]}." for text in found]


def notional(request: OrderRequest, product: Product) -> Decimal | None:
    """Estimate the order's value in quote currency; None where no price is known."""
    if request.quote_size is not None:
        return canonical(request.quote_size)
    price = request.limit_price if request.limit_price is not None else product.price
    if request.base_size is None or price is None:
        return None
    return canonical(times(request.base_size, price))


def _numbers(request: OrderRequest) -> Iterator[str]:
    for name, value in _amounts(request):
        try:
            positive = canonical(value) > 0
        except ValueError as problem:
            yield f"{name}: {problem}"
        else:
            if not positive:
                yield f"{name} must be more than 0, not {value:f}"


def _amounts(request: OrderRequest) -> list[tuple[str, Decimal]]:
    named = (
        ("base size", request.base_size),
        ("quote size", request.quote_size),
        ("limit price", request.limit_price),
        ("stop price", request.stop_price),
    )
    return [(name, value) for name, value in named if value is not None]


def _trading(request: OrderRequest, product: Product) -> Iterator[str]:
    name = product.product_id
    if product.trading_disabled:
        yield f"trading in {name} is disabled at the venue"
    if product.view_only:
        yield f"{name} can only be viewed by this key"
    if product.cancel_only:
        yield f"{name} takes no new orders now, only cancels"
    if product.limit_only and request.order_type is OrderType.MARKET:
        yield f"{name} takes limit orders only now: add --limit PRICE"
    if product.post_only and not request.post_only:
        yield f"{name} takes post-only orders only now: add --limit PRICE --post-only"


def _shape(request: OrderRequest) -> Iterator[str]:
    if request.base_size is not None and request.quote_size is not None:
        yield "give either a base size or a quote size, not both"
    if request.base_size is None and request.quote_size is None:
        yield "give a base size or a quote size"
    match request.order_type:
        case OrderType.OTHER:
            yield "this type of order is followed here but never placed"
        case OrderType.MARKET:
            if request.limit_price is not None or request.stop_price is not None:
                yield "a market order has no price"
        case _:
            if request.limit_price is None:
                yield "a limit order needs a limit price"
    if request.order_type is OrderType.STOP_LIMIT and request.quote_size is not None:
        yield "a stop order takes a base size, not a quote size"


def _life(request: OrderRequest, now: datetime) -> Iterator[str]:
    lives = request.time_in_force
    if request.order_type is OrderType.MARKET and lives not in (None, TimeInForce.IOC):
        yield f"a market order is immediate or cancelled: {lives} needs a limit price"
    if request.order_type is OrderType.STOP_LIMIT and lives not in (None, *RESTING):
        yield f"a stop order rests: it is gtc or gtd, not {lives}"
    resting = request.order_type is not OrderType.MARKET and lives in (None, *RESTING)
    if request.post_only and not resting:
        yield "post-only is for limit orders that may rest: gtc or gtd"
    if lives is TimeInForce.GTD and request.end_time is None:
        yield "a gtd order needs an end time"
    if lives is not TimeInForce.GTD and request.end_time is not None:
        yield "an end time is for gtd orders: add --tif gtd"
    if request.end_time is not None and request.end_time <= now:
        yield f"the end time {request.end_time.isoformat()} is not in the future"


def _sizes(request: OrderRequest, product: Product) -> Iterator[str]:
    if request.base_size is not None:
        yield from _bounded(
            "base size",
            request.base_size,
            product.base_increment,
            product.base_min_size,
            product.base_max_size,
        )
    if request.quote_size is not None:
        yield from _bounded(
            "quote size",
            request.quote_size,
            product.quote_increment,
            product.quote_min_size,
            product.quote_max_size,
        )


def _bounded(name: str, value: Decimal, step: Decimal, least: Decimal, most: Decimal | None) -> Iterator[str]:
    if value < least:
        yield f"{name} {plain(value)} is below the minimum: give at least {plain(least)}"
    elif most is not None and value > most:
        yield f"{name} {plain(value)} is above the maximum: give at most {plain(most)}"
    else:
        yield from _on_grid(name, value, step)


def _prices(request: OrderRequest, product: Product) -> Iterator[str]:
    for name, value in _amounts(request):
        if name.endswith("price"):
            yield from _on_grid(name, value, product.price_increment)


def _on_grid(name: str, value: Decimal, step: Decimal) -> Iterator[str]:
    if step > 0 and not is_multiple(value, step):
        below = nearest_down(value, step)
        above = EXACT.add(below, step)
        near = f"{plain(below)} or {plain(above)}" if below else plain(above)
        yield f"{name} {plain(value)} is not a multiple of {plain(step)}: the nearest is {near}"


def _stop(request: OrderRequest) -> Iterator[str]:
    if request.order_type is not OrderType.STOP_LIMIT:
        if request.stop_direction is not None:
            yield "a stop direction is for stop orders: add --stop PRICE"
        return
    if request.stop_price is None:
        yield "a stop order needs a stop price"
    if request.stop_direction is None:
        yield "a stop order needs a direction: --stop-direction up or down"
    limit, stop = request.limit_price, request.stop_price
    if limit is None or stop is None:
        return
    # Coinbase docs, Create Order: PREVIEW_STOP_PRICE_ABOVE_LIMIT_PRICE and .._BELOW_LIMIT_PRICE.
    if request.side is Side.BUY and request.stop_direction is StopDirection.UP and limit < stop:
        yield f"a buy that triggers upwards needs a limit of at least its stop: {plain(stop)}"
    if request.side is Side.SELL and request.stop_direction is StopDirection.DOWN and limit > stop:
        yield f"a sell that triggers downwards needs a limit of at most its stop: {plain(stop)}"
