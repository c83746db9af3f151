/* process_priv.h: processes whose target is the library's own; private to pool. */
#ifndef POOL_PROCESS_PRIV_H
#define POOL_PROCESS_PRIV_H

#include "process.h"

/** Functions of the library itself that may run in a process of their own. */
enum process_builtin {
    PROCESS_MANAGER /* pool_manager_serve() of manager_priv.h */
};

/** As pool_process_create(), but for a target that stands in no table.
 *  Returns 0, -ENOTSUP, -EINVAL or -ENOMEM. */
int pool_process_create_builtin(enum process_builtin builtin, const struct pool_item *item,
                                const struct pool_process_options *options,
                                struct pool_process **ret_process);

#endif
