#include "common/env/env.h"

#include <stdarg.h>
#include <stdio.h>

struct kin_frame *kin_frame_new(uint32_t type)
{
    struct kin_frame *f = kin_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    atomic_init(&f->refs, 1);
    f->type = type;
    return f;
}

struct kin_frame *kin_frame_ref(struct kin_frame *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void kin_frame_unref(struct kin_frame *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    kin_buf_deinit(&f->body);
    if (f->payload_of)
        kin_frame_unref(f->payload_of);
    else
        kin_buf_deinit(&f->payload);
    kin_free(f);
}

void kin_frame_share_payload(struct kin_frame *f, struct kin_frame *from)
{
    f->payload = from->payload;
    f->payload_of = kin_frame_ref(from);
}

void kin_source_list_deinit(struct kin_source_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        kin_free(list->files[i].path);
    kin_free(list->files);
    *list = (struct kin_source_list){0};
}

void kin_env_log(struct kin_env *env, char level, const char *event, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    env->ops->log(env, level, event, text);
}
