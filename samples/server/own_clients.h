/* own_clients.h: the clients that the sample tcp_server sends itself when it runs alone. */
#ifndef SAMPLES_OWN_CLIENTS_H
#define SAMPLES_OWN_CLIENTS_H

enum { OWN_CLIENTS = 8, OWN_CLIENTS_AT_ONCE = 2 };

/** The body of a thread: OWN_CLIENTS clients, so many at once, each with a line to say. They stay
 *  connected until all that are there at once have their answers, so that many workers are needed.
 *  address: the server's, a struct sockaddr_in; valid until the thread has ended.  Returns NULL. */
void *own_clients_main(void *address);

#endif
