"""Which way is open to whom: one table over who speaks, the age in the image, where it is.

The age that decides is the age IN the image, never the age today; unsure or unsaid counts as
under 18 (docs/decisions/0003-age-in-the-image.md).
"""

from typing import Final, Literal, get_args

Who = Literal[
    "self",  # the person shown
    "helped",  # the person shown, with a helper beside them
    "guardian",  # parent, guardian or trusted adult of a young person
    "friend",  # a minor who knows the person shown
    "adult_friend",  # someone who supports an adult
    "proxy",  # for someone who died, is unconscious or cannot act
    "holder",  # ex-partner or anyone else who holds or shared it
    "finder",  # no relation: came across it
]
ImageAge = Literal["under18", "adult", "unsure"]
Image = Literal["here", "theirs", "none"]
"""Where the image is: on this device; on the young person's own device, with them; not at hand."""

List = Literal["minors", "adults"]
Route = Literal[
    "minors_list",
    "adults_list",
    "guardian_on_their_device",
    "guardian_no_copy",
    "friend_no_copy",
    "holder_no_copy",
    "support_adult",
    "proxy_minor",
    "proxy_adult",
    "found",
    "no_image",
]

WHO: Final = get_args(Who)
IMAGE_AGES: Final = get_args(ImageAge)
IMAGES: Final = get_args(Image)

LIST_OF: Final[dict[Route, List]] = {
    "minors_list": "minors",
    "guardian_on_their_device": "minors",
    "adults_list": "adults",
}
"""The routes that end in hashing, and the list the hashes go to."""


def route(who: Who, age: ImageAge, image: Image) -> Route:
    """The one way open for this combination; `unsure` is treated as `under18`."""
    minor = age != "adult"
    match who:
        case "self" | "helped":
            if image == "none":
                return "no_image"
            return "minors_list" if minor else "adults_list"
        case "guardian" if minor:
            return "guardian_on_their_device" if image == "theirs" else "guardian_no_copy"
        case "friend" if minor:
            return "friend_no_copy"
        case "holder":
            return "holder_no_copy"
        case "proxy":
            return "proxy_minor" if minor else "proxy_adult"
        case "finder":
            return "found"
        case "adult_friend" if minor:
            return "guardian_no_copy"
        case _:
            return "support_adult"
