"""The vault's promises: what is sealed stays sealed, names are stable, keys are for their owner."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.vault import BadKeys, OpenToOthers, Unopened, Vault, load_or_make

VAULT = Vault.generate()


@given(st.text(), st.binary())
def test_what_is_sealed_for_a_place_opens_there(place: str, plain: bytes) -> None:
    assert VAULT.open(place, VAULT.seal(place, plain)) == plain


def test_what_is_sealed_does_not_open_in_another_place() -> None:
    sealed = VAULT.seal("case.number|01", b"canary")
    with pytest.raises(Unopened):
        VAULT.open("case.number|02", sealed)


@pytest.mark.parametrize("at", range(len(VAULT.seal("a", b"canary"))))
def test_a_changed_byte_anywhere_is_noticed(at: int) -> None:
    sealed = bytearray(VAULT.seal("a", b"canary"))
    sealed[at] ^= 1
    with pytest.raises(Unopened):
        VAULT.open("a", bytes(sealed))


@pytest.mark.parametrize("length", [0, 4, 5, 16, 32])
def test_what_is_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(Unopened):
        VAULT.open("a", VAULT.seal("a", b"canary")[:length])


def test_sealing_the_same_twice_shows_nothing_of_it() -> None:
    first, second = VAULT.seal("a", b"canary"), VAULT.seal("a", b"canary")
    assert first != second
    assert b"canary" not in first


def test_no_two_seals_share_their_nonce_however_many_are_made_by_several_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        sealed = list(threads.map(lambda _: VAULT.seal("a", b"canary"), range(2_000)))
    assert len({one[5:17] for one in sealed}) == len(sealed)


def test_another_vault_opens_nothing() -> None:
    with pytest.raises(Unopened):
        Vault.generate().open("a", VAULT.seal("a", b"canary"))


def test_keys_written_and_read_again_are_the_same_vault() -> None:
    again = Vault.from_keys(VAULT.to_keys())
    assert again.open("a", VAULT.seal("a", b"canary")) == b"canary"
    assert again.digest("x", b"1") == VAULT.digest("x", b"1")


def test_the_first_key_seals_and_all_open() -> None:
    old, new = Vault.generate(), Vault.generate()
    seal = next(line for line in new.to_keys().splitlines() if line.startswith("seal"))
    ring = Vault.from_keys(f"{seal}\n{old.to_keys()}")
    both = Vault.from_keys(old.to_keys() + seal)
    assert ring.open("a", old.seal("a", b"1")) == b"1"
    assert both.open("a", ring.seal("a", b"2")) == b"2"
    with pytest.raises(Unopened):
        old.open("a", ring.seal("a", b"3"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "pepper " + "A" * 43 + "=",
        VAULT.to_keys() + "pepper " + "A" * 43 + "=",
        VAULT.to_keys() + "seal AAAAAA== AAAA",
        VAULT.to_keys() + "seal AAAAAA==",
        VAULT.to_keys().replace("seal", "zeal"),
        "\ufffd\ufffd",
    ],
)
def test_what_is_not_a_key_file_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(BadKeys) as refused:
        Vault.from_keys(text)
    assert not text.strip() or text not in str(refused.value)


def test_a_digest_names_its_parts_and_where_they_end() -> None:
    names = [
        VAULT.digest("a", b"bc"),
        VAULT.digest("a", b"b", b"c"),
        VAULT.digest("ab", b"c"),
        VAULT.digest("a", b"bc", b""),
        VAULT.token("a", b"bc")[:16],
        Vault.generate().digest("a", b"bc"),
    ]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {16}
    assert VAULT.digest("a", b"bc") == names[0]


def test_a_token_is_32_bytes_and_repeats_itself() -> None:
    assert len(VAULT.token("a", b"b")) == 32
    assert VAULT.token("a", b"b") == VAULT.token("a", b"b")


def test_randoms_are_as_many_as_asked_and_new_each_time() -> None:
    assert len(VAULT.randoms(24)) == 24
    assert VAULT.randoms(24) != VAULT.randoms(24)


def test_a_stretched_secret_depends_on_secret_and_salt() -> None:
    stretched = VAULT.stretch(b"123456", b"salt")
    assert VAULT.same(stretched, VAULT.stretch(b"123456", b"salt"))
    assert not VAULT.same(stretched, VAULT.stretch(b"123457", b"salt"))
    assert not VAULT.same(stretched, VAULT.stretch(b"123456", b"tlas"))


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "sala.keys"
    first, made = load_or_make(path)
    again, made_again = load_or_make(path)
    assert (made, made_again) == (True, False)
    assert again.digest("a") == first.digest("a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["sala.keys"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_keys_that_others_can_read_are_refused_naming_the_mend(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "sala.keys"
    load_or_make(path)
    path.chmod(mode)
    with pytest.raises(OpenToOthers, match="chmod 600"):
        load_or_make(path)


def test_a_spoilt_key_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sala.keys"
    path.touch(0o600)
    with pytest.raises(BadKeys):
        load_or_make(path)
    assert path.read_bytes() == b""
