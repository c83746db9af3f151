#include "sample_run.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolate.h"

enum { ARGS_MAX = 16 };

/* What outputs consist of, until the test's process ends. */
static struct kept {
    struct kept *next;
    void *memory;
} * all_kept;

static void *keep(void *memory)
{
    struct kept *kept = malloc(sizeof(*kept));
    assert_non_null(memory);
    assert_non_null(kept);
    *kept = (struct kept){.next = all_kept, .memory = memory};
    all_kept = kept;
    return memory;
}

static int start(const char *program, char **args, const char *out_path)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const int fd = open(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
            _exit(126);
        close(fd);
        execv(program, args);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *read_all(const char *path)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *text = keep(calloc((size_t)st.st_size + 1, 1));
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    close(fd);
    return text;
}

static void cut_lines(struct sample_output *output)
{
    char *text = keep(strdup(output->out));
    for (const char *c = text; *c; c++)
        output->line_count += *c == '\n';
    output->lines = keep(calloc(output->line_count + 1, sizeof(output->lines[0])));
    for (size_t i = 0; i < output->line_count; i++)
        output->lines[i] = strsep(&text, "\n");
}

struct sample_output sample_run(const char *program, ...)
{
    char path[512], *args[ARGS_MAX + 2] = {strdup(program)};
    struct sample_output output = {0};
    size_t count = 1;
    va_list list;
    va_start(list, program);
    for (const char *arg; (arg = va_arg(list, const char *));) {
        assert_true(count <= ARGS_MAX);
        args[count++] = strdup(arg);
    }
    va_end(list);
    snprintf(path, sizeof(path), "%s/sample-output", test_scratch());
    output.exit_code = start(program, args, path);
    output.out = read_all(path);
    cut_lines(&output);
    for (size_t i = 0; i < count; i++)
        free(args[i]);
    return output;
}

static void show(const struct sample_output *output)
{
    printf("---- exit code %d, output:\n%s----\n", output->exit_code, output->out);
}

struct sample_output sample_check(struct sample_output output)
{
    if (output.exit_code != 0)
        show(&output);
    assert_int_equal(output.exit_code, 0);
    return output;
}

size_t sample_count(const struct sample_output *output, const char *text)
{
    size_t count = 0;
    for (size_t i = 0; i < output->line_count; i++)
        count += strstr(output->lines[i], text) != NULL;
    return count;
}

size_t sample_find(const struct sample_output *output, const char *text)
{
    for (size_t i = 0; i < output->line_count; i++)
        if (strstr(output->lines[i], text))
            return i;
    show(output);
    fail_msg("no line says '%s'", text);
    return 0;
}

void sample_expect_line(const struct sample_output *output, size_t index, const char *line)
{
    if (index >= output->line_count || strcmp(output->lines[index], line) != 0)
        show(output);
    assert_true(index < output->line_count);
    assert_string_equal(output->lines[index], line);
}

static int compare(const void *a, const void *b)
{
    const long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

size_t sample_distinct(const struct sample_output *output, const char *key)
{
    long *numbers = calloc(strlen(output->out) + 1, sizeof(numbers[0]));
    size_t count = 0, distinct = 0;
    assert_non_null(numbers);
    for (const char *at = output->out; (at = strstr(at, key)); at += strlen(key)) {
        char *end;
        numbers[count] = strtol(at + strlen(key), &end, 10);
        count += end != at + strlen(key);
    }
    qsort(numbers, count, sizeof(numbers[0]), compare);
    for (size_t i = 0; i < count; i++)
        distinct += i == 0 || numbers[i] != numbers[i - 1];
    free(numbers);
    return distinct;
}
