/* samples.h: pictures that the tests make for themselves, and their files, in memory. */
#ifndef TESTS_IMAGING_SAMPLES_H
#define TESTS_IMAGING_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A picture. samples go from 0 to 255, or to 65535 where depth is 16. */
struct sample {
    uint32_t width;
    uint32_t height;
    unsigned channels; /* 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA or CMYK */
    unsigned depth;    /* 8 or 16 */
    uint16_t *samples; /* owned: sample_free() */
};

struct bytes {
    uint8_t *data; /* owned: free() */
    size_t size;
};

/* ---- Pictures; all end the test when memory is out ---- */

struct sample sample_new(uint32_t width, uint32_t height, unsigned channels, unsigned depth);
void sample_free(struct sample *sample);
uint16_t *sample_at(const struct sample *sample, uint32_t x, uint32_t y);

/** Smooth ramps, soft waves and some grain: what a photograph does to a codec. */
struct sample sample_photo(uint32_t width, uint32_t height, unsigned channels, unsigned depth);

/** Quarters of red and green above, blue and white below, RGB. */
struct sample sample_quarters(uint32_t width, uint32_t height);

/** The stored form of a picture that a viewer turns upright by this orientation, by the text of
 *  the EXIF standard: which side the stored first row and first column are on. */
struct sample sample_stored_as(const struct sample *upright, int orientation);

/** The largest difference of two pictures of one shape; 99999 where the shapes differ. */
unsigned sample_difference(const struct sample *a, const struct sample *b);

/** Peak signal-to-noise ratio in decibels; 0 where the shapes differ. */
double sample_psnr(const struct sample *a, const struct sample *b);

/* ---- Files ---- */

struct jpeg_make {
    int quality;        /* 0: 95 */
    int luma_h, luma_v; /* sampling factors of the first component; 0: 1 */
    bool progressive;
    bool separate_scans;   /* one for each component */
    bool adobe_cmyk;       /* the sample is CMYK: 255 is full ink */
    unsigned restart_rows; /* a restart marker every so many rows of blocks; 0: none */
    int orientation;       /* 0: no EXIF */
    struct bytes icc;      /* borrowed; size 0: none */
    const char *comment;   /* NULL: none */
};
struct bytes jpeg_bytes(const struct sample *sample, const struct jpeg_make *make);

struct png_make {
    bool interlaced;
    int orientation;      /* 0: no eXIf */
    bool exif_at_end;     /* behind the pixels */
    struct bytes icc;     /* borrowed */
    bool transparent_key; /* tRNS: the first pixel's colour is transparent; no alpha channel */
};
struct bytes png_bytes(const struct sample *sample, const struct png_make *make);

/** A palette picture of few bits: pixels are the numbers 0, 1, 2, ... modulo colours, as rows go.
 *  palette: colours times R, G, B; alpha: colours values, or NULL. */
struct bytes png_palette_bytes(uint32_t width, uint32_t height, int bits, unsigned colours,
                               const uint8_t *palette, const uint8_t *alpha);

/** An uncompressed BMP of 24 bits. */
struct bytes bmp_bytes(const struct sample *sample);

/** A TIFF block with nothing but an orientation. */
struct bytes exif_bytes(int orientation, bool big_endian);

/** Decode a JPEG or PNG that imaging has made: 8 bits, 1 to 4 channels, as stored. */
struct sample sample_decode(const uint8_t *data, size_t size);

/** Does the needle occur in the haystack? */
bool bytes_contain(const uint8_t *data, size_t size, const char *needle, size_t needle_size);

/** A profile of RGB whose primaries are exchanged: its red is our green, green blue, blue red. */
struct bytes icc_swapped(void);

/** A wide-gamut RGB profile (Display P3's primaries, sRGB's curve). */
struct bytes icc_display_p3(void);

/** sRGB itself. */
struct bytes icc_srgb(void);

/** Gray with a gamma. */
struct bytes icc_gray(double gamma);

#endif
