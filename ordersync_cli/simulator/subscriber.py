"""One connection of the feed: its channels, its sequence numbers, and what the fault plan does to its frames."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from ordersync_cli.simulator.faults import Fault, Faults
from ordersync_cli.simulator.lookups import with_fields
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.routes import Exchange
from ordersync_cli.simulator.server_edge import pause
from ordersync_cli.simulator.times import SECOND, go_text, nano_text
from ordersync_cli.simulator.wire import frame_order

_write = json.JSONEncoder(separators=(",", ":")).encode
_HEARTBEAT_SECONDS = 1.0
_ABNORMAL = 1006
_FRAME_FAULTS = frozenset({"drop", "duplicate", "reorder", "delay", "close", "cut", "error"})
_LOST = frozenset({"drop", "reorder", "delay"})  # not sent, or not now
_MUTE = frozenset({"silence", "no_user", "no_heartbeats"})


class Subscriber:
    """Sends to one connection, in order, from a queue of its own."""

    def __init__(self, exchange: Exchange, faults: Faults, send: Any, abort: Callable[[], None]) -> None:
        self.channels: dict[str, list[str]] = {}
        self.since = 0  # events up to this one are in the snapshot
        self._exchange = exchange
        self._faults = faults
        self._abort = abort
        self._sequence = 0
        self._heartbeats = 0
        self._held: str | None = None
        self._queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._tasks = {asyncio.create_task(self._write_out(send))}

    def follows(self, order: Order) -> bool:
        """Tell whether this order belongs to what was subscribed; none or no products means all."""
        if "user" not in self.channels:
            return False
        wanted = self.channels["user"]
        return not wanted or order.product_id in wanted or order.product_id.replace("USDC", "USD") in wanted

    def send_orders(self, kind: str, orders: list[Order]) -> None:
        """Send a snapshot or an update of the user channel."""
        followed = [order for order in orders if self.follows(order)]
        if kind == "update" and not followed:
            return
        state, behaviour = self._exchange.state, self._exchange.behaviour
        bodies = [
            frame_order(order, state.portfolio_id, usdc_as_usd=behaviour.usdc_frames_as_usd) for order in followed
        ]
        for fault in self._faults.ws({"odd_fields"}, "user") if bodies else []:
            bodies = [with_fields(body, fault) for body in bodies]
        positions: dict[str, list[Any]] = {"perpetual_futures_positions": [], "expiring_futures_positions": []}
        self._send("user", {"type": kind, "orders": bodies, "positions": positions})

    def send_ack(self) -> None:
        """Say what is subscribed: for the user channel the list holds the user id, not products (recorded 2024)."""
        named = {"user": self._exchange.state.user_id, "heartbeats": "heartbeats"}
        self._send("subscriptions", {"subscriptions": {channel: [named[channel]] for channel in self.channels}})

    def send_error(self, message: str) -> None:
        """Send an error: no channel, no sequence number."""
        self._queue.put_nowait(("text", _write({"type": "error", "message": message})))

    def hang_up(self, code: int) -> None:
        """Close the connection after what is already queued; 1006 means without a word."""
        self._queue.put_nowait(("cut", None) if code == _ABNORMAL else ("close", code))

    def start_heartbeats(self) -> None:
        """Send a heartbeat now and then each second."""
        self._tasks.add(asyncio.create_task(self._beat()))

    async def finish(self) -> None:
        """Let what is queued go out for a moment, then end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), 0.1)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _beat(self) -> None:
        state = self._exchange.state
        while "heartbeats" in self.channels:
            now = state.now()
            running = now - state.market.opened_at
            self._heartbeats = max(self._heartbeats + 1, running // SECOND)
            counter: int | str = self._heartbeats
            if self._exchange.behaviour.heartbeat_text:
                counter = str(counter)
            event = {"current_time": go_text(now, running, self._sequence * 37), "heartbeat_counter": counter}
            self._send("heartbeats", event)
            await pause(_HEARTBEAT_SECONDS)

    def _send(self, channel: str, event: dict[str, Any]) -> None:
        """Number a message and queue it, unless the plan has something else in mind."""
        if self._is_mute(channel):
            return
        message: dict[str, Any] = {"channel": channel, "client_id": ""}
        if not self._exchange.behaviour.client_id_in_frames:
            del message["client_id"]
        message["timestamp"] = nano_text(self._exchange.state.now(), self._sequence * 53 + 917)
        message["sequence_num"] = self._sequence
        message["events"] = [event]
        self._sequence += 1
        text = _write(message)
        faults = self._faults.ws(_FRAME_FAULTS, channel)
        if not any(fault.kind in _LOST for fault in faults):
            self._queue.put_nowait(("text", text))
            self._release()
        for fault in faults:
            self._strike(fault, text)

    def _is_mute(self, channel: str) -> bool:
        kinds = {fault.kind for fault in self._faults.ws(_MUTE, channel)}
        return (
            "silence" in kinds
            or ("no_user" in kinds and channel == "user")
            or ("no_heartbeats" in kinds and channel == "heartbeats")
        )

    def _strike(self, fault: Fault, text: str) -> None:
        if fault.kind == "duplicate":
            for _ in range(fault.number):
                self._queue.put_nowait(("text", text))
        elif fault.kind == "reorder":
            self._release()
            self._held = text  # goes out after the next frame
        elif fault.kind == "delay":
            self._tasks.add(asyncio.create_task(self._later(fault.seconds, text)))
        elif fault.kind == "close":
            self.hang_up(fault.code)
        elif fault.kind == "cut":
            self.hang_up(_ABNORMAL)
        elif fault.kind == "error":
            self.send_error(fault.message)

    def _release(self) -> None:
        if self._held is not None:
            self._queue.put_nowait(("text", self._held))
            self._held = None

    async def _later(self, seconds: float, text: str) -> None:
        await pause(seconds)
        self._queue.put_nowait(("text", text))

    async def _write_out(self, send: Any) -> None:
        while True:
            kind, value = await self._queue.get()
            try:
                if kind == "text":
                    await send({"type": "websocket.send", "text": value})
                elif kind == "close":
                    await send({"type": "websocket.close", "code": value})
                    return
                else:
                    self._abort()
                    return
            except Exception:  # noqa: BLE001 - the connection is gone: what is left has nowhere to go
                return
            finally:
                self._queue.task_done()
