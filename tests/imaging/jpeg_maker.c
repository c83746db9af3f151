#include "jpeg_maker.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>

#include "isolate.h"

/* ---- Making ---- */

static uint32_t random_next(uint32_t *state)
{
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return *state >> 8;
}

/* Soft hills, one hard edge, grain. */
static void row_paint(const struct jpeg_recipe *recipe, uint32_t y, uint32_t *state, uint8_t *row)
{
    for (uint32_t x = 0; x < recipe->width; x++)
        for (unsigned c = 0; c < recipe->components; c++) {
            int value = (int)((x * (2 + c) + y * (3 - c)) % 509) - 127;
            value = value < 0 ? -value : value > 255 ? 510 - value : value;
            if (x > recipe->width / 2 && y > recipe->height / 3)
                value = 255 - value;
            if (recipe->grain > 0)
                value +=
                    (int)(random_next(state) % (2 * (unsigned)recipe->grain + 1)) - recipe->grain;
            *row++ = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
}

static void recipe_apply(const struct jpeg_recipe *recipe, struct jpeg_compress_struct *cinfo)
{
    static jpeg_scan_info separate[3];
    jpeg_set_defaults(cinfo);
    if (recipe->adobe_rgb)
        jpeg_set_colorspace(cinfo, JCS_RGB);
    if (recipe->no_jfif)
        cinfo->write_JFIF_header = FALSE;
    jpeg_set_quality(cinfo, recipe->quality ? recipe->quality : 90, TRUE);
    for (unsigned c = 0; c < recipe->components; c++) {
        cinfo->comp_info[c].h_samp_factor = recipe->h[c] ? recipe->h[c] : 1;
        cinfo->comp_info[c].v_samp_factor = recipe->v[c] ? recipe->v[c] : 1;
    }
    cinfo->optimize_coding = recipe->optimised;
    cinfo->arith_code = recipe->arithmetic;
    cinfo->restart_interval = recipe->restart_interval;
    if (recipe->progressive)
        jpeg_simple_progression(cinfo);
    if (recipe->scans) {
        cinfo->scan_info = recipe->scans;
        cinfo->num_scans = recipe->scan_count;
    }
    if (recipe->separate_scans) {
        for (int c = 0; c < 3; c++)
            separate[c] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {c}, .Se = 63};
        cinfo->scan_info = separate;
        cinfo->num_scans = (int)recipe->components;
    }
}

struct bytes jpeg_made(const struct jpeg_recipe *recipe)
{
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors; /* a mistake in a recipe ends the test */
    unsigned char *data = NULL;
    unsigned long size = 0;
    uint32_t state = recipe->width * 31 + recipe->height;
    uint8_t *row = malloc((size_t)recipe->width * recipe->components);
    assert_non_null(row);
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &data, &size);
    cinfo.image_width = recipe->width;
    cinfo.image_height = recipe->height;
    cinfo.input_components = (int)recipe->components;
    cinfo.in_color_space = recipe->components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    recipe_apply(recipe, &cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    for (uint32_t y = 0; y < recipe->height; y++) {
        row_paint(recipe, y, &state, row);
        jpeg_write_scanlines(&cinfo, (JSAMPARRAY)&row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    free(row);
    return (struct bytes){data, size};
}

/* ---- Reading ---- */

struct oracle_errors {
    struct jpeg_error_mgr manager;
    jmp_buf landing;
    bool warned;
};

static void leave(j_common_ptr cinfo) __attribute__((noreturn));
static void leave(j_common_ptr cinfo)
{
    struct oracle_errors *errors = (struct oracle_errors *)(void *)cinfo->err;
    longjmp(errors->landing, 1);
}

static void note(j_common_ptr cinfo, int level)
{
    struct oracle_errors *errors = (struct oracle_errors *)(void *)cinfo->err;
    switch (errors->manager.msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA:
        break;
    default:
        errors->warned = errors->warned || level < 0;
    }
}

static void print_nothing(j_common_ptr cinfo)
{
    (void)cinfo;
}

static const uint8_t zigzag_to_natural[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

static void component_copy(struct jpeg_oracle *oracle, struct jpeg_decompress_struct *cinfo,
                           jvirt_barray_ptr array, int c)
{
    const jpeg_component_info *info = &cinfo->comp_info[c];
    oracle->width_blocks[c] = info->width_in_blocks;
    oracle->height_blocks[c] = info->height_in_blocks;
    for (size_t k = 0; info->quant_table && k < 64; k++)
        oracle->quant[c][k] = info->quant_table->quantval[zigzag_to_natural[k]];
    int16_t *to = oracle->coefficients[c] =
        malloc((size_t)info->width_in_blocks * info->height_in_blocks * 64 * sizeof(int16_t));
    if (!to)
        ERREXIT1(cinfo, JERR_OUT_OF_MEMORY, 0);
    for (JDIMENSION y = 0; y < info->height_in_blocks; y++) {
        JBLOCKARRAY rows = cinfo->mem->access_virt_barray((j_common_ptr)cinfo, array, y, 1, FALSE);
        for (JDIMENSION x = 0; x < info->width_in_blocks; x++)
            for (size_t k = 0; k < 64; k++)
                *to++ = rows[0][x][zigzag_to_natural[k]];
    }
}

static void all_read(struct jpeg_oracle *oracle, struct jpeg_decompress_struct *cinfo,
                     const uint8_t *data, size_t size)
{
    struct oracle_errors *errors = (struct oracle_errors *)(void *)cinfo->err;
    if (setjmp(errors->landing))
        return;
    jpeg_create_decompress(cinfo);
    jpeg_mem_src(cinfo, data, (unsigned long)size);
    jpeg_read_header(cinfo, TRUE);
    jvirt_barray_ptr *arrays = jpeg_read_coefficients(cinfo);
    for (int c = 0; c < cinfo->num_components && c < 4; c++)
        component_copy(oracle, cinfo, arrays[c], c);
    oracle->components = (unsigned)cinfo->num_components;
    jpeg_finish_decompress(cinfo);
    oracle->accepted = !errors->warned;
}

void jpeg_oracle_read(struct jpeg_oracle *oracle, const uint8_t *data, size_t size)
{
    struct oracle_errors errors = {.warned = false};
    struct jpeg_decompress_struct cinfo = {.err = jpeg_std_error(&errors.manager)};
    errors.manager.error_exit = leave;
    errors.manager.emit_message = note;
    errors.manager.output_message = print_nothing;
    *oracle = (struct jpeg_oracle){.accepted = false};
    all_read(oracle, &cinfo, data, size);
    jpeg_destroy_decompress(&cinfo);
}

void jpeg_oracle_done(struct jpeg_oracle *oracle)
{
    for (int c = 0; c < 4; c++)
        free(oracle->coefficients[c]);
}
