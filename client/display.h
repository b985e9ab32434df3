#ifndef KIN_CLIENT_DISPLAY_H
#define KIN_CLIENT_DISPLAY_H
/* What people look at: the progress line on a terminal, and the summary at the end. */
#include "coordinator/coordinator.h"

struct kin_display {
    bool active; /* stderr is a terminal, and not --quiet */
    enum kin_phase phase;
    uint64_t phase_start_us;
    size_t width; /* of the line shown */
};
void kin_display_progress(struct kin_display *d, const struct kin_progress *p, uint64_t now_us);
void kin_display_clear(struct kin_display *d);

/* "1,234,567". out has room for 32. Returns out. */
const char *kin_display_number(uint64_t x, char *out);
/* peak_bytes: resident memory at its largest, mapped files included. */
void kin_display_summary(const struct kin_report *report, const struct kin_workflow *workflow,
                         const char *out_dir, uint64_t peak_bytes, struct kin_buf *out);
void kin_display_plan(const struct kin_report *report, const struct kin_workflow *workflow,
                      unsigned threads, struct kin_buf *out);

#endif
