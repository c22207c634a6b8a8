"""`python -m bot` is `sala`."""

from bot.cli import main

main()
