/* note.c: see note_priv.h. What is searched may be any file of anybody, so each length is held
 * against what there is, and a PNG chunk counts only with its checksum. */
#include "note_priv.h"

#include <errno.h>
#include <string.h>

#include <libdeflate.h>

#define PNG_SIGNATURE_BYTES 8
#define PNG_HEADER_BYTES    13

/* A part of a file. */
struct span {
    const uint8_t *data;
    size_t size_bytes;
};

static bool is_printable(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] < ' ' || bytes[i] > '~')
            return false;
    return true;
}

bool img_note_is_sound(const char *note, size_t note_bytes)
{
    if (note_bytes == 0)
        return true;
    return note && note_bytes <= IMG_NOTE_MAX_BYTES &&
           is_printable((const uint8_t *)note, note_bytes);
}

/* Take count bytes off the front; false: there are not so many. */
static bool span_take(struct span *from, size_t count, struct span *ret_part)
{
    if (from->size_bytes < count)
        return false;
    *ret_part = (struct span){from->data, count};
    from->data += count;
    from->size_bytes -= count;
    return true;
}

static uint32_t read_be(const uint8_t *at, unsigned count)
{
    uint32_t value = 0;
    while (count-- > 0)
        value = value << 8 | *at++;
    return value;
}

/* The contents of the segment at the front, if it has this marker. */
static bool jpeg_segment_take(struct span *file, uint8_t marker, struct span *ret_body)
{
    struct span head;
    if (!span_take(file, 4, &head) || head.data[0] != 0xff || head.data[1] != marker)
        return false;
    const size_t length = read_be(head.data + 2, 2); /* counts itself */
    return length >= 2 && span_take(file, length - 2, ret_body);
}

static bool jpeg_note_find(struct span file, struct span *ret_note)
{
    static const uint8_t start[] = {0xff, 0xd8};
    static const char jfif[] = "JFIF"; /* with its terminator */
    struct span part;
    if (!span_take(&file, sizeof(start), &part) || memcmp(part.data, start, sizeof(start)) != 0 ||
        !jpeg_segment_take(&file, 0xe0, &part) || part.size_bytes < sizeof(jfif) ||
        memcmp(part.data, jfif, sizeof(jfif)) != 0 || !jpeg_segment_take(&file, 0xfe, ret_note))
        return false;
    return file.size_bytes >= 1 && file.data[0] == 0xff; /* a picture follows */
}

/* The contents of the chunk at the front, if it has this name. */
static bool png_chunk_take(struct span *file, const char *name, size_t bytes_max,
                           struct span *ret_body)
{
    struct span head, checksum;
    if (!span_take(file, 8, &head) || memcmp(head.data + 4, name, 4) != 0)
        return false;
    const size_t length = read_be(head.data, 4);
    return length <= bytes_max && span_take(file, length, ret_body) &&
           span_take(file, 4, &checksum) &&
           libdeflate_crc32(0, head.data + 4, 4 + length) == read_be(checksum.data, 4);
}

static bool png_note_find(struct span file, struct span *ret_note)
{
    static const uint8_t signature[PNG_SIGNATURE_BYTES] = {0x89, 'P',  'N',  'G',
                                                           '\r', '\n', 0x1a, '\n'};
    struct span part, keyword;
    if (!span_take(&file, sizeof(signature), &part) ||
        memcmp(part.data, signature, sizeof(signature)) != 0 ||
        !png_chunk_take(&file, "IHDR", PNG_HEADER_BYTES, &part) ||
        part.size_bytes != PNG_HEADER_BYTES ||
        !png_chunk_take(&file, "tEXt", IMG_NOTE_KEYWORD_BYTES + IMG_NOTE_MAX_BYTES, &part) ||
        !span_take(&part, IMG_NOTE_KEYWORD_BYTES, &keyword) ||
        memcmp(keyword.data, IMG_NOTE_KEYWORD, IMG_NOTE_KEYWORD_BYTES) != 0)
        return false;
    *ret_note = part;
    return true;
}

int img_note_find(const uint8_t *data, size_t size_bytes, const char **ret_note)
{
    const struct span file = {data, size_bytes};
    struct span note;
    if (!jpeg_note_find(file, &note) && !png_note_find(file, &note))
        return -ENOMSG;
    const char *text = (const char *)note.data;
    if (note.size_bytes == 0 || !img_note_is_sound(text, note.size_bytes))
        return -ENOMSG;
    *ret_note = text;
    return (int)note.size_bytes;
}

bool img_end_is_there(const uint8_t *end, enum img_format format)
{
    static const uint8_t jpeg[] = {0xff, 0xd9};
    static const uint8_t png[IMG_END_BYTES] = {0,   0,   0,    0,    'I',  'E',
                                               'N', 'D', 0xae, 0x42, 0x60, 0x82};
    if (format == IMG_FORMAT_JPEG)
        return memcmp(end + IMG_END_BYTES - sizeof(jpeg), jpeg, sizeof(jpeg)) == 0;
    return format == IMG_FORMAT_PNG && memcmp(end, png, sizeof(png)) == 0;
}
