"""The image at hand, consent, the mini-app, the case; and whoever no hash is made for (C5–C7)."""

from bot.conversation.flows.take import TAKE
from bot.conversation.shows import Show
from bot.conversation.table import Line, Node, ask, decide, do, tell


def _simply(id: str, show: Show) -> Node:
    """Said in words of its own to a child under 13."""
    return tell(id, Line(id, show=show, simple=f"{id}.simple"), then="home")


REMOVAL = (
    decide(
        "image.kind",
        "image_question",
        {"self": "ask.image", "guardian": "ask.image.guardian", "none": "route"},
    ),
    ask(
        "ask.image",
        slot="image",
        options={"here": "route", "none": "route"},
        says={"yes": "here", "no": "none"},
    ),
    ask(
        "ask.image.guardian",
        slot="image",
        options={"theirs": "route", "here": "route", "none": "route"},
    ),
    decide(
        "route",
        "route",
        {
            "minors_list": "readers",
            "adults_list": "readers",
            "guardian_on_their_device": "route.guardian_on_their_device",
            "guardian_no_copy": "route.guardian_no_copy",
            "friend_no_copy": "route.friend_no_copy",
            "holder_no_copy": "route.holder_no_copy",
            "support_adult": "route.support_adult",
            "proxy_minor": "route.proxy_minor",
            "proxy_adult": "route.proxy_adult",
            "found": "route.found",
            "no_image": "route.no_image",
        },
    ),
    tell("route.guardian_on_their_device", then="readers"),
    tell(
        "route.guardian_no_copy",
        Line("route.guardian_no_copy.{image}", show="official"),
        then="home",
    ),
    tell(
        "route.friend_no_copy",
        Line("route.friend_no_copy", show="child_lines", simple="route.friend_no_copy.simple"),
        then="home",
    ),
    tell("route.holder_no_copy", then="home"),
    tell("route.support_adult", Line("route.support_adult", show="official"), then="home"),
    tell("route.proxy_minor", Line("route.proxy_minor", show="child_lines"), then="home"),
    tell("route.proxy_adult", then="home"),
    tell("route.found", then="home"),
    tell(
        "route.no_image",
        Line("route.no_image", show="people", simple="route.no_image.simple"),
        then="home",
    ),
    tell("readers", Line("readers", show="readers", simple="readers.simple"), then="ask.consent"),
    ask(
        "ask.consent",
        Line("consent.{agreed}", show="operator", simple="consent.simple"),
        slot="consent",
        options={"yes": "may_hash", "no": "consent.later"},
        exact=True,
    ),
    tell("consent.later", Line("consent.later", show="official"), then="home"),
    decide("may_hash", "may_hash", {"yes": "app", "ask": "readers", "no": "home"}),
    ask(
        "app",
        Line("app.open.{list}", show="app", simple="app.open.simple"),
        options={"again": "may_hash", "trouble": "troubled", "chat": "take", "later": "home"},
        when={"chat": "may_take"},
    ),
    do("troubled", "troubled", then="app.trouble"),
    tell("app.trouble", "hash.trouble", then="app"),
    *TAKE,
    tell("case.made", "case.made.1", Line("case.made.2", show="readers_now"), then="case.first"),
    decide("case.first", "updates", {"known": "home", "unknown": "case.phone"}),
    decide("case.phone", "phone", {"own": "ask.updates", "shared": "updates.shared"}),
    tell("updates.shared", then="home"),
    ask("ask.updates", slot="updates", options={"yes": "follow", "no": "unfollow"}),
    do("follow", "follow", then="updates.on"),
    do("unfollow", "unfollow", then="updates.off"),
    tell("updates.on", then="ask.aftercare"),
    tell("updates.off", then="ask.aftercare"),
    ask("ask.aftercare", slot="aftercare", options={"yes": "aftercare", "no": "home"}),
    do("aftercare", "aftercare", then="aftercare.on"),
    tell("aftercare.on", then="home"),
)
