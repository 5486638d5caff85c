/* Decides which floors the operator asks for: of tenants as they are made, and later up, down, to
 * nothing, and now and then more than is left. Whether one may be had is the product's. */
#include "base/check.h"
#include "tests/sim/plane_check.h"

enum { EIGHTHS = 8, MIB = 1 << 20 };

/* Of a whole that has a number of parts; memory in whole MiB. */
static uint64_t part(uint64_t whole, uint64_t eighths, enum quota_dimension dimension)
{
    uint64_t amount = whole / EIGHTHS * eighths + whole % EIGHTHS * eighths / EIGHTHS;
    return dimension == QUOTA_MEMORY_BYTES ? amount / MIB * MIB : amount;
}

/* Tenants with clients have a cap; the others are bounded by the cell alone. */
static uint64_t whole_of(const struct plane *plane, uint32_t tenant, enum quota_dimension dimension)
{
    return tenant < plane->conf.tenants ? plane_cap(plane, dimension)
                                        : plane_floors_left(tenant, dimension);
}

static void floor_set(
    struct plane *plane, struct plane_request *request, uint64_t eighths, bool only_what_is_left)
{
    for (int i = 0; i < QUOTA_NETWORKS; i++) {
        enum quota_dimension dimension = (enum quota_dimension)i;
        bool counted = dimension == QUOTA_INSTANCES;
        uint64_t whole =
            counted ? plane_cap(plane, dimension) : whole_of(plane, request->tenant, dimension);
        uint64_t amount = part(whole, counted && eighths > 0 ? 1 : eighths, dimension);
        uint64_t left = counted ? whole : plane_floors_left(request->tenant, dimension) / 2;
        request->floor.of[i] = only_what_is_left && amount > left ? left : amount;
    }
    request->floor.of[QUOTA_NETWORKS] = eighths % 2;
}

/* A tenant with clients gets a part of its cap; one that only keeps room free, of what is left. */
static void first(struct plane *plane, struct plane_request *request)
{
    static const uint64_t kept[] = { 1, 3, 5, 7 };
    if (request->tenant < plane->conf.tenants) {
        floor_set(plane, request, plane_below(plane, 4), true);
    } else if (request->tenant > plane->conf.tenants) {
        floor_set(plane, request, kept[plane_below(plane, COUNT_OF(kept))], false);
    }
}

/* Any part, or a little more than there is. */
static void later(struct plane *plane, struct plane_request *request)
{
    uint32_t keeper = plane->conf.tenants + 1;
    uint32_t other = (uint32_t)plane_below(plane, plane->conf.tenants);
    if (request->act == PLANE_ACT_QUOTA) {
        request->tenant = plane_odds(plane, 5000) && !plane_floors_doubted(keeper) ? keeper : other;
        for (uint32_t i = 0; i < keeper && plane_floors_doubted(request->tenant); i++) {
            request->tenant = (request->tenant + 1) % keeper;
        }
    }
    bool bounded = request->tenant < plane->conf.tenants;
    floor_set(plane, request, plane_below(plane, EIGHTHS + (bounded ? 1 : 2)), false);
    if (!bounded && plane_odds(plane, 2000)) {
        floor_set(plane, request, EIGHTHS + 1, false);
    }
}

bool plane_sets_floor(const struct plane_request *request)
{
    return request->act == PLANE_ACT_TENANT ||
           (request->act == PLANE_ACT_QUOTA && request->machine == 0);
}

void plane_floor_asked(struct plane *plane, struct plane_request *request)
{
    bool begins = !plane->trouble;
    if (plane->swarm.floors && plane_sets_floor(request)) {
        if (begins) {
            first(plane, request);
        } else {
            later(plane, request);
        }
    }
    plane_floors_asked(plane, request);
}
