"""What stands in a chat lately, by id alone, so that it can leave the screen at once (C9).

Kept in this process only: after a restart, what was said before it stays where it is.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

MOST: Final = 100
"""What one `deleteMessages` takes."""
DELETABLE: Final = timedelta(hours=47)
"""Telegram deletes for 48 hours; the call is refused whole when one is older."""
CHATS: Final = 5_000


class Recent:
    """The last messages of the chats written in last, the person's and the bot's."""

    def __init__(self) -> None:
        self._chats: OrderedDict[int, list[tuple[int, datetime]]] = OrderedDict()

    def note(self, chat: int, message: int, at: datetime) -> None:
        """A message stands in this chat."""
        noted = self._chats.setdefault(chat, [])
        noted.append((message, at))
        del noted[:-MOST]
        self._chats.move_to_end(chat)
        if len(self._chats) > CHATS:
            self._chats.popitem(last=False)

    def take(self, chat: int, now: datetime) -> list[int]:
        """The ids of what can be deleted, each once; they are forgotten here."""
        noted = self._chats.pop(chat, ())
        return list(dict.fromkeys(id for id, at in noted if now - at < DELETABLE))
