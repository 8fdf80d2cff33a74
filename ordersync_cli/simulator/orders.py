"""One order and its fills as the exchange keeps them, and their JSON form in the state file."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, field, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ordersync_cli.simulator.money import ZERO

TERMINAL = frozenset({"FILLED", "CANCELLED", "EXPIRED", "FAILED"})
NO_TRIGGER = "INVALID_ORDER_TYPE"


@dataclass(slots=True)
class Order:
    """One order with its cumulative figures; times are microseconds, `seq` is its place in the listing."""

    seq: int
    order_id: str
    client_order_id: str
    product_id: str
    side: str
    configuration: dict[str, Any]
    kind: str  # market | limit | stop_limit
    time_in_force: str
    created_at: int
    base_size: Decimal | None = None
    quote_size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_direction: str = ""
    post_only: bool = False
    end_time: int | None = None
    status: str = "PENDING"
    filled_size: Decimal = ZERO
    filled_value: Decimal = ZERO
    total_fees: Decimal = ZERO
    number_of_fills: int = 0
    fill_rows: int = 0  # rows booked, adjustments included: the counter behind entry ids
    last_fill_at: int | None = None
    ended_at: int | None = None
    hold: Decimal = ZERO
    hold_currency: str = ""
    taker_rate: Decimal = Decimal("0.012")
    maker_rate: Decimal = Decimal("0.006")
    cancel_message: str = ""
    reject_reason: str = "REJECT_REASON_UNSPECIFIED"
    reject_message: str = ""
    pending_cancel: bool = False
    cancel_at: int | None = None
    trigger_status: str = NO_TRIGGER
    placement_source: str = "RETAIL_ADVANCED"
    placed_elsewhere: bool = False
    edit_history: list[dict[str, str]] = field(default_factory=list)
    plans: int = 0  # how often this order's life has been planned: part of the seed of each plan
    scripted: bool = False
    shown: dict[str, Any] = field(default_factory=dict)  # REST fields that a script dictates, as they are printed
    shown_in_frames: dict[str, Any] = field(default_factory=dict)

    @property
    def is_terminal(self) -> bool:
        """Tell whether the status can never change again."""
        return self.status in TERMINAL

    @property
    def is_buy(self) -> bool:
        """Tell whether base is bought."""
        return self.side == "BUY"

    @property
    def sized_in_quote(self) -> bool:
        """Tell whether the order was placed by an amount of quote money."""
        return self.quote_size is not None


@dataclass(slots=True)
class Fill:
    """One row of the fills listing; `visible_at` is when a look-up may first see it."""

    entry_id: str
    trade_id: str
    order_id: str
    product_id: str
    side: str
    trade_type: str
    price: Decimal
    size: Decimal  # base, whatever the wire says
    commission: Decimal
    liquidity: str
    size_in_quote: bool
    traded_at: int
    booked_at: int
    visible_at: int
    shown: dict[str, Any] = field(default_factory=dict)


_ORDER_DECIMALS = tuple(f.name for f in fields(Order) if "Decimal" in str(f.type))
_FILL_DECIMALS = tuple(f.name for f in fields(Fill) if "Decimal" in str(f.type))
# What still is as every order begins is not written: each text is kept for ever, and written and read at each change.
_BEGINNINGS = {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in fields(Order)}
for _name in ("status", "filled_size"):  # the ledger's SQL reads them
    _BEGINNINGS[_name] = MISSING
_FILL_NAMES = tuple(f.name for f in fields(Fill))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


_write = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def dump_order(order: Order) -> str:
    """Write the order for the state file."""
    values = ((name, getattr(order, name), start) for name, start in _BEGINNINGS.items())
    return _write({name: value for name, value, start in values if value is not start and value != start})


def load_order(doc: str) -> Order:
    """Read an order from the state file."""
    values = json.loads(doc)
    for name in _ORDER_DECIMALS:
        if values.get(name) is not None:
            values[name] = Decimal(values[name])
    return Order(**values)


@dataclass(slots=True)
class Version:
    """An order as it stood once, for looking only; `printed` is kept for the next look."""

    order: Order
    printed: dict[str, Any] | None = None


@lru_cache(maxsize=4_096)
def version(doc: str) -> Version:
    """Return the version that a text in the state file stands for; most look-ups find the same text again."""
    return Version(load_order(doc))


def dump_fill(fill: Fill) -> str:
    """Write the fill for the state file."""
    return _write({name: getattr(fill, name) for name in _FILL_NAMES})


def load_fill(doc: str) -> Fill:
    """Read a fill from the state file."""
    values = json.loads(doc)
    for name in _FILL_DECIMALS:
        values[name] = Decimal(values[name])
    return Fill(**values)
