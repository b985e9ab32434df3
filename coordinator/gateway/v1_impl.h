#ifndef KIN_GATEWAY_V1_IMPL_H
#define KIN_GATEWAY_V1_IMPL_H
/* Inside of the routes: v1_route.make of each. */
#include "coordinator/gateway/v1.h"

kin_status v1_make_lookup(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_put(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_delete(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_group(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_group_of(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_history(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_changes(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_explain(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_links(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_link(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_revoke(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_status(struct v1_exchange *x, struct kin_err *err);
kin_status v1_make_ready(struct v1_exchange *x, struct kin_err *err);

/* A media type of JSON Lines is named; text may be NULL. */
bool v1_is_lines(const char *text);

#endif
