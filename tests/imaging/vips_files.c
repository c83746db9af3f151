#include "vips_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolate.h"

/* libvips keeps threads for a while after it has written a file, and a process that has used it
 * must not fork and use it again. So each file is made by this program started anew, which gets
 * the picture in memory and hands the file back in memory. */

#define MAKE_ARGUMENT "--make-file"
#define SUFFIX_BYTES  80

static VipsInterpretation interpretation_of(const struct sample *sample)
{
    if (sample->channels <= 2)
        return sample->depth == 16 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    return sample->depth == 16 ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
}

static VipsImage *image_make(const struct sample *sample, const struct vips_make *make)
{
    const size_t count = (size_t)sample->width * sample->height * sample->channels;
    uint8_t *bytes = calloc(count, 2);
    for (size_t i = 0; i < count; i++)
        if (sample->depth == 16)
            memcpy(bytes + i * 2, &sample->samples[i], 2);
        else
            bytes[i] = (uint8_t)sample->samples[i];
    VipsImage *image = vips_image_new_from_memory(
        bytes, count * sample->depth / 8, (int)sample->width, (int)sample->height,
        (int)sample->channels, sample->depth == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
    VipsImage *copy = NULL, *converted = NULL;
    vips_copy(image, &copy, "interpretation",
              make->read_as ? make->read_as : interpretation_of(sample), NULL);
    if (make->orientation)
        vips_image_set_int(copy, VIPS_META_ORIENTATION, make->orientation);
    if (make->page_height)
        vips_image_set_int(copy, VIPS_META_PAGE_HEIGHT, make->page_height);
    if (make->icc.size)
        vips_image_set_blob_copy(copy, VIPS_META_ICC_NAME, make->icc.data, make->icc.size);
    if (!make->convert_to)
        return copy;
    vips_colourspace(copy, &converted, make->convert_to, NULL);
    return converted;
}

static void put(int file, const void *data, size_t size)
{
    assert_int_equal(write(file, data, size), size);
}

static void get(int file, void *data, size_t size)
{
    if (read(file, data, size) != (ssize_t)size)
        exit(2);
}

static size_t sample_bytes(const struct sample *sample)
{
    return (size_t)sample->width * sample->height * sample->channels * sizeof(uint16_t);
}

/* The program started anew: what cannot be written leaves the output empty. */
static int make_main(int in, int out)
{
    struct sample sample;
    struct vips_make make;
    void *data = NULL;
    size_t size = 0;
    char suffix[SUFFIX_BYTES];
    get(in, suffix, sizeof(suffix));
    get(in, &make, sizeof(make));
    get(in, &sample, sizeof(sample));
    make.icc.data = malloc(make.icc.size + 1);
    sample.samples = malloc(sample_bytes(&sample));
    get(in, make.icc.data, make.icc.size);
    get(in, sample.samples, sample_bytes(&sample));
    if (vips_init("test") != 0 ||
        vips_image_write_to_buffer(image_make(&sample, &make), suffix, &data, &size, NULL) != 0)
        return 0;
    return write(out, data, size) == (ssize_t)size ? 0 : 1;
}

struct bytes vips_file_made(const struct sample *sample, const char *suffix,
                            const struct vips_make *make)
{
    char text[SUFFIX_BYTES] = "";
    const int in = memfd_create("picture", 0), out = memfd_create("file", 0);
    char numbers[2][12];
    snprintf(numbers[0], sizeof(numbers[0]), "%d", in);
    snprintf(numbers[1], sizeof(numbers[1]), "%d", out);
    snprintf(text, sizeof(text), "%s", suffix);
    put(in, text, sizeof(text));
    put(in, make, sizeof(*make));
    put(in, sample, sizeof(*sample));
    put(in, make->icc.data, make->icc.size);
    put(in, sample->samples, sample_bytes(sample));
    lseek(in, 0, SEEK_SET);
    const pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test", MAKE_ARGUMENT, numbers[0], numbers[1], (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct bytes bytes = {NULL, (size_t)lseek(out, 0, SEEK_END)};
    bytes.data = malloc(bytes.size + 1);
    assert_non_null(bytes.data);
    assert_int_equal(pread(out, bytes.data, bytes.size, 0), bytes.size);
    close(in), close(out);
    return bytes;
}

struct bytes vips_file_of(const struct sample *sample, const char *suffix)
{
    return vips_file_made(sample, suffix, &(struct vips_make){.page_height = 0});
}

void vips_files_main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], MAKE_ARGUMENT) == 0)
        _exit(make_main(atoi(argv[2]), atoi(argv[3]))); /* what it has not freed ends with it */
}

void vips_leave(void)
{
    vips_init("test"); /* in case that no picture has called for it */
    vips_shutdown();
}
