/* pace.c: see pace_priv.h. */
#include "pace_priv.h"

#define LEFT_MAX_MS (INT64_C(1000) * 3600 * 1000)

/* Before that much work nothing is foretold. */
#define WORK_MIN_MS    2000
#define WORK_MIN_FILES 2

/* Estimates are not made more often, and pull that much at the one before. */
#define ESTIMATE_MS   1000
#define ESTIMATE_PULL 0.2

static void mean_add(struct pace_mean *mean, double amount, double time_ms)
{
    const double fading = 1 / (1 + time_ms / PACE_MEMORY_MS);
    mean->amount = (mean->amount + amount) * fading;
    mean->time_ms = (mean->time_ms + time_ms) * fading;
}

static double speed_of(const struct pace_mean *mean)
{
    return mean->time_ms > 0 ? mean->amount / mean->time_ms : 0;
}

static void estimate(struct pace *pace, const struct pace_rest *rest)
{
    const double speed =
        rest->bytes > 0 ? speed_of(&pace->bytes_of_work) : speed_of(&pace->files_of_work);
    const double amount = (double)(rest->bytes > 0 ? rest->bytes : rest->files);
    if (pace->files_of_work.time_ms < WORK_MIN_MS || pace->worked_files < WORK_MIN_FILES ||
        speed <= 0)
        return;
    double left_ms = amount / speed;
    if (left_ms > LEFT_MAX_MS)
        left_ms = LEFT_MAX_MS;
    const int64_t end_ms = pace->now_ms + (int64_t)left_ms;
    if (pace->end_ms == 0)
        pace->end_ms = end_ms;
    else
        pace->end_ms += (int64_t)((double)(end_ms - pace->end_ms) * ESTIMATE_PULL);
    pace->estimated_ms = pace->now_ms;
}

void pace_step(struct pace *pace, const struct pace_state *state, const struct pace_rest *rest,
               int64_t now_ms)
{
    const double passed_ms = pace->begun ? (double)(now_ms - pace->now_ms) : 0;
    const double files = (double)(state->files - pace->files);
    const double worked_files = (double)(state->worked_files - pace->worked_files);
    const double worked_bytes = (double)(state->worked_bytes - pace->worked_bytes);
    if (pace->begun && passed_ms <= 0)
        return;
    mean_add(&pace->all_files, files, passed_ms);
    mean_add(&pace->all_bytes, worked_bytes, passed_ms);
    if (state->working || worked_files > 0) {
        mean_add(&pace->files_of_work, worked_files, passed_ms);
        mean_add(&pace->bytes_of_work, worked_bytes, passed_ms);
    }
    pace->begun = true;
    pace->now_ms = now_ms;
    pace->files = state->files;
    pace->worked_files = state->worked_files;
    pace->worked_bytes = state->worked_bytes;
    if (rest->files == 0)
        pace->end_ms = 0;
    else if (pace->end_ms == 0 || now_ms - pace->estimated_ms >= ESTIMATE_MS)
        estimate(pace, rest);
}

uint64_t pace_file_tenths(const struct pace *pace)
{
    return (uint64_t)(speed_of(&pace->all_files) * 10000 + 0.5);
}

uint64_t pace_bytes(const struct pace *pace)
{
    return (uint64_t)(speed_of(&pace->all_bytes) * 1000 + 0.5);
}

int64_t pace_left_s(const struct pace *pace)
{
    if (pace->end_ms == 0)
        return -1;
    const int64_t left_ms = pace->end_ms - pace->now_ms;
    return left_ms > 1000 ? (left_ms + 999) / 1000 : 1;
}
