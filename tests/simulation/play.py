"""Plays the story of a seed: the faults, the calm, and the end, at which all must be as the exchange has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ordersync_cli.errors import OrdersyncError
from ordersync_cli.services.freeze import freeze, unfreeze
from ordersync_cli.services.intent import Wanted
from ordersync_cli.services.watch.watch_state import WatchPlan
from tests.simulation.auditor import Broken
from tests.simulation.channel import Air
from tests.simulation.exchange import START
from tests.simulation.host import Program
from tests.simulation.story import LAST_SCRIPTED, SCRIPTS, Ordered, Story, Watched, tell
from tests.simulation.world import World, world

LONGEST_CALM = 420.0  # seconds in which everything must be settled once nothing goes wrong any more
EACH = 15.0
MOST_BOUNDARIES = 60


class Failed(AssertionError):
    """A seed broke an invariant; the message shows the end of its trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one world did."""

    seed: int
    digest: str
    steps: int
    seconds: float
    requests: int
    commits: int
    events: int
    trades: int


def play(seed: int) -> Played:
    """Play a seed; raises Failed with its number and the last steps of its trace."""
    story = tell(seed, START)
    with world(seed, story.behaviour) as made:
        try:
            Player(made, story).play()
        except AssertionError as problem:
            tail = "\n".join(made.trace)
            raise Failed(f"seed {seed}: {problem}\nlast steps:\n{tail}\nseed {seed}: {problem}") from problem
        return Played(
            seed=seed,
            digest=made.digest.hexdigest(),
            steps=made.kernel.steps,
            seconds=made.kernel.now,
            requests=len(made.network.log),
            commits=made.host.commits,
            events=sum(len(told.events) for told in made.auditor.told.values()),
            trades=len(made.auditor.told),
        )


class Player:
    """Has everything happen when the story says so."""

    def __init__(self, made: World, story: Story) -> None:
        self.world = made
        self.story = story
        self.kernel = made.kernel
        self.fuses = made._stream("fuses")

    def play(self) -> None:
        story, made = self.story, self.world
        made.host.clock.offset = story.skew
        weather = made.network.weather
        weather.before, weather.after, weather.looks = story.before, story.after, story.looks
        weather.posts = story.posts
        weather.outages = list(story.outages)
        made.channel.weather.air = Air(**story.air)
        made.sink.failing = story.failing_sink
        self._schedule()
        made.run(story.duration)
        self._calm()
        self._settle()

    # ------------------------------------------------------------------ the storm

    def _schedule(self) -> None:
        story, at = self.story, self.kernel.at
        for ordered in story.orders:
            if ordered.taken is not None:
                at(ordered.taken[0], lambda ordered=ordered: self._take(ordered))  # type: ignore[misc]
            at(ordered.at, lambda ordered=ordered: self._place(ordered))  # type: ignore[misc]
            if ordered.again_at is not None:
                at(ordered.again_at, lambda ordered=ordered: self._place(ordered, again=True))  # type: ignore[misc]
        for watched in story.watchers:
            at(watched.at, lambda watched=watched: self._watch(watched))  # type: ignore[misc]
        for when, seconds in story.jumps:
            at(when, lambda seconds=seconds: self.world.jump(seconds))  # type: ignore[misc]
        if story.freeze is not None:
            at(story.freeze[0], lambda: self._freeze(frozen=True))
            at(story.freeze[1], lambda: self._freeze(frozen=False))
        self._schedule_commands()

    def _schedule_commands(self) -> None:
        story, at = self.story, self.kernel.at
        for when in story.light_at:
            at(when, lambda: self._fused(self.world.start("light", lambda p: p.passes().light())))
        for when in story.deep_at:
            at(when, lambda: self._fused(self.world.start("deep", lambda p: p.passes().deep())))
        for when, number in story.syncs:
            at(when, lambda number=number: self._sync(number))  # type: ignore[misc]
        for when, number in story.cancels:
            at(when, lambda number=number: self._cancel(number))  # type: ignore[misc]
        for number, (when, script) in enumerate(story.others):
            at(when, lambda number=number, script=script: self._other(number, script))  # type: ignore[misc]

    def _fused(self, program: Program) -> None:
        if self.fuses.random() < self.story.fuse:
            self.world.fuses[program.process] = self.fuses.randint(1, MOST_BOUNDARIES)

    def _place(self, ordered: Ordered, *, again: bool = False) -> None:
        client_id = ordered.request.client_order_id
        if client_id is not None and not again and ordered.script is not None and ordered.taken is None:
            self.world.exchange.control.script(ordered.script, client_order_id=client_id)
        wanted = Wanted(request=ordered.request, wait=ordered.wait, id_was_given=client_id is not None)
        self._fused(self.world.start("place", lambda program: program.placing().place(wanted)))

    def _take(self, ordered: Ordered) -> None:
        """Let another program use this client order id first, for another order."""
        client_id = str(ordered.request.client_order_id)
        assert ordered.taken is not None
        self.world.auditor.foreign_ids.add(client_id)
        body = _elsewhere(client_id, "0.03")
        script = SCRIPTS.get(ordered.taken[1], [])
        self.world.exchange.control.place_elsewhere(body, script=script)
        self.world.exchange.moved()

    def _other(self, number: int, script: Any) -> None:
        body = _elsewhere(f"somebody-{number}", "0.01")
        self.world.exchange.control.place_elsewhere(body, script=script)
        self.world.exchange.moved()

    def _watch(self, watched: Watched) -> None:
        plan = WatchPlan(feed_wanted=watched.feed, light_every=watched.light_every, deep_every=watched.deep_every)
        program = self.world.watch("watch", plan)
        self._fused(program)
        if watched.frozen is not None:
            begin, length = watched.frozen

            def freeze_it() -> None:
                program.process.frozen_until = self.kernel.now + length
                self.kernel.say("frozen", program.process.name, round(length, 3))

            self.kernel.at(begin, freeze_it)
        if watched.until is not None:
            self.kernel.at(watched.until, lambda: self.world.stop(program))

    def _named(self, number: int) -> str:
        return self.story.orders[number].request.client_order_id or str(number + 1)

    def _sync(self, number: int) -> None:
        name = self._named(number)
        self._fused(self.world.start("sync", lambda program: program.syncing().sync(name)))

    def _cancel(self, number: int) -> None:
        name = self._named(number)
        self._fused(self.world.start("cancel", lambda program: program.cancelling().cancel([name])))

    def _freeze(self, *, frozen: bool) -> None:
        def work(program: Program) -> None:
            with program.store.write() as transaction:
                if frozen:
                    freeze(transaction, "the story says so", program.clock.now())
                else:
                    unfreeze(transaction)

        self.world.start("freeze", work)

    # ------------------------------------------------------------------ the calm

    def _calm(self) -> None:
        made, story = self.world, self.story
        self.kernel.say("calm")
        made.heal()
        if story.seed % 3:
            made.channel.heal()
        resting = [
            o["order_id"] for o in made.exchange.truth()["orders"] if o["status"] in ("OPEN", "PENDING", "QUEUED")
        ]
        if resting:
            made.exchange.control.cancel_elsewhere(resting)
        made.exchange.moved()
        if story.recovery == "watch":
            for program in made.programs.values():  # whose intervals may be "not from here"
                made.stop(program)
            made.run(2.0)
            made.watch("recovery", WatchPlan(light_every=30.0, deep_every=60.0))
        made.run(LAST_SCRIPTED)

    def _settle(self) -> None:
        made, began = self.world, self.kernel.now
        left = ["not looked yet"]
        while left:
            if self.kernel.now - began > LONGEST_CALM:
                raise Broken(f"{len(left)} not settled after {LONGEST_CALM:.0f} s of calm: {'; '.join(left[:4])}")
            self._round()
            left = made.auditor.unsettled()
        self._last_deep()
        left = made.auditor.unsettled()
        if left:
            raise Broken(f"not as the exchange has it: {'; '.join(left[:4])}")
        made.auditor.history()
        self._deliver()
        made.judge_exits()

    def _round(self) -> None:
        made, how = self.world, self.story.recovery
        made.run(EACH)
        if how == "sync":
            made.start("sync-all", self._sync_all)
            made.run(EACH)
        elif how == "cron":
            self._until_ended(made.start("light", lambda program: program.passes().light()))
            if self.kernel.now - self.story.duration > 60.0:
                self._until_ended(made.start("deep", lambda program: program.passes().deep()))

    def _sync_all(self, program: Program) -> None:
        """Sync by hand what is pending, and look at everything once in a while as cron would."""
        with program.store.read() as transaction:
            pending = transaction.trades.pending_ids()
        for trade_id in pending:
            try:
                program.syncing().sync(str(trade_id))
            except OrdersyncError:
                continue
        if self.kernel.now - self.story.duration > 60.0:
            program.passes().deep()

    def _last_deep(self) -> None:
        self._until_ended(self.world.start("last-deep", lambda program: program.passes().deep()))

    def _deliver(self) -> None:
        made = self.world
        for _ in range(40):
            self._until_ended(made.start("deliver", lambda program: program.deliverer().run_once(wait=6.0)))
            if not made.auditor.rows("SELECT 1 FROM outbox WHERE delivered_at IS NULL"):
                break
            made.run(30.0)
        made.auditor.deliveries(made.sink.taken, finished=True)

    def _until_ended(self, program: Program) -> None:
        ends = self.kernel.now + 300.0
        while not program.process.ended and self.kernel.now < ends:
            self.world.run(1.0, lambda: program.process.ended)
        if not program.process.ended:
            raise Broken(f"{program.process.name} did not end within 300 s")


def _elsewhere(client_id: str, size: str) -> dict[str, Any]:
    terms = {"base_size": size, "limit_price": "50000.00", "post_only": False}
    return {
        "client_order_id": client_id,
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": terms},
    }
