/* table_priv.h: the table of tasks that host and worker share; private to pool. */
#ifndef POOL_TABLE_PRIV_H
#define POOL_TABLE_PRIV_H

#include <stdint.h>

#include "pool.h"

/** Is the table usable?  Returns 0 or -EINVAL. */
int pool_table_check(const struct pool_tasks *tasks);

/** The position of a task in its table, or -ENOENT. */
int pool_table_find(const struct pool_tasks *tasks, const char *name);

/** A number that differs when two tables differ in names or order. The handshake compares it, so
 *  that a worker program of another version is noticed before it runs the wrong task. */
uint64_t pool_table_hash(const struct pool_tasks *tasks);

#endif
