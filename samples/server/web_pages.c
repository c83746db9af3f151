/* web_pages: document 001, section 5, last paragraph: a list of URLs is fetched by pool map.
 *
 *     pool = Pool(4)
 *     pages = pool.map(fetch, urls)
 *
 * The pages are fetched by libcurl. Each worker keeps one handle from page to page, made by the
 * pool's initializer; a handle could not be shared between processes. The results come in the order
 * of the URLs, and a page that cannot be had costs only itself. Fetching is waiting, so more
 * workers than CPUs pay here.
 *
 * Usage: web_pages [URL...]. Without URLs it fetches from a small site of its own on loopback, each
 * of whose answers takes 50 ms:
 *
 *     $ web_pages
 *     http://127.0.0.1:37601/page/1: 1000 bytes
 *     http://127.0.0.1:37601/page/5: 5000 bytes
 *     http://127.0.0.1:37601/missing: failed: HTTP status 404
 *     ...
 *     one after the other: 7 pages, 1 failed, 0.414 s
 *     by 4 workers:        7 pages, 1 failed, 0.115 s
 *     same pages: yes */
#include <curl/curl.h>

#include "page_site.h"
#include "sample.h"

enum { WORKERS = 4, TIMEOUT_S = 20, URL_BYTES = 64 };

static const char *const own_pages[] = {"page/1", "page/5", "missing", "page/2",
                                        "page/8", "page/3", "page/13", "page/1"};
enum { OWN_PAGES = sizeof(own_pages) / sizeof(own_pages[0]) };

/* ---- In the workers ------------------------------------------------------------------------ */

static void close_curl(void *curl)
{
    curl_easy_cleanup(curl);
    curl_global_cleanup();
}

/* The initializer: a handle for this worker. */
static int open_curl(struct pool_call *call)
{
    CURL *curl = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        curl = curl_easy_init();
    if (!curl)
        return pool_call_fail(call, -ENOMEM, "libcurl cannot be used");
    pool_call_set_local(call, curl, close_curl);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* in threads signals are nobody's */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    return 0;
}

static size_t take_bytes(char *bytes, size_t one, size_t count, void *call)
{
    return pool_call_write(call, bytes, one * count) < 0 ? 0 : one * count;
}

/* The task: its field is a URL, its result the page. */
static int fetch(struct pool_call *call)
{
    CURL *curl = pool_call_local(call);
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_URL, pool_call_field(call, 0).data);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return pool_call_fail(call, -ENOENT, "HTTP status %ld", status);
    if (code != CURLE_OK)
        return pool_call_fail(call, -EIO, "%s", curl_easy_strerror(code));
    return 0;
}

static const struct pool_task list[] = {
    {"fetch", fetch}, {"open_curl", open_curl}, {PAGE_SITE_TASK, page_site_serve}};
static const struct pool_tasks tasks = {list, 3};

/* ---- In the program ------------------------------------------------------------------------ */

/* All pages, by workers or, with the serial backend, without any. */
static struct pool_results *fetch_all(enum pool_backend backend, const struct pool_item *urls,
                                      size_t count, double *ret_time_s)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    struct pool_results *results;
    const double start = now_s();
    options.backend = backend;
    options.workers = WORKERS;
    options.initializer = "open_curl";
    options.tasks = &tasks;
    must(pool_create(&options, &pool), "pool");
    must(pool_map(pool, "fetch", urls, count, NULL, &results), "map");
    *ret_time_s = now_s() - start;
    pool_free(pool); /* results may outlive their pool */
    return results;
}

static void summarize(const char *name, struct pool_results *results, double time_s)
{
    size_t fetched = 0;
    for (size_t i = 0; i < pool_results_count(results); i++)
        fetched += pool_future_successful(pool_results_at(results, i)) == 1;
    printf("%-20s %zu pages, %zu failed, %.3f s\n", name, fetched,
           pool_results_count(results) - fetched, time_s);
}

static void show(const struct pool_item *url, struct pool_future *future)
{
    struct pool_bytes page;
    struct pool_error error;
    printf("%s: ", (const char *)url->fields[0].data);
    if (pool_future_result(future, -1, &page) == 0)
        printf("%zu bytes\n", page.size_bytes);
    else if (pool_future_error(future, &error) == 0)
        printf("failed: %s\n", error.message);
}

static bool is_same(struct pool_future *a, struct pool_future *b)
{
    struct pool_bytes x = {0}, y = {0};
    const int r = pool_future_result(a, -1, &x);
    return r == pool_future_result(b, -1, &y) && x.size_bytes == y.size_bytes &&
           (x.size_bytes == 0 || memcmp(x.data, y.data, x.size_bytes) == 0);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");
    const size_t count = argc > 1 ? (size_t)argc - 1 : OWN_PAGES;
    struct pool_bytes *fields = calloc(count, sizeof(*fields));
    struct pool_item *urls = calloc(count, sizeof(*urls));
    char own_urls[OWN_PAGES][URL_BYTES];
    struct page_site *site = NULL;
    unsigned port = 0;
    bool same = true;

    must(fields && urls ? 0 : -ENOMEM, "URLs");
    if (argc == 1)
        must(page_site_start(&tasks, &site, &port), "site");
    for (size_t i = 0; i < count; i++) {
        const char *url = site ? own_urls[i] : argv[i + 1];
        if (site)
            snprintf(own_urls[i], URL_BYTES, "http://127.0.0.1:%u/%s", port, own_pages[i]);
        fields[i] = (struct pool_bytes){url, strlen(url) + 1};
        urls[i] = (struct pool_item){.fields = &fields[i], .field_count = 1};
    }
    double serial_s, pooled_s;
    struct pool_results *serial = fetch_all(POOL_BACKEND_SERIAL, urls, count, &serial_s);
    struct pool_results *pooled = fetch_all(POOL_BACKEND_PROCESS, urls, count, &pooled_s);
    for (size_t i = 0; i < count; i++) {
        show(&urls[i], pool_results_at(pooled, i));
        same = same && is_same(pool_results_at(serial, i), pool_results_at(pooled, i));
    }
    summarize("one after the other:", serial, serial_s);
    summarize("by 4 workers:", pooled, pooled_s);
    printf("same pages: %s\n", same ? "yes" : "no");
    pool_results_free(serial);
    pool_results_free(pooled);
    page_site_stop(site);
    free(urls);
    free(fields);
    return EXIT_SUCCESS;
}
