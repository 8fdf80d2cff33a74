"""Checks the numbering of a connection's messages; a gap is a hint to ask REST, never a reason to stop."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class SequenceCheck:
    """Expects one counter for the whole connection, from 0, as recordings show it.

    Some recordings fit a counter for each channel instead (trap T23), so a number that
    continues its own channel is no gap either. With one shared counter that exception hides
    nothing: a channel's last number plus one can only come next when nothing came between.
    """

    _last: int | None = field(default=None, init=False)
    _by_channel: dict[str, int] = field(default_factory=dict, init=False)

    def check(self, channel: str, number: int) -> int | None:
        """Take a message's number; returns the one that was expected where it is another."""
        expected = 0 if self._last is None else self._last + 1
        channel_last = self._by_channel.get(channel)
        continues_channel = number == (0 if channel_last is None else channel_last + 1)
        fits = number == expected or continues_channel
        self._by_channel[channel] = max(number, channel_last if channel_last is not None else number)
        self._last = number if self._last is None else max(number, self._last)
        return None if fits else expected
