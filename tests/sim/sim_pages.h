/* Memory of a simulated process, zeroed when a new life of it begins. A page that nobody touches
 * costs nothing. */
#ifndef TESTS_SIM_SIM_PAGES_H
#define TESTS_SIM_SIM_PAGES_H

#include <stddef.h>

struct sim_pages {
    void *at; /* NULL: none yet. */
    size_t size;
};

/* Page-aligned, zeroed, good until the next of these calls. */
void *sim_pages_fresh(struct sim_pages *pages, size_t size);
void sim_pages_end(struct sim_pages *pages);

#endif
