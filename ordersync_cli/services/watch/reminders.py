"""What has to be asked again after a pause: fills that are not verified yet, and ids that said 404."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

FILLS_AFTER = 0.1  # seconds after an end, so that several orders share one request
FILLS_AGAIN = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # List Fills lags Get Order (trap T03)
MISSING_AGAIN = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)  # seconds before an id that said 404 is asked for again (trap T15)
TOGETHER_EVERY = 4.0  # seconds between two requests for fills, where the looks at many orders need the budget
REMEMBERED = 5_000  # orders of which a 404 is remembered


@dataclass(slots=True)
class _Wish:
    due: float
    tries: int = 0

    def put_off(self, mono: float, pauses: Sequence[float]) -> None:
        self.due = mono + pauses[min(self.tries, len(pauses) - 1)]
        self.tries += 1


@dataclass(slots=True)
class Reminders:
    """When each of them is due (monotonic seconds)."""

    _fills: dict[str, _Wish] = field(default_factory=dict, init=False)
    _missing: dict[str, _Wish] = field(default_factory=dict, init=False)
    _fills_last: float = field(default=float("-inf"), init=False)

    def want_fills(self, order_id: str, mono: float) -> None:
        """Have the fills of an ended order fetched, soon and until they are verified."""
        self._fills.setdefault(order_id, _Wish(mono + FILLS_AFTER))

    def fills_settled(self, order_id: str) -> None:
        """Note that the fills of this order are verified."""
        self._fills.pop(order_id, None)

    def fills_asked(self, order_ids: Iterable[str], mono: float) -> None:
        """Note that these are being fetched; again later, unless that verifies them."""
        self._fills_last = mono
        for order_id in order_ids:
            wish = self._fills.get(order_id)
            if wish is not None:
                wish.put_off(mono, FILLS_AGAIN)

    def fills_due(self, mono: float, *, together: bool = False) -> list[str]:
        """List the orders whose fills are due; ``together``: those of some seconds share one request."""
        if together and mono < self._fills_last + TOGETHER_EVERY:
            return []
        return [order_id for order_id, wish in self._fills.items() if mono >= wish.due]

    def next_fills(self, *, together: bool = False) -> float | None:
        """Tell when the next fills are due."""
        due = min((wish.due for wish in self._fills.values()), default=None)
        return max(due, self._fills_last + TOGETHER_EVERY) if due is not None and together else due

    def missing(self, order_id: str, mono: float) -> None:
        """Note that the venue said 404 for this id: it may just not show it yet."""
        if len(self._missing) > REMEMBERED:
            self._missing.clear()
        self._missing.setdefault(order_id, _Wish(mono)).put_off(mono, MISSING_AGAIN)

    def found(self, order_id: str) -> None:
        """Note that the venue showed this order."""
        self._missing.pop(order_id, None)

    def may_from(self, order_id: str) -> float:
        """Tell from when this order may be asked for."""
        wish = self._missing.get(order_id)
        return float("-inf") if wish is None else wish.due

    def __len__(self) -> int:
        return len(self._fills) + len(self._missing)
