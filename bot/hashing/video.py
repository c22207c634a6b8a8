"""The stills of a video, as the mini-app's page takes them (`film.js`, docs/hashing.md).

Loading PyAV takes 20 MB, so this is loaded where there is a video, and in no other place.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import BinaryIO, Final

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from bot.cases.hashes import MAX_FRAMES, MIN_QUALITY, Hash
from bot.hashing.errors import ImageError, NotAnImage, TooLarge
from bot.hashing.kinds import is_matroska
from bot.hashing.pdq import distance, luma, waves
from bot.hashing.sample import Rgb, nearest

LEAST: Final = 8
EVERY: Final = 2
"""Seconds between stills, where the limits allow."""
ALIKE: Final = 16
"""Bits; a still nearer to one already kept adds nothing."""
PIXELS: Final = 10_000_000
"""Of one picture of a video, which is more than 4K."""
DECODERS: Final = ("h264", "hevc", "vp8", "vp9", "libdav1d", "mpeg4", "h263")
_HIGH: Final = 720
"""From so many lines on a video that does not name its colours has those of HD."""
_NO_COLOURS: Final = 2


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A still: its place in the video, when its picture is shown, and the whole picture before it
    from which it can be decoded. Times are the stream's own."""

    place: int
    at: int
    key: int


def stills(file: BinaryIO, pixels: int | None = None) -> tuple[Hash, ...]:
    """PDQ of pictures evenly over a video's length, upright, none of a quality under 50 or like an
    earlier one. Of a damaged video, those that could be seen.

    When more than `pixels` would have to be decoded for them, the nearest earlier pictures that
    are whole in themselves stand in for them. NotAnImage, TooLarge.
    """
    kept: list[Hash] = []
    with _opened(file) as (film, stream):
        shown = _shown(film, stream)
        wanted = _wanted(film, stream, shown)
        if pixels is not None and _costs(wanted, shown) * _area(stream) > pixels:
            wanted = [_Wanted(one.place, one.key, one.key) for one in wanted]
        for key, these in groupby(wanted, lambda one: one.key):
            for place, frame in _seen(film, stream, key, list(these)):
                _keep(kept, place, upright(frame))
    return tuple(kept)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The video, to be decoded in this thread by one of DECODERS.

    Whatever goes wrong with it is an ImageError: given a broken file, a decoder raises anything.
    """
    file.seek(0)
    form = "matroska" if is_matroska(file.read(4)) else "mov"
    file.seek(0)
    try:
        allowed = {"codec_whitelist": ",".join(DECODERS)}
        film = av.open(file, "r", format=form, options=allowed, metadata_errors="ignore")
        with closing(film):
            stream = film.streams.best("video")
            if not isinstance(stream, VideoStream) or stream.codec_context.name not in DECODERS:
                raise NotAnImage
            if _area(stream) > PIXELS:
                raise TooLarge
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(PIXELS)}
            yield film, stream
    except ImageError:
        raise
    except MemoryError:
        raise TooLarge from None
    except Exception:
        raise NotAnImage from None


def _area(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height


def _shown(film: InputContainer, stream: VideoStream) -> dict[int, bool]:
    """When its pictures are shown, in order, and which of them are whole in themselves."""
    found: dict[int, bool] = {}
    with suppress(av.FFmpegError):  # torn: what was found until then
        for packet in film.demux(stream):
            if packet.pts is not None and packet.size:
                found[packet.pts] = packet.is_keyframe
    if not any(found.values()):
        raise NotAnImage
    return dict(sorted(found.items()))


def _wanted(film: InputContainer, stream: VideoStream, shown: dict[int, bool]) -> Sequence[_Wanted]:
    """The stills; one that would be the same picture as the one before is left out."""
    unit = stream.time_base or Fraction(1, av.time_base)
    times, keys = list(shown), [at for at, is_key in shown.items() if is_key]
    began = Fraction(film.start_time or 0, av.time_base)
    ends = 2 * times[-1] - times[-2] if len(times) > 1 else times[-1] + 1
    length = Fraction(film.duration, av.time_base) if film.duration else ends * unit - began
    count = min(MAX_FRAMES, max(LEAST, math.ceil(length / EVERY)))
    found: dict[int, _Wanted] = {}
    for k in range(count):
        moment = (began + (k + Fraction(1, 2)) * length / count) / unit
        at = _latest(times, moment)
        found.setdefault(at, _Wanted(k + 1, at, _latest(keys, at)))
    return list(found.values())


def _latest(times: Sequence[int], moment: Fraction | int) -> int:
    """The last of these times until a moment, or else the first."""
    return times[max(0, bisect_right(times, moment) - 1)]


def _costs(wanted: Sequence[_Wanted], shown: dict[int, bool]) -> int:
    """How many pictures must be decoded for these."""
    times = list(shown)
    last = {one.key: one.at for one in wanted}
    return sum(bisect_right(times, at) - bisect_right(times, key) + 1 for key, at in last.items())


def _seen(
    film: InputContainer, stream: VideoStream, key: int, wanted: list[_Wanted]
) -> Iterator[tuple[int, VideoFrame]]:
    """The pictures that are decoded from this whole one on, as far as they can be."""
    with suppress(av.FFmpegError):
        film.seek(key, stream=stream)
        for frame in film.decode(stream):
            while wanted and frame.pts is not None and frame.pts >= wanted[0].at:
                yield wanted.pop(0).place, frame
            if not wanted:
                return


def upright(frame: VideoFrame) -> Rgb:
    """The pixels of a picture, turned as a phone's video says."""
    if frame.width * frame.height > PIXELS:
        raise TooLarge
    plainly = frame.colorspace == _NO_COLOURS and frame.height >= _HIGH
    colours = Colorspace.ITU709 if plainly else None
    rgb = frame.to_ndarray(format="rgb24", src_colorspace=colours, threads=1)
    turned: Rgb = np.rot90(rgb, round(frame.rotation / 90))
    return turned


def _keep(kept: list[Hash], place: int, rgb: Rgb) -> None:
    seen = waves(luma(nearest(rgb, 512)))
    if seen.quality < MIN_QUALITY:
        return
    value = seen.hex()
    if all(distance(one.value, value) > ALIKE for one in kept):
        kept.append(Hash("pdq", f"frame-{place}", value, seen.quality))
