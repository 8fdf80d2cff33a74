"""How far the feed can be trusted: what it says of itself, what the loop sees, what the audit found."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from ordersync_cli.services.ports.messages import FeedChanged, FeedState

SILENCE = 2.5  # seconds without a heartbeat or frame: stale
STUCK = 3.0  # seconds stale for misses without a frame: connect anew
STUCK_LATER = 15.0  # the same once that did not help for two minutes
STUCK_LONG = 120.0
FLAPS = 3  # connections lost ...
FLAP_WINDOW = 60.0  # ... within this many seconds ...
FLAP_LIFE = 20.0  # ... each after a life shorter than this: somebody else takes the channel
ANOTHER_USER = "another program seems to use the user channel"  # `doctor` looks for these words


@dataclass(slots=True)
class FeedHealth:
    """The effective state of the feed; it is live only while nothing speaks against it.

    ``since``: when it became live, or else when it was last live (or this watcher began).
    """

    state: FeedState
    since: datetime
    reason: str = ""
    fatal: bool = False
    last_heartbeat_at: datetime | None = field(default=None, init=False)
    last_frame_at: datetime | None = field(default=None, init=False)
    live_since: datetime | None = field(default=None, init=False)
    connects: int = field(default=0, init=False)
    _claimed: FeedState = field(default=FeedState.CONNECTING, init=False)
    _claimed_reason: str = field(default="", init=False)
    _heard_mono: float = field(default=float("-inf"), init=False)
    _live_mono: float = field(default=float("-inf"), init=False)
    _missed: str = field(default="", init=False)
    _missed_mono: float = field(default=0.0, init=False)
    _stuck_since: float = field(default=0.0, init=False)
    _tried_mono: float = field(default=0.0, init=False)
    _asked_to: bool = field(default=False, init=False)
    _early_mono: float | None = field(default=None, init=False)
    _tried_early: bool = field(default=False, init=False)
    _short_lives: deque[float] = field(default_factory=lambda: deque(maxlen=FLAPS), init=False)

    def __post_init__(self) -> None:
        self._claimed_reason = self.reason

    @property
    def live(self) -> bool:
        """Tell whether frames can be relied on."""
        return self.state is FeedState.LIVE

    def flaps(self, mono: float) -> bool:
        """Tell whether the connection was lost again and again lately, soon after it stood."""
        return len(self._short_lives) == FLAPS and mono - self._short_lives[0] < FLAP_WINDOW

    def heard(self, said: FeedChanged, mono: float) -> None:
        """Take the feed's own word."""
        was_live = self._claimed in {FeedState.LIVE, FeedState.STALE}
        if said.state is FeedState.LIVE and self._claimed is not FeedState.LIVE:
            self._heard_mono = mono
            self._tried_early = False
            if not was_live:
                self.connects += 1
                self._live_mono = mono
                self.live_since = said.at
        if said.state in {FeedState.DOWN, FeedState.CONNECTING}:
            if was_live and not self._asked_to and mono - self._live_mono < FLAP_LIFE:
                self._short_lives.append(mono)
            elif not was_live and said.state is FeedState.DOWN:
                self._short_lives.clear()  # not let in at all: that is the venue, not another program
            self._asked_to = False
            self.live_since = None
        self._claimed, self._claimed_reason = said.state, said.reason
        self.fatal = said.fatal
        self._early_mono = None

    def key_is_good(self, mono: float, pause: float) -> None:
        """Note that REST takes the key that the feed was refused with: worth one try before its long wait is over."""
        if self.fatal and not self._tried_early:
            self._tried_early = True
            self._early_mono = mono + pause

    def claim_polling(self, reason: str) -> None:
        """Say that no feed is wanted here: REST alone."""
        self._claimed, self._claimed_reason = FeedState.POLLING, reason

    def heartbeat(self, at: datetime, mono: float) -> None:
        """Note a heartbeat."""
        self.last_heartbeat_at = at
        self._heard_mono = max(self._heard_mono, mono)

    def frame(self, at: datetime, mono: float) -> None:
        """Note a message of the user channel: it speaks, so earlier misses are over."""
        self.last_frame_at = at
        self._heard_mono = max(self._heard_mono, mono)
        if self._missed and mono >= self._missed_mono:
            self._missed = ""

    def missed(self, what: str, mono: float) -> None:
        """Note that REST knew something that the stream never said."""
        if not self._missed:
            self._missed_mono = self._stuck_since = self._tried_mono = mono
        self._missed = what

    def wants_reconnect(self, mono: float) -> bool:
        """Tell (once a turn) that only a new connection can help a dead user channel, or that one is worth a try."""
        if self._early_mono is not None and mono >= self._early_mono:
            self._early_mono = None
            return True
        if not self._missed or self._claimed is not FeedState.LIVE:
            return False
        pause = STUCK if mono - self._stuck_since < STUCK_LONG else STUCK_LATER
        if mono - self._tried_mono < pause:
            return False
        self._tried_mono = mono
        self._asked_to = True
        return True

    def judge(self, now: datetime, mono: float) -> FeedChanged | None:
        """Work out the effective state; returns what changed, if anything did."""
        state, reason = self._effective(mono)
        if state is self.state and (reason == self.reason or state is FeedState.STALE):
            self.reason = reason
            return None
        if FeedState.LIVE in {state, self.state} and state is not self.state:
            self.since = now  # lost is lost, whether it is trying just now or waiting to
        self.state, self.reason = state, reason
        return FeedChanged(state=state, reason=reason, at=now, fatal=self.fatal)

    def _effective(self, mono: float) -> tuple[FeedState, str]:
        if self._claimed is FeedState.LIVE:
            silence = mono - self._heard_mono
            if silence > SILENCE:
                return FeedState.STALE, f"no heartbeat for {silence:.1f} s"
            if self._missed:
                return FeedState.STALE, self._missed
            return FeedState.LIVE, self._claimed_reason
        if self.flaps(mono) and self._claimed in {FeedState.DOWN, FeedState.CONNECTING}:
            return self._claimed, (
                f"the connection is lost again and again: {ANOTHER_USER} "
                f"with this key (--no-feed in one of them). {self._claimed_reason}".strip()
            )
        return self._claimed, self._claimed_reason
