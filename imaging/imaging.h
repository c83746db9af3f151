/* imaging.h: the bytes of a picture in, the bytes of its thumbnail out.
 *
 * One call does the work: img_thumbnail() recognises the picture by its content, decodes no more
 * of it than the thumbnail needs, resamples with Lanczos-3 over the exact area, converts an
 * embedded colour profile to sRGB, turns the picture upright and encodes the result.
 *
 * Conventions of this header
 *   Errors     functions return 0 (or a count) on success and a negative errno value on failure.
 *   Outputs    come last; ret_... is written only on success, reterr_... only on failure.
 *   Ownership  "borrowed": the caller keeps it, and it must stay valid as long as stated.
 *              "owned": the caller releases it with the named function.
 *   Threads    a struct img_context belongs to one thread at a time. Two contexts share nothing,
 *              so every worker has one of its own. All other functions may run in any thread.
 *   Pixels     widths and heights count pixels of the upright picture unless stated otherwise.
 *
 * The library never prints, never exits, sets no signal handler and opens no file. Pictures that
 * are neither JPEG nor PNG are decoded by libvips, a shared library that is loaded into the
 * process when the first such picture comes, or by img_libraries_prepare(), and never before. All
 * loaders of libvips that no format named here calls for (PDF, SVG, MAT and many more) are then
 * blocked in the whole process, for other users of libvips in it too. */
#ifndef IMAGING_IMAGING_H
#define IMAGING_IMAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Formats ------------------------------------------------------------------------------- */

/** The kinds of picture that are told apart by content. */
enum img_format {
    IMG_FORMAT_UNKNOWN = 0, /* matches no known signature; as an output: "choose for me" */
    IMG_FORMAT_JPEG,
    IMG_FORMAT_PNG,
    IMG_FORMAT_WEBP,
    IMG_FORMAT_GIF,
    IMG_FORMAT_TIFF,
    IMG_FORMAT_HEIF, /* HEIC and other HEIF brands */
    IMG_FORMAT_AVIF,
    IMG_FORMAT_JXL,
    IMG_FORMAT_BMP,
    IMG_FORMAT_COUNT
};

/** Bytes at the start of a file that img_format_probe() may look at. */
#define IMG_PROBE_BYTES 64

/** Tell what a file is from its first bytes.
 *  data: borrowed for the call; at least IMG_PROBE_BYTES bytes, or the whole file if shorter.
 *  Returns the format, or IMG_FORMAT_UNKNOWN. Never looks at a name and loads no library. */
enum img_format img_format_probe(const uint8_t *data, size_t size_bytes);

/** The format's short lower-case name ("jpeg", "png", ..., "unknown"): static storage. */
const char *img_format_name(enum img_format format);

/** Does this file-name extension belong to a picture format known here?
 *  extension: without the dot, any case ("jpg", "JPG"). Returns IMG_FORMAT_UNKNOWN if not. */
enum img_format img_format_from_extension(const char *extension);

/** A few words for what unrecognised content seems to be ("text", "empty", "HTML", "PDF",
 *  "data"): static storage, for messages only. */
const char *img_content_describe(const uint8_t *data, size_t size_bytes);

/* ---- Errors -------------------------------------------------------------------------------- */

/** Why a picture failed.
 *  code: negative errno value, the same as the function returned:
 *    -ENOMSG: the content is no picture known here
 *    -ENODATA: the file is empty
 *    -ENOTSUP: a known format, but this picture's feature, or the whole format, cannot be decoded
 *    on this machine
 *    -EBADMSG: damaged: bad codes, impossible values
 *    -EPIPE: truncated: the data ends before the picture does
 *    -EFBIG: refused: more pixels, scans, frames or memory than the limits allow, or a side of
 *    more than a million pixels
 *    -ECANCELED: the cancellation callback said so
 *    -ENOMEM: out of memory
 *    -EINVAL: the options make no sense
 *  message: what the decoder said, in plain words without the file's name; printable ASCII. */
struct img_error {
    int code;
    char message[160];
};

/** The short stable name of an error code, for machines: "not-an-image", "empty", "unsupported",
 *  "damaged", "truncated", "too-large", "cancelled", "out-of-memory", "bad-options", "failed". */
const char *img_error_name(int code);

/* ---- Thumbnails ---------------------------------------------------------------------------- */

