"""What `sala setup` does: what an API can set up is set up, and what only a person can do is said.

Every step may be taken again; one that finds all as it should be says so and changes nothing.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from telegram import Bot, WebhookInfo
from telegram.error import Conflict, Forbidden, InvalidToken, TelegramError

from bot.channels import telegram_setup
from bot.channels.line_account import LineAccount
from bot.channels.line_api import HOST, Outcome, Refused
from bot.channels.line_menu import NoFont, find_font, rich_menu_image
from bot.channels.line_setup import SIZE, put_liff, put_menu, set_webhook, try_webhook
from bot.channels.telegram_http import TelegramHttp, TooFast, make_bot
from bot.channels.telegram_wire import ALLOWED
from bot.conversation.model import LANGUAGES, Language
from bot.doors import telegram_secret
from bot.outside import Unreached, fetch
from bot.settings import LineSettings, Settings, TelegramSettings
from bot.text import Texts
from bot.vault import Vault

__all__ = ["telegram_secret"]

SCOPES: Final = ["openid"]
FONT_HINT: Final = "On Debian: apt-get install fonts-noto-core libfribidi0"
_SAID: Final[dict[Outcome, str]] = {
    "refused": "LINE refused: is the token the right one, and still valid?",
    "unclear": "LINE did not answer, or not clearly. Try again in a minute.",
    "busy": "LINE is asked too often. Try again in a few minutes.",
    "month": "This month's messages are used up.",
}

LINE_BY_HAND: Final = """\
By hand, in this order (an API cannot do these):
 1. https://developers.line.biz/console/ → log in with an account of your organisation → create ONE
    provider. All channels below must be in it: a person's id differs from provider to provider,
    and a channel can never be moved to another.
 2. https://manager.line.biz/ → create the Official Account (a plain name and picture: they are seen
    in chat lists) → Settings → Messaging API → Enable, and choose that provider.
 3. In the console, the Messaging API channel:
      Basic settings → Channel secret                       → .env  SALA_LINE_SECRET
      Messaging API → Channel access token → Issue          → .env  SALA_LINE_TOKEN
 4. In the console, under the same provider, create a LINE Login channel (web app):
      Basic settings → Linked LINE Official Account → the account of step 2
      Basic settings → Channel ID       → say it here: sala setup line --login-channel ID
      Basic settings → Channel secret   → typed when asked; it is not kept, and not needed in .env
      Publish the channel: while it is in development only its admins can open the page.
    Sala makes a plain LIFF app of the size "tall" in it. Do not make a LINE MINI App, and no size
    "full": LINE then keeps a picture of the closed page under "recently used" for twelve hours,
    where whoever holds the phone next can see it.
 5. https://manager.line.biz/ → Settings → Response settings:
      Chat: off (with chat on, whoever manages the account can read what people write)
      Greeting message: off. Auto-reply messages: off. Webhook: on.
    Settings → Account settings → joining groups and multi-person chats: not allowed.
 6. In the console, Messaging API: Use webhook: on. Webhook redelivery: on (else what is written
    while Sala restarts is lost).
 7. https://manager.line.biz/ → Settings → Subscription: choose a plan. Answers cost nothing; what
    Sala says first (updates on a case) counts. When the month is used up, updates wait until the
    person writes. `sala doctor` says how many are left.
"""
TELEGRAM_BY_HAND: Final = """\
By hand, in a chat with @BotFather (an API cannot do these):
 1. /newbot → a plain name: it is seen in chat lists  → the token → .env  SALA_TELEGRAM_TOKEN
    Turn on two-step verification for the Telegram account that owns the bot: who has that
    account has the bot.
 2. /setdomain → the bot → the host name of SALA_PUBLIC_URL, so that the page that
    makes the codes is known to belong to the bot.
 3. /setprivacy → Enable. /setjoingroups → Disable. Sala talks with one person at a time.
 4. /setuserpic → something neutral.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was set up: `made` or changed just now, the `same` as before, or not done."""

    state: Literal["made", "same", "failed"]
    words: str

    def __str__(self) -> str:
        sign = {"made": "set      ", "same": "as it was", "failed": "NOT DONE "}
        return f"{sign[self.state]}  {self.words}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where LINE posts events, and whether it does."""

    url: str
    active: bool


# ---------------------------------------------------------------- LINE


async def login_token(channel: str, secret: str, base: str = "") -> str:
    """A token of a LINE Login channel that lives for a quarter of an hour. Refused.

    https://developers.line.biz/en/reference/messaging-api/#issue-stateless-channel-access-token
    """
    form = {"grant_type": "client_credentials", "client_id": channel, "client_secret": secret}
    try:
        answer = await fetch(f"{base or HOST}/oauth2/v3/token", form)
        said = json.loads(answer.body)
    except (Unreached, ValueError):
        raise Refused("unclear") from None
    if answer.status != 200 or not isinstance(said, dict) or "access_token" not in said:
        raise Refused("unclear" if answer.status >= 500 else "refused")
    return str(said["access_token"])


