"""Registers as JSON text and back, exactly: what the store keeps beside the public row.

The text is deterministic (sorted keys, canonical decimals, UTC with microseconds), absent values
are left out, and keys that a newer version may have added are ignored on reading.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar

from ordersync_cli.domain.decimals import plain
from ordersync_cli.domain.observations import CancelSeen, CancelStep, Channel, Edit, Look, SettledByHand
from ordersync_cli.domain.orders import (
    Figures,
    Fill,
    OrderRequest,
    OrderType,
    Side,
    StopDirection,
    TimeInForce,
)
from ordersync_cli.domain.trade import KeyedFigures, KeyedWord, VenueOrder, Verdict, VerdictKind

T = TypeVar("T")
_FIELDS: dict[type, tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]] = {}
_WRITERS: dict[type, Callable[[Any], Any]] = {}


def dump_order(order: VenueOrder) -> str:
    """Write the registers of a venue order, without its fills: they have a table of their own."""
    return _text(_plain(order, leave_out=("fills",)))


def load_order(text: str, fills: tuple[Fill, ...] = ()) -> VenueOrder:
    """Read the registers of a venue order; its fills are kept elsewhere."""
    return _build(VenueOrder, {**json.loads(text), "fills": fills}, ORDER)


def dump_verdict(verdict: Verdict) -> str:
    """Write a verdict with the looks that prove it."""
    return _text(_plain(verdict))


def load_verdict(text: str) -> Verdict:
    """Read a verdict."""
    return _build(Verdict, json.loads(text), VERDICT)


def dump_cancel(cancel: CancelSeen) -> str:
    """Write a wish to cancel."""
    return _text(_plain(cancel))


def load_cancel(text: str) -> CancelSeen:
    """Read a wish to cancel."""
    return _build(CancelSeen, json.loads(text), CANCEL)


def dump_settled(settled: SettledByHand) -> str:
    """Write what an operator settled."""
    return _text(_plain(settled))


def load_settled(text: str) -> SettledByHand:
    """Read what an operator settled."""
    return _build(SettledByHand, json.loads(text), {"at": _time})


def dump_looks(looks: Sequence[Look]) -> str:
    """Write the looks of a proof of absence."""
    return _text([_plain(look) for look in looks])


def load_looks(text: str) -> tuple[Look, ...]:
    """Read the looks of a proof of absence."""
    return tuple(_look(item) for item in json.loads(text))


def dump_request(request: OrderRequest) -> str:
    """Write a request, client order id and all."""
    return _text(_plain(request))


def load_request(text: str) -> OrderRequest:
    """Read a request."""
    return _build(OrderRequest, json.loads(text), REQUEST)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _text(value: Any) -> str:
    return _ENCODER.encode(value)


def _plain(value: Any, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """Turn a dataclass into plain JSON values, leaving out what is absent."""
    found = {}
    names, read = _fields(type(value))
    for name, content in zip(names, read(value), strict=True):
        if content is None or content is False or name in leave_out:
            continue
        kind = type(content)
        found[name] = content if kind is str or kind is bool else (_WRITERS.get(kind) or _atom)(content)
    return found


def _fields(kind: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """List the fields of a dataclass, and how to read them at once; asked for with each row, so remembered."""
    found = _FIELDS.get(kind)
    if found is None:
        names = tuple(field.name for field in fields(kind))
        found = _FIELDS[kind] = (names, attrgetter(*names))
    return found


def _atom(value: Any) -> Any:
    kind = type(value)
    writer = _WRITERS.get(kind)
    if writer is None:
        writer = _WRITERS[kind] = _writer(kind)
    return writer(value)


def _writer(kind: type) -> Callable[[Any], Any]:
    """Choose how values of a type are written; asked for once a type."""
    if issubclass(kind, Decimal):
        return plain
    if issubclass(kind, datetime):
        return _written_time
    if issubclass(kind, Enum):
        return _value_of
    if issubclass(kind, tuple):
        return _list
    return _same if issubclass(kind, str | int | bool) else _plain


def _written_time(moment: datetime) -> str:
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")


def _value_of(member: Enum) -> Any:
    return member.value


def _list(items: tuple[Any, ...]) -> list[Any]:
    return [_atom(item) for item in items]


def _same(value: Any) -> Any:
    return value


Readers = dict[str, Callable[[Any], Any]]


def _build(kind: type[T], stored: dict[str, Any], readers: Readers) -> T:
    """Build a dataclass from plain JSON values; fields without a reader stand as they are."""
    names, _ = _fields(kind)
    return kind(
        **{
            name: readers[name](content) if name in readers else content
            for name, content in stored.items()
            if name in names
        }
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _optional(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


FIGURES: Readers = {
    "filled_size": Decimal,
    "filled_value": Decimal,
    "total_fees": Decimal,
    "average_filled_price": Decimal,
}
WORD: Readers = {"as_of": _time, "channel": Channel}
KEYED_FIGURES: Readers = {
    "figures": lambda stored: _build(Figures, stored, FIGURES),
    "as_of": _time,
    "channel": Channel,
}
EDIT: Readers = {"accepted_at": _time, "size": _optional, "price": _optional}


def _word(stored: dict[str, Any]) -> KeyedWord:
    return _build(KeyedWord, stored, WORD)


def _figures(stored: dict[str, Any]) -> KeyedFigures:
    return _build(KeyedFigures, {"terminal": False, **stored}, KEYED_FIGURES)


ORDER: Readers = {
    "accepted_as_of": _time,
    "created_time": _time,
    "term_at": _time,
    "open_word": _word,
    "raw": _word,
    "figures": _figures,
    "rest_figures": _figures,
    "fills_read": _time,
    "zero_look": _time,
    "edit": lambda stored: _build(Edit, {"size": None, "price": None, **stored}, EDIT),
    "edit_as_of": _time,
    "first_seen_at": _time,
    "last_fill_time": _time,
    "filled_frame_at": _time,
    "reason_as_of": _time,
}
LOOK: Readers = {"started_at": _time, "window_start": _time}
VERDICT: Readers = {
    "kind": VerdictKind,
    "at": _time,
    "looks": lambda stored: tuple(_look(item) for item in stored),
}
CANCEL: Readers = {"requested_at": _time, "answered_at": _time, "step": CancelStep}
REQUEST: Readers = {
    "side": Side,
    "order_type": OrderType,
    "time_in_force": TimeInForce,
    "base_size": Decimal,
    "quote_size": Decimal,
    "limit_price": Decimal,
    "stop_price": Decimal,
    "stop_direction": StopDirection,
    "end_time": _time,
}


def _look(stored: dict[str, Any]) -> Look:
    return _build(Look, {"positive_control": None, **stored}, LOOK)
