"""The headers that hold the page in: what it may load, whom it may talk to, who may frame it."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

TELEGRAM_WEB: Final = "https://web.telegram.org"

_POWERS: Final = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "clipboard-read", "clipboard-write",
    "display-capture", "encrypted-media", "fullscreen", "gamepad", "geolocation", "gyroscope",
    "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial",
    "storage-access", "usb", "xr-spatial-tracking",
)  # fmt: skip

COMMON: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _POWERS),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ALWAYS: Final = (
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)


def of_page(origins: Sequence[str], exit_url: str) -> dict[str, str]:
    """For the outer page: its own two files, the frame, two addresses to post to."""
    leave = urlsplit(exit_url)

    def each(path: str) -> str:
        return " ".join(origin + path for origin in origins)

    policy = (
        "default-src 'none'",
        f"script-src {each('/app/app.js')}",
        f"style-src {each('/app/style.css')}",
        "img-src data:",
        f"frame-src {each('/app/box.html')}",
        f"connect-src {each('/app/hashes')} {each('/app/pin')}",
        f"frame-ancestors {TELEGRAM_WEB}",
        *_ALWAYS,
    )
    return COMMON | {
        "Content-Security-Policy": "; ".join(policy),
        "Connection-Allowlist": f'(response-origin "{leave.scheme}://{leave.netloc}")',
        "Integrity-Policy": "blocked-destinations=(script)",
    }


def of_frame(origins: Sequence[str], page: str) -> dict[str, str]:
    """For the frame that sees the picture: its own text, and no network at all.

    `blob:` is how a chosen video is looked into: an address in the page's own memory.
    """
    policy = (
        "default-src 'none'",
        f"script-src {_pin('script', page)}",
        f"style-src {_pin('style', page)}",
        "media-src blob:",
        f"frame-ancestors {' '.join(origins)} {TELEGRAM_WEB}",
        "sandbox allow-scripts",
        *_ALWAYS,
    )
    return COMMON | {
        "Content-Security-Policy": "; ".join(policy),
        "Connection-Allowlist": "()",
        "Integrity-Policy": "blocked-destinations=(script)",
    }


def _pin(element: str, page: str) -> str:
    found = re.search(rf"<{element}[^>]*>(.*?)</{element}>", page, re.DOTALL)
    text = found.group(1) if found else ""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
