"""Fills: a set by entry id, and what they prove about the venue's cumulative figures.

Totals are the venue's; fills only verify them. Nothing is summed into a trade: nobody has seen
the signs of REVERSAL and CORRECTION rows, so each possible reading of them is tried, and one is
believed only where it alone explains the venue's own figures (decision record 0002).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import product as combinations

from ordersync_cli.domain.decimals import (
    EXACT,
    ZERO,
    canonical,
    last_digit,
    plain,
    product,
    total,
)
from ordersync_cli.domain.orders import Figures, Fill

ADJUSTMENTS = ("REVERSAL", "CORRECTION")
COARSEST_UNIT = Decimal("0.01")
CENTI = Decimal("0.01")


def clean(fill: Fill) -> Fill:
    """Bring the decimals of a fill into canonical form."""
    price, size, commission = canonical(fill.price), canonical(fill.size), canonical(fill.commission)
    if price is fill.price and size is fill.size and commission is fill.commission:
        return fill
    return replace(fill, price=price, size=size, commission=commission)


def content(fill: Fill) -> str:
    """Write a fill canonically: equal texts are the same content."""
    return "|".join(
        (
            fill.entry_id,
            fill.order_id,
            fill.venue_trade_id,
            fill.trade_type,
            plain(fill.price),
            plain(fill.size),
            str(fill.size_in_quote),
            plain(fill.commission),
            fill.trade_time.isoformat(),
            fill.sequence_timestamp.isoformat(),
            fill.product_id,
            fill.side or "",
            fill.liquidity_indicator,
        )
    )


def union(a: Sequence[Fill], b: Sequence[Fill]) -> tuple[Fill, ...]:
    """Join two sets of fills: of one entry id the newest booking, then the larger content."""
    by_id = {fill.entry_id: fill for fill in a}
    for fill in b:
        known = by_id.get(fill.entry_id)
        if known is None or _fill_key(fill) > _fill_key(known):
            by_id[fill.entry_id] = fill
    return tuple(by_id[entry_id] for entry_id in sorted(by_id))


def rewritten(before: Sequence[Fill], seen: Sequence[Fill]) -> tuple[str, ...]:
    """List entry ids that came again with another content."""
    known = {fill.entry_id: content(fill) for fill in before}
    return tuple(
        sorted({fill.entry_id for fill in seen if fill.entry_id in known and known[fill.entry_id] != content(fill)})
    )


def base_size(fill: Fill, *, places: int = 16) -> Decimal:
    """Tell the base size of a fill; size / price, cut to ``places``, where it is in quote.

    The division need not end, so this is for showing only; verification compares in quote.
    """
    if not fill.size_in_quote:
        return fill.size
    if not fill.price:
        return ZERO
    whole = EXACT.divide_int(EXACT.scaleb(fill.size, places), fill.price)
    return canonical(EXACT.scaleb(whole, -places))


def quote_value(fill: Fill) -> Decimal:
    """Tell what a fill is worth in quote currency, without its commission."""
    return fill.size if fill.size_in_quote else product(fill.size, fill.price)


def last_fill_time(fills: Iterable[Fill]) -> datetime | None:
    """Tell when the last execution was; adjustments are bookings, not executions."""
    return max((f.trade_time for f in fills if f.trade_type not in ADJUSTMENTS), default=None)


def verified(fills: Sequence[Fill], figures: Figures | None) -> bool:
    """Tell whether the fills account for the figures: count and sum, exactly.

    Base sizes must sum to ``filled_size``. Where a size is in quote the sum is held against
    ``filled_value``, within one unit of the venue's last printed digit a fill.
    """
    if figures is None:
        return False
    if is_adjusted(fills):
        return explains(fills, figures) and figures.number_of_fills in _counts(fills)
    return len(fills) == figures.number_of_fills and _sums_to(_plain_parts(fills), figures)


def is_adjusted(fills: Sequence[Fill]) -> bool:
    """Tell whether the venue has booked a reversal or a correction."""
    return any(fill.trade_type in ADJUSTMENTS for fill in fills)


def explains(fills: Sequence[Fill], figures: Figures) -> bool:
    """Tell whether exactly one reading of the adjustments gives these figures, fees included."""
    found: set[tuple[_Part, ...]] = set()
    for parts in _readings(fills):
        fees = total(part.commission for part in parts)
        if fees == figures.total_fees and _sums_to(parts, figures, value_too=True):
            found.add(parts)
    return len(found) == 1


@dataclass(frozen=True, slots=True)
class _Part:
    """What one fill contributes under one reading."""

    entry_id: str
    size: Decimal
    value: Decimal
    commission: Decimal
    in_quote: bool


def _plain_parts(fills: Sequence[Fill]) -> tuple[_Part, ...]:
    return tuple(_part(fill, 1, 1) for fill in fills)


def _part(fill: Fill, size_sign: int, fee_sign: int) -> _Part:
    """Take a fill as given (sign 1), as subtracted (-1), or not at all (0).

    A size is subtracted whatever its sign. A fee is turned round: a rebate is negative, and its
    reversal gives it back.
    """
    value = quote_value(fill)
    return _Part(
        entry_id=fill.entry_id,
        size=_signed(fill.size, size_sign),
        value=_signed(value, size_sign),
        commission=_turned(fill.commission, fee_sign),
        in_quote=fill.size_in_quote,
    )


def _signed(value: Decimal, sign: int) -> Decimal:
    if sign == 0:
        return ZERO
    return value if sign > 0 else value.copy_abs().copy_negate()


def _turned(value: Decimal, sign: int) -> Decimal:
    return value.copy_negate() if sign < 0 and value else _signed(value, sign)


def _readings(fills: Sequence[Fill]) -> Iterable[tuple[_Part, ...]]:
    """Yield each consistent reading: all rows of one kind are read alike.

    A REVERSAL is booked with its own sign or subtracts; a CORRECTION is booked with its own
    sign, subtracts, or replaces the execution of the same trade id. Fees may go either way.
    """
    signs = (1, -1)
    for reversal in combinations(signs, signs):
        for correction in (*combinations(signs, signs), None):
            yield _read(fills, reversal, correction)


def _read(fills: Sequence[Fill], reversal: tuple[int, int], correction: tuple[int, int] | None) -> tuple[_Part, ...]:
    replaced = (
        {fill.venue_trade_id for fill in fills if fill.trade_type == "CORRECTION"}
        if correction is None
        else frozenset()
    )
    parts = []
    for fill in fills:
        if fill.trade_type == "REVERSAL":
            parts.append(_part(fill, *reversal))
        elif fill.trade_type == "CORRECTION":
            parts.append(_part(fill, *(correction or (1, 1))))
        elif fill.venue_trade_id in replaced:
            parts.append(_part(fill, 0, 0))
        else:
            parts.append(_part(fill, 1, 1))
    return tuple(parts)


def _sums_to(parts: Sequence[_Part], figures: Figures, *, value_too: bool = False) -> bool:
    if any(part.in_quote for part in parts):
        slack = total(_unit(part.value, figures.filled_value) for part in parts)
        summed = total(part.value for part in parts)
        return EXACT.abs(EXACT.subtract(summed, figures.filled_value)) <= slack
    if total(part.size for part in parts) != figures.filled_size:
        return False
    return not value_too or total(part.value for part in parts) == figures.filled_value


def _unit(value: Decimal, against: Decimal) -> Decimal:
    """Return one unit of the coarser last digit, kept small where a number prints short.

    12.50 is stored as 12.5: its last digit says less about how exactly it was printed, hence
    never more than a hundredth, nor than a hundredth of the fill.
    """
    coarser = max(last_digit(value), last_digit(against))
    return min(coarser, COARSEST_UNIT, product(value, CENTI).copy_abs())


def _counts(fills: Sequence[Fill]) -> tuple[int, int, int]:
    """Count rows, executions, and executions less reversals: it is not known which the venue means."""
    executions = sum(fill.trade_type not in ADJUSTMENTS for fill in fills)
    reversals = sum(fill.trade_type == "REVERSAL" for fill in fills)
    return len(fills), executions, executions - reversals


def _fill_key(fill: Fill) -> tuple[datetime, bytes]:
    return fill.sequence_timestamp, content(fill).encode()
