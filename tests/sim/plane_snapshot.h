/* What the simulator does to, and counts of, snapshots on their way. */
#ifndef TESTS_SIM_PLANE_SNAPSHOT_H
#define TESTS_SIM_PLANE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

extern bool plane_snapshot_damage; /* The next part served has a wrong byte. */
extern uint64_t plane_snapshots_fetched;
extern uint64_t plane_snapshots_installed; /* That were fetched. */
extern uint64_t plane_snapshots_damaged;

void plane_snapshots_end(void);

/* What a machine's disk knows of its own checkpoints goes with its directories. */
void plane_snapshots_save(const char *from, const char *to);
void plane_snapshots_drop(const char *directory);

#endif
