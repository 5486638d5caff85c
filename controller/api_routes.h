/* The one table of the REST interface: what may be asked, where its words go, and what answers.
 * JSON reading, OpenAPI, metrics and the batch are derived from it. It decides no authority: that
 * is engine's (`roles` is a note for readers). */
#ifndef CONTROLLER_API_ROUTES_H
#define CONTROLLER_API_ROUTES_H

#include <api.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum api_method {
    API_METHOD_NONE = 0, /* None that we serve. */
    API_METHOD_GET = 1,
    API_METHOD_POST = 2,
    API_METHOD_PUT = 3,
    API_METHOD_DELETE = 4,
};

/* What of an Answer becomes the body. */
enum api_shape {
    API_SHAPE_OPERATION = 1, /* The operation; a write's 202. */
    API_SHAPE_ONE,           /* The first item, bare. */
    API_SHAPE_LIST,          /* {"items", "next_page"}. */
    API_SHAPE_CLUSTER,
    API_SHAPE_EXPLANATION,
    API_SHAPE_CONSOLE,
    API_SHAPE_JOIN,
    API_SHAPE_LEAVES,
    API_SHAPE_CHECKPOINT,
    API_SHAPE_ACCESS,
    API_SHAPE_EVENTS,
    API_SHAPE_OWN, /* api answers by itself. */
};

/* Who serves it. */
enum api_server {
    API_SERVER_ENGINE = 1,
    API_SERVER_ROOT,
    API_SERVER_OPENAPI,
    API_SERVER_METRICS,
    API_SERVER_BATCH,
    API_SERVER_EVENTS, /* engine, or a stream when text/event-stream is accepted. */
};

enum { API_SLOTS_MAX = 3, API_SLOT_SIZE = 64 };

struct api_route {
    enum api_method method;
    const char *path;      /* "/v1/tenants/{tenant}"; a slot ends at '/', ':' or the end. */
    const char *operation; /* Stable: metrics label, OpenAPI operationId. */
    const char *summary;
    const char *roles; /* Note: who at least; engine decides. */
    enum api_server server;
    Wire__Request__BodyCase body;
    const ProtobufCMessageDescriptor *type; /* Of the body. NULL: not engine's. */
    const char *fields[API_SLOTS_MAX];      /* The field that each slot fills, in order. */
    const char *const *query;               /* Names, NULL-terminated; see api_query_field. */
    const char *preset;                     /* A number field set by the route itself. */
    int preset_value;
    const char *item; /* Lists and ones: the message name for OpenAPI ("InstanceView"). */
    bool write;
    bool takes_body;
    bool stranger; /* Served without a client certificate. */
    enum api_shape shape;
    uint16_t status;
};

struct api_slots {
    char text[API_SLOTS_MAX][API_SLOT_SIZE];
    uint32_t count;
};

size_t api_routes_count(void);
const struct api_route *api_route_at(size_t at);

/* The route for method and path, with the slots' text. NULL: none, and methods_out gets the set of
 * methods (bit 1 << method) that this path has. `path` is decoded and has no query. */
const struct api_route *api_route_find(
    enum api_method method, const char *path, struct api_slots *slots_out, uint32_t *methods_out);
/* The field that a query name fills: its own name, but "label" → selector, "page_token" → after. */
const char *api_query_field(const char *name);
bool api_route_takes_query(const struct api_route *route, const char *name);
/* May ?consistency be said: reads of rows. Logs (events, leaves, console) and waits have no other
 * state than the newest. */
bool api_route_takes_stale(const struct api_route *route);
/* Must If-Match be said: what takes the place of an object, or removes it. */
bool api_route_needs_match(const struct api_route *route);
/* Has its object an ETag, so that If-Match can name one; else only "*" can match. */
bool api_route_has_tag(const struct api_route *route);
const char *api_method_name(enum api_method method);
/* False: a method we do not serve at all. */
bool api_method_parse(const char *text, enum api_method *method_out);

#endif
