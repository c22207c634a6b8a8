"""Sala for Meta's `threatexchange` library, its `tx` command and HMA: copy this one file.

The library's own class for StopNCII-like servers overlooks withdrawals, sends no opinions and
knows one address; this exchange does all three, and its signal type also finds a picture that was
mirrored or turned. Sala itself does not use it, and it imports nothing of Sala (docs/partners.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, ClassVar, Final

import numpy as np
import pdqhash
from PIL import Image
from threatexchange.exchanges import auth
from threatexchange.exchanges.clients.stopncii import api
from threatexchange.exchanges.collab_config import CollaborationConfigWithDefaults
from threatexchange.exchanges.fetch_state import FetchDelta, SignalOpinion, SignalOpinionCategory
from threatexchange.exchanges.impl import stop_ncii_api as stopncii
from threatexchange.exchanges.signal_exchange_api import SignalExchangeAPIWithSimpleUpdates
from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest
from threatexchange.signal_type.md5 import VideoMD5Signal
from threatexchange.signal_type.pdq.pdq_index import PDQIndex
from threatexchange.signal_type.pdq.signal import PdqSignal
from threatexchange.signal_type.signal_base import SignalType

Key = tuple[str, str]
_SIGNALS: Final = {
    api.StopNCIISignalType.ImagePDQ: PdqSignal.get_name(),
    api.StopNCIISignalType.VideoMD5: VideoMD5Signal.get_name(),
}
_GONE: Final = (api.StopNCIICaseStatus.Withdrawn, api.StopNCIICaseStatus.Deleted)
_ANSWERS: Final = {
    SignalOpinionCategory.POSITIVE_CLASS: api.StopNCIICSPFeedbackValue.Blocked,
    SignalOpinionCategory.NEGATIVE_CLASS: api.StopNCIICSPFeedbackValue.NotBlocked,
    SignalOpinionCategory.INVESTIGATION_SEED: api.StopNCIICSPFeedbackValue.PendingReview,
}


@dataclass
class SalaCollabConfig(CollaborationConfigWithDefaults):
    """One collaboration with one Sala, at an address of its own."""

    api: str = field(init=False, default="sala")
    url: str = field(default="", metadata={"help": "where Sala serves you: https://…/exchange/v1"})


@dataclass
class SalaCredentials(auth.CredentialHelper):
    """Keys by address: a line each, `URL,FETCH_KEY,SUBSCRIPTION_KEY,FEEDBACK_KEY`."""

    ENV_VARIABLE: ClassVar[str] = "TX_SALA_KEYS"
    FILE_NAME: ClassVar[str] = "~/.tx_sala_keys"

    keys: str = field(repr=False, metadata={"help": "a line each: URL,FETCH,SUBSCRIPTION,FEEDBACK"})

    @classmethod
    def _from_str(cls, s: str) -> "SalaCredentials":
        return cls(s)

    def _are_valid(self) -> bool:
        return bool(self.by_url()) and all(len(keys) == 3 for keys in self.by_url().values())

    def by_url(self) -> dict[str, list[str]]:
        """Keys go to the address they were given for and to no other."""
        lines = (line.strip().split(",") for line in self.keys.splitlines() if line.strip())
        return {url.rstrip("/"): keys for url, *keys in lines}


@dataclass
class SalaSignalMetadata(stopncii.StopNCIISignalMetadata):
    """What was said of a hash, and the listed hash itself: an opinion has to name it."""

    listed: str = ""

    def __str__(self) -> str:
        return f"{super().__str__().rstrip()} {self.listed}"


class SalaSignalExchangeAPI(
    auth.SignalExchangeWithAuth[SalaCollabConfig, SalaCredentials],
    SignalExchangeAPIWithSimpleUpdates[
        SalaCollabConfig, stopncii.StopNCIICheckpoint, SalaSignalMetadata
    ],
):
    """StopNCII's protocol with withdrawals heeded and opinions sent."""

    def __init__(self, client: api.StopNCIIAPI) -> None:
        super().__init__()
        self.api = client

    @classmethod
    def get_name(cls) -> str:
        """The API's name in `tx config collab edit`."""
        return "sala"

    @staticmethod
    def get_config_cls() -> type[SalaCollabConfig]:
        """A collaboration has an address."""
        return SalaCollabConfig

    @staticmethod
    def get_checkpoint_cls() -> type[stopncii.StopNCIICheckpoint]:
        """As for StopNCII: a time, stale after thirty days."""
        return stopncii.StopNCIICheckpoint

    @staticmethod
    def get_record_cls() -> type[SalaSignalMetadata]:
        """What is kept of a hash."""
        return SalaSignalMetadata

    @staticmethod
    def get_credential_cls() -> type[SalaCredentials]:
        """Keys by address."""
        return SalaCredentials

    @classmethod
    def for_collab(
        cls, collab: SalaCollabConfig, credentials: SalaCredentials | None = None
    ) -> "SalaSignalExchangeAPI":
        """The exchange at the collaboration's address, with the keys for that address."""
        url = collab.url.rstrip("/")
        known = (credentials or SalaCredentials.get(cls)).by_url()
        if url not in known:
            raise auth.SignalExchangeAPIInvalidAuthException(cls, "no keys for its address")
        fetch, subscription, feedback = known[url]
        answer = {api.StopNCIIEndpoint.SubmitFeedback: feedback}
        return cls(api.StopNCIIAPI(subscription, fetch, answer, base_url_override=url))

    def fetch_iter(
        self,
        _supported_signal_types: Sequence[type[SignalType]],
        checkpoint: stopncii.StopNCIICheckpoint | None,
    ) -> Iterator[FetchDelta[Key, SalaSignalMetadata, stopncii.StopNCIICheckpoint]]:
        """What changed since the checkpoint; a withdrawn hash comes as None, which removes it."""
        since = checkpoint.update_time if checkpoint else api.StopNCIIAPI.DEFAULT_START_TIME
        for page in self.api.fetch_hashes_iter(start_timestamp=since):
            updates = {
                (_SIGNALS[one.signalType], one.hashValue): None
                if one.hashStatus in _GONE
                else SalaSignalMetadata(one.CSPFeedbacks, one.hashValue)
                for one in page.hashRecords
                if one.signalType in _SIGNALS
            }
            yield FetchDelta(updates, stopncii.StopNCIICheckpoint.from_stopncii_fetch(page))

    @classmethod
    def naive_convert_to_signal_type(
        cls,
        signal_types: Sequence[type[SignalType]],
        collab: SalaCollabConfig,
        fetched: Mapping[Key, SalaSignalMetadata | None],
    ) -> dict[type[SignalType], dict[str, SalaSignalMetadata]]:
        """By signal type; every PDQ hash is also one that is found mirrored or turned."""
        found = super().naive_convert_to_signal_type(
            [*signal_types, *({PdqSignal} - set(signal_types))], collab, fetched
        )
        upright = found.get(PdqSignal)
        if upright and PdqTurnedSignal in signal_types:
            found[PdqTurnedSignal] = upright
        return {kind: found[kind] for kind in signal_types if kind in found}

    def report_opinion(self, s_type: type[SignalType], signal: str, opinion: SignalOpinion) -> None:
        """Send what you decided about a listed hash: the person waiting is told it.

        A tag that is the name of a feedback value decides (`tx label … -l NotBlocked`), because
        `tx label` has one opinion only.
        """
        named = [one for one in api.StopNCIICSPFeedbackValue if one.value in opinion.tags]
        value = named[0] if named else _ANSWERS[opinion.category]
        tags = {tag for tag in opinion.tags if tag != value.value}
        kind = api.StopNCIISignalType.ImagePDQ
        if s_type.get_name() == VideoMD5Signal.get_name():
            kind = api.StopNCIISignalType.VideoMD5
        self.api.submit_feedback(kind, s_type.validate_signal_str(signal.strip()), value, tags)