async def webhook(api: LineAccount) -> Webhook:
    """LINE's webhook as it is; with an empty address when none is set, for which LINE says 404."""
    try:
        told = await api.call(api.messaging.get_webhook_endpoint)
    except Refused as refused:
        if refused.outcome != "refused":
            raise
        return Webhook("", False)
    return Webhook(told.endpoint, told.active)


async def liff_apps(login: LineAccount) -> list[Any]:
    """The LIFF apps of a LINE Login channel; LINE says 404 when there is none."""
    try:
        return list((await login.call(login.liff.get_all_liff_apps)).apps or [])
    except Refused as refused:
        if refused.outcome != "refused":
            raise
        return []


def liff_faults(app: Any, endpoint: str) -> list[str]:
    """What is not as it should be with a LIFF app."""
    faults = []
    if app.view.type != SIZE:
        faults.append(f"its size is {app.view.type}, not {SIZE}")
    if list(app.scope or []) != SCOPES:
        faults.append("its scope is " + (", ".join(app.scope or []) or "empty") + ", not openid")
    if app.view.url != endpoint:
        faults.append(f"it opens {app.view.url}, not {endpoint}")
    return faults


async def set_up_line(
    settings: Settings, texts: Texts, login: tuple[str, str] | None, default: Language
) -> AsyncIterator[Step]:
    """The webhook, a menu for each language, and the LIFF app of the `login` channel (id, secret).

    `default` is the menu of those whose language is not known yet.
    """
    own = settings.line
    if own is None:
        yield Step("failed", "SALA_LINE_SECRET and SALA_LINE_TOKEN are not set yet (step 3).")
        return
    if not settings.public:
        yield Step("failed", "LINE needs SALA_PUBLIC_URL, the https address people use.")
        return
    api = LineAccount(own.token, own.api)
    try:
        await api.quota()  # the first call tells whether the token is good
        for step in await _line_webhook(api, f"{settings.public_url}/line"):
            yield step
        for language in LANGUAGES:
            yield await _line_menu(api, texts, language, default=language == default)
        yield await _liff(own, login, f"{settings.public_url}/line/app")
    except Refused as refused:
        yield Step("failed", said(refused))
    finally:
        await api.close()


def said(refused: Refused) -> str:
    """Why LINE did not do it, in plain words."""
    return _SAID.get(refused.outcome, f"LINE says: {refused.outcome}.")


async def _line_webhook(api: LineAccount, url: str) -> list[Step]:
    before = await webhook(api)
    if before.url != url:
        await set_webhook(api, url)
    steps = [Step("same" if before.url == url else "made", f"webhook: {url}")]
    tried = await try_webhook(api)
    if not tried.good:
        steps.append(Step("failed", f"webhook test: {tried_badly(tried.status)}"))
    if not (await webhook(api)).active:
        steps.append(Step("failed", "the webhook is switched off: step 6 above"))
    return steps


def tried_badly(status: int) -> str:
    """Why LINE's test of the webhook failed, and what to do."""
    if status == 401:
        return "Sala did not believe LINE's signature: check SALA_LINE_SECRET, restart Sala."
    answered = f"was answered {status}" if status else "got no answer"
    return f"LINE {answered}: start Sala and the web server in front of it, then run this again."


async def _line_menu(api: LineAccount, texts: Texts, language: Language, *, default: bool) -> Step:
    about = f"menu [{language}]" + (", shown until a language is known" if default else "")
    try:
        picture = rich_menu_image(texts, language, find_font(texts, language))
    except NoFont:
        return Step("failed", f"{about}: no font here draws these words. {FONT_HINT}")
    made = await put_menu(api, texts, language, picture, default=default)
    return Step("made" if made else "same", about)


async def _liff(own: LineSettings, login: tuple[str, str] | None, endpoint: str) -> Step:
    if login is None:
        how = "sala setup line --login-channel ID (step 4)"
        return Step("same", f"LIFF app: not looked at. To make it or to check it: {how}")
    channel, secret = login
    try:
        token = await login_token(channel, secret, own.api)
    except Refused as refused:
        why = "LINE does not know this channel id with this secret."
        return Step(
            "failed", "LIFF app: " + (why if refused.outcome == "refused" else said(refused))
        )
    api = LineAccount(token, own.api)
    try:
        return await _put_liff(api, own, channel, endpoint)
    finally:
        await api.close()


