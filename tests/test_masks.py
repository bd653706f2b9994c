"""Masks: they cancel when, and only when, all participants answer the same plan, and hide everything until then."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
import struct
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_checks import CORE, OTHER_CORE, check_opened_keys_unmask_no_data, federation, masked
from numpy.typing import NDArray
from scipy import stats

from privacy.errors import ProtocolError
from privacy.secure_sum.masks import (
    CHECK_WORDS,
    MaskKey,
    MaskMismatch,
    Use,
    announced,
    cancel,
    check_keys,
    from_bytes,
    key_stream,
    mask,
    pair_key,
    to_bytes,
    unmask,
    words_of,
)


def some_values(names: Sequence[str], dim: int = 5) -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(len(names))
    return {name: rng.integers(-(1 << 58), 1 << 58, dim) for name in names}


@pytest.mark.parametrize("size", range(2, 9))
def test_masks_cancel(size: int) -> None:
    keys, hellos = federation(size)
    values = some_values(list(keys))
    assert np.array_equal(unmask(masked(values, keys, hellos)), sum(values.values()))


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3), min_size=2, max_size=4))
@settings(max_examples=25, deadline=None)
def test_sums_are_exact_modulo_two_to_the_64(numbers: list[list[int]]) -> None:
    keys, hellos = federation(len(numbers))
    values = {name: np.array(row, dtype=np.int64) for name, row in zip(keys, numbers, strict=True)}
    total = unmask(masked(values, keys, hellos)).tolist()
    assert total == [(sum(column) + 2**63) % 2**64 - 2**63 for column in zip(*numbers, strict=True)]


def test_the_order_of_arrival_does_not_matter() -> None:
    keys, hellos = federation(4)
    vectors = masked(some_values(list(keys)), keys, dict(reversed(hellos.items())))
    assert np.array_equal(unmask(vectors), unmask(vectors[::-1]))


@pytest.mark.parametrize(("size", "deceived"), [(2, 1), (3, 1), (3, 2), (5, 1), (5, 4)])
def test_holders_that_were_shown_different_plans_do_not_cancel(size: int, deceived: int) -> None:
    keys, hellos = federation(size)
    cores = dict.fromkeys(list(keys)[:deceived], OTHER_CORE)
    with pytest.raises(MaskMismatch):
        unmask(masked(some_values(list(keys)), keys, hellos, cores=cores))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_hello_shown_differently_to_one_holder_does_not_cancel(size: int) -> None:
    keys, hellos = federation(size)
    for changed, (_, public) in hellos.items():
        view = {**hellos, changed: ("e" * 64, public)}
        with pytest.raises(MaskMismatch):
            unmask(masked(some_values(list(keys)), keys, hellos, views={"holder-0": view}))


def test_another_key_in_the_middle_does_not_cancel() -> None:
    keys, hellos = federation(3)
    view = {**hellos, "holder-1": (hellos["holder-1"][0], MaskKey().public)}
    with pytest.raises(MaskMismatch):
        unmask(masked(some_values(list(keys)), keys, hellos, views={"holder-0": view}))


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_missing_participant_is_seen(size: int) -> None:
    keys, hellos = federation(size)
    vectors = masked(some_values(list(keys)), keys, hellos)
    for missing in range(size):
        with pytest.raises(MaskMismatch):
            unmask(vectors[:missing] + vectors[missing + 1 :])


def test_a_participant_counted_twice_is_seen() -> None:
    keys, hellos = federation(3)
    vectors = masked(some_values(list(keys)), keys, hellos)
    with pytest.raises(MaskMismatch):
        unmask([*vectors, vectors[0]])


def test_a_mask_mismatch_is_a_protocol_error() -> None:
    assert issubclass(MaskMismatch, ProtocolError)


def test_masked_vectors_look_like_noise_and_not_like_their_values() -> None:
    """Chi-square of bytes at every place of a word, at 1e-9 each: zeros and a constant look the same."""
    keys, hellos = federation(2)
    limit = stats.chi2.isf(1e-9, 255)
    for value in (0, 123_456_789):
        values = {name: np.full(50_000, value, dtype=np.int64) for name in keys}
        for vector in masked(values, keys, hellos):
            as_bytes = np.frombuffer(to_bytes(vector), dtype=np.uint8).reshape(-1, 8)
            for place in range(8):
                counts = np.bincount(as_bytes[:, place], minlength=256)
                expected = len(as_bytes) / 256
                assert float(np.sum((counts - expected) ** 2) / expected) < 1.2 * limit
            assert np.unique(vector).size == len(vector)


def test_the_uniformity_check_sees_small_values() -> None:
    counts = np.bincount(np.frombuffer(np.arange(50_000, dtype="<u8").tobytes(), dtype=np.uint8), minlength=256)
    expected = counts.sum() / 256
    assert float(np.sum((counts - expected) ** 2) / expected) > 1.2 * stats.chi2.isf(1e-9, 255)


def test_two_questions_of_one_run_have_unrelated_masks() -> None:
    """Else the difference of two answers would show the difference of the sums."""
    keys, hellos = federation(2)
    zero = np.zeros(1000, dtype=np.int64)
    one, other = (
        mask(zero, holder="holder-0", key=keys["holder-0"], hellos=hellos, core=core) for core in (CORE, OTHER_CORE)
    )
    assert np.intersect1d(one, other).size == 0
    assert np.unique(one - other).size == 1000 + CHECK_WORDS


def test_two_runs_have_fresh_keys() -> None:
    assert len({MaskKey().public for _ in range(50)}) == 50


#: X25519 public keys of small order (RFC 7748 curve and twist), little-endian, and their non-canonical spellings.
SMALL_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
]


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_points_of_small_order_are_refused(public: str) -> None:
    with pytest.raises(ProtocolError):
        MaskKey().shared_with(public)


def test_both_ends_share_one_secret() -> None:
    one, other = MaskKey(), MaskKey()
    assert one.shared_with(other.public) == other.shared_with(one.public)


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy], ids=lambda f: f.__name__)
def test_mask_keys_stay_in_memory(how: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        how(MaskKey())
    assert "private" in repr(MaskKey())


@pytest.mark.parametrize("length", [0, 7, 8, 15, 17, 24])
def test_vectors_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        from_bytes(bytes(length), 2)


def test_vectors_travel_as_little_endian_words() -> None:
    vector = np.array([1, 2**63, 2**64 - 1], dtype=np.uint64)
    assert to_bytes(vector) == struct.pack("<3Q", 1, 2**63, 2**64 - 1)
    assert np.array_equal(from_bytes(to_bytes(vector), 3), vector)


# --- the keystream against slow obvious code ---------------------------------------------------------------------


def _slow_hkdf(shared: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 with one block."""
    extracted = hmac.new(salt, shared, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def _slow_chacha20(key: bytes, blocks: int) -> bytes:
    """Keystream of ChaCha20 (RFC 8439) from block 0 with a zero nonce."""
    out = b""
    for counter in range(blocks):
        start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter, 0, 0, 0]
        x = list(start)

        def quarter(a: int, b: int, c: int, d: int, x: list[int] = x) -> None:
            for i, j, k, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[i] = (x[i] + x[j]) & 0xFFFFFFFF
                mixed = x[k] ^ x[i]
                x[k] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

        for _ in range(10):
            for place in range(4):
                quarter(place, place + 4, place + 8, place + 12)
            for place in range(4):
                quarter(place, 4 + (place + 1) % 4, 8 + (place + 2) % 4, 12 + (place + 3) % 4)
        out += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start, strict=True)))
    return out


