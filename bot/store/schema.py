"""The tables, and how an older SQLite file becomes a newer one.

Whatever is personal is sealed, and rows are found by keyed digests alone. Times are microseconds
since 1970 (UTC), but `hash.modified`, which partners read, is in seconds.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlite_utils import Database, Migrations

from bot.store import NewerSchema

if TYPE_CHECKING:
    from sqlite3 import Connection

_TURNS: Final = (
    # waits: the first waiting event; rings_at: the first timer; send_at: the first effect's time,
    # null while it is held. Kept up with every write, so that looking for work costs an index seek.
    """create table conversation (
      id blob primary key, channel text not null, version integer not null default 0,
      state blob, address blob, waits integer, rings_at integer, send_at integer
    ) strict, without rowid""",
    "create index conversation_waits on conversation(channel, waits) where waits is not null",
    "create index conversation_rings on conversation(channel, rings_at) where rings_at is not null",
    "create index conversation_sends on conversation(channel, send_at) where send_at is not null",
    """create table inbox (
      seq integer primary key autoincrement, event blob not null unique,
      conversation blob not null references conversation(id) on delete cascade,
      body blob not null, at integer not null, parked integer not null default 0
    ) strict""",
    "create index inbox_waiting on inbox(conversation, seq) where parked = 0",
    "create index inbox_parked on inbox(seq) where parked = 1",
    "create table seen (digest blob primary key, day integer not null) strict, without rowid",
    "create index seen_day on seen(day)",
    """create table outbox (
      seq integer primary key autoincrement, id text not null,
      conversation blob not null references conversation(id) on delete cascade,
      due_at integer, attempt integer not null default 0, body blob not null,
      said integer not null, way blob, unique (conversation, id)
    ) strict""",
    "create index outbox_order on outbox(conversation, said, seq)",
    """create table timer (
      conversation blob not null references conversation(id) on delete cascade,
      name text not null, due_at integer not null, primary key (conversation, name)
    ) strict, without rowid""",
)

_LEDGER: Final = (
    # 'case' is a word of SQL's own, hence the plural.
    """create table cases (
      id blob primary key, number_digest blob not null unique, number blob not null,
      list text not null, status text not null, created_at integer not null, pin blob not null,
      follower blob references conversation(id) on delete set null,
      images integer not null default 0, withdraw_at integer, erase integer not null default 0
    ) strict, without rowid""",
    "create index cases_withdraw on cases(withdraw_at) where withdraw_at is not null",
    # One row per number that was tried, whether or not such a case exists.
    """create table guess (
      number_digest blob primary key, tries integer not null, next_try_at integer not null
    ) strict, without rowid""",
    "create index guess_next on guess(next_try_at)",
    # signal is null where partners are never given the hash; change is the feed's order.
    """create table hash (
      id blob primary key, list text not null, kind text not null, signal text,
      value blob not null, quality integer, status text not null,
      modified integer not null, change integer not null unique
    ) strict, without rowid""",
    "create index hash_feed on hash(list, change) where signal is not null",
    "create index hash_modified on hash(modified, change)",
    """create table claim (
      cases blob not null references cases(id) on delete cascade,
      hash blob not null references hash(id) on delete cascade,
      image integer not null, variant text not null, registered_at integer not null,
      status text not null, change integer not null, primary key (cases, hash)
    ) strict, without rowid""",
    "create index claim_hash on claim(hash)",
    """create table edge (
      id integer primary key check (id = 1), change integer not null, modified integer not null
    ) strict""",
    "insert into edge values (1, 0, 0)",
    """create table partner (
      id integer primary key, name text not null unique, lists text not null,
      fetch_digest blob not null, subscription_digest blob not null unique,
      feedback_digest blob not null, created_at integer not null
    ) strict""",
    """create table feedback (
      hash blob not null references hash(id) on delete cascade,
      partner integer not null references partner(id) on delete cascade,
      value text not null, tags text not null, at integer not null, primary key (hash, partner)
    ) strict, without rowid""",
    """create table fetched (
      partner integer not null references partner(id) on delete cascade,
      list text not null, through integer not null, primary key (partner, list)
    ) strict, without rowid""",
    """create table reading (
      partner integer not null references partner(id) on delete cascade, at integer not null,
      list text not null, first integer, last integer, count integer not null
    ) strict""",
    """create table ticket (
      digest blob primary key, conversation blob not null, list text not null, number blob,
      expires_at integer not null, used_at integer
    ) strict, without rowid""",
    "create index ticket_expires on ticket(expires_at)",
    "create index ticket_conversation on ticket(conversation, expires_at)",
)

# Sealed once with the vault that belongs to this file: other keys are noticed at opening.
_PROOF: Final = "create table proof (id integer primary key check (id = 1), sealed blob) strict"

MIGRATIONS: Final = Migrations("sala")


@MIGRATIONS()
def m001_turns_and_ledger(db: Database) -> None:
    """The first schema."""
    for statement in (*_TURNS, *_LEDGER, _PROOF):
        db.execute(statement)


_SAFER: Final = (
    # active_at: the person's last event; lowered: a sign of under 18, for good (C16).
    "alter table conversation add column active_at integer not null default 0",
    "alter table conversation add column lowered integer not null default 0",
    "update conversation set active_at = unixepoch() * 1000000",
    "create index conversation_idle on conversation(active_at)",
    """create index conversation_visit on conversation(active_at)
      where channel in ('browser', 'terminal')""",
    "create index cases_follower on cases(follower) where follower is not null",
    # Which conversation posted to which case, under a digest that stands nowhere else.
    """create table origin (
      conversation blob not null, cases blob not null references cases(id) on delete cascade,
      primary key (conversation, cases)
    ) strict, without rowid""",
    # registered_at says whose words are told (C13), posted_at how long the code is kept.
    "alter table claim add column posted_at integer not null default 0",
    "update claim set posted_at = registered_at",
    "create index claim_posted on claim(posted_at) where status = 'Active'",
    """create index cases_over on cases(created_at)
      where status = 'Withdrawn' and withdraw_at is null""",
    "create index hash_gone on hash(modified) where status = 'Withdrawn'",
    "create index reading_at on reading(at)",
    "drop table guess",
    # One row per number and conversation that tried, and one per number over all ('*'), whether
    # or not such a case exists.
    """create table guess (
      number_digest blob not null, by blob not null, tries integer not null,
      next_try_at integer not null, primary key (number_digest, by)
    ) strict, without rowid""",
    "create index guess_next on guess(next_try_at)",
)


@MIGRATIONS()
def m002_latch_and_retention(db: Database) -> None:
    """What the age latch, the retention clock and the PIN's tries need."""
    for statement in _SAFER:
        db.execute(statement)


