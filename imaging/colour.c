/* colour.c: see colour_priv.h.
 *
 * Perceptual intent with black point compensation, as is usual for pictures. Building a transform
 * takes about a millisecond and whole folders carry the same profile, so the last few are kept,
 * recognised by the profile's bytes; that a profile is of no use is kept as well. */
#include "colour_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lcms2.h>

#define CACHE_SLOTS       4
#define PROFILE_BYTES_MIN 128 /* a profile's header */
#define PROFILE_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define CHUNK_PX          256

struct img_transform {
    cmsHTRANSFORM handle; /* owned; NULL: leave the colours alone */
    uint8_t *icc;         /* owned; NULL: the slot is free */
    size_t icc_bytes;
    enum img_layout layout;
    uint64_t used_at;
};

struct img_colour {
    cmsContext cms;   /* owned: no state is shared with other users of lcms2 */
    cmsHPROFILE srgb; /* owned */
    cmsHPROFILE gray; /* owned: gray with the tone curve of sRGB */
    uint64_t clock;
    struct img_transform slots[CACHE_SLOTS];
};

static cmsHPROFILE gray_profile_create(cmsContext cms)
{
    static const cmsFloat64Number srgb_curve[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92,
                                                   0.04045};
    cmsToneCurve *curve = cmsBuildParametricToneCurve(cms, 4, srgb_curve);
    if (!curve)
        return NULL;
    cmsHPROFILE profile = cmsCreateGrayProfileTHR(cms, cmsD50_xyY(), curve);
    cmsFreeToneCurve(curve);
    return profile;
}

int img_colour_create(struct img_colour **ret_colour)
{
    struct img_colour *colour = calloc(1, sizeof(*colour));
    if (!colour)
        return -ENOMEM;
    /* A context of its own has no log function: lcms2 says nothing anywhere. */
    colour->cms = cmsCreateContext(NULL, NULL);
    if (colour->cms) {
        colour->srgb = cmsCreate_sRGBProfileTHR(colour->cms);
        colour->gray = gray_profile_create(colour->cms);
    }
    if (!colour->srgb || !colour->gray) {
        img_colour_free(colour);
        return -ENOMEM;
    }
    *ret_colour = colour;
    return 0;
}

static void slot_clear(struct img_transform *slot)
{
    if (slot->handle)
        cmsDeleteTransform(slot->handle);
    free(slot->icc);
    *slot = (struct img_transform){0};
}

struct img_colour *img_colour_free(struct img_colour *colour)
{
    if (!colour)
        return NULL;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        slot_clear(&colour->slots[i]);
    if (colour->gray)
        cmsCloseProfile(colour->gray);
    if (colour->srgb)
        cmsCloseProfile(colour->srgb);
    if (colour->cms)
        cmsDeleteContext(colour->cms);
    free(colour);
    return NULL;
}

/* ---- Building a transform ---- */

/* Pixel formats of lcms2 for a layout. */
static cmsUInt32Number source_type(enum img_layout layout)
{
    switch (layout) {
    case IMG_LAYOUT_GRAY:
        return TYPE_GRAY_8;
    case IMG_LAYOUT_GRAY_ALPHA:
        return TYPE_GRAY_8 | EXTRA_SH(1);
    case IMG_LAYOUT_RGB:
        return TYPE_RGB_8;
    case IMG_LAYOUT_RGB_ALPHA:
        return TYPE_RGBA_8;
    case IMG_LAYOUT_CMYK:
        break;
    }
    return TYPE_CMYK_8;
}

static cmsColorSpaceSignature colour_space(enum img_layout layout)
{
    switch (layout) {
    case IMG_LAYOUT_GRAY:
    case IMG_LAYOUT_GRAY_ALPHA:
        return cmsSigGrayData;
    case IMG_LAYOUT_RGB:
    case IMG_LAYOUT_RGB_ALPHA:
        return cmsSigRgbData;
    case IMG_LAYOUT_CMYK:
        break;
    }
    return cmsSigCmykData;
}

static bool profile_fits(cmsHPROFILE profile, enum img_layout layout)
{
    const cmsProfileClassSignature class = cmsGetDeviceClass(profile);
    return (class == cmsSigInputClass || class == cmsSigDisplayClass ||
            class == cmsSigOutputClass || class == cmsSigColorSpaceClass) &&
           cmsGetColorSpace(profile) == colour_space(layout);
}

/* Most embedded profiles are sRGB by one name or another. Converting would only add rounding. */
static bool changes_nothing(cmsHTRANSFORM transform, enum img_layout layout)
{
    if (layout != IMG_LAYOUT_RGB && layout != IMG_LAYOUT_GRAY)
        return false;
    const unsigned channels = img_layout_channels(layout);
    for (unsigned red = 0; red <= 255; red += 15)
        for (unsigned green = 0; green <= 255; green += 15) {
            uint8_t before[18][3], after[18][3];
            for (unsigned i = 0; i < 18; i++) {
                uint8_t *pixel = &before[0][0] + (size_t)i * channels;
                pixel[channels - 1] = (uint8_t)(i * 15);
                if (channels == 3)
                    pixel[0] = (uint8_t)red, pixel[1] = (uint8_t)green;
            }
            cmsDoTransform(transform, before, after, 18);
            for (unsigned i = 0; i < 18 * channels; i++)
                if (abs((&before[0][0])[i] - (&after[0][0])[i]) > 1)
                    return false;
        }
    return true;
}

