/* error_priv.h: how a failure gets its words. Private to imaging. */
#ifndef IMAGING_ERROR_PRIV_H
#define IMAGING_ERROR_PRIV_H

#include "imaging.h"

/** Note a failure and return its code, so that callers can write "return img_fail(...)".
 *  The text becomes printable ASCII on one line; what does not fit is cut off. */
int img_fail(struct img_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
