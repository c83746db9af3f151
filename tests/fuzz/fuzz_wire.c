/* fuzz_wire.c: what a pool's processes read of each other. An input is a message to a worker, a
 * worker's result, and a client's requests to a manager. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <pool/manager_data_priv.h>
#include <pool/wire_task_priv.h>

#include "fuzz.h"

#define DATA_BYTES_MAX ((size_t)8 * 1024)
#define MEMFD_BYTES    100

const enum fuzz_kind fuzz_kind = FUZZ_BYTES;

/* ---- Messages ------------------------------------------------------------------------------ */

static void body_check(const uint8_t *data, size_t size)
{
    static struct wire_body body; /* zeroed */
    int sockets[2];
    if (size == 0 || size > sizeof(body.message) + 100)
        return;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        fuzz_fail("no sockets: %s", strerror(errno));
    const struct iovec part = {(void *)data, size};
    if (pool_wire_send(sockets[0], &part, 1, NULL, 0) == 0) {
        const int r = pool_wire_receive_body(sockets[1], &body);
        if (r != 1 && r != -EBADMSG)
            fuzz_fail("a message gives %d", r);
        if (r == 1 && body.full && pool_wire_body_head(&body)->in_memfd == 0 &&
            pool_wire_body_head(&body)->payload_bytes != size - sizeof(struct wire_task))
            fuzz_fail("a call of another size than its message");
        fuzz_taken += r == 1;
        pool_wire_body_done(&body);
    }
    close(sockets[0]), close(sockets[1]);
}

/* ways: whether a descriptor came along, a sealed one or none, and whether some were lost. */
static void outcome_check(const uint8_t *data, size_t size, unsigned ways)
{
    struct wire_fds fds = {.lost = ways & 4};
    struct wire_result head;
    struct outcome outcome;
    const uint8_t bytes[MEMFD_BYTES] = {0};
    const struct iovec part = {(void *)bytes, sizeof(bytes)};
    if (ways & 1) {
        fds.count = 1;
        if (ways & 2)
            fds.fds[0] = memfd_create("value", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        else if (pool_blob_to_memfd(&part, 1, &fds.fds[0]) < 0)
            fds.fds[0] = -1;
        if (fds.fds[0] < 0)
            fuzz_fail("no file: %s", strerror(errno));
    }
    const int r = pool_wire_read_outcome(data, size, &fds, &head, &outcome);
    if (r != 0 && r != -EBADMSG)
        fuzz_fail("a result gives %d", r);
    if (r == 0) {
        const struct pool_bytes value = pool_outcome_value(&outcome);
        if (outcome.code == 0 && value.size_bytes != head.value_bytes)
            fuzz_fail("a value of %zu bytes is one of %zu", (size_t)head.value_bytes,
                      value.size_bytes);
        if ((outcome.message && strlen(outcome.message) >= MESSAGE_BYTES) ||
            (outcome.where && strlen(outcome.where) >= WHERE_BYTES))
            fuzz_fail("words that are too long");
        if (value.size_bytes > 0)
            fuzz_choice(value.data, value.size_bytes); /* all of it can be read */
        pool_outcome_done(&outcome);
        fuzz_taken++;
    }
    pool_wire_fds_done(&fds);
}

/* ---- A manager's data ---------------------------------------------------------------------- */

struct reader {
    const uint8_t *data;
    size_t size;
};

static uint64_t number_take(struct reader *from, size_t width)
{
    uint64_t number = 0;
    for (; width > 0 && from->size > 0; width--, from->data++, from->size--)
        number = number << 8 | from->data[0];
    return number;
}

static struct pool_bytes bytes_take(struct reader *from)
{
    size_t size = (size_t)number_take(from, 1);
    if (size > from->size)
        size = from->size;
    const struct pool_bytes bytes = {size > 0 ? from->data : NULL, size};
    from->data += size;
    from->size -= size;
    return bytes;
}

static int items_count(void *to, const void *data, size_t size)
{
    if (size > 0)
        fuzz_choice(data, size);
    *(uint64_t *)to += size;
    return 0;
}

static void answer_check(const struct manager_answer *answer)
{
    if (answer->code > 0)
        fuzz_fail("an answer says %d", answer->code);
    if (answer->value.size_bytes > 0)
        fuzz_choice(answer->value.data, answer->value.size_bytes);
    uint64_t written = 0;
    if (answer->items)
        pool_manager_items_write(answer->items, items_count, &written);
    if (written != answer->items_bytes)
        fuzz_fail("%zu bytes of items are %zu", (size_t)answer->items_bytes, (size_t)written);
}

/* A command is a byte for the operation, one for the object, one for the number's width, the
 * number, and three strings. */
static void commands_check(const uint8_t *data, size_t size)
{
    struct manager_data manager;
    struct reader from = {data, size};
    if (pool_manager_data_init(&manager, DATA_BYTES_MAX) < 0)
        fuzz_fail("no manager");
    while (from.size > 0) {
        struct manager_answer answer;
        struct manager_command command = {
            .operation = (enum manager_operation)(number_take(&from, 1) % MANAGER_OPERATIONS)};
        command.object = (uint32_t)number_take(&from, 1) % 8;
        const unsigned width = (unsigned)number_take(&from, 1);
        command.number = (int64_t)number_take(&from, (width & 15) % 9);
        if (width & 0x80)
            command.number = command.number == INT64_MIN ? INT64_MAX : -command.number;
        command.key = bytes_take(&from);
        command.expected = bytes_take(&from);
        command.value = bytes_take(&from);
        if (pool_manager_data_do(&manager, &command, &answer) < 0)
            continue;
        answer_check(&answer);
        if (answer.code == 0)
            pool_manager_data_delivered(&manager, &command);
        if (manager.budget.used > manager.budget.max)
            fuzz_fail("%zu bytes are used of %zu", manager.budget.used, manager.budget.max);
    }
    pool_manager_data_done(&manager);
    if (manager.budget.used != 0)
        fuzz_fail("%zu bytes are used at the end", manager.budget.used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > FUZZ_BYTES_MAX)
        return 0;
    const unsigned ways = data[0];
    if (ways & 8)
        commands_check(data + 1, size - 1);
    else if (ways & 16)
        body_check(data + 1, size - 1);
    else
        outcome_check(data + 1, size - 1, ways);
    return 0;
}
