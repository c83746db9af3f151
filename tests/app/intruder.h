/* intruder.h: a task that does what code would try that has taken a decoder over. */
#ifndef TESTS_APP_INTRUDER_H
#define TESTS_APP_INTRUDER_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#define INTRUDER "intruder"

/** What it is given: the number of the attempt, the path of a file, the path of another in the same
 *  folder that does not exist; and one descriptor, the file opened for reading. It answers with an
 *  int32: 0 if the attempt succeeded, else the errno. */
int intruder_run(struct pool_call *call);

struct attempt {
    const char *name;
    bool on_paths; /* Landlock alone is to refuse it too */
    int (*run)(const char *path, const char *other, int fd); /* as system calls: < 0 with errno */
};

extern const struct attempt attempts[];
extern const size_t attempt_count;

#endif
