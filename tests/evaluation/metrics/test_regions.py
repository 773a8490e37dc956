"""RBDC and TBDC, worked out by hand on maps of a few cells."""

import time

import numpy as np
import pytest
from scipy import ndimage

from crowdad.errors import UndefinedMetricError
from crowdad.evaluation.metrics import (
    ClipMaps,
    RegionCounts,
    TrueRegion,
    TrueTrack,
    count_regions,
    derive_tracks,
    rbdc,
    region_thresholds,
    tbdc,
)


def counts(found, false_positives, *, regions=4, tracks=2, frames=10, found_tracks=None) -> RegionCounts:
    thresholds = np.arange(len(found), dtype=float)
    found_tracks = np.zeros(len(found)) if found_tracks is None else found_tracks
    return RegionCounts(
        frames,
        regions,
        tracks,
        thresholds,
        *(np.array(c, dtype=np.int64) for c in (found, found_tracks, false_positives)),
    )


def true_track(*boxes: tuple[int, tuple[int, int, int, int]]) -> TrueTrack:
    return TrueTrack(tuple(TrueRegion(t, b, np.ones((b[3] - b[1], b[2] - b[0]), dtype=bool)) for t, b in boxes))


def clip(maps, size_hw=None, cell_px=1.0) -> ClipMaps:
    maps = np.array(maps, dtype=np.float32)
    return ClipMaps("clip", maps, np.zeros((len(maps), *(size_hw or maps.shape[1:])), dtype=bool), cell_px)


def test_area_of_a_curve_by_hand():
    # Thresholds 0, 1, 2 -> (FP per frame, rate): (1.0, 3/4), (0.5, 2/4), (0, 1/4).  From (0, 0) straight up to 1/4:
    # 0.5 * (1/4 + 2/4) / 2 + 0.5 * (2/4 + 3/4) / 2 = 0.1875 + 0.3125 = 0.5.
    assert rbdc([counts([3, 2, 1], [10, 5, 0])]) == pytest.approx(0.5)


def test_curve_is_cut_at_one_false_positive_per_frame():
    # (0, 1/4) and (2, 3/4): at 1 the line is at 2/4 -> area 1 * (1/4 + 2/4) / 2 = 0.375.
    assert rbdc([counts([3, 1], [20, 0])]) == pytest.approx(0.375)


def test_curve_starts_at_nothing_and_holds_its_last_rate():
    # (0, 0) -> (0.5, 1/2), held to 1: 0.5 * 0.5 / 2 + 0.5 * 0.5 = 0.375.
    assert rbdc([counts([2], [5])]) == pytest.approx(0.375)


def test_a_worse_threshold_does_not_lower_the_rate():
    # At the lower threshold everything merges: (0.5, 1/4) after (0.2, 3/4); the best at <= 0.5 stays 3/4.
    # 0.2 * 0.75 / 2 + 0.8 * 0.75 = 0.675.
    assert rbdc([counts([1, 3], [5, 2])]) == pytest.approx(0.675)


def test_clips_are_added_before_the_rate_is_taken():
    # Found (4 + 0) of 8, false positives (0 + 0) of 20 frames -> 0.5 throughout.
    assert rbdc([counts([4], [0]), counts([0], [0])]) == pytest.approx(0.5)
    # Tracks: 1 of 2 + 2.
    assert tbdc([counts([4], [0], found_tracks=[1]), counts([0], [0])]) == pytest.approx(0.25)


@pytest.mark.parametrize("overlap", ["box", "mask"])
def test_counts_at_each_threshold(overlap):
    # Frame 0: true pixels (0..2, 0), detected 9 8 at x = 0, 1 and 5 at x = 5.  Frame 1: nothing true, 7 at x = 3.
    maps = [[[9, 8, 0, 0, 0, 5]], [[0, 0, 0, 7, 0, 0]]]
    result = count_regions(clip(maps), [true_track((0, (0, 0, 2, 1)))], np.array([0.0, 5, 7, 8, 9]), overlap)
    # 9: {0} of 2 true pixels, IoU 1/2, found.  8: {0, 1}.  7: + {3} in frame 1, false.  5: + {5} in frame 0, false.
    # 0: each frame one region; frame 0: IoU 2/6 >= 0.1, found; frame 1 false.
    assert result.found_regions.tolist() == [1, 1, 1, 1, 1]
    assert result.false_positives.tolist() == [1, 2, 1, 0, 0]
    assert (result.frames, result.regions, result.tracks) == (2, 1, 1)


