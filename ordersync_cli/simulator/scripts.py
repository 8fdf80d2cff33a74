"""Dictated fates: a list of steps that replaces the life an order would have had.

Each step is an object; all keys but `after_seconds` are optional:

- after_seconds: when, counted from the acceptance (or from the moment the script was given to a living order)
- filled_size "0.4" or filled_fraction "0.4": cumulative; the difference is booked as one fill
- price, fee, liquidity, entry_id, trade_id, size_in_quote, visible_after (seconds until listings show the fill)
- status: any word, invented ones too; FILLED, CANCELLED, EXPIRED, FAILED end the order
- cancel_message, reject_reason, reject_message, trigger_status, pending_cancel, settled
- adjust: {type: REVERSAL|CORRECTION|SYNTHETIC, size, price, commission, trade_id, entry_id}: a row of the fills
  listing; `figures` below says what the order itself shows afterwards
- figures: {filled_size, filled_value, total_fees, number_of_fills}: overwrite the cumulative figures
- edit: {price, size}: an edit made elsewhere
- show / show_in_frames / row: fields printed as given from then on: of the order by REST, on the channel, of the fill
- frame: false keeps this step off the user channel; repeat: n sends its frame n more times, 250 ms apart
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.balances import settle_fill
from ordersync_cli.simulator.effects import Effects, book_fill, edit_terms, end, new_row
from ordersync_cli.simulator.lives import Planner, Step
from ordersync_cli.simulator.money import ZERO, floor_to, minus, parse, plus, ratio, times
from ordersync_cli.simulator.orders import TERMINAL, Order
from ordersync_cli.simulator.times import MILLISECOND, SECOND, micro_text

_KEYS = frozenset(
    [
        "after_seconds",
        "filled_size",
        "filled_fraction",
        "price",
        "fee",
        "liquidity",
        "entry_id",
        "trade_id",
        "size_in_quote",
        "visible_after",
        "status",
        "cancel_message",
        "reject_reason",
        "reject_message",
        "trigger_status",
        "pending_cancel",
        "adjust",
        "figures",
        "edit",
        "show",
        "show_in_frames",
        "row",
        "frame",
        "repeat",
    ]
)


_NUMBERS = ("after_seconds", "filled_size", "filled_fraction", "price", "fee", "visible_after", "repeat")
_FIGURES = frozenset({"filled_size", "filled_value", "total_fees", "number_of_fills"})


def script_steps(script: Iterable[dict[str, Any]], start: int) -> list[Step]:
    """Turn a script into steps counted from `start`; raises ValueError for a key or a number it does not know."""
    steps = []
    for number, entry in enumerate(script):
        unknown = set(entry) - _KEYS
        if unknown:
            raise ValueError(f"step {number} has unknown keys: {', '.join(sorted(unknown))}")
        _check_numbers(number, entry)
        after = parse(entry.get("after_seconds", 0)) or ZERO
        steps.append(Step(start + int(after * SECOND), "script", dict(entry)))
    return steps


def _check_numbers(number: int, entry: dict[str, Any]) -> None:
    """Refuse what could not be played later: a step that fails then would stop the whole exchange."""
    given = [(name, entry[name]) for name in _NUMBERS if name in entry]
    for name, needed in (("edit", ("price", "size")), ("adjust", ("size",))):
        if name in entry:
            given += [(f"{name}.{part}", entry[name].get(part)) for part in needed]
    given += [
        (f"adjust.{part}", entry["adjust"][part]) for part in ("price", "commission") if part in entry.get("adjust", {})
    ]
    given += [(f"figures.{name}", value) for name, value in entry.get("figures", {}).items()]
    for name, value in given:
        if parse(value) is None:
            raise ValueError(f"step {number}: {name} is not a number")
    if not set(entry.get("figures", {})) <= _FIGURES or ("adjust" in entry and "type" not in entry["adjust"]):
        raise ValueError(f"step {number}: figures are {', '.join(sorted(_FIGURES))}; an adjustment has a type")


def play(order: Order, step: Step, planner: Planner) -> Effects:
    """Do one step of a script."""
    data, effects = step.data, Effects(show=step.data.get("frame", True))
    if "edit" in data:
        edit = data["edit"]
        edit_terms(order, Decimal(str(edit["price"])), Decimal(str(edit["size"])), micro_text(step.due))
    _book(order, step, planner, effects)
    if "adjust" in data:
        _adjust(order, step, planner, effects)
    for name, value in data.get("figures", {}).items():
        setattr(order, name, int(value) if name == "number_of_fills" else Decimal(str(value)))
    for name in ("reject_reason", "reject_message", "trigger_status", "pending_cancel"):
        if name in data:
            setattr(order, name, data[name])
    order.shown = {**order.shown, **data.get("show", {})}
    order.shown_in_frames = {**order.shown_in_frames, **data.get("show_in_frames", {})}
    _set_status(order, step, effects)
    if "cancel_message" in data:
        order.cancel_message = data["cancel_message"]
    effects.steps += [Step(step.due + (n + 1) * 250 * MILLISECOND, "again") for n in range(int(data.get("repeat", 0)))]
    return effects


def _set_status(order: Order, step: Step, effects: Effects) -> None:
    status = step.data.get("status")
    if status is None:
        return
    if status in TERMINAL and not order.is_terminal:
        ended = end(order, status, step.due)
        effects.moves += ended.moves
        effects.drop = ended.drop
    order.status = status


def _book(order: Order, step: Step, planner: Planner, effects: Effects) -> None:
    """Book what is missing up to the dictated cumulative size."""
    data = step.data
    price = _price(order, step, planner)
    if "filled_size" in data:
        target = Decimal(str(data["filled_size"]))
    elif "filled_fraction" in data:
        target = times(Decimal(str(data["filled_fraction"])), _whole(order, price, planner))
    else:
        return
    size = minus(target, order.filled_size)
    if size <= ZERO:
        return
    fill: dict[str, Any] = {
        "size": str(size),
        "price": str(price),
        "liquidity": data.get("liquidity", "TAKER"),
        "in_quote": data.get("size_in_quote", order.sized_in_quote and order.is_buy),
    }
    fill |= {name: data[name] for name in ("fee", "entry_id", "trade_id", "visible_after", "row") if name in data}
    booked = book_fill(order, Step(step.due, "fill", fill), planner)
    effects.fills += booked.fills
    effects.moves += booked.moves


def _price(order: Order, step: Step, planner: Planner) -> Decimal:
    if "price" in step.data:
        return Decimal(str(step.data["price"]))
    quote = planner.market.quote(planner.product, step.due)
    return order.limit_price or (quote.ask if order.is_buy else quote.bid)


def _whole(order: Order, price: Decimal, planner: Planner) -> Decimal:
    """Return the base size that filled_fraction 1 means."""
    if order.base_size is not None:
        return order.base_size
    money = order.quote_size or ZERO
    if order.is_buy:
        money = ratio(money, plus(Decimal(1), order.taker_rate), 16)
    return floor_to(ratio(money, price, 18), planner.product.base_increment)


def _adjust(order: Order, step: Step, planner: Planner, effects: Effects) -> None:
    """Add an adjustment row and move the money it stands for; the order's figures are left to `figures`."""
    adjust = step.data["adjust"]
    kind = str(adjust["type"])
    size, price = Decimal(str(adjust["size"])), Decimal(str(adjust.get("price") or _price(order, step, planner)))
    fee = Decimal(str(adjust.get("commission", times(size, price, order.taker_rate))))
    row = {"liquidity": adjust.get("liquidity", "TAKER"), "trade_type": kind, "row": step.data.get("row", {})}
    row |= {name: adjust[name] for name in ("entry_id", "trade_id") if name in adjust}
    if "visible_after" in step.data:
        row["visible_after"] = step.data["visible_after"]
    effects.fills.append(new_row(order, planner, Step(step.due, "fill", row), size, price, fee))
    if kind == "REVERSAL":
        effects.moves += settle_fill(order, planner.product, -size, price, -fee)
