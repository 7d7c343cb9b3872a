"""Sound: every format to one channel at one rate, whole and in pieces; spectra; strings joined on the fly."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from elman.data.audio import Sound, read_sound, sound_pieces
from elman.data.front_end import FrontEnd, Listening
from elman.data.joining import Joiner, Variation
from elman.data.recordings import read_folder, read_recordings, without_long
from elman.data.scaling import Scaler
from elman.data.spectrum import LogMel, LogMelStream, stacked
from elman.errors import UserError

RATE = 8000


def tone(frequency: float, seconds: float, rate: int = RATE) -> Sound:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "PCM_32"), ("a.wav", "FLOAT"), ("a.flac", "PCM_24")],
)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_every_format_gives_the_same_sound(name: str, subtype: str, rate: int, tmp_path: Path) -> None:
    both = np.stack([tone(440, 1.5, rate), np.zeros(int(1.5 * rate), np.float32)], axis=1)
    soundfile.write(tmp_path / name, both, rate, subtype=subtype)
    sound = read_sound(tmp_path / name, RATE)
    assert len(sound) == 12000
    np.testing.assert_allclose(sound[500:-500], tone(440, 1.5)[500:-500] / 2, atol=2e-3)
    pieces = list(sound_pieces(tmp_path / name, RATE))
    assert len(pieces) > 1
    assert np.array_equal(np.concatenate(pieces), sound)


def test_a_tone_lies_in_the_band_of_its_frequency() -> None:
    spectrum = LogMel(RATE)
    frames = spectrum(tone(1000, 0.5))
    assert frames.shape == ((4000 - 200) // 80 + 1, 40)
    mel = 2595 * np.log10(1 + 1000 / 700)
    highest = 2595 * np.log10(1 + 4000 / 700)
    assert frames[10].argmax() == round(mel / highest * 41) - 1


def test_frames_by_hand() -> None:
    spectrum = LogMel(RATE, bands=4)
    sound = np.random.default_rng(0).standard_normal(360).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 199)
    power = np.abs(np.fft.fft(sound[80:280] * window, 256)[:129]) ** 2
    np.testing.assert_allclose(spectrum(sound)[1], np.log(power @ spectrum.filters + 1e-6), rtol=1e-4)
    assert (spectrum.filters.max(axis=0) > 0.8).all()
    assert spectrum(sound[:50]).shape == (1, 4)  # filled up with silence


@pytest.mark.parametrize("cuts", [[100, 150, 4000], [3999], []])
def test_a_stream_gives_the_same_frames(cuts: list[int]) -> None:
    spectrum, sound = LogMel(RATE), tone(300, 0.7)
    stream = LogMelStream(spectrum)
    frames = [stream.push(piece) for piece in np.split(sound, cuts)]
    np.testing.assert_allclose(np.concatenate([*frames, stream.close()]), spectrum(sound), rtol=1e-5)


@pytest.mark.parametrize("scaler", [Scaler(np.full(40, -3, np.float32), np.full(40, 2, np.float32)), None])
def test_a_file_read_in_pieces_is_the_file_read_whole(scaler: Scaler | None, tmp_path: Path) -> None:
    sound = np.concatenate([tone(300, 1.3), tone(900, 1.9)])
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    front_end = FrontEnd(LogMel(RATE), 3, scaler)
    listening = Listening(tmp_path / "a.wav", front_end)
    steps = np.concatenate([piece.numpy() for piece in listening])
    np.testing.assert_allclose(steps, front_end(read_sound(tmp_path / "a.wav", RATE)), rtol=1e-4, atol=1e-4)
    assert listening.seconds == pytest.approx(3.2)
    assert len(listening.first) == (len(sound) - 200) // 80 + 1


def test_scaled_by_itself_a_recording_is_the_same_however_loud() -> None:
    sound = np.concatenate([tone(300, 0.5), 0.1 * tone(900, 0.5)])
    front_end = FrontEnd(LogMel(RATE), 1, None)
    frames = front_end(sound)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(front_end(sound * 0.01), frames, atol=1e-3)


def test_stacking_fills_up() -> None:
    frames = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert stacked(frames, 2).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 8, 9]]


def test_strings_follow_from_the_seed() -> None:
    voices = [[(np.full(80, 0.1, np.float32), [1]), (np.full(160, 0.2, np.float32), [2, 3])]] * 2
    joiner = Joiner(voices, [9], 2, 4, RATE, pause=0.01, gain=0.0)
    first, said = joiner(np.random.default_rng(3), Variation())
    again, _ = joiner(np.random.default_rng(3), Variation())
    assert np.array_equal(first, again)
    other, _ = joiner(np.random.default_rng(4), Variation())
    assert len(other) != len(first)
    loud = float((first > 0.05).sum())
    assert loud == sum(80 if symbol == 1 else 160 for symbol in said if symbol in (1, 2))
    assert said.count(9) == sum(symbol in (1, 2) for symbol in said) - 1


def test_variation_changes_speed_and_loudness() -> None:
    sound = tone(500, 0.4)
    faster = [Variation(speed=0.2)(sound, np.random.default_rng(seed)) for seed in range(20)]
    assert {len(one) < len(sound) for one in faster} == {True, False}
    assert all(len(sound) / 1.2 - 1 <= len(one) <= len(sound) / 0.8 + 1 for one in faster)
    louder = Variation(gain=6)(sound, np.random.default_rng(0))
    assert np.allclose(louder / sound.max(), sound * louder.max() / sound.max() ** 2, atol=1e-4)
    assert Variation()(sound, np.random.default_rng(0)) is sound


def write_folder(folder: Path, rows: list[str], header: str = "file,transcript") -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", tone(200 + 100 * number, 0.3 + number), RATE)
    (folder / "said.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_a_folder_with_speakers_and_parts(tmp_path: Path) -> None:
    rows = ["0.wav,007,ann,train", "1.wav,one,bob,test", "2.wav,two  three,ann,validation", "3.wav,four,bob,"]
    folder = write_folder(tmp_path / "f", rows, "file,transcript,speaker,part")
    recordings = read_folder(folder)
    assert [one.transcript for one in recordings] == ["007", "one", "two three", "four"]
    assert [one.part for one in recordings] == ["train", "test", "validation", "train"]
    by_speaker = read_recordings(folder, speaker="bob", validation_share=0.4)
    assert sorted(one.part for one in by_speaker) == ["test", "test", "train", "validation"]
    assert {one.speaker for one in by_speaker if one.part == "test"} == {"bob"}
    with pytest.raises(UserError, match="no speaker 'eve'; known are ann, bob"):
        read_recordings(folder, speaker="eve", validation_share=0.4)
    kept, note = without_long(recordings, 2.0)
    assert [one.path.name for one in kept] == ["0.wav", "1.wav"]
    assert "2 of 4 recordings are longer than --max-seconds 2" in note
