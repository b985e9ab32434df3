#ifndef KIN_WORKFLOW_PROBLEMS_H
#define KIN_WORKFLOW_PROBLEMS_H
/* Collecting mistakes while a workflow file is checked. One report belongs to one thread. */
#include "common/workflow/workflow.h"

#include <stdarg.h>

/* {.out = &problems} is an empty report over an empty list. */
struct kin_report {
    struct kin_problems *out; /* borrowed */
    bool nomem;
};

/* Keeps the KIN_PROBLEMS_MAX first by line and column, in that order and without repeats. Control
 * characters and invalid UTF-8 become '?' (what is printed may come from a hostile file), and
 * texts that do not fit are cut at a character. */
void kin_report_add(struct kin_report *r, unsigned line, unsigned column, const char *key,
                    const char *format, ...) KIN_PRINTF(5, 6);
void kin_report_vadd(struct kin_report *r, unsigned line, unsigned column, const char *key,
                     const char *format, va_list args) KIN_PRINTF(5, 0);

#endif
