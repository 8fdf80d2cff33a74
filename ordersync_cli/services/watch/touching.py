"""The thread that notices when another process writes to the store."""

from __future__ import annotations

import threading

from ordersync_cli.clock import Clock
from ordersync_cli.errors import StoreError
from ordersync_cli.services.ports import Store
from ordersync_cli.services.ports.messages import Inbox, StoreTouched, ThreadDied

PATIENCE = 1.0  # seconds of one wait, so that the thread ends soon when asked to
RETRY = 1.0  # seconds after the store could not be read


class StoreWatch:
    """Waits for changes of the store and says so in the inbox."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, inbox: Inbox) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._work, args=(inbox,), name="store-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=3.0)

    def _work(self, inbox: Inbox) -> None:
        try:
            while not self._ending.is_set():
                try:
                    touched = self._store.wait_for_change(PATIENCE)
                except StoreError:
                    self._ending.wait(RETRY)
                    touched = True  # nobody knows what was missed
                if touched:
                    inbox.put(StoreTouched(at_mono=self._clock.monotonic()))
        except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
            inbox.put(ThreadDied(name="store-watch", error=bug))
