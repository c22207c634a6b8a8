"""How often somebody did something lately, in this process's memory alone."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final


class Pace:
    """Counts for each by itself; forgets those that were quiet longest."""

    _REMEMBERED: Final = 10_000

    def __init__(self) -> None:
        self._times: OrderedDict[tuple[str | bytes, str], list[datetime]] = OrderedDict()

    def allows(
        self, who: str | bytes, what: str, now: datetime, most: int, within: timedelta
    ) -> bool:
        """Count one time; False when there were too many."""
        times = self._times.setdefault((who, what), [])
        self._times.move_to_end((who, what))
        if len(self._times) > self._REMEMBERED:
            self._times.popitem(last=False)
        if len(times) >= most and now - times[0] < within:
            return False
        del times[: max(0, len(times) + 1 - most)]
        times.append(now)
        return True
