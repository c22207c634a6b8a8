"""How LINE and Telegram see this installation, for `sala doctor`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from telegram import Bot, WebhookInfo
from telegram.error import TelegramError

from bot.channels.line_account import LineAccount
from bot.channels.line_api import Quota, Refused
from bot.channels.line_setup import try_webhook
from bot.channels.line_wire import alias
from bot.channels.telegram_http import TelegramHttp, make_bot
from bot.conversation.model import LANGUAGES
from bot.finding import Finding, good, note, or_good, wrong
from bot.settings import LineSettings, Settings, TelegramSettings
from bot.setup import (
    is_no,
    is_webhook,
    liff_apps,
    liff_faults,
    login_token,
    said,
    said_by_telegram,
    tried_badly,
    untold,
    webhook,
)
from bot.text import Texts

SCARCE: Final = 0.2
"""The part of the month's messages below which it is time to know."""
RECENT: Final = timedelta(hours=1)
MANY: Final = 100
AGAIN_LINE: Final = "Run: sala setup line"
AGAIN_TELEGRAM: Final = "Run: sala setup telegram"

# ---------------------------------------------------------------- LINE


async def line(settings: Settings, own: LineSettings, login_secret: str) -> list[Finding]:
    """The token, the month's messages, webhook and menus, and the LIFF app."""
    api = LineAccount(own.token, own.api)
    endpoint = f"{settings.public_url}/line/app"
    try:
        left = _quota(await api.quota())  # the first call tells whether the token is good
        found = [good("LINE", "the token is valid"), left]
        found += await _line_webhook(api, f"{settings.public_url}/line")
        found += await _menus(api)
        return [*found, *await _liff(own, login_secret, endpoint)]
    except Refused as refused:
        mend = "Messaging API → Channel access token → Issue; copy it to SALA_LINE_TOKEN."
        return [wrong("LINE", said(refused), mend if refused.outcome == "refused" else _LATER)]
    finally:
        await api.close()


_RENEW: Final = "@BotFather → /mybots → API Token; copy it to SALA_TELEGRAM_TOKEN."
_LATER: Final = "Look whether this machine reaches the internet, and try again."


def _quota(quota: Quota) -> Finding:
    about = "LINE messages"
    if quota.limit is None:
        return good(about, f"{quota.used} this month, without a limit")
    left = max(0, quota.limit - quota.used)
    words = f"{left} of {quota.limit} are left this month"
    mend = "Take a larger plan: manager.line.biz → Settings → Subscription."
    if not left:
        wait = "updates wait until the person writes (answers cost nothing)."
        return wrong(about, f"{words}: {wait}", mend)
    return note(about, f"{words}.", mend) if left < SCARCE * quota.limit else good(about, words)


async def _line_webhook(api: LineAccount, url: str) -> list[Finding]:
    about, found = "LINE webhook", []
    told = await webhook(api)
    if told.url != url:
        return [wrong(about, f"is {told.url or 'not set'}, not {url}.", AGAIN_LINE)]
    if not told.active:
        mend = "In the console: Messaging API → Use webhook: on."
        found.append(wrong(about, "is switched off: nobody is answered.", mend))
    tried = await try_webhook(api)
    if not tried.good:
        mend = "journalctl -u sala shows what Sala saw; the web server's log, what came before."
        found.append(wrong(about, tried_badly(tried.status), mend))
    return or_good(found, about, f"{url}, on, and LINE reached it")


async def _menus(api: LineAccount) -> list[Finding]:
    known = await api.aliases()
    missing = [one for one in LANGUAGES if alias(one) not in known]
    if missing:
        return [wrong("LINE menus", f"none in {', '.join(missing)}.", AGAIN_LINE)]
    return [good("LINE menus", "in " + ", ".join(LANGUAGES))]