@pytest.mark.parametrize("overlap", ["box", "mask"])
def test_overlap_of_a_tenth_is_enough(overlap):
    # One detected pixel inside a true region of 10 x 1 (IoU 1/10) and of 11 x 1 (1/11).
    maps = np.zeros((1, 1, 12))
    maps[0, 0, 3] = 1
    enough = count_regions(clip(maps), [true_track((0, (0, 0, 10, 1)))], np.array([1.0]), overlap)
    assert (enough.found_regions.tolist(), enough.false_positives.tolist()) == ([1], [0])
    too_little = count_regions(clip(maps), [true_track((0, (0, 0, 11, 1)))], np.array([1.0]), overlap)
    assert (too_little.found_regions.tolist(), too_little.false_positives.tolist()) == ([0], [1])


def test_boxes_and_pixels_differ_on_a_diagonal():
    # Five detected pixels on a diagonal, joined by corners.  True: the 1 x 1 pixel (0, 4) that none of them holds.
    # Box 5 x 5 against 1 x 1: IoU 1/25 < 0.1.  True region 4 x 1 at the top right: box 4/25 >= 0.1; pixels share
    # (y, x) = none of (0, 1..4), so mask IoU is 0.
    maps = [np.eye(5)]
    tracks = [true_track((0, (1, 0, 5, 1)))]
    assert count_regions(clip(maps), tracks, np.array([1.0]), "box").found_regions.tolist() == [1]
    assert count_regions(clip(maps), tracks, np.array([1.0]), "mask").found_regions.tolist() == [0]


def test_regions_do_not_join_across_frames():
    # The same cell in both frames; only frame 0 has a true region there.
    result = count_regions(clip([[[1, 0]], [[1, 0]]]), [true_track((0, (0, 0, 1, 1)))], np.array([1.0]))
    assert (result.found_regions.tolist(), result.false_positives.tolist()) == ([1], [1])


def test_one_detection_can_find_two_regions_and_two_detections_one():
    both = [true_track((0, (0, 0, 2, 1))), true_track((0, (3, 0, 5, 1)))]
    # Box 5 x 1 against both 2 x 1: IoU 2/5.
    result = count_regions(clip([[[1, 1, 1, 1, 1]]]), both, np.array([1.0]))
    assert (result.found_regions.tolist(), result.found_tracks.tolist(), result.false_positives.tolist()) == (
        [2],
        [2],
        [0],
    )
    # Two single pixels in a true 5 x 1, IoU 1/5 each: one found, none false.
    result = count_regions(clip([[[1, 0, 0, 0, 1]]]), [true_track((0, (0, 0, 5, 1)))], np.array([1.0]))
    assert (result.found_regions.tolist(), result.false_positives.tolist()) == ([1], [0])


@pytest.mark.parametrize(("length", "found"), [(10, 1), (11, 0)])
def test_a_tenth_of_its_regions_finds_a_track(length, found):
    maps = np.zeros((length, 1, 2))
    maps[0, 0, 0] = 1
    track = true_track(*((t, (0, 0, 1, 1)) for t in range(length)))
    assert count_regions(clip(maps), [track], np.array([1.0])).found_tracks.tolist() == [found]


@pytest.mark.parametrize("overlap", ["box", "mask"])
def test_cells_are_measured_in_pixels_and_end_at_the_border(overlap):
    # Cells of 4 px over 6 x 6 px.  Cell (1, 1) covers pixels 4..5 only: 2 x 2 = 4 px.  True region: pixel (0..5, 0..5)
    # without cut would be 36 px -> IoU 4/36 = 0.111, found; with a cell of 4 x 4 it would be 4/48 and lost.
    maps = [[[0, 0], [0, 1]]]
    result = count_regions(clip(maps, (6, 6), 4.0), [true_track((0, (0, 0, 6, 6)))], np.array([1.0]), overlap)
    assert (result.found_regions.tolist(), result.false_positives.tolist()) == ([1], [0])


