#include "coordinator/gateway/v1_impl.h"

#include <stdio.h>
#include <string.h>

static const struct v1_route routes[] = {
    {"POST", "/v1/{workflow}/lookup", "explain limit source", V1_RECORDS, true, false,
     v1_make_lookup},
    {"POST", "/v1/{workflow}/records/{source}", "wait mint", V1_RECORDS, true, false, v1_make_put},
    {"GET", "/v1/{workflow}/records/{source}/{id}", "golden", V1_OBJECT, false, false,
     v1_make_group_of},
    {"DELETE", "/v1/{workflow}/records/{source}/{id}", "wait", V1_OBJECT, false, false,
     v1_make_delete},
    {"GET", "/v1/{workflow}/groups/{match_id}", "golden", V1_OBJECT, false, false, v1_make_group},
    {"GET", "/v1/{workflow}/ids/{match_id}/history", "", V1_OBJECT, false, false, v1_make_history},
    {"GET", "/v1/{workflow}/changes", "after limit wait_ms", V1_EVENTS, false, false,
     v1_make_changes},
    {"GET", "/v1/{workflow}/explain", "a b", V1_OBJECT, false, false, v1_make_explain},
    {"GET", "/v1/{workflow}/links", "after limit", V1_LINKS, false, false, v1_make_links},
    {"POST", "/v1/{workflow}/links", "", V1_OBJECT, true, false, v1_make_link},
    {"DELETE", "/v1/{workflow}/links", "a b who why", V1_OBJECT, false, false, v1_make_revoke},
    {"GET", "/v1/status", "jobs", V1_STATUS, false, false, v1_make_status},
    {"GET", "/v1/openapi.json", "", V1_OPENAPI, false, false, NULL},
    {"GET", "/healthz", "", V1_HEALTH, false, true, NULL},
    {"GET", "/readyz", "", V1_READY, false, true, v1_make_ready},
    {"GET", "/metrics", "", V1_METRICS, false, true, v1_make_ready},
};
enum { ROUTES = sizeof routes / sizeof *routes };

const struct v1_route *v1_routes(unsigned *count)
{
    *count = ROUTES;
    return routes;
}

static bool part_fits(const char *pattern, size_t n, struct kin_str part)
{
    if (n && *pattern == '{')
        return part.n > 0;
    return part.n == n && memcmp(pattern, part.p, n) == 0;
}

static bool fits(const char *pattern, const struct uri_path *path)
{
    unsigned i = 0;
    for (; *pattern; i++) {
        size_t n = strcspn(++pattern, "/");
        if (i == path->count || !part_fits(pattern, n, path->part[i]))
            return false;
        pattern += n;
    }
    return i == path->count;
}

static void allow_method(char *allow, size_t max, const char *method)
{
    size_t n = strlen(allow);
    const char *also = strcmp(method, "GET") == 0 ? ", HEAD" : "";
    snprintf(allow + n, max - n, "%s%s%s", n ? ", " : "", method, also);
}

const struct v1_route *v1_find(const struct uri_path *path, const char *method, char *allow,
                               size_t allow_max)
{
    const char *as = strcmp(method, "HEAD") == 0 ? "GET" : method;
    *allow = '\0';
    for (unsigned i = 0; i < ROUTES; i++) {
        if (!fits(routes[i].pattern, path))
            continue;
        if (strcmp(routes[i].method, as) == 0)
            return &routes[i];
        allow_method(allow, allow_max, routes[i].method);
    }
    return NULL;
}
