#include "page_site.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "loopback.h"
#include "sample.h"

enum { ANSWER_MS = SECOND_MS / 2, PAGES_MAX = 100, BYTES_EACH = 1000, THREADS = 16, SILENCE_S = 5 };

struct page_site {
    int listen_fd;
    pthread_t thread;  /* accepts */
    struct pool *pool; /* of threads: serving a page is mostly waiting */
};

/* The request's head, as text.  Returns 0 or -EBADMSG. */
static int read_request(int fd, char *request, size_t room)
{
    size_t used = 0;
    do {
        const ssize_t got = recv(fd, request + used, room - 1 - used, 0);
        if (got <= 0)
            return -EBADMSG;
        used += (size_t)got;
        request[used] = '\0';
    } while (!strstr(request, "\r\n\r\n"));
    return 0;
}

static int answer(int fd, const char *status, size_t size)
{
    char head[128];
    char *body = malloc(size + 1);
    if (!body)
        return -ENOMEM;
    memset(body, '.', size);
    const int head_size = snprintf(head, sizeof(head),
                                   "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
                                   "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                                   status, size);
    bool sent = send(fd, head, (size_t)head_size, MSG_NOSIGNAL | MSG_MORE) == head_size;
    for (size_t done = 0; sent && done < size;) {
        const ssize_t n = send(fd, body + done, size - done, MSG_NOSIGNAL);
        sent = n > 0;
        done += n > 0 ? (size_t)n : 0;
    }
    free(body);
    return sent ? 0 : -EPIPE;
}

int page_site_serve(struct pool_call *call)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};
    const int fd = pool_call_fd(call, 0);
    char request[4096];
    unsigned page = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence)) < 0)
        return -errno;
    const int r = read_request(fd, request, sizeof(request));
    if (r < 0)
        return r;
    sleep_ms(ANSWER_MS);
    if (sscanf(request, "GET /page/%u ", &page) == 1 && page >= 1 && page <= PAGES_MAX)
        return answer(fd, "200 OK", (size_t)page * BYTES_EACH);
    return answer(fd, "404 Not Found", 0);
}

static void *accept_all(void *data)
{
    struct page_site *site = data;
    int fd;
    while ((fd = accept4(site->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR ||
           errno == ECONNABORTED) {
        const struct pool_item item = {.fds = &fd, .fd_count = 1};
        if (fd >= 0 && pool_submit(site->pool, PAGE_SITE_TASK, &item, NULL, NULL) < 0)
            close(fd);
    }
    return NULL;
}

int page_site_start(const struct pool_tasks *tasks, struct page_site **ret_site, unsigned *ret_port)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct page_site *site = calloc(1, sizeof(*site));
    struct sockaddr_in address;
    if (!site)
        return -ENOMEM;
    options.backend = POOL_BACKEND_THREAD;
    options.workers = THREADS;
    options.tasks = tasks;
    int r = site->listen_fd = loopback_listen(0, 0, &address);
    if (r >= 0)
        r = pool_create(&options, &site->pool);
    if (r >= 0)
        r = -pthread_create(&site->thread, NULL, accept_all, site);
    if (r < 0) {
        pool_free(site->pool);
        if (site->listen_fd >= 0)
            close(site->listen_fd);
        free(site);
        return r;
    }
    *ret_site = site;
    *ret_port = ntohs(address.sin_port);
    return 0;
}

void page_site_stop(struct page_site *site)
{
    if (!site)
        return;
    shutdown(site->listen_fd, SHUT_RDWR); /* accept4() now fails */
    pthread_join(site->thread, NULL);
    pool_free(site->pool);
    close(site->listen_fd);
    free(site);
}