/** From which damage on a picture fails. A picture is always decoded strictly first; only when that
 *  fails, and the level tolerates the kind of damage, it is decoded once more, laxly. So a sound
 *  picture costs nothing, and a picture that was tolerated is always labelled: see damage in struct
 *  img_thumbnail. Each level also fails for what the ones above it fail for.
 *
 *  What a lax decoding keeps: of a JPEG whatever libjpeg makes of it, of the others the rows before
 *  the damage, of an interlaced PNG what its passes gave. Rows that are missing are transparent
 *  where the picture has alpha, else gray. Formats that are decoded in one piece (WebP, HEIF, AVIF,
 *  JPEG XL, BMP) come out whole or not at all.
 *  A picture fails at every level when its header is damaged, when not one row of it can be had
 *  (of a JPEG: one row of blocks), and when a limit forbids it: the limits are the same for lax
 *  decodings.
 *
 *  A level speaks of what is decoded, which for a small thumbnail need not be all: of a progressive
 *  JPEG the scans that it has no use for are passed over by their markers. That the file goes on to
 *  its end is always seen, unless fast is set; bad codes inside those scans are not. */
enum img_fail_on {
    IMG_FAIL_ON_NONE,      /* fails only if nothing can be decoded */
    IMG_FAIL_ON_TRUNCATED, /* early ends (-EPIPE); bad codes and wrong checksums are tolerated */
    IMG_FAIL_ON_ERROR,     /* bad codes too (-EBADMSG): any wrong or missing pixel */
    IMG_FAIL_ON_WARNING,   /* all that the decoder complains of, the pixels being right or not:
                            * bytes between the segments of a JPEG, odd chunks of a PNG */
};

/** How the upright picture gets into the box. In all ways it keeps its aspect ratio, and each side
 *  of the thumbnail is from one pixel to the box's.
 *    INSIDE  The whole picture, as large as fits; the sides are rounded to pixels.
 *    COVER   The picture fills the box, and what stands out is cut off on two opposite sides, as
 *            much on each. The cut runs through the picture's pixels where it must, unless they
 *            are neither shrunk nor enlarged. Damage in what is cut off counts all the same.
 *    PAD     As INSIDE, in the middle of a thumbnail that is as large as the box; half a pixel
 *            further left or up where there is no such place. The rest is background, opaque. */
enum img_fit { IMG_FIT_INSIDE = 0, IMG_FIT_COVER, IMG_FIT_PAD };

/** What to make. Start from IMG_OPTIONS_INIT. */
struct img_options {
    uint32_t box_width_px;  /* of the upright thumbnail; 1..65535 */
    uint32_t box_height_px; /* 1..65535 */
    enum img_fit fit;
    /* Also beyond the picture's own size. false: a picture is never enlarged; COVER then fills a
     * box that is no larger than the picture on either side, PAD has a small picture in the middle
     * as it is. */
    bool enlarge;
    /* Kept in the thumbnail, as a comment that img_note_find() finds: printable ASCII, up to
     * IMG_NOTE_MAX_BYTES. Borrowed for the call. note_bytes 0: none, and note may be NULL. */
    const char *note;
    size_t note_bytes;
    enum img_format
        format;  /* IMG_FORMAT_JPEG, _PNG, or _UNKNOWN: PNG where alpha is used, else JPEG */
    int quality; /* of JPEG, 1..100 */
    /* R, G, B: below transparent pixels where the output has no alpha, and around PAD's picture. */
    uint8_t background[3];
    enum img_fail_on fail_on; /* from which damage on the picture fails */
    /* May stop reading a progressive JPEG after what the thumbnail needs, but for less than one
     * gray level: mostly after the first scan. Damage further on, and a missing end, go unseen. */
    bool fast;
    /* Limits. The scans are counted while they are read; all else is checked before anything is
     * allocated for the pixels. */
    uint64_t pixels_max; /* a header that claims more is refused, and a larger thumbnail */
    uint32_t scans_max;  /* a progressive JPEG with more scans is refused */
    uint32_t frames_max; /* a file with more frames or pages is refused; one of them is used */
    /* A picture is refused that surely needs more: the file, and what has to be held whole to
     * decode it (a progressive JPEG, an interlaced PNG, WebP, GIF, HEIF, AVIF, JPEG XL and BMP;
     * other pictures are decoded by the row). An estimate from the header, on the low side, not a
     * bound. 0: no limit. */
    uint64_t memory_bytes;
    /* Asked now and then while working, from the calling thread; true ends the work with
     * -ECANCELED. NULL: never. cancel_data: handed through, borrowed for the call. */
    bool (*cancelled)(void *cancel_data);
    void *cancel_data;
};

#define IMG_OPTIONS_INIT                                                                           \
    {                                                                                              \
        .box_width_px = 256, .box_height_px = 256, .fit = IMG_FIT_INSIDE, .enlarge = false,        \
        .note = NULL, .note_bytes = 0, .format = IMG_FORMAT_UNKNOWN, .quality = 80,                \
        .background = {255, 255, 255}, .fail_on = IMG_FAIL_ON_ERROR, .fast = false,                \
        .pixels_max = UINT64_C(512) * 1000 * 1000, .scans_max = 500, .frames_max = 10000,          \
        .memory_bytes = 0, .cancelled = NULL, .cancel_data = NULL                                  \
    }

