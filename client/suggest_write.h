#ifndef KIN_CLIENT_SUGGEST_WRITE_H
#define KIN_CLIENT_SUGGEST_WRITE_H
/* The text of the workflow file while it is put together. Private to client/suggest_*.c. */
#include "client/suggest_impl.h"

struct kin_written_source {
    const char *name;
    size_t source;       /* of the profile */
    const size_t *files; /* of the profile */
    size_t file_count;
};

struct kin_written_field {
    bool written;
    struct kin_buf columns; /* as text: what fills it where a source does not say otherwise; heap */
    struct kin_str names[64];
    size_t name_count; /* of these columns */
};

struct kin_writing {
    struct kin_suggest *s;
    struct kin_buf *out;
    struct kin_written_source *sources;
    size_t source_count;
    struct kin_written_field *fields;
};

/* Which sources there are, and their names. */
kin_status kin_writing_sources(struct kin_writing *w) KIN_MUST_CHECK;
kin_status kin_writing_put_sources(struct kin_writing *w) KIN_MUST_CHECK;
/* The columns of a source that fill a field, as YAML: x, or [x, y]. Returns how many. */
size_t kin_writing_columns(const struct kin_writing *w, size_t field, size_t source,
                           struct kin_buf *out);
kin_status kin_writing_put_fields(struct kin_writing *w) KIN_MUST_CHECK;
void kin_writing_put_rules(struct kin_writing *w);
void kin_writing_put_keys(struct kin_writing *w);
void kin_writing_put_model(struct kin_writing *w);
void kin_writing_put_golden(struct kin_writing *w);

#endif
