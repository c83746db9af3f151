/* pictures.h: pictures made on the spot, with libjpeg and libpng directly. */
#ifndef TESTS_APP_PICTURES_H
#define TESTS_APP_PICTURES_H

#include <stdbool.h>
#include <stdint.h>

/** A smooth picture in colours that depend on seed. */
void make_jpeg(const char *path, uint32_t width_px, uint32_t height_px, unsigned seed);

/** The same as a progressive JPEG of noise in an unusual sampling, which takes long to decode. */
void make_slow_jpeg(const char *path, uint32_t width_px, uint32_t height_px, unsigned seed);

/** alpha: with a transparent half. */
void make_png(const char *path, uint32_t width_px, uint32_t height_px, bool alpha, unsigned seed);

/** A small PNG of one colour, 0xRRGGBB; and the colour of such a file. */
void make_flat_png(const char *path, uint32_t colour);
uint32_t colour_of_flat_png(const char *path);

/** The size of a JPEG or PNG file; it is decoded whole, and any warning fails the test. */
void check_picture(const char *path, uint32_t *ret_width_px, uint32_t *ret_height_px,
                   bool *ret_is_png);

#endif
