"""Sound: every format to one channel at one rate, whole and in pieces; spectra; strings joined on the fly."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from elman.data.audio.augmentation import Augmentation, Joiner, Perturbation
from elman.data.audio.frontend import FrontEnd, Listening
from elman.data.audio.io import Sound, read_sound, sound_pieces
from elman.data.audio.log_mel import LogMel, LogMelStream, cosines, retimed, stacked
from elman.data.audio.recordings import read_folder, read_recordings, without_long
from elman.data.scaling import Scaler
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


SCALER = Scaler(np.full(40, -3, np.float32), np.full(40, 2, np.float32))


@pytest.mark.parametrize(("scaler", "cepstra", "floor"), [(SCALER, 0, 0), (None, 0, 0), (None, 13, 0), (None, 13, 30)])
def test_a_file_read_in_pieces_is_the_file_read_whole(
    scaler: Scaler | None, cepstra: int, floor: float, tmp_path: Path
) -> None:
    sound = np.concatenate([tone(300, 1.3), tone(900, 1.9)])
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    front_end = FrontEnd(LogMel(RATE), 3, scaler, cepstra, floor)
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


def test_silence_at_both_ends_is_left_out_however_long_it_is(tmp_path: Path) -> None:
    said = np.concatenate([tone(300, 0.5), 0.3 * tone(900, 0.5)])
    hiss = (1e-4 * np.random.default_rng(0).standard_normal(3 * RATE)).astype(np.float32)
    front_end = FrontEnd(LogMel(RATE), 1, None, floor=35)
    short, long = (np.concatenate([hiss[:before], said, hiss[:1600]]) for before in (800, 3 * RATE))
    frames = front_end(long)
    assert front_end(short).shape == frames.shape
    np.testing.assert_allclose(front_end(short), frames, atol=1e-2)  # other noise at the edges
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    assert float(np.sqrt(np.square(frames).mean())) == pytest.approx(1, abs=2e-3)
    soundfile.write(tmp_path / "a.wav", long, RATE)
    listening = Listening(tmp_path / "a.wav", front_end)
    assert sum(len(piece) for piece in listening) == len(frames)
    assert 2.96 <= listening.begin <= 3.0  # a frame of 25 ms begins before what it holds


def test_a_long_recording_scaled_by_itself_takes_the_memory_of_a_short_one(tmp_path: Path) -> None:
    said, peaks = np.tile(np.concatenate([tone(300, 0.5), np.zeros(RATE // 2, np.float32)]), 60), []
    for minutes in (2, 8):
        soundfile.write(tmp_path / "a.wav", np.tile(said, minutes), RATE)
        listening = Listening(tmp_path / "a.wav", FrontEnd(LogMel(RATE), 3, None, 13, 35))
        tracemalloc.start()
        steps = sum(len(piece) for piece in listening)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert steps == pytest.approx(60 * minutes / 0.03, rel=0.01)
    assert peaks[1] < 1.5 * peaks[0]


def test_cepstra_are_the_cosine_transform() -> None:
    transform = cosines(20, 20)
    np.testing.assert_allclose(transform.T @ transform, np.eye(20), atol=1e-5)
    ripple = np.cos(np.pi * 3 * (np.arange(20) + 0.5) / 20).astype(np.float32)
    found = ripple @ cosines(20, 5)
    assert found.argmax() == 3
    np.testing.assert_allclose(np.delete(found, 3), 0, atol=1e-5)


def test_a_longer_vocal_tract_lowers_what_is_heard() -> None:
    heard = {stretch: LogMel(RATE, stretch=stretch)(tone(1000, 0.2))[5].argmax() for stretch in (0.85, 1.0, 1.15)}
    mels = [2595 * np.log10(1 + 1000 / stretch / 700) for stretch in heard]
    highest = 2595 * np.log10(1 + 4000 / 700)
    assert list(heard.values()) == [round(mel / highest * 41) - 1 for mel in mels]
    for stretch in heard:
        assert (LogMel(RATE, stretch=stretch).filters.sum(axis=0) > 0).all()


def test_retimed_by_hand() -> None:
    frames = np.arange(6, dtype=np.float32)[:, None]
    assert retimed(frames, 1, 0, 0)[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert retimed(frames, 0.5, 0, 0)[:, 0] == pytest.approx(np.linspace(0, 5, 12))
    assert retimed(frames, 1, 2, -1)[:, 0].tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert retimed(frames[:1], 1.2, 0, 0)[:, 0].tolist() == [0]


def test_a_manner_follows_from_the_generator_and_keeps_its_bounds() -> None:
    variation = Augmentation(tract=0.1, tempo=0.2, ends=0.05)
    drawn = [variation.manner(np.random.default_rng(seed)) for seed in range(50)]
    assert drawn[7] == variation.manner(np.random.default_rng(7))
    for values, middle, most in zip(zip(*drawn, strict=True), (1, 1, 0, 0), (0.1, 0.2, 0.05, 0.05), strict=True):
        away = np.array(values) - middle
        assert most * 0.8 < away.max() <= most
        assert -most <= away.min() < -most * 0.8
    generator = np.random.default_rng(0)
    assert Augmentation().manner(generator) == Perturbation()
    assert generator.bit_generator.state == np.random.default_rng(0).bit_generator.state  # nothing was drawn


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        sound = tone(300, 0.2)
        sound[5] = value
        soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
        with pytest.raises(UserError, match=r"a\.wav is damaged: it has samples that are no numbers"):
            read_sound(tmp_path / "a.wav", RATE)


def test_stacking_fills_up() -> None:
    frames = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert stacked(frames, 2).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 8, 9]]


def test_strings_follow_from_the_seed() -> None:
    voices = [[(np.full(80, 0.1, np.float32), [1]), (np.full(160, 0.2, np.float32), [2, 3])]] * 2
    joiner = Joiner(voices, [9], 2, 4, RATE, pause=0.01, gain=0.0)
    first, said = joiner(np.random.default_rng(3), Augmentation())
    again, _ = joiner(np.random.default_rng(3), Augmentation())
    assert np.array_equal(first, again)
    other, _ = joiner(np.random.default_rng(4), Augmentation())
    assert len(other) != len(first)
    loud = float((first > 0.05).sum())
    assert loud == sum(80 if symbol == 1 else 160 for symbol in said if symbol in (1, 2))
    assert said.count(9) == sum(symbol in (1, 2) for symbol in said) - 1


def test_variation_changes_speed_and_loudness() -> None:
    sound = tone(500, 0.4)
    faster = [Augmentation(speed=0.2)(sound, np.random.default_rng(seed)) for seed in range(20)]
    assert {len(one) < len(sound) for one in faster} == {True, False}
    assert all(len(sound) / 1.2 - 1 <= len(one) <= len(sound) / 0.8 + 1 for one in faster)
    louder = Augmentation(gain=6)(sound, np.random.default_rng(0))
    assert np.allclose(louder / sound.max(), sound * louder.max() / sound.max() ** 2, atol=1e-4)
    assert Augmentation()(sound, np.random.default_rng(0)) is sound


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
    others = read_recordings(folder, speaker="", without="bob", validation_share=0.4)
    assert [one.speaker for one in others] == ["ann", "ann"]
    with pytest.raises(UserError, match="no speaker 'eve'; known are ann, bob"):
        read_recordings(folder, speaker="bob", without="eve", validation_share=0.4)
    with pytest.raises(UserError, match="no speaker 'eve'; known are ann, bob"):
        read_recordings(folder, speaker="eve", validation_share=0.4)
    kept, note = without_long(recordings, 2.0)
    assert [one.path.name for one in kept] == ["0.wav", "1.wav"]
    assert "2 of 4 recordings are longer than `max_seconds=2`" in note
