/* measured.c: see measured_priv.h. */
#include "measured_priv.h"

void measured_done(struct measured *measured)
{
    text_done(&measured->fatal);
}

void measured_made(struct measured *measured, const struct report_thumbnail *made)
{
    measured->source_pixels += (uint64_t)made->source_width_px * made->source_height_px;
    measured->source_bytes += made->source_bytes;
    measured->read_us += made->read_us;
    measured->decode_us += made->decode_us;
    measured->resample_us += made->resample_us;
    measured->encode_us += made->encode_us;
    measured->write_us += made->write_us;
}

void measured_fatal(struct measured *measured, const char *words)
{
    text_cut(&measured->fatal, 0);
    text_puts(&measured->fatal, words);
}

void measured_end(struct measured *measured, const struct report_counts *counts, int64_t peak_bytes)
{
    measured->counts = *counts;
    measured->worker_peak_bytes = peak_bytes;
}
