"""Exact decimals: one canonical text for a value, sums and products that refuse to round."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import (
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

ZERO = Decimal(0)
MAX_PLACES = 60  # digits before, and digits after, the point: far beyond what any venue prints

# Two factors of 120 digits and their sums fit; should anything ever not fit, Inexact raises.
EXACT = Context(
    prec=400,
    Emin=-9999,
    Emax=9999,
    traps=[Inexact, InvalidOperation, DivisionByZero, Overflow],
)


def parse(text: str) -> Decimal:
    """Read a decimal from text; ValueError for NaN, infinity, exponent bombs and non-numbers."""
    cleaned = text.strip()
    if not cleaned.isascii() or "_" in cleaned:
        raise ValueError(f"not a decimal number: {text[:40]!r}")
    try:
        value = Decimal(cleaned)
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {text[:40]!r}") from None
    return canonical(value)


def canonical(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros, exponent or minus zero.

    ValueError unless it is finite and has at most 60 digits on either side of the point.
    """
    if not value.is_finite():
        raise ValueError("not a finite number")
    if not value:
        return ZERO
    if value.adjusted() >= MAX_PLACES:
        raise ValueError("number out of range")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # finite
    if exponent == 0 or (-MAX_PLACES <= exponent < 0 and digits[-1]):
        return value  # it is canonical already, as nearly every number of a venue is
    if exponent < -2 * MAX_PLACES:
        raise ValueError("number has too many decimal places")
    stripped = EXACT.normalize(value)
    if _exponent(stripped) < -MAX_PLACES:
        raise ValueError("number has too many decimal places")
    return stripped if _exponent(stripped) <= 0 else EXACT.quantize(stripped, Decimal(1))


def plain(value: Decimal) -> str:
    """Write a decimal canonically: no exponent, no trailing zeros, so equal numbers equal texts."""
    if value.is_finite() and abs(value.adjusted()) < MAX_PLACES:
        text = format(value, "f")
        if len(text) <= MAX_PLACES:  # as `canonical` would have it, in a tenth of the time
            short = text.rstrip("0").rstrip(".") if "." in text else text
            return "0" if short == "-0" else short
    return format(canonical(value), "f")


def total(values: Iterable[Decimal]) -> Decimal:
    """Add exactly."""
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


def product(left: Decimal, right: Decimal) -> Decimal:
    """Multiply exactly."""
    return EXACT.multiply(left, right)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Tell whether a value lies on the grid of a positive step."""
    return not EXACT.remainder(value, step)


def nearest_down(value: Decimal, step: Decimal) -> Decimal:
    """Round towards zero to the grid of a positive step; this is for messages, never for money."""
    return canonical(EXACT.subtract(value, EXACT.remainder(value, step)))


def last_digit(value: Decimal) -> Decimal:
    """Return one unit of the last digit of a number in canonical form (of 1.25: 0.01)."""
    return Decimal((0, (1,), min(0, _exponent(canonical(value)))))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # finite, checked by the caller
    return exponent
