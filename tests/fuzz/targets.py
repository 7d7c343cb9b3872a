"""What the files are put to: every reader of data, with whole files of each form to start from."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Files = dict[str, bytes]


@dataclass(frozen=True)
class Target:
    """A reader.

    Arguments:
        make: whole files by name, each of which is changed in its turn.
        act: reads them from the folder where they lie.
        also: files that stay as they are.
    """

    make: Callable[[], Files]
    act: Callable[[Path], object]
    also: Callable[[], Files] = dict


TEXT = "The tide takes the sand; the wind takes the \u00e9cho.\nYes, he said.\n" * 8
SERIES = "@problemName tiny\n@timeStamps false\n@univariate false\n@dimensions 2\n@equalLength true\n@seriesLength 3\n"
SERIES += "@classLabel true a b\n@data\n" + "1,2.5,?:3,4e1,5:a\n-1,2,3:0,0,1:b\n" * 4


def _table(separator: str) -> bytes:
    rows = [("text", "label", "part"), *((f"good film {n}", ("pos", "neg")[n % 2], "train") for n in range(5))]
    rows += [('"bad; film"', "neg", "test"), ("a film", "pos", "test")] * 2
    return "".join(separator.join(row) + "\n" for row in rows).encode()


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _labelled(name: str) -> Callable[[Path], object]:
    from elman.data.text.classification import read_labelled_text

    return lambda folder: read_labelled_text(folder / name)


def _jsonl() -> Files:
    rows = [{"text": f"a film {n}", "label": n % 2} for n in range(8)]
    return {"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}


def _corpus(folder: Path) -> object:
    from elman.data.text.corpora import read_corpus
    from elman.data.text.vocabulary import Vocabulary

    train, validation = read_corpus([str(path) for path in sorted(folder.iterdir())], 0.2)
    return [Vocabulary.build(train, kind).encode(train) for kind in ("characters", "words")], validation


def _parallel(*names: str) -> Callable[[Path], object]:
    from elman.data.text.parallel import read_parallel

    return lambda folder: read_parallel([str(folder / name) for name in names], validation_share=0.3)


def _captions(name: str) -> Callable[[Path], object]:
    from elman.data.image.dataset import read_captioned

    def act(folder: Path) -> object:
        features = str(folder / "features.npz")
        return read_captioned(features, str(folder / name), "", lambda _: None, validation_share=0.3, seed=0)  # type: ignore[arg-type,return-value]

    return act


def _vectors() -> Files:
    names = np.array([f"{n}.jpg" for n in range(6)])
    return {"features.npz": _npz(names=names, features=np.eye(6, 4, dtype=np.float32), maker=np.array("x"))}


def _coco() -> Files:
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(6)]
    said = [{"id": n, "image_id": n % 6, "caption": f"A dog {n}."} for n in range(12)]
    return {"a.json": json.dumps({"images": images, "annotations": said}).encode()}


def _karpathy() -> Files:
    images = [
        {
            "filename": f"{n}.jpg",
            "split": "val" if n > 4 else "train",
            "sentences": [{"raw": f"A dog {n}.", "sentid": n}],
        }
        for n in range(6)
    ]
    return {"a.json": json.dumps({"images": images, "dataset": "x"}).encode()}


def _features(name: str) -> Callable[[Path], object]:
    from elman.data.image.features import read_features

    return lambda folder: read_features(folder / name)


def _safetensors() -> Files:
    from safetensors.numpy import save

    tensors = {f"{n}.jpg": np.eye(6, 4, dtype=np.float32)[n] for n in range(6)}
    return {"a.safetensors": save(tensors, {"maker": "squeezenet1.1"})}


def _sequences(name: str) -> Callable[[Path], object]:
    from elman.data.timeseries.classification import read_sequences

    return lambda folder: read_sequences(folder / name, interpolate=True, validation_share=0.3)


def _arrays() -> Files:
    x = np.arange(48.0).reshape(8, 3, 2)
    return {"a.npz": _npz(x=x, y=np.arange(8) % 2, lengths=np.full(8, 3), x_test=x[:2], y_test=np.array([0, 1]))}


def _sequence_folder() -> Files:
    rows = b"east,north\n1,2\n-3.5,4e1\n,6\n"
    return {f"{label}/{n}.csv": rows for label in ("a", "b") for n in range(3)}


def _idx() -> Files:
    raw = bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in (2, 3, 4)) + bytes(range(24))
    return {"a.gz": gzip.compress(raw, mtime=0)}


def _read_idx(folder: Path) -> object:
    from elman.data.io.idx import read_idx

    return read_idx(folder / "a.gz")


def _days() -> Any:
    import pandas as pd

    n = np.arange(80)
    times = pd.date_range("2020-01-01", periods=80).strftime("%Y-%m-%d")
    return pd.DataFrame({"time": times, "rain": n % 3, "sold": 5 + n % 7 + 0.25})


def _series_table() -> Files:
    return {"a.csv": _days().to_csv(index=False).encode()}


def _shops_table() -> Files:
    import pandas as pd

    shops = [_days().assign(shop=shop) for shop in ("007", "NA")]
    return {"a.csv": pd.concat(shops).to_csv(index=False, sep=";").encode()}


def _parquet() -> Files:
    return {"a.parquet": _days().to_parquet(index=False)}


def _forecasting(name: str, series_id: str = "") -> Callable[[Path], object]:
    from elman.data.timeseries.forecasting import Cutting, Reading, cut_and_scale, read_all_series

    def act(folder: Path) -> object:
        reading = Reading(
            time=("time",),
            target=("sold",),
            past=(),
            known=(),
            series_id=series_id,
            frequency="",
            missing="interpolate",
            date_order="auto",
            rows=0,
        )
        cutting = Cutting(
            transform="none",
            calendar=None,
            season=0,
            window=8,
            horizon=2,
            validation=0.2,
            test=0.2,
            split="times",
        )
        return cut_and_scale(read_all_series(folder / name, reading), cutting)

    return act


def _word_vectors(folder: Path) -> object:
    from elman.data.text.word_vectors import read_word_vectors

    return read_word_vectors(folder / "a.txt", ["the", "sea", ",", "tide"])


def _vocabulary(kind: str) -> Callable[[], Files]:
    def make() -> Files:
        from elman.data.text.vocabulary import Vocabulary

        special = ("<pad>", "<unk>", "<bos>", "<eos>")
        made = Vocabulary.build(TEXT, kind, 300 if kind == "bpe" else None, special=special, lowercase=kind == "bpe")  # type: ignore[arg-type]
        return {"v.json": made._tokenizer.to_str().encode()}

    return make


def _use_vocabulary(folder: Path) -> object:
    from elman.data.text.vocabulary import Vocabulary

    vocabulary = Vocabulary.load(folder / "v.json")
    ids = [*vocabulary.encode("the tide <pad>\n"), *range(min(5, len(vocabulary)))]
    return vocabulary.decode(ids), vocabulary.encode_lines(["sand", ""]), vocabulary.token_texts("the sand")


def _sound(form: str, subtype: str, channels: int = 1) -> Callable[[], Files]:
    def make() -> Files:
        import soundfile

        tone = np.sin(np.arange(1600) / 5) * np.linspace(0.2, 0.5, 1600)
        buffer = io.BytesIO()
        soundfile.write(buffer, np.stack([tone] * channels, axis=1), 8000, format=form, subtype=subtype)
        return {f"a.{form.lower()}": buffer.getvalue()}

    return make


def _hear(name: str) -> Callable[[Path], object]:
    from elman.data.audio.io import read_sound, sound_seconds

    return lambda folder: (sound_seconds(folder / name), read_sound(folder / name, 16_000))


def _recordings() -> Files:
    rows = [f"{n}.wav,word {n % 2},{'test' if n > 4 else 'train'},ann" for n in range(6)]
    return {"t.csv": "\n".join(["File,Transcript,part,speaker", *rows, ""]).encode()}


def _read_recordings(folder: Path) -> object:
    from elman.data.audio.recordings import read_recordings, without_long

    return without_long(read_recordings(folder, speaker="", validation_share=0.3), 5.0)


def _six_sounds() -> Files:
    (raw,) = _sound("WAV", "PCM_16")().values()
    return {f"{n}.wav": raw for n in range(6)}


def _picture(form: str, mode: str = "RGB") -> Callable[[], Files]:
    def make() -> Files:
        from PIL import Image

        buffer = io.BytesIO()
        noise = np.random.default_rng(0).integers(0, 255, (12, 10, 4), np.uint8)
        Image.fromarray(noise, "RGBA").convert(mode).save(buffer, form)
        return {f"a.{form.lower()}": buffer.getvalue()}

    return make


def _see(name: str) -> Callable[[Path], object]:
    from elman.data.image.io import read_picture

    return lambda folder: read_picture(folder / name)


def _settings() -> Files:
    from dataclasses import asdict

    import tomli_w

    from elman.tasks.sentiment import Settings

    table = {name: value for name, value in asdict(Settings()).items() if value is not None}
    return {"a.toml": tomli_w.dumps(table).encode()}


def _read_settings(folder: Path) -> object:
    from elman.tasks.sentiment import Settings
    from elman.training.run_folder import read_toml, settings_from

    table = read_toml(folder / "a.toml")
    table.pop("task", None)
    return settings_from(Settings, table, folder / "a.toml")


def readers() -> dict[str, Target]:
    """Every reader by name."""
    listed = b"".join(f"{n}.jpg#0\tA dog {n}, running.\n".encode() for n in range(6))
    captioned = (
        b"image,caption,split\n" + b"".join(f"{n}.jpg,A dog,train\n".encode() for n in range(5)) + b"5.jpg,x,val\n"
    )
    named = {f"{n}.jpg": 0 for n in range(6)}
    pairs = "en\tde\n" + "Yes\tJa\nThe sand\tDer Sand\n" * 4
    found = {
        "labelled csv": Target(lambda: {"a.csv": _table(",")}, _labelled("a.csv")),
        "labelled tsv": Target(lambda: {"a.tsv": _table("\t")}, _labelled("a.tsv")),
        "labelled csv.gz": Target(lambda: {"a.csv.gz": gzip.compress(_table(","), mtime=0)}, _labelled("a.csv.gz")),
        "labelled jsonl": Target(_jsonl, _labelled("a.jsonl")),
        "labelled folder": Target(
            lambda: {f"train/{c}/{n}.txt": f"a {c} {n}".encode() for c in "ab" for n in range(3)}, _labelled("")
        ),
        "text": Target(lambda: {"a.txt": TEXT.encode()}, _corpus),
        "text packed": Target(lambda: {"a.txt.gz": gzip.compress(TEXT.encode(), mtime=0)}, _corpus),
        "pairs tsv": Target(lambda: {"a.tsv": pairs.encode()}, _parallel("a.tsv")),
        "pairs in two files": Target(
            lambda: {"a.en": TEXT.encode(), "a.de.gz": gzip.compress(TEXT.upper().encode(), mtime=0)},
            _parallel("a.en", "a.de.gz"),
        ),
        "captions csv": Target(lambda: {"a.csv": captioned}, _captions("a.csv"), _vectors),
        "captions list": Target(lambda: {"a.txt": listed}, _captions("a.txt"), _vectors),
        "captions coco": Target(_coco, _captions("a.json"), _vectors),
        "captions karpathy": Target(_karpathy, _captions("a.json"), _vectors),
        "features npz": Target(_vectors, _features("features.npz")),
        "features npy": Target(
            lambda: {"a.npy": _npy(np.eye(6, 4)), "a.names.txt": "\n".join(named).encode(), "a.maker.txt": b"x\n"},
            _features("a.npy"),
        ),
        "features safetensors": Target(_safetensors, _features("a.safetensors")),
        "sequences ts": Target(lambda: {"a.ts": SERIES.encode()}, _sequences("a.ts")),
        "sequences npz": Target(_arrays, _sequences("a.npz")),
        "sequences csv": Target(_sequence_folder, _sequences("")),
        "idx": Target(_idx, _read_idx),
        "series csv": Target(_series_table, _forecasting("a.csv")),
        "series of shops": Target(_shops_table, _forecasting("a.csv", "shop")),
        "series parquet": Target(_parquet, _forecasting("a.parquet")),
        "word vectors": Target(lambda: {"a.txt": b"3 2\nthe 1 2.5\nsea -1e-3 0\n, 0 1\n"}, _word_vectors),
        "recordings": Target(_recordings, _read_recordings, _six_sounds),
        "settings": Target(_settings, _read_settings),
    }
    for kind in ("characters", "words", "bpe"):
        found[f"vocabulary {kind}"] = Target(_vocabulary(kind), _use_vocabulary)
    for form, subtype, channels in (
        *(
            ("WAV", "PCM_16", 1),
            ("WAV", "FLOAT", 2),
            ("WAV", "ULAW", 1),
            ("WAV", "IMA_ADPCM", 1),
            ("FLAC", "PCM_16", 2),
        ),
        *(("OGG", "VORBIS", 1), ("AIFF", "PCM_24", 1)),
    ):
        found[f"sound {form} {subtype}"] = Target(_sound(form, subtype, channels), _hear(f"a.{form.lower()}"))
    for form, mode in (("PNG", "RGBA"), ("JPEG", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("WEBP", "RGB"), ("TIFF", "L")):
        found[f"picture {form}"] = Target(_picture(form, mode), _see(f"a.{form.lower()}"))
    return found
