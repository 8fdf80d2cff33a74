"""What one seed makes happen: which orders, which fates, which processes, which weather."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, StopDirection, TimeInForce

PRICE = Decimal("68923.67")  # of BTC-USD when the exchange opens
SIZE = Decimal("0.01")
AT = Decimal(60000)  # what scripted fills cost
FEE = Decimal("7.20")
PRODUCTS = ("BTC-USD", "BTC-USDC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """One order to place."""

    at: float
    request: OrderRequest
    wait: float
    script: Sequence[dict[str, Any]] | None = None
    taken: tuple[float, str] | None = None  # when another program used this client order id first, and its fate
    again_at: float | None = None  # the same command once more


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One watcher."""

    at: float
    light_every: float
    deep_every: float
    feed: bool
    frozen: tuple[float, float] | None = None
    until: float | None = None  # stopped by Ctrl-C


@dataclass(slots=True, kw_only=True)
class Story:
    """All of it, and how it is brought to its end."""

    seed: int
    duration: float
    orders: list[Ordered] = field(default_factory=list)
    watchers: list[Watched] = field(default_factory=list)
    light_at: list[float] = field(default_factory=list)
    deep_at: list[float] = field(default_factory=list)
    syncs: list[tuple[float, int]] = field(default_factory=list)
    cancels: list[tuple[float, int]] = field(default_factory=list)
    others: list[tuple[float, Sequence[dict[str, Any]]]] = field(default_factory=list)
    freeze: tuple[float, float] | None = None
    jumps: list[tuple[float, float]] = field(default_factory=list)
    skew: float = 0.0
    before: float = 0.0
    after: float = 0.0
    looks: float = 0.0
    posts: float = 0.0
    outages: list[tuple[float, float, str]] = field(default_factory=list)
    air: dict[str, float] = field(default_factory=dict)
    failing_sink: float = 0.0
    fuse: float = 0.0  # how likely a process is to be killed at one of its boundaries
    recovery: str = "cron"
    behaviour: dict[str, Any] = field(default_factory=dict)


def fill(after: str, fraction: str, **more: Any) -> dict[str, Any]:
    return {"after_seconds": after, "filled_fraction": fraction, "price": str(AT), **more}


def end(after: str, word: str, **more: Any) -> dict[str, Any]:
    return {"after_seconds": after, "status": word, **more}


def reversal(after: str) -> dict[str, Any]:
    half = SIZE / 2
    figures = {
        "filled_size": str(half),
        "filled_value": str(half * AT),
        "total_fees": str(FEE / 2),
        "number_of_fills": 2,
    }
    row = {"type": "REVERSAL", "size": str(half), "price": str(AT), "commission": str(FEE / 2)}
    return {"after_seconds": after, "adjust": row, "figures": figures}


SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "filled at once": [fill("0.1", "1"), end("0.12", "FILLED", repeat=2)],
    "partial, cancelled": [fill("0.2", "0.4"), end("0.6", "CANCELLED")],
    "cancelled, nothing": [end("0.3", "CANCELLED", cancel_message="gone")],
    "expired, nothing": [end("1.0", "EXPIRED")],
    "failed, nothing": [end("0.5", "FAILED", reject_reason="UNKNOWN", reject_message="no")],
    "failed, filled": [fill("0.3", "0.25"), end("0.5", "FAILED")],
    "expired, filled": [fill("0.3", "0.25"), fill("2.5", "0.5"), end("6", "EXPIRED")],
    "late fill": [fill("0.2", "0.3"), end("0.4", "CANCELLED"), fill("3.4", "0.5")],
    "late first fill": [end("0.4", "CANCELLED"), fill("1.5", "0.2")],
    "very late first fill": [end("0.4", "CANCELLED"), fill("12", "0.2")],
    "fills listed late": [fill("0.2", "1", visible_after="15"), end("0.3", "FILLED")],
    "reversed": [fill("0.2", "1", fee=str(FEE)), end("0.3", "FILLED"), reversal("5")],
    "invented word": [end("0.2", "HALF_ASLEEP"), fill("2", "1"), end("2.1", "FILLED")],
    "silent": [fill("0.5", "1", frame=False), end("0.6", "FILLED", frame=False)],
    "slow": [fill("1", "0.1"), fill("5", "0.2"), fill("9", "0.7"), fill("20", "1"), end("20.1", "FILLED")],
    "fee corrected": [fill("0.2", "1"), end("0.3", "FILLED"), {"after_seconds": "8", "figures": {"total_fees": "3"}}],
    "edited": [
        {"after_seconds": "1", "edit": {"price": "61000", "size": "0.02"}},
        fill("4", "1"),
        end("4.2", "FILLED"),
    ],
    "cancel queued, filled": [end("0.5", "CANCEL_QUEUED"), fill("1.5", "1"), end("1.6", "FILLED")],
    "unknown word": [end("0.2", "UNKNOWN_ORDER_STATUS"), end("4", "CANCELLED")],
    "queued": [end("0.0", "QUEUED"), end("3", "OPEN"), fill("6", "0.9"), end("8", "CANCELLED")],
}
# What becomes of an order later than this is not in the scripts.
LAST_SCRIPTED = 25.0


