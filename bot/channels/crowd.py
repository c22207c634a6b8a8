"""Who writes more than a person can is not heard for a while, by any one door; they are shown the
help card instead (lookout.py).
"""

from datetime import datetime, timedelta
from typing import Final

from bot.channels.pace import Pace

MOST: Final = 60
"""Messages and taps of one person within a while that are heard."""
WITHIN: Final = timedelta(minutes=1)


class Crowd:
    """Who writes by one door, by what their conversation is found by; in this process alone."""

    def __init__(self) -> None:
        self._pace = Pace()

    def hears(self, key: bytes, now: datetime) -> bool:
        """Count a message or tap; False when they were too many."""
        return self._pace.allows(key, "heard", now, MOST, WITHIN)
