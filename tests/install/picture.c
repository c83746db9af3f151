/* The smallest program on the imaging library, built outside of the tree: the thumbnail of a gray
 * picture of 3x2 pixels. Prints "png 3x2, jpeg 3x2". */
#include <stdio.h>

#include <imaging/imaging.h>

static const uint8_t png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,                         /* signature */
    0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x03, /* IHDR */
    0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x00, 0x00, 0x00, 0xb8, 0x1f, 0x39, 0xc6,
    0x00, 0x00, 0x00, 0x0e, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60, /* IDAT */
    0x70, 0x68, 0x60, 0x00, 0x62, 0x00, 0x05, 0x08, 0x01, 0x81, 0xf4, 0xf5, 0x79,
    0x81, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82, /* IEND */
};

int main(void)
{
    struct img_options options = IMG_OPTIONS_INIT;
    struct img_context *context;
    struct img_thumbnail thumbnail;
    struct img_error error;
    if (img_context_create(&context) < 0)
        return 1;
    int r = img_thumbnail(context, png, sizeof(png), &options, &thumbnail, &error);
    if (r < 0)
        fprintf(stderr, "picture: %s\n", error.message);
    else
        printf("%s %ux%u, %s %ux%u\n", img_format_name(thumbnail.source_format),
               thumbnail.source_width_px, thumbnail.source_height_px,
               img_format_name(thumbnail.format), thumbnail.width_px, thumbnail.height_px);
    img_context_free(context);
    return r < 0;
}