_PIN_PAGE: Final = (
    # opens: what a ticket is for, `hashes` or `pin`.
    "alter table ticket add column opens text not null default 'hashes'",
    # keyless: made of a picture in a chat, and its PIN was not shown yet.
    "alter table cases add column keyless integer not null default 0",
    # The pHash of a case's picture: sealed, for this case alone, gone with its claims.
    """create table likeness (
      cases blob not null references cases(id) on delete cascade,
      image integer not null, phash blob not null, posted_at integer not null,
      primary key (cases, image)
    ) strict, without rowid""",
)


@MIGRATIONS()
def m003_pin_page_and_likeness(db: Database) -> None:
    """What the PIN page of a case made in a chat, and a picture sent twice, need."""
    for statement in _PIN_PAGE:
        db.execute(statement)


_EXCHANGE: Final = (
    "alter table partner add column submit_digest blob",
    "alter table partner add column revoked_at integer",
    "alter table partner add column a_minute integer not null default 60",
    # Keys that still open beside the partner's new ones (rotation without a gap).
    """create table former_keys (
      subscription_digest blob primary key,
      partner integer not null references partner(id) on delete cascade,
      fetch_digest blob not null, feedback_digest blob not null, submit_digest blob,
      ends_at integer not null
    ) strict, without rowid""",
    # left: the feed's change with which the claim was withdrawn; who read past it has seen it.
    'alter table claim add column "left" integer',
    # The case that bears what a partner submitted to a list.
    """create table deposit (
      partner integer not null references partner(id) on delete cascade, list text not null,
      cases blob not null references cases(id) on delete cascade, primary key (partner, list)
    ) strict, without rowid""",
    "create index deposit_cases on deposit(cases)",
    # What is refused ('denied'), waits for the operator ('asked'), or was let through ('allowed').
    """create table denial (
      number integer primary key autoincrement, digest blob not null unique, kind text not null,
      value blob not null, state text not null, source text not null, at integer not null
    ) strict""",
    "drop index claim_hash",
    "create index claim_hash on claim(hash, cases, status)",
    "create index reading_partner on reading(partner, at)",
)


@MIGRATIONS()
def m004_exchange(db: Database) -> None:
    """What partners' keys, withdrawals that are seen, submissions and the denylist need."""
    for statement in _EXCHANGE:
        db.execute(statement)


_UPWARD: Final = (
    # A list above Sala's own that was tried: what people register who were told after `since` goes
    # up there; `change` how
    # far the feed was looked through for it, `checkpoint` how far its answers were read;
    # `own` what it calls Sala.
    """create table service (
      name text primary key, label text not null, list text not null, address text not null,
      since integer not null, change integer not null, checkpoint text not null,
      own text not null
    ) strict, without rowid""",
    # through: the change with which the code last went up; heard: what was said of it there before
    # it went up is known, and told to nobody.
    """create table raised (
      service text not null references service(name) on delete cascade,
      hash blob not null references hash(id) on delete cascade,
      through integer not null, gone integer not null, heard integer not null default 0,
      primary key (service, hash)
    ) strict, without rowid""",
    "create index raised_hash on raised(hash)",
    # Who answers through a service: it reads nothing here and has no keys.
    "alter table partner add column via text",
    # A page of the feed is read from the index alone: in a large file the rows lie far apart.
    "drop index hash_feed",
    """create index hash_feed on hash(list, change, modified, signal, value, status)
      where signal is not null""",
    # Since when the claim's person knew where codes go; 0: it goes to no other list.
    "alter table claim add column told_at integer not null default 0",
)


@MIGRATIONS()
def m005_upward(db: Database) -> None:
    """What passing codes on to other lists needs."""
    for statement in _UPWARD:
        db.execute(statement)


STEPS: Final = ((*_TURNS, *_LEDGER, _PROOF), _SAFER, _PIN_PAGE, _EXCHANGE, _UPWARD)
"""The statements of each version, the first to the newest."""
VERSION: Final = len(STEPS)


def bring_up_to_date(connection: "Connection") -> None:
    """Create or migrate the tables inside the transaction that is open; NewerSchema if too new."""
    (found,) = connection.execute("pragma user_version").fetchone()
    if found > VERSION:
        raise NewerSchema("The database was written by a newer Sala: install that one.")
    if found == VERSION:
        return
    MIGRATIONS.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
    connection.execute(f"pragma user_version = {VERSION}")


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """A time as it is kept; it must know its zone."""
    return (at - _EPOCH) // _MICRO


def moment(kept: int) -> datetime:
    """The time that was kept, in UTC."""
    return _EPOCH + kept * _MICRO
