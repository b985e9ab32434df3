#ifndef KIN_CLIENT_DISPLAY_H
#define KIN_CLIENT_DISPLAY_H
/* What people look at: the progress line on a terminal, and the summary at the end. */
#include "client/remote.h"
#include "client/report_read.h"
#include "coordinator/coordinator.h"

struct kin_display {
    bool active;   /* stderr is a terminal, and not --quiet */
    unsigned part; /* a phase, or a step of a client */
    uint64_t part_start_us, part_start_done;
    size_t width; /* of the line shown */
};
void kin_display_progress(struct kin_display *d, const struct kin_progress *p, uint64_t now_us);
void kin_display_remote(struct kin_display *d, const struct kin_remote_progress *p,
                        uint64_t now_us);
void kin_display_clear(struct kin_display *d);

/* "1,234,567". out has room for 32. Returns out. */
const char *kin_display_number(uint64_t x, char *out);
/* peak_bytes: resident memory at its largest, mapped files included; 0: elsewhere, in a cluster. */
void kin_display_summary(const struct kin_report_read *report, double seconds, const char *out_dir,
                         uint64_t peak_bytes, struct kin_buf *out);
void kin_display_plan(const struct kin_report *report, const struct kin_workflow *workflow,
                      unsigned threads, struct kin_buf *out);

#endif