def test_a_perfect_map_reaches_one():
    masks = np.zeros((4, 20, 20), dtype=bool)
    masks[1:3, 4:10, 4:10] = True
    tracks = derive_tracks(masks)
    exact = ClipMaps("clip", masks.astype(np.float32), masks, 1)
    result = [count_regions(exact, tracks, np.array([1.0]))]
    assert (rbdc(result), tbdc(result)) == (1.0, 1.0)
    # A flat map is one wrong region a frame at its only threshold: IoU 36/400 < 0.1.
    flat = ClipMaps("clip", np.ones_like(exact.anomaly), masks, 1)
    assert rbdc([count_regions(flat, tracks, np.array([1.0]))]) == 0.0


def test_a_clip_without_anomaly_only_adds_false_positives():
    for overlap in ("box", "mask"):
        result = count_regions(clip([[[1, 0, 1]]]), [], np.array([1.0]), overlap)
        assert (result.regions, result.tracks, result.false_positives.tolist()) == (0, 0, [2])
    with pytest.raises(UndefinedMetricError, match="1 clips "):
        rbdc([result])
    with pytest.raises(UndefinedMetricError, match="region"):
        tbdc([result])


def test_thresholds_are_all_values_where_they_are_few():
    maps = [np.array([[[3.0, 1.0]]]), np.array([[[2.0, 1.0]]])]
    assert region_thresholds(maps).tolist() == [1, 2, 3]


def test_thresholds_are_few_ascending_values_of_the_maps_and_follow_a_rescaling():
    maps = [np.random.default_rng(seed).normal(size=(20, 12, 18)) for seed in (0, 1)]
    thresholds = region_thresholds(maps, 40)
    assert 20 <= len(thresholds) <= 40
    assert (np.diff(thresholds) > 0).all()
    assert np.isin(thresholds, np.concatenate(maps)).all()
    assert thresholds[-1] == max(m.max() for m in maps)
    np.testing.assert_allclose(region_thresholds([np.exp(m) for m in maps], 40), np.exp(thresholds))


def test_flat_ground_does_not_use_up_the_thresholds():
    # One 3 x 3 spot a frame, all values different, on cells of exactly 0.
    maps = np.zeros((300, 30, 40))
    maps[:, 10:13, 10:13] = np.random.default_rng(0).random((300, 3, 3)) + 1
    # Births: 300 maxima, all of spots, so 50 of 50 thresholds.  Growth: ln 2,700 / ln 360,000 = 62 % of the other 50.
    assert (region_thresholds([maps], 100) > 0).sum() > 65


@pytest.mark.parametrize("overlap", ["box", "mask"])
@pytest.mark.parametrize("cell_px", [1.0, 2.0, 1.5])
def test_counts_equal_the_definition_spelled_out(overlap, cell_px):
    rng = np.random.default_rng(5)
    maps = rng.integers(0, 6, (12, 6, 9)).astype(np.float32)
    height, width = (int(n * cell_px) for n in (6, 9))
    masks = ndimage.binary_dilation(rng.random((12, height, width)) < 0.03, np.ones((1, 3, 3)))
    tracks = derive_tracks(masks)
    assert len(tracks) > 5
    only = ClipMaps("clip", maps, masks, cell_px)
    result = count_regions(only, tracks, np.arange(6.0), overlap)
    for place in range(6):
        expected = spelled_out(only, tracks, place, overlap)
        assert (result.found_regions[place], result.found_tracks[place], result.false_positives[place]) == expected