# ---------------------------------------------------------------- a picture any way up

_ODD = np.arange(16) % 2 == 0  # row and column n of the hash are of frequency n + 1
_MASKS: Final = (
    np.zeros((16, 16), bool), np.repeat(_ODD[:, None], 16, 1), np.repeat(_ODD[None, :], 16, 0),
    _ODD[:, None] ^ _ODD[None, :],
)  # fmt: skip


def turned(hash: str) -> list[str]:
    """The hash of a picture as it is, mirrored and turned: eight, the first is the hash itself.

    Mirroring negates the odd frequencies, turning swaps rows and columns; the median, which is
    nearly zero, is taken to be zero, so that up to a few bits differ from the picture's own.
    """
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(hash), np.uint8))[::-1].reshape(16, 16)
    kept = [bits.astype(bool) ^ mask for mask in _MASKS]
    return [_hex(one) for one in (*kept, *(one.T for one in kept))]


def _hex(bits: Any) -> str:
    return bytes(np.packbits(bits.ravel()[::-1])).hex()


class PdqTurnedIndex(PDQIndex[Any]):
    """Asks for all eight forms of a hash; the nearest distance of each entry counts."""

    def query(self, hash: str) -> list[Any]:
        """`hash` is one, or eight with spaces between; nothing matches an empty one."""
        forms = hash.split() if " " in hash else turned(hash) if hash else []
        found: dict[int, Any] = {}
        for form in forms:
            for match in super().query(form):
                old = found.get(id(match.metadata))
                if old is None or match.similarity_info < old.similarity_info:
                    found[id(match.metadata)] = match
        return list(found.values())


class PdqTurnedSignal(PdqSignal):
    """PDQ that also matches what was mirrored or turned by quarters, at the cost of eight looks."""

    @classmethod
    def get_name(cls) -> str:
        """Beside the library's own `pdq`."""
        return "pdq_turned"

    @classmethod
    def get_index_cls(cls) -> type[PdqTurnedIndex]:
        """An index that asks for all forms."""
        return PdqTurnedIndex

    @classmethod
    def validate_signal_str(cls, signal_str: str) -> str:
        """One hash, or the eight that a picture is asked for with."""
        return " ".join(PdqSignal.validate_signal_str(one) for one in signal_str.split(" "))

    @classmethod
    def hash_from_bytes(cls, bytes_: bytes) -> str:
        """The eight hashes of a picture with spaces between; empty below quality 50."""
        with Image.open(BytesIO(bytes_)) as picture:
            vectors, quality = pdqhash.compute_dihedral(np.asarray(picture.convert("RGB")))
        if quality < cls.QUALITY_THRESHOLD:
            return ""
        return " ".join(bytes(np.packbits(vector)).hex() for vector in vectors)


TX_MANIFEST = ThreatExchangeExtensionManifest(
    signal_types=(PdqTurnedSignal,), apis=(SalaSignalExchangeAPI,)
)
