/* page_site.h: a small web site on loopback, for the sample web_pages to fetch.
 *
 * /page/N is a page of N * 1000 bytes, all else is not found. Either way the answer takes its
 * time, as those of real sites do: which is what fetching in parallel saves. */
#ifndef SAMPLES_PAGE_SITE_H
#define SAMPLES_PAGE_SITE_H

#include <pool/pool.h>

struct page_site;

/** The site's own task: in the table of the program, under this name. */
#define PAGE_SITE_TASK "serve_page"
int page_site_serve(struct pool_call *call);

/** Serve, in threads of this process, until page_site_stop().
 *  tasks: the program's table.  ret_port: where.  Returns 0 or a negative errno value. */
int page_site_start(const struct pool_tasks *tasks, struct page_site **ret_site,
                    unsigned *ret_port);

/** NULL is fine. */
void page_site_stop(struct page_site *site);

#endif
