#include "walks.h"

#include <unistd.h>

#include "isolate.h"

struct inputs *inputs_of(const char *path)
{
    const char *paths[] = {path};
    const struct options asked = {.paths = paths, .path_count = 1};
    struct inputs *inputs = NULL;
    struct text message = TEXT_INIT;
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(inputs_create(&asked, &inputs, &message), 0);
    text_done(&message);
    return inputs;
}
