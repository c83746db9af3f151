#include "jpeg_low_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "jpeg_maker.h"

struct jpeg_low jpeg_low_read(struct bytes file, unsigned low_mask)
{
    static const struct img_options options = IMG_OPTIONS_INIT;
    struct jpeg_low reading = {
        .progressive = {
            .data = file.data, .size_bytes = file.size, .options = &options, .scans_max = 100}};
    struct img_progressive *progressive = &reading.progressive;
    reading.code = img_jpeg_frame_read(file.data, file.size, &progressive->frame);
    if (reading.code == 0 && !progressive->frame.progressive)
        reading.code = -EAGAIN;
    uint64_t blocks = 0;
    for (unsigned i = 0; reading.code == 0 && i < progressive->frame.component_count; i++)
        blocks += (uint64_t)progressive->frame.components[i].width_blocks *
                  progressive->frame.components[i].height_blocks;
    if (blocks / 8 > file.size) /* as the decoder does: fewer bits than the blocks need */
        reading.code = -EAGAIN;
    if (reading.code < 0)
        return reading;
    const uint64_t bytes = img_progressive_bytes(&progressive->frame, low_mask);
    reading.memory = malloc(bytes);
    assert_non_null(reading.memory);
    memset(reading.memory, 0x5a, bytes);
    img_progressive_place(progressive, low_mask, reading.memory);
    reading.code = img_progressive_read(progressive);
    return reading;
}

static const char *component_compare(const struct img_progressive *progressive, unsigned number,
                                     const struct jpeg_oracle *oracle)
{
    const struct img_progressive_component *component = &progressive->components[number];
    const struct img_jpeg_component *frame = &progressive->frame.components[number];
    const int16_t *block = oracle->coefficients[number];
    if (oracle->width_blocks[number] != frame->width_blocks ||
        oracle->height_blocks[number] != frame->height_blocks)
        return "the size differs";
    for (size_t y = 0; y < frame->height_blocks; y++)
        for (size_t x = 0; x < frame->width_blocks; x++, block += 64) {
            const size_t at = y * frame->padded_width_blocks + x;
            if (component->dc[at] != block[0])
                return "DC differs";
            if (!component->low)
                continue;
            const struct img_progressive_low *low = &component->low[at];
            if (low->across != block[1] || low->down != block[2] || low->both != block[4])
                return "AC differs";
            for (unsigned k = 1; k < 64; k++)
                if ((low->nonzero >> k & 1) != (block[k] != 0))
                    return "what is zero differs";
        }
    return NULL;
}

const char *jpeg_low_compare(struct bytes file, const struct img_progressive *progressive,
                             bool *ret_accepted)
{
    struct jpeg_oracle oracle;
    const char *difference = NULL;
    jpeg_oracle_read(&oracle, file.data, file.size);
    *ret_accepted = oracle.accepted;
    if (oracle.components != progressive->frame.component_count)
        difference = "components differ";
    for (unsigned i = 0; !difference && i < oracle.components; i++)
        difference = component_compare(progressive, i, &oracle);
    jpeg_oracle_done(&oracle);
    return oracle.accepted ? difference : NULL;
}
