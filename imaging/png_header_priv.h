/* png_header_priv.h: what both PNG decoders do alike, since the one may decline to the other and is
 * to give the same picture. Private to imaging. */
#ifndef IMAGING_PNG_HEADER_PRIV_H
#define IMAGING_PNG_HEADER_PRIV_H

#include <stdbool.h>

#include <png.h>

#include "decode_priv.h"

#define PNG_SIGNATURE_BYTES 8

/* Deflate packs no tighter than 1032 to 1: a smaller file cannot hold its picture. */
#define PNG_DEFLATE_RATIO_MAX 1032

/* A profile or another side chunk is never larger than this in sound files. */
#define PNG_CHUNK_BYTES_MAX ((png_alloc_size_t)16 * 1024 * 1024)

/** Set limits, and what becomes of checksums and side chunks, then read up to the first IDAT.
 *  png: its functions for reading and for errors are set; errors leave as libpng's do.
 *  lax: wrong checksums are tolerated.
 *  raster: gets sizes, layout, depth and profile, but for the orientation. The profile is borrowed
 *  from info. */
void img_png_header_read(png_structp png, png_infop info, bool lax, struct img_raster *raster);

#endif
