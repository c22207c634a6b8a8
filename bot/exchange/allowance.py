"""How often one partner may ask: a bucket of requests that refills with time, kept in memory."""

import math
from datetime import datetime
from typing import Final

A_MINUTE: Final = 60


class Allowance:
    """So many requests at once as a partner has a minute, and as many each minute after that."""

    def __init__(self) -> None:
        self._left: dict[int, tuple[float, datetime]] = {}

    def take(self, partner: int, now: datetime, a_minute: int = A_MINUTE) -> int:
        """0 when the request may go on, else the whole seconds until the next one may."""
        full = float(a_minute)
        left, at = self._left.get(partner, (full, now))
        now = max(at, now)
        left = min(full, left + (now - at).total_seconds() * full / 60)
        if left < 1:
            self._left[partner] = (left, now)
            return max(1, math.ceil((1 - left) * 60 / full))
        self._left[partner] = (left - 1, now)
        return 0