static cmsHTRANSFORM transform_make(struct img_colour *colour, cmsHPROFILE source,
                                    enum img_layout layout)
{
    const bool gray = colour_space(layout) == cmsSigGrayData;
    const enum img_layout result = layout == IMG_LAYOUT_CMYK ? IMG_LAYOUT_RGB : layout;
    cmsUInt32Number flags = cmsFLAGS_BLACKPOINTCOMPENSATION;
    if (img_layout_has_alpha(layout))
        flags |= cmsFLAGS_COPY_ALPHA;
    return cmsCreateTransformTHR(colour->cms, source, source_type(layout),
                                 gray ? colour->gray : colour->srgb, source_type(result),
                                 INTENT_PERCEPTUAL, flags);
}

static cmsHTRANSFORM transform_create(struct img_colour *colour, enum img_layout layout,
                                      const uint8_t *icc, size_t icc_bytes)
{
    cmsHPROFILE source = cmsOpenProfileFromMemTHR(colour->cms, icc, (cmsUInt32Number)icc_bytes);
    if (!source)
        return NULL;
    cmsHTRANSFORM transform = NULL;
    if (profile_fits(source, layout)) {
        const enum img_layout opaque = layout == IMG_LAYOUT_GRAY_ALPHA  ? IMG_LAYOUT_GRAY
                                       : layout == IMG_LAYOUT_RGB_ALPHA ? IMG_LAYOUT_RGB
                                                                        : layout;
        transform = transform_make(colour, source, opaque);
        if (transform && changes_nothing(transform, opaque)) {
            cmsDeleteTransform(transform);
            transform = NULL;
        } else if (transform && opaque != layout) {
            cmsDeleteTransform(transform);
            transform = transform_make(colour, source, layout);
        }
    }
    cmsCloseProfile(source);
    return transform;
}

/* ---- The cache ---- */

static struct img_transform *slot_oldest(struct img_colour *colour)
{
    struct img_transform *oldest = &colour->slots[0];
    for (size_t i = 1; i < CACHE_SLOTS; i++)
        if (colour->slots[i].used_at < oldest->used_at)
            oldest = &colour->slots[i];
    return oldest;
}

static struct img_transform *slot_find(struct img_colour *colour, enum img_layout layout,
                                       const uint8_t *icc, size_t icc_bytes)
{
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        struct img_transform *slot = &colour->slots[i];
        if (slot->icc && slot->layout == layout && slot->icc_bytes == icc_bytes &&
            memcmp(slot->icc, icc, icc_bytes) == 0)
            return slot;
    }
    return NULL;
}

int img_colour_find(struct img_colour *colour, enum img_layout layout, const uint8_t *icc,
                    size_t icc_bytes, const struct img_transform **ret_transform)
{
    if (!icc || icc_bytes < PROFILE_BYTES_MIN || icc_bytes > PROFILE_BYTES_MAX) {
        *ret_transform = NULL;
        return 0;
    }
    struct img_transform *slot = slot_find(colour, layout, icc, icc_bytes);
    if (!slot) {
        uint8_t *copy = malloc(icc_bytes);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, icc, icc_bytes);
        slot = slot_oldest(colour);
        slot_clear(slot);
        slot->icc = copy;
        slot->icc_bytes = icc_bytes;
        slot->layout = layout;
        slot->handle = transform_create(colour, layout, icc, icc_bytes);
    }
    slot->used_at = ++colour->clock;
    *ret_transform = slot->handle ? slot : NULL;
    return 0;
}

/* ---- Use ---- */

/* What CMYK means without a profile: each ink takes its part of the light. */
static void inks_multiply(const uint8_t *from, uint8_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const unsigned light = 255u - from[i * 4 + 3];
        for (unsigned c = 0; c < 3; c++)
            to[i * 3 + c] = (uint8_t)(((255u - from[i * 4 + c]) * light + 127) / 255);
    }
}

void img_colour_apply(const struct img_transform *transform, struct img_picture *picture)
{
    const bool cmyk = picture->layout == IMG_LAYOUT_CMYK;
    if (!transform && !cmyk)
        return;
    const unsigned channels = img_layout_channels(picture->layout);
    const unsigned result_channels = cmyk ? 3 : channels;
    const size_t pixels = (size_t)picture->width_px * picture->height_px;
    uint8_t chunk[CHUNK_PX * IMG_CHANNELS_MAX]; /* a copy: the result may not overlap its source */
    for (size_t at = 0; at < pixels; at += CHUNK_PX) {
        const size_t count = pixels - at < CHUNK_PX ? pixels - at : CHUNK_PX;
        uint8_t *to = picture->pixels + at * result_channels;
        memcpy(chunk, picture->pixels + at * channels, count * channels);
        if (transform)
            cmsDoTransform(transform->handle, chunk, to, (cmsUInt32Number)count);
        else
            inks_multiply(chunk, to, count);
    }
    if (cmyk)
        picture->layout = IMG_LAYOUT_RGB;
}
