#ifndef KIN_CLIENT_SUGGEST_H
#define KIN_CLIENT_SUGGEST_H
/* A first workflow file from a profile of the sources: `kindred suggest`. docs/suggest.md says how
 * what is proposed is chosen. Same profile and options, same bytes. Main thread. */
#include "client/profile.h"

struct kin_suggest_options {
    bool values;          /* show values of the data in comments, not only shapes and shares */
    bool separate;        /* files with the same columns are sources of their own */
    const char *base_dir; /* real path of the folder the workflow file will be in; paths in it are
                             written relative to that. NULL: as they were given */
    const char *const *arguments; /* the paths given, of which those of the profile are matches */
    size_t argument_count;
};

/* Appends the workflow file to out, and to notes what the person should know at once, a line each.
 * KIN_E_NOTFOUND: there is nothing to propose a workflow for (no records, nothing to compare);
 * KIN_E_NOMEM. */
kin_status kin_suggest_workflow(const struct kin_profile *profile,
                                const struct kin_suggest_options *options, struct kin_buf *out,
                                struct kin_buf *notes, struct kin_err *err) KIN_MUST_CHECK;

/* True if a path or a name can stand in a workflow file: UTF-8 without control characters, not
 * empty. Any thread. */
bool kin_suggest_writable(struct kin_str text);

#endif
