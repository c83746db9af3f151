#include "error_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int img_fail(struct img_error *error, int code, const char *format, ...)
{
    char text[2 * sizeof(error->message)] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    /* Decoders quote what they read: control characters become blanks, runs of blanks one, and what
     * is not ASCII '?'. */
    size_t used = 0;
    for (const char *at = text; *at && used + 1 < sizeof(error->message); at++) {
        const unsigned char c = (unsigned char)*at;
        if (c <= ' ') {
            if (used > 0 && error->message[used - 1] != ' ')
                error->message[used++] = ' ';
        } else {
            error->message[used++] = c < 0x7f ? *at : '?';
        }
    }
    while (used > 0 && error->message[used - 1] == ' ')
        used--;
    error->message[used] = '\0';
    error->code = code;
    return code;
}

const char *img_error_name(int code)
{
    switch (code) {
    case -ENOMSG:
        return "not-an-image";
    case -ENODATA:
        return "empty";
    case -ENOTSUP:
        return "unsupported";
    case -EBADMSG:
        return "damaged";
    case -EPIPE:
        return "truncated";
    case -EFBIG:
        return "too-large";
    case -ECANCELED:
        return "cancelled";
    case -ENOMEM:
        return "out-of-memory";
    case -EINVAL:
        return "bad-options";
    default:
        return "failed";
    }
}
