"""What a bot is told once: its webhook, commands, name and words in three languages.

Each may be called again at any time; names and descriptions are only written where they differ,
because Telegram lets them change a few times a day.
"""

from typing import Final, cast, get_args

from telegram import Bot, BotCommand, MenuButtonCommands

from bot.channels.telegram_wire import ALLOWED
from bot.conversation.model import LANGUAGES, Command, Language
from bot.text import Texts

COMMANDS: Final = cast(tuple[Command, ...], get_args(Command))


def commands(texts: Texts, language: Language) -> list[BotCommand]:
    """The commands that the ear knows, told in this language."""
    return [BotCommand(name, texts.say(f"telegram.command.{name}", language)) for name in COMMANDS]


async def set_webhook(
    bot: Bot, url: str, secret: str, allowed_updates: tuple[str, ...] = ALLOWED
) -> None:
    """Let Telegram post updates to `url`, shown with `secret`. TelegramError."""
    await bot.set_webhook(url, secret_token=secret, allowed_updates=list(allowed_updates))


async def drop_webhook(bot: Bot) -> None:
    """Let updates wait for long polling, which a webhook forbids. TelegramError."""
    await bot.delete_webhook()


async def set_commands(bot: Bot, texts: Texts) -> None:
    """The commands in every language, and English for all others. TelegramError."""
    await bot.set_my_commands(commands(texts, "en"))
    for language in LANGUAGES:
        await bot.set_my_commands(commands(texts, language), language_code=language)


async def set_about(bot: Bot, texts: Texts) -> None:
    """Name, description and short description; English for all others. TelegramError."""
    for code, language in [(None, "en"), *((one, one) for one in LANGUAGES)]:
        await _name(bot, texts, language, code)
        await _descriptions(bot, texts, language, code)


async def set_menu_button(bot: Bot) -> None:
    """The menu button shows the commands. TelegramError."""
    await bot.set_chat_menu_button(menu_button=MenuButtonCommands())


async def _name(bot: Bot, texts: Texts, language: Language, code: Language | None) -> None:
    name = texts.say("telegram.name", language)
    if (await bot.get_my_name(code)).name != name:
        await bot.set_my_name(name, code)


async def _descriptions(bot: Bot, texts: Texts, language: Language, code: Language | None) -> None:
    long = texts.say("telegram.description", language)
    short = texts.say("telegram.short_description", language)
    if (await bot.get_my_description(code)).description != long:
        await bot.set_my_description(long, code)
    if (await bot.get_my_short_description(code)).short_description != short:
        await bot.set_my_short_description(short, code)
