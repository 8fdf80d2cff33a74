"""`ordersync place`: one order, sent once, checked at once, written down whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import LARGEST, command, read_duration
from ordersync_cli.cli.order_words import Ending, check_id, read_decimal, read_ending, request_of, with_stop
from ordersync_cli.cli.terminal import ask, can_ask
from ordersync_cli.cli.trades import in_words, trade_json
from ordersync_cli.errors import Declined, NotFilled

if TYPE_CHECKING:
    from ordersync_cli.bootstrap import Wiring
    from ordersync_cli.domain.orders import OrderRequest
    from ordersync_cli.domain.view import TradeView
    from ordersync_cli.services.intent import Wanted
    from ordersync_cli.services.place import Placed, Placing
    from ordersync_cli.services.ports import Preview

Confirm = Callable[["OrderRequest", Decimal | None], None]

_SHAPE = {
    "trade": None,
    "outcome": None,
    "filled_immediately": False,
    "requires_monitoring": False,
    "checks": 0,
}


def _amount(name: str, text: str, metavar: str = "X") -> Any:
    return typer.Option(name, parser=read_decimal, metavar=metavar, help=text)


@command("place", shape=_SHAPE)
def place(
    run: Invocation,
    *,
    side: Annotated[str, typer.Argument(metavar="buy|sell", help="Direction, in any case.")],
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="Like BTC-USD.")],
    quote_size: Annotated[Decimal | None, _amount("--quote-size", "Money to spend or to get.")] = None,
    base_size: Annotated[Decimal | None, _amount("--base-size", "Size in the base currency.")] = None,
    limit: Annotated[Decimal | None, _amount("--limit", "Limit price; without it a market order.", "PRICE")] = None,
    tif: Annotated[str, typer.Option("--tif", metavar="gtc|gtd|ioc|fok", help="How long a limit order lives.")] = "",
    end_time: Annotated[
        Ending | None, typer.Option("--end-time", parser=read_ending, metavar="T", help="When a gtd order ends.")
    ] = None,
    post_only: Annotated[bool, typer.Option("--post-only", help="Never take liquidity.")] = False,
    stop: Annotated[Decimal | None, _amount("--stop", "Stop price of a stop-limit order.", "PRICE")] = None,
    stop_direction: Annotated[
        str, typer.Option("--stop-direction", metavar="up|down", help="Where the market must go.")
    ] = "",
    bot_id: Annotated[
        int | None, typer.Option("--bot-id", min=-LARGEST, max=LARGEST, metavar="N", help="The bot it belongs to.")
    ] = None,
    client_order_id: Annotated[
        str | None, typer.Option("--client-order-id", metavar="ID", help="Your id; the same again sends nothing twice.")
    ] = None,
    wait: Annotated[
        timedelta,
        typer.Option("--wait", parser=read_duration, metavar="SECONDS", help="How long to check after placing."),
    ] = timedelta(seconds=5),
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not check after placing (once, with an id of yours).")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Check until the order has ended.")] = False,
    follow_for: Annotated[
        timedelta,
        typer.Option(
            "--follow-for", parser=read_duration, metavar="DURATION", show_default=False, help="At most so long: 5m."
        ),
    ] = timedelta(minutes=5),
    require_fill: Annotated[bool, typer.Option("--require-fill", help="Exit 13 unless it is filled.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Validate and preview; send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Place on the real venue without asking.")] = False,
    max_notional: Annotated[  # noqa: ARG001 - overrides the setting of the same name
        Decimal | None, _amount("--max-notional", "Refuse a larger order.")
    ] = None,
) -> int:
    """Place one order: the intent is committed first, the request is sent once, the answer is checked.

    Exit codes: 0 placed (filled, open, cancelled, expired), 5 refused, 6 never sent, 8 outcome
    unknown (`ordersync sync` will tell), 13 not filled with --require-fill.
    """
    from ordersync_cli.services.intent import Wanted
    from ordersync_cli.services.place import Placing

    request = request_of(side, product, quote_size, base_size, limit, tif)
    request = with_stop(request, stop, stop_direction)
    if client_order_id is not None:
        check_id(client_order_id)
    ends_at, ends_after = (None, None) if end_time is None else (end_time.at, end_time.after)
    request = replace(request, end_time=ends_at, post_only=post_only, bot_id=bot_id, client_order_id=client_order_id)
    if yes:
        run.require_named_venue("ordersync place --yes")
    _may_place(run, yes=yes, dry_run=dry_run)
    span = follow_for if follow else timedelta() if no_wait else wait
    wiring, asking = run.wiring, None if yes or run.settings.simulated else _confirm
    known = not dry_run and _knows(wiring, client_order_id)
    placing = Placing(
        store=wiring.store,
        venue=wiring.claimed(ask=False) if known else wiring.venue,
        recorder=wiring.recorder,
        clock=wiring.clock,
        chance=wiring.chance,
    )
    wanted = Wanted(
        request=request,
        ends_after=ends_after,
        wait=span.total_seconds(),
        require_fill=require_fill,
        max_notional=run.settings.max_notional,
        confirm=_claiming(wiring, asking) if known else asking,
        say=_teller(run),
        go_on=run.go_on,
        id_was_given=client_order_id is not None,
    )
    if dry_run:
        return _previewed(run, placing, wanted)
    return _show(run, placing.place(wanted))


def _may_place(run: Invocation, *, yes: bool, dry_run: bool) -> None:
    """Refuse, before anything is opened, what could not be confirmed later."""
    if yes or dry_run or run.settings.simulated or can_ask():
        return
    raise Declined(
        "Placing on the real venue needs a confirmation, and there is no terminal to ask on. Nothing was sent.",
        "Add --yes.",
    )


def _knows(wiring: Wiring, client_order_id: str | None) -> bool:
    """Tell whether the store holds this intent: it is answered from there, though the venue refuse the key."""
    if client_order_id is None:
        return False
    with wiring.store.read() as transaction:
        return bool(transaction.trades.ids_of(client_order_ids=[client_order_id]))


def _claiming(wiring: Wiring, ask: Confirm | None) -> Confirm:
    """Ask for the portfolio only where a known intent, which never left, is sent now."""

    def confirm(request: OrderRequest, worth: Decimal | None) -> None:
        wiring.claimed()
        if ask is not None:
            ask(request, worth)

    return confirm


def _confirm(request: OrderRequest, worth: Decimal | None) -> None:
    money = request.product_id.rpartition("-")[2]
    if request.base_size is not None:
        what = f"{request.base_size:f} {request.product_id}"
        about = f" (about {worth:.2f} {money})" if worth is not None else ""
    else:
        what, about = f"{request.product_id} for {request.quote_size:f} {money}", ""
    price = f" at {request.limit_price:f}" if request.limit_price is not None else ""
    kind = request.order_type.value.lower().replace("_", "-")
    try:
        agreed = ask(f"{request.side.value} {what}{price}, {kind} order{about}, real money?")
    except KeyboardInterrupt as stop:
        stop.args = ("Nothing was sent.",)
        raise
    if not agreed:
        raise Declined("Declined; nothing was sent.")


def _teller(run: Invocation) -> Callable[[str], None]:
    """Say the ids on stderr; from the first word on, a request may have left."""

    def say(text: str) -> None:
        run.at_stake = text.rpartition(" ")[2]
        run.output.say(text)

    return say


def _previewed(run: Invocation, placing: Placing, wanted: Wanted) -> int:
    preview: Preview = placing.preview(wanted)
    shown = {
        "errors": list(preview.errors),
        "warnings": list(preview.warnings),
        "order_total": preview.order_total,
        "commission_total": preview.commission_total,
        "base_size": preview.base_size,
        "quote_size": preview.quote_size,
        "average_price": preview.average_price,
    }
    refused = bool(preview.errors)
    error = None
    if refused:
        text = f"The venue would refuse the order: {', '.join(preview.errors)}. Nothing was sent."
        error = {"code": 5, "kind": "refused", "message": text, "remedy": "Correct the order."}
        run.output.say(f"ordersync: {text}")
    if run.output.as_json:
        run.output.document({**_SHAPE, "dry_run": True, "preview": shown}, error=error)
    for name, value in shown.items():
        if value not in (None, []):
            run.output.text(f"{name}\t{', '.join(value) if isinstance(value, list) else f'{value:f}'}")
    run.output.note("Dry run: nothing was written, nothing was sent.")
    return 5 if refused else 0


def _show(run: Invocation, placed: Placed) -> int:
    view = _stored(run, placed)
    message = placed.message
    if placed.exit_code == NotFilled.exit_code:
        message = f"Not filled within the wait: {placed.outcome}. {message}".rstrip()
    if message:
        run.output.say(f"ordersync: {message}")
    error = None
    if placed.exit_code:
        kind = {4: "credentials", 5: "refused", 6: "not_placed", 8: "unknown", 13: "not_filled"}[placed.exit_code]
        remedy = f"ordersync sync {view.order_id or view.client_order_id}" if placed.exit_code in {8, 13} else ""
        error = {"code": placed.exit_code, "kind": kind, "message": message, "remedy": remedy}
    if run.output.as_json:
        run.output.document(
            {
                "trade": trade_json(view),
                "outcome": placed.outcome,
                "filled_immediately": placed.filled_immediately,
                "requires_monitoring": placed.requires_monitoring,
                "checks": placed.checks,
            },
            error=error,
        )
    run.output.text(f"{placed.outcome}: {in_words(view)}")
    if placed.requires_monitoring and placed.outcome != "unknown":
        run.output.note("Still pending: `ordersync watch` or `ordersync reconcile` follows it.")
    return placed.exit_code


def _stored(run: Invocation, placed: Placed) -> TradeView:
    """Read the row as committed; where the store just went away, what is known here."""
    from ordersync_cli.domain.view import view
    from ordersync_cli.errors import StoreError
    from ordersync_cli.services.ports import TradeFilter

    trade_id = placed.trade.trade_id
    assert trade_id is not None
    try:
        with run.wiring.store.read() as transaction:
            return transaction.trades.views(TradeFilter(trade_ids=[trade_id]))[0]
    except StoreError:
        return view(placed.trade, placed.standing)
