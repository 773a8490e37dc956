"""A generated clip as a video with its truth beside it."""

import os

import av
import numpy as np
import pytest

from crowdad.errors import DataError, DatasetNotFoundError, OutputNotWritableError
from crowdad.synthetic import (
    GeneratedClip,
    load_truth,
    write_clip,
)


class TestFiles:
    @pytest.mark.skipif(
        not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
        reason="needs two processors to choose",
    )
    def test_one_seed_gives_one_video_on_one_processor_and_on_two(self, small_scene, tmp_path):
        allowed = os.sched_getaffinity(0)
        clip = GeneratedClip(small_scene, duration_s=4)
        write_clip(clip, tmp_path / "many.mp4")
        os.sched_setaffinity(0, {min(allowed)})
        try:
            write_clip(clip, tmp_path / "one.mp4")
        finally:
            os.sched_setaffinity(0, allowed)
        assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "many.mp4").read_bytes()

    def test_written_clip_can_be_read_with_its_truth(self, small_scene, tmp_path):
        clip = GeneratedClip(small_scene, 3, duration_s=4)
        path = tmp_path / "new" / "clip.mp4"
        assert write_clip(clip, path) == tmp_path / "new" / "clip.truth.json"
        with av.open(str(path)) as video:
            stream = video.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert stream.average_rate == 10
            pictures = [frame.to_ndarray(format="bgr24") for frame in video.decode(stream)]
        assert len(pictures) == 40
        assert np.abs(pictures[5].astype(int) - list(clip.frames())[5]).mean() < 8
        truth, drawn = load_truth(path), list(clip.truths())
        np.testing.assert_array_equal(truth.labels, [frame.label for frame in drawn])
        np.testing.assert_array_equal(truth.of_kind("runner"), [frame.label for frame in drawn])
        assert truth.boxes_xyxy == tuple(frame.boxes_xyxy for frame in drawn)
        assert (truth.fps, truth.size_hw) == (10.0, (160, 240))
        assert truth.provenance["seed"] == 3
        assert sorted(entry.name for entry in path.parent.iterdir()) == ["clip.mp4", "clip.truth.json"]

    def test_missing_and_foreign_truth_are_named(self, tmp_path):
        with pytest.raises(DatasetNotFoundError, match="not there"):
            load_truth(tmp_path / "clip.mp4")
        (tmp_path / "clip.truth.json").write_text('{"format": "something else"}')
        with pytest.raises(DataError, match="not the truth"):
            load_truth(tmp_path / "clip.mp4")

    def test_a_place_that_cannot_be_written_is_named(self, small_scene, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputNotWritableError, match="cannot be written"):
            write_clip(GeneratedClip(small_scene, duration_s=1), tmp_path / "file" / "clip.mp4")