SHARED = bytes(range(32))
LOW, HIGH = ("alpha", "1" * 64), ("beta", "2" * 64)


@pytest.mark.parametrize("use", ["data", "check"])
def test_the_keystream_is_hkdf_and_chacha20(use: Use) -> None:
    salt = hashlib.sha256(bytes.fromhex(LOW[1]) + bytes.fromhex(HIGH[1])).digest()
    info = b"cohortium/mask/v2\x00" + use.encode() + b"\x00" + bytes.fromhex(CORE) + b"\x00alpha\x00beta"
    key = _slow_hkdf(SHARED, salt, info)
    assert pair_key(SHARED, LOW, HIGH, CORE, use) == key
    assert to_bytes(key_stream(key, 20)) == _slow_chacha20(key, 3)[: 8 * 20]


@pytest.mark.parametrize("use", ["data", "check"])
def test_the_keystream_never_changes_between_releases(use: Use) -> None:
    """Golden: two holders that run different releases of the software must still cancel."""
    assert to_bytes(key_stream(pair_key(SHARED, LOW, HIGH, CORE, use), 3)).hex() == GOLDEN[use]


def test_a_masked_vector_never_changes_between_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden: which stream goes where. Check words are no longer a test of the data's masks, so this is."""
    keys, hellos = federation(3)
    monkeypatch.setattr(MaskKey, "shared_with", lambda self, public: SHARED)
    vectors = masked({name: np.array([1, -1], dtype=np.int64) for name in keys}, keys, hellos)
    assert [to_bytes(vector).hex() for vector in vectors] == GOLDEN_VECTORS


