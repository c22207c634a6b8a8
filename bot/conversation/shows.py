"""What can be shown under a text, and what such a card may be about."""

from typing import Final, Literal, get_args

Age = Literal["under18", "adult"]
Platform = Literal[
    "instagram", "facebook", "tiktok", "line", "telegram", "x", "whatsapp", "discord", "snapchat",
    "youtube", "google", "messenger", "bing", "reddit", "pornhub", "onlyfans",
]  # fmt: skip
PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)

Opens = Literal["hashes", "pin"]
"""What the mini-app's page is opened for: to post hashes, or to be shown a PIN, once."""

Show = Literal[
    "app",  # a button that opens the mini-app, for `list`
    "passed",  # the services that codes of `list` are passed on to, if any
    "pin",  # a button that opens the page with the PIN of a case made in this chat
    "readers",  # which platforms read `list` today, or the official page
    "readers_now",  # the same in one line
    "official",  # the official page for `list`, as a button
    "status",  # how case `number` stands
    "crisis",  # emergency and suicide lines
    "crisis_young",  # and the child line
    "danger",  # the emergency line
    "emergency_line",  # the same in one short line, no card (C9)
    "child_lines",  # lines for children and young people
    "people",  # lines where people answer
    "operator",  # who runs Sala, and how long codes are kept
    "police",  # where a crime is reported in this country
    "law",  # what this country's law says
    "platform",  # how a report goes on `platform`, and the lists it takes part in
    "platform_facts",  # what it says it does by itself
]
