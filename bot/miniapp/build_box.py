"""Makes static/box.html, the one file that sees a picture, from its sources: so that it can be
read whole, pinned by one hash, and needs no bundler. Run with `python -m bot.miniapp.build_box`."""

import re
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).resolve().parent / "static"
SOURCES: Final = (
    "still.js", "pause.js", "pieces.js", "digests.js", "pdq.js", "lying.js", "sample.js",
    "pixels.js", "mild.js", "forms.js", "jpeg.js", "frame.js", "track.js", "film.js", "hashes.js",
    "box.js",
)  # fmt: skip


def build(static: Path = STATIC) -> str:
    """The frame as one page: template, style and all sources, their imports and exports removed."""
    code = "\n".join((static / name).read_text(encoding="utf-8") for name in SOURCES)
    code = re.sub(r"^import .*\n", "", code, flags=re.MULTILINE)
    code = re.sub(r"^export ", "", code, flags=re.MULTILINE)
    style = (static / "box.css").read_text(encoding="utf-8")
    page = (static / "box.template.html").read_text(encoding="utf-8")
    return page.replace("/* style */", style).replace("/* code */", code)


if __name__ == "__main__":
    (STATIC / "box.html").write_text(build(), encoding="utf-8")
