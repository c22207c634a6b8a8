"""What a page asks of eyes and fingers, measured where it stands: WCAG's contrast, 44 pixels."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Frame, Page

FINE: Final = {"faint": [], "small": [], "cut": [], "wide": False}
_MEASURE: Final = Path(__file__).with_name("sight.js").read_text(encoding="utf-8")


def strain(shown: Page | Frame) -> dict[str, Any]:
    """The words that are too faint, what is too small for a finger or cut off, and whether
    it is all too wide."""
    measured: dict[str, Any] = shown.evaluate(_MEASURE)
    return measured