def tell(seed: int, start: datetime) -> Story:
    """Draw the story of a seed."""
    draws = random.Random(seed * 7_919 + 13)
    story = Story(seed=seed, duration=draws.uniform(25.0, 60.0))
    grade = draws.choice((0.0, 0.02, 0.08, 0.2))
    story.before, story.after, story.looks = grade / 2, grade / 2, draws.choice((0.0, 0.05, 0.25))
    story.posts = draws.choice((0.0, 0.2, 0.6))
    story.skew = draws.uniform(-40.0, 40.0) if draws.random() < 0.4 else 0.0
    story.fuse = draws.choice((0.0, 0.3, 0.6))
    story.failing_sink = draws.choice((0.0, 0.2, 0.5))
    story.recovery = draws.choice(("cron", "cron", "watch", "sync"))
    story.behaviour = {
        "refuse_duplicates": draws.random() < 0.3,
        "usdc_frames_as_usd": draws.random() < 0.5,
        "null_configuration": draws.random() < 0.2,
        "heartbeat_text": draws.random() < 0.3,
    }
    _weather(story, draws)
    for number in range(draws.randint(2, 6)):
        story.orders.append(_order(story, draws, number, start))
    _processes(story, draws)
    return story


def _weather(story: Story, draws: random.Random) -> None:
    length = story.duration
    for _ in range(draws.choice((0, 0, 1, 1, 2))):
        begin = draws.uniform(0.0, length)
        kinds = ("refused", "blackhole", "lost", "s503_before", "html_before", "s429", "reset_before")
        story.outages.append((begin, begin + draws.uniform(0.5, 20.0), draws.choice(kinds)))
    for _ in range(draws.choice((0, 0, 0, 1, 2))):
        jump = draws.choice((-3600.0, -30.0, -3.0, 3.0, 30.0, 3600.0))
        story.jumps.append((draws.uniform(0.0, length), jump))
    rough = draws.choice((0.0, 0.05, 0.15))
    names = ("drop", "double", "swap", "delay", "spoil")
    story.air = {name: draws.uniform(0.0, rough) for name in names}
    story.air |= {"close": rough / 8, "mute": draws.choice((0.0, rough / 6)), "refuse": rough * 2}


