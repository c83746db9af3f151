/* manager_wire_priv.h: what a manager's clients and its server say to each other; private to pool.
 *
 *   server    a process of its own (manager_server.c) that holds all data and serves one request
 *             after the other.
 *   maker     the process that started it, by pool_manager_create().
 *   client    whoever has a connection: the maker, and each pool_manager_open().
 *
 * Getting a connection. pool_manager_share() gives out copies of one end of a pair of datagram
 * sockets, the rendezvous, whose other end only the server has. A client makes a SOCK_SEQPACKET
 * pair for its introduction, sends one end of it over the rendezvous in one CONNECT, and waits on
 * the other for the WELCOME. With this comes one end of another such pair, made by the server: that
 * is the connection. So no two clients share one, whoever dies at any moment leaves an end of file
 * and nothing else; and the server's end of it has never been in any other process, so that not
 * even a fork() of another thread in the worst of moments can hide the server's death. To show that
 * a descriptor is a rendezvous, the server puts a SIGNATURE into it, which is looked at and never
 * taken out.
 *
 * The maker has, from the start of the server, a socket on which nothing is said after a WELCOME
 * with its connection and the rendezvous: the leash. When it reaches its end, the server ends. (A
 * child that the maker forked may hold a copy of it beyond the maker's death: but the server is a
 * daemon of the maker's, and those end with it in any case.)
 *
 * Requests. One message a request, one a reply, at most one request under way on a connection. The
 * body of a request (key, expected, value, one after the other) follows its header or, above
 * WIRE_INLINE_MAX, lies in a sealed memfd that comes with it.
 *
 * Large replies. A reply too large for a message is not given at first, and nothing has happened
 * then: the server says how large it is (-EMSGSIZE), and the client asks again and sends a memfd
 * that has the room. So it is the client who lacks memory or descriptors if there is a lack, and it
 * finds out before a value is taken out of anything; and the server needs none to answer.
 *
 * Pops. A reply with what is popped is sent first, and then it is removed: if the client is dead by
 * then, all stays as it was. (The next request waits until this one is done, so nobody can tell.)
 *
 * The server trusts nothing that it reads. A client that does not keep to this is disconnected, and
 * so is one that does not take its replies. */
#ifndef POOL_MANAGER_WIRE_PRIV_H
#define POOL_MANAGER_WIRE_PRIV_H

#include <stddef.h>
#include <stdint.h>

#define MANAGER_VERSION         1
#define MANAGER_SIGNATURE_MAGIC UINT32_C(0x6d6e6773)
#define MANAGER_CONNECT_MAGIC   UINT32_C(0x6d6e6763)
#define MANAGER_REQUEST_MAGIC   UINT32_C(0x6d6e6772)
#define MANAGER_REPLY_MAGIC     UINT32_C(0x6d6e6761)

/** SIGNATURE, and CONNECT, which brings the descriptor for the WELCOME. */
struct manager_greeting {
    uint32_t magic;
    uint32_t version;
};
_Static_assert(sizeof(struct manager_greeting) == 8, "no padding");

enum manager_operation {
    MANAGER_OPEN_DICT, /* key: the name -> number: the object's */
    MANAGER_OPEN_LIST,
    MANAGER_DICT_SET, /* key, value */
    MANAGER_DICT_GET, /* key -> the value */
    MANAGER_DICT_CONTAINS,
    MANAGER_DICT_POP,
    MANAGER_DICT_ADD,         /* key, number -> number */
    MANAGER_DICT_REPLACE,     /* key, expected, value */
    MANAGER_DICT_SET_DEFAULT, /* key, value -> number: 1 if it was set, else 0 and the value */
    MANAGER_SIZE,             /* of either -> number */
    MANAGER_CLEAR,
    MANAGER_ITEMS,       /* -> number of them, and all */
    MANAGER_LIST_EXTEND, /* number of values; value: their sizes as uint64_t, then their bytes */
    MANAGER_LIST_INSERT, /* number: the index, as in what follows; value */
    MANAGER_LIST_GET,
    MANAGER_LIST_SET,
    MANAGER_LIST_POP,
    MANAGER_OPERATIONS
};

enum manager_flag {
    MANAGER_IN_MEMFD = 1, /* the body is in the first descriptor */
    MANAGER_ROOM = 2,     /* the last descriptor is a memfd with room_bytes of room for the reply */
    MANAGER_NO_VALUE = 4, /* the value is not wanted */
    MANAGER_FLAGS = 7
};

struct manager_request {
    uint32_t magic;
    uint32_t operation;
    uint32_t object;
    uint32_t flags;
    uint64_t key_bytes, expected_bytes, value_bytes;
    uint64_t room_bytes;
    int64_t number;
};
_Static_assert(sizeof(struct manager_request) == 56, "no padding");

/** A reply. WELCOME is one with a descriptor: the connection. (The maker's has two: the other is
 * the client's end of the rendezvous.) */
struct manager_reply {
    uint32_t magic;
    int32_t code; /* 0 or negative errno value */
    int64_t number;
    uint64_t body_bytes;
    uint32_t in_room; /* the body is in the room that the client sent */
    uint32_t zero;
};
_Static_assert(sizeof(struct manager_reply) == 32, "no padding");

/** One of ITEMS; key and value follow, each filled up to a multiple of MANAGER_ALIGN. */
struct manager_item {
    uint64_t key_bytes, value_bytes;
};
#define MANAGER_ALIGN sizeof(struct manager_item)
_Static_assert(sizeof(struct manager_item) == _Alignof(max_align_t), "all bytes are aligned");

static inline uint64_t manager_padding(uint64_t size)
{
    return -size % MANAGER_ALIGN;
}

#endif
