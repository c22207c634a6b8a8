"""What every command begins with: settings that can be used, and a Sala that is open."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click

from bot.app import Role, Sala, open_sala
from bot.settings import Settings, SettingsError, read_settings
from bot.store import StoreError
from bot.vault import VaultError


def usable_settings() -> Settings:
    """The settings, or the command ends and says what is wrong with them."""
    try:
        return read_settings()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def with_sala(
    settings: Settings,
    use: Callable[[Sala], Coroutine[Any, Any, None]],
    loops: Callable[[], asyncio.AbstractEventLoop] | None = None,
    role: Role = "whole",
) -> None:
    """Open Sala, use it, close it; keys or a database that cannot be used end the command."""

    async def work() -> None:
        async with open_sala(settings, role=role) as sala:
            await use(sala)

    try:
        with asyncio.Runner(loop_factory=loops) as runner:
            runner.run(work())
    except (VaultError, StoreError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        if error.filename is None:
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    except KeyboardInterrupt:
        sys.exit(130)
