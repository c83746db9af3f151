/* surgery.h: places inside files, and files with something changed. */
#ifndef TESTS_IMAGING_SURGERY_H
#define TESTS_IMAGING_SURGERY_H

#include "samples.h"

/** The file with bytes put in at an offset. The result is owned: free(). */
struct bytes bytes_inserted(struct bytes file, size_t at, const uint8_t *data, size_t size);

/** The first size bytes in memory of just that size, so that a sanitizer sees reads past the end.
 *  The result is owned: free(). */
struct bytes bytes_cut(struct bytes file, size_t size);

/** The offset of the first marker of this code before the first scan's data; it must be there. */
size_t jpeg_marker_at(struct bytes jpeg, uint8_t code);

/** The end of the scan's data whose SOS marker stands at an offset. */
size_t jpeg_scan_end(struct bytes jpeg, size_t at);

/** Make the frame with this marker say another size. */
void jpeg_size_claim(struct bytes jpeg, uint8_t frame_marker, unsigned width, unsigned height);

/** The offset of the first chunk of this type, at its length; it must be there. */
size_t png_chunk_at(struct bytes png, const char *type);

/** Make the header say another size; its checksum is right. */
void png_size_claim(struct bytes png, uint32_t width, uint32_t height);

/** The file with another chunk in front of one of this type. The result is owned: free(). */
struct bytes png_with_chunk(struct bytes png, const char *before, const char *type,
                            const char *data, uint32_t size);

#endif
