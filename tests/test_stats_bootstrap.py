"""Intervals cover as often as they say, comparisons are paired, clusters count, memory and speed stay bounded."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from vpbench.errors import ConfigError
from vpbench.stats import bootstrap, bootstrap_intervals, few_units_note, holm, paired_difference


def test_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(1)
    trials = 400
    table = (rng.random((120, trials)) < 0.4).astype(float)
    hits = 0
    for column in range(0, trials, 50):
        low, high = bootstrap_intervals(table[:, column : column + 50], resamples=1000, seed=column)
        hits += int(((low <= 0.4) & (high >= 0.4)).sum())
    assert 0.92 <= hits / trials <= 0.98


def test_clusters_are_needed_where_questions_come_in_groups() -> None:
    rng = np.random.default_rng(2)
    trials, groups, members = 300, 60, 8
    clusters = [g for g in range(groups) for _ in range(members)]
    chance = rng.beta(1.0, 1.0, (groups, trials))
    table = (rng.random((groups * members, trials)) < np.repeat(chance, members, axis=0)).astype(float)

    def coverage(names: list[int] | None) -> float:
        low, high = bootstrap_intervals(table, names, resamples=1000)
        return float(((low <= 0.5) & (high >= 0.5)).mean())

    assert 0.91 <= coverage(clusters) <= 0.98
    assert coverage(None) < 0.85


def test_width_matches_the_normal_approximation() -> None:
    values = (np.arange(2000) % 5 < 2).astype(float)[:, None]
    low, high = bootstrap_intervals(values, resamples=10_000)
    half = 1.96 * (0.4 * 0.6 / 2000) ** 0.5
    assert (high[0] - low[0]) / 2 == pytest.approx(half, rel=0.03)
    narrow = bootstrap_intervals(values, resamples=10_000, level=0.5)
    assert (narrow[1] - narrow[0])[0] / 2 == pytest.approx(0.6745 / 1.96 * half, rel=0.03)


def test_unequal_clusters_keep_the_mean_over_questions() -> None:
    values = np.array([1.0] * 30 + [0.0] * 10)
    clusters = ["big"] * 30 + [f"c{i}" for i in range(10)]
    means = bootstrap.resampled_means(*bootstrap.sum_by_cluster(values[:, None], clusters), 2000)[:, 0]
    drawn = np.concatenate(list(bootstrap.resample_counts(11, 2000, 0)))
    np.testing.assert_allclose(means, 30 * drawn[:, 0] / (30 * drawn[:, 0] + drawn[:, 1:].sum(axis=1)), rtol=1e-12)


def test_resamples_depend_on_seed_and_number_only(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(50), rng.random(50)
    two, ones = np.stack([a, b], axis=1), np.ones(50)
    both = bootstrap.resampled_means(two, ones, 500, 7)
    np.testing.assert_allclose(both[:, 1], bootstrap.resampled_means(b[:, None], ones, 500, 7)[:, 0], rtol=1e-13)
    assert not np.array_equal(both, bootstrap.resampled_means(two, ones, 500, 8))
    counts = np.concatenate(list(bootstrap.resample_counts(50, 500, 7)))
    assert counts.shape == (500, 50)
    assert np.all(counts.sum(axis=1) == 50)
    monkeypatch.setattr(bootstrap, "CHUNK_CELLS", 1000)
    assert [len(chunk) for chunk in bootstrap.resample_counts(50, 45, 7)] == [20, 20, 5]


def test_paired_difference_profits_from_pairing() -> None:
    rng = np.random.default_rng(3)
    hard = rng.random(400)
    a, b = (rng.random(400) < hard).astype(float), np.zeros(400)
    b[:] = a
    better = rng.choice(400, 30, replace=False)
    b[better] = 0.0
    difference = paired_difference(a, b)
    assert difference.value == pytest.approx(float((a - b).mean()))
    assert 0 < difference.low < difference.value < difference.high
    assert difference.p_value < 0.01
    back = paired_difference(b, a)
    assert (back.low, back.high, back.p_value) == pytest.approx((-difference.high, -difference.low, difference.p_value))


def test_p_value_is_one_for_equals_never_zero_and_fair_under_the_null() -> None:
    same = np.random.default_rng(4).random(60)
    equal = paired_difference(same, same)
    assert (equal.value, equal.p_value) == (0.0, 1.0)
    assert -0.06 < equal.low < 0 < equal.high < 0.06, "three of 60 questions not yet seen may tell them apart"
    assert paired_difference(np.ones(50), np.zeros(50), resamples=999).p_value == 2 / 1000
    rng = np.random.default_rng(5)
    p_values = [paired_difference(rng.random(100), rng.random(100), resamples=400, seed=i).p_value for i in range(400)]
    assert 0.02 <= float(np.mean(np.array(p_values) < 0.05)) <= 0.08
    assert 0.4 <= float(np.mean(np.array(p_values) < 0.5)) <= 0.6


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()


def test_holm_leaves_out_what_is_no_test() -> None:
    assert holm([1.0, 0.01, 0.04], left_out=[0]) == (1.0, 0.02, 0.04)
    assert holm([0.5], left_out=[0]) == (0.5,)


def test_one_candidate_of_one_pool_is_no_test() -> None:
    rng = np.random.default_rng(6)
    a = rng.random((80, 3))
    b = np.column_stack([a[:, 0] + 1e-16, a[:, 1], rng.random(80)])
    assert bootstrap.alike_by_construction((1, 2, 4), a, b) == [0]
    assert bootstrap.alike_by_construction((1, 2, 4), a, b, same=True) == [0]
    assert bootstrap.alike_by_construction((1, 2, 4), a, a, same=True) == [0, 1, 2]
    assert bootstrap.alike_by_construction((1, 2, 4), a, 1 - a) == [], "two pools"
    first, second, _ = bootstrap.paired_differences(a, b, resamples=400, alike=[0])
    assert first == bootstrap.Difference(0.0, 0.0, 0.0, 1.0)
    assert second.low < 0 < second.high and second.p_value == 1.0


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("units", [1, 2, 7, 60])
def test_no_interval_has_zero_width(units: int, share: float) -> None:
    values = np.full(units, share)
    low, high = bootstrap_intervals(values[:, None], resamples=500)
    assert 0 <= low[0] < high[0] <= 1 and low[0] <= share <= high[0]
    difference = paired_difference(values, values / 2, resamples=500)
    assert -1 <= difference.low < difference.high <= 1 and difference.low <= difference.value <= difference.high


def test_rank_correlations_reach_from_minus_one_to_one() -> None:
    low, high = bootstrap_intervals(np.full((20, 1), -1.0), resamples=500, ends=(-1.0, 1.0))
    assert low[0] == -1 and -1 < high[0] < -0.5


def test_few_units_have_the_p_of_a_t_test() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.random(49), rng.random(49)
    for units in (7, 20, 49):
        expected = scipy.stats.ttest_rel(a[:units], b[:units]).pvalue
        assert paired_difference(a[:units], b[:units], resamples=100).p_value == pytest.approx(
            max(expected, 2.0 ** (1 - units))
        )
    assert paired_difference(np.ones(7), np.zeros(7), resamples=100).p_value == 2**-6, "seven signs"
    assert paired_difference(np.ones(1), np.zeros(1), resamples=100).p_value == 1
    pairs = [f"c{k // 2}" for k in range(40)]
    halves = scipy.stats.ttest_1samp((a - b)[:40].reshape(20, 2).mean(axis=1), 0).pvalue
    assert paired_difference(a[:40], b[:40], pairs, resamples=100).p_value == pytest.approx(halves)


def test_few_units_are_told() -> None:
    assert few_units_note(1) == "1 unit: too few to tell critics apart; p by t-test, intervals are rough"
    assert few_units_note(19) == "19 units: too few to tell critics apart; p by t-test, intervals are rough"
    assert few_units_note(20) == few_units_note(49).replace("49", "20") == "20 units: few, p by t-test"
    assert few_units_note(50) is None


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="at least one question"):
        bootstrap_intervals(np.empty((0, 3)))
    with pytest.raises(ConfigError, match="2 cluster names for 3 rows"):
        bootstrap_intervals(np.ones((3, 1)), ["a", "b"])
    with pytest.raises(ConfigError, match="same questions"):
        paired_difference(np.ones(3), np.ones(4))
