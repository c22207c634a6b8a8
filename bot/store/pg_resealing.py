"""Keys change in a PostgreSQL database: at the beginning, and before the former key goes, it is
made sure that nobody else is there.

Other machines have key files of their own. A process with an old one is refused once the new key
is the first: the database is proved to it again with every connection it makes.
"""

from collections.abc import Callable
from typing import Final

from bot.store.pg_engine import alone
from bot.store.resealing import SEALED, needs_another, renew
from bot.vault import Vault

_PROOF: Final = next(one for one in SEALED if one.table == "proof")


def begins_alone(url: str, vault: Vault, begin: Callable[[], None]) -> bool:
    """Call `begin`, which makes the vault's first key known, and prove the database with that key,
    when nobody else has it open nor can open it meanwhile. Whether it was."""
    with alone(url) as db:
        if db is None:
            return False
        begin()
        renew(_PROOF, vault, [(1,)], db)
        return True


def ends_alone(url: str, vault: Vault, end: Callable[[], None]) -> bool:
    """Call `end` when nothing needs another key than the first, and nobody else has the database
    open nor can open it meanwhile. Whether it was."""
    with alone(url) as db:
        if db is None or needs_another(db, vault):
            return False
        end()
        return True