def _processes(story: Story, draws: random.Random) -> None:
    length = story.duration
    for _ in range(draws.choice((0, 1, 1, 2))):
        at = draws.uniform(0.0, length / 2)
        frozen = (draws.uniform(at, length), draws.uniform(2.0, 14.0)) if draws.random() < 0.3 else None
        until = draws.uniform(at + 5, length) if draws.random() < 0.25 else None
        deep = draws.choice((0.0, 20.0, 300.0))
        story.watchers.append(
            Watched(at=at, light_every=draws.choice((0.0, 15.0, 30.0)), deep_every=deep, feed=draws.random() < 0.85,
                    frozen=frozen, until=until)
        )  # fmt: skip
    if draws.random() < 0.5 or not story.watchers:
        every, at = draws.choice((10.0, 20.0, 30.0)), draws.uniform(0.0, 10.0)
        while at < length:
            story.light_at.append(at)
            at += every
    story.deep_at = [draws.uniform(0.0, length) for _ in range(draws.choice((0, 0, 1, 2)))]
    count = len(story.orders)
    story.syncs = [(draws.uniform(1.0, length), draws.randrange(count)) for _ in range(draws.choice((0, 0, 1, 2)))]
    story.cancels = [(draws.uniform(1.0, length), draws.randrange(count)) for _ in range(draws.choice((0, 0, 1, 2)))]
    story.others = [
        (draws.uniform(0.0, length), draws.choice(list(SCRIPTS.values()))) for _ in range(draws.choice((0, 0, 1, 3)))
    ]
    if draws.random() < 0.1:
        begin = draws.uniform(0.0, length)
        story.freeze = (begin, begin + draws.uniform(1.0, 20.0))


def _order(story: Story, draws: random.Random, number: int, start: datetime) -> Ordered:
    at = draws.uniform(0.0, story.duration * 0.7)
    named = f"sim-{story.seed}-{number}" if draws.random() < 0.75 else None
    scripted = named is not None and draws.random() < 0.75
    script = SCRIPTS[draws.choice(list(SCRIPTS))] if scripted else None
    again = at + draws.uniform(0.5, 45.0) if named is not None and draws.random() < 0.3 else None
    return Ordered(
        at=at,
        request=_request(draws, named, start + timedelta(seconds=at), scripted=scripted),
        wait=draws.choice((0.0, 0.0, 1.0, 5.0)),
        script=script,
        taken=_taken(draws, at) if named is not None and draws.random() < 0.08 else None,
        again_at=again,
    )


def _taken(draws: random.Random, at: float) -> tuple[float, str]:
    return max(0.0, at - draws.choice((0.1, 5.0, 20.0))), draws.choice(("", "filled at once", "partial, cancelled"))


def _request(draws: random.Random, named: str | None, at: datetime, *, scripted: bool) -> OrderRequest:
    side = draws.choice((Side.BUY, Side.SELL))
    how: dict[str, Any] = {
        "product_id": draws.choice(PRODUCTS),
        "side": side,
        "client_order_id": named,
        "bot_id": draws.choice((None, 1, 2)),
    }
    sign = 1 if side is Side.SELL else -1
    if scripted:
        resting = PRICE * (1 + sign * Decimal("0.2"))
        return OrderRequest(
            order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, base_size=SIZE, limit_price=_tick(resting), **how
        )
    kind = draws.choice(("quote", "base", "near", "far", "ioc", "fok", "gtd", "stop"))
    if kind == "quote":
        return OrderRequest(order_type=OrderType.MARKET, quote_size=Decimal("25.00"), **how)
    if kind == "base":
        return OrderRequest(order_type=OrderType.MARKET, base_size=SIZE, **how)
    away = Decimal("0.3") if kind in ("far", "gtd") else Decimal(str(round(draws.uniform(-0.01, 0.004), 4)))
    price = _tick(PRICE * (1 + sign * away))
    more: dict[str, Any] = {"order_type": OrderType.LIMIT, "base_size": SIZE, "limit_price": price}
    if kind == "stop":
        up = side is Side.BUY
        stop = _tick(PRICE * (Decimal("1.05") if up else Decimal("0.95")))
        direction = StopDirection.UP if up else StopDirection.DOWN
        more |= {
            "order_type": OrderType.STOP_LIMIT,
            "limit_price": stop,
            "stop_price": stop,
            "stop_direction": direction,
        }
    force = {"ioc": TimeInForce.IOC, "fok": TimeInForce.FOK, "gtd": TimeInForce.GTD}.get(kind, TimeInForce.GTC)
    if kind == "gtd":
        more["end_time"] = at.replace(microsecond=0) + timedelta(seconds=draws.randint(10, 40))
    return OrderRequest(time_in_force=force, **more, **how)


def _tick(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.01"))
