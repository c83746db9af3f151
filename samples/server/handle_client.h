/* handle_client.h: what a worker does with a connection; part of the sample tcp_server. */
#ifndef SAMPLES_HANDLE_CLIENT_H
#define SAMPLES_HANDLE_CLIENT_H

#include <pool/task.h>

/** The task. Its field is the client's address, a struct sockaddr_in, its descriptor the
 *  connection. Its result is an int: how many lines it has answered.
 *
 *  Each line comes back in capital letters, with the worker's process id before it:
 *
 *      hello  ->  [4711] HELLO
 *
 *  until the client closes its side or says nothing for too long. A line that begins with "GET " is
 *  the first one of an HTTP request, which gets a short page and the end. */
int handle_client(struct pool_call *call);

#endif