async def _put_liff(login: LineAccount, own: LineSettings, channel: str, endpoint: str) -> Step:
    known = [app for app in await liff_apps(login) if app.view.url == endpoint]
    good = bool(known) and not liff_faults(known[0], endpoint)
    id = str(known[0].liff_id) if good else await put_liff(login, endpoint)
    about = f"LIFF app: {id}"
    if (own.liff, own.login_channel) != (id, channel):
        lines = f"SALA_LINE_LIFF={id}\n    SALA_LINE_LOGIN_CHANNEL={channel}"
        about += f". Copy into .env, then restart Sala:\n    {lines}"
    return Step("same" if good else "made", about)


# ---------------------------------------------------------------- Telegram


async def set_up_telegram(settings: Settings, texts: Texts, vault: Vault) -> AsyncIterator[Step]:
    """The webhook (or none, for polling), commands, name and words, and the menu button."""

    own = settings.telegram
    if own is None:
        yield Step("failed", "SALA_TELEGRAM_TOKEN is not set yet (step 1).")
        return
    if not own.polling and not settings.public:
        yield Step("failed", NO_WEBHOOK)
        return
    http = TelegramHttp()
    try:
        bot = make_bot(own, http)
        me = await bot.get_me()
        yield Step("same", f"bot: @{me.username}")
        yield await _telegram_webhook(bot, own, settings.public_url, telegram_secret(vault))
        for step in await _telegram_words(bot, texts):
            yield step
    except TelegramError as error:
        yield Step("failed", said_by_telegram(error))
    finally:
        await http.shutdown()


NO_WEBHOOK: Final = (
    "Telegram's webhook needs SALA_PUBLIC_URL, the https address people use. Without one, set "
    "SALA_TELEGRAM=polling."
)


def is_no(error: TelegramError) -> bool:
    """Whether Telegram refuses the token."""
    return isinstance(error, InvalidToken | Forbidden)


def said_by_telegram(error: TelegramError) -> str:
    """Why Telegram did not do it, in plain words. (An error's own text may hold the token.)"""
    if is_no(error):
        return "Telegram does not know this token: copy SALA_TELEGRAM_TOKEN from @BotFather again."
    if isinstance(error, TooFast):
        return "Telegram is asked too often. Try again later (names change a few times a day)."
    if isinstance(error, Conflict):
        return "Telegram says that another program uses this bot: end that one."
    return f"Telegram did not do it ({type(error).__name__}). Try again in a minute."


async def _telegram_webhook(bot: Bot, own: TelegramSettings, home: str, secret: str) -> Step:
    before, wanted = await bot.get_webhook_info(), f"{home}/telegram"
    if own.polling:
        if before.url:
            await telegram_setup.drop_webhook(bot)
        return Step("made" if before.url else "same", "no webhook: updates are polled")
    # The same again is told too: Telegram does not say which secret it holds.
    await telegram_setup.set_webhook(bot, wanted, secret)
    return Step("same" if is_webhook(before, wanted) else "made", f"webhook: {wanted}")


def is_webhook(info: WebhookInfo, url: str) -> bool:
    """Whether this webhook posts the right updates to this address."""
    return bool(info.url == url and set(info.allowed_updates or ()) == set(ALLOWED))


async def _telegram_words(bot: Bot, texts: Texts) -> list[Step]:
    steps = []
    for part, words in [("commands", "commands"), ("about", "name and descriptions")]:
        told = await untold(bot, texts, part)
        if told and part == "commands":
            await telegram_setup.set_commands(bot, texts)
        elif told:
            await telegram_setup.set_about(bot, texts)
        steps.append(Step("made" if told else "same", f"{words} in {', '.join(LANGUAGES)}"))
    button = (await bot.get_chat_menu_button()).type == "commands"
    if not button:
        await telegram_setup.set_menu_button(bot)
    return [*steps, Step("same" if button else "made", "menu button: the commands")]


async def untold(bot: Bot, texts: Texts, part: str) -> Sequence[str]:
    """The languages in which Telegram shows other `commands`, or another `about`, than ours."""
    look = _shows_commands if part == "commands" else _shows_about
    places: list[tuple[Language | None, Language]] = [(None, "en"), *((o, o) for o in LANGUAGES)]
    return [code or "others" for code, one in places if not await look(bot, texts, code, one)]


async def _shows_commands(bot: Bot, texts: Texts, code: Language | None, one: Language) -> bool:
    shown = await bot.get_my_commands(language_code=code)
    return list(shown) == telegram_setup.commands(texts, one)


async def _shows_about(bot: Bot, texts: Texts, code: Language | None, one: Language) -> bool:
    shown = (
        (await bot.get_my_name(code)).name,
        (await bot.get_my_description(code)).description,
        (await bot.get_my_short_description(code)).short_description,
    )
    parts = ("name", "description", "short_description")
    return shown == tuple(texts.say(f"telegram.{part}", one) for part in parts)
