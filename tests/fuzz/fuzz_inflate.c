/* fuzz_inflate.c: our inflater beside zlib: the same bytes, or both fail. An input is a raw stream,
 * behind two bytes that say how large the pieces are in which it is read and written. */
#include <zlib.h>

#include <imaging/png_inflate_priv.h>

#include "fuzz.h"
#include "png_check.h"

#define ROOM ((size_t)512 * 1024)

const enum fuzz_kind fuzz_kind = FUZZ_BYTES;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > FUZZ_BYTES_MAX)
        return 0;
    const size_t in_room = IMG_INFLATE_IN_BYTES_MIN + 64 + (size_t)data[0] * 16;
    const size_t piece = 1 + (size_t)data[1] * (data[1] & 1 ? 1 : 64);
    static uint8_t room[ROOM];
    struct bytes right = {room, 0};
    z_stream zlib = {.next_in = (uint8_t *)data + 2, .avail_in = (uInt)(size - 2)};
    if (inflateInit2(&zlib, -15) != Z_OK)
        fuzz_fail("no memory");
    zlib.next_out = room;
    zlib.avail_out = ROOM;
    const bool sound = inflate(&zlib, Z_FINISH) == Z_STREAM_END;
    right.size = zlib.total_out;
    inflateEnd(&zlib);
    const struct bytes stream = {(uint8_t *)data + 2, size - 2};
    const int r = png_inflate_check(stream, right, in_room, piece);
    if ((r == 0) != sound)
        fuzz_fail("zlib %s, we say %d", sound ? "takes it" : "does not take it", r);
    fuzz_taken += sound;
    return 0;
}
