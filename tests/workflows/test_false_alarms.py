"""From the ticks that a report page saves to the footage that they belong to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from crowdad.errors import DataError, OutputNotReadableError, SourceNotFoundError, UnreadableSourceError
from crowdad.sources import open_source
from crowdad.workflows.false_alarms import ticked_spans
from tests.object_store import Bucket


def ticks(path: Path, name: str, sha256: str | None = None, **more: Any) -> Path:
    source = {"name": name, "sha256": sha256, "stride": 1, "fps": None, **more}
    spans = [{"event": 1, "start_s": 1.0, "end_s": 1.5, "boxes": [[1.0, 5, 5, 20, 20]]}]
    path.write_text(
        json.dumps({"format": "crowdad-false-alarms", "version": 1, "source": source, "spans": spans}), "utf-8"
    )
    return path


def test_footage_is_found_where_it_was(tiny_video: Path, tmp_path: Path) -> None:
    sha256 = open_source(tiny_video).sha256()
    ((source, span),) = ticked_spans([ticks(tmp_path / "t.json", str(tiny_video), sha256)])
    assert (span.start_s, span.end_s, span.boxes) == (1.0, 1.5, ((1.0, 5, 5, 20, 20),))
    assert sum(1 for _ in source.frames()) == 24, "three seconds before and after are all there is"


@pytest.mark.parametrize("name", ["clip.mp4", "footage.mp4"])
def test_footage_is_found_beside_the_file(name: str, tiny_video: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_video, tmp_path / name)
    sha256 = open_source(tiny_video).sha256()
    assert len(ticked_spans([ticks(tmp_path / "t.json", "/elsewhere/clip.mp4", sha256)])) == 1


def test_a_folder_of_pictures_is_found_by_its_hash_or_beside_the_file(tiny_folder: Path, tmp_path: Path) -> None:
    sha256 = open_source(tiny_folder).sha256()
    file = ticks(tmp_path / "t.json", str(tiny_folder), sha256, fps=8.0, stride=2)
    ((source, _),) = ticked_spans([file])
    assert source.fps == 4
    shutil.copytree(tiny_folder, tmp_path / tiny_folder.name)
    assert len(ticked_spans([ticks(tmp_path / "t.json", f"elsewhere/{tiny_folder.name}")])) == 1


def test_footage_is_found_in_an_object_store(bucket: Bucket, tiny_video: Path, tmp_path: Path) -> None:
    file = ticks(tmp_path / "t.json", bucket.put(tiny_video, "clip.mp4"), open_source(tiny_video).sha256())
    assert len(ticked_spans([file])) == 1
    bucket.put(file, "clip.mp4")
    with pytest.raises(UnreadableSourceError, match=r"clip\.mp4: "):
        ticked_spans([file])
    shutil.copy(tiny_video, tmp_path / "clip.mp4")
    assert len(ticked_spans([file])) == 1, "beside the file it needs no fetching"


def test_footage_that_is_not_there_or_another(tiny_video: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="beside the file"):
        ticked_spans([ticks(tmp_path / "t.json", "gone.mp4", "0" * 64)])
    with pytest.raises(DataError, match="hash"):
        ticked_spans([ticks(tmp_path / "t.json", str(tiny_video), "0" * 64)])
    with pytest.raises(OutputNotReadableError, match="report page"):
        ticked_spans([tiny_video])