GOLDEN: dict[Use, str] = {
    "data": "6918f6dc8d77cee03d4fc2361e1855d3181d98bce70d05e1",
    "check": "830798cd88e581c58174c4621dab4cc01e54e271bf12d014",
}
GOLDEN_VECTORS = [
    "6f484d42918758e96b68395a32882a977ffff0c09cdfca76754d6571dd124f2f6a050864dfd9266910847926b60b8c5c",
    "be59d1499589baba0a2997c35417042921c656ee0b0d4dc95255670d9903b2329df6e8244208d55903261d6fc3db94c5",
    "d65de173d9eeec5b886e2fe27860d13f603ab8505713e8bf395d338189e9fe9df9030f77de1d043ded55696a8618dfdd",
]


@pytest.mark.parametrize(
    "changed",
    [
        (bytes(32), LOW, HIGH, CORE, "data"),
        (SHARED, ("alpha", "3" * 64), HIGH, CORE, "data"),
        (SHARED, ("alph", LOW[1]), HIGH, CORE, "data"),
        (SHARED, LOW, ("beta", "4" * 64), CORE, "data"),
        (SHARED, LOW, ("betb", HIGH[1]), CORE, "data"),
        (SHARED, LOW, HIGH, OTHER_CORE, "data"),
        (SHARED, HIGH, LOW, CORE, "data"),
        (SHARED, LOW, HIGH, CORE, "check"),
    ],
    ids=["secret", "low hello", "low name", "high hello", "high name", "core", "order", "use"],
)
def test_every_part_of_the_plan_is_in_the_key(changed: tuple) -> None:
    assert pair_key(*changed) != pair_key(SHARED, LOW, HIGH, CORE, "data")


# --- check words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 8])
def test_check_words_are_the_same_alone_and_behind_data_and_cancel(size: int) -> None:
    keys, hellos = federation(size)
    alone = {
        name: announced(to_bytes(mask(np.zeros(0, dtype=np.int64), holder=name, key=key, hellos=hellos, core=CORE)))
        for name, key in keys.items()
    }
    behind = masked(some_values(list(keys)), keys, hellos)
    assert list(alone.values()) == [announced(to_bytes(vector)) for vector in behind]
    assert cancel(alone.values())
    for name in keys:
        assert not cancel({**alone, name: "0" * 63 + "1"}.values())


def test_check_words_follow_from_the_keys_that_are_opened_and_from_nothing_else() -> None:
    keys, hellos = federation(4)
    vectors = dict(zip(keys, masked(some_values(list(keys)), keys, hellos), strict=True))
    opened = {name: check_keys(holder=name, key=key, hellos=hellos, core=CORE) for name, key in keys.items()}
    for name, own in opened.items():
        assert words_of(name, own) == announced(to_bytes(vectors[name]))
        for other, value in own.items():
            assert opened[other][name] == value
            assert words_of(name, {**own, other: "0" * 64}) != announced(to_bytes(vectors[name]))


def test_opened_keys_unmask_no_data() -> None:
    check_opened_keys_unmask_no_data()
