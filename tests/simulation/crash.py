"""Kills one process right before or after one of its commits or requests; the next ones make it good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, TimeInForce
from ordersync_cli.services.intent import Wanted
from ordersync_cli.services.watch.watch_state import WatchPlan
from tests.simulation.auditor import Broken
from tests.simulation.host import Program
from tests.simulation.kernel import Killed
from tests.simulation.story import AT, SIZE, end, fill
from tests.simulation.world import World, world

SEED = 77
PASS_EVERY = 30.0
MOST_PASSES = 10
FILLED = [fill("0.1", "1"), end("0.15", "FILLED")]
PARTIAL = [fill("0.2", "0.3"), fill("0.8", "0.4"), end("1.2", "CANCELLED")]
NOTHING = [end("0.3", "CANCELLED")]
RESTING: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One order that is placed before the victim runs, or by it."""

    client_id: str
    script: Sequence[dict[str, Any]]
    wait: float = 0.0
    fate: str | None = None  # of the POST


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happened before, and what the victim does, for how long (seconds)."""

    name: str
    victim: Callable[[Program], Any]
    before: Sequence[Placed] = field(default_factory=list)
    fate: str | None = None  # of the victim's own POST
    script: Sequence[dict[str, Any]] | None = None
    seconds: float = 12.0
    elsewhere: int = 0  # orders of another program in the books


def request(client_id: str) -> OrderRequest:
    return OrderRequest(
        product_id="BTC-USD",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        client_order_id=client_id,
        base_size=SIZE,
        limit_price=Decimal("55000.00"),
        bot_id=1,
    )


def place(placed: Placed) -> Callable[[Program], Any]:
    wanted = Wanted(request=request(placed.client_id), wait=placed.wait, id_was_given=False)
    return lambda program: program.placing().place(wanted)


def _watch(program: Program) -> Any:
    return program.watch(WatchPlan(light_every=4.0, deep_every=7.0))


OURS = "ours"
LOST = Placed(client_id="lost", script=FILLED, fate="lost_after")
BEFORE = (LOST, Placed(client_id="partial", script=PARTIAL), Placed(client_id="nothing", script=NOTHING))
SCENARIOS = (
    Scenario(
        name="place, filled while it waits",
        victim=place(Placed(client_id=OURS, script=FILLED, wait=5.0)),
        script=FILLED,
    ),
    Scenario(
        name="place, the answer lost",
        victim=place(Placed(client_id=OURS, script=PARTIAL, wait=2.0)),
        script=PARTIAL,
        fate="lost_after",
    ),
    Scenario(
        name="place, the request lost",
        victim=place(Placed(client_id=OURS, script=FILLED, wait=2.0)),
        script=FILLED,
        fate="lost",
    ),
    Scenario(
        name="place, nothing filled",
        victim=place(Placed(client_id=OURS, script=NOTHING, wait=5.0)),
        script=NOTHING,
    ),
    Scenario(name="light pass", victim=lambda program: program.passes().light(), before=BEFORE, seconds=30.0),
    Scenario(
        name="deep pass over several slices",
        victim=lambda program: program.passes().deep(),
        before=BEFORE,
        seconds=60.0,
        elsewhere=3,
    ),
    Scenario(name="watch", victim=_watch, before=BEFORE, seconds=9.0, elsewhere=1),
    Scenario(
        name="cancel",
        victim=lambda program: program.cancelling().cancel(["resting"]),
        before=(Placed(client_id="resting", script=RESTING),),
    ),
    Scenario(
        name="delivery",
        victim=lambda program: program.deliverer().run_once(wait=6.0),
        before=BEFORE,
    ),
)


@dataclass(slots=True)
class Boundaries:
    """Counts the boundaries of the victim, and kills it at one."""

    at: int | None
    seen: list[str] = field(default_factory=list)
    victim: Program | None = None

    def __call__(self, program: Program, where: str) -> None:
        if program is not self.victim:
            return
        self.seen.append(where)
        if len(self.seen) == self.at:
            program.process.kill()
            raise Killed(where)


def run(scenario: Scenario, at: int | None = None) -> list[str]:
    """Run a scenario, killing the victim at a boundary; returns its boundaries. Raises Broken."""
    with world(SEED) as made:
        for placed in scenario.before:
            _place_before(made, placed)
        for number in range(scenario.elsewhere):
            _somebody(made, number)
        if scenario.script is not None:
            made.exchange.control.script(scenario.script, client_order_id=OURS)
        if scenario.fate is not None:
            made.network.forced["POST orders"] = scenario.fate
        boundaries = Boundaries(at)
        made.boundary = boundaries
        boundaries.victim = made.start("victim", scenario.victim)
        made.run(scenario.seconds)
        if boundaries.victim.process.alive:
            made.stop(boundaries.victim)
            made.run(3.0)
        made.network.forced.clear()
        try:
            recover(made)
        except AssertionError as problem:
            where = "nowhere" if at is None else f"boundary {at} ({boundaries.seen[-1]})"
            tail = "\n".join(made.trace)
            raise Broken(f"{tail}\n{scenario.name}, killed at {where}: {problem}") from problem
        return boundaries.seen


def _place_before(made: World, placed: Placed) -> None:
    made.exchange.control.script(placed.script, client_order_id=placed.client_id)
    if placed.fate is not None:
        made.network.forced["POST orders"] = placed.fate
    made.start("before", place(placed))
    made.run(6.0)
    made.network.forced.clear()


def _somebody(made: World, number: int) -> None:
    body = {
        "client_order_id": f"somebody-{number}",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.01", "limit_price": str(AT), "post_only": False}},
    }
    made.exchange.control.place_elsewhere(body, script=FILLED)
    made.exchange.moved()


def recover(made: World) -> None:
    """Let cron's passes go on as they would, and demand the exchange's truth."""
    for _ in range(MOST_PASSES):
        _pass(made, "light")
        if not made.auditor.unsettled():
            break
        made.run(PASS_EVERY)
    _pass(made, "deep")
    left = made.auditor.unsettled()
    if left:
        raise Broken("; ".join(left))
    made.auditor.history()
    for _ in range(4):
        made.start("deliver", lambda program: program.deliverer().run_once(wait=6.0))
        made.run(10.0)
    made.auditor.deliveries(made.sink.taken, finished=True)
    made.judge_exits()


def _pass(made: World, mode: str) -> None:
    program = made.start(mode, lambda p: p.passes().light() if mode == "light" else p.passes().deep())
    made.run(120.0, lambda: program.process.ended)
