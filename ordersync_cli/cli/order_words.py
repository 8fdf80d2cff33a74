"""Reads the order that the options of `place` describe, and says what cannot be meant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import typer

from ordersync_cli.cli.options import read_with
from ordersync_cli.clock import SystemClock
from ordersync_cli.config import parse
from ordersync_cli.errors import UsageError

if TYPE_CHECKING:
    from ordersync_cli.domain.orders import OrderRequest


@dataclass(frozen=True, slots=True)
class Ending:
    """When an order is to end; ``after`` is how long from now, where that was said (`--end-time 1h`)."""

    at: datetime
    after: timedelta | None = None


def read_ending(text: str | Ending) -> Ending:
    """Read a time, or a duration from now, for ``typer.Option(parser=...)``."""
    if isinstance(text, Ending):
        return text
    now = SystemClock().now()
    at = read_with(lambda t: parse.moment(t, now=now, ahead=True), text)
    moves = at != parse.moment(text, now=now + timedelta(seconds=1), ahead=True)
    return Ending(at, at - now if moves else None)


def read_decimal(text: str | Decimal) -> Decimal:
    """Read a decimal for ``typer.Option(parser=...)``, exactly; NaN and infinities are refused."""
    if isinstance(text, Decimal):
        return text
    try:
        if not text.isascii() or "_" in text:  # Python reads 1_0 and other scripts' digits, a person may not
            raise InvalidOperation
        value = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not a decimal number") from None
    if not value.is_finite():
        raise typer.BadParameter(f"{text!r} is not a finite number")
    return value


def request_of(
    side: str, product: str, quote_size: Decimal | None, base_size: Decimal | None, limit: Decimal | None, tif: str
) -> OrderRequest:
    """Make the request without a stop; raises UsageError (2)."""
    from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, TimeInForce

    if side.upper() not in Side.__members__:
        raise UsageError(f"The side is buy or sell, not {side}. Nothing was sent.", "ordersync place --help")
    if (quote_size is None) == (base_size is None):
        said = "Neither" if quote_size is None else "Both"
        raise UsageError(
            f"{said} of --quote-size and --base-size given; one is needed. Nothing was sent.", "ordersync place --help"
        )
    if tif and tif.lower() not in set(TimeInForce):
        raise UsageError(f"--tif is gtc, gtd, ioc or fok, not {tif}. Nothing was sent.", "ordersync place --help")
    default = TimeInForce.IOC if limit is None else TimeInForce.GTC
    return OrderRequest(
        product_id=product.upper(),
        side=Side[side.upper()],
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce(tif.lower()) if tif else default,
        base_size=base_size,
        quote_size=quote_size,
        limit_price=limit,
    )


def with_stop(request: OrderRequest, stop: Decimal | None, stop_direction: str) -> OrderRequest:
    """Add the stop to a request, where there is one; raises UsageError (2)."""
    from ordersync_cli.domain.orders import OrderType, StopDirection

    if stop_direction and stop_direction.lower() not in set(StopDirection):
        raise UsageError(f"--stop-direction is up or down, not {stop_direction}. Nothing was sent.")
    if (stop is None) != (not stop_direction):
        raise UsageError("--stop and --stop-direction go together. Nothing was sent.")
    if stop is None:
        return request
    if request.limit_price is None:
        raise UsageError("--stop needs --limit: it is a stop-limit order. Nothing was sent.")
    direction = StopDirection(stop_direction.lower())
    return replace(request, order_type=OrderType.STOP_LIMIT, stop_price=stop, stop_direction=direction)


def check_id(client_order_id: str) -> None:
    """Refuse an id that nobody could read again; raises UsageError (2)."""
    if not client_order_id.strip():
        raise UsageError("--client-order-id is empty. Nothing was sent.", "Leave it out: one is made for you.")
    if not client_order_id.isprintable():
        raise UsageError("--client-order-id holds a character that cannot be shown. Nothing was sent.")