def spelled_out(clip: ClipMaps, tracks: list[TrueTrack], threshold: float, overlap: str) -> tuple[int, int, int]:
    """Found regions, found tracks and false positives by the definition, on sets of pixels, one pair at a time."""
    height, width = clip.masks.shape[1:]
    found = [0] * len(tracks)
    false_positives = 0
    for t, cells in enumerate(clip.anomaly):
        true = [(n, r) for n, track in enumerate(tracks) for r in track.regions if r.frame_index == t]
        hit = [False] * len(true)
        labels, count = ndimage.label(cells >= threshold, np.ones((3, 3)))
        for number in range(1, count + 1):
            rows, columns = np.nonzero(labels == number)
            ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            x0, y0, x1, y1 = (end * clip.cell_px for end in ends)
            box = (x0, y0, min(x1, width), min(y1, height))
            pixels = {
                (y, x)
                for y in range(height)
                for x in range(width)
                if labels[int((y + 0.5) / clip.cell_px), int((x + 0.5) / clip.cell_px)] == number
            }
            ious = [_box_overlap(box, r.box_xyxy) if overlap == "box" else _pixel_overlap(pixels, r) for _, r in true]
            false_positives += not any(iou >= 0.1 for iou in ious)
            hit = [was or iou >= 0.1 for was, iou in zip(hit, ious, strict=True)]
        for (n, _), is_hit in zip(true, hit, strict=True):
            found[n] += is_hit
    found_tracks = sum(10 * n >= len(track.regions) for n, track in zip(found, tracks, strict=True))
    return sum(found), found_tracks, false_positives


def _box_overlap(a, b) -> float:
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _pixel_overlap(pixels: set, region: TrueRegion) -> float:
    x0, y0 = region.box_xyxy[:2]
    true = {(y + y0, x + x0) for y, x in np.argwhere(region.mask).tolist()}
    return len(pixels & true) / len(pixels | true)


def synthetic(n_clips: int, frames: int, seed: int = 0) -> list[ClipMaps]:
    """Smooth noise with a brighter square that wanders; the square is the anomaly of the second half."""
    rng = np.random.default_rng(seed)
    clips = []
    for number in range(n_clips):
        noise = ndimage.gaussian_filter(rng.normal(size=(frames, 30, 45)), (2, 1, 1))
        noise /= noise.std()
        masks = np.zeros((frames, 240, 360), dtype=bool)
        for t in range(frames // 2, frames):
            x = 40 + 2 * (t - frames // 2)
            masks[t, 96:128, x : x + 24] = True
            noise[t, 12:16, x // 8 : x // 8 + 3] += 3
        clips.append(ClipMaps(f"clip {number}", noise.astype(np.float32), masks, 8))
    return clips


def test_the_threshold_grid_is_fine_enough():
    clips = synthetic(2, 60)
    tracks = [derive_tracks(c.masks) for c in clips]

    def both(count: int) -> tuple[float, float]:
        thresholds = region_thresholds([c.anomaly for c in clips], count)
        result = [count_regions(c, t, thresholds) for c, t in zip(clips, tracks, strict=True)]
        return rbdc(result), tbdc(result)

    coarse, fine = both(200), both(1000)
    assert 0.3 < fine[0] < 0.95
    assert coarse == pytest.approx(fine, abs=0.01)


def test_speed_on_the_size_of_ped2():
    # The whole of Ped2 (2,010 frames) must stay far under a minute; a twelfth of it is timed here.
    (only,) = synthetic(1, 168)
    started = time.process_time()
    count_regions(only, derive_tracks(only.masks), region_thresholds([only.anomaly]))
    assert time.process_time() - started < 5


def test_bad_input_is_refused():
    one = clip([[[1, 0]]])
    with pytest.raises(ValueError, match="ascending"):
        count_regions(one, [], np.array([2.0, 1.0]))
    with pytest.raises(ValueError, match=r"frame 3, .* 1"):
        count_regions(one, [true_track((3, (0, 0, 1, 1)))], np.array([1.0]))
    with pytest.raises(ValueError, match="thresholds"):
        rbdc([counts([1], [0]), counts([1, 1], [0, 0])])
    with pytest.raises(ValueError, match="no clips"):
        rbdc([])
    with pytest.raises(ValueError, match="count = 1"):
        region_thresholds([one.anomaly], 1)
    with pytest.raises(ValueError, match="0 clips"):
        region_thresholds([])
