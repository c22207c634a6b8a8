"""The flow tables, joined: the whole conversation as data."""

from typing import Final

from bot.conversation.flows.aftercare import AFTERCARE
from bot.conversation.flows.intake import INTAKE
from bot.conversation.flows.meant import MEANT
from bot.conversation.flows.removal import REMOVAL
from bot.conversation.flows.safety import SAFETY
from bot.conversation.flows.status import STATUS
from bot.conversation.flows.support import SUPPORT
from bot.conversation.table import Table, joined

TABLE: Final[Table] = joined(INTAKE, SAFETY, REMOVAL, SUPPORT, STATUS, AFTERCARE, MEANT)
