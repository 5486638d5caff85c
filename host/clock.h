/* The only caller of clock_gettime. Cores get time in their events. */
#ifndef HOST_CLOCK_H
#define HOST_CLOCK_H

#include <stdint.h>

/* Since boot, suspended time included; never goes back. What deadlines are made of. */
uint64_t clock_boot_ms(void);
uint64_t clock_boot_us(void); /* For durations, and numbers that come once in a boot. */

/* Since 1970, UTC, as this machine believes. Shown and stored, never decided upon, but for the
 * validity of certificates. */
uint64_t clock_wall_ms(void);

#endif
