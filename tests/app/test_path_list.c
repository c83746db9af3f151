#include "app/path_list_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/signals_priv.h"
#include "files.h"
#include "isolate.h"

/* The paths with a bar behind each. */
static char *joined(const struct path_list *list)
{
    struct text text = TEXT_INIT;
    size_t at = 0;
    for (const char *path; (path = path_list_next(list, &at));)
        text_printf(&text, "%s|", path);
    assert_null(path_list_next(list, &at));
    text_puts(&text, "");
    return keep(text.data ? text.data : strdup(""));
}

static char *paths_in(const char *file, bool null)
{
    struct path_list *list = NULL;
    struct text message = TEXT_INIT;
    assert_int_equal(path_list_read(file, null, &list, &message), 0);
    assert_int_equal(message.length, 0);
    char *paths = joined(list);
    path_list_free(list);
    return paths;
}

static char *paths_of(const void *bytes, size_t size_bytes, bool null)
{
    write_file(scratch("list"), bytes, size_bytes);
    return paths_in(scratch("list"), null);
}

static void lines_are_paths_and_empty_ones_are_passed_over(void **state)
{
    (void)state;
    assert_string_equal(paths_of("a\n\n b \n\n#c\n\"d\"\r\n", 16, false), "a| b |#c|\"d\"\r|");
    assert_string_equal(paths_of("a\nlast", 6, false), "a|last|");
    assert_string_equal(paths_of("\xff\xfe\n", 3, false), "\xff\xfe|");
    assert_string_equal(paths_of("\n\n\n", 3, false), "");
    assert_string_equal(paths_of("", 0, false), "");
}

static void with_null_newlines_belong_to_the_name(void **state)
{
    (void)state;
    assert_string_equal(paths_of("a\nb\0\0c\0last", 11, true), "a\nb|c|last|");
    assert_string_equal(paths_of("\0\0", 2, true), "");
    assert_string_equal(paths_of("one", 3, true), "one|");
}

static void a_nul_in_a_line_is_told_with_its_number(void **state)
{
    (void)state;
    struct path_list *list = (struct path_list *)state;
    struct text message = TEXT_INIT;
    write_file(scratch("a\x1blist"), "one\ntwo\nth\0ree\n", 15);
    assert_int_equal(path_list_read(scratch("a\x1blist"), false, &list, &message), -EINVAL);
    assert_ptr_equal(list, state);
    assert_non_null(strstr(text_string(&message), "a\\x1blist: line 3 has a NUL"));
    assert_non_null(strstr(text_string(&message), "--null"));
    text_done(&message);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct path_list *list = NULL;
    struct text message = TEXT_INIT;
    assert_int_equal(path_list_read(scratch("nothing"), false, &list, &message), -ENOENT);
    assert_non_null(strstr(text_string(&message), "nothing: No such file or directory"));
    text_cut(&message, 0);
    assert_int_equal(path_list_read(test_scratch(), false, &list, &message), -EISDIR);
    assert_int_equal(strncmp(text_string(&message), "--files-from: ", 14), 0);
    assert_null(list);
    text_done(&message);
}

static void *write_slowly(void *data)
{
    const int fd = *(const int *)data;
    for (int i = 0; i < 100000; i++) {
        char line[32];
        const int length = snprintf(line, sizeof(line), "path-%06d\n", i);
        if (write(fd, line, (size_t)length) != length)
            break;
    }
    close(fd);
    return NULL;
}

static void standard_input_may_be_a_pipe_that_is_filled_slowly(void **state)
{
    (void)state;
    int ends[2];
    pthread_t writer;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const int before = dup(0);
    assert_int_equal(dup2(ends[0], 0), 0);
    close(ends[0]);
    assert_int_equal(pthread_create(&writer, NULL, write_slowly, &ends[1]), 0);
    const char *paths = paths_in("-", false);
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(strlen(paths), 100000 * 12);
    assert_string_equal(paths + (size_t)99999 * 12, "path-099999|");
    assert_int_equal(dup2(before, 0), 0);
    close(before);
}

static void *send_signal(void *data)
{
    kill(getpid(), SIGTERM);
    return data;
}

static void a_signal_ends_the_wait_for_more(void **state)
{
    (void)state;
    int ends[2];
    pthread_t sender;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "half a pa", 9), 9);
    const int before = dup(0);
    assert_int_equal(dup2(ends[0], 0), 0);
    close(ends[0]);
    assert_int_equal(signals_install(), 0);
    assert_int_equal(pthread_create(&sender, NULL, send_signal, NULL), 0);
    assert_string_equal(paths_in("-", false), "");
    assert_int_equal(pthread_join(sender, NULL), 0);
    assert_int_equal(signals_caught(), SIGTERM);
    assert_int_equal(dup2(before, 0), 0);
    close(before);
    close(ends[1]);
    size_t at = 0;
    assert_null(path_list_next(NULL, &at));
    assert_null(path_list_free(NULL));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(lines_are_paths_and_empty_ones_are_passed_over),
        TEST(with_null_newlines_belong_to_the_name),
        TEST(a_nul_in_a_line_is_told_with_its_number),
        TEST(what_cannot_be_read_is_told),
        TEST(standard_input_may_be_a_pipe_that_is_filled_slowly),
        TEST(a_signal_ends_the_wait_for_more),
    };
    return test_run("app path_list", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
