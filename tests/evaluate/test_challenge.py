"""Challenge scores: formulas, their inverses, what is refused, who stands where."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketsr.errors import SettingError, UnknownNameError
from pocketsr.evaluate.challenge import TRACKS, Standing, Track, find_track, pareto_front, standings

every_track = pytest.mark.parametrize("track", TRACKS, ids=lambda track: track.name)


@every_track
@given(psnr_db=st.floats(31.8, 40), runtime_ms=st.floats(0.5, 500))
def test_the_inverses_are_inverse(track: Track, psnr_db: float, runtime_ms: float) -> None:
    score = track.score(psnr_db, runtime_ms)
    assert track.required_psnr(score, runtime_ms) == pytest.approx(psnr_db)
    assert track.required_runtime(score, psnr_db) == pytest.approx(runtime_ms)


@every_track
def test_a_decibel_is_worth_a_factor_of_4_in_runtime(track: Track) -> None:
    assert track.score(33, 40) == pytest.approx(track.score(32, 10))


def test_bicubic_scores_nothing_where_it_counts() -> None:
    for track in TRACKS:
        if track.bicubic_psnr_db is not None:
            assert track.score(track.bicubic_psnr_db, 0.45) == 0
            with pytest.raises(SettingError, match="bicubic"):
                track.required_runtime(1.0, track.bicubic_psnr_db)
            assert track.required_psnr(1e-6, 1.0) == track.bicubic_psnr_db


@every_track
@pytest.mark.parametrize(
    ("psnr_db", "runtime_ms", "words"),
    [
        (math.nan, 1, "PSNR"),
        (math.inf, 1, "ground truth"),
        (-1, 1, "PSNR"),
        (200, 1, "PSNR"),
        (30, 0, "runtime"),
        (30, -3, "runtime"),
        (30, math.nan, "runtime"),
        (30, math.inf, "runtime"),
    ],
)
def test_nonsense_is_refused(track: Track, psnr_db: float, runtime_ms: float, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        track.score(psnr_db, runtime_ms)


@every_track
def test_a_score_of_nothing_has_no_inverse(track: Track) -> None:
    for score in (0.0, -1.0, math.nan):
        with pytest.raises(SettingError, match="score"):
            track.required_psnr(score, 10)
        with pytest.raises(SettingError, match="score"):
            track.required_runtime(score, 30)


@every_track
def test_standings_are_best_first_and_near_what_was_printed(track: Track) -> None:
    rows = standings(track)
    assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
    for row in rows:
        assert row.printed is not None
        assert row.score == pytest.approx(row.printed, rel=0.01), "PSNR is printed to 0.01 dB, which is 1.4 %"


def test_the_front_holds_what_nothing_beats() -> None:
    rows = [
        Standing(name=name, psnr_db=psnr_db, runtime_ms=runtime_ms, score=0)
        for name, psnr_db, runtime_ms in (("slow", 31, 9), ("quick", 29, 1), ("beaten", 29, 2), ("even", 30, 9))
    ]
    assert [row.name for row in pareto_front(rows)] == ["quick", "slow"]
    assert pareto_front([]) == ()


def test_an_unknown_track_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="mai21"):
        find_track("mai2021")
