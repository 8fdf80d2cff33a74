"""Exact decimal arithmetic and its text on the wire; nothing here is ever a float."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation

ZERO = Decimal(0)
_EXACT = Context(prec=120)
_MOST_DIGITS = 40  # beyond it a number is nonsense, and a few of them could fill the memory


def times(*factors: Decimal) -> Decimal:
    """Return the exact product."""
    product = Decimal(1)
    for factor in factors:
        product = _EXACT.multiply(product, factor)
    return product


def plus(*terms: Decimal) -> Decimal:
    """Return the exact sum."""
    total = ZERO
    for term in terms:
        total = _EXACT.add(total, term)
    return total


def minus(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact difference."""
    return _EXACT.subtract(left, right)


def ratio(left: Decimal, right: Decimal, places: int) -> Decimal:
    """Return left / right cut to so many decimal places; 0 when right is 0."""
    if not right:
        return ZERO
    return _EXACT.divide(left, right).quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN, context=_EXACT)


def floor_to(value: Decimal, increment: Decimal) -> Decimal:
    """Return the largest multiple of the increment that is not above value."""
    return _EXACT.multiply(_EXACT.divide_int(value, increment), increment)


def ceil_to(value: Decimal, increment: Decimal) -> Decimal:
    """Return the smallest multiple of the increment that is not below value."""
    low = floor_to(value, increment)
    return low if low == value else _EXACT.add(low, increment)


def is_multiple(value: Decimal, increment: Decimal) -> bool:
    """Tell whether value stands on the increment's grid."""
    return not _EXACT.remainder(value, increment)


def parse(value: object) -> Decimal | None:
    """Read a decimal from the wire (string or bare number, see docs samples); None when it is not finite."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return None
    return number


def text(value: Decimal) -> str:
    """Write a decimal the way the exchange does: plain notation, no trailing zeros."""
    if not value:
        return "0"
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
