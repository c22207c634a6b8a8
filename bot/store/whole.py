"""All rooms of the store together, over whichever database."""

from datetime import UTC, datetime

from bot.store.backlog import Watched
from bot.store.denials import Denials
from bot.store.deposits import Deposits
from bot.store.feed import Feed
from bot.store.figures import Figures
from bot.store.lateness import Lateness
from bot.store.ledger import Ledger
from bot.store.moving import Moving
from bot.store.partners import Partners
from bot.store.pins import Pins
from bot.store.resealing import Resealing
from bot.store.retention import Retention
from bot.store.shown import Shown
from bot.store.upward import Upward


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class WholeStore(
    Lateness,
    Ledger,
    Pins,
    Retention,
    Partners,
    Feed,
    Denials,
    Deposits,
    Figures,
    Moving,
    Upward,
    Resealing,
    Shown,
    Watched,
):
    """`Store` and `Registry` over one database (docs/architecture.md)."""