async def _liff(own: LineSettings, secret: str, endpoint: str) -> list[Finding]:
    about = "LIFF app"
    if not own.liff:
        words = "none: the page that makes the codes opens by a link, in the phone's browser."
        return [note(about, words, "sala setup line --login-channel ID makes one.")]
    if not secret:
        words = "its size and scope were not looked at: this needs the LINE Login channel's secret."
        return [note(about, words, "Give it for once: SALA_LINE_LOGIN_SECRET=… sala doctor")]
    try:
        return await _looked_at(own, secret, endpoint)
    except Refused as refused:
        mend = "Look up id and secret of the LINE Login channel (Basic settings)."
        return [wrong(about, said(refused), mend if refused.outcome == "refused" else _LATER)]


async def _looked_at(own: LineSettings, secret: str, endpoint: str) -> list[Finding]:
    about = "LIFF app"
    mend = f"sala setup line --login-channel {own.login_channel}"
    login = LineAccount(await login_token(own.login_channel, secret, own.api), own.api)
    try:
        apps = [one for one in await liff_apps(login) if one.liff_id == own.liff]
    finally:
        await login.close()
    if not apps:
        return [wrong(about, "SALA_LINE_LIFF is not an app of this LINE Login channel.", mend)]
    faults = liff_faults(apps[0], endpoint)
    return or_good(
        [wrong(about, f"{one}.", mend) for one in faults], about, "tall, and asks for openid alone"
    )


# ---------------------------------------------------------------- Telegram


async def telegram(
    settings: Settings, own: TelegramSettings, texts: Texts, now: datetime
) -> list[Finding]:
    """The token, the webhook and what went wrong with it, and the words in three languages."""
    http = TelegramHttp()
    try:
        bot = make_bot(own, http)
        me = await bot.get_me()
        found = [good("Telegram", f"the token is valid, of @{me.username}")]
        if me.can_join_groups:
            words = "the bot can be added to groups, where others would read along."
            found.append(note("Telegram", words, "@BotFather → /setjoingroups → Disable"))
        info = await bot.get_webhook_info()
        url = "" if own.polling else f"{settings.public_url}/telegram"
        good_way = "is off: updates are polled" if own.polling else f"{url}, without errors"
        found += or_good(_telegram_webhook(info, url, now), "Telegram webhook", good_way)
        return [*found, *await _telegram_words(bot, texts)]
    except TelegramError as error:
        return [wrong("Telegram", said_by_telegram(error), _RENEW if is_no(error) else _LATER)]
    except (TypeError, ValueError, LookupError, AttributeError):  # from the library's models
        words = "the answer is not as the Bot API says: something else answers in its place."
        return [wrong("Telegram", words, "Look at SALA_TELEGRAM_API and at what is in between.")]
    finally:
        await http.shutdown()


def _telegram_webhook(info: WebhookInfo, url: str, now: datetime) -> Iterator[Finding]:
    about = "Telegram webhook"
    if not url:
        if info.url:
            yield wrong(about, f"is {info.url}: polling gets nothing.", AGAIN_TELEGRAM)
        return
    if not is_webhook(info, url):
        words = f"is {info.url or 'not set'}, or for other updates, not {url}."
        yield wrong(about, words, AGAIN_TELEGRAM)
        return
    if info.last_error_date and now - info.last_error_date < RECENT:
        minutes = round((now - info.last_error_date).total_seconds() / 60)
        words = f"failed {minutes} minutes ago: {info.last_error_message}"
        mend = "403: sala setup telegram. Else look at the web server, its certificate, and Sala."
        yield wrong(about, words, mend)
    if info.pending_update_count > MANY:
        words = f"{info.pending_update_count} updates wait at Telegram: people are not answered."
        yield wrong(about, words, "Start Sala; look at the web server's log.")


async def _telegram_words(bot: Bot, texts: Texts) -> list[Finding]:
    found = []
    for part, words in [("commands", "commands"), ("about", "name and descriptions")]:
        missing = await untold(bot, texts, part)
        if missing:
            told = f"{words} are not ours in: {', '.join(missing)}."
            found.append(wrong("Telegram words", told, AGAIN_TELEGRAM))
    return or_good(found, "Telegram words", "in " + ", ".join(LANGUAGES))
