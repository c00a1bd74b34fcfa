"""What systemd wants to hear of a daemon: ready, reloading, stopping, how it goes, and that it is alive.

The protocol is a datagram to the socket named by `NOTIFY_SOCKET`: https://www.freedesktop.org/software/systemd/man/sd_notify.html
"""

from __future__ import annotations

import os
import socket
import time


def tell(**facts: str | int) -> None:
    """Send `READY=1` and the like. Without systemd, and if it does not listen, nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto("\n".join(f"{name}={value}" for name, value in facts.items()).encode(), address)
        except OSError:
            return


def reloading() -> None:
    """`Type=notify-reload` wants to know since when."""
    tell(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)


def watchdog_seconds() -> float | None:
    """How often to send `WATCHDOG=1`: twice in the time that systemd waits for one, if it waits for this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2_000_000 if microseconds.isdigit() and int(microseconds) else None
