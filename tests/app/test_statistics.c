#include "app/statistics_priv.h"

#include <math.h>

#include "isolate.h"

static void assert_near(double got, double wanted)
{
    if (!(fabs(got - wanted) < 1e-9))
        fail_msg("%.12f, not %.12f", got, wanted);
}

static void quantiles_lie_between_neighbours(void **state)
{
    (void)state;
    static const double values[] = {5, 1, 4, 2, 3}, even[] = {4, 1, 3, 2};
    assert_near(statistics_median(values, 5), 3);
    assert_near(statistics_median(even, 4), 2.5);
    assert_near(statistics_quantile(values, 5, 0), 1);
    assert_near(statistics_quantile(values, 5, 1), 5);
    assert_near(statistics_quantile(values, 5, 0.25), 2);
    assert_near(statistics_quantile(even, 4, 0.25), 1.75);
    assert_near(statistics_median(values, 1), 5);
}

static void a_slow_minute_of_the_machine_leaves_a_ratio_alone(void **state)
{
    (void)state;
    static const double rounds[] = {1, 1.1, 3, 0.9, 5}; /* how slow the machine was */
    double above[5], below[5];
    for (int i = 0; i < 5; i++) {
        above[i] = 1.9 * rounds[i];
        below[i] = rounds[i];
    }
    const struct estimate ratio = statistics_ratio(above, below, 5, 0.95);
    assert_near(ratio.value, 1.9);
    assert_near(ratio.interval.low, 1.9);
    assert_near(ratio.interval.high, 1.9);
}

static void the_other_way_round_is_one_over_it(void **state)
{
    (void)state;
    static const double above[] = {2.0, 2.2, 1.9, 2.4, 2.1, 2.05},
                        below[] = {1.0, 1.05, 1.1, 0.9, 1.02, 1.3};
    const struct estimate one = statistics_ratio(above, below, 6, 0.95);
    const struct estimate other = statistics_ratio(below, above, 6, 0.95);
    assert_near(one.value * other.value, 1);
    assert_true(one.interval.low < one.value && one.value < one.interval.high);
    assert_true(fabs(one.interval.low * other.interval.high - 1) < 0.02);
}

static void one_round_has_no_width(void **state)
{
    (void)state;
    static const double above[] = {3}, below[] = {2};
    const struct estimate ratio = statistics_ratio(above, below, 1, 0.95);
    assert_near(ratio.value, 1.5);
    assert_near(ratio.interval.low, 1.5);
    assert_near(ratio.interval.high, 1.5);
}

static void differences_may_be_negative(void **state)
{
    (void)state;
    static const double above[] = {1, 2, 3}, below[] = {2, 4, 4};
    const struct estimate difference = statistics_difference(above, below, 3, 0.9);
    assert_near(difference.value, -1);
    assert_near(difference.interval.low, -2);
    assert_near(difference.interval.high, -1);
}

static void the_same_values_give_the_same_interval(void **state)
{
    (void)state;
    static const double above[] = {1.0, 1.3, 1.1, 1.2, 1.6, 0.9, 1.4},
                        below[] = {1.1, 1.0, 1.2, 0.8, 1.3, 1.0, 1.0};
    const struct estimate first = statistics_ratio(above, below, 7, 0.95);
    const struct estimate second = statistics_ratio(above, below, 7, 0.95);
    assert_true(first.interval.low == second.interval.low);
    assert_true(first.interval.high == second.interval.high);
}

/* Values around 1 that a generator draws: of a hundred intervals, most but not all hold the truth.
 * It is the same generator each time, so the number never changes by chance. */
static void an_interval_holds_the_truth_about_as_often_as_it_says(void **state)
{
    (void)state;
    uint64_t draws = 7;
    int held = 0;
    for (int experiment = 0; experiment < 100; experiment++) {
        double above[15], below[15];
        for (int i = 0; i < 15; i++) {
            above[i] = 0.5 + (double)statistics_draw(&draws, 1000) / 1000;
            below[i] = 0.5 + (double)statistics_draw(&draws, 1000) / 1000;
        }
        const struct estimate ratio = statistics_ratio(above, below, 15, 0.8);
        held += ratio.interval.low <= 1 && ratio.interval.high >= 1;
    }
    if (held < 65 || held > 95)
        fail_msg("%d of 100 intervals of 80 %% hold the truth", held);
}

static void an_order_has_every_number_once_and_changes(void **state)
{
    (void)state;
    uint64_t draws = 1;
    unsigned first[8] = {0};
    for (int round = 0; round < 400; round++) {
        size_t order[8];
        unsigned seen = 0;
        statistics_shuffle(&draws, order, 8);
        for (int i = 0; i < 8; i++) {
            assert_true(order[i] < 8);
            seen |= 1u << order[i];
        }
        assert_int_equal(seen, 0xff);
        first[order[0]]++;
    }
    for (int i = 0; i < 8; i++) /* each about 50 times */
        assert_in_range(first[i], 25, 80);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(quantiles_lie_between_neighbours),
        TEST(a_slow_minute_of_the_machine_leaves_a_ratio_alone),
        TEST(the_other_way_round_is_one_over_it),
        TEST(one_round_has_no_width),
        TEST(differences_may_be_negative),
        TEST(the_same_values_give_the_same_interval),
        TEST(an_interval_holds_the_truth_about_as_often_as_it_says),
        TEST(an_order_has_every_number_once_and_changes),
    };
    return test_run("app statistics", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
