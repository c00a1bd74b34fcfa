"""Whatever a command ends with becomes an exit code, and one sentence for each thing that is to be done about it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from connectors.errors import ConnectorError
from sync import log
from sync.secrets import print_traceback
from sync.stops import Exit, Stop

_MEANT = (Stop, ConnectorError, click.ClickException, click.Abort, BrokenPipeError)
"""What is no bug."""

CTRL_C = 130
"""What shells expect of a program that Ctrl-C ended at once."""


def exit_code(call: Callable[[], object], *, debug: bool) -> int:
    """Call, and say what was the matter. No traceback reaches a person who did not ask with --debug."""
    try:
        code = call()
    except Exception as error:  # noqa: BLE001 - Python's own traceback would show what it holds, secrets too
        if debug and not isinstance(error, _MEANT):
            print_traceback(error)
        return _explained(error)
    except KeyboardInterrupt:
        return _explained(click.Abort())
    return code if isinstance(code, int) else 0


def _explained(error: Exception) -> int:
    match error:
        case Stop():
            for line in error.lines:
                log.say(line, "refused", "error")
            return int(error.exit_code)
        case ConnectorError():
            log.say(f"{error}.", "refused", "error")
            return Exit.INVALID
        case click.ClickException():
            error.show()
            return Exit.INVALID
        case click.Abort():
            log.say("Stopped. The next run goes on from here.", "stopped")
            return CTRL_C
        case BrokenPipeError():
            sys.stderr.close()
            return Exit.FINE
    what = f"{type(error).__name__}: {error}"
    log.say(f"unstuck ran into a bug ({what}); --debug shows where. Please report it.", "bug", "error")
    return Exit.BUG
