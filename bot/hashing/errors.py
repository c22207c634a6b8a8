"""Why a file gives no hashes.

ImageError > NotAnImage, Empty, TooLarge, TooPlain > Framed, Ended, NotHeld. None carries anything
of the file, nor its name.
"""


class ImageError(Exception):
    """The file gives no hashes."""


class NotAnImage(ImageError):
    """Not readable, or neither a picture in FORMATS nor a video in MP4, MOV or WebM."""


class Empty(ImageError):
    """The file has no bytes."""


class TooLarge(ImageError):
    """More bytes or pixels than are read."""


class TooPlain(ImageError):
    """Too little detail (PDQ quality under 50) or a side under 5 pixels: never matched."""


class Framed(TooPlain):
    """Nearly all of it is an even margin, so its hash would fit other pictures in such a margin."""


class Ended(ImageError):
    """It was opened in the jail, and the decoder died of it; the text says how."""


class NotHeld(ImageError):
    """A video, which without a jail is opened only when somebody says so."""

    def __init__(self) -> None:
        super().__init__("this machine has no jail; --no-jail opens it without one")


def told(error: ImageError) -> str:
    """What an operator or partner reads of it."""
    return type(error).__name__ + (f": {error}" if error.args else "")
