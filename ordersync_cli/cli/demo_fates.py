"""The seven fates an order meets in the demo: what is asked for, and what the exchange then does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Steps = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One order of the demo.

    ``steps``, ``refusal`` and ``fault`` are what the simulated exchange is told to do with it;
    ``exit_code`` is what `place` must answer, None where it is killed.
    """

    name: str
    story: str
    words: tuple[str, ...]
    steps: Steps = ()
    refusal: dict[str, str] | None = None
    fault: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = 0
    watched: bool = True
    cut_feed_after: float | None = None
    is_killed: bool = False

    @property
    def client_order_id(self) -> str:
        """The id under which store and exchange are compared."""
        return f"demo-{self.name.replace(' ', '-')}"


def _filled(*moments: float, last: str = "FILLED") -> Steps:
    """Fill in equal parts at these moments (seconds), the last one ending the order."""
    parts = [
        {"after_seconds": str(at), "status": "OPEN", "filled_fraction": str((n + 1) / len(moments))}
        for n, at in enumerate(moments)
    ]
    return ({"after_seconds": "0.02", "status": "OPEN"}, *parts[:-1], {**parts[-1], "status": last})


FATES: tuple[Fate, ...] = (
    Fate(
        name="instant fill",
        story="a market order that fills at once",
        words=("buy", "BTC-USD", "--quote-size", "25"),
        steps=_filled(0.08),
    ),
    Fate(
        name="slow partial fills",
        story="a limit order fills in four parts, while the feed is cut",
        words=("buy", "BTC-USD", "--base-size", "0.004", "--limit", "60000", "--no-wait"),
        steps=_filled(1.5, 3.0, 4.5, 6.0),
        cut_feed_after=2.0,
    ),
    Fate(
        name="cancelled midway",
        story="cancelled after a partial fill: two fifths stay bought",
        words=("buy", "ETH-USD", "--base-size", "0.5", "--limit", "2000", "--no-wait"),
        steps=(
            {"after_seconds": "0.02", "status": "OPEN"},
            {"after_seconds": "0.6", "status": "OPEN", "filled_fraction": "0.4"},
            {"after_seconds": "1.4", "status": "CANCELLED", "cancel_message": "User requested cancel"},
        ),
    ),
    Fate(
        name="expired unfilled",
        story="expired without a fill; looked at twice before it is called failed",
        words=(
            "buy",
            "ETH-USD",
            "--base-size",
            "0.1",
            "--limit",
            "1500",
            "--tif",
            "gtd",
            "--end-time",
            "1h",
            "--no-wait",
        ),
        steps=({"after_seconds": "0.02", "status": "OPEN"}, {"after_seconds": "1.0", "status": "EXPIRED"}),
    ),
    Fate(
        name="refused",
        story="the exchange refuses it: too little money",
        words=("buy", "BTC-USD", "--quote-size", "50"),
        refusal={
            "error": "INSUFFICIENT_FUND",
            "message": "Insufficient balance in source account",
            "error_details": "",
            "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND",
        },
        exit_code=5,
    ),
    Fate(
        name="answer lost",
        story="accepted, but the connection breaks before the answer: unknown",
        words=("buy", "BTC-USD", "--quote-size", "30"),
        steps=_filled(0.2),
        fault={"method": "POST", "path": "/api/v3/brokerage/orders", "kind": "cut_after", "count": 1},
        exit_code=8,
        watched=False,
    ),
    Fate(
        name="place killed",
        story="`place` dies by kill -9 before it writes the answer down",
        words=("sell", "ETH-USD", "--base-size", "0.2"),
        steps=_filled(0.2, 0.4),
        exit_code=None,
        watched=False,
        is_killed=True,
    ),
)