/** A finished thumbnail. data is borrowed: it belongs to the context and is valid until the
 *  context's next img_thumbnail() or its img_context_free(). */
struct img_thumbnail {
    const uint8_t *data;
    size_t size_bytes;
    enum img_format format; /* of data */
    uint32_t width_px;      /* upright */
    uint32_t height_px;
    enum img_format source_format;
    uint32_t source_width_px; /* upright */
    uint32_t source_height_px;
    /* code 0: the picture is whole. Else it is partial, as fail_on allows: what the strict decoding
     * said, -EBADMSG or -EPIPE and its words. */
    struct img_error damage;
    const char *decoder;  /* "thumbpool", "libjpeg-turbo", "libpng" or "libvips": static storage */
    uint32_t decode_us;   /* time spent, in microseconds: decode includes the first shrink */
    uint32_t resample_us; /* resampling, colour conversion and turning */
    uint32_t encode_us;
};

/** Per-worker memory: reused buffers and colour transforms. One thread at a time. */
struct img_context;

/** Make a context. ret_context: owned; release with img_context_free().
 *  Returns 0 or -ENOMEM. */
int img_context_create(struct img_context **ret_context);

/** Release a context; NULL is fine. Returns NULL. */
struct img_context *img_context_free(struct img_context *context);

/** Make one thumbnail.
 *  data: the whole file, borrowed for the call.
 *  The thumbnail is upright by the picture's EXIF orientation (all eight), in sRGB, as large as
 *  box, fit and enlarge say, and carries no metadata of the source. The same input and options
 *  give the same bytes in every context.
 *  Returns 0, or an error as listed at struct img_error. reterr_error may be NULL. */
int img_thumbnail(struct img_context *context, const uint8_t *data, size_t size_bytes,
                  const struct img_options *options, struct img_thumbnail *ret_thumbnail,
                  struct img_error *reterr_error);

/** The longest note, and how much of a thumbnail's beginning surely has all of it. */
#define IMG_NOTE_MAX_BYTES   4096
#define IMG_NOTE_PROBE_BYTES (IMG_NOTE_MAX_BYTES + 512)

/** Find the note in a thumbnail that img_thumbnail() has made.
 *  data: its first IMG_NOTE_PROBE_BYTES bytes, or all of it. It may be any file: nothing outside of
 *  it is looked at, and what is found is printable ASCII, but anybody may have written it.
 *  ret_note: borrowed from data, not terminated.
 *  Returns its length, or -ENOMSG if there is none that img_thumbnail() could have written. */
int img_note_find(const uint8_t *data, size_t size_bytes, const char **ret_note);

/** How much of a thumbnail's end img_end_is_there() looks at. */
#define IMG_END_BYTES 12

/** Does a file that begins as a JPEG or PNG of ours end as one? One that was cut off does not.
 *  end: its last IMG_END_BYTES bytes. */
bool img_end_is_there(const uint8_t *end, enum img_format format);

/** Get ready for confinement: load libvips now, with everything that its loaders would otherwise
 *  open later, so that afterwards pictures of every format can be decoded in a process that may
 *  open no file, map no code and start no program. It may still have to start threads, as several
 *  of the decoders do.
 *  Sets environment variables of this process: that no decoder compiles code at run time, that
 *  ImageMagick, which decodes BMP for libvips, works in one thread and puts no pixels into files;
 *  and limits malloc to one arena, because glibc reads files when it makes others.
 *  memory_bytes: what ImageMagick may take for one picture's pixels, eight bytes for each; its own
 *  configuration may allow less. 0: what its configuration says.
 *  Returns 0; -ENOTSUP: libvips is not available on this machine (JPEG and PNG need no
 *  preparation); -EALREADY: this process has used libvips before; -ENOMEM. reterr_error may be
 *  NULL. A second call, or a call in a child of a process that has called it, does nothing and
 *  returns the same.
 *  Thread safety: none, and no thread is left behind. Call it in a single-threaded process, before
 *  img_libraries_describe() and before the first img_thumbnail(). */
int img_libraries_prepare(uint64_t memory_bytes, struct img_error *reterr_error);

/** Describe the decoders and encoders in use, one "name version" a line, each line ending in a
 *  newline: libjpeg-turbo, libpng, libdeflate, lcms2, and libvips, which is loaded for this, with
 *  the formats it brings, or a line that says why it is not available.
 *  buffer: size_bytes bytes, always terminated. Returns the length that the whole text needs
 *  without its terminator, like snprintf. */
size_t img_libraries_describe(char *buffer, size_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
