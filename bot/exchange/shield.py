"""Looking PDQ codes up at Project Arachnid's Shield (C3P), for a hotline's own work.

Shield takes pictures, addresses and PDQ codes; a look-up by SHA-1 or SHA-256 there is none. Only
PDQ codes are asked about here, only by an operator's command, and none of Sala's own database:
nobody who registered a picture was told of it. The SDK is installed with `sala-bot[shield]`.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Final

from bot.exchange.upward import BadAnswer
from bot.settings import ServiceSettings

AT_ONCE: Final = 100


class NotInstalled(Exception):
    """The SDK is not there."""


class NotLookedUp(Exception):
    """Shield refused, or did not answer; the text is a class of error."""


def look_up(service: ServiceSettings, codes: Sequence[str]) -> list[str]:
    """What Shield calls each of these PDQ codes (hex): `csam`, `no-known-match`…, in their order.

    NotInstalled, NotLookedUp, BadAnswer.
    """
    try:
        from arachnid_shield_sdk import ArachnidShield  # noqa: PLC0415  # an extra
        from arachnid_shield_sdk.models import ScanMediaFromPdq  # noqa: PLC0415  # as above
        from httpx import Client, HTTPError  # noqa: PLC0415  # the SDK's
    except ImportError:
        raise NotInstalled from None

    class At(ArachnidShield):  # its own address is read once, at import
        """Shield at the address that is set."""

        base_url = service.address.rstrip("/") + "/"

    user, password = service.keys
    shield, said = At(username=user, password=password), dict[str, str]()
    try:
        for some in _parts([_named(one) for one in codes]):
            found = shield.scan_pdq_hashes(ScanMediaFromPdq(hashes=list(some))).scanned_hashes
            said |= {name: str(one.classification) for name, one in found.items()}
        return [said[_named(one)] for one in codes]
    except HTTPError as error:
        raise NotLookedUp(type(error).__name__) from None
    except (ValueError, KeyError, AttributeError, TypeError):
        raise BadAnswer("v1/pdq") from None
    finally:
        for one in vars(shield).values():
            if isinstance(one, Client):  # which the SDK leaves open
                one.close()


def _named(code: str) -> str:
    """A code as Shield takes it: base 64."""
    return b64encode(bytes.fromhex(code)).decode()


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]
