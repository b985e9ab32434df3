#ifndef KIN_CLIENT_DISPLAY_BLOCKING_H
#define KIN_CLIENT_DISPLAY_BLOCKING_H
/* What a plan says of the blocking keys, for people: the part of the matches that they find, and
 * keys that would find more. Nothing where it was not looked at. Any thread. */
#include "coordinator/coordinator.h"

void kin_display_blocking(const struct kin_report *report, const struct kin_workflow *workflow,
                          struct kin_buf *out);

#endif
