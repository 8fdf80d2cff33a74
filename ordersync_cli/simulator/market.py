"""The price of each book as a pure function of (seed, book, time since the exchange opened)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ordersync_cli.simulator.draws import digest
from ordersync_cli.simulator.money import ceil_to, floor_to, ratio, times
from ordersync_cli.simulator.products import Product
from ordersync_cli.simulator.times import MILLISECOND, SECOND

TICK = 250 * MILLISECOND
# Triangle waves (period in seconds, amplitude in millionths): whole numbers only, so that every machine agrees.
_WAVES = ((41, 350), (307, 1_800), (3_607, 5_500), (28_801, 9_000))
_STEEPEST = sum(4 * amplitude // seconds + 1 for seconds, amplitude in _WAVES)  # millionths a second, without noise
_NOISE = 120
_SPREAD = 40
# No price ever leaves reference * (1 +- this many millionths): limits beyond it rest for ever, without a search.
REACH = sum(amplitude for _, amplitude in _WAVES) + _NOISE + _SPREAD + 1_000


def _mixed(value: int) -> int:
    """Spread a tick number over 64 bits (splitmix64's finaliser): far cheaper than a digest."""
    value = (value + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 31)


def _triangle(at: int, period: int, amplitude: int, phase: int) -> int:
    """Return a triangle wave between -amplitude and +amplitude."""
    place = (at + phase) % period
    rising = place if place * 2 <= period else period - place
    return 4 * amplitude * rising // period - amplitude


@dataclass(frozen=True, slots=True)
class Quote:
    """The best prices at one moment."""

    bid: Decimal
    ask: Decimal


class Market:
    """Prices of every book of one exchange; `opened_at` is its first moment, in microseconds."""

    def __init__(self, seed: int, opened_at: int) -> None:
        self.seed = seed
        self.opened_at = opened_at
        self._phases: dict[str, tuple[int, list[int]]] = {}
        self._last: dict[str, tuple[int, Quote]] = {}  # one order asks for the same moment two or three times

    def _phase(self, book_id: str) -> tuple[int, list[int]]:
        found = self._phases.get(book_id)
        if found is None:
            raw = digest(self.seed, "phase", book_id)
            numbers = [int.from_bytes(raw[i * 6 : i * 6 + 6], "big") for i in range(5)]
            found = numbers[4], numbers[:4]
            self._phases[book_id] = found
        return found

    def millionths(self, book_id: str, at: int) -> int:
        """Return how far the middle price stands from the reference, in millionths of it."""
        salt, phases = self._phase(book_id)
        tick = (at - self.opened_at) // TICK
        at = tick * TICK
        total = sum(
            _triangle(at, seconds * SECOND, amplitude, phase)
            for (seconds, amplitude), phase in zip(_WAVES, phases, strict=True)
        )
        return total + _mixed(tick ^ salt) % (2 * _NOISE + 1) - _NOISE

    def quote(self, product: Product, at: int) -> Quote:
        """Return the best bid and ask, on the product's price grid and at least one tick apart."""
        tick, last = (at - self.opened_at) // TICK, self._last.get(product.product_id)
        if last is not None and last[0] == tick:
            return last[1]
        middle = self.millionths(product.book_id, at)
        low = times(product.reference_price, Decimal(1_000_000 + middle - _SPREAD), Decimal("0.000001"))
        high = times(product.reference_price, Decimal(1_000_000 + middle + _SPREAD), Decimal("0.000001"))
        bid = max(floor_to(low, product.price_increment), product.price_increment)
        quote = Quote(bid=bid, ask=max(ceil_to(high, product.price_increment), bid + product.price_increment))
        self._last[product.product_id] = tick, quote
        return quote

    def is_reachable(self, product: Product, price: Decimal) -> bool:
        """Tell whether the price can ever be met."""
        span = times(product.reference_price, Decimal(REACH), Decimal("0.000001")) + product.price_increment
        return abs(price - product.reference_price) <= span

    def first_crossing(self, product: Product, price: Decimal, *, falling: bool, start: int, stop: int) -> int | None:
        """Return the first tick in [start, stop) where the price is met, or None.

        `falling` waits for the ask to come down to the price, otherwise for the bid to rise to it.
        """
        at = self.opened_at + ((start - self.opened_at) // TICK) * TICK
        scale = Decimal(1_000_000)
        limit = int(floor_to(ratio(times(price, scale), product.reference_price, 6), Decimal(1))) - 1_000_000
        while at < stop:
            middle = self.millionths(product.book_id, at)  # whole numbers first: an exact quote costs ten times more
            missing = (middle - limit - 1 + _SPREAD) if falling else (limit - 1 + _SPREAD - middle)
            if missing <= 0:
                quote = self.quote(product, at)
                if (quote.ask <= price) if falling else (quote.bid >= price):
                    return max(at, start)
            # The path never moves faster than this, so the ticks in between cannot meet the price.
            at += max(TICK, (missing - 2 * _NOISE) * SECOND // _STEEPEST // TICK * TICK)
        return None
