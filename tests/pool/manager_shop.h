/* manager_shop.h: what the tests of managers have in common: a manager with a dict and a list,
 * looks into these, and children that use them. */
#ifndef TESTS_POOL_MANAGER_SHOP_H
#define TESTS_POOL_MANAGER_SHOP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <pool/manager.h>

/** A table with a task that does nothing, for programs that have no other. */
extern const struct pool_tasks shop_tasks;

struct shop {
    struct pool_manager *manager;
    struct pool_dict *dict; /* "dict" */
    struct pool_list *list; /* "list" */
};

/** Make one. Asserts. */
struct shop shop_of(void);
struct shop shop_of_bytes(size_t bytes_max);

/** Connect to one by its descriptor.  Returns 0 or what went wrong. */
int shop_open(int fd, struct shop *shop);

void shop_free(struct shop *shop);

struct pool_bytes text(const char *text);

/** So many bytes that depend on seed, for the caller to free(). Asserts. */
uint8_t *bytes_of(size_t size, unsigned seed);

/* These assert. Of all that is in it, expect_dict wants "key:value,key:value," and expect_list
 * "value,value,". */
void expect_bytes(struct pool_bytes got, struct pool_bytes wanted);
void expect_message(const struct pool_message *message, struct pool_bytes wanted);
void expect_there(struct pool_dict *dict, const char *key, const char *value);
void expect_dict(struct pool_dict *dict, const char *all);
void expect_list(struct pool_list *list, const char *all);
void expect_sizes(const struct shop *shop, size_t dict_size, size_t list_size);

/** What children are told. */
struct errand {
    int fd; /* a manager's */
    int times;
    atomic_int number;  /* of the next child */
    atomic_int arrived; /* children that have opened it */
};

/** One in memory that children share, with a descriptor of the shop's manager, which the caller
 *  closes. Asserts. */
struct errand *errand_of(const struct shop *shop, int times);

/** Run so many children and wait until all have ended with 0. Asserts. */
void send_children(int (*run)(void *errand), struct errand *errand, int count);

/** Descriptors that a process has open. */
int fds_of(pid_t pid);

#endif
